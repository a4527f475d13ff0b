// Processes and threads as data: memory figures, states, registers. Reads, changes nothing.
import { PAGE_SIZE } from "../../arch/sv39.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Process } from "../../kernel/process.ts";
import type { Task } from "../../kernel/task.ts";
import type { AddressSpace } from "../../mm/address-space.ts";

/** Pid of a living process by the id of its address space (the lowest where several share it). */
export function pidsBySpace(k: Kernel): Map<number, number> {
  const pids = new Map<number, number>();
  for (const process of k.processes.values()) {
    const task = process.state === "alive" ? process.liveThread : null;
    if (task !== null && !(pids.get(task.space.id)! < process.pid)) pids.set(task.space.id, process.pid);
  }
  return pids;
}

export interface ThreadInfo {
  tid: number;
  name: string;
  state: Task["state"];
  pc: number;
  /** Name of the system call it is in (also while it waits), or null. */
  syscall: string | null;
}

/** Sizes in bytes. */
export interface ProcessInfo {
  pid: number;
  parent: number;
  name: string;
  state: "running" | "sleeping" | "stopped" | "zombie";
  spaceId: number;
  vsz: number;
  rss: number;
  pss: number;
  uss: number;
  swap: number;
  /** Resident bytes by what backs them. */
  anonymous: number;
  file: number;
  shmem: number;
  pageTables: number;
  locked: number;
  faults: { minor: number; major: number; copies: number };
  threads: ThreadInfo[];
}

export function describeThread(k: Kernel, task: Task): ThreadInfo {
  const inCall = task.isAlive && (task.inSyscall || task.retrying) && task.syscallNumber >= 0;
  return {
    tid: task.tid,
    name: task.name,
    state: task.state,
    pc: task.registers.pc,
    syscall: inCall && task.state !== "running" ? (k.syscalls.names[task.syscallNumber] ?? null) : null,
  };
}

const STATES = { runnable: "running", running: "running", blocked: "sleeping", stopped: "stopped" } as const;

export function describeProcess(k: Kernel, process: Process): ProcessInfo {
  const threads = [...process.threads].filter((task) => task.isAlive);
  const task = process.state === "alive" ? process.liveThread : null;
  const info: ProcessInfo = {
    pid: process.pid,
    parent: process.parent?.pid ?? 0,
    name: process.leader.name,
    state: task === null ? "zombie" : (STATES[task.state as keyof typeof STATES] ?? "zombie"),
    spaceId: task?.space.id ?? 0,
    ...(task === null ? NOTHING : memoryFigures(task.space)),
    faults: task === null ? { minor: 0, major: 0, copies: 0 } : { ...task.space.faults },
    threads: threads.map((thread) => describeThread(k, thread)),
  };
  return info;
}

const NOTHING = { vsz: 0, rss: 0, pss: 0, uss: 0, swap: 0, anonymous: 0, file: 0, shmem: 0, pageTables: 0, locked: 0 };

function memoryFigures(space: AddressSpace): typeof NOTHING {
  const { anonymous, file, shmem } = space.counters;
  const figures = { ...NOTHING };
  for (const area of space.areas) {
    const s = space.statistics(area);
    figures.pss += s.pss;
    figures.uss += (s.privateClean + s.privateDirty) * PAGE_SIZE;
    figures.swap += s.swap * PAGE_SIZE;
  }
  figures.pss = Math.floor(figures.pss * PAGE_SIZE);
  figures.vsz = space.totalPages * PAGE_SIZE;
  figures.rss = space.residentPages * PAGE_SIZE;
  figures.anonymous = anonymous * PAGE_SIZE;
  figures.file = file * PAGE_SIZE;
  figures.shmem = shmem * PAGE_SIZE;
  figures.pageTables = space.pageTableBytes;
  figures.locked = space.lockedPages * PAGE_SIZE;
  return figures;
}

/** Every process, zombies included, by pid. */
export function describeProcesses(k: Kernel): ProcessInfo[] {
  return [...k.processes.values()].map((process) => describeProcess(k, process)).sort((a, b) => a.pid - b.pid);
}

export const REGISTER_NAMES =
  "zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6".split(" ");

export interface Registers {
  tid: number;
  pc: number;
  /** x0..x31 as "0x" and 16 digits, under their names in the calling convention. */
  x: Record<string, string>;
  /** f0..f31 as raw 64 bits, and fcsr. */
  f: string[];
  fcsr: number;
}

function hex64(low: number, high: number): string {
  return `0x${(high >>> 0).toString(16).padStart(8, "0")}${(low >>> 0).toString(16).padStart(8, "0")}`;
}

export function registersOf(task: Task): Registers {
  const { registers } = task;
  const x: Record<string, string> = {};
  REGISTER_NAMES.forEach((name, i) => {
    x[name] = i === 0 ? hex64(0, 0) : hex64(registers.getXLow(i), registers.getXHigh(i));
  });
  const raw = registers.f;
  const f = Array.from({ length: 32 }, (_, i) => hex64(raw[2 * i], raw[2 * i + 1]));
  return { tid: task.tid, pc: registers.pc, x, f, fcsr: registers.fcsr };
}
