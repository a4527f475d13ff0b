// Moves bits of a word to other places, as two pictures say: the notation of the manual's tables of encodings.

/** What makes one word of another. */
export interface BitMoves {
  /** Bits that are always set. */
  readonly constant: number;
  /** Those under the mask, `left` bits to the left (negative: to the right). */
  readonly moves: readonly { readonly mask: number; readonly left: number }[];
  /** Bit `bit` in every place of the mask. */
  readonly fills: readonly { readonly bit: number; readonly mask: number }[];
}

/**
 * `from` and `to` show words, highest bit first; blanks mean nothing. A bit of `to` is 0, 1, or has the letter of the bits of
 * `from` that it takes: in their order, and the first again behind the last, so that one letter for one bit extends a sign.
 */
export function bitMoves(from: string, to: string): BitMoves {
  const source = bitsOf(from);
  const target = bitsOf(to);
  let constant = 0;
  const moves = new Map<number, number>();
  const fills = new Map<number, number>();
  const taken = new Map<string, number>();
  for (let i = 0; i < target.length; i++) {
    const letter = target[i];
    const bit = target.length - 1 - i;
    if (letter === "1") constant |= 1 << bit;
    if (letter === "0" || letter === "1") continue;
    const places = [...Array(source.length).keys()].filter((at) => source[at] === letter);
    if (places.length === 0) throw new Error(`nothing for ${letter} of ${to} in ${from}`);
    const count = taken.get(letter) ?? 0;
    taken.set(letter, count + 1);
    const sourceBit = source.length - 1 - places[count % places.length];
    const isFill = places.length === 1 && target.split(letter).length > 2;
    if (isFill) fills.set(sourceBit, (fills.get(sourceBit) ?? 0) | (1 << bit));
    else moves.set(bit - sourceBit, (moves.get(bit - sourceBit) ?? 0) | (1 << sourceBit));
  }
  return {
    constant,
    moves: [...moves].map(([left, mask]) => ({ mask, left })),
    fills: [...fills].map(([bit, mask]) => ({ bit, mask })),
  };
}

/** The bits of a picture that are 0 or 1, as those under a mask. */
export function pictureMatch(picture: string): { mask: number; match: number } {
  const bits = bitsOf(picture);
  return {
    mask: Number.parseInt(bits.replace(/0/g, "1").replace(/[^1]/g, "0"), 2),
    match: Number.parseInt(bits.replace(/[^1]/g, "0"), 2),
  };
}

/** The word made of `word`, as a signed number. */
export function moveBits(word: number, { constant, moves, fills }: BitMoves): number {
  let out = constant;
  for (const { mask, left } of moves) out |= left >= 0 ? (word & mask) << left : (word & mask) >>> -left;
  for (const { bit, mask } of fills) if ((word >>> bit) & 1) out |= mask;
  return out;
}

function bitsOf(picture: string): string {
  return picture.replaceAll(" ", "");
}
