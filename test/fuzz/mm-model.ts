// Model-based fuzzing of the memory core.
//
// Strategy: a few processes with tiny RAM do random operations (map, unmap, protect, move, fork, exit, load, store, read, write, cut,
// punch, sync, advise, lock) on the real core and on a naive oracle; every byte loaded or read and every error must agree. Addresses
// are chosen from two small windows, one of them across a page-table boundary, so that operations collide. Swap and RAM are so
// small that most pages travel; devices fail now and then; out of memory kills another process, in the middle of an operation.
//
// Invariants: mm.checkInvariants() every `checkEvery` operations (I1-I16, with a TLB that forgets nothing by itself: I13); at the
// end all bytes are compared, then everything is released and no frame, slot or promise may be left.
import { EFAULT, EINVAL, EIO, ENOMEM, ENOSPC } from "../../src/abi/errno.ts";
import {
  MADV_COLD,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_PAGEOUT,
  MADV_WILLNEED,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  MS_SYNC,
} from "../../src/abi/mman.ts";
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
import { BytesCursor, UserCursor } from "../../src/mm/io-cursor.ts";
import type { MemoryManager } from "../../src/mm/memory-manager.ts";
import type { MemoryObject } from "../../src/mm/memory-object.ts";
import { Prng } from "../../src/util/prng.ts";
import { OracleObject, OraclePage, OracleProcess, PAGE } from "./mm-oracle.ts";
import { RememberingTlb } from "./mm-test-tlb.ts";

const PROT_READ = 1;
const PROT_WRITE = 2;
const RW = PROT_READ | PROT_WRITE;

export interface ModelOptions {
  seed: number;
  operations: number;
  frames?: number;
  swapSlots?: number;
  policy?: string;
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

interface TestObject {
  real: MemoryObject;
  oracle: OracleObject;
  file: TestAreaFile;
  backing: BytesBacking | null;
}

interface TestProcess {
  space: AddressSpace;
  oracle: OracleProcess;
}

/** First pages of the windows: one crosses a leaf-table boundary, one a gigabyte boundary. */
const WINDOWS = [512 * 40 - 24, (1 << 18) * 3 - 16];
const WINDOW_PAGES = 48;
const MOST_PROCESSES = 5;
const OBJECT_PAGES = 24;
const MOST_LOCKED = 6;

export class Model {
  readonly mm: MemoryManager;
  private readonly prng: Prng;
  private readonly tlb = new RememberingTlb();
  private readonly objects: TestObject[] = [];
  private readonly options: ModelOptions;
  private processes: TestProcess[] = [];
  private current: TestProcess | null = null;
  /** The out-of-memory callback found nobody during this operation. */
  private starved = false;
  private deviceRefused = false;
  private quiet = false;
  private readonly result: ModelResult = {
    operations: 0,
    loads: 0,
    stores: 0,
    kills: 0,
    majorFaults: 0,
    copies: 0,
    swapOuts: 0,
  };
  /** What was done last, for the message of a failure. */
  private readonly log: string[] = [];

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
      outOfMemory: () => this.kill(),
    });
    for (let i = 0; i < 4; i++) this.addObject(i < 2, refuse);
    this.processes.push({ space: this.newSpace(), oracle: new OracleProcess() });
    options.plant?.(this.mm, this.tlb);
  }

  private addObject(isFile: boolean, refuse: () => boolean): void {
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

  private newSpace(): AddressSpace {
    const space = this.mm.createSpace()!;
    space.limits.memlock = Number.POSITIVE_INFINITY;
    return space;
  }

  // --- random choices ---

  private below(bound: number): number {
    return this.prng.below(bound);
  }
  private chance(percent: number): boolean {
    return this.prng.below(100) < percent;
  }
  private pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }
  private randomBytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    // Cheap and different: a run of counters from a random start, never 0.
    const start = this.prng.next();
    for (let i = 0; i < length; i++) bytes[i] = ((start + i * 7) % 255) + 1;
    return bytes;
  }
  private randomVpn(): number {
    return this.pick(WINDOWS) + this.below(WINDOW_PAGES);
  }
  /** A page of the process that is mapped, or any page. */
  private likelyVpn(process: TestProcess): number {
    const keys = [...process.oracle.pages.keys()];
    return keys.length > 0 && this.chance(92) ? this.pick(keys) : this.randomVpn();
  }
  private randomPages(vpn: number): number {
    const window = WINDOWS.find((first) => vpn >= first && vpn < first + WINDOW_PAGES);
    const most = window === undefined ? 4 : window + WINDOW_PAGES - vpn;
    return 1 + this.below(Math.min(most, this.chance(20) ? 40 : 8));
  }

  // --- out of memory ---

  /** Kills some process other than the one that is running an operation. */
  private kill(): boolean {
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

  private assert(condition: boolean, message: string): void {
    if (!condition) {
      throw new Error(
        `seed ${this.options.seed}, operation ${this.result.operations}: ${message}\n${this.log.join("\n")}`,
      );
    }
  }

  private note(text: string): void {
    this.log.push(`#${this.result.operations} s${this.current?.space.id} ${text}`);
    if (this.log.length > 12) this.log.shift();
  }

  // --- the run ---

  run(): ModelResult {
    const checkEvery = this.options.checkEvery ?? 64;
    for (let i = 0; i < this.options.operations; i++) {
      this.result.operations = i;
      this.step();
      if (i % checkEvery === checkEvery - 1) this.check();
      if (this.options.compareEvery !== undefined && i % this.options.compareEvery === 0) this.compareObjectsQuietly();
    }
    this.check();
    this.compareAll();
    this.tearDown();
    return this.result;
  }

  private check(): void {
    try {
      this.mm.checkInvariants();
    } catch (error) {
      this.assert(false, (error as Error).message);
    }
  }

  private step(): void {
    const process = this.pick(this.processes);
    this.current = process;
    this.starved = false;
    this.deviceRefused = false;
    try {
      this.operate(process);
    } catch (error) {
      if ((error as Error).message.startsWith("seed ")) throw error;
      this.assert(false, `${(error as Error).stack}`);
    }
    this.current = null;
    for (const { real, oracle, file } of this.objects) {
      this.assert(real.sizeBytes === oracle.size, `object ${file.ino} has ${real.sizeBytes} bytes, not ${oracle.size}`);
    }
  }

  private operate(process: TestProcess): void {
    const dice = this.below(1000);
    if (dice < 330) this.loadSome(process);
    else if (dice < 640) this.storeSome(process);
    else if (dice < 700) this.mapSome(process);
    else if (dice < 725) this.unmapSome(process);
    else if (dice < 760) this.protectSome(process);
    else if (dice < 790) this.moveSome(process);
    else if (dice < 815) this.forkOrExit(process);
    else if (dice < 855) this.readObject(process);
    else if (dice < 895) this.writeObject(process);
    else if (dice < 915) this.truncateSome();
    else if (dice < 925) this.punchSome();
    else if (dice < 945) this.syncSome(process);
    else if (dice < 975) this.adviseSome(process);
    else if (dice < 985) this.outAndIn(process);
    else if (dice < 997) this.lockSome(process);
    else this.mm.dropCaches();
  }

  // --- loads and stores ---

  /** One access within a page as hardware does it. Returns the fault it ended with, or 0. */
  private access(space: AddressSpace, vpn: number, inPage: number, bytes: Uint8Array, write: boolean): number {
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
  private expectedFault(page: OraclePage | undefined, write: boolean): number {
    if (page === undefined) return FAULT_SEGV_MAPERR;
    if (write ? (page.prot & PROT_WRITE) === 0 : (page.prot & RW) === 0) return FAULT_SEGV_ACCERR;
    return page.isBeyondEnd ? FAULT_BUS_ADRERR : 0;
  }

  private mayFailWith(result: number): boolean {
    if (result === FAULT_OUT_OF_MEMORY || result === -ENOMEM || result === -ENOSPC) return this.starved;
    return result === FAULT_IO_ERROR && this.deviceRefused;
  }

  private loadSome(process: TestProcess): void {
    this.result.loads++;
    this.loadPage(process, this.likelyVpn(process));
  }

  private loadPage(process: TestProcess, vpn: number, whole = false): void {
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

  private storeSome(process: TestProcess, vpn = this.likelyVpn(process)): void {
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

  private storeToOracle(process: TestProcess, vpn: number, inPage: number, bytes: Uint8Array): void {
    const page = process.oracle.pages.get(vpn)!;
    if (page.lazy) this.settleLazyPage(process, vpn, page, inPage, bytes);
    page.forStore().set(bytes, inPage);
  }

  /** A store ended MADV_FREE's freedom: which of the two contents is it now? */
  private settleLazyPage(process: TestProcess, vpn: number, page: OraclePage, inPage: number, bytes: Uint8Array): void {
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

  // --- areas ---

  private mapSome(process: TestProcess): void {
    const vpn = this.randomVpn();
    const pages = this.randomPages(vpn);
    const prot = this.pick([RW, RW, RW, PROT_READ, 0, PROT_WRITE]);
    const shared = this.chance(40);
    const from = this.chance(50) ? this.pick(this.objects) : null;
    const index = from === null ? 0 : this.below(OBJECT_PAGES - 4);
    let flags = (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED;
    if (from === null) flags |= MAP_ANONYMOUS;
    if (this.chance(10)) flags |= MAP_POPULATE;
    if (this.chance(20)) flags |= MAP_NORESERVE;
    this.note(
      `map ${vpn}*${pages} prot ${prot} ${shared ? "shared" : "private"} object ${from?.file.ino ?? "-"}@${index}`,
    );
    const result = process.space.mmap({
      address: vpn * PAGE,
      length: pages * PAGE,
      prot,
      flags,
      object: from?.real ?? null,
      file: from?.file ?? null,
      offset: index * PAGE,
      maxProt: 7,
    });
    if (result < 0) {
      this.assert(this.mayFailWith(result), `mmap: ${result}`);
      this.forgetUnmapped(process);
      return;
    }
    const populated = (flags & MAP_POPULATE) !== 0 && !shared && (prot & PROT_WRITE) !== 0;
    const fresh = from === null && shared ? new OracleObject("shmem", pages * PAGE) : (from?.oracle ?? null);
    for (let i = 0; i < pages; i++) {
      const page = new OraclePage(prot, shared, fresh, index + i);
      process.oracle.pages.set(vpn + i, page);
      // Populating a private file mapping for writing copies the page now, as far as memory allows.
      if (populated && fresh !== null && !page.isBeyondEnd) this.settlePopulated(process, vpn + i, page);
    }
  }

  private settlePopulated(process: TestProcess, vpn: number, page: OraclePage): void {
    const word = process.space.table.read(process.space.table.find(vpn));
    const pfn = word >>> 10;
    const isCopy = word !== 0 && ((word & 0x21) === 0 || this.mm.frames.kind[pfn] === 4);
    if (isCopy) page.forStore();
  }

  /** After a failed call that may have unmapped part of its target: the oracle follows the area list. */
  private forgetUnmapped(process: TestProcess): void {
    for (const vpn of process.oracle.pages.keys()) {
      if (process.space.areas.findPage(vpn) === null) process.oracle.pages.delete(vpn);
    }
  }

  private unmapSome(process: TestProcess): void {
    const vpn = this.randomVpn();
    const pages = this.randomPages(vpn);
    this.note(`unmap ${vpn}*${pages}`);
    const result = process.space.munmap(vpn * PAGE, pages * PAGE);
    this.assert(result === 0, `munmap: ${result}`);
    for (let i = 0; i < pages; i++) process.oracle.pages.delete(vpn + i);
  }

  private protectSome(process: TestProcess): void {
    const vpn = this.likelyVpn(process);
    const pages = this.randomPages(vpn);
    const prot = this.pick([RW, RW, PROT_READ, 0, PROT_WRITE]);
    this.note(`protect ${vpn}*${pages} prot ${prot}`);
    const result = process.space.mprotect(vpn * PAGE, pages * PAGE, prot);
    let expected = 0;
    for (let i = 0; i < pages && expected === 0; i++) {
      const page = process.oracle.pages.get(vpn + i);
      if (page === undefined) expected = -ENOMEM;
      else {
        this.settleLockedWrite(process, vpn + i, page, prot);
        page.prot = prot;
      }
    }
    this.assert(result === expected, `mprotect: ${result}, expected ${expected}`);
  }

  /** Making a locked private page writable populates it: the copy happens now. */
  private settleLockedWrite(process: TestProcess, vpn: number, page: OraclePage, prot: number): void {
    if (!page.locked || page.shared || page.object === null || (prot & PROT_WRITE) === 0 || page.isBeyondEnd) return;
    if (page.own === null) this.settlePopulated(process, vpn, page);
  }

  private moveSome(process: TestProcess): void {
    const { pages } = process.oracle;
    const vpn = this.likelyVpn(process);
    const oldCount = this.randomPages(vpn);
    const newCount = this.chance(60) ? oldCount : this.randomPages(vpn);
    const target = this.randomVpn();
    const first = pages.get(vpn);
    const plainAnon = first !== undefined && first.object === null;
    let flags = MREMAP_MAYMOVE;
    if (this.chance(70)) flags |= MREMAP_FIXED;
    const keeps = plainAnon && oldCount === newCount && this.chance(25);
    if (keeps) flags |= MREMAP_DONTUNMAP;
    const inWindow = WINDOWS.some((w) => target >= w && target + newCount <= w + WINDOW_PAGES);
    if ((flags & MREMAP_FIXED) === 0 || !inWindow)
      flags = newCount <= oldCount ? 0 : flags & ~MREMAP_FIXED & ~MREMAP_DONTUNMAP;
    this.note(`move ${vpn}*${oldCount} -> ${target}*${newCount} flags ${flags}`);
    const result = process.space.mremap(vpn * PAGE, oldCount * PAGE, newCount * PAGE, flags, target * PAGE);
    if (result < 0) {
      this.assert([-EFAULT, -EINVAL, -ENOMEM].includes(result), `mremap: ${result}`);
      this.forgetUnmapped(process);
      return;
    }
    this.moveInOracle(process, vpn, oldCount, result / PAGE, newCount, (flags & MREMAP_DONTUNMAP) !== 0);
  }

  private moveInOracle(
    process: TestProcess,
    from: number,
    oldCount: number,
    to: number,
    newCount: number,
    keeps: boolean,
  ): void {
    const { pages } = process.oracle;
    const moved: OraclePage[] = [];
    // What is cut off at the end may have holes.
    for (let i = newCount; i < oldCount; i++) pages.delete(from + i);
    if (from === to && newCount <= oldCount) return;
    for (let i = 0; i < Math.min(oldCount, newCount); i++) {
      const page = pages.get(from + i);
      this.assert(page !== undefined, `mremap moved page ${from + i}, which is not mapped`);
      moved.push(page!);
      pages.delete(from + i);
      if (keeps) {
        const left = new OraclePage(page!.prot, page!.shared, page!.object, page!.index);
        pages.set(from + i, left);
      }
    }
    const last = moved[0];
    for (let i = 0; i < newCount; i++) {
      let page = moved[i];
      if (page === undefined) {
        page = new OraclePage(last.prot, last.shared, last.object, last.index + i);
        page.locked = last.locked;
      }
      pages.set(to + i, page);
      this.settleLockedWrite(process, to + i, page, page.prot);
    }
  }

  private forkOrExit(process: TestProcess): void {
    const fork = this.processes.length === 1 || (this.processes.length < MOST_PROCESSES && this.chance(55));
    if (fork) {
      this.note("fork");
      const space = this.mm.forkSpace(process.space);
      if (space === null) {
        this.assert(this.starved, "fork failed with memory left");
        return;
      }
      this.processes.push({ space, oracle: process.oracle.fork() });
      return;
    }
    this.note("exit");
    this.processes = this.processes.filter((other) => other !== process);
    process.space.release();
  }

  // --- objects ---

  private readObject(process: TestProcess): void {
    const from = this.pick(this.objects);
    const offset = this.below(OBJECT_PAGES * PAGE);
    const length = 1 + this.below(3 * PAGE);
    if (this.chance(50)) {
      const bytes = new Uint8Array(length);
      this.note(`read object ${from.file.ino} ${offset}*${length}`);
      const got = from.real.read(new BytesCursor(bytes), offset);
      const want = from.oracle.read(offset, length);
      if (this.mayFailWith(got)) return;
      this.assert(got === want.length || (this.starved && got >= 0), `read: ${got}, expected ${want.length}`);
      for (let i = 0; i < got; i++)
        this.assert(bytes[i] === want[i], `read: byte ${offset + i} is ${bytes[i]}, not ${want[i]}`);
      return;
    }
    const vpn = this.likelyVpn(process);
    const base = vpn * PAGE + this.below(PAGE);
    if (this.rangeShows(process, base, length, from.oracle)) return;
    this.note(`read object ${from.file.ino} ${offset}*${length} into ${base / PAGE}`);
    const got = from.real.read(new UserCursor(process.space, [{ base, length }]), offset);
    const want = from.oracle.read(offset, length);
    const room = this.accessibleBytes(process, base, want.length, true);
    const expected = room === 0 && want.length > 0 ? -EFAULT : room;
    const short = (this.starved || this.deviceRefused) && (got < 0 || got <= expected);
    this.assert(got === expected || short, `read into memory: ${got}, expected ${expected}`);
    if (got > 0) this.storeRange(process, base, want.subarray(0, got));
  }

  private writeObject(process: TestProcess): void {
    const to = this.pick(this.objects);
    const offset = this.below((OBJECT_PAGES - 3) * PAGE);
    const length = 1 + this.below(3 * PAGE);
    if (this.chance(50)) {
      const bytes = this.randomBytes(length);
      this.note(`write object ${to.file.ino} ${offset}*${length}`);
      const got = to.real.write(new BytesCursor(bytes), offset);
      if (got < 0 && this.mayFailWith(got)) return;
      this.assert(got === length || (this.starved && got > 0), `write: ${got}, expected ${length}`);
      to.oracle.write(offset, bytes.subarray(0, got));
      return;
    }
    const vpn = this.likelyVpn(process);
    const base = vpn * PAGE + this.below(PAGE);
    if (this.rangeShows(process, base, length, to.oracle) || this.rangeIsVague(process, base, length)) return;
    this.note(`write object ${to.file.ino} ${offset}*${length} from ${base / PAGE}`);
    const got = to.real.write(new UserCursor(process.space, [{ base, length }]), offset);
    const room = this.accessibleBytes(process, base, length, false);
    const expected = room === 0 ? -EFAULT : room;
    const short = (this.starved || this.deviceRefused) && (got < 0 || got <= expected);
    this.assert(got === expected || short, `write from memory: ${got}, expected ${expected}`);
    if (got > 0) to.oracle.write(offset, this.rangeBytes(process, base, got));
    else if (offset > to.oracle.size) this.zeroOracleTail(to.oracle);
  }

  /** A write behind the end that moved nothing has zeroed the old tail all the same; it may. */
  private zeroOracleTail(object: OracleObject): void {
    const tail = object.size % PAGE;
    if (tail !== 0) object.pages.get((object.size - tail) / PAGE)?.fill(0, tail);
  }

  private forEachPart(
    base: number,
    length: number,
    visit: (vpn: number, inPage: number, count: number, done: number) => boolean,
  ): void {
    for (let done = 0; done < length; ) {
      const at = base + done;
      const vpn = Math.floor(at / PAGE);
      const inPage = at - vpn * PAGE;
      const count = Math.min(PAGE - inPage, length - done);
      if (!visit(vpn, inPage, count, done)) return;
      done += count;
    }
  }

  private rangeShows(process: TestProcess, base: number, length: number, object: OracleObject): boolean {
    let shows = false;
    this.forEachPart(base, length, (vpn) => {
      if (process.oracle.pages.get(vpn)?.object === object) shows = true;
      return true;
    });
    return shows;
  }

  /** Some byte of the range may be one of two values. */
  private rangeIsVague(process: TestProcess, base: number, length: number): boolean {
    let vague = false;
    this.forEachPart(base, length, (vpn) => {
      const page = process.oracle.pages.get(vpn);
      if (page !== undefined && (page.lazy || page.firmBytes() < PAGE)) vague = true;
      return true;
    });
    return vague;
  }

  private accessibleBytes(process: TestProcess, base: number, length: number, write: boolean): number {
    let room = 0;
    this.forEachPart(base, length, (vpn, _inPage, count) => {
      if (this.expectedFault(process.oracle.pages.get(vpn), write) !== 0) return false;
      room += count;
      return true;
    });
    return room;
  }

  private rangeBytes(process: TestProcess, base: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    this.forEachPart(base, length, (vpn, inPage, count, done) => {
      out.set(
        process.oracle.pages
          .get(vpn)!
          .contents()
          .subarray(inPage, inPage + count),
        done,
      );
      return true;
    });
    return out;
  }

  private storeRange(process: TestProcess, base: number, bytes: Uint8Array): void {
    this.forEachPart(base, bytes.length, (vpn, inPage, count, done) => {
      this.storeToOracle(process, vpn, inPage, bytes.subarray(done, done + count));
      return true;
    });
  }

  private truncateSome(): void {
    const object = this.pick(this.objects);
    const size = this.below(OBJECT_PAGES * PAGE);
    this.note(`truncate object ${object.file.ino} to ${size}`);
    const result = object.real.truncate(size);
    if (this.mayFailWith(result)) return;
    this.assert(result === 0, `truncate: ${result}`);
    object.oracle.setSize(size);
    for (const process of this.processes) {
      for (const page of process.oracle.pages.values()) {
        if (page.object === object.oracle && page.isBeyondEnd) page.own = null;
      }
    }
  }

  private punchSome(): void {
    const object = this.pick(this.objects);
    const offset = this.below(OBJECT_PAGES * PAGE);
    const length = 1 + this.below(4 * PAGE);
    this.note(`punch object ${object.file.ino} ${offset}*${length}`);
    const result = object.real.punchHole(offset, length);
    if (result < 0 && (this.mayFailWith(result) || this.deviceRefused)) {
      // Part of it may be done: what is there now is right.
      this.adopt(object);
      return;
    }
    this.assert(result === 0, `punchHole: ${result}`);
    object.oracle.punch(offset, length);
  }

  private adopt(object: TestObject): void {
    const bytes = new Uint8Array(object.oracle.size);
    if (object.real.read(new BytesCursor(bytes), 0) === bytes.length) object.oracle.write(0, bytes);
  }

  private syncSome(process: TestProcess): void {
    if (this.chance(50)) {
      const object = this.pick(this.objects);
      this.note(`sync object ${object.file.ino}`);
      const result = object.real.sync(0, Number.POSITIVE_INFINITY);
      this.assert(result === 0 || (this.options.failingWrites ?? 0) > 0, `sync: ${result}`);
      if (result === 0) this.compareBacking(object);
      return;
    }
    const vpn = this.likelyVpn(process);
    const pages = this.randomPages(vpn);
    this.note(`msync ${vpn}*${pages}`);
    process.space.msync(vpn * PAGE, pages * PAGE, MS_SYNC);
  }

  /** Compares every object's bytes without touching anything: cached frames, else what the file holds (swap is not looked into). */
  private compareObjectsQuietly(): void {
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

  private compareBacking(object: TestObject): void {
    if (object.backing === null) return;
    const want = object.oracle.read(0, object.oracle.size);
    const have = object.backing.bytes;
    this.assert(have.length === want.length, `the file has ${have.length} bytes, not ${want.length}`);
    for (let i = 0; i < want.length; i++) {
      this.assert(have[i] === want[i], `file ${object.file.ino} byte ${i} is ${have[i]}, not ${want[i]}`);
    }
  }

  private adviseSome(process: TestProcess): void {
    const vpn = this.likelyVpn(process);
    const advice = this.pick([MADV_DONTNEED, MADV_FREE, MADV_FREE, MADV_PAGEOUT, MADV_COLD, MADV_WILLNEED]);
    const pages = this.randomPages(vpn);
    this.advise(process, vpn, pages, advice);
    // What is written again at once must not be dropped later.
    if (advice !== MADV_FREE) return;
    for (let i = 0; i < pages; i++) if (this.chance(40)) this.storeSome(process, vpn + i);
    if (this.chance(50)) this.advise(process, vpn, pages, MADV_PAGEOUT);
  }

  /** Pages go out, come back by a load, are perhaps stored to, and go out again: to the slots they still have. */
  private outAndIn(process: TestProcess): void {
    const vpn = this.likelyVpn(process);
    const pages = 1 + this.below(3);
    for (let round = 0; round < 2; round++) {
      this.advise(process, vpn, pages, MADV_PAGEOUT);
      for (let i = 0; i < pages; i++) this.loadPage(process, vpn + i);
      if (this.chance(70)) this.storeSome(process, vpn);
    }
    this.advise(process, vpn, pages, MADV_PAGEOUT);
    for (let i = 0; i < pages; i++) this.loadPage(process, vpn + i, true);
  }

  private advise(process: TestProcess, vpn: number, pages: number, advice: number): void {
    const range: OraclePage[] = [];
    for (let i = 0; i < pages; i++) {
      const page = process.oracle.pages.get(vpn + i);
      if (page === undefined || page.locked) return;
      if (advice === MADV_FREE && (page.object !== null || page.shared)) return;
      range.push(page);
    }
    this.note(`advise ${vpn}*${pages} ${advice}`);
    const result = process.space.madvise(vpn * PAGE, pages * PAGE, advice);
    if (result < 0 && this.starved) return;
    this.assert(result === 0, `madvise ${advice}: ${result}`);
    for (const page of range) {
      if (page.shared) continue;
      if (advice === MADV_DONTNEED) {
        page.own = null;
        page.lazy = false;
      } else if (advice === MADV_FREE && page.own !== null) page.lazy = true;
    }
  }

  private lockSome(process: TestProcess): void {
    const locked = [...process.oracle.pages].filter(([, page]) => page.locked);
    const all = this.processes.reduce(
      (sum, p) => sum + [...p.oracle.pages.values()].filter((page) => page.locked).length,
      0,
    );
    if (all >= MOST_LOCKED || (locked.length > 0 && this.chance(50))) {
      if (locked.length === 0) return;
      const [vpn, page] = this.pick(locked);
      this.note(`munlock ${vpn}`);
      this.assert(process.space.munlock(vpn * PAGE, PAGE) === 0, "munlock");
      page.locked = false;
      return;
    }
    const vpn = this.likelyVpn(process);
    const page = process.oracle.pages.get(vpn);
    if (page === undefined || page.isBeyondEnd || (page.prot & RW) === 0) return;
    this.note(`mlock ${vpn}`);
    const result = process.space.mlock(vpn * PAGE, PAGE);
    if (result < 0) {
      this.assert(this.starved || this.deviceRefused, `mlock: ${result}`);
      process.space.munlock(vpn * PAGE, PAGE);
      page.locked = false;
    } else page.locked = true;
    this.settleLockedWrite(process, vpn, Object.assign(page, {}), page.prot);
    if (!page.locked && page.object !== null && !page.shared && page.own === null)
      this.settlePopulated(process, vpn, page);
    if (page.lazy && page.locked && page.prot & PROT_WRITE)
      this.settleLazyPage(process, vpn, page, 0, new Uint8Array(0));
  }

  // --- the end ---

  private compareAll(): void {
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

  private tearDown(): void {
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

export function runModel(options: ModelOptions): ModelResult {
  return new Model(options).run();
}
