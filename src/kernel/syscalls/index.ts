// All system calls in one table. A call that no table has answers ENOSYS (and says so once under strace).
import { AIO_SYSCALLS } from "./aio.ts";
import { CREDENTIAL_SYSCALLS } from "./credentials.ts";
import { fileDescriptorSyscalls } from "./file-descriptor.ts";
import { fileIoSyscalls } from "./file-io.ts";
import { filePathSyscalls } from "./file-path.ts";
import { fileSystemSyscalls } from "./file-system.ts";
import { FUTEX_SYSCALLS } from "./futex.ts";
import { ipcFileSyscalls } from "./ipc-files.ts";
import { pollSyscalls } from "./ipc-poll.ts";
import { socketSyscalls } from "./ipc-socket.ts";
import { sysvSyscalls } from "./ipc-sysv.ts";
import { MEMORY_SYSCALLS } from "./memory.ts";
import { MEMORY_POLICY_SYSCALLS } from "./memory-policy.ts";
import { PROCESS_SYSCALLS } from "./process.ts";
import { PTRACE_SYSCALLS } from "./ptrace.ts";
import type { SyscallTable } from "./registry.ts";
import { RESOURCE_SYSCALLS } from "./resource.ts";
import { SIGNAL_SYSCALLS } from "./signal.ts";
import { SYSTEM_SYSCALLS } from "./system.ts";
import { TIME_SYSCALLS } from "./time.ts";

/** A function, not a constant: the modules behind it import the dispatcher in a circle. */
export function allSyscalls(): SyscallTable {
  return {
    ...AIO_SYSCALLS,
    ...PROCESS_SYSCALLS,
    ...SIGNAL_SYSCALLS,
    ...TIME_SYSCALLS,
    ...FUTEX_SYSCALLS,
    ...MEMORY_SYSCALLS,
    ...MEMORY_POLICY_SYSCALLS,
    ...CREDENTIAL_SYSCALLS,
    ...RESOURCE_SYSCALLS,
    ...SYSTEM_SYSCALLS,
    ...PTRACE_SYSCALLS,
    ...fileDescriptorSyscalls,
    ...fileIoSyscalls,
    ...filePathSyscalls,
    ...fileSystemSyscalls,
    ...ipcFileSyscalls,
    ...pollSyscalls,
    ...socketSyscalls,
    ...sysvSyscalls,
  };
}
