// What a signal carries (siginfo_t): the record, constructors for each origin, and its 128 bytes in guest memory.
import {
  BUS_OBJERR,
  NSIG,
  SI_KERNEL,
  SI_QUEUE,
  SI_TIMER,
  SI_TKILL,
  SI_USER,
  SIGBUS,
  SIGCHLD,
  SIGFPE,
  SIGILL,
  SIGINFO_BYTES,
  SIGIO,
  SIGSEGV,
  SIGTRAP,
} from "../../abi/signal.ts";

/** One signal on its way. Fields beyond code are meaningful by layout, as in Linux's union. */
export interface SigInfo {
  signal: number;
  code: number;
  errno: number;
  /** Sender (kill, queue, SIGCHLD). */
  pid: number;
  uid: number;
  /** SIGCHLD: exit status or signal. */
  status: number;
  /** SIGCHLD: clock ticks. */
  utime: number;
  stime: number;
  /** Fault address, in halves: a wild pointer may need all 64 bits. */
  addressLow: number;
  addressHigh: number;
  /** sigval as two halves. */
  valueLow: number;
  valueHigh: number;
  /** SI_TIMER. */
  timerId: number;
  overrun: number;
  /** SIGIO. */
  band: number;
  fd: number;
  /** Bytes as a sender of rt_sigqueueinfo made them, delivered unchanged. */
  raw: Uint8Array | null;
  /** The POSIX timer behind it, told when the signal is dequeued (it counts overruns and arms itself again). */
  source: SignalSource | null;
}

export interface SignalSource {
  /** The signal leaves its queue: update the record, re-arm. */
  signalDequeued(info: SigInfo): void;
}

export function makeSigInfo(signal: number, code: number): SigInfo {
  return {
    signal,
    code,
    errno: 0,
    pid: 0,
    uid: 0,
    status: 0,
    utime: 0,
    stime: 0,
    addressLow: 0,
    addressHigh: 0,
    valueLow: 0,
    valueHigh: 0,
    timerId: 0,
    overrun: 0,
    band: 0,
    fd: 0,
    raw: null,
    source: null,
  };
}

/** A signal the kernel raises itself (SEND_SIG_PRIV): SIGPIPE, tty signals, alarms. */
export function kernelSignal(signal: number): SigInfo {
  return makeSigInfo(signal, SI_KERNEL);
}

/** kill(2) and friends; code is SI_USER, SI_TKILL or SI_QUEUE. */
export function userSignal(signal: number, pid: number, uid: number, code: number = SI_USER): SigInfo {
  const info = makeSigInfo(signal, code);
  info.pid = pid;
  info.uid = uid;
  return info;
}

/** A synchronous fault at an address given in halves. */
export function faultSignal(signal: number, code: number, addressLow: number, addressHigh: number): SigInfo {
  const info = makeSigInfo(signal, code);
  info.addressLow = addressLow;
  info.addressHigh = addressHigh;
  return info;
}

/** SIGIO and its realtime replacements (send_sigio). */
export function ioSignal(signal: number, code: number, band: number, fd: number): SigInfo {
  const info = makeSigInfo(signal, code);
  info.band = band;
  info.fd = fd;
  return info;
}

type Layout = "kill" | "timer" | "rt" | "child" | "fault" | "poll";

/** siginfo_layout() of kernel/signal.c. */
export function siginfoLayout(signal: number, code: number): Layout {
  if (code > SI_USER && code < SI_KERNEL) {
    if (signal === SIGILL || signal === SIGFPE || signal === SIGSEGV || signal === SIGTRAP) return "fault";
    if (signal === SIGBUS) return code <= BUS_OBJERR + 2 ? "fault" : "kill";
    if (signal === SIGCHLD) return "child";
    if (signal === SIGIO || code <= 6) return "poll";
    return "kill";
  }
  if (code === SI_TIMER) return "timer";
  if (code === -5) return "poll";
  return code < 0 && code !== SI_TKILL ? "rt" : "kill";
}

function set64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setInt32(offset + 4, Math.floor(value / 2 ** 32) | 0, true);
}

/** The siginfo_t of `info`. */
export function encodeSigInfo(info: SigInfo): Uint8Array {
  const bytes = new Uint8Array(SIGINFO_BYTES);
  if (info.raw !== null) bytes.set(info.raw.subarray(0, SIGINFO_BYTES));
  const view = new DataView(bytes.buffer);
  view.setInt32(0, info.signal, true);
  view.setInt32(4, info.errno, true);
  view.setInt32(8, info.code, true);
  if (info.raw !== null) return bytes;
  switch (siginfoLayout(info.signal, info.code)) {
    case "kill":
      view.setInt32(16, info.pid, true);
      view.setUint32(20, info.uid, true);
      break;
    case "timer":
      view.setInt32(16, info.timerId, true);
      view.setInt32(20, info.overrun, true);
      view.setInt32(24, info.valueLow, true);
      view.setInt32(28, info.valueHigh, true);
      break;
    case "rt":
      view.setInt32(16, info.pid, true);
      view.setUint32(20, info.uid, true);
      view.setInt32(24, info.valueLow, true);
      view.setInt32(28, info.valueHigh, true);
      break;
    case "child":
      view.setInt32(16, info.pid, true);
      view.setUint32(20, info.uid, true);
      view.setInt32(24, info.status, true);
      set64(view, 32, info.utime);
      set64(view, 40, info.stime);
      break;
    case "fault":
      view.setInt32(16, info.addressLow, true);
      view.setInt32(20, info.addressHigh, true);
      break;
    case "poll":
      set64(view, 16, info.band);
      view.setInt32(24, info.fd, true);
      break;
  }
  return bytes;
}

/** A siginfo_t from user space (rt_sigqueueinfo, pidfd_send_signal): bytes are kept for delivery. */
export function decodeSigInfo(bytes: Uint8Array, signal: number): SigInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const info = makeSigInfo(signal, view.getInt32(8, true));
  info.errno = view.getInt32(4, true);
  info.pid = view.getInt32(16, true);
  info.uid = view.getUint32(20, true);
  info.valueLow = view.getInt32(24, true);
  info.valueHigh = view.getInt32(28, true);
  info.raw = bytes.slice(0, SIGINFO_BYTES);
  return info;
}

export function isValidSignal(signal: number): boolean {
  return signal >= 0 && signal <= NSIG;
}

export { SI_QUEUE, SI_TKILL, SI_USER };
