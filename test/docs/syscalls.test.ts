// docs/syscalls.md is generated from the declared tables (update: npx vitest run test/docs -u), so it cannot lie.
import { expect, test } from "vitest";
import { SYSCALL_NUMBERS, type SyscallName } from "../../src/abi/syscall-numbers.ts";
import { allSyscalls } from "../../src/kernel/syscalls/index.ts";

function render(): string {
  const declared = allSyscalls();
  const rows = Object.entries(SYSCALL_NUMBERS).sort((a, b) => a[1] - b[1]);
  const state = (name: string) => {
    const row = declared[name as SyscallName];
    if (row === undefined) return "absent";
    return row.partly === undefined ? "done" : "partly";
  };
  const count = (wanted: string) => rows.filter(([name]) => state(name) === wanted).length;
  const lines = rows.map(([name, number]) => {
    const missing = declared[name as SyscallName]?.partly ?? "";
    return `| ${number} | ${name} | ${state(name)} | ${missing} |`;
  });
  return [
    "# System calls",
    "",
    "Generated from the tables in `src/kernel/syscalls/`. An absent call answers ENOSYS and says so once under `--strace`.",
    "",
    `${count("done")} done, ${count("partly")} partly, ${count("absent")} absent.`,
    "",
    "| number | name | state | what is missing |",
    "|---|---|---|---|",
    ...lines,
    "",
  ].join("\n");
}

test("docs/syscalls.md says what is there", async () => {
  await expect(render()).toMatchFileSnapshot("../../docs/syscalls.md");
});
