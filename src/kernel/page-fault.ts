// Answers the hart's page faults: mm mends the page, or the task gets the signal Linux would send (arch/riscv/mm/fault.c).
import { BUS_ADRERR, SEGV_ACCERR, SEGV_MAPERR, SIGBUS, SIGSEGV } from "../abi/signal.ts";
import { USER_END } from "../arch/sv39.ts";
import type { Access } from "../mm/contracts.ts";
import {
  FAULT_BUS_ADRERR,
  FAULT_IO_ERROR,
  FAULT_MAJOR,
  FAULT_MINOR,
  FAULT_OUT_OF_MEMORY,
  FAULT_SEGV_ACCERR,
  FAULT_SEGV_MAPERR,
  FAULT_USERFAULT,
} from "../mm/contracts.ts";
import { UserfaultFile } from "./ipc/userfaultfd.ts";
import type { Kernel } from "./kernel.ts";
import { outOfMemoryInFault } from "./oom.ts";
import { forceFault } from "./signals/send.ts";
import type { Task } from "./task.ts";

/** After it the instruction runs again, or signals are pending. */
export function handlePageFault(k: Kernel, t: Task, low: number, high: number, access: Access): void {
  const address = (high >>> 0) * 2 ** 32 + (low >>> 0);
  if (address >= USER_END) {
    k.mm.faultWatcher?.faultBegins(t.space, address, access);
    k.mm.faultWatcher?.faultEnds(FAULT_SEGV_MAPERR);
    forceFault(k, t, SIGSEGV, SEGV_MAPERR, low, high);
    return;
  }
  const result = t.space.handleFault(address, access);
  switch (result) {
    case FAULT_MINOR:
      t.minorFaults++;
      return;
    case FAULT_MAJOR:
      t.majorFaults++;
      return;
    case FAULT_SEGV_ACCERR:
      forceFault(k, t, SIGSEGV, SEGV_ACCERR, low, high);
      return;
    case FAULT_BUS_ADRERR:
    case FAULT_IO_ERROR:
      forceFault(k, t, SIGBUS, BUS_ADRERR, low, high);
      return;
    case FAULT_USERFAULT:
      waitForUserfault(k, t, address, access);
      return;
    case FAULT_OUT_OF_MEMORY:
      outOfMemoryInFault(k, t);
      return;
    default:
      forceFault(k, t, SIGSEGV, SEGV_MAPERR, low, high);
  }
}

/** The task sleeps until its userfaultfd wakes it, and then runs the instruction again; or SIGBUS, if that was agreed on. */
function waitForUserfault(k: Kernel, t: Task, address: number, access: Access): void {
  const context = t.space.areas.find(address)?.userfault;
  if (!(context instanceof UserfaultFile) || context.raisesSigbus) {
    forceFault(k, t, SIGBUS, BUS_ADRERR, (address % 2 ** 32) | 0, Math.floor(address / 2 ** 32));
    return;
  }
  context.await(t, address, access, k.mm.userfaultIsMinor);
  t.park();
}
