// The riscv64 signal frame: what a handler finds on its stack, and how sigreturn takes it back (arch/riscv/kernel/signal.c).
//
//   sp ->  +------------------+ 0
//          | siginfo_t        |
//          +------------------+ 128   ucontext:
//          | uc_flags uc_link | 128
//          | uc_stack         | 144   ss_sp, ss_flags, ss_size
//          | uc_sigmask       | 168   8 bytes of 128
//          +------------------+ 304   sigcontext (16-byte aligned):
//          | pc x1..x31       | 304
//          | f0..f31 fcsr     | 560   d-extension state, inside a union as large as the q-extension's
//          | reserved, magic  | 1076  0, then an END header {0, 0}
//          +------------------+ 1088
import { SA_ONSTACK, SIGINFO_BYTES, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK } from "../../abi/signal.ts";
import type { CpuContext } from "../../cpu/cpu-context.ts";
import type { Task } from "../task.ts";
import { encodeSigInfo, type SigInfo } from "./siginfo.ts";
import { SigSet } from "./sigset.ts";
import type { AltStack, SignalAction } from "./state.ts";

const UCONTEXT = SIGINFO_BYTES;
const UC_STACK = UCONTEXT + 16;
const UC_SIGMASK = UCONTEXT + 40;
const SC_REGS = UCONTEXT + 176;
const SC_FP = SC_REGS + 256;
const SC_FCSR = SC_FP + 256;
const SC_RESERVED = SC_FP + 516;
export const FRAME_BYTES = SC_FP + 528;

function set64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setInt32(offset + 4, Math.floor(value / 2 ** 32) | 0, true);
}

function get64(view: DataView, offset: number): number {
  return view.getInt32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
}

/** __on_sig_stack(): strictly above the base, up to and including its top. */
function isInside(stack: AltStack, sp: number): boolean {
  return sp > stack.pointer && sp - stack.pointer <= stack.size;
}

/** on_sig_stack(): an SS_AUTODISARM stack never counts as in use. */
export function isOnAltStack(t: Task, sp: number): boolean {
  const { altStack } = t.signals;
  return (altStack.flags & SS_AUTODISARM) === 0 && isInside(altStack, sp);
}

/** sas_ss_flags(). */
export function altStackFlags(t: Task, sp: number): number {
  const { altStack } = t.signals;
  if (altStack.size === 0) return SS_DISABLE;
  return isOnAltStack(t, sp) ? SS_ONSTACK : 0;
}

/** Where the frame goes, or -1 when it would overflow the alternate stack it is on (get_sigframe). */
function frameAddress(t: Task, action: SignalAction): number {
  let sp = t.registers.getX(2);
  if (isOnAltStack(t, sp) && !isInside(t.signals.altStack, sp - FRAME_BYTES)) return -1;
  const { altStack } = t.signals;
  if ((action.flags & SA_ONSTACK) !== 0 && altStack.size !== 0 && !isInsideOrDisarmed(t, sp)) {
    sp = altStack.pointer + altStack.size;
  }
  const at = sp - FRAME_BYTES;
  return at - (((at % 16) + 16) % 16);
}

function isInsideOrDisarmed(t: Task, sp: number): boolean {
  return altStackFlags(t, sp) !== 0;
}

/** struct ucontext's general and floating-point registers. */
function storeRegisters(view: DataView, context: CpuContext): void {
  view.setInt32(SC_REGS, context.pcLow, true);
  view.setInt32(SC_REGS + 4, context.pcHigh, true);
  for (let i = 1; i < 32; i++) {
    view.setInt32(SC_REGS + i * 8, context.getXLow(i), true);
    view.setInt32(SC_REGS + i * 8 + 4, context.getXHigh(i), true);
  }
  const floats = context.f;
  for (let i = 0; i < 64; i++) view.setUint32(SC_FP + i * 4, floats[i], true);
  view.setUint32(SC_FCSR, context.fcsr, true);
}

function loadRegisters(view: DataView, context: CpuContext): void {
  context.setPc64(view.getInt32(SC_REGS, true), view.getInt32(SC_REGS + 4, true));
  for (let i = 1; i < 32; i++) {
    context.setX64(i, view.getInt32(SC_REGS + i * 8, true), view.getInt32(SC_REGS + i * 8 + 4, true));
  }
  const floats = context.f;
  for (let i = 0; i < 64; i++) floats[i] = view.getUint32(SC_FP + i * 4, true);
  context.fcsr = view.getUint32(SC_FCSR, true);
}

/**
 * setup_rt_frame(): builds the frame and enters the handler. `mask` is what sigreturn restores; `returnAddress` is
 * __vdso_rt_sigreturn. False when the stack cannot take the frame; registers are then as before.
 */
export function enterHandler(
  t: Task,
  info: SigInfo,
  action: SignalAction,
  handler: number,
  mask: SigSet,
  returnAddress: number,
): boolean {
  const at = frameAddress(t, action);
  if (at <= 0) return false;
  const bytes = new Uint8Array(FRAME_BYTES);
  const view = new DataView(bytes.buffer);
  const context = t.registers;
  const { altStack } = t.signals;
  bytes.set(encodeSigInfo(info));
  set64(view, UC_STACK, altStack.pointer);
  view.setInt32(UC_STACK + 8, altStack.flags | altStackFlags(t, context.getX(2)), true);
  set64(view, UC_STACK + 16, altStack.size);
  view.setInt32(UC_SIGMASK, mask.low, true);
  view.setInt32(UC_SIGMASK + 4, mask.high, true);
  storeRegisters(view, context);
  if (t.space.copyOut(at, bytes) !== FRAME_BYTES) return false;
  if ((altStack.flags & SS_AUTODISARM) !== 0) {
    altStack.pointer = 0;
    altStack.size = 0;
    altStack.flags = SS_DISABLE;
  }
  context.setX(1, returnAddress);
  context.setX(2, at);
  context.setX(10, info.signal);
  context.setX(11, at);
  context.setX(12, at + UCONTEXT);
  context.pc = handler;
  return true;
}

/** What a frame asks to restore, or null when it is not readable or not sound (then: SIGSEGV). */
export function leaveHandler(t: Task): { mask: SigSet; stack: AltStack } | null {
  const bytes = new Uint8Array(FRAME_BYTES);
  if (t.space.copyIn(t.registers.getX(2), bytes) !== FRAME_BYTES) return null;
  const view = new DataView(bytes.buffer);
  for (let offset = SC_RESERVED; offset < FRAME_BYTES; offset += 4) if (view.getUint32(offset, true) !== 0) return null;
  loadRegisters(view, t.registers);
  return {
    mask: new SigSet(view.getInt32(UC_SIGMASK, true), view.getInt32(UC_SIGMASK + 4, true)),
    stack: {
      pointer: get64(view, UC_STACK),
      flags: view.getInt32(UC_STACK + 8, true),
      size: get64(view, UC_STACK + 16),
    },
  };
}
