// The world of the memory fuzzer (mm-model.ts): a real memory core with failing devices, its naive oracle, random choices, single accesses
// compared byte by byte, and the accounts at the end. The operations are in mm-model.ts.
import { EIO, ENOMEM, ENOSPC } from "../../src/abi/errno.ts";
import type { AddressSpace } from "../../src/mm/address-space.ts";
import {
  type AreaFile,
  DeviceError,
  FAULT_BUS_ADRERR,
  FAULT_IO_ERROR,
  FAULT_MAJOR,
  FAULT_OUT_OF_MEMORY,
  FAULT_SEGV_ACCERR,
  FAULT_SEGV_MAPERR,
  READ,
  WRITE,
} from "../../src/mm/contracts.ts";
import { BytesBacking, BytesSwapDevice, createMemory } from "../../src/mm/embedder.ts";
import type { MemoryManager } from "../../src/mm/memory-manager.ts";
import type { MemoryObject } from "../../src/mm/memory-object.ts";
import { Prng } from "../../src/util/prng.ts";
import { OracleObject, type OraclePage, OracleProcess, PAGE } from "./mm-oracle.ts";
import { RememberingTlb } from "./mm-test-tlb.ts";

export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const RW = PROT_READ | PROT_WRITE;

export interface ModelOptions {
  seed: number;
  operations: number;
  frames?: number;
  swapSlots?: number;
  policy?: string;
  /** Pages that one page-in may bring along (default 8). */
  readAheadPages?: number;
  /** Entries from which on fork shares a leaf table (default 1: whenever it may). */
  shareTablesFrom?: number;
  checkEvery?: number;
  /** Compares the bytes of all objects every so many operations: finds the operation that spoiled one. */
  compareEvery?: number;
  /** Share of device writes that fail, in percent. */
  failingWrites?: number;
  /** Test-only: damages the world before the run (mutation test). */
  plant?: (mm: MemoryManager, tlb: RememberingTlb) => void;
}

export interface ModelResult {
  operations: number;
  loads: number;
  stores: number;
  kills: number;
  majorFaults: number;
  copies: number;
  swapOuts: number;
  /** Leaf tables shared at some fork, seen right after it. */
  sharedTables: number;
}

/** A device that refuses some writes. */
class FlakySwap extends BytesSwapDevice {
  private readonly refuse: () => boolean;
  constructor(slots: number, refuse: () => boolean) {
    super(slots);
    this.refuse = refuse;
  }
  override write(slot: number, from: Uint8Array): void {
    if (this.refuse()) throw new DeviceError(EIO, "planned");
    super.write(slot, from);
  }
}

class FlakyBacking extends BytesBacking {
  private readonly refuse: () => boolean;
  constructor(refuse: () => boolean) {
    super();
    this.refuse = refuse;
  }
  override writePage(index: number, from: Uint8Array, length: number): void {
    if (this.refuse()) throw new DeviceError(EIO, "planned");
    super.writePage(index, from, length);
  }
}

class TestAreaFile implements AreaFile {
  readonly dev = 1;
  readonly ino: number;
  references = 0;
  constructor(ino: number) {
    this.ino = ino;
  }
  name(): string {
    return `/f${this.ino}`;
  }
  acquire(): void {
    this.references++;
  }
  release(): void {
    this.references--;
  }
}

export interface TestObject {
  real: MemoryObject;
  oracle: OracleObject;
  file: TestAreaFile;
  backing: BytesBacking | null;
}

export interface TestProcess {
  space: AddressSpace;
  oracle: OracleProcess;
}

/** Holds private anonymous memory only, so that fork shares its leaf tables; crosses a leaf-table boundary. */
export const ANONYMOUS_WINDOW = 512 * 90 - 20;
/** First pages of the windows: one more crosses a leaf-table boundary, one a gigabyte boundary. */
export const WINDOWS = [512 * 40 - 24, (1 << 18) * 3 - 16, ANONYMOUS_WINDOW];
export const WINDOW_PAGES = 48;
/** Where every process's heap starts, in pages; far from the windows. */
export const HEAP = 5000;
export const HEAP_PAGES = 24;
export const MOST_PROCESSES = 5;
export const OBJECT_PAGES = 24;
export const MOST_LOCKED = 6;

/** A machine's memory, the oracle beside it, and what every operation needs. */
export class World {
  readonly mm: MemoryManager;
  protected readonly prng: Prng;
  protected readonly tlb = new RememberingTlb();
  protected readonly objects: TestObject[] = [];
  protected readonly options: ModelOptions;
  protected processes: TestProcess[] = [];
  protected current: TestProcess | null = null;
  /** The out-of-memory callback found nobody during this operation. */
  protected starved = false;
  protected deviceRefused = false;
  protected quiet = false;
  protected readonly result: ModelResult = {
    operations: 0,
    loads: 0,
    stores: 0,
    kills: 0,
    majorFaults: 0,
    copies: 0,
    swapOuts: 0,
    sharedTables: 0,
  };
  /** What was done last, for the message of a failure. */
  protected readonly log: string[] = [];

  constructor(options: ModelOptions) {
    this.options = options;
    this.prng = new Prng(options.seed);
    const refuse = () => {
      const refused = !this.quiet && this.chance(options.failingWrites ?? 0);
      if (refused) this.deviceRefused = true;
      return refused;
    };
    this.mm = createMemory({
      ramBytes: (options.frames ?? 96) * PAGE,
      swapDevice: (options.swapSlots ?? 128) > 0 ? new FlakySwap(options.swapSlots ?? 128, refuse) : null,
      policy: options.policy,
      seed: options.seed,
      tlb: this.tlb,
      shareTablesFrom: options.shareTablesFrom ?? 1,
      readAheadPages: options.readAheadPages ?? 8,
      outOfMemory: () => this.kill(),
    });
    for (let i = 0; i < 4; i++) this.addObject(i < 2, refuse);
    this.processes.push({ space: this.newSpace(), oracle: new OracleProcess() });
    options.plant?.(this.mm, this.tlb);
  }

  protected addObject(isFile: boolean, refuse: () => boolean): void {
    const size = this.below(OBJECT_PAGES * PAGE);
    const file = new TestAreaFile(this.objects.length + 1);
    const oracle = new OracleObject(isFile ? "file" : "shmem", size);
    const backing = isFile ? new FlakyBacking(refuse) : null;
    if (backing !== null) {
      const bytes = this.randomBytes(size);
      backing.setSize(size);
      backing.bytes.set(bytes);
      oracle.write(0, bytes);
    }
    const real = backing !== null ? this.mm.createFileObject(backing, size) : this.mm.createShmemObject(size);
    this.objects.push({ real, oracle, file, backing });
  }

  protected newSpace(): AddressSpace {
    const space = this.mm.createSpace()!;
    space.limits.memlock = Number.POSITIVE_INFINITY;
    space.layout.brkStart = HEAP * PAGE;
    space.layout.brk = HEAP * PAGE;
    return space;
  }

  // --- random choices ---

  protected below(bound: number): number {
    return this.prng.below(bound);
  }
  protected chance(percent: number): boolean {
    return this.prng.below(100) < percent;
  }
  protected pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }
  protected randomBytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    // Cheap and different: a run of counters from a random start, never 0.
    const start = this.prng.next();
    for (let i = 0; i < length; i++) bytes[i] = ((start + i * 7) % 255) + 1;
    return bytes;
  }
  protected randomVpn(): number {
    return this.pick(WINDOWS) + this.below(WINDOW_PAGES);
  }
  /** A page of the process that is mapped, or any page. */
  protected likelyVpn(process: TestProcess): number {
    const keys = [...process.oracle.pages.keys()];
    return keys.length > 0 && this.chance(92) ? this.pick(keys) : this.randomVpn();
  }
  protected randomPages(vpn: number): number {
    const window = WINDOWS.find((first) => vpn >= first && vpn < first + WINDOW_PAGES);
    const most = window === undefined ? 4 : window + WINDOW_PAGES - vpn;
    return 1 + this.below(Math.min(most, this.chance(20) ? 40 : 8));
  }

  // --- out of memory ---

  /** Kills some process other than the one that is running an operation. */
  protected kill(): boolean {
    this.assert(this.mm.lru.count <= 4, `killing while the policy still has ${this.mm.lru.count} candidates`);
    const victims = this.processes.filter((process) => process !== this.current);
    if (victims.length === 0) {
      this.starved = true;
      return false;
    }
    const victim = this.pick(victims);
    this.processes = this.processes.filter((process) => process !== victim);
    victim.space.release();
    this.result.kills++;
    return true;
  }

  protected assert(condition: boolean, message: string): void {
    if (!condition) {
      throw new Error(
        `seed ${this.options.seed}, operation ${this.result.operations}: ${message}\n${this.log.join("\n")}`,
      );
    }
  }

  protected note(text: string): void {
    this.log.push(`#${this.result.operations} s${this.current?.space.id} ${text}`);
    if (this.log.length > 12) this.log.shift();
  }

  // --- checking ---

  protected check(): void {
    try {
      this.mm.checkInvariants();
    } catch (error) {
      this.assert(false, (error as Error).message);
    }
  }

  /** Compares every object's bytes without touching anything: cached frames, else what the file holds (swap is not looked into). */
  protected compareObjectsQuietly(): void {
    for (const { real, oracle, backing, file } of this.objects) {
      for (let index = 0; index < oracle.pageCount; index++) {
        const pfn = real.pages.get(index);
        if (pfn < 0 || (pfn === 0 && backing === null)) continue;
        const bytes = pfn > 0 ? this.mm.memory.frame(pfn) : backing!.bytes.subarray(index * PAGE, (index + 1) * PAGE);
        const end = Math.min(PAGE, oracle.size - index * PAGE);
        const want = oracle.page(index);
        for (let i = 0; i < end; i++) {
          this.assert(
            (bytes[i] ?? 0) === want[i],
            `object ${file.ino} page ${index} byte ${i}: ${bytes[i]}, not ${want[i]}`,
          );
        }
      }
    }
  }

  protected compareBacking(object: TestObject): void {
    if (object.backing === null) return;
    const want = object.oracle.read(0, object.oracle.size);
    const have = object.backing.bytes;
    this.assert(have.length === want.length, `the file has ${have.length} bytes, not ${want.length}`);
    for (let i = 0; i < want.length; i++) {
      this.assert(have[i] === want[i], `file ${object.file.ino} byte ${i} is ${have[i]}, not ${want[i]}`);
    }
  }

  // --- loads and stores ---

  /** One access within a page as hardware does it. Returns the fault it ended with, or 0. */
  protected access(space: AddressSpace, vpn: number, inPage: number, bytes: Uint8Array, write: boolean): number {
    const ram = this.mm.memory.bytes;
    for (let faults = 0; faults < 4; faults++) {
      const pfn = this.tlb.translate(space, vpn, write);
      if (pfn !== 0) {
        const at = pfn * PAGE + inPage;
        if (write) ram.set(bytes, at);
        else bytes.set(ram.subarray(at, at + bytes.length));
        return 0;
      }
      const result = space.handleFault(vpn * PAGE + inPage, write ? WRITE : READ);
      if (result > FAULT_MAJOR) return result;
    }
    this.assert(false, `page ${vpn} still faults after four faults`);
    return 0;
  }

  /** The fault the oracle expects of an access, or 0. */
  protected expectedFault(page: OraclePage | undefined, write: boolean): number {
    if (page === undefined) return FAULT_SEGV_MAPERR;
    if (write ? (page.prot & PROT_WRITE) === 0 : (page.prot & RW) === 0) return FAULT_SEGV_ACCERR;
    return page.isBeyondEnd ? FAULT_BUS_ADRERR : 0;
  }

  protected mayFailWith(result: number): boolean {
    if (result === FAULT_OUT_OF_MEMORY || result === -ENOMEM || result === -ENOSPC) return this.starved;
    return result === FAULT_IO_ERROR && this.deviceRefused;
  }

  protected loadSome(process: TestProcess): void {
    this.result.loads++;
    this.loadPage(process, this.likelyVpn(process), this.chance(20));
  }

  protected loadPage(process: TestProcess, vpn: number, whole = false): void {
    const inPage = whole ? 0 : this.below(PAGE);
    const bytes = new Uint8Array(whole ? PAGE : Math.min(PAGE - inPage, 1 + this.below(64)));
    const page = process.oracle.pages.get(vpn);
    this.note(`load ${vpn}+${inPage}`);
    const expected = this.expectedFault(page, false);
    const result = this.access(process.space, vpn, inPage, bytes, false);
    if (this.mayFailWith(result)) return;
    this.assert(result === expected, `load of page ${vpn}: fault ${result}, expected ${expected}`);
    if (result !== 0) return;
    const wrong = page!.mismatch(inPage, bytes);
    this.assert(wrong === "", `space ${process.space.id} page ${vpn}: ${wrong}`);
  }

  protected storeSome(process: TestProcess, vpn = this.likelyVpn(process)): void {
    this.result.stores++;
    const inPage = this.below(PAGE);
    const bytes = this.randomBytes(Math.min(PAGE - inPage, 1 + this.below(48)));
    const page = process.oracle.pages.get(vpn);
    this.note(`store ${vpn}+${inPage}*${bytes.length}`);
    const expected = this.expectedFault(page, true);
    const result = this.access(process.space, vpn, inPage, bytes, true);
    if (this.mayFailWith(result)) return;
    this.assert(result === expected, `store to page ${vpn}: fault ${result}, expected ${expected}`);
    if (result === 0) this.storeToOracle(process, vpn, inPage, bytes);
  }

  protected storeToOracle(process: TestProcess, vpn: number, inPage: number, bytes: Uint8Array): void {
    const page = process.oracle.pages.get(vpn)!;
    if (page.lazy) this.settleLazyPage(process, vpn, page, inPage, bytes);
    page.forStore().set(bytes, inPage);
  }

  /** A store ended MADV_FREE's freedom: which of the two contents is it now? */
  protected settleLazyPage(
    process: TestProcess,
    vpn: number,
    page: OraclePage,
    inPage: number,
    bytes: Uint8Array,
  ): void {
    page.lazy = false;
    if ((page.prot & RW) === 0) return;
    const now = new Uint8Array(PAGE);
    const result = this.access(process.space, vpn, 0, now, false);
    if (result !== 0) return;
    const outside = (i: number) => i < inPage || i >= inPage + bytes.length;
    const isZero = now.every((byte, i) => byte === 0 || !outside(i));
    if (isZero) {
      page.own = new Uint8Array(PAGE);
      page.firm = PAGE;
    }
  }

  // --- the end ---

  protected compareAll(): void {
    this.quiet = true;
    for (const process of [...this.processes]) {
      if (!this.processes.includes(process)) continue;
      this.current = process;
      for (const vpn of process.oracle.pages.keys()) this.loadPage(process, vpn, true);
      this.check();
    }
    this.current = null;
    for (const object of this.objects) {
      const first = object.real.sync(0, Number.POSITIVE_INFINITY);
      if (first < 0) this.assert(object.real.sync(0, Number.POSITIVE_INFINITY) === 0, "the second sync succeeds");
      this.compareBacking(object);
    }
  }

  protected tearDown(): void {
    for (const { space } of this.processes) {
      this.result.majorFaults += space.faults.major;
      this.result.copies += space.faults.copies;
      space.release();
    }
    this.result.swapOuts = this.mm.counters.pswpout;
    this.result.copies = this.mm.counters.pgcopy;
    this.result.majorFaults = this.mm.counters.pgmajfault;
    this.check();
    for (const { real, file } of this.objects) {
      this.assert(file.references === 0, `${file.name()} still has ${file.references} areas`);
      real.release();
    }
    this.check();
    const { mm } = this;
    this.assert(mm.freeFrames === mm.totalFrames - 2, `${mm.totalFrames - 2 - mm.freeFrames} frames leaked`);
    this.assert(mm.swap.usedCount === 0, `${mm.swap.usedCount} swap slots leaked`);
    this.assert(mm.committedPages === 0, `${mm.committedPages} promised pages leaked`);
    this.assert(mm.rmap.cellCount === 0, `${mm.rmap.cellCount} chain cells leaked`);
    this.assert(mm.objects.size === 0, `${mm.objects.size} objects leaked`);
  }
}
