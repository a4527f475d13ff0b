// The memory report: what processes, areas and the machine hold, as data and as text. Reads counters, changes nothing.
import { PAGE_SIZE } from "../arch/sv39.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Task } from "../kernel/task.ts";
import { areaName } from "../kernel/vfs/procfs/maps.ts";
import type { AddressSpace } from "../mm/address-space.ts";
import { VM_EXEC, VM_MAYSHARE, VM_READ, VM_WRITE } from "../mm/vma.ts";
import { formatSize } from "./sizes.ts";

/** All sizes in bytes; PSS is rounded down. */
export interface MemoryFigures {
  vsz: number;
  rss: number;
  pss: number;
  uss: number;
  swap: number;
}

export interface AreaReport extends MemoryFigures {
  start: number;
  end: number;
  permissions: string;
  name: string;
}

export interface ProcessReport extends MemoryFigures {
  pid: number;
  parent: number;
  name: string;
  exitStatus: number;
  faults: { minor: number; major: number; copies: number };
  peakRss: number;
  areas: AreaReport[];
}

export interface MachineReport {
  memory: number;
  swap: number;
  swapUsed: number;
  frames: Record<string, number>;
  counters: Record<string, number>;
  /** Bytes that processes map minus bytes of distinct frames they map: what sharing saves. */
  sharingSaved: number;
  instructions: number;
  processes: ProcessReport[];
}

/** The figures of one process now; its areas are walked, so call it when someone looks, not per fault. */
export function reportProcess(task: Task): ProcessReport {
  const { space, process } = task;
  const areas: AreaReport[] = [];
  const total: MemoryFigures = { vsz: 0, rss: 0, pss: 0, uss: 0, swap: 0 };
  for (const area of space.areas) {
    const s = space.statistics(area);
    const figures = {
      vsz: area.end - area.start,
      rss: s.rss * PAGE_SIZE,
      pss: Math.floor(s.pss * PAGE_SIZE),
      uss: (s.privateClean + s.privateDirty) * PAGE_SIZE,
      swap: s.swap * PAGE_SIZE,
    };
    for (const key of Object.keys(total) as (keyof MemoryFigures)[]) total[key] += figures[key];
    const f = area.flags;
    const permissions =
      (f & VM_READ ? "r" : "-") +
      (f & VM_WRITE ? "w" : "-") +
      (f & VM_EXEC ? "x" : "-") +
      (f & VM_MAYSHARE ? "s" : "p");
    areas.push({ start: area.start, end: area.end, permissions, name: areaName(space, area), ...figures });
  }
  return {
    pid: process.pid,
    parent: process.parent?.pid ?? 0,
    name: task.name,
    exitStatus: process.exitStatus,
    faults: { ...space.faults },
    peakRss: Math.max(space.peakResidentPages, residentPages(space)) * PAGE_SIZE,
    ...total,
    areas,
  };
}

function residentPages(space: AddressSpace): number {
  const { anonymous, file, shmem } = space.counters;
  return anonymous + file + shmem;
}

export function reportMachine(k: Kernel, processes: readonly ProcessReport[]): MachineReport {
  const counters: Record<string, number> = {};
  for (const [name, value] of Object.entries(k.mm.counters)) if (typeof value === "number") counters[name] = value;
  const saved = processes.reduce((sum, p) => sum + p.rss - p.pss, 0);
  return {
    memory: k.mm.totalFrames * PAGE_SIZE,
    swap: k.mm.swap.slotCount * PAGE_SIZE,
    swapUsed: k.mm.swap.usedCount * PAGE_SIZE,
    frames: { ...k.mm.countByKind() },
    counters,
    sharingSaved: saved,
    instructions: k.hart.instructions,
    processes: [...processes],
  };
}

const column = (value: string | number, width: number) => String(value).padStart(width);
const kb = (bytes: number) => column(Math.ceil(bytes / 1024), 9);

/** The report for people; sizes in KiB unless a unit stands there. */
export function formatReport(report: MachineReport): string {
  const lines: string[] = ["", "memory report (KiB)", ""];
  lines.push("    pid      VSZ      RSS      PSS      USS     swap    minor    major   copied  name");
  for (const p of report.processes) {
    lines.push(
      `${column(p.pid, 7)}${kb(p.vsz)}${kb(p.rss)}${kb(p.pss)}${kb(p.uss)}${kb(p.swap)}` +
        `${column(p.faults.minor, 9)}${column(p.faults.major, 9)}${column(p.faults.copies, 9)}  ${p.name}`,
    );
  }
  for (const p of report.processes) {
    lines.push("", `areas of ${p.pid} (${p.name})`);
    lines.push("  start        perm      VSZ      RSS      PSS      USS     swap  name");
    for (const a of p.areas) {
      lines.push(
        `  ${a.start.toString(16).padStart(10, "0")}   ${a.permissions}${kb(a.vsz)}${kb(a.rss)}${kb(a.pss)}${kb(a.uss)}${kb(a.swap)}  ${a.name}`,
      );
    }
  }
  lines.push("", "machine");
  lines.push(
    `  memory ${formatSize(report.memory)}, swap ${formatSize(report.swapUsed)} used of ${formatSize(report.swap)}`,
  );
  lines.push(
    `  frames: ${Object.entries(report.frames)
      .map(([kind, n]) => `${kind} ${n}`)
      .join(", ")}`,
  );
  lines.push(
    `  counters: ${Object.entries(report.counters)
      .filter(([, n]) => n > 0)
      .map(([name, n]) => `${name} ${n}`)
      .join(", ")}`,
  );
  lines.push(`  sharing saved ${formatSize(report.sharingSaved)}; ${report.instructions} instructions`);
  return `${lines.join("\n")}\n`;
}
