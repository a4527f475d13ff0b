// What a blocked transfer remembers between its tries: bytes moved already, and when it gives up. See kernel-seams.md,
// "Blocking": handlers run again from their start.
import { EINTR, ERESTARTSYS } from "../../abi/errno.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import type { WaitQueue } from "../wait-queue.ts";

export class Transfer {
  done = 0;
  deadline = Number.POSITIVE_INFINITY;
}

export function transferOf(t: Task): Transfer | undefined {
  return t.syscallState instanceof Transfer ? t.syscallState : undefined;
}

const scratch = new Uint8Array(4096);

/** Passes over `count` bytes of the caller's buffer that an earlier try has sent. False: they are not there any more. */
export function skipTaken(io: IoCursor, count: number): boolean {
  let left = count;
  while (left > 0) {
    const step = Math.min(left, scratch.length);
    if (io.take(scratch, 0, step) < step) return false;
    left -= step;
  }
  return true;
}

/**
 * Parks the task, keeping `done`. `timeoutNs` (0: none) counts from the first block. A signal makes the call return what
 * was moved, else restart it, or with a timeout EINTR (sock_intr_errno).
 */
export function blockTransfer(k: Kernel, t: Task, queues: readonly WaitQueue[], done: number, timeoutNs = 0): number {
  let transfer = transferOf(t);
  if (transfer === undefined) {
    transfer = new Transfer();
    if (timeoutNs > 0) transfer.deadline = k.clock.monotonicNs() + timeoutNs;
    t.syscallState = transfer;
  }
  transfer.done = done;
  const interrupted = done > 0 ? done : timeoutNs > 0 ? -EINTR : -ERESTARTSYS;
  return t.block(queues, timeoutNs > 0 ? { deadline: transfer.deadline, interrupted } : { interrupted });
}
