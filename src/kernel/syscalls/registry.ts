// Declares system calls: one row each gives number, argument names (strace), how complete it is (docs), and the handler.
import type { SyscallName } from "../../abi/syscall-numbers.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";

export type SyscallHandler = (
  kernel: Kernel,
  task: Task,
  a0: number,
  a1: number,
  a2: number,
  a3: number,
  a4: number,
  a5: number,
) => number;

export interface SyscallRow {
  /** Space-separated argument specs for strace: name or name:kind, kind in fd path ptr hex int flags str buf. */
  args: string;
  /** Missing: complete. Otherwise what is not done, for docs/syscalls.md. */
  partly?: string;
  run: SyscallHandler;
}

export type SyscallTable = Partial<Record<SyscallName, SyscallRow>>;

/** Identity with a type: keeps rows checked against the list of known calls. */
export function defineSyscalls(table: SyscallTable): SyscallTable {
  return table;
}
