// System calls about the machine as a whole, its architecture, and what is refused: uname, sysinfo, getrandom, prctl, hwprobe, ...
import { EFAULT, EINVAL, EOPNOTSUPP, EPERM, ESRCH } from "../../abi/errno.ts";
import { PAGE_SIZE } from "../../arch/sv39.ts";
import { decodeUtf8, encodeUtf8 } from "../../util/utf8.ts";
import { mayAccess } from "../access.ts";
import { CAP_SYS_ADMIN, CAP_SYS_BOOT, capable } from "../credentials.ts";
import { HARDWARE_VALUES } from "../hardware-probe.ts";
import { fetchBytes, getUnsigned64, set64, storeBytes, storeU32, viewOf } from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import { prctl } from "../prctl.ts";
import { registerRseq } from "../rseq.ts";
import type { Task } from "../task.ts";
import { defineSyscalls } from "./registry.ts";

const FIELD_BYTES = 65;
export const KERNEL_RELEASE = "6.12.0-faultline";
export const KERNEL_VERSION = "#1 SMP PREEMPT_DYNAMIC Faultline";
const GRND_NONBLOCK = 1;
const GRND_RANDOM = 2;
const GRND_INSECURE = 4;
/** getrandom fills this much before it looks at signals. */
const RANDOM_CHUNK_BYTES = 1 << 16;
const MAX_RANDOM_BYTES = 2 ** 31 - 1;
const HOSTNAME_MAX = 64;
const SYSINFO_BYTES = 112;
/** SI_LOAD_SHIFT. */
const LOAD_UNIT = 65536;

function uname(k: Kernel, t: Task, address: number): number {
  const bytes = new Uint8Array(FIELD_BYTES * 6);
  const personality32 = (t.process.personality & 0xff) === 8;
  const release = (t.process.personality & 0x0020000) !== 0 ? "2.6.72-faultline" : KERNEL_RELEASE;
  const machine = personality32 ? "riscv32" : "riscv64";
  ["Linux", k.hostname, release, KERNEL_VERSION, machine, k.domainName].forEach((text, i) => {
    bytes.set(encodeUtf8(text).subarray(0, FIELD_BYTES - 1), i * FIELD_BYTES);
  });
  storeBytes(t, address, bytes);
  return 0;
}

function fetchHostName(t: Task, address: number, length: number): string | number {
  if (!capable(t, CAP_SYS_ADMIN)) return -EPERM;
  if (length < 0 || length > HOSTNAME_MAX) return -EINVAL;
  return decodeUtf8(fetchBytes(t, address, length)).replace(/\0.*$/s, "");
}

function sysinfo(k: Kernel, t: Task, address: number): number {
  const { mm } = k;
  const bytes = new Uint8Array(SYSINFO_BYTES);
  const view = viewOf(bytes);
  set64(view, 0, Math.floor(k.clock.monotonicNs() / 1e9));
  for (let i = 0; i < 3; i++) set64(view, 8 + 8 * i, Math.floor(k.load.values[i] * LOAD_UNIT));
  set64(view, 32, mm.totalFrames * PAGE_SIZE);
  set64(view, 40, mm.freeFrames * PAGE_SIZE);
  set64(view, 48, mm.countByKind().shmem * PAGE_SIZE);
  set64(view, 64, mm.swap.slotCount * PAGE_SIZE);
  set64(view, 72, (mm.swap.slotCount - mm.swap.usedCount) * PAGE_SIZE);
  view.setUint16(80, Math.min(0xffff, k.tasks.size), true);
  view.setUint32(104, 1, true);
  storeBytes(t, address, bytes);
  return 0;
}

function getrandom(k: Kernel, t: Task, address: number, length: number, flags: number): number {
  if ((flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) !== 0) return -EINVAL;
  if ((flags & (GRND_RANDOM | GRND_INSECURE)) === (GRND_RANDOM | GRND_INSECURE)) return -EINVAL;
  const wanted = length < 0 ? MAX_RANDOM_BYTES : Math.min(length, MAX_RANDOM_BYTES);
  let done = 0;
  while (done < wanted) {
    const chunk = new Uint8Array(Math.min(wanted - done, RANDOM_CHUNK_BYTES));
    k.random(chunk);
    const put = t.space.copyOut(address + done, chunk);
    done += put;
    if (put < chunk.length) return done > 0 ? done : -EFAULT;
  }
  return done;
}

/** riscv_hwprobe: pairs of key and value; unknown keys get -1 and 0. */
function hardwareProbe(t: Task, pairs: number, count: number, cpuBytes: number, cpus: number, flags: number): number {
  if ((flags & ~1) !== 0 || count < 0 || count > 4096) return -EINVAL;
  if (cpuBytes !== 0 && cpus === 0) return -EFAULT;
  const bytes = fetchBytes(t, pairs, count * 16);
  const view = viewOf(bytes);
  for (let i = 0; i < count; i++) {
    const key = getUnsigned64(view, i * 16);
    const value = HARDWARE_VALUES[key];
    if (value === undefined) {
      view.setInt32(i * 16, -1, true);
      view.setInt32(i * 16 + 4, -1, true);
      set64(view, i * 16 + 8, 0);
    } else if ((flags & 1) === 0) set64(view, i * 16 + 8, value);
  }
  storeBytes(t, pairs, bytes);
  return 0;
}

/** syslog(2) on the kernel log of this machine. */
function syslog(k: Kernel, t: Task, type: number, address: number, length: number): number {
  const text = () => encodeUtf8(k.logLines.map((line) => `<6>${line}\n`).join(""));
  switch (type) {
    case 0:
    case 1:
    case 6:
    case 7:
      return 0;
    case 2:
    case 3:
    case 4: {
      if (address === 0 || length < 0) return -EINVAL;
      const all = text();
      const bytes = all.subarray(Math.max(0, all.length - length));
      storeBytes(t, address, bytes);
      if (type === 4) k.logLines.length = 0;
      return bytes.length;
    }
    case 5:
      k.logLines.length = 0;
      return 0;
    case 8:
      return length < 1 || length > 8 ? -EINVAL : 0;
    case 9:
      return text().length;
    case 10:
      return 1 << 17;
    default:
      return -EINVAL;
  }
}

/** personality(2): ADDR_NO_RANDOMIZE and UNAME26 have an effect. */
function personality(t: Task, value: number): number {
  const old = t.process.personality;
  if (value >>> 0 !== 0xffffffff) t.process.personality = value >>> 0;
  return old;
}

/** kcmp(2): are two tasks' parts the same? 0 equal, 1 and 2 an order, 3 none. */
function kcmp(k: Kernel, t: Task, pid1: number, pid2: number, type: number, index1: number, index2: number): number {
  const a = k.tasks.get(pid1);
  const b = k.tasks.get(pid2);
  if (a === undefined || b === undefined) return -ESRCH;
  if (!mayAccess(t, a) || !mayAccess(t, b)) return -EPERM;
  switch (type) {
    case 0:
      return a.files.get(index1) === b.files.get(index2) ? 0 : 1;
    case 1:
      return a.space === b.space ? 0 : 1;
    case 2:
      return a.files === b.files ? 0 : 1;
    case 3:
      return a.fs === b.fs ? 0 : 1;
    case 4:
      return a.process.signals.handlers === b.process.signals.handlers ? 0 : 1;
    case 5:
    case 6:
      return a.process === b.process ? 0 : 1;
    default:
      return -EINVAL;
  }
}

export const SYSTEM_SYSCALLS = defineSyscalls({
  uname: { args: "buf:ptr", run: (k, t, address) => uname(k, t, address) },
  sethostname: {
    args: "name:str len",
    run: (k, t, address, length) => {
      const name = fetchHostName(t, address, length | 0);
      if (typeof name === "number") return name;
      k.hostname = name;
      return 0;
    },
  },
  setdomainname: {
    args: "name:str len",
    run: (k, t, address, length) => {
      const name = fetchHostName(t, address, length | 0);
      if (typeof name === "number") return name;
      k.domainName = name;
      return 0;
    },
  },
  sysinfo: { args: "info:ptr", run: (k, t, address) => sysinfo(k, t, address) },
  getrandom: {
    args: "buf:ptr count flags:flags",
    run: (k, t, address, length, flags) => getrandom(k, t, address, length, flags >>> 0),
  },
  getcpu: {
    args: "cpu:ptr node:ptr cache:ptr",
    run: (_k, t, cpu, node) => {
      if (cpu !== 0) storeU32(t, cpu, 0);
      if (node !== 0) storeU32(t, node, 0);
      return 0;
    },
  },
  prctl: {
    args: "option arg2:hex arg3:hex arg4:hex arg5:hex",
    partly: "PR_SET_MM, seccomp and machine-specific options answer EINVAL",
    run: (_k, t, option, a, b, c, d) => prctl(t, option | 0, a, b, c, d),
  },
  personality: { args: "persona:hex", run: (_k, t, value) => personality(t, value) },
  rseq: {
    args: "rseq:ptr len flags:flags sig:hex",
    run: (_k, t, address, length, flags, signature) =>
      registerRseq(t, address, length >>> 0, flags | 0, signature >>> 0),
  },
  riscv_hwprobe: {
    args: "pairs:ptr count cpusetsize cpus:ptr flags:flags",
    run: (_k, t, pairs, count, cpuBytes, cpus, flags) => hardwareProbe(t, pairs, count, cpuBytes, cpus, flags >>> 0),
  },
  // The hart drops translated code when its frame is written (I14); instruction fetch is always coherent.
  riscv_flush_icache: {
    args: "start:ptr end:ptr flags:flags",
    run: (_k, _t, _start, _end, flags) => ((flags & ~1) !== 0 ? -EINVAL : 0),
  },
  syslog: {
    args: "type buf:ptr len",
    run: (k, t, type, address, length) => syslog(k, t, type | 0, address, length | 0),
  },
  kcmp: {
    args: "pid1 pid2 type idx1 idx2",
    run: (k, t, pid1, pid2, type, index1, index2) => kcmp(k, t, pid1 | 0, pid2 | 0, type | 0, index1, index2),
  },
  reboot: {
    args: "magic1:hex magic2:hex cmd:hex arg:ptr",
    partly: "a machine ends with its processes: EPERM",
    run: (_k, t, magic) => (!capable(t, CAP_SYS_BOOT) ? -EPERM : magic >>> 0 === 0xfee1dead ? -EPERM : -EINVAL),
  },
  seccomp: { args: "op flags:flags args:ptr", partly: "no filters: EINVAL", run: () => -EINVAL },
  acct: { args: "name:path", partly: "no accounting: EPERM", run: () => -EPERM },
  swapon: { args: "path:path flags:flags", partly: "swap is given to the machine: EPERM", run: () => -EPERM },
  swapoff: { args: "path:path", partly: "swap is given to the machine: EPERM", run: () => -EPERM },
  perf_event_open: {
    args: "attr:ptr pid cpu group:fd flags:flags",
    partly: "no counters: EOPNOTSUPP",
    run: () => -EOPNOTSUPP,
  },
  bpf: { args: "cmd attr:ptr size", partly: "EPERM", run: () => -EPERM },
  init_module: { args: "image:ptr len params:ptr", partly: "EPERM", run: () => -EPERM },
  finit_module: { args: "fd:fd params:ptr flags:flags", partly: "EPERM", run: () => -EPERM },
  delete_module: { args: "name:ptr flags:flags", partly: "EPERM", run: () => -EPERM },
  kexec_load: { args: "entry:ptr nr segments:ptr flags:flags", partly: "EPERM", run: () => -EPERM },
});
