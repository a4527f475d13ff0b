// Loops of a region, and the registers that point into the same page most of the time while one runs.
import type { Block } from "./blocks.ts";
import { DISPATCHER, type Structure } from "./structure.ts";

export interface Loop {
  readonly head: number;
  readonly body: ReadonlySet<number>;
}

/**
 * Loops by structured jumps, the outer ones before those in them.
 * @param successors as given to structure()
 */
export function findLoops(shape: Structure, successors: readonly (readonly number[])[]): Loop[] {
  const predecessors: number[][] = successors.map(() => []);
  const ends = new Map<number, number[]>();
  successors.forEach((list, from) => {
    if (from === DISPATCHER || shape.order[from] < 0) return;
    for (const to of list) {
      if (to === DISPATCHER || shape.viaDispatcher(from, to)) continue;
      predecessors[to].push(from);
      if (shape.order[to] <= shape.order[from]) ends.set(to, [...(ends.get(to) ?? []), from]);
    }
  });
  const heads = [...ends.keys()].sort((a, b) => shape.order[a] - shape.order[b]);
  return heads.map((head) => {
    // The body: what reaches a jump back to the head without passing it.
    const body = new Set([head]);
    const queue = [...ends.get(head)!];
    while (queue.length > 0) {
      const node = queue.pop()!;
      if (body.has(node)) continue;
      body.add(node);
      queue.push(...predecessors[node]);
    }
    return { head, body };
  });
}

/** A register that moves by at most so many bytes at a time stays in its page for some turns. */
const SMALL_STEP = 512;

/** By node, as bits: the registers that nothing in its innermost loop changes but small additions. */
export function steadyRegisters(loops: readonly Loop[], blocks: readonly (Block | null)[]): Int32Array {
  const steady = new Int32Array(blocks.length);
  for (const { body } of loops) {
    let registers = ~1;
    for (const node of body) {
      for (const { row, rd, rs1, imm } of blocks[node]?.instructions ?? []) {
        const { name, format } = row!;
        const isStep = name === "addi" && rd === rs1 && Math.abs(imm) <= SMALL_STEP;
        // Over-careful for floating-point results, whose rd is no integer register.
        if (format !== "S" && format !== "B" && !isStep) registers &= ~(1 << rd);
      }
    }
    for (const node of body) steady[node] = registers;
  }
  return steady;
}
