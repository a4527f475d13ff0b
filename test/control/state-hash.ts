// A fingerprint of everything a guest can notice of a machine, and of the memory core's tables.
import { createHash } from "node:crypto";
import type { Machine } from "../../src/host/node/index.ts";

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
