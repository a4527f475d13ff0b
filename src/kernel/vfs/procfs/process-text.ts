// Text of the per-process files of /proc/PID (status, stat, statm, limits, ...). Pure: task in, text out.
import { PAGE_SIZE } from "../../../arch/sv39.ts";
import type { AddressSpace } from "../../../mm/address-space.ts";
import type { Process } from "../../process.ts";
import type { Task } from "../../task.ts";

const TICKS_PER_SECOND = 100;

const STATE_LETTERS = {
  runnable: ["R", "running"],
  running: ["R", "running"],
  blocked: ["S", "sleeping"],
  stopped: ["T", "stopped"],
  zombie: ["Z", "zombie"],
  dead: ["X", "dead"],
} as const;

/** Letter and word of the state; a thread that its tracer holds is no stopped one (TASK_TRACED). */
function stateOf(task: Task): readonly [string, string] {
  return task.state === "stopped" && task.tracing !== null ? ["t", "tracing stop"] : STATE_LETTERS[task.state];
}

/** Signal set as 16 hex digits, from its two halves. */
function signalSet(set: { low: number; high: number }): string {
  return (set.high >>> 0).toString(16).padStart(8, "0") + (set.low >>> 0).toString(16).padStart(8, "0");
}

function kb(pages: number): string {
  return `${String((pages * PAGE_SIZE) / 1024).padStart(8)} kB`;
}

export function residentPages(space: AddressSpace): number {
  const { anonymous, file, shmem } = space.counters;
  return anonymous + file + shmem;
}

function memoryRows(space: AddressSpace): string {
  const c = space.counters;
  const peak = Math.max(space.peakTotalPages, space.totalPages);
  const hwm = Math.max(space.peakResidentPages, residentPages(space));
  return (
    `VmPeak:\t${kb(peak)}\nVmSize:\t${kb(space.totalPages)}\nVmLck:\t${kb(space.lockedPages)}\nVmPin:\t${kb(0)}\n` +
    `VmHWM:\t${kb(hwm)}\nVmRSS:\t${kb(residentPages(space))}\nRssAnon:\t${kb(c.anonymous)}\nRssFile:\t${kb(c.file)}\n` +
    `RssShmem:\t${kb(c.shmem)}\nVmData:\t${kb(space.dataPages)}\nVmStk:\t${kb(space.stackPages)}\n` +
    `VmExe:\t${kb(textPages(space))}\nVmLib:\t${kb(Math.max(0, space.execPages - textPages(space)))}\n` +
    `VmPTE:\t${kb(space.pageTableBytes / PAGE_SIZE)}\nVmSwap:\t${kb(c.swapped)}\n` +
    `HugetlbPages:\t${kb(0)}\n`
  );
}

function textPages(space: AddressSpace): number {
  const { codeStart, codeEnd } = space.layout;
  return Math.ceil(codeEnd / PAGE_SIZE) - Math.floor(codeStart / PAGE_SIZE);
}

/** Room in the descriptor table (alloc_fdtable): 64 at first, then powers of two. */
function descriptorTableSize(used: number): number {
  let size = 64;
  while (size < used) size *= 2;
  return size;
}

/** /proc/PID/statm: size resident shared text lib data dt, in pages. */
export function renderStatm(space: AddressSpace | null): string {
  if (!space) return "0 0 0 0 0 0 0\n";
  const { file, shmem } = space.counters;
  const data = space.dataPages + space.stackPages;
  return `${space.totalPages} ${residentPages(space)} ${file + shmem} ${textPages(space)} 0 ${data} 0\n`;
}

/** /proc/PID/status (Linux fs/proc/array.c). `task` is the thread; memory rows are missing for a zombie, as in Linux. */
export function renderStatus(task: Task): string {
  const process = task.process;
  const [letter, word] = stateOf(task);
  const c = task.credentials;
  const space = task.state === "zombie" || task.state === "dead" ? null : task.space;
  return (
    `Name:\t${task.name.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}\nUmask:\t${(task.fs?.umask ?? 0).toString(8).padStart(4, "0")}\n` +
    `State:\t${letter} (${word})\nTgid:\t${process.pid}\nNgid:\t0\nPid:\t${task.tid}\nPPid:\t${process.parent?.pid ?? 0}\nTracerPid:\t0\n` +
    `Uid:\t${c.uid}\t${c.euid}\t${c.suid}\t${c.fsuid}\nGid:\t${c.gid}\t${c.egid}\t${c.sgid}\t${c.fsgid}\n` +
    `FDSize:\t${descriptorTableSize(task.files?.end ?? 0)}\nGroups:\t${c.groups.join(" ")} \n` +
    `NStgid:\t${process.pid}\nNSpid:\t${task.tid}\nNSpgid:\t${process.group.id}\nNSsid:\t${process.session.id}\n` +
    `Kthread:\t0\n${space ? memoryRows(space) : ""}` +
    `${space ? "CoreDumping:\t0\nTHP_enabled:\t1\nuntag_mask:\t0xffffffffffffffff\n" : ""}Threads:\t${process.threads.size}\nSigQ:\t0/7822\n` +
    `SigPnd:\t${signalSet(task.signals.pendingSet)}\nShdPnd:\t${signalSet(process.signals.pendingSet)}\n` +
    `SigBlk:\t${signalSet(task.signals.blocked)}\nSigIgn:\t${signalSet(process.signals.ignoredSet())}\nSigCgt:\t${signalSet(process.signals.caughtSet())}\n` +
    `CapInh:\t0000000000000000\nCapPrm:\t${c.euid === 0 ? "000001ffffffffff" : "0000000000000000"}\nCapEff:\t${c.euid === 0 ? "000001ffffffffff" : "0000000000000000"}\n` +
    `CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n` +
    `Speculation_Store_Bypass:\tunknown\nSpeculationIndirectBranch:\tunsupported\nCpus_allowed:\t1\nCpus_allowed_list:\t0\nMems_allowed:\t1\nMems_allowed_list:\t0\n` +
    `voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n`
  );
}

function ticks(ns: number): number {
  return Math.floor((ns * TICKS_PER_SECOND) / 1e9);
}

/** /proc/PID/stat: the 52 fields of proc_pid_stat(5). */
export function renderStat(task: Task): string {
  const p: Process = task.process;
  const alive = task.state !== "zombie" && task.state !== "dead";
  const space = alive ? task.space : null;
  const [letter] = stateOf(task);
  const terminal = p.session.terminal?.deviceNumber ?? 0;
  const foreground = p.session.terminal?.foreground?.id ?? -1;
  const faults = space?.faults ?? { minor: 0, major: 0 };
  const layout = space?.layout;
  const fields: (string | number)[] = [
    task.tid,
    `(${task.name})`,
    letter,
    p.parent?.pid ?? 0,
    p.group.id,
    p.session.id,
    terminal,
    foreground,
    0x400000,
    faults.minor,
    p.childFaults.minor,
    faults.major,
    p.childFaults.major,
    ticks(p.times.userNs),
    ticks(p.times.systemNs),
    ticks(p.times.childUserNs),
    ticks(p.times.childSystemNs),
    20,
    0,
    p.threads.size,
    0,
    ticks(p.startTimeNs),
    space ? space.totalPages * PAGE_SIZE : 0,
    space ? residentPages(space) : 0,
    "18446744073709551615",
    layout?.codeStart ?? 0,
    layout?.codeEnd ?? 0,
    layout?.stackTop ?? 0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    17,
    0,
    0,
    0,
    0,
    0,
    0,
    layout?.dataStart ?? 0,
    layout?.dataEnd ?? 0,
    layout?.brkStart ?? 0,
    layout?.argStart ?? 0,
    layout?.argEnd ?? 0,
    layout?.envStart ?? 0,
    layout?.envEnd ?? 0,
    p.exitStatus,
  ];
  return `${fields.join(" ")}\n`;
}
