// Memory objects as data: their page caches and who maps them; and reading an object's bytes without touching its page cache.
import { PAGE_SIZE } from "../../arch/sv39.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { areaName, permissionsOf } from "../../kernel/vfs/procfs/maps.ts";
import { FileObject } from "../../mm/file-object.ts";
import type { MemoryManager } from "../../mm/memory-manager.ts";
import type { MemoryObject } from "../../mm/memory-object.ts";
import { pidsBySpace } from "./processes.ts";

export interface ObjectMapping {
  spaceId: number;
  pid: number;
  start: number;
  end: number;
  permissions: string;
  /** Page of the object at `start`. */
  firstPage: number;
}

export interface ObjectInfo {
  id: number;
  kind: "file" | "shmem";
  /** Path of a mapping of it, or the name its maker gave; "" when it has neither. */
  name: string;
  sizeBytes: number;
  cachedPages: number;
  dirtyPages: number;
  swappedPages: number;
  mappings: ObjectMapping[];
}

export function objectName(object: MemoryObject): string {
  if (object.name !== "") return object.name;
  for (const area of object.mappers) {
    const name = areaName(area.space, area);
    if (name !== "") return name;
  }
  return "";
}

function describe(object: MemoryObject, pids: ReadonlyMap<number, number>): ObjectInfo {
  return {
    id: object.id,
    kind: object instanceof FileObject ? "file" : "shmem",
    name: objectName(object),
    sizeBytes: object.sizeBytes,
    cachedPages: object.pageCount,
    dirtyPages: object.dirtyPageCount,
    swappedPages: object.pages.slotCount,
    mappings: [...object.mappers].map((area) => ({
      spaceId: area.space.id,
      pid: pids.get(area.space.id) ?? 0,
      start: area.start,
      end: area.end,
      permissions: permissionsOf(area),
      firstPage: area.pageOffset,
    })),
  };
}

/** Every object that holds or maps something; `all`: also those that do neither (files that were only looked at). */
export function describeObjects(k: Kernel, all = false): ObjectInfo[] {
  const pids = pidsBySpace(k);
  const objects: ObjectInfo[] = [];
  for (const object of k.mm.objects.values()) {
    if (all || object.pageCount > 0 || object.mappers.size > 0 || object.pages.slotCount > 0)
      objects.push(describe(object, pids));
  }
  return objects;
}

/** Of each page in [firstPage, firstPage + into.length): > 0 the frame, < 0 the swap slot negated, 0 neither. */
export function objectPages(mm: MemoryManager, id: number, firstPage: number, into: Int32Array): Int32Array {
  const pages = mm.objects.get(id)?.pages;
  for (let i = 0; i < into.length; i++) into[i] = pages === undefined ? 0 : pages.get(firstPage + i);
  return into;
}

/**
 * Copies bytes from `offset` on, from the page cache where they are cached and else from behind it, so that looking leaves no
 * trace. Bytes copied: less than asked at the end, or where they lie in swap or cannot be read.
 */
export function peekObject(mm: MemoryManager, object: MemoryObject, offset: number, into: Uint8Array): number {
  const page = new Uint8Array(PAGE_SIZE);
  const end = Math.min(offset + into.length, object.sizeBytes);
  let at = offset;
  while (at < end) {
    const index = Math.floor(at / PAGE_SIZE);
    const inPage = at - index * PAGE_SIZE;
    const count = Math.min(PAGE_SIZE - inPage, end - at);
    const entry = object.pages.get(index);
    if (entry > 0) {
      const base = entry * PAGE_SIZE + inPage;
      into.set(mm.memory.bytes.subarray(base, base + count), at - offset);
    } else if (entry === 0 && object instanceof FileObject) {
      page.fill(0);
      try {
        object.backing.readPage(index, page);
      } catch {
        break;
      }
      into.set(page.subarray(inPage, inPage + count), at - offset);
    } else break;
    at += count;
  }
  return Math.max(0, at - offset);
}
