// Who a task acts as: ids, groups and capabilities (struct cred). Objects are immutable: a change makes a new one.
import type { Task } from "./task.ts";

export const CAP_CHOWN = 0;
export const CAP_DAC_OVERRIDE = 1;
export const CAP_DAC_READ_SEARCH = 2;
export const CAP_FOWNER = 3;
export const CAP_FSETID = 4;
export const CAP_KILL = 5;
export const CAP_SETGID = 6;
export const CAP_SETUID = 7;
export const CAP_SETPCAP = 8;
export const CAP_NET_BIND_SERVICE = 10;
export const CAP_IPC_LOCK = 14;
export const CAP_IPC_OWNER = 15;
export const CAP_SYS_RAWIO = 17;
export const CAP_SYS_CHROOT = 18;
export const CAP_SYS_PTRACE = 19;
export const CAP_SYS_ADMIN = 21;
export const CAP_SYS_BOOT = 22;
export const CAP_SYS_NICE = 23;
export const CAP_SYS_RESOURCE = 24;
export const CAP_SYS_TIME = 25;
export const CAP_SYS_TTY_CONFIG = 26;
export const CAP_MKNOD = 27;
export const CAP_LAST = 40;

/** Capability sets as two int32 halves. */
export interface CapSet {
  readonly low: number;
  readonly high: number;
}

export const NO_CAPS: CapSet = { low: 0, high: 0 };
/** Bits 0..40. */
export const ALL_CAPS: CapSet = { low: -1, high: 0x1ff };

export interface Credentials {
  readonly uid: number;
  readonly euid: number;
  readonly suid: number;
  readonly fsuid: number;
  readonly gid: number;
  readonly egid: number;
  readonly sgid: number;
  readonly fsgid: number;
  readonly groups: readonly number[];
  readonly inheritable: CapSet;
  readonly permitted: CapSet;
  readonly effective: CapSet;
  readonly bounding: CapSet;
  readonly ambient: CapSet;
  /** SECBIT_*. */
  readonly secureBits: number;
}

export const ROOT_CREDENTIALS: Credentials = {
  uid: 0,
  euid: 0,
  suid: 0,
  fsuid: 0,
  gid: 0,
  egid: 0,
  sgid: 0,
  fsgid: 0,
  groups: [],
  inheritable: NO_CAPS,
  permitted: ALL_CAPS,
  effective: ALL_CAPS,
  bounding: ALL_CAPS,
  ambient: NO_CAPS,
  secureBits: 0,
};

export function hasCap(set: CapSet, capability: number): boolean {
  return (capability < 32 ? (set.low >>> capability) & 1 : (set.high >>> (capability - 32)) & 1) !== 0;
}

/** capable(): is `capability` in the task's effective set? */
export function capable(task: Task, capability: number): boolean {
  return hasCap(task.credentials.effective, capability);
}

/** in_egroup_p / in_group_p on the file-system gid. */
export function inGroup(credentials: Credentials, gid: number): boolean {
  return credentials.fsgid === gid || credentials.groups.includes(gid);
}

export function andCaps(a: CapSet, b: CapSet): CapSet {
  return { low: a.low & b.low, high: a.high & b.high };
}

export function orCaps(a: CapSet, b: CapSet): CapSet {
  return { low: a.low | b.low, high: a.high | b.high };
}

export function withoutCaps(a: CapSet, b: CapSet): CapSet {
  return { low: a.low & ~b.low, high: a.high & ~b.high };
}

export function withoutCap(set: CapSet, capability: number): CapSet {
  return capability < 32
    ? { low: set.low & ~(1 << capability), high: set.high }
    : { low: set.low, high: set.high & ~(1 << (capability - 32)) };
}

export function isSubset(a: CapSet, b: CapSet): boolean {
  return ((a.low & ~b.low) | (a.high & ~b.high)) === 0;
}
