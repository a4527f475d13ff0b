// The terminal line discipline N_TTY: turns typed bytes into lines, signals and echo, and written bytes into terminal output.
// It knows nothing of tasks, sessions or files (tty.ts) and never blocks. Follows drivers/tty/n_tty.c.
//
//   ring:   tail ........ canonHead ........ head        (free-running counters, masked by RING_MASK)
//           |  whole lines  |  line being edited  |
//   A set bit in lineEnds marks the last byte of a line. A line ended by EOF ends in a marked byte 0, which readers skip.

import { SIGINT, SIGQUIT, SIGTSTP } from "../../abi/signal.ts";
import * as T from "../../abi/termios.ts";
import type { Termios } from "./termios.ts";

/** N_TTY_BUF_SIZE: a line holds at most 4095 bytes and its end. */
const RING_BYTES = 4096;
const RING_MASK = RING_BYTES - 1;
/** What a disabled c_cc entry holds, and what stands for EOF in the ring (__DISABLED_CHAR). */
const DISABLED = 0;
const NEWLINE = 10;
const RETURN = 13;
const TAB = 9;
const BACKSPACE = 8;
const SPACE = 32;

/** What the discipline needs from the terminal it belongs to. */
export interface LineHost {
  readonly termios: Termios;
  /** One byte for the screen. */
  emit(byte: number): void;
  /** Raise a signal in the foreground process group. */
  raise(signal: number): void;
  /** Input became readable (a whole line in canonical mode). */
  inputReady(): void;
  /** Throw away output that was not transmitted yet. */
  flushOutput(): void;
  /** Input was thrown away (packet mode tells the master). */
  inputFlushed(): void;
  /** Flow control by ^S and ^Q. */
  readonly stopped: boolean;
  setStopped(stopped: boolean): void;
}

function isControl(c: number): boolean {
  return c < 32 || c === 127;
}

function isWordByte(c: number): boolean {
  return (c >= 48 && c <= 57) || (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c === 95 || c >= 0xc0;
}

export class LineDiscipline {
  private readonly host: LineHost;
  private readonly ring = new Uint8Array(RING_BYTES);
  private readonly lineEnds = new Uint8Array(RING_BYTES);
  private head = 0;
  private canonHead = 0;
  private tail = 0;
  /** The next byte is taken literally (after ^V). */
  private literalNext = false;
  /** Inside a \.../ group of ECHOPRT. */
  private erasing = false;
  /** Screen column, and the column where the line being edited started: needed to erase tabs. */
  private column = 0;
  private canonColumn = 0;

  constructor(host: LineHost) {
    this.host = host;
  }

  private has(flag: number): boolean {
    return (this.host.termios.lflag & flag) !== 0;
  }

  private inputFlag(flag: number): boolean {
    return (this.host.termios.iflag & flag) !== 0;
  }

  get canonical(): boolean {
    return (this.host.termios.lflag & (T.ICANON | T.EXTPROC)) === T.ICANON;
  }

  /** Bytes a reader could get now: whole lines in canonical mode, everything otherwise. */
  get readableBytes(): number {
    return (this.canonical ? this.canonHead : this.head) - this.tail;
  }

  /** FIONREAD (inq_canon): EOF marks do not count. */
  get countForIoctl(): number {
    if (!this.has(T.ICANON)) return this.head - this.tail;
    let count = 0;
    for (let at = this.tail; at !== this.canonHead; at++) {
      if (!(this.lineEnds[at & RING_MASK] === 1 && this.ring[at & RING_MASK] === DISABLED)) count++;
    }
    return count;
  }

  /** input_available_p with poll set: raw mode without a timer waits for VMIN bytes. */
  get pollReadable(): boolean {
    if (this.canonical) return this.canonHead !== this.tail;
    const { cc } = this.host.termios;
    const needed = cc[T.VTIME] === 0 && cc[T.VMIN] > 0 ? cc[T.VMIN] : 1;
    return this.head - this.tail >= needed;
  }

  /** How many typed bytes are accepted now (receive_room); in canonical mode a full unfinished line accepts (and drops) any. */
  get room(): number {
    const room = RING_BYTES - (this.head - this.tail) - 1;
    if (room > 0) return room;
    return this.has(T.ICANON) && this.canonHead === this.tail ? 1 : 0;
  }

  /** Takes typed bytes [from, to); returns how many were accepted. */
  receive(bytes: Uint8Array, from = 0, to = bytes.length): number {
    let at = from;
    while (at < to) {
      const room = RING_BYTES - (this.head - this.tail) - 1;
      if (room <= 0) {
        if (!(this.has(T.ICANON) && this.canonHead === this.tail)) break;
        // The line is full: the newest byte gives way, so that its end always fits.
        if (room < 0) this.head--;
      }
      this.receiveByte(bytes[at++]);
    }
    if (!this.canonical && this.head !== this.tail) this.host.inputReady();
    return at - from;
  }

  private receiveByte(byte: number): void {
    let c = byte;
    if (this.inputFlag(T.ISTRIP)) c &= 0x7f;
    if (this.inputFlag(T.IUCLC) && this.has(T.IEXTEN) && c >= 65 && c <= 90) c += 32;
    if (this.has(T.EXTPROC)) {
      this.store(c, false);
    } else if (this.literalNext) {
      this.literalNext = false;
      this.receiveOrdinary(c);
    } else if (!this.receiveFlowControl(c) && !this.receiveSignal(c)) {
      if (this.host.stopped && this.inputFlag(T.IXON) && this.inputFlag(T.IXANY)) this.host.setStopped(false);
      if (c === RETURN) {
        if (this.inputFlag(T.IGNCR)) return;
        if (this.inputFlag(T.ICRNL)) c = NEWLINE;
      } else if (c === NEWLINE && this.inputFlag(T.INLCR)) {
        c = RETURN;
      }
      if (!this.has(T.ICANON) || !this.receiveEditing(c)) this.receiveOrdinary(c);
    }
  }

  private receiveFlowControl(c: number): boolean {
    if (!this.inputFlag(T.IXON) || c === DISABLED) return false;
    const { cc } = this.host.termios;
    if (c === cc[T.VSTART]) this.host.setStopped(false);
    else if (c === cc[T.VSTOP]) this.host.setStopped(true);
    else return false;
    return true;
  }

  /** n_tty_receive_signal_char. */
  private receiveSignal(c: number): boolean {
    if (!this.has(T.ISIG) || c === DISABLED) return false;
    const { cc } = this.host.termios;
    const signal = c === cc[T.VINTR] ? SIGINT : c === cc[T.VQUIT] ? SIGQUIT : c === cc[T.VSUSP] ? SIGTSTP : 0;
    if (signal === 0) return false;
    this.signal(signal);
    if (this.inputFlag(T.IXON)) this.host.setStopped(false);
    if (this.has(T.ECHO)) this.echo(c);
    return true;
  }

  /** isig(): the signal, and unless NOFLSH everything typed or not yet shown is forgotten. */
  signal(signal: number): void {
    this.host.raise(signal);
    if (this.has(T.NOFLSH)) return;
    this.host.flushOutput();
    this.flushInput();
  }

  /** The keys of canonical mode; false: an ordinary byte. */
  private receiveEditing(c: number): boolean {
    const { cc } = this.host.termios;
    const extended = this.has(T.IEXTEN);
    if (c === NEWLINE) {
      if (this.has(T.ECHO) || this.has(T.ECHONL)) this.output(NEWLINE);
      this.endLine(c);
    } else if (c === DISABLED) {
      return false;
    } else if (c === cc[T.VERASE] || c === cc[T.VKILL] || (c === cc[T.VWERASE] && extended)) {
      this.erase(c);
    } else if (c === cc[T.VLNEXT] && extended) {
      this.literalNext = true;
      if (this.has(T.ECHO)) {
        this.finishErasing();
        if (this.has(T.ECHOCTL)) {
          this.output(94);
          this.output(BACKSPACE);
        }
      }
    } else if (c === cc[T.VREPRINT] && this.has(T.ECHO) && extended) {
      this.finishErasing();
      this.echo(c);
      this.output(NEWLINE);
      for (let at = this.canonHead; at !== this.head; at++) this.echo(this.ring[at & RING_MASK]);
    } else if (c === cc[T.VEOF]) {
      this.endLine(DISABLED);
    } else if (c === cc[T.VEOL] || (c === cc[T.VEOL2] && extended)) {
      if (this.has(T.ECHO)) {
        this.rememberColumn();
        this.echo(c);
      }
      this.endLine(c);
    } else {
      return false;
    }
    return true;
  }

  private receiveOrdinary(c: number): void {
    if (this.has(T.ECHO)) {
      this.finishErasing();
      if (c === NEWLINE) {
        this.output(NEWLINE);
      } else {
        this.rememberColumn();
        this.echo(c);
      }
    }
    if (this.inputFlag(T.PARMRK) && c === 0xff) this.store(c, false);
    this.store(c, false);
  }

  private endLine(c: number): void {
    this.store(c, true);
    this.canonHead = this.head;
    this.host.inputReady();
  }

  private store(c: number, endsLine: boolean): void {
    const at = this.head & RING_MASK;
    this.ring[at] = c;
    this.lineEnds[at] = endsLine ? 1 : 0;
    this.head++;
  }

  private rememberColumn(): void {
    if (this.canonHead === this.head) this.canonColumn = this.column;
  }

  private finishErasing(): void {
    if (!this.erasing) return;
    this.output(47);
    this.erasing = false;
  }

  private isContinuation(c: number): boolean {
    return this.inputFlag(T.IUTF8) && (c & 0xc0) === 0x80;
  }

  /** eraser(): one character, one word or the whole unfinished line goes, on the screen too. */
  private erase(key: number): void {
    if (this.head === this.canonHead) return;
    const { cc } = this.host.termios;
    const whole = key === cc[T.VKILL] && key !== cc[T.VERASE];
    const word = !whole && key !== cc[T.VERASE];
    if (whole && !(this.has(T.ECHO) && this.has(T.ECHOK) && this.has(T.ECHOKE) && this.has(T.ECHOE))) {
      this.head = this.canonHead;
      if (!this.has(T.ECHO)) return;
      this.finishErasing();
      this.echo(key);
      if (this.has(T.ECHOK)) this.output(NEWLINE);
      return;
    }
    let seenWord = false;
    while (this.head !== this.canonHead) {
      let start = this.head;
      let c: number;
      do {
        start--;
        c = this.ring[start & RING_MASK];
      } while (this.isContinuation(c) && start !== this.canonHead);
      if (this.isContinuation(c)) break;
      if (word) {
        if (isWordByte(c)) seenWord = true;
        else if (seenWord) break;
      }
      const count = this.head - start;
      this.head = start;
      if (this.has(T.ECHO)) this.echoErased(c, start, count, !whole && !word);
      if (!whole && !word) break;
    }
    if (this.head === this.canonHead && this.has(T.ECHO)) this.finishErasing();
  }

  private echoErased(c: number, start: number, count: number, single: boolean): void {
    if (this.has(T.ECHOPRT)) {
      if (!this.erasing) {
        this.output(92);
        this.erasing = true;
      }
      this.echo(c);
      for (let i = 1; i < count; i++) this.output(this.ring[(start + i) & RING_MASK]);
    } else if (single && !this.has(T.ECHOE)) {
      this.echo(this.host.termios.cc[T.VERASE]);
    } else if (c === TAB) {
      this.eraseTab();
    } else {
      const cells = (isControl(c) ? 0 : 1) + (isControl(c) && this.has(T.ECHOCTL) ? 2 : 0);
      for (let i = 0; i < cells; i++) {
        this.output(BACKSPACE);
        this.output(SPACE);
        this.output(BACKSPACE);
      }
    }
  }

  /** The width of an erased tab follows from what stands between it and the tab before, or the start of the line. */
  private eraseTab(): void {
    let cells = 0;
    let afterTab = false;
    for (let at = this.head; at !== this.canonHead && !afterTab; ) {
      at--;
      const c = this.ring[at & RING_MASK];
      if (c === TAB) afterTab = true;
      else if (isControl(c)) cells += this.has(T.ECHOCTL) ? 2 : 0;
      else if (!this.isContinuation(c)) cells++;
    }
    if (!afterTab) cells += this.canonColumn;
    for (let left = 8 - (cells & 7); left > 0; left--) this.output(BACKSPACE);
  }

  /** echo_char: control characters as ^X under ECHOCTL. */
  private echo(c: number): void {
    if (this.has(T.ECHOCTL) && isControl(c) && c !== TAB) {
      this.host.emit(94);
      this.host.emit(c ^ 0x40);
      this.column += 2;
    } else {
      this.output(c);
    }
  }

  /** do_output_char: output processing of one byte, as OPOST asks. */
  output(byte: number): void {
    const { oflag } = this.host.termios;
    const { host } = this;
    let c = byte;
    if ((oflag & T.OPOST) === 0) {
      host.emit(c);
      return;
    }
    if (c === NEWLINE) {
      if ((oflag & T.ONLRET) !== 0) this.column = 0;
      if ((oflag & T.ONLCR) !== 0) {
        this.column = this.canonColumn = 0;
        host.emit(RETURN);
      } else {
        this.canonColumn = this.column;
      }
    } else if (c === RETURN) {
      if ((oflag & T.ONOCR) !== 0 && this.column === 0) return;
      if ((oflag & T.OCRNL) !== 0) {
        c = NEWLINE;
        if ((oflag & T.ONLRET) !== 0) this.column = this.canonColumn = 0;
      } else {
        this.column = this.canonColumn = 0;
      }
    } else if (c === TAB) {
      const spaces = 8 - (this.column & 7);
      this.column += spaces;
      if ((oflag & T.TABDLY) === T.XTABS) {
        for (let i = 0; i < spaces; i++) host.emit(SPACE);
        return;
      }
    } else if (c === BACKSPACE) {
      if (this.column > 0) this.column--;
    } else if (!isControl(c)) {
      if ((oflag & T.OLCUC) !== 0 && c >= 97 && c <= 122) c -= 32;
      if (!this.isContinuation(c)) this.column++;
    }
    host.emit(c);
  }

  /**
   * Takes at most `limit` readable bytes, in canonical mode from one line only, into `into`. Returns how many; 0 with
   * readableBytes > 0 before means end of file was typed.
   */
  read(into: Uint8Array, limit: number): number {
    if (!this.canonical) {
      const count = Math.min(limit, into.length, this.head - this.tail);
      for (let i = 0; i < count; i++) into[i] = this.ring[(this.tail + i) & RING_MASK];
      this.tail += count;
      if (this.canonHead < this.tail) this.canonHead = this.tail;
      return count;
    }
    let count = 0;
    while (this.tail !== this.canonHead) {
      const at = this.tail & RING_MASK;
      const ends = this.lineEnds[at] === 1;
      // An EOF right behind the last byte asked for belongs to this read (canon_copy_from_read_buf).
      if (ends && this.ring[at] === DISABLED) {
        this.tail++;
        break;
      }
      if (count >= limit || count >= into.length) break;
      into[count++] = this.ring[at];
      this.tail++;
      if (ends) break;
    }
    return count;
  }

  /** Forgets everything typed and not read (reset_buffer_flags). */
  flushInput(): void {
    this.head = this.tail = this.canonHead = 0;
    this.lineEnds.fill(0);
    this.erasing = false;
    this.literalNext = false;
    this.host.inputFlushed();
  }

  /** n_tty_set_termios: leaving canonical mode makes the unfinished line readable, entering it keeps what is there as a line. */
  settingsChanged(wasCanonical: boolean): void {
    const nowCanonical = this.has(T.ICANON);
    if (wasCanonical !== nowCanonical) {
      this.lineEnds.fill(0);
      if (nowCanonical && this.head !== this.tail) {
        // Bytes typed in raw mode count as a line of their own, without an end mark that a reader could see.
        this.canonHead = this.head;
        this.lineEnds[(this.head - 1) & RING_MASK] = 1;
      } else {
        this.canonHead = this.tail;
      }
      this.erasing = false;
      this.literalNext = false;
    }
    if (this.readableBytes > 0) this.host.inputReady();
  }
}
