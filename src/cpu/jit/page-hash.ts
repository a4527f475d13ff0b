// By what is in them, pages of code are found again in another run.

/** Of the 4096 bytes at word `at`, as an index: pages of equal bytes have equal numbers (u32), others most likely not. */
export function pageHash(words: Int32Array, at: number): number {
  let hash = 0;
  for (let i = at; i < at + 1024; i++) {
    hash = Math.imul(hash ^ words[i], 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}
