// Passes a process's resource limits and capabilities on to its address space, which enforces the memory ones.
import { RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK, RLIMIT_STACK } from "../abi/resource.ts";
import type { AddressSpace } from "../mm/address-space.ts";
import { CAP_IPC_LOCK, CAP_SYS_RAWIO, type Credentials, hasCap } from "./credentials.ts";
import type { Process } from "./process.ts";

/** To be called after exec, setrlimit and every change of credentials. */
export function applyMemoryLimits(process: Process, credentials: Credentials, space: AddressSpace): void {
  const { soft } = process.limits;
  const { limits } = space;
  limits.addressSpace = soft[RLIMIT_AS];
  limits.data = soft[RLIMIT_DATA];
  limits.stack = soft[RLIMIT_STACK];
  limits.memlock = soft[RLIMIT_MEMLOCK];
  limits.mayLock = hasCap(credentials.effective, CAP_IPC_LOCK);
  limits.mayMapLow = hasCap(credentials.effective, CAP_SYS_RAWIO);
}
