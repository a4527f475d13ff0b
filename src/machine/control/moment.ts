// A moment of a run: instructions retired, and turns of the kernel between instructions. Both only grow, so moments are ordered.

export interface Moment {
  readonly instructions: number;
  readonly turns: number;
}

export const BEFORE_ALL: Moment = { instructions: -1, turns: -1 };
export const NEVER: Moment = { instructions: Number.POSITIVE_INFINITY, turns: Number.POSITIVE_INFINITY };

/** Negative: a is earlier. */
export function compareMoments(a: Moment, b: Moment): number {
  return a.instructions === b.instructions ? sign(a.turns, b.turns) : sign(a.instructions, b.instructions);
}

function sign(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function earlier(a: Moment, b: Moment): Moment {
  return compareMoments(a, b) <= 0 ? a : b;
}
