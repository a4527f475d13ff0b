// Read-ahead: what comes in with a page of a file, when nothing does, and that what comes in is right.
import { describe, expect, test } from "vitest";
import { MADV_RANDOM, MAP_PRIVATE, PROT_READ } from "../abi/mman.ts";
import { DeviceError } from "./contracts.ts";
import { BytesBacking } from "./embedder.ts";
import { BytesCursor } from "./io-cursor.ts";
import type { MemoryManager } from "./memory-manager.ts";
import { makeMm, makeSpace, P } from "./test-world.ts";

class CountingBacking extends BytesBacking {
  calls: string[] = [];
  failing = false;
  override readPage(index: number, into: Uint8Array): void {
    this.calls.push(String(index));
    super.readPage(index, into);
  }
  override readPages(first: number, into: Uint8Array): void {
    if (this.failing) throw new DeviceError(5, "planned");
    this.calls.push(`${first}*${into.length / P}`);
    super.readPages(first, into);
  }
}

function world(mm: MemoryManager, pages: number, tail = 0) {
  const backing = new CountingBacking();
  const bytes = new Uint8Array(pages * P - tail);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i >> 12) + 1;
  backing.setSize(bytes.length);
  backing.bytes.set(bytes);
  const object = mm.createFileObject(backing, bytes.length);
  const space = makeSpace(mm);
  const at = space.mmap({
    address: 0x1000_0000,
    length: pages * P,
    prot: PROT_READ,
    flags: MAP_PRIVATE,
    object,
    file: null,
    offset: 0,
    maxProt: 7,
  });
  return { backing, object, space, at };
}

describe("read-ahead", () => {
  test("a fault brings its window of 16 pages in at once; the next one maps them all", () => {
    const mm = makeMm(1024, 0, { readAheadPages: 16 });
    const { backing, space, at } = world(mm, 40, 100);
    for (let page = 0; page < 40; page++) expect(space.readU8(at + page * P)).toBe(page + 1);
    expect(backing.calls).toEqual(["0*16", "16*16", "32*8"]);
    expect(space.faults).toMatchObject({ major: 3, minor: 3 });
    // Behind the end of the file its last page is zero.
    expect(space.readU8(at + 40 * P - 100)).toBe(0);
    mm.checkInvariants();
  });

  test("only what is absent is read", () => {
    const mm = makeMm(1024, 0, { readAheadPages: 16 });
    const { backing, object, space, at } = world(mm, 16);
    object.ensurePage(3);
    object.ensurePage(10);
    space.readU8(at + 5 * P);
    expect(backing.calls).toEqual(["3", "10", "4*6"]);
    mm.checkInvariants();
  });

  test("not without spare frames, not for random use, not where eviction is studied", () => {
    const short = makeMm(48, 0, { readAheadPages: 16 });
    const scarce = world(short, 48);
    for (let page = 0; page < 48; page++) expect(scarce.space.readU8(scarce.at + page * P)).toBe(page + 1);
    expect(scarce.backing.calls.length).toBeGreaterThan(3);
    short.checkInvariants();
    const mm = makeMm(1024, 0, { readAheadPages: 16 });
    const random = world(mm, 32);
    random.space.madvise(random.at, 32 * P, MADV_RANDOM);
    random.space.readU8(random.at + 4 * P);
    expect(random.backing.calls).toEqual(["4"]);
    mm.lru.limit = 100;
    const studied = world(mm, 32);
    studied.space.readU8(studied.at);
    expect(studied.backing.calls).toEqual(["0"]);
  });

  test("a neighbour that cannot be read costs nothing: the page itself is tried alone", () => {
    const mm = makeMm(1024, 0, { readAheadPages: 16 });
    const { backing, space, at } = world(mm, 32);
    backing.failing = true;
    expect(space.readU8(at + 2 * P)).toBe(3);
    expect(backing.calls).toEqual(["2"]);
    mm.checkInvariants();
  });

  test("read() fetches what it wants at once, and ahead when it goes in order", () => {
    const mm = makeMm(1024, 0, { readAheadPages: 32 });
    const { backing, object } = world(mm, 100);
    const into = new Uint8Array(P);
    for (let page = 0; page < 20; page++) {
      expect(object.read(new BytesCursor(into), page * P)).toBe(P);
      expect(into[0]).toBe(page + 1);
    }
    expect(backing.calls).toEqual(["0*17", "17*17"]);
    expect(object.read(new BytesCursor(new Uint8Array(4 * P)), 60 * P)).toBe(4 * P);
    expect(backing.calls.at(-1)).toBe("60*4");
    mm.checkInvariants();
  });
});
