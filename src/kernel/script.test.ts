// #! lines, case by case as fs/binfmt_script.c takes them.
import { describe, expect, it } from "vitest";
import { ENOEXEC } from "../abi/errno.ts";
import { decodeUtf8, encodeUtf8 } from "../util/utf8.ts";
import { PROBE_BYTES, parseScriptLine } from "./script.ts";

function parse(text: string): [string, string | null] | number {
  const probe = new Uint8Array(PROBE_BYTES);
  probe.set(encodeUtf8(text).subarray(0, PROBE_BYTES));
  const line = parseScriptLine(probe);
  if (typeof line === "number") return line;
  return [decodeUtf8(line.interpreter), line.argument === null ? null : decodeUtf8(line.argument)];
}

describe("parseScriptLine", () => {
  it.each<[string, [string, string | null] | number]>([
    ["#!/bin/sh\n", ["/bin/sh", null]],
    ["#!/bin/sh", ["/bin/sh", null]],
    ["#! \t/bin/sh\t \n", ["/bin/sh", null]],
    ["#!/bin/sh -e\n", ["/bin/sh", "-e"]],
    ["#!/usr/bin/env  a b  c \nrest", ["/usr/bin/env", "a b  c"]],
    ["#!\n", -ENOEXEC],
    ["#!   \n", -ENOEXEC],
    ["#!", -ENOEXEC],
    ["#!/bin/sh\0junk\n", ["/bin/sh", null]],
    [`#!/${"x".repeat(300)}\n`, -ENOEXEC],
    [`#!/bin/sh ${"y".repeat(300)}\n`, ["/bin/sh", "y".repeat(245)]],
    [`#!/${"x".repeat(252)}\n`, [`/${"x".repeat(252)}`, null]],
    [`#!${" ".repeat(300)}`, -ENOEXEC],
  ])("%j", (text, expected) => {
    expect(parse(text)).toEqual(expected);
  });
});
