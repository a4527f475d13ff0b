// What the recording interpreter wrote down (RECORDING), line by line: a line is what ran from where a jump went to the next jump.
// Of the thousands of lines of a recording few differ.
import { MOST_RECORDED, RECORDED, RECORDING } from "../layout.ts";

const WORDS_PER_JUMP = 4;
const FIRST = RECORDING >> 2;
/** Of the table of lines by their hash: sparse, as there can be so many. */
const SLOTS_LOG2 = 15;

/** By hash: number of the jump that ends the line; 0, which begins elsewhere, for none. Empty between recordings, many of which are short. */
const slots = new Uint16Array(2 ** SLOTS_LOG2);
/** By the number of the jump that ended the line first. */
const times = new Uint16Array(MOST_RECORDED);

/** Calls `visit` for each different line, as they first ran, with the times it did; `start` is where the first began. */
export function forEachLine(
  words: Int32Array,
  start: number,
  visit: (from: number, jump: number, to: number, times: number) => void,
): void {
  const count = Math.min(words[RECORDED / 4], MOST_RECORDED);
  if (count === 0) return;
  const address = (at: number) => words[at + 1] * 2 ** 32 + (words[at] >>> 0);
  const different: number[] = [];
  const taken: number[] = [];
  for (let i = 1; i < count; i++) {
    const slot = slotOf(words, i);
    if (slots[slot] === 0) {
      slots[slot] = i;
      times[i] = 0;
      different.push(i);
      taken.push(slot);
    }
    times[slots[slot]]++;
  }
  for (const slot of taken) slots[slot] = 0;
  visit(start, address(FIRST), address(FIRST + 2), 1);
  for (const i of different) {
    const at = FIRST + WORDS_PER_JUMP * i;
    visit(address(at - 2), address(at), address(at + 2), times[i]);
  }
}

/** Where the line that ends with this jump is in the table, or shall be. */
function slotOf(words: Int32Array, jump: number): number {
  // Its beginning (two words), its jump, and where that went.
  const at = FIRST + WORDS_PER_JUMP * jump - 2;
  let hash =
    Math.imul(words[at], 0x9e3779b1) ^ Math.imul(words[at + 2], 0x85ebca6b) ^ Math.imul(words[at + 4], 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> (32 - SLOTS_LOG2);
  for (;;) {
    const other = slots[hash];
    if (other === 0 || isSame(words, at, FIRST + WORDS_PER_JUMP * other - 2)) return hash;
    hash = (hash + 1) & (slots.length - 1);
  }
}

function isSame(words: Int32Array, a: number, b: number): boolean {
  for (let i = 0; i < 6; i++) if (words[a + i] !== words[b + i]) return false;
  return true;
}
