// What a task that exits or executes a program does to its futexes: robust list, PI locks, clear_child_tid (futex_exec_release,
// exit_robust_list, mm_release).
import {
  FUTEX_BITSET_MATCH_ANY,
  FUTEX_OWNER_DIED,
  FUTEX_TID_MASK,
  FUTEX_WAITERS,
  ROBUST_LIST_LIMIT,
} from "../abi/futex.ts";
import { futexKey, leaveFutexes } from "./futex.ts";
import { abandonPiLocks } from "./futex-pi.ts";
import type { Kernel } from "./kernel.ts";
import { LinuxError } from "./linux-error.ts";
import type { Task } from "./task.ts";

export function abandonFutexes(k: Kernel, t: Task): void {
  leaveFutexes(k, t);
  if (t.robustList !== 0) {
    exitRobustList(k, t);
    t.robustList = 0;
  }
  abandonPiLocks(k, t);
  if (t.clearChildTid === 0) return;
  // Only where somebody else can look at the word (mm_users > 1).
  if (t.space.users > 1) {
    t.space.writeU32(t.clearChildTid, 0);
    wakeQuietly(k, t, t.clearChildTid, 1);
  }
  t.clearChildTid = 0;
}

function wakeQuietly(k: Kernel, t: Task, address: number, count: number): void {
  try {
    k.futexes.wake(futexKey(t, address, false), count, FUTEX_BITSET_MATCH_ANY);
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
  }
}

/** exit_robust_list(): head is { next, offset of the lock word, entry being worked on }; bit 0 of a pointer marks a PI lock. */
function exitRobustList(k: Kernel, t: Task): void {
  const head = t.robustList;
  const { space } = t;
  // A negative offset has bits that a double of the unsigned word would lose: read it in halves.
  const offsetLow = space.readU32(head + 8);
  const offset = (space.readU32(head + 12) | 0) * 2 ** 32 + offsetLow;
  const pending = space.readU64(head + 16);
  if (offsetLow < 0 || Number.isNaN(pending)) return;
  const pendingEntry = pending - (pending % 2);
  let entry = space.readU64(head);
  for (let i = 0; i < ROBUST_LIST_LIMIT; i++) {
    if (Number.isNaN(entry)) return;
    const at = entry - (entry % 2);
    if (at === head) break;
    const next = space.readU64(at);
    if (at !== pendingEntry && !releaseDead(k, t, at + offset, entry % 2 === 1, false)) return;
    entry = next;
  }
  if (pendingEntry !== 0) releaseDead(k, t, pendingEntry + offset, pending % 2 === 1, true);
}

/** handle_futex_death(): marks the lock and wakes one waiter. False on a bad address. */
function releaseDead(k: Kernel, t: Task, address: number, isPi: boolean, isPending: boolean): boolean {
  if (address % 4 !== 0) return false;
  const word = t.space.readU32(address);
  if (word < 0) return false;
  const owner = word & FUTEX_TID_MASK;
  // The lock was being released or taken: its waiters may have missed the wake-up.
  if (isPending && !isPi && owner === 0) {
    wakeQuietly(k, t, address, 1);
    return true;
  }
  if (owner !== t.tid) return true;
  t.space.writeU32(address, ((word & FUTEX_WAITERS) | FUTEX_OWNER_DIED) >>> 0);
  if (!isPi && (word & FUTEX_WAITERS) !== 0) wakeQuietly(k, t, address, 1);
  return true;
}
