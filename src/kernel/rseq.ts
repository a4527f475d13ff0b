// Restartable sequences: registration, and sending a thread that was preempted inside one to its abort handler (kernel/rseq.c).
import { EBUSY, EFAULT, EINVAL, EPERM } from "../abi/errno.ts";
import { SIGSEGV } from "../abi/signal.ts";
import { USER_END } from "../arch/sv39.ts";
import { fetchBytes, getUnsigned64, viewOf } from "./ipc/user-memory.ts";
import type { Kernel } from "./kernel.ts";
import { LinuxError } from "./linux-error.ts";
import { forceSignal } from "./signals/send.ts";
import { makeSigInfo } from "./signals/siginfo.ts";
import type { Task } from "./task.ts";

const ORIGINAL_BYTES = 32;
/** End of the last field: cpu_id_start, cpu_id, rseq_cs, flags, node_id, mm_cid. */
const FEATURE_BYTES = 28;
const UNREGISTER = 1;
const UNINITIALIZED = 0xffffffff;
const CS_FIELD = 8;
const CS_BYTES = 32;

/** rseq(2). */
export function registerRseq(t: Task, address: number, length: number, flags: number, signature: number): number {
  if ((flags & UNREGISTER) !== 0) {
    if ((flags & ~UNREGISTER) !== 0 || t.rseqAddress !== address || address === 0 || t.rseqBytes !== length)
      return -EINVAL;
    if (t.rseqSignature !== signature) return -EPERM;
    if (!publish(t, address, UNINITIALIZED)) return -EFAULT;
    t.rseqAddress = 0;
    return 0;
  }
  if (flags !== 0) return -EINVAL;
  if (t.rseqAddress !== 0) {
    if (t.rseqAddress !== address || t.rseqBytes !== length) return -EINVAL;
    return t.rseqSignature !== signature ? -EPERM : -EBUSY;
  }
  if (length < ORIGINAL_BYTES || address % 32 !== 0 || (length !== ORIGINAL_BYTES && length < FEATURE_BYTES))
    return -EINVAL;
  if (address <= 0 || address + length > USER_END) return -EFAULT;
  if (!publish(t, address, 0) || !t.space.writeU64(address + CS_FIELD, 0)) return -EFAULT;
  t.rseqAddress = address;
  t.rseqBytes = length;
  t.rseqSignature = signature;
  return 0;
}

/** The one processor: cpu_id and cpu_id_start, node 0, concurrency id 0. */
function publish(t: Task, address: number, cpuId: number): boolean {
  const { space } = t;
  return (
    space.writeU32(address, 0) &&
    space.writeU32(address + 4, cpuId) &&
    space.writeU32(address + 20, 0) &&
    space.writeU32(address + 24, 0)
  );
}

/** rseq_ip_fixup(): before a thread with a registered area runs again after another thread did, or enters a signal handler. */
export function fixupRseq(k: Kernel, t: Task): void {
  const { space, rseqAddress } = t;
  const pointer = space.readU64(rseqAddress + CS_FIELD);
  if (pointer === 0) return;
  try {
    if (Number.isNaN(pointer) || pointer >= USER_END) throw new LinuxError(EFAULT);
    const view = viewOf(fetchBytes(t, pointer, CS_BYTES));
    const start = getUnsigned64(view, 8);
    const length = getUnsigned64(view, 16);
    const abort = getUnsigned64(view, 24);
    const { pc } = t.registers;
    if (pc < start || pc >= start + length) {
      space.writeU64(rseqAddress + CS_FIELD, 0);
      return;
    }
    const mark = viewOf(fetchBytes(t, abort - 4, 4)).getUint32(0, true);
    if (view.getUint32(0, true) !== 0 || mark !== t.rseqSignature >>> 0) throw new LinuxError(EINVAL);
    space.writeU64(rseqAddress + CS_FIELD, 0);
    t.registers.pc = abort;
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    forceSignal(k, t, makeSigInfo(SIGSEGV, 0x80));
  }
}
