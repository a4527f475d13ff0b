// Text of the machine-wide files of /proc (meminfo, vmstat, stat, cpuinfo, swaps, ...). Pure: kernel in, text out.
import { PAGE_SIZE } from "../../../arch/sv39.ts";
import type { Kernel } from "../../kernel.ts";

const KB_PER_PAGE = PAGE_SIZE / 1024;

function kbRow(label: string, pages: number): string {
  return `${`${label}:`.padEnd(16)}${String(Math.round(pages * KB_PER_PAGE)).padStart(8)} kB\n`;
}

/** Linux fs/proc/meminfo.c; every row that free(1), top(1) and language runtimes read. */
export function renderMeminfo(k: Kernel): string {
  const { mm } = k;
  const kinds = mm.countByKind();
  const swapTotal = mm.swap.slotCount;
  const cached = kinds.file + kinds.shmem;
  return (
    kbRow("MemTotal", mm.totalFrames) +
    kbRow("MemFree", mm.freeFrames) +
    kbRow("MemAvailable", mm.freeFrames + kinds.file) +
    kbRow("Buffers", 0) +
    kbRow("Cached", cached) +
    kbRow("SwapCached", 0) +
    kbRow("Active", Math.floor((kinds.anonymous + cached) / 2)) +
    kbRow("Inactive", Math.ceil((kinds.anonymous + cached) / 2)) +
    kbRow("Active(anon)", 0) +
    kbRow("Inactive(anon)", kinds.anonymous + kinds.shmem) +
    kbRow("Active(file)", 0) +
    kbRow("Inactive(file)", kinds.file) +
    kbRow("Unevictable", 0) +
    kbRow("Mlocked", 0) +
    kbRow("SwapTotal", swapTotal) +
    kbRow("SwapFree", swapTotal - mm.swap.usedCount) +
    kbRow("Zswap", 0) +
    kbRow("Zswapped", 0) +
    kbRow("Dirty", 0) +
    kbRow("Writeback", 0) +
    kbRow("AnonPages", kinds.anonymous) +
    kbRow("Mapped", kinds.file) +
    kbRow("Shmem", kinds.shmem) +
    kbRow("KReclaimable", 0) +
    kbRow("Slab", 0) +
    kbRow("SReclaimable", 0) +
    kbRow("SUnreclaim", 0) +
    kbRow("KernelStack", 0) +
    kbRow("PageTables", kinds.pageTable) +
    kbRow("SecPageTables", 0) +
    kbRow("NFS_Unstable", 0) +
    kbRow("Bounce", 0) +
    kbRow("WritebackTmp", 0) +
    kbRow("CommitLimit", mm.commitLimitPages) +
    kbRow("Committed_AS", mm.committedPages) +
    kbRow("VmallocTotal", 16777216) +
    kbRow("VmallocUsed", 0) +
    kbRow("VmallocChunk", 0) +
    kbRow("Percpu", 0) +
    kbRow("AnonHugePages", 0) +
    kbRow("ShmemHugePages", 0) +
    kbRow("ShmemPmdMapped", 0) +
    kbRow("FileHugePages", 0) +
    kbRow("FilePmdMapped", 0) +
    `HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\nHugePages_Surp:        0\nHugepagesize:       2048 kB\nHugetlb:               0 kB\n`
  );
}

export function renderVmstat(k: Kernel): string {
  const kinds = k.mm.countByKind();
  const rows: [string, number][] = [
    ["nr_free_pages", k.mm.freeFrames],
    ["nr_anon_pages", kinds.anonymous],
    ["nr_mapped", kinds.file],
    ["nr_file_pages", kinds.file + kinds.shmem],
    ["nr_shmem", kinds.shmem],
    ["nr_page_table_pages", kinds.pageTable],
    ...(Object.entries(k.mm.counters) as [string, number][]).filter((entry) => typeof entry[1] === "number"),
  ];
  return rows.map(([name, value]) => `${name} ${value}\n`).join("");
}

export function renderSwaps(k: Kernel): string {
  const head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
  const { slotCount, usedCount } = k.mm.swap;
  if (slotCount === 0) return head;
  return `${head}${"/swapfile".padEnd(40)}file\t\t${slotCount * KB_PER_PAGE}\t\t${usedCount * KB_PER_PAGE}\t\t-2\n`;
}

export function renderCpuinfo(): string {
  return (
    "processor\t: 0\nhart\t\t: 0\nisa\t\t: rv64imafdc_zicsr_zifencei\nmmu\t\t: sv39\nuarch\t\t: faultline\n" +
    "mvendorid\t: 0x0\nmarchid\t\t: 0x0\nmimpid\t\t: 0x0\nhart isa\t: rv64imafdc_zicsr_zifencei\n\n"
  );
}

/** Clock ticks are 1/100 s, as sysconf(_SC_CLK_TCK) says. */
export function renderStat(k: Kernel): string {
  const busy = Math.floor(k.clock.busyNs() / 1e7);
  const up = Math.floor(k.clock.monotonicNs() / 1e7);
  const cpu = `${busy} 0 0 ${Math.max(0, up - busy)} 0 0 0 0 0 0`;
  const { seconds } = k.clock.bootTime();
  return (
    `cpu  ${cpu}\ncpu0 ${cpu}\nintr 0\nctxt ${k.scheduler.switches}\nbtime ${seconds}\n` +
    `processes ${k.forkCount}\nprocs_running ${k.scheduler.runnableCount()}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n`
  );
}

export function renderUptime(k: Kernel): string {
  const up = k.clock.monotonicNs() / 1e9;
  return `${up.toFixed(2)} ${Math.max(0, up - k.clock.busyNs() / 1e9).toFixed(2)}\n`;
}

export function renderLoadavg(k: Kernel): string {
  const running = k.scheduler.runnableCount();
  return `${k.load.values.map((value) => value.toFixed(2)).join(" ")} ${running}/${k.tasks.size} ${k.lastPid}\n`;
}
