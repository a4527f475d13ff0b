// Guest state lives where a snapshot finds it: the kernel and the memory core have no module variables that change and no weak maps.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => join(folder, name));
}

test.each(["src/kernel", "src/mm", "src/util", "src/arch"])("%s hides no state", (folder) => {
  const files = sources(folder);
  expect(files.length).toBeGreaterThan(0);
  const found: string[] = [];
  for (const file of files) {
    readFileSync(file, "utf8")
      .split("\n")
      .forEach((line, i) => {
        if (/^(export )?(let|var) |new Weak(Map|Set|Ref)\b|^\s*(private )?static (?!readonly)\w+ *(:|=)/.test(line))
          found.push(`${file}:${i + 1}: ${line.trim()}`);
      });
  }
  expect(found).toEqual([]);
});
