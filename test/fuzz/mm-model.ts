// Model-based fuzzing of the memory core.
//
// Strategy: a few processes with tiny RAM do random operations (map, unmap, protect, move, fork, exit, load, store, read, write, cut,
// punch, sync, advise, lock) on the real core and on a naive oracle; every byte loaded or read and every error must agree. Addresses
// are chosen from two small windows, one of them across a page-table boundary, so that operations collide. Swap and RAM are so
// small that most pages travel; devices fail now and then; out of memory kills another process, in the middle of an operation.
//
// Invariants: mm.checkInvariants() every `checkEvery` operations (I1-I17, with a TLB that forgets nothing by itself: I13); at the
// end all bytes are compared, then everything is released and no frame, slot or promise may be left.
import { EFAULT, EINVAL, ENOMEM } from "../../src/abi/errno.ts";
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
import { BytesCursor, UserCursor } from "../../src/mm/io-cursor.ts";
import { OracleObject, OraclePage, PAGE } from "./mm-oracle.ts";
import {
  ANONYMOUS_WINDOW,
  HEAP,
  HEAP_PAGES,
  MOST_LOCKED,
  MOST_PROCESSES,
  type ModelOptions,
  type ModelResult,
  OBJECT_PAGES,
  PROT_READ,
  PROT_WRITE,
  RW,
  type TestObject,
  type TestProcess,
  WINDOW_PAGES,
  WINDOWS,
  World,
} from "./mm-world.ts";

export type { ModelOptions, ModelResult } from "./mm-world.ts";

export class Model extends World {
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
    else if (dice < 715) this.unmapSome(process);
    else if (dice < 725) this.moveBreak(process);
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

  // --- areas ---

  private mapSome(process: TestProcess): void {
    const vpn = this.randomVpn();
    const pages = this.randomPages(vpn);
    const prot = this.pick([RW, RW, RW, PROT_READ, 0, PROT_WRITE]);
    const anonymous = vpn >= ANONYMOUS_WINDOW && vpn < ANONYMOUS_WINDOW + WINDOW_PAGES;
    const shared = !anonymous && this.chance(40);
    const from = !anonymous && this.chance(50) ? this.pick(this.objects) : null;
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

  private moveBreak(process: TestProcess): void {
    const { pages } = process.oracle;
    const old = process.space.layout.brk;
    const wanted = HEAP * PAGE + this.below(HEAP_PAGES * PAGE);
    this.note(`brk ${old / PAGE} -> ${wanted / PAGE}`);
    const result = process.space.brk(wanted);
    const [oldEnd, end] = [Math.ceil(old / PAGE), Math.ceil(wanted / PAGE)];
    // Growing keeps a page free above; shrinking wants something to unmap.
    let [collides, shrinks] = [false, false];
    for (let vpn = oldEnd; vpn <= end; vpn++) if (pages.has(vpn)) collides = true;
    for (let vpn = end; vpn < oldEnd; vpn++) if (pages.has(vpn)) shrinks = true;
    const possible = end === oldEnd || (end > oldEnd ? !collides : shrinks);
    this.assert(result === (possible ? wanted : old), `brk: ${result}, wanted ${wanted}, possible: ${possible}`);
    if (result !== wanted) return;
    for (let vpn = oldEnd; vpn < end; vpn++) pages.set(vpn, new OraclePage(RW, false, null, 0));
    for (let vpn = end; vpn < oldEnd; vpn++) pages.delete(vpn);
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
      this.result.sharedTables += this.mm.sharedTables.size;
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
    else if (offset > to.oracle.size && to.oracle.kind === "file") this.zeroOracleTail(to.oracle);
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

  private adviseSome(process: TestProcess): void {
    const advice = this.pick([MADV_DONTNEED, MADV_FREE, MADV_FREE, MADV_PAGEOUT, MADV_COLD, MADV_WILLNEED]);
    if (advice === MADV_FREE) this.freeLazily(process);
    else {
      const vpn = this.likelyVpn(process);
      this.advise(process, vpn, this.randomPages(vpn), advice);
    }
  }

  /** MADV_FREE of a written page and the like pages behind it. What is stored to again must not be dropped later. */
  private freeLazily(process: TestProcess): void {
    const isPlain = (page: OraclePage | undefined) =>
      page !== undefined && page.object === null && !page.shared && !page.locked;
    const written = [...process.oracle.pages].filter(([, page]) => isPlain(page) && page.own !== null);
    if (written.length === 0) return;
    const [vpn] = this.pick(written);
    let pages = 1;
    while (pages < 6 && isPlain(process.oracle.pages.get(vpn + pages))) pages++;
    this.advise(process, vpn, pages, MADV_FREE);
    for (let i = 0; i < pages; i++) if (this.chance(50)) this.storeSome(process, vpn + i);
    if (!this.chance(50)) return;
    this.advise(process, vpn, pages, MADV_PAGEOUT);
    for (let i = 0; i < pages; i++) this.loadPage(process, vpn + i, true);
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
}

export function runModel(options: ModelOptions): ModelResult {
  return new Model(options).run();
}
