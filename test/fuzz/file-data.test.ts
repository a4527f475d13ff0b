// Strategy: random writes, reads, truncations, holes, evictions and reopenings of a few files in a memory too small to hold
// them, against plain byte arrays. Invariants: every byte read and every size is as in the array; at the end the host's file
// (where there is one) holds the same bytes, and mm's own invariants hold.
import { describe, expect, it } from "vitest";
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  O_CREAT,
  O_RDWR,
  POSIX_FADV_DONTNEED,
} from "../../src/abi/fcntl.ts";
import { S_IFREG } from "../../src/abi/stat.ts";
import { BaseFs } from "../../src/kernel/vfs/basefs.ts";
import type { FileSystem } from "../../src/kernel/vfs/inode.ts";
import { MemoryHostFiles } from "../../src/kernel/vfs/memory-host-files.ts";
import { OverlayFs } from "../../src/kernel/vfs/overlayfs.ts";
import { TmpFs } from "../../src/kernel/vfs/tmpfs.ts";
import { Prng } from "../../src/util/prng.ts";
import { DATA, VfsKit } from "../support/vfs-kit.ts";

const FILES = 4;
const MAX_BYTES = 600_000;
const OPERATIONS = 3000;
const PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

function startingBytes(index: number): Uint8Array {
  const bytes = new Uint8Array(100_000 * index + 777);
  new Prng(index + 50).fill(bytes);
  return bytes;
}

function hostWithFiles(): MemoryHostFiles {
  const host = new MemoryHostFiles();
  for (let i = 0; i < FILES; i++) host.add(`/f${i}`, S_IFREG | 0o644, startingBytes(i));
  return host;
}

/** A file as it should be. */
class Model {
  bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  resize(size: number): void {
    const next = new Uint8Array(size);
    next.set(this.bytes.subarray(0, size));
    this.bytes = next;
  }

  write(at: number, data: Uint8Array): void {
    if (at + data.length > this.bytes.length) this.resize(at + data.length);
    this.bytes.set(data, at);
  }
}

function step(kit: VfsKit, random: Prng, fd: number, model: Model): void {
  const at = random.below(MAX_BYTES - 70_000);
  const length = 1 + random.below(random.below(4) === 0 ? 60_000 : 5000);
  switch (random.below(9)) {
    case 0:
    case 1:
    case 2: {
      const from = random.below(2) === 0 ? Math.min(at, model.bytes.length) : at;
      const data = new Uint8Array(length).fill(random.below(256));
      kit.memory.set(data, DATA);
      expect(kit.call("pwrite64", fd, DATA, length, from)).toBe(length);
      model.write(from, data);
      break;
    }
    case 3: {
      const size = random.below(MAX_BYTES);
      expect(kit.call("ftruncate", fd, size)).toBe(0);
      model.resize(size);
      break;
    }
    case 4:
      expect(kit.call("fallocate", fd, PUNCH, at, length)).toBe(0);
      model.bytes.fill(0, at, at + length);
      break;
    case 5:
      if (random.below(8) === 0) kit.evictAll();
      else expect(kit.call("fadvise64", fd, at, length, POSIX_FADV_DONTNEED)).toBe(0);
      break;
    case 6:
      if (random.below(4) === 0) expect(kit.call("fsync", fd)).toBe(0);
      break;
    default: {
      const count = Math.min(length, 60_000);
      const expected = model.bytes.subarray(at, at + count);
      expect(kit.call("pread64", fd, DATA, count, at)).toBe(expected.length);
      expect(Buffer.compare(kit.memory.subarray(DATA, DATA + expected.length), expected)).toBe(0);
    }
  }
}

const kinds: [string, (kit: VfsKit, host: MemoryHostFiles) => FileSystem][] = [
  ["tmpfs", (kit) => new TmpFs(kit.vfs, "tmpfs", { sizeBytes: 64 << 20 })],
  ["overlay", (kit, host) => new OverlayFs(kit.vfs, host)],
  ["host folder", (kit, host) => new BaseFs(kit.vfs, host, { writable: true, shared: true })],
];

describe.each(kinds)("file data on %s", (name, makeRoot) => {
  it.each([1, 2, 3])("agrees with plain arrays, seed %i", (seed) => {
    const host = hostWithFiles();
    // Shared-memory pages cannot leave memory without swap.
    const kit = new VfsKit((k) => makeRoot(k, host), false, name === "tmpfs" ? 16 << 20 : 1_900_000 & ~4095);
    const random = new Prng(seed);
    const models: Model[] = [];
    const fds: number[] = [];
    for (let i = 0; i < FILES; i++) {
      fds.push(kit.open(`/f${i}`, O_RDWR | O_CREAT));
      models.push(new Model(name === "tmpfs" ? new Uint8Array(0) : startingBytes(i)));
    }
    for (let n = 0; n < OPERATIONS; n++) {
      const i = random.below(FILES);
      if (random.below(50) === 0) {
        kit.call("close", fds[i]);
        fds[i] = kit.open(`/f${i}`, O_RDWR);
      }
      step(kit, random, fds[i], models[i]);
      expect(kit.stat(`/f${i}`).size).toBe(models[i].bytes.length);
      if (n % 500 === 0) kit.mm.checkInvariants();
    }
    kit.call("sync");
    kit.mm.checkInvariants();
    for (let i = 0; i < FILES; i++) {
      const onHost = host.tree.names?.get(`f${i}`);
      const expected = name === "host folder" ? models[i].bytes : startingBytes(i);
      expect(Buffer.compare(onHost?.bytes.subarray(0, onHost.sizeBytes) ?? new Uint8Array(0), expected)).toBe(0);
    }
  });
});
