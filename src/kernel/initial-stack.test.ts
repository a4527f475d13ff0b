// The initial stack, read back as a program's start code would.
import { describe, expect, it } from "vitest";
import { AT_EXECFN, AT_PAGESZ, AT_RANDOM } from "../abi/elf.ts";
import { decodeUtf8, encodeUtf8 } from "../util/utf8.ts";
import { buildInitialStack } from "./initial-stack.ts";

const TOP = 0x3ffffff000;

function build(argv: string[], envp: string[], slack = 0) {
  const stack = buildInitialStack({
    top: TOP,
    fileName: encodeUtf8("/bin/prog"),
    argv: argv.map(encodeUtf8),
    envp: envp.map(encodeUtf8),
    random: new Uint8Array(16).fill(0xab),
    auxv: [[AT_PAGESZ, 4096]],
    slack,
  });
  const view = new DataView(stack.bytes.buffer);
  const word = (address: number) => Number(view.getBigUint64(address - stack.sp, true));
  const text = (address: number) => {
    const at = address - stack.sp;
    return decodeUtf8(stack.bytes, at, stack.bytes.indexOf(0, at));
  };
  return { stack, word, text };
}

describe("buildInitialStack", () => {
  it.each([0, 1, 7].flatMap((n) => [0, 16, 4096].map((slack) => [n, slack])))("%i arguments, slack %i", (n, slack) => {
    const argv = Array.from({ length: n }, (_, i) => "a".repeat(i));
    const envp = Array.from({ length: n + 1 }, (_, i) => `V${i}=${"ü".repeat(i)}`);
    const { stack, word, text } = build(argv, envp, slack);
    expect(stack.sp % 16).toBe(0);
    expect(stack.sp + stack.bytes.length).toBe(TOP);
    let at = stack.sp;
    expect(word(at)).toBe(n);
    for (const arg of argv) expect(text(word((at += 8)))).toBe(arg);
    expect(word((at += 8))).toBe(0);
    for (const variable of envp) expect(text(word((at += 8)))).toBe(variable);
    expect(word((at += 8))).toBe(0);
    const auxv = new Map<number, number>();
    for (at += 8; word(at) !== 0; at += 16) auxv.set(word(at), word(at + 8));
    expect(auxv.get(AT_PAGESZ)).toBe(4096);
    expect(text(auxv.get(AT_EXECFN) as number)).toBe("/bin/prog");
    const randomAt = (auxv.get(AT_RANDOM) as number) - stack.sp;
    expect(stack.bytes.slice(randomAt, randomAt + 16)).toEqual(new Uint8Array(16).fill(0xab));
    expect(stack.argEnd).toBe(stack.envStart);
    expect(stack.bytes.slice(-8)).toEqual(new Uint8Array(8));
  });
});
