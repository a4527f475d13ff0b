// Text of /proc/PID/maps, smaps and smaps_rollup (Linux fs/proc/task_mmu.c). Reads areas and their statistics, changes nothing.
import { PAGE_SIZE } from "../../../arch/sv39.ts";
import type { AreaStatistics } from "../../../mm/accounting.ts";
import type { AddressSpace } from "../../../mm/address-space.ts";
import type { Vma } from "../../../mm/vma.ts";
import { VM_EXEC, VM_MAYSHARE, VM_READ, VM_WRITE, vmFlagNames } from "../../../mm/vma.ts";

const NAME_COLUMN = 73;

function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, "0");
}

/** The name column: file path, [heap], [stack], [vdso], [anon:NAME] or nothing. */
export function areaName(space: AddressSpace, area: Vma): string {
  if (area.file) return area.file.name();
  if (area.label) return area.label;
  if (area.object) return "/dev/zero (deleted)"; // shared anonymous memory is an unlinked shmem file, as in Linux
  const { brkStart, brk, stackTop } = space.layout;
  if (area.start < brk && area.end > brkStart) return "[heap]";
  if (area.start < stackTop && area.end >= stackTop) return "[stack]";
  return area.anonName === null ? "" : `[anon:${area.anonName}]`;
}

/** "rw-p": what may be done, and whether stores are private. */
export function permissionsOf({ flags }: Vma): string {
  return (
    (flags & VM_READ ? "r" : "-") +
    (flags & VM_WRITE ? "w" : "-") +
    (flags & VM_EXEC ? "x" : "-") +
    (flags & VM_MAYSHARE ? "s" : "p")
  );
}

/** One line of /proc/PID/maps, with its newline. */
export function mapsLine(space: AddressSpace, area: Vma): string {
  const dev = area.file?.dev ?? (area.object ? 1 : 0);
  const offset = area.object ? area.pageOffset * PAGE_SIZE : 0;
  const head =
    `${hex(area.start, 8)}-${hex(area.end, 8)} ${permissionsOf(area)} ${hex(offset, 8)} ` +
    `${hex(Math.floor(dev / 256) & 0xfff, 2)}:${hex(dev & 0xff, 2)} ${area.file?.ino ?? 0}`;
  const name = areaName(space, area);
  if (name === "") return `${head} \n`;
  return `${head.padEnd(NAME_COLUMN - 1)} ${name.replace(/\n/g, "\\012")}\n`;
}

export function renderMaps(space: AddressSpace): string {
  let text = "";
  for (const area of space.areas) text += mapsLine(space, area);
  return text;
}

function row(label: string, kibibytes: number): string {
  return `${`${label}:`.padEnd(16)}${String(kibibytes).padStart(8)} kB\n`;
}

/** The counters that smaps and smaps_rollup share; sizes in pages, PSS possibly fractional. */
function statisticsRows(s: AreaStatistics): string {
  const kb = (pages: number) => Math.floor((pages * PAGE_SIZE) / 1024);
  return (
    row("Rss", kb(s.rss)) +
    row("Pss", kb(s.pss)) +
    row("Pss_Dirty", kb(s.pssDirty)) +
    row("Shared_Clean", kb(s.sharedClean)) +
    row("Shared_Dirty", kb(s.sharedDirty)) +
    row("Private_Clean", kb(s.privateClean)) +
    row("Private_Dirty", kb(s.privateDirty)) +
    row("Referenced", kb(s.referenced)) +
    row("Anonymous", kb(s.anonymous)) +
    row("KSM", 0) +
    row("LazyFree", kb(s.lazyFree)) +
    row("AnonHugePages", 0) +
    row("ShmemPmdMapped", 0) +
    row("FilePmdMapped", 0) +
    row("Shared_Hugetlb", 0) +
    row("Private_Hugetlb", 0) +
    row("Swap", kb(s.swap)) +
    row("SwapPss", kb(s.swapPss)) +
    row("Locked", kb(s.locked))
  );
}

export function renderSmaps(space: AddressSpace): string {
  let text = "";
  for (const area of space.areas) {
    text += mapsLine(space, area);
    text += row("Size", (area.end - area.start) / 1024) + row("KernelPageSize", 4) + row("MMUPageSize", 4);
    text += statisticsRows(space.statistics(area));
    text += `THPeligible:           0\nVmFlags: ${vmFlagNames(area.flags).join(" ")} \n`;
  }
  return text;
}

export function renderSmapsRollup(space: AddressSpace): string {
  const total: Record<string, number> = {};
  let first = 0;
  let end = 0;
  for (const area of space.areas) {
    if (end === 0) first = area.start;
    end = area.end;
    const s = space.statistics(area) as unknown as Record<string, number>;
    for (const key in s) total[key] = (total[key] ?? 0) + s[key];
  }
  if (end === 0) return "";
  const head = `${hex(first, 8)}-${hex(end, 8)} ---p 00000000 00:00 0`;
  const rows = statisticsRows(total as unknown as AreaStatistics).replace(
    /Pss_Dirty.*\n/,
    (line) =>
      `${line}${row("Pss_Anon", Math.floor((total.pssAnon ?? 0) * 4))}${row("Pss_File", Math.floor((total.pssFile ?? 0) * 4))}${row("Pss_Shmem", Math.floor((total.pssShmem ?? 0) * 4))}`,
  );
  return `${head.padEnd(NAME_COLUMN - 1)} [rollup]\n${rows}`;
}

/** /proc/PID/numa_maps: one node has every page (show_numa_map). */
export function renderNumaMaps(space: AddressSpace): string {
  let text = "";
  for (const area of space.areas) {
    const name = areaName(space, area);
    let line = `${hex(area.start, 8)} default`;
    if (area.file !== null)
      line += ` file=${name.replace(/[\n\t= ]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`)}`;
    else if (name === "[heap]") line += " heap";
    else if (name === "[stack]") line += " stack";
    const { rss, anonymous, sharedDirty, privateDirty } = space.statistics(area);
    const dirty = sharedDirty + privateDirty;
    if (rss > 0) {
      if (anonymous > 0) line += ` anon=${anonymous}`;
      if (dirty > 0) line += ` dirty=${dirty}`;
      if (rss !== anonymous && rss !== dirty) line += ` mapped=${rss}`;
      line += ` N0=${rss} kernelpagesize_kB=4`;
    }
    text += `${line}\n`;
  }
  return text;
}
