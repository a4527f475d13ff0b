// A crowd of processes (stress/crowd.c) under tiny memory, with swap and without, for several policies and seeds: nobody finds its
// memory wrong, the structures of the memory manager agree with one another, and everything is given back: no frame, swap slot,
// inode, open file, lock, timer, terminal or task stays behind. FAULTLINE_STRESS=N: N seeds a kind of machine.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { PAGE_SIZE } from "../../src/arch/sv39.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { type BootOptions, TestKernel } from "../../src/kernel/test-support.ts";
import type { TmpFs } from "../../src/kernel/vfs/tmpfs.ts";
import { announceSkip, hasCompiler, Scratch } from "../support/guest.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());
const seeds = Number(process.env.FAULTLINE_STRESS ?? 2);

/** Everything countable that processes can hold. */
function holdings(k: Kernel) {
  const { mm, ipc, vfs } = k;
  const root = vfs.root.mount.fs as TmpFs;
  return {
    tasks: k.tasks.size,
    processes: k.processes.size,
    groups: k.groups.size,
    sessions: k.sessions.size,
    futexes: k.futexes.size,
    timers: k.timers.size,
    spaces: mm.spaces.size,
    objects: mm.objects.size,
    // A page of a file may lie in memory or in the swap file.
    keptPages: mm.totalFrames - mm.freeFrames + mm.swap.usedCount - mm.swap.idleCount,
    anonymousFrames: mm.countByKind().anonymous,
    tableFrames: mm.countByKind().pageTable,
    sharedTables: [...mm.sharedTables].length,
    committedPages: mm.committedPages,
    rootInodes: root.inodeCount,
    rootPages: root.usedPages,
    openFiles: [...vfs.mounts.all].map((mount) => `${mount.fs.type} ${mount.users}`),
    anonymousFiles: ipc.anonymousInode?.openCount ?? 0,
    memoryInodes: [...mm.objects.values()].map((object) => object.name),
    sysvSegments: ipc.shm.table.entries.size,
    unixSockets: [ipc.unix.sockets.size, ipc.unix.inFlight.size, ipc.unix.boundInodes.size],
    terminals: ipc.terminals.ptys.size,
    lockWaiters: (vfs.lockWaiters as unknown as { waiters: Map<object, unknown> }).waiters.size,
    watches: (ipc.inotify as unknown as { watches: Map<object, unknown> }).watches.size,
  };
}

class MemorySwap {
  readonly slotCount: number;
  private readonly slots = new Map<number, Uint8Array>();
  constructor(bytes: number) {
    this.slotCount = bytes / PAGE_SIZE;
  }
  read(slot: number, into: Uint8Array): void {
    into.set(this.slots.get(slot)!);
  }
  write(slot: number, from: Uint8Array): void {
    this.slots.set(slot, from.slice());
  }
}

interface Kind {
  name: string;
  mebibytes: number;
  swap: number;
  policy: string;
}

const KINDS: Kind[] = [
  { name: "ample memory", mebibytes: 128, swap: 0, policy: "two-list" },
  { name: "4 MiB and swap", mebibytes: 4, swap: 64, policy: "two-list" },
  { name: "4 MiB and swap", mebibytes: 4, swap: 64, policy: "clock" },
  { name: "4 MiB and swap", mebibytes: 4, swap: 64, policy: "random" },
  { name: "4 MiB and swap", mebibytes: 4, swap: 64, policy: "mglru" },
  { name: "3 MiB and little swap", mebibytes: 3, swap: 2, policy: "two-list" },
  { name: "4 MiB and no swap", mebibytes: 4, swap: 0, policy: "two-list" },
  { name: "3 MiB and no swap", mebibytes: 3, swap: 0, policy: "fifo" },
];

describe.skipIf(announceSkip(!hasCompiler, "the stress suite needs riscv64-linux-gnu-gcc"))("a crowd", () => {
  const trials = KINDS.flatMap((kind) => Array.from({ length: seeds }, (_, i) => ({ ...kind, seed: i + 1 })));

  it.each(trials)("$name, $policy, seed $seed: right, and all given back", ({ mebibytes, swap, policy, seed }) => {
    const program = readFileSync(
      scratch.compile("crowd", ["test/guest/stress/crowd.c"], ["-O1", "-static", "-pthread", "-w"]),
    );
    const options: BootOptions = { ramBytes: mebibytes << 20, seed, policy };
    if (swap > 0) options.swapDevice = new MemorySwap(swap << 20);
    const box = new TestKernel(options);
    // Once for what the kernel makes when it is first needed.
    expect(box.run(program, ["1", "0", "0"]).stdout).toBe("0 workers, 0 wrong\n");
    const before = holdings(box.kernel);
    const run = box.run(program, [String(seed), "4", "12"]);
    expect([run.ended, run.stdout.replace(/\d+ workers/, "N workers"), run.stderr, run.status]).toEqual([
      "finished",
      "N workers, 0 wrong\n",
      "",
      0,
    ]);
    box.kernel.mm.checkInvariants();
    expect(holdings(box.kernel)).toEqual(before);
    if (swap === 64) expect(box.kernel.mm.counters.pswpin).toBeGreaterThan(100);
    expect(box.kernel.mm.counters.oom_kill > 0).toBe(mebibytes < 128 && swap < 64);
  });
});
