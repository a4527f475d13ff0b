// Loops of a region, and the registers that point into few pages while one runs.
import type { Block } from "./blocks.ts";
import { DISPATCHER, type Structure } from "./structure.ts";

export interface Loop {
  readonly head: number;
  readonly body: ReadonlySet<number>;
}

/**
 * Loops by structured jumps, the outer ones before those in them. Jumps back to one head make one loop, but where the region is
 * entered at the head each makes one of its own, too: seen from within an inner loop, the loops around it begin where it begins.
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
  const targets = new Set(shape.targets);
  return heads.flatMap((head) => {
    const jumps = ends.get(head)!;
    const whole = { head, body: bodyOf(head, jumps, predecessors) };
    if (jumps.length === 1 || !targets.has(head)) return [whole];
    const turns = jumps.map((jump) => ({ head, body: bodyOf(head, [jump], predecessors) }));
    const inner = turns.filter(({ body }) => body.size < whole.body.size);
    return [whole, ...inner.sort((a, b) => b.body.size - a.body.size)];
  });
}

/** What reaches one of the jumps back to the head without passing it. */
function bodyOf(head: number, jumps: readonly number[], predecessors: readonly (readonly number[])[]): Set<number> {
  const body = new Set([head]);
  const queue = [...jumps];
  while (queue.length > 0) {
    const node = queue.pop()!;
    if (body.has(node)) continue;
    body.add(node);
    queue.push(...predecessors[node]);
  }
  return body;
}

/** A register that moves by at most so many bytes at a time stays in its page for some turns. */
const SMALL_STEP = 512;

/** Registers, as bits, by what the innermost loop around a node does to them. */
export interface BaseRegisters {
  /** Nothing changes them but small additions. */
  readonly steady: Int32Array;
  /**
   * They follow a list (only loads through themselves change them, so that each address waits for the one before), or go through memory in
   * some regular way: only what adds to and shifts such registers changes them.
   */
  readonly roaming: Int32Array;
}

const REGULAR = new Set(["add", "addi", "addw", "addiw", "sub", "subw", "slli", "slliw", "srli", "lui", "auipc"]);

export function baseRegisters(loops: readonly Loop[], blocks: readonly (Block | null)[]): BaseRegisters {
  const steady = new Int32Array(blocks.length);
  const roaming = new Int32Array(blocks.length);
  for (const { body } of loops) {
    // Over-careful for floating-point results, whose rd is no integer register.
    const writes = [...body]
      .flatMap((node) => blocks[node]?.instructions ?? [])
      .filter(({ row }) => row!.format !== "S" && row!.format !== "B");
    let [unmoved, followed, regular] = [~1, ~1, ~0];
    for (const { row, rd, rs1, imm } of writes) {
      const { name } = row!;
      const isStep = name === "addi" && rd === rs1 && Math.abs(imm) <= SMALL_STEP;
      if (!isStep) unmoved &= ~(1 << rd);
      if (name !== "ld" || rd !== rs1) followed &= ~(1 << rd);
    }
    for (let before = 0; before !== regular; ) {
      before = regular;
      for (const { row, rd, rs1, rs2 } of writes) {
        const sources = row!.format === "U" ? 0 : (1 << rs1) | (row!.format === "R" ? 1 << rs2 : 0);
        if (!REGULAR.has(row!.name) || (sources & ~regular) !== 0) regular &= ~(1 << rd);
      }
    }
    for (const node of body) {
      steady[node] = unmoved;
      roaming[node] = (followed | regular) & ~unmoved & ~1;
    }
  }
  return { steady, roaming };
}
