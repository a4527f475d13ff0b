// System calls about ids, groups and capabilities (kernel/sys.c, kernel/groups.c, kernel/capability.c).
import { EFAULT, EINVAL, EPERM, ESRCH } from "../../abi/errno.ts";
import {
  ALL_CAPS,
  andCaps,
  CAP_SETGID,
  CAP_SETPCAP,
  CAP_SETUID,
  type CapSet,
  type Credentials,
  capable,
  isSubset,
  NO_CAPS,
  orCaps,
} from "../credentials.ts";
import { fetchBytes, storeBytes, viewOf } from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import { applyMemoryLimits } from "../memory-limits.ts";
import type { Task } from "../task.ts";
import { defineSyscalls } from "./registry.ts";

const NGROUPS_MAX = 65536;
const SECBIT_NO_SETUID_FIXUP = 4;
const SECBIT_KEEP_CAPS = 0x10;
const CAP_V1 = 0x19980330;
const CAP_V2 = 0x20071026;
const CAP_V3 = 0x20080522;
/** Capabilities that belong to fsuid 0 (CAP_FS_MASK): chown, dac_*, fowner, fsetid, linux_immutable, mknod, mac_override. */
const FILE_CAPS: CapSet = { low: 0x0800021f, high: 0x1 };

/** commit_creds(): the new credentials take effect, also for the limits of memory. */
export function commit(t: Task, next: Credentials): number {
  const old = t.credentials;
  t.credentials = next;
  if (
    old.euid !== next.euid ||
    old.egid !== next.egid ||
    old.fsuid !== next.fsuid ||
    !isSubset(next.permitted, old.permitted)
  ) {
    t.process.dumpable = 0;
    t.parentDeathSignal = 0;
  }
  applyMemoryLimits(t.process, next, t.space);
  return 0;
}

/** cap_emulate_setxuid(): leaving or entering user 0 drops or raises capabilities. */
function withUserFixup(old: Credentials, next: Credentials): Credentials {
  if ((old.secureBits & SECBIT_NO_SETUID_FIXUP) !== 0) return next;
  let { permitted, effective, ambient } = next;
  const wasRoot = old.uid === 0 || old.euid === 0 || old.suid === 0;
  const isRoot = next.uid === 0 || next.euid === 0 || next.suid === 0;
  if (wasRoot && !isRoot) {
    if ((old.secureBits & SECBIT_KEEP_CAPS) === 0) {
      permitted = NO_CAPS;
      effective = NO_CAPS;
    }
    ambient = NO_CAPS;
  }
  if (old.euid === 0 && next.euid !== 0) effective = NO_CAPS;
  if (old.euid !== 0 && next.euid === 0) effective = permitted;
  return { ...next, permitted, effective, ambient };
}

function setUid(t: Task, uid: number): number {
  const old = t.credentials;
  if (uid === -1) return -EINVAL;
  if (capable(t, CAP_SETUID)) {
    return commit(t, withUserFixup(old, { ...old, uid, euid: uid, suid: uid, fsuid: uid }));
  }
  if (uid !== old.uid && uid !== old.suid) return -EPERM;
  return commit(t, withUserFixup(old, { ...old, euid: uid, fsuid: uid }));
}

function setReuid(t: Task, ruid: number, euid: number): number {
  const old = t.credentials;
  const privileged = capable(t, CAP_SETUID);
  if (ruid !== -1 && !privileged && ruid !== old.uid && ruid !== old.euid) return -EPERM;
  if (euid !== -1 && !privileged && euid !== old.uid && euid !== old.euid && euid !== old.suid) return -EPERM;
  const uid = ruid === -1 ? old.uid : ruid;
  const effective = euid === -1 ? old.euid : euid;
  const suid = ruid !== -1 || (euid !== -1 && euid !== old.uid) ? effective : old.suid;
  return commit(t, withUserFixup(old, { ...old, uid, euid: effective, suid, fsuid: effective }));
}

function setResuid(t: Task, ruid: number, euid: number, suid: number): number {
  const old = t.credentials;
  const known = [old.uid, old.euid, old.suid];
  if (!capable(t, CAP_SETUID)) for (const id of [ruid, euid, suid]) if (id !== -1 && !known.includes(id)) return -EPERM;
  const next = {
    ...old,
    uid: ruid === -1 ? old.uid : ruid,
    euid: euid === -1 ? old.euid : euid,
    suid: suid === -1 ? old.suid : suid,
  };
  return commit(t, withUserFixup(old, { ...next, fsuid: next.euid }));
}

function setGid(t: Task, gid: number): number {
  const old = t.credentials;
  if (gid === -1) return -EINVAL;
  if (capable(t, CAP_SETGID)) return commit(t, { ...old, gid, egid: gid, sgid: gid, fsgid: gid });
  if (gid !== old.gid && gid !== old.sgid) return -EPERM;
  return commit(t, { ...old, egid: gid, fsgid: gid });
}

function setRegid(t: Task, rgid: number, egid: number): number {
  const old = t.credentials;
  const privileged = capable(t, CAP_SETGID);
  if (rgid !== -1 && !privileged && rgid !== old.gid && rgid !== old.egid) return -EPERM;
  if (egid !== -1 && !privileged && egid !== old.gid && egid !== old.egid && egid !== old.sgid) return -EPERM;
  const effective = egid === -1 ? old.egid : egid;
  const sgid = rgid !== -1 || (egid !== -1 && egid !== old.gid) ? effective : old.sgid;
  return commit(t, { ...old, gid: rgid === -1 ? old.gid : rgid, egid: effective, sgid, fsgid: effective });
}

function setResgid(t: Task, rgid: number, egid: number, sgid: number): number {
  const old = t.credentials;
  const known = [old.gid, old.egid, old.sgid];
  if (!capable(t, CAP_SETGID)) for (const id of [rgid, egid, sgid]) if (id !== -1 && !known.includes(id)) return -EPERM;
  const effective = egid === -1 ? old.egid : egid;
  return commit(t, {
    ...old,
    gid: rgid === -1 ? old.gid : rgid,
    egid: effective,
    sgid: sgid === -1 ? old.sgid : sgid,
    fsgid: effective,
  });
}

/** setfsuid: returns the old value, whatever happens. */
function setFsuid(t: Task, fsuid: number): number {
  const old = t.credentials;
  const allowed = [old.uid, old.euid, old.suid, old.fsuid].includes(fsuid) || capable(t, CAP_SETUID);
  if (fsuid === -1 || fsuid === old.fsuid || !allowed) return old.fsuid;
  let { effective } = old;
  if ((old.secureBits & SECBIT_NO_SETUID_FIXUP) === 0) {
    if (old.fsuid === 0 && fsuid !== 0)
      effective = { low: effective.low & ~FILE_CAPS.low, high: effective.high & ~FILE_CAPS.high };
    if (old.fsuid !== 0 && fsuid === 0) effective = orCaps(effective, andCaps(FILE_CAPS, old.permitted));
  }
  commit(t, { ...old, fsuid, effective });
  return old.fsuid;
}

function setFsgid(t: Task, fsgid: number): number {
  const old = t.credentials;
  const allowed = [old.gid, old.egid, old.sgid, old.fsgid].includes(fsgid) || capable(t, CAP_SETGID);
  if (fsgid !== -1 && fsgid !== old.fsgid && allowed) commit(t, { ...old, fsgid });
  return old.fsgid;
}

function storeThree(t: Task, addresses: readonly number[], values: readonly number[]): number {
  for (let i = 0; i < 3; i++) if (!t.space.writeU32(addresses[i], values[i] >>> 0)) return -EFAULT;
  return 0;
}

function getGroups(t: Task, size: number, address: number): number {
  const { groups } = t.credentials;
  if (size < 0) return -EINVAL;
  if (size === 0) return groups.length;
  if (size < groups.length) return -EINVAL;
  storeBytes(t, address, new Uint8Array(Uint32Array.from(groups).buffer));
  return groups.length;
}

function setGroups(t: Task, size: number, address: number): number {
  if (!capable(t, CAP_SETGID)) return -EPERM;
  if (size < 0 || size > NGROUPS_MAX) return -EINVAL;
  const view = viewOf(fetchBytes(t, address, size * 4));
  const groups: number[] = [];
  for (let i = 0; i < size; i++) groups.push(view.getUint32(i * 4, true));
  groups.sort((a, b) => a - b);
  return commit(t, { ...t.credentials, groups });
}

/** cap_validate_magic(): how many 32-bit words, or -EINVAL with the preferred version stored. */
function capabilityWords(t: Task, header: number): number {
  const version = viewOf(fetchBytes(t, header, 4)).getUint32(0, true);
  if (version === CAP_V1) return 1;
  if (version === CAP_V2 || version === CAP_V3) return 2;
  return t.space.writeU32(header, CAP_V3) ? -EINVAL : -EFAULT;
}

function capget(k: Kernel, t: Task, header: number, data: number): number {
  const words = capabilityWords(t, header);
  if (words < 0) return data === 0 && words === -EINVAL ? 0 : words;
  const pid = viewOf(fetchBytes(t, header + 4, 4)).getInt32(0, true);
  if (pid < 0) return -EINVAL;
  const target = pid === 0 ? t : k.tasks.get(pid);
  if (target === undefined) return -ESRCH;
  if (data === 0) return 0;
  const { effective, permitted, inheritable } = target.credentials;
  const bytes = new Uint8Array(words * 12);
  const view = viewOf(bytes);
  [effective, permitted, inheritable].forEach((set, i) => {
    view.setInt32(i * 4, set.low, true);
    if (words === 2) view.setInt32(12 + i * 4, set.high, true);
  });
  storeBytes(t, data, bytes);
  return 0;
}

function capset(t: Task, header: number, data: number): number {
  const words = capabilityWords(t, header);
  if (words < 0) return words;
  const pid = viewOf(fetchBytes(t, header + 4, 4)).getInt32(0, true);
  if (pid !== 0 && pid !== t.tid) return -EPERM;
  const view = viewOf(fetchBytes(t, data, words * 12));
  const read = (i: number): CapSet =>
    andCaps({ low: view.getInt32(i * 4, true), high: words === 2 ? view.getInt32(12 + i * 4, true) : 0 }, ALL_CAPS);
  const old = t.credentials;
  const [effective, permitted, inheritable] = [read(0), read(1), read(2)];
  if (!capable(t, CAP_SETPCAP) && !isSubset(inheritable, orCaps(old.inheritable, old.permitted))) return -EPERM;
  if (!isSubset(inheritable, orCaps(old.inheritable, old.bounding))) return -EPERM;
  if (!isSubset(permitted, old.permitted) || !isSubset(effective, permitted)) return -EPERM;
  const ambient = andCaps(old.ambient, andCaps(permitted, inheritable));
  return commit(t, { ...old, effective, permitted, inheritable, ambient });
}

export const CREDENTIAL_SYSCALLS = defineSyscalls({
  getuid: { args: "", run: (_k, t) => t.credentials.uid },
  geteuid: { args: "", run: (_k, t) => t.credentials.euid },
  getgid: { args: "", run: (_k, t) => t.credentials.gid },
  getegid: { args: "", run: (_k, t) => t.credentials.egid },
  getresuid: {
    args: "ruid:ptr euid:ptr suid:ptr",
    run: (_k, t, r, e, s) => storeThree(t, [r, e, s], [t.credentials.uid, t.credentials.euid, t.credentials.suid]),
  },
  getresgid: {
    args: "rgid:ptr egid:ptr sgid:ptr",
    run: (_k, t, r, e, s) => storeThree(t, [r, e, s], [t.credentials.gid, t.credentials.egid, t.credentials.sgid]),
  },
  setuid: { args: "uid", run: (_k, t, uid) => setUid(t, id(uid)) },
  setgid: { args: "gid", run: (_k, t, gid) => setGid(t, id(gid)) },
  setreuid: { args: "ruid euid", run: (_k, t, r, e) => setReuid(t, id(r), id(e)) },
  setregid: { args: "rgid egid", run: (_k, t, r, e) => setRegid(t, id(r), id(e)) },
  setresuid: { args: "ruid euid suid", run: (_k, t, r, e, s) => setResuid(t, id(r), id(e), id(s)) },
  setresgid: { args: "rgid egid sgid", run: (_k, t, r, e, s) => setResgid(t, id(r), id(e), id(s)) },
  setfsuid: { args: "uid", run: (_k, t, uid) => setFsuid(t, id(uid)) },
  setfsgid: { args: "gid", run: (_k, t, gid) => setFsgid(t, id(gid)) },
  getgroups: { args: "size list:ptr", run: (_k, t, size, list) => getGroups(t, size | 0, list) },
  setgroups: { args: "size list:ptr", run: (_k, t, size, list) => setGroups(t, size | 0, list) },
  capget: { args: "header:ptr data:ptr", run: (k, t, header, data) => capget(k, t, header, data) },
  capset: { args: "header:ptr data:ptr", run: (_k, t, header, data) => capset(t, header, data) },
});

/** uid_t is unsigned; (uid_t)-1 means "leave". */
function id(value: number): number {
  return value >>> 0 === 0xffffffff ? -1 : value >>> 0;
}
