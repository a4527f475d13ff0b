// prctl(2): the many small per-process and per-thread settings (kernel/sys.c, security/commoncap.c).
import { EFAULT, EINVAL, ENODEV, EPERM } from "../abi/errno.ts";
import * as P from "../abi/prctl.ts";
import { NSIG } from "../abi/signal.ts";
import { decodeUtf8, encodeUtf8 } from "../util/utf8.ts";
import {
  CAP_LAST,
  CAP_SETPCAP,
  CAP_SYS_RESOURCE,
  type CapSet,
  capable,
  hasCap,
  NO_CAPS,
  withoutCap,
} from "./credentials.ts";
import { fetchString, storeBytes, storeU64 } from "./ipc/user-memory.ts";
import type { Task } from "./task.ts";

const SECBIT_KEEP_CAPS = 0x10;
const SECBIT_KEEP_CAPS_LOCKED = 0x20;
const SECBIT_NO_CAP_AMBIENT_RAISE = 0x40;
const ALL_SECBITS = 0xff;
const COMM_BYTES = 16;

function withCap(set: CapSet, capability: number): CapSet {
  return capability < 32
    ? { low: set.low | (1 << capability), high: set.high }
    : { low: set.low, high: set.high | (1 << (capability - 32)) };
}

function setName(t: Task, address: number): number {
  const bytes = new Uint8Array(COMM_BYTES - 1);
  // strncpy_from_user of 15 bytes: a string that ends earlier need not be followed by readable memory.
  const text = t.space.readString(address, COMM_BYTES - 1);
  if (typeof text !== "number") t.name = decodeUtf8(text);
  else {
    if (t.space.copyIn(address, bytes) !== bytes.length) return -EFAULT;
    t.name = decodeUtf8(bytes);
  }
  return 0;
}

function ambient(t: Task, operation: number, capability: number): number {
  const { credentials } = t;
  if (operation === P.PR_CAP_AMBIENT_CLEAR_ALL) {
    if (capability !== 0) return -EINVAL;
    t.credentials = { ...credentials, ambient: NO_CAPS };
    return 0;
  }
  if (capability < 0 || capability > CAP_LAST) return -EINVAL;
  switch (operation) {
    case P.PR_CAP_AMBIENT_IS_SET:
      return hasCap(credentials.ambient, capability) ? 1 : 0;
    case P.PR_CAP_AMBIENT_RAISE: {
      const allowed = hasCap(credentials.permitted, capability) && hasCap(credentials.inheritable, capability);
      if (!allowed || (credentials.secureBits & SECBIT_NO_CAP_AMBIENT_RAISE) !== 0) return -EPERM;
      t.credentials = { ...credentials, ambient: withCap(credentials.ambient, capability) };
      return 0;
    }
    case P.PR_CAP_AMBIENT_LOWER:
      t.credentials = { ...credentials, ambient: withoutCap(credentials.ambient, capability) };
      return 0;
    default:
      return -EINVAL;
  }
}

function setSecureBits(t: Task, bits: number): number {
  const { credentials } = t;
  const old = credentials.secureBits;
  const locked = (old & 0xaa) >> 1;
  const unlocks = (old & 0xaa & ~bits) !== 0;
  const changesLocked = ((old ^ bits) & locked) !== 0;
  if ((bits & ~ALL_SECBITS) !== 0 || unlocks || changesLocked || !capable(t, CAP_SETPCAP)) return -EPERM;
  t.credentials = { ...credentials, secureBits: bits };
  return 0;
}

function dropBounding(t: Task, capability: number): number {
  if (capability < 0 || capability > CAP_LAST) return -EINVAL;
  if (!capable(t, CAP_SETPCAP)) return -EPERM;
  t.credentials = { ...t.credentials, bounding: withoutCap(t.credentials.bounding, capability) };
  return 0;
}

/** PR_SET_VMA_ANON_NAME: a name for anonymous areas (Go, Android, malloc debuggers). */
function nameArea(t: Task, operation: number, address: number, length: number, name: number): number {
  // Debian's riscv64 kernel is built without CONFIG_ANON_VMA_NAME; programs fall back silently.
  if (operation !== P.PR_SET_VMA_ANON_NAME || !t.kernel.config.anonVmaNames) return -EINVAL;
  if (name === 0) return t.space.setAreaName(address, length, null);
  const bytes = fetchString(t, name, 80, EINVAL);
  const text = decodeUtf8(bytes);
  for (const char of text) if (char < " " || char > "~" || "\\`$[]".includes(char)) return -EINVAL;
  return t.space.setAreaName(address, length, text);
}

function keepCaps(t: Task, value: number): number {
  if (value > 1 || value < 0) return -EINVAL;
  const { credentials } = t;
  if ((credentials.secureBits & SECBIT_KEEP_CAPS_LOCKED) !== 0) return -EPERM;
  const rest = credentials.secureBits & ~SECBIT_KEEP_CAPS;
  t.credentials = { ...credentials, secureBits: value === 1 ? rest | SECBIT_KEEP_CAPS : rest };
  return 0;
}

/** Settings that a number answers; undefined: not one of them. */
function capabilityPrctl(t: Task, option: number, a: number, b: number): number | undefined {
  switch (option) {
    case P.PR_GET_KEEPCAPS:
      return (t.credentials.secureBits & SECBIT_KEEP_CAPS) !== 0 ? 1 : 0;
    case P.PR_SET_KEEPCAPS:
      return keepCaps(t, a);
    case P.PR_CAPBSET_READ:
      return a < 0 || a > CAP_LAST ? -EINVAL : hasCap(t.credentials.bounding, a) ? 1 : 0;
    case P.PR_CAPBSET_DROP:
      return dropBounding(t, a);
    case P.PR_GET_SECUREBITS:
      return t.credentials.secureBits;
    case P.PR_SET_SECUREBITS:
      return setSecureBits(t, a);
    case P.PR_CAP_AMBIENT:
      return ambient(t, a, b);
    case P.PR_SET_NO_NEW_PRIVS:
      if (a !== 1 || b !== 0) return -EINVAL;
      t.noNewPrivileges = true;
      return 0;
    case P.PR_GET_NO_NEW_PRIVS:
      return t.noNewPrivileges ? 1 : 0;
    default:
      return undefined;
  }
}

/** Settings of machines and facilities that do not exist here; undefined: not one of them. */
function fixedPrctl(t: Task, option: number, a: number): number | undefined {
  switch (option) {
    case P.PR_GET_TIMING:
    case P.PR_GET_SECCOMP:
    case P.PR_SET_PTRACER:
      return 0;
    case P.PR_SET_TIMING:
      return a === 0 ? 0 : -EINVAL;
    case P.PR_MCE_KILL_GET:
      return 2;
    case P.PR_GET_SPECULATION_CTRL:
    case P.PR_SET_SPECULATION_CTRL:
      return a > 2 ? -ENODEV : 0;
    case P.PR_SET_MM:
      return capable(t, CAP_SYS_RESOURCE) ? -EINVAL : -EPERM;
    case P.PR_SET_SECCOMP:
      return -EINVAL;
    default:
      return undefined;
  }
}

export function prctl(t: Task, option: number, a: number, b: number, c: number, d: number): number {
  const { process } = t;
  const known = capabilityPrctl(t, option, a, b) ?? fixedPrctl(t, option, a);
  if (known !== undefined) return known;
  switch (option) {
    case P.PR_SET_PDEATHSIG:
      if (a < 0 || a > NSIG) return -EINVAL;
      t.parentDeathSignal = a;
      return 0;
    case P.PR_GET_PDEATHSIG:
      return t.space.writeU32(a, t.parentDeathSignal) ? 0 : -EFAULT;
    case P.PR_GET_DUMPABLE:
      return process.dumpable;
    case P.PR_SET_DUMPABLE:
      if (a !== 0 && a !== 1) return -EINVAL;
      process.dumpable = a;
      return 0;
    case P.PR_SET_NAME:
      return setName(t, a);
    case P.PR_GET_NAME: {
      const bytes = new Uint8Array(COMM_BYTES);
      bytes.set(encodeUtf8(t.name).subarray(0, COMM_BYTES - 1));
      storeBytes(t, a, bytes);
      return 0;
    }
    case P.PR_SET_TIMERSLACK:
      t.timerSlackNs = a <= 0 ? 50000 : a;
      return 0;
    case P.PR_GET_TIMERSLACK:
      return t.timerSlackNs;
    case P.PR_SET_CHILD_SUBREAPER:
      process.childSubreaper = a !== 0;
      return 0;
    case P.PR_GET_CHILD_SUBREAPER:
      return t.space.writeU32(a, process.childSubreaper ? 1 : 0) ? 0 : -EFAULT;
    case P.PR_GET_TID_ADDRESS:
      storeU64(t, a, t.clearChildTid);
      return 0;
    case P.PR_SET_THP_DISABLE:
      if (b !== 0 || c !== 0 || d !== 0) return -EINVAL;
      process.hugePagesDisabled = a !== 0;
      return 0;
    case P.PR_GET_THP_DISABLE:
      return a !== 0 || b !== 0 ? -EINVAL : process.hugePagesDisabled ? 1 : 0;
    case P.PR_SET_VMA:
      return nameArea(t, a, b, c, d);
    default:
      return -EINVAL;
  }
}
