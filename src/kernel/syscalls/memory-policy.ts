// NUMA memory policies (mm/mempolicy.c, mm/migrate.c) of a machine with one node, node 0: arguments are checked and the policy of a
// thread is remembered; where pages lie never changes.
import { EFAULT, EINVAL, ENODEV, ENOENT, EPERM, ESRCH } from "../../abi/errno.ts";
import { PAGE_SIZE } from "../../arch/sv39.ts";
import { mayAccess } from "../access.ts";
import { fetchU32, storeU32, storeU64 } from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { defineSyscalls } from "./registry.ts";

const MPOL_DEFAULT = 0;
const MPOL_PREFERRED = 1;
const MPOL_LOCAL = 4;
const MPOL_MAX = 7;
const MPOL_MODE_FLAGS = 0xe000;
const MPOL_F_NODE = 1;
const MPOL_F_ADDR = 2;
const MPOL_F_MEMS_ALLOWED = 4;
const MPOL_MF_VALID = 7;
const MPOL_MF_MOVE_ALL = 4;
/** Bits of a node mask that the kernel looks at (MAX_NUMNODES of Debian's riscv64 kernel). */
const MAX_NODES = 16;

/** get_nodes(): node 0 is named, and others; -errno. */
function fetchNodes(t: Task, mask: number, maxNode: number): { node0: boolean; others: boolean } | number {
  const bits = maxNode - 1;
  if (bits <= 0 || mask === 0) return { node0: false, others: false };
  if (bits > PAGE_SIZE * 8) return -EINVAL;
  let node0 = false;
  let others = false;
  for (let at = 0; at < bits; at += 64) {
    const low = t.space.readU32(mask + at / 8);
    const high = t.space.readU32(mask + at / 8 + 4);
    if (low < 0 || high < 0) return -EFAULT;
    const inLow = bits - at >= 32 ? low : low & (2 ** (bits - at) - 1);
    if (at === 0 && inLow & 1) node0 = true;
    if ((at === 0 ? inLow & ~1 : inLow) !== 0 || (high !== 0 && bits - at > 32)) others = true;
  }
  return { node0, others };
}

/** sanitize_mpol_flags() and mpol_new(): the mode, or -errno. */
function checkPolicy(t: Task, word: number, mask: number, maxNode: number): number {
  const mode = word & ~MPOL_MODE_FLAGS;
  if (mode >= MPOL_MAX || mode < 0) return -EINVAL;
  const nodes = fetchNodes(t, mask, maxNode);
  if (typeof nodes === "number") return nodes;
  const empty = !nodes.node0 && !nodes.others;
  if (mode === MPOL_DEFAULT || mode === MPOL_LOCAL) return empty ? mode : -EINVAL;
  if (mode === MPOL_PREFERRED && empty) return MPOL_LOCAL;
  // Nodes that do not exist drop out; nothing may be left then.
  return nodes.node0 ? mode : -EINVAL;
}

function getPolicy(t: Task, modeAt: number, maskAt: number, maxNode: number, address: number, flags: number): number {
  if (flags & ~(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED)) return -EINVAL;
  if (maskAt !== 0 && maxNode < MAX_NODES) return -EINVAL;
  let mode = t.memoryPolicy;
  let mask = mode === MPOL_DEFAULT || mode === MPOL_LOCAL ? 0 : 1;
  if (flags & MPOL_F_MEMS_ALLOWED) {
    if (flags & (MPOL_F_NODE | MPOL_F_ADDR)) return -EINVAL;
    mode = 0;
    mask = 1;
  } else if (flags & MPOL_F_ADDR) {
    if (t.space.areas.find(address) === null) return -EFAULT;
    if (flags & MPOL_F_NODE && t.space.readU8(address) < 0) return -EFAULT;
    if (flags & MPOL_F_NODE) mode = 0;
  } else if (address !== 0) return -EINVAL;
  else if (flags & MPOL_F_NODE) return -EINVAL;
  if (modeAt !== 0) storeU32(t, modeAt, mode);
  if (maskAt !== 0) storeU64(t, maskAt, mask);
  return 0;
}

function mbind(t: Task, address: number, length: number, policy: Policy, flags: number): number {
  if (flags & ~MPOL_MF_VALID) return -EINVAL;
  if (address % PAGE_SIZE !== 0) return -EINVAL;
  const mode = checkPolicy(t, policy.mode, policy.mask, policy.maxNode);
  if (mode < 0) return mode;
  const end = address + Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
  for (let at = address; at < end; ) {
    const area = t.space.areas.find(at);
    if (area === null) return -EFAULT;
    at = area.end;
  }
  return 0;
}

interface Policy {
  mode: number;
  mask: number;
  maxNode: number;
}

function targetOf(k: Kernel, t: Task, pid: number): Task | number {
  const target = pid === 0 ? t : k.tasks.get(pid);
  if (target === undefined || !target.isAlive) return -ESRCH;
  return target === t || mayAccess(t, target) ? target : -EPERM;
}

function movePages(k: Kernel, t: Task, pid: number, lists: Lists, flags: number): number {
  if (flags & ~(MPOL_MF_VALID & ~1)) return -EINVAL;
  if (flags & MPOL_MF_MOVE_ALL && t.credentials.euid !== 0) return -EPERM;
  const target = targetOf(k, t, pid);
  if (typeof target === "number") return target;
  for (let i = 0; i < lists.count; i++) {
    const page = t.space.readU64(lists.pages + i * 8);
    if (Number.isNaN(page)) return -EFAULT;
    if (lists.nodes !== 0 && fetchU32(t, lists.nodes + i * 4) !== 0) return -ENODEV;
    storeU32(t, lists.status + i * 4, nodeOfPage(target, page));
  }
  return 0;
}

interface Lists {
  count: number;
  pages: number;
  nodes: number;
  status: number;
}

/** 0, -EFAULT (no area, or the zero page) or -ENOENT (not resident). */
function nodeOfPage(target: Task, address: number): number {
  if (target.space.areas.find(address) === null) return -EFAULT;
  const entry = new Uint32Array(2);
  target.space.pagemapEntry(Math.floor(address / PAGE_SIZE), entry);
  if ((entry[1] & (1 << 31)) === 0) return -ENOENT;
  return entry[0] === target.kernel.mm.zeroPfn ? -EFAULT : 0;
}

export const MEMORY_POLICY_SYSCALLS = defineSyscalls({
  mbind: {
    args: "addr:ptr length mode nodemask:ptr maxnode flags:flags",
    partly: "one node: checked, not remembered",
    run: (_k, t, address, length, mode, mask, maxNode, flags) =>
      mbind(t, address, length, { mode: mode | 0, mask, maxNode }, flags | 0),
  },
  set_mempolicy: {
    args: "mode nodemask:ptr maxnode",
    run: (_k, t, word, mask, maxNode) => {
      const mode = checkPolicy(t, word | 0, mask, maxNode);
      if (mode < 0) return mode;
      t.memoryPolicy = mode;
      return 0;
    },
  },
  get_mempolicy: {
    args: "mode:ptr nodemask:ptr maxnode addr:ptr flags:flags",
    partly: "one node: areas have the default policy",
    run: (_k, t, mode, mask, maxNode, address, flags) => getPolicy(t, mode, mask, maxNode, address, flags | 0),
  },
  move_pages: {
    args: "pid count pages:ptr nodes:ptr status:ptr flags:flags",
    run: (k, t, pid, count, pages, nodes, status, flags) =>
      movePages(k, t, pid | 0, { count, pages, nodes, status }, flags | 0),
  },
  migrate_pages: {
    args: "pid maxnode old:ptr new:ptr",
    run: (k, t, pid, maxNode, old, wanted) => {
      const from = fetchNodes(t, old, maxNode);
      if (typeof from === "number") return from;
      const to = fetchNodes(t, wanted, maxNode);
      if (typeof to === "number") return to;
      const target = targetOf(k, t, pid | 0);
      if (typeof target === "number") return target;
      return to.node0 ? 0 : -EINVAL;
    },
  },
  set_mempolicy_home_node: {
    args: "addr:ptr length node flags:flags",
    run: (_k, _t, address, length, node, flags) => {
      if (flags !== 0 || address % PAGE_SIZE !== 0 || node !== 0) return -EINVAL;
      // No area ever has a policy that a home node could go with.
      return length === 0 ? 0 : -ENOENT;
    },
  },
});
