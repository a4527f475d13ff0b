// One terminal: settings, window, line discipline, output on its way, and whose terminal it is (struct tty_struct).
// It is the slave side of a pseudo-terminal or the console; files are in tty-file.ts, job-control rules in job-control.ts.
import { SIGWINCH } from "../../abi/signal.ts";
import * as T from "../../abi/termios.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import type { Kernel } from "../kernel.ts";
import type { ProcessGroup, Session } from "../process.ts";
import { kernelSignal } from "../signals/siginfo.ts";
import { WaitQueue } from "../wait-queue.ts";
import { ByteFifo } from "./byte-fifo.ts";
import { LineDiscipline, type LineHost } from "./line-discipline.ts";
import { Termios } from "./termios.ts";

/** Output that may wait for its taker before writers block, and typed bytes before the typing side blocks. */
const BUFFER_LIMIT_BYTES = 65536;
/** Output is offered in pieces: one byte may become two (newline) or eight (tab), so a piece never overshoots much. */
const PIECE_BYTES = 1024;

/** Where a terminal's output goes. */
export interface TtyOutput {
  /** `tty.output` got bytes and is not stopped: take them now, or leave them for later. */
  outputReady(tty: Tty): void;
  /** A file was opened; the last one was closed. */
  opened(): void;
  lastClosed(): void;
  /** A program reads the terminal, or says how it wants to read it. */
  inputWanted(): void;
}

export class Tty implements LineHost {
  readonly kernel: Kernel;
  /** "pts/3", "console": the name below /dev. */
  readonly name: string;
  readonly deviceNumber: number;
  readonly termios = new Termios();
  readonly discipline: LineDiscipline = new LineDiscipline(this);
  /** struct winsize: rows, columns, x pixels, y pixels. */
  readonly window = new Uint16Array(4);
  session: Session | null = null;
  foreground: ProcessGroup | null = null;
  readonly readQueue = new WaitQueue();
  readonly writeQueue = new WaitQueue();
  /** Transmitted output, until the screen side takes it. */
  readonly output = new ByteFifo();
  /** Typed bytes that the full line discipline did not take yet. */
  private readonly backlog = new ByteFifo();
  stopped = false;
  /** How often it was hung up: files opened before the last time are dead. */
  hangups = 0;
  exclusive = false;
  /** Packet mode of the master side, and the TIOCPKT_* events it has not read. */
  packetMode = false;
  packetStatus = 0;
  /** Open files. */
  openCount = 0;
  private readonly sink: TtyOutput;

  constructor(kernel: Kernel, name: string, deviceNumber: number, sink: TtyOutput) {
    this.kernel = kernel;
    this.name = name;
    this.deviceNumber = deviceNumber;
    this.sink = sink;
  }

  emit(byte: number): void {
    this.output.push(byte);
  }

  raise(signal: number): void {
    if (this.foreground !== null) this.kernel.sendSignalToGroup(this.foreground, kernelSignal(signal));
  }

  inputReady(): void {
    this.readQueue.wake();
  }

  flushOutput(): void {
    this.output.clear();
    this.notePacket(T.TIOCPKT_FLUSHWRITE);
    this.writeQueue.wake();
  }

  inputFlushed(): void {
    this.notePacket(T.TIOCPKT_FLUSHREAD);
  }

  setStopped(stopped: boolean): void {
    if (this.stopped === stopped) return;
    this.stopped = stopped;
    this.packetStatus &= ~(stopped ? T.TIOCPKT_START : T.TIOCPKT_STOP);
    this.notePacket(stopped ? T.TIOCPKT_STOP : T.TIOCPKT_START);
    if (!stopped) {
      this.transmit();
      this.writeQueue.wake();
    }
  }

  private notePacket(event: number): void {
    if (!this.packetMode) return;
    this.packetStatus |= event;
    this.sink.outputReady(this);
  }

  /** Hands waiting output to the screen side unless ^S stopped it. */
  transmit(): void {
    if (!this.stopped && this.output.length > 0) this.sink.outputReady(this);
  }

  get outputRoom(): number {
    return this.stopped ? 0 : Math.max(0, BUFFER_LIMIT_BYTES - this.output.length);
  }

  /** How many typed bytes the terminal takes before the typing side has to wait. */
  get inputRoom(): number {
    return BUFFER_LIMIT_BYTES - this.backlog.length;
  }

  /** Bytes from the keyboard (or the master side). Takes all; callers respect inputRoom. */
  input(bytes: Uint8Array, from = 0, to = bytes.length): void {
    let at = from;
    if (this.backlog.length === 0) at += this.discipline.receive(bytes, at, to);
    if (at < to) this.backlog.pushBytes(bytes, at, to);
    this.transmit();
  }

  inputWanted(): void {
    this.sink.inputWanted();
  }

  /** A reader made room: what was typed meanwhile goes on into the line discipline. */
  private refill(): void {
    while (this.backlog.length > 0 && this.discipline.room > 0) {
      const piece = new Uint8Array(PIECE_BYTES);
      const count = this.backlog.peek(piece, PIECE_BYTES);
      const taken = this.discipline.receive(piece, 0, count);
      this.backlog.drop(taken);
      this.sink.outputReady(this);
      if (taken < count) break;
    }
    this.transmit();
  }

  /** Moves what one read() gets (a line, or what is there) into `io`; -1 when the caller's memory faulted. */
  readInput(io: IoCursor): number {
    const bytes = new Uint8Array(Math.min(io.remaining, 4096));
    const count = this.discipline.read(bytes, bytes.length);
    const put = io.put(bytes, 0, count);
    this.refill();
    return put < count && put === 0 ? -1 : put;
  }

  /** Processes as much of `io` as there is room for; -1 when the caller's memory faulted before the first byte. */
  writeOutput(io: IoCursor): number {
    const piece = new Uint8Array(PIECE_BYTES);
    const processed = (this.termios.oflag & T.OPOST) !== 0;
    let total = 0;
    while (io.remaining > 0 && this.outputRoom > 0) {
      const wanted = Math.min(io.remaining, PIECE_BYTES, this.outputRoom);
      const got = io.take(piece, 0, wanted);
      if (processed) for (let i = 0; i < got; i++) this.discipline.output(piece[i]);
      else this.output.pushBytes(piece, 0, got);
      total += got;
      this.transmit();
      if (got < wanted) return total > 0 ? total : -1;
    }
    return total;
  }

  /** The screen side took output. */
  outputTaken(): void {
    this.writeQueue.wake();
  }

  /** TIOCSWINSZ (tty_do_resize): the foreground group hears of a change. */
  resize(size: Uint16Array): void {
    if (size.every((value, i) => value === this.window[i])) return;
    this.window.set(size);
    this.raise(SIGWINCH);
  }

  /** TCSETS*: new settings take effect at once. */
  settingsChanged(before: Termios): void {
    if (((before.lflag ^ this.termios.lflag) & (T.ICANON | T.EXTPROC)) !== 0) {
      this.discipline.settingsChanged((before.lflag & T.ICANON) !== 0);
    }
    if ((this.termios.iflag & T.IXON) === 0 && (before.iflag & T.IXON) !== 0) this.setStopped(false);
    this.notePacketSettings(before);
    this.refill();
    this.readQueue.wake();
    this.writeQueue.wake();
  }

  /** pty_set_termios: packet mode reports whether ^S and ^Q are flow control. */
  private notePacketSettings(before: Termios): void {
    if (!this.packetMode) return;
    const flowed = (t: Termios) => (t.iflag & T.IXON) !== 0 && t.cc[T.VSTOP] === 19 && t.cc[T.VSTART] === 17;
    if (flowed(before) !== flowed(this.termios)) {
      this.packetStatus &= ~(T.TIOCPKT_DOSTOP | T.TIOCPKT_NOSTOP);
      this.notePacket(flowed(this.termios) ? T.TIOCPKT_DOSTOP : T.TIOCPKT_NOSTOP);
    }
    if ((before.lflag & T.EXTPROC) !== 0 || (this.termios.lflag & T.EXTPROC) !== 0) this.notePacket(T.TIOCPKT_IOCTL);
  }

  flushInput(): void {
    this.backlog.clear();
    this.discipline.flushInput();
  }

  opened(): void {
    this.sink.opened();
  }

  lastClosed(): void {
    this.sink.lastClosed();
  }

  /** After a hang-up: initial settings, nothing buffered, everybody looks again. */
  reset(): void {
    this.termios.copyFrom(new Termios());
    this.flushInput();
    this.output.clear();
    this.stopped = false;
    this.readQueue.wake();
    this.writeQueue.wake();
  }
}
