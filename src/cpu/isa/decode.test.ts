// What a halfword expands to has a form of 2 bytes: the interpreter takes the length of an instruction from its form.
import { expect, it } from "vitest";
import { COMPRESSED_FORMS } from "./compressed.ts";
import { decode, FIRST_FORM, FORMS, HANDLER_ILLEGAL, newDecoded } from "./decode.ts";

it("every compressed instruction has a form of 2 bytes, and every such form an instruction", () => {
  const decoded = newDecoded();
  const seen = new Set<string>();
  const wrong: string[] = [];
  for (let half = 0; half < 65536; half++) {
    if ((half & 3) === 3) continue;
    // In the middle of its page, where jumps are near, and at no place in it, where none is.
    for (const offset of [2048, -1]) {
      decode(half, offset, decoded);
      if (decoded.handler === HANDLER_ILLEGAL) continue;
      const { name, lengthBytes } = FORMS[decoded.handler - FIRST_FORM];
      seen.add(name);
      if (lengthBytes !== 2) wrong.push(`${half.toString(16)} ${name}`);
    }
  }
  expect(wrong).toEqual([]);
  expect([...seen].sort()).toEqual([...COMPRESSED_FORMS].sort());
});
