// ptrace(2): what a tracer asks of its tracees. Stops and their reports are in ../tracing.ts.
import { EINVAL, EIO, EPERM, ESRCH } from "../../abi/errno.ts";
import * as P from "../../abi/ptrace.ts";
import { SIGINFO_BYTES, SIGKILL, SIGSTOP } from "../../abi/signal.ts";
import { mayAccess } from "../access.ts";
import { fetch64, fetchBytes, set64, storeBytes, storeU64, viewOf } from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import { setBlocked } from "../signals/send.ts";
import { decodeSigInfo, encodeSigInfo, isValidSignal, kernelSignal } from "../signals/siginfo.ts";
import type { Task } from "../task.ts";
import { detach, interrupt, listen, resumeTracee, startTracing, stopGroupForTracer, type Tracing } from "../tracing.ts";
import { FLOAT_BYTES, floatRegisters, generalRegisters, REGISTER_BYTES } from "../user-registers.ts";
import { defineSyscalls } from "./registry.ts";
import { fetchSigSet, storeSigSet } from "./signal.ts";

const WORD_BYTES = 8;
const SYSCALL_INFO_BYTES = 88;

function traceMe(t: Task): number {
  const { process } = t;
  const tracer = process.parentTask ?? process.parent?.liveThread ?? null;
  if (t.tracing !== null || tracer === null || !tracer.isAlive) return -EPERM;
  startTracing(tracer, t, false, 0);
  return 0;
}

function attach(k: Kernel, t: Task, target: Task, seize: boolean, address: number, options: number): number {
  if (seize && (address !== 0 || (options & ~P.PTRACE_O_KNOWN) !== 0)) return -EIO;
  if (target.process === t.process || target.tracing !== null || !target.isAlive || !mayAccess(t, target))
    return -EPERM;
  startTracing(t, target, seize, seize ? options : 0);
  // A thread that stands still already is taken over where it stands (STOPPED becomes TRACED).
  if (target.state === "stopped") stopGroupForTracer(k, target, target.process.stopSignal);
  if (!seize) k.sendSignal(target, kernelSignal(SIGSTOP));
  return 0;
}

/** PTRACE_GETREGSET, PTRACE_SETREGSET: `address` is the note type, `data` an iovec whose length is set to what was moved. */
function registerSet(t: Task, target: Task, type: number, vector: number, store: boolean): number {
  const base = fetch64(t, vector);
  const length = fetch64(t, vector + 8);
  if (type !== P.NT_PRSTATUS && type !== P.NT_PRFPREG) return -EINVAL;
  const size = type === P.NT_PRSTATUS ? REGISTER_BYTES : FLOAT_BYTES;
  if (length % 8 !== 0) return -EINVAL;
  const bytes = readRegisters(target, type);
  const count = Math.min(length, size);
  if (store) {
    bytes.set(fetchBytes(t, base, count));
    writeRegisters(target, type, bytes);
  } else storeBytes(t, base, bytes.subarray(0, count));
  storeU64(t, vector + 8, count);
  return 0;
}

function readRegisters(target: Task, type: number): Uint8Array {
  return type === P.NT_PRSTATUS ? generalRegisters(target.registers) : floatRegisters(target.registers);
}

function writeRegisters(target: Task, type: number, bytes: Uint8Array): void {
  const context = target.registers;
  const view = viewOf(bytes);
  if (type === P.NT_PRSTATUS) {
    context.setPc64(view.getInt32(0, true), view.getInt32(4, true));
    for (let i = 1; i < 32; i++) context.setX64(i, view.getInt32(8 * i, true), view.getInt32(8 * i + 4, true));
  } else {
    const floats = context.f;
    for (let i = 0; i < 64; i++) floats[i] = view.getUint32(4 * i, true);
    context.fcsr = view.getUint32(256, true);
  }
}

/** struct ptrace_syscall_info: op, arch, pc, sp, and by op the call or its result. */
function syscallInfo(t: Task, target: Task, size: number, data: number): number {
  const bytes = new Uint8Array(SYSCALL_INFO_BYTES);
  const view = viewOf(bytes);
  const { phase } = target.tracing as Tracing;
  let used = 24;
  view.setUint32(4, P.AUDIT_ARCH_RISCV64, true);
  set64(view, 8, target.registers.pc);
  set64(view, 16, target.registers.getX(2));
  if (phase === "entry") {
    bytes[0] = 1;
    const { registers } = target;
    set64(view, 24, target.syscallNumber);
    // From the registers, for all 64 bits.
    for (let i = 0; i < 6; i++) {
      view.setInt32(32 + 8 * i, registers.getXLow(10 + i), true);
      view.setInt32(36 + 8 * i, registers.getXHigh(10 + i), true);
    }
    used = 80;
  } else if (phase === "exit") {
    bytes[0] = 2;
    const result = target.registers.getX(10);
    view.setInt32(24, target.registers.getXLow(10), true);
    view.setInt32(28, target.registers.getXHigh(10), true);
    bytes[32] = result < 0 && result >= -4095 ? 1 : 0;
    used = 33;
  }
  storeBytes(t, data, bytes.subarray(0, Math.min(size, used)));
  return used;
}

function poke(t: Task, target: Task, address: number): number {
  const bytes = new Uint8Array(WORD_BYTES);
  // The word is a3 itself: as a double it would lose bits.
  viewOf(bytes).setInt32(0, t.registers.getXLow(13), true);
  viewOf(bytes).setInt32(4, t.registers.getXHigh(13), true);
  return target.space.accessRemote(address, bytes, true) === WORD_BYTES ? 0 : -EIO;
}

function peek(t: Task, target: Task, address: number, data: number): number {
  const bytes = new Uint8Array(WORD_BYTES);
  if (target.space.accessRemote(address, bytes, false) !== WORD_BYTES) return -EIO;
  storeBytes(t, data, bytes);
  return 0;
}

/** Requests to a tracee that stands still. */
function command(k: Kernel, t: Task, target: Task, request: number, address: number, data: number): number {
  const tracing = target.tracing as Tracing;
  switch (request) {
    case P.PTRACE_PEEKTEXT:
    case P.PTRACE_PEEKDATA:
      return peek(t, target, address, data);
    case P.PTRACE_POKETEXT:
    case P.PTRACE_POKEDATA:
      return poke(t, target, address);
    case P.PTRACE_CONT:
    case P.PTRACE_SYSCALL:
      if (!isValidSignal(data)) return -EIO;
      resumeTracee(k, target, data, request === P.PTRACE_SYSCALL);
      return 0;
    case P.PTRACE_DETACH:
      if (!isValidSignal(data)) return -EIO;
      detach(k, target, data);
      return 0;
    case P.PTRACE_SETOPTIONS:
      if ((data & ~P.PTRACE_O_KNOWN) !== 0) return -EINVAL;
      tracing.options = data;
      return 0;
    case P.PTRACE_GETEVENTMSG:
      storeU64(t, data, tracing.eventMessage);
      return 0;
    case P.PTRACE_GETSIGINFO:
      if (tracing.info === null) return -EINVAL;
      storeBytes(t, data, encodeSigInfo(tracing.info));
      return 0;
    case P.PTRACE_SETSIGINFO: {
      if (tracing.info === null) return -EINVAL;
      const bytes = fetchBytes(t, data, SIGINFO_BYTES);
      tracing.info = decodeSigInfo(bytes, viewOf(bytes).getInt32(0, true));
      return 0;
    }
    case P.PTRACE_GETREGSET:
      return registerSet(t, target, address, data, false);
    case P.PTRACE_SETREGSET:
      return registerSet(t, target, address, data, true);
    case P.PTRACE_GETSIGMASK:
      if (address !== WORD_BYTES) return -EINVAL;
      storeSigSet(t, data, target.signals.blocked);
      return 0;
    case P.PTRACE_SETSIGMASK:
      setBlocked(target, fetchSigSet(t, data, address));
      return 0;
    case P.PTRACE_LISTEN:
      return listen(k, target) ? 0 : -EIO;
    case P.PTRACE_GET_SYSCALL_INFO:
      return syscallInfo(t, target, address, data);
    default:
      return -EIO;
  }
}

function ptrace(k: Kernel, t: Task, request: number, pid: number, address: number, data: number): number {
  if (request === P.PTRACE_TRACEME) return traceMe(t);
  const target = k.tasks.get(pid);
  if (target === undefined) return -ESRCH;
  if (request === P.PTRACE_ATTACH) return attach(k, t, target, false, 0, 0);
  if (request === P.PTRACE_SEIZE) return attach(k, t, target, true, address, data);
  if (target.tracing?.tracer !== t) return -ESRCH;
  if (request === P.PTRACE_KILL) {
    k.sendSignal(target, kernelSignal(SIGKILL));
    return 0;
  }
  if (request === P.PTRACE_INTERRUPT) {
    if (!target.tracing.seized) return -EIO;
    if (target.tracing.stopCode === 0) interrupt(target);
    return 0;
  }
  if (target.tracing.stopCode === 0 || target.state !== "stopped") return -ESRCH;
  return command(k, t, target, request, address, data);
}

export const PTRACE_SYSCALLS = defineSyscalls({
  ptrace: {
    args: "request:hex pid addr:ptr data:ptr",
    partly:
      "no PTRACE_O_TRACEVFORKDONE stops; PTRACE_O_TRACEEXIT stops for exit calls only, no PEEKSIGINFO; riscv has no single step",
    run: (k, t, request, pid, address, data) => ptrace(k, t, request | 0, pid | 0, address, data),
  },
});
