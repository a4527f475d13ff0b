// Decides where guest registers live in a region. In loops that nothing enters or leaves but by their head and plain exits,
// they are resident: locals hold them from the head on, and memory is brought up to date where control leaves the loop.
// Elsewhere locals hold them within one straight line of blocks, and memory does between these: code that calls and returns
// is left and entered all the time, and a merge of thirty registers costs more than the few loads and stores of a block.
import type { Block } from "./blocks.ts";
import { addOperands } from "./operands.ts";
import type { RegisterSet } from "./register-set.ts";
import { DISPATCHER, type Structure } from "./structure.ts";

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
 * @param successors as given to structure()
 * @param calls whether control can pass through another region behind a node: it must find the registers in memory
 * @param instructionCount of all blocks
 */
export function findScopes(
  shape: Structure,
  successors: readonly (readonly number[])[],
  blocks: readonly (Block | null)[],
  calls: readonly boolean[],
  instructionCount: number,
): (Scope | null)[] {
  const isSmall = instructionCount <= SMALL_REGION && !calls.includes(true);
  const headers = isSmall ? blocks.map(() => DISPATCHER) : outermostLoops(shape, successors, calls);
  const scopes = new Map<number, Scope>();
  return headers.map((header) => {
    if (header < 0) return null;
    let scope = scopes.get(header);
    if (scope === undefined) {
      scope = { header, used: { x: 0, f: 0 }, written: { x: 0, f: 0 } };
      scopes.set(header, scope);
      headers.forEach((other, member) => {
        if (other === header) addRegisters(blocks[member], scope!);
      });
    }
    return scope;
  });
}

function addRegisters(block: Block | null, { used, written }: Scope): void {
  for (const instruction of block?.instructions ?? []) addOperands(instruction, used, written);
  used.x |= written.x;
  used.f |= written.f;
}

/** By node: the head of the outermost loop around it that calls no other region, or -1. */
function outermostLoops(
  shape: Structure,
  successors: readonly (readonly number[])[],
  calls: readonly boolean[],
): number[] {
  const predecessors: number[][] = successors.map(() => []);
  const heads = new Map<number, number[]>();
  successors.forEach((list, from) => {
    if (from === DISPATCHER || shape.order[from] < 0) return;
    for (const to of list) {
      if (to === DISPATCHER || shape.viaDispatcher(from, to)) continue;
      predecessors[to].push(from);
      if (shape.order[to] <= shape.order[from]) heads.set(to, [...(heads.get(to) ?? []), from]);
    }
  });
  const headers = new Array<number>(successors.length).fill(-1);
  for (const head of [...heads.keys()].sort((a, b) => shape.order[a] - shape.order[b])) {
    if (headers[head] >= 0) continue;
    // The body: what reaches a jump back to the head without passing it.
    const body = new Set([head]);
    const queue = [...heads.get(head)!];
    while (queue.length > 0) {
      const node = queue.pop()!;
      if (headers[node] >= 0 || body.has(node)) continue;
      body.add(node);
      queue.push(...predecessors[node]);
    }
    if ([...body].some((node) => calls[node])) continue;
    for (const node of body) headers[node] = head;
  }
  return headers;
}
