// Decides where guest registers live in a region. In loops that nothing enters or leaves but by their head and plain exits,
// they are resident: locals hold them from the head on, and memory is brought up to date where control leaves the loop.
// Elsewhere locals hold them within one straight line of blocks, and memory does between these: code that calls and returns
// is left and entered all the time, and a merge of thirty registers costs more than the few loads and stores of a block.
import type { Block } from "./blocks.ts";
import type { Loop } from "./loops.ts";
import { addOperands } from "./operands.ts";
import type { RegisterSet } from "./register-set.ts";
import { DISPATCHER } from "./structure.ts";

export interface Scope {
  readonly header: number;
  /** All registers that the blocks of the scope use, and those that they write. */
  readonly used: RegisterSet;
  readonly written: RegisterSet;
}

/** Regions of at most this many instructions have their registers resident throughout. */
const SMALL_REGION = 100;

/**
 * The scope of every node: the outermost loop that it is in, or null.
 * @param calls whether control can pass through another region behind a node: it must find the registers in memory
 * @param instructionCount of all blocks
 */
export function findScopes(
  loops: readonly Loop[],
  blocks: readonly (Block | null)[],
  calls: readonly boolean[],
  instructionCount: number,
): (Scope | null)[] {
  const isSmall = instructionCount <= SMALL_REGION && !calls.includes(true);
  const headers = isSmall ? blocks.map(() => DISPATCHER) : outermostHeads(loops, calls);
  const scopes = new Map<number, Scope>();
  return headers.map((header, node) => {
    if (header < 0) return null;
    let scope = scopes.get(header);
    if (scope === undefined) {
      scope = { header, used: { x: 0, f: 0 }, written: { x: 0, f: 0 } };
      scopes.set(header, scope);
    }
    addRegisters(blocks[node], scope);
    return scope;
  });
}

function addRegisters(block: Block | null, { used, written }: Scope): void {
  for (const instruction of block?.instructions ?? []) addOperands(instruction, used, written);
  used.x |= written.x;
  used.f |= written.f;
}

/**
 * By node: the head of the outermost loop around it that calls no other region, or -1. Of loops with one head all or none: a jump back
 * to it from outside of the scope would find nothing in the locals.
 */
function outermostHeads(loops: readonly Loop[], calls: readonly boolean[]): number[] {
  const heads = new Array<number>(calls.length).fill(-1);
  const refused = new Set<number>();
  for (const { head, body } of loops) {
    if (heads[head] >= 0 || refused.has(head)) continue;
    if ([...body].some((node) => calls[node])) refused.add(head);
    else for (const node of body) heads[node] = head;
  }
  return heads;
}
