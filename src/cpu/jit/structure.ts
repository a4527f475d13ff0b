// Turns a control-flow graph into nested wasm blocks and loops ("Beyond Relooper", Ramsey 2022): dominator tree, merge nodes
// as blocks, loop headers as loops. Node 0 is the dispatcher, through which every edge goes that structured control flow
// cannot express: entries, indirect jumps, jumps into the middle of loops. Knows nothing of instructions.

/** Node 0: its successors are the nodes that can be dispatched to. */
export const DISPATCHER = 0;

export interface Structure {
  /** Nodes that the dispatcher must be able to reach. */
  readonly targets: readonly number[];
  /** Position in reverse postorder; -1 for an unreachable node. */
  readonly order: readonly number[];
  readonly isLoop: readonly boolean[];
  /** Reached from several places, or from the dispatcher: branched to, never emitted in place. */
  readonly isMerge: readonly boolean[];
  /** Merge nodes that a node immediately dominates, the last in reverse postorder first. */
  readonly merges: readonly (readonly number[])[];
  readonly dominator: readonly number[];
  /** Whether the edge must go through the dispatcher. */
  viaDispatcher(from: number, to: number): boolean;
  dominates(a: number, b: number): boolean;
}

/**
 * @param successors direct successors of nodes 1..; index 0 is ignored. DISPATCHER as a successor: an indirect jump.
 * @param targets nodes that the dispatcher reaches in any case
 */
export function structure(successors: readonly (readonly number[])[], targets: ReadonlySet<number>): Structure {
  const wanted = new Set(targets);
  const indirect = new Set<number>();
  const size = successors.length;
  for (;;) {
    const next = successors.map((list, from) =>
      from === DISPATCHER
        ? [...wanted]
        : [...new Set(list.map((to) => (indirect.has(from * size + to) ? DISPATCHER : to)))],
    );
    const order = reversePostorder(next);
    const dominator = dominators(next, order);
    let changed = false;
    for (const from of order.sequence) {
      for (const to of next[from]) {
        if (order.position[to] > order.position[from] || dominates(dominator, order.position, to, from)) continue;
        wanted.add(to);
        indirect.add(from * size + to);
        changed = true;
      }
    }
    if (!changed) return describe(next, order, dominator, wanted, (from, to) => indirect.has(from * size + to));
  }
}

interface Order {
  readonly sequence: number[];
  readonly position: number[];
}

function reversePostorder(next: readonly (readonly number[])[]): Order {
  const position = new Array<number>(next.length).fill(-1);
  const postorder: number[] = [];
  const seen = new Uint8Array(next.length);
  const stack: [number, number][] = [[DISPATCHER, 0]];
  seen[DISPATCHER] = 1;
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    const list = next[top[0]];
    if (top[1] < list.length) {
      const to = list[top[1]++];
      if (seen[to] === 0) {
        seen[to] = 1;
        stack.push([to, 0]);
      }
    } else {
      postorder.push(top[0]);
      stack.pop();
    }
  }
  const sequence = postorder.reverse();
  sequence.forEach((node, i) => {
    position[node] = i;
  });
  return { sequence, position };
}

/** Immediate dominators (Cooper, Harvey, Kennedy: "A simple, fast dominance algorithm"). */
function dominators(next: readonly (readonly number[])[], { sequence, position }: Order): number[] {
  const predecessors: number[][] = next.map(() => []);
  for (const from of sequence) for (const to of next[from]) predecessors[to].push(from);
  const dominator = new Array<number>(next.length).fill(-1);
  dominator[DISPATCHER] = DISPATCHER;
  const meet = (a: number, b: number): number => {
    while (a !== b) {
      while (position[a] > position[b]) a = dominator[a];
      while (position[b] > position[a]) b = dominator[b];
    }
    return a;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of sequence) {
      if (node === DISPATCHER) continue;
      let best = -1;
      for (const from of predecessors[node]) {
        if (dominator[from] >= 0) best = best < 0 ? from : meet(best, from);
      }
      if (dominator[node] !== best) {
        dominator[node] = best;
        changed = true;
      }
    }
  }
  return dominator;
}

function dominates(dominator: readonly number[], position: readonly number[], a: number, b: number): boolean {
  while (position[b] > position[a]) b = dominator[b];
  return a === b;
}

function describe(
  next: readonly (readonly number[])[],
  { sequence, position }: Order,
  dominator: number[],
  wanted: ReadonlySet<number>,
  viaDispatcher: (from: number, to: number) => boolean,
): Structure {
  const forward = new Array<number>(next.length).fill(0);
  const isLoop = new Array<boolean>(next.length).fill(false);
  for (const from of sequence) {
    for (const to of next[from]) {
      if (position[to] > position[from]) forward[to]++;
      else isLoop[to] = true;
    }
  }
  const isMerge = forward.map((count, node) => count > 1 || wanted.has(node));
  const merges: number[][] = next.map(() => []);
  for (let i = sequence.length - 1; i > 0; i--) {
    const node = sequence[i];
    if (isMerge[node]) merges[dominator[node]].push(node);
  }
  return {
    targets: [...wanted].sort((a, b) => position[a] - position[b]),
    order: position,
    isLoop,
    isMerge,
    merges,
    dominator,
    viaDispatcher,
    dominates: (a, b) => dominates(dominator, position, a, b),
  };
}
