// A fingerprint of everything a guest can notice of a machine, and of the memory core's tables.
import { createHash } from "node:crypto";
import type { Machine } from "../../src/host/node/index.ts";
import { GuestState } from "../../src/machine/control/guest-state.ts";

export function stateHash(machine: Machine): string {
  const { mm, tasks, hart, turns, clock, timers } = machine.kernel;
  const hash = createHash("sha1");
  const { frames, memory, swap } = mm;
  for (let pfn = 0; pfn < frames.frameCount; pfn++) {
    if (frames.kind[pfn] !== 0) hash.update(memory.bytes.subarray(pfn * 4096, pfn * 4096 + 4096));
  }
  for (const column of [frames.kind, frames.flags, frames.mapCount, frames.owner, frames.index, frames.lruNext]) {
    hash.update(new Uint8Array(column.buffer, column.byteOffset, column.byteLength));
  }
  for (let slot = 1; slot <= swap.highestSlot; slot++) hash.update(`${swap.refsOf(slot)} ${swap.frameOf(slot)}`);
  for (const task of tasks.values()) {
    hash.update(JSON.stringify([task.tid, task.state, task.userNs, task.systemNs, task.syscallCount]));
    if (task.isAlive) hash.update(JSON.stringify(machine.inspect.registers(task.tid)));
  }
  hash.update(JSON.stringify([mm.counters, hart.instructions, turns, clock.monotonicNs(), timers.nextNs]));
  hash.update(JSON.stringify([machine.inspect.processes(), machine.inspect.objects(true), machine.kernel.logLines]));
  return hash.digest("hex");
}

/** Places to look things up faster, and scratch space: what is in them changes nothing. Looking at a machine changes some. */
const CACHES = new Set(["leafKey", "leafBase", "found", "cachedArea", "lastFound", "hint"]);

/** A fingerprint of every object that the kernel reaches: fields, elements, entries in their order, and who refers to whom. */
export function graphHash(machine: Machine): string {
  const { kernel } = machine;
  const scope = new GuestState(kernel, machine.folders);
  const hash = createHash("sha1");
  const ids = new Map<object, number>([[kernel, 0]]);
  const queue: object[] = [kernel];
  const value = (slot: unknown): string => {
    if (typeof slot === "function") return "function";
    if (typeof slot !== "object" || slot === null) return `${typeof slot} ${String(slot)}`;
    let id = ids.get(slot);
    if (id === undefined) {
      id = ids.size;
      ids.set(slot, id);
      if (!scope.isOpaque(slot)) queue.push(slot);
    }
    return `#${id}`;
  };
  for (const object of queue) {
    const name = object.constructor?.name ?? "";
    if (ArrayBuffer.isView(object)) {
      hash.update(new Uint8Array(object.buffer, object.byteOffset, object.byteLength));
    } else if (object instanceof Map) {
      for (const [key, entry] of object) hash.update(`${value(key)}=${value(entry)},`);
    } else if (object instanceof Set || Array.isArray(object)) {
      for (const entry of object) hash.update(`${value(entry)},`);
    } else {
      const host = scope.hostFields(object);
      for (const [key, field] of Object.entries(object)) {
        if (!host?.has(key) && !CACHES.has(key)) hash.update(`${name}.${key}=${value(field)},`);
      }
    }
  }
  return hash.digest("hex");
}
