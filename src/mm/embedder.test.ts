// The memory core by itself, as an embedder without a CPU uses it: only what index.ts exports.
import { expect, test } from "vitest";
import {
  BytesBacking,
  BytesCursor,
  BytesSwapDevice,
  createMemory,
  FAULT_BUS_ADRERR,
  FAULT_MINOR,
  FAULT_SEGV_ACCERR,
  FAULT_SEGV_MAPERR,
  load,
  store,
} from "./index.ts";

const P = 4096;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;

test("map, store, load, fork, swap", () => {
  const mm = createMemory({ ramBytes: 64 * P, swapDevice: new BytesSwapDevice(256) });
  const space = mm.createSpace()!;
  const request = {
    address: 0,
    length: 128 * P,
    prot: 3,
    flags: MAP_PRIVATE | MAP_ANONYMOUS,
    object: null,
    file: null,
    offset: 0,
  };
  const at = space.mmap({ ...request, maxProt: 7 });
  for (let i = 0; i < 128; i++) expect(store(space, at + i * P + 5, new Uint8Array([i, 1]))).toBe(FAULT_MINOR);
  const child = mm.forkSpace(space)!;
  // Across a page boundary.
  expect(store(child, at + 2 * P - 1, new Uint8Array([8, 9]))).toBe(FAULT_MINOR);
  const bytes = new Uint8Array(2);
  expect(load(child, at + 2 * P - 1, bytes)).toBe(FAULT_MINOR);
  expect([...bytes]).toEqual([8, 9]);
  for (let i = 0; i < 128; i++) {
    expect(load(space, at + i * P + 5, bytes)).toBe(FAULT_MINOR);
    expect([...bytes]).toEqual([i, 1]);
  }
  expect(mm.counters.pswpout).toBeGreaterThan(60);
  mm.checkInvariants();
});

test("a file in bytes, mapped and written back; faults come out as codes", () => {
  const mm = createMemory({ ramBytes: 64 * P });
  const space = mm.createSpace()!;
  const backing = new BytesBacking(new Uint8Array([104, 101, 108, 108, 111]));
  const object = mm.createFileObject(backing, 5);
  const at = space.mmap({
    address: 0,
    length: 2 * P,
    prot: 3,
    flags: MAP_SHARED,
    object,
    file: null,
    offset: 0,
    maxProt: 7,
  });
  const word = new Uint8Array(5);
  expect(load(space, at, word)).toBe(FAULT_MINOR);
  expect(String.fromCharCode(...word)).toBe("hello");
  expect(store(space, at, new Uint8Array([72]))).toBe(FAULT_MINOR);
  expect(backing.bytes[0]).toBe(104);
  expect(space.msync(at, P, 4)).toBe(0);
  expect(backing.bytes[0]).toBe(72);
  expect(object.write(new BytesCursor(new Uint8Array([33])), 5)).toBe(1);
  expect(load(space, at, new Uint8Array(6))).toBe(FAULT_MINOR);
  expect(load(space, at + P, word)).toBe(FAULT_BUS_ADRERR);
  space.mprotect(at, P, 1);
  expect(store(space, at, word)).toBe(FAULT_SEGV_ACCERR);
  expect(load(space, 8, word)).toBe(FAULT_SEGV_MAPERR);
  space.release();
  object.release();
  expect([mm.freeFrames, backing.bytes.length]).toEqual([62, 6]);
  mm.checkInvariants();
});
