// The out-of-memory killer: who is worst by Linux's measure, and ending it at once (mm/oom_kill.c). Frames come free before it returns.
import { SIGKILL } from "../abi/signal.ts";
import { PAGE_SIZE } from "../arch/sv39.ts";
import type { AddressSpace } from "../mm/address-space.ts";
import { killProcess } from "./exit.ts";
import type { Kernel } from "./kernel.ts";
import type { Process } from "./process.ts";
import { queueSignal } from "./signals/send.ts";
import { kernelSignal } from "./signals/siginfo.ts";
import type { Task } from "./task.ts";

const OOM_SCORE_ADJUST_MIN = -1000;

/** oom_badness(): resident, swapped and page-table pages, plus oom_score_adj thousandths of all memory. Linux skips <= MIN. */
export function oomBadness(k: Kernel, process: Process): number {
  if (process.oomScoreAdjust === OOM_SCORE_ADJUST_MIN) return Number.NEGATIVE_INFINITY;
  const thread = process.liveThread;
  if (thread === null) return Number.NEGATIVE_INFINITY;
  const { anonymous, file, shmem, swapped } = thread.space.counters;
  const points = anonymous + file + shmem + swapped + thread.space.pageTableBytes / PAGE_SIZE;
  const total = k.mm.totalFrames + k.mm.swap.slotCount;
  return points + (process.oomScoreAdjust * total) / 1000;
}

/** /proc/PID/oom_score: 0..2000. */
export function oomScore(k: Kernel, process: Process): number {
  const badness = oomBadness(k, process);
  if (badness === Number.NEGATIVE_INFINITY) return 0;
  const total = k.mm.totalFrames + k.mm.swap.slotCount;
  return Math.max(0, Math.floor((1000 + (badness * 1000) / total) * (2 / 3)));
}

/** select_bad_process(): the first of the worst, in order of pid; null when nobody may be killed. */
function selectVictim(k: Kernel): Process | null {
  let victim: Process | null = null;
  let worst = Number.NEGATIVE_INFINITY;
  for (const process of k.processes.values()) {
    if (process.state !== "alive") continue;
    const badness = oomBadness(k, process);
    if (badness > worst) {
      worst = badness;
      victim = process;
    }
  }
  return victim;
}

function kb(pages: number): number {
  return pages * (PAGE_SIZE / 1024);
}

/** dump_tasks() and the summary line of __oom_kill_process(). */
function report(k: Kernel, victim: Process): void {
  const { current } = k.scheduler;
  const { mm } = k;
  k.log(
    `${current?.name ?? "kernel"} invoked oom-killer: order=0, oom_score_adj=${current?.process.oomScoreAdjust ?? 0}`,
  );
  k.log(
    `Mem-Info: free:${mm.freeFrames} of ${mm.totalFrames} pages, swap used:${mm.swap.usedCount} of ${mm.swap.slotCount} pages`,
  );
  k.log("[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name");
  for (const process of k.processes.values()) {
    const thread = process.liveThread;
    if (thread === null) continue;
    const { anonymous, file, shmem, swapped } = thread.space.counters;
    const row = [
      `[${String(process.pid).padStart(7)}]`,
      String(thread.credentials.uid).padStart(5),
      String(process.pid).padStart(5),
      String(thread.space.totalPages).padStart(8),
      String(anonymous + file + shmem).padStart(8),
      String(thread.space.pageTableBytes).padStart(14),
      String(swapped).padStart(8),
      String(process.oomScoreAdjust).padStart(13),
      thread.name,
    ];
    k.log(row.join(" "));
  }
  const thread = victim.liveThread as Task;
  const { anonymous, file, shmem } = thread.space.counters;
  k.log(
    `Out of memory: Killed process ${victim.pid} (${thread.name}) total-vm:${kb(thread.space.totalPages)}kB, ` +
      `anon-rss:${kb(anonymous)}kB, file-rss:${kb(file)}kB, shmem-rss:${kb(shmem)}kB, UID:${thread.credentials.uid} ` +
      `pgtables:${thread.space.pageTableBytes / 1024}kB oom_score_adj:${victim.oomScoreAdjust}`,
  );
}

/** Processes that use `space`. */
function usersOf(k: Kernel, space: AddressSpace): Process[] {
  return [...k.processes.values()].filter(
    (process) => process.state === "alive" && process.liveThread?.space === space,
  );
}

/**
 * mm's outOfMemory callback. True: a process other than the asking one died and its frames are free, try again. False: the
 * asking one was chosen (it dies on its way back to user mode), or there is nobody to kill.
 */
export function chooseAndKill(k: Kernel, asking: AddressSpace | null): boolean {
  const { current } = k.scheduler;
  // Whoever is dying already just has to get on with it.
  if (current?.process.groupExiting || current?.process.signals.pending.set.has(SIGKILL)) return false;
  const victim = selectVictim(k);
  if (victim === null) {
    k.log("Out of memory and no killable processes...");
    return false;
  }
  const space = (victim.liveThread as Task).space;
  report(k, victim);
  if (typeof k.mm.counters.oom_kill === "number") k.mm.counters.oom_kill++;
  const doomed = usersOf(k, space);
  const busy = current?.process ?? null;
  let askingDies = space === asking;
  for (const process of doomed) {
    if (process === busy || space === asking) {
      askingDies = askingDies || process === busy;
      const thread = process.liveThread;
      if (thread !== null) queueSignal(k, thread, kernelSignal(SIGKILL), true);
    } else killProcess(k, process, SIGKILL);
  }
  return !askingDies;
}

/** A fault found no frame even after the killer's choice: the task ends (pagefault_out_of_memory). */
export function outOfMemoryInFault(k: Kernel, t: Task): void {
  if (t.signals.pending.set.has(SIGKILL) || t.process.signals.pending.set.has(SIGKILL)) return;
  k.log(`Out of memory: process ${t.process.pid} (${t.name}) cannot be given a page`);
  queueSignal(k, t, kernelSignal(SIGKILL), true);
}
