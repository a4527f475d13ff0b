// What can be seen of a machine at any moment: one place to ask. Every answer is computed when it is asked for, from the machine's
// own tables, and asking changes nothing.
import type { Kernel } from "../../kernel/kernel.ts";
import type { Task } from "../../kernel/task.ts";
import type { AddressSpace } from "../../mm/address-space.ts";
import { HostError } from "../host.ts";
import { type AreaInfo, describeAreas } from "./areas.ts";
import { describeFrame, type FrameInfo, type FrameView, frameView } from "./frames.ts";
import { framesOfSpace, pagesInSlot, type SlotPage } from "./mapped.ts";
import { describeObjects, type ObjectInfo, objectPages } from "./objects.ts";
import { type PageWalk, walkPageTable } from "./page-walk.ts";
import { pageStates } from "./pages.ts";
import { describeProcesses, type ProcessInfo, pidsBySpace, type Registers, registersOf } from "./processes.ts";
import { describeSlot, describeSwap, type SwapInfo, slotStates } from "./swap-slots.ts";
import type { SymbolAt, Symbols } from "./symbols.ts";
import { type TlbEntry, tlbEntries } from "./tlb-entries.ts";

/** Figures of the whole machine. */
export interface MachineFigures {
  instructions: number;
  /** Guest time, nanoseconds since the machine was made. */
  timeNs: number;
  frames: { total: number; free: number; anonymous: number; file: number; shmem: number; pageTable: number };
  swap: SwapInfo;
  /** Counters of /proc/vmstat (pgfault, pgmajfault, pswpin, ...). */
  counters: Record<string, number>;
  committedPages: number;
  commitLimitPages: number;
  /** Thread on the hart, or 0. */
  currentTid: number;
}

export class Inspector {
  private readonly kernel: Kernel;
  private readonly symbols: Symbols;

  constructor(kernel: Kernel, symbols: Symbols) {
    this.kernel = kernel;
    this.symbols = symbols;
  }

  machine(): MachineFigures {
    const { mm, hart, clock, scheduler } = this.kernel;
    const { free, anonymous, file, shmem, pageTable } = mm.countByKind();
    const counters: Record<string, number> = {};
    for (const [name, value] of Object.entries(mm.counters)) if (typeof value === "number") counters[name] = value;
    return {
      instructions: hart.instructions,
      timeNs: clock.monotonicNs(),
      frames: { total: mm.totalFrames, free, anonymous, file, shmem, pageTable },
      swap: describeSwap(mm),
      counters,
      committedPages: mm.committedPages,
      commitLimitPages: mm.commitLimitPages,
      currentTid: scheduler.current?.tid ?? 0,
    };
  }

  /** All processes; zombies have no memory any more. */
  processes(): ProcessInfo[] {
    return describeProcesses(this.kernel);
  }

  /** Pid by the id of its address space (MemoryEvent.spaceId, FrameMapping.spaceId). */
  pidsBySpace(): Map<number, number> {
    return pidsBySpace(this.kernel);
  }

  maps(pid: number): AreaInfo[] {
    return describeAreas(this.space(pid));
  }

  /** PAGE_* of pages firstVpn, firstVpn + 1, ...: fills `into` and returns it. */
  pages(pid: number, firstVpn: number, into: Uint8Array): Uint8Array {
    return pageStates(this.space(pid), firstVpn, into);
  }

  walk(pid: number, address: number): PageWalk {
    return walkPageTable(this.space(pid), address);
  }

  frames(): FrameView {
    return frameView(this.kernel.mm);
  }

  /** One frame with everybody who maps it. */
  frame(pfn: number): FrameInfo {
    if (!(Number.isInteger(pfn) && pfn >= 0 && pfn < this.kernel.mm.totalFrames))
      throw new HostError(`there is no frame ${pfn}`);
    return describeFrame(this.kernel, pfn);
  }

  /** Memory objects with their page caches; `all`: also those without a page or a mapping. */
  objects(all = false): ObjectInfo[] {
    return describeObjects(this.kernel, all);
  }

  /** Page by page of an object: > 0 its frame, < 0 its swap slot negated, 0 neither. */
  objectPages(objectId: number, firstPage: number, into: Int32Array): Int32Array {
    return objectPages(this.kernel.mm, objectId, firstPage, into);
  }

  swap(): SwapInfo {
    return describeSwap(this.kernel.mm);
  }

  /** SLOT_* of slots firstSlot, firstSlot + 1, ... (slot numbers begin with 1). */
  slots(firstSlot: number, into: Uint8Array): Uint8Array {
    return slotStates(this.kernel.mm, firstSlot, into);
  }

  slot(slot: number): { slot: number; references: number; pfn: number } {
    return describeSlot(this.kernel.mm, slot);
  }

  /** Whose pages lie in a slot: every process and address. */
  slotPages(slot: number): SlotPage[] {
    return pagesInSlot(this.kernel, slot);
  }

  /** 1 for every frame that the process maps or has its page tables in; `into`: a byte a frame. */
  framesOf(pid: number, into: Uint8Array): Uint8Array {
    return framesOfSpace(this.space(pid), into);
  }

  tlb(pid: number): TlbEntry[] {
    return tlbEntries(this.space(pid));
  }

  /** Registers of a thread (the first thread's tid is the pid). */
  registers(tid: number): Registers {
    return registersOf(this.task(tid));
  }

  /** Function (and file) that an address of a process lies in. */
  symbol(pid: number, address: number): SymbolAt | null {
    return this.symbols.at(this.space(pid), address);
  }

  /** Where functions of this name begin in the process. */
  findSymbol(pid: number, name: string): number[] {
    return this.symbols.find(this.space(pid), name);
  }

  /** Bytes of a process's memory as they are, without a fault: unmapped pages and pages in swap end it. Bytes copied. */
  peek(pid: number, address: number, into: Uint8Array): number {
    const space = this.space(pid);
    const { bytes } = this.kernel.mm.memory;
    let done = 0;
    while (done < into.length) {
      const { physicalAddress, offset } = walkPageTable(space, address + done);
      if (physicalAddress === null) break;
      const count = Math.min(4096 - offset, into.length - done);
      into.set(bytes.subarray(physicalAddress, physicalAddress + count), done);
      done += count;
    }
    return done;
  }

  private task(tid: number): Task {
    const task = this.kernel.tasks.get(tid);
    if (task === undefined || !task.isAlive) throw new HostError(`there is no thread ${tid}`);
    return task;
  }

  private space(pid: number): AddressSpace {
    const process = this.kernel.processes.get(pid);
    const task = process?.liveThread ?? null;
    if (task === null) throw new HostError(`there is no living process ${pid}`);
    return task.space;
  }
}
