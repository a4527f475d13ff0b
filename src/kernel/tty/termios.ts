// The settings of a terminal (struct ktermios) and their three guest layouts. Not what the settings do: see line-discipline.ts.
import * as T from "../../abi/termios.ts";

/** sizeof(struct termios), struct termios2 and struct termio on riscv64. */
export const TERMIOS_BYTES = 36;
export const TERMIOS2_BYTES = 44;
export const TERMIO_BYTES = 18;
/** c_cc entries of the old struct termio (NCC). */
const NCC = 8;

/** INIT_C_CC: ^C ^\ DEL ^U ^D 0 1 0 ^Q ^S ^Z 0 ^R ^O ^W ^V 0. */
const INITIAL_CC = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0];

const BAUD_RATES = [0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400];
const HIGH_BAUD_RATES = [
  0, 57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000, 3000000,
  3500000, 4000000,
];
const CBAUDEX = 0x1000;

export class Termios {
  /** tty_std_termios. */
  iflag = T.ICRNL | T.IXON;
  oflag = T.OPOST | T.ONLCR;
  cflag = T.B38400 | T.CS8 | T.CREAD | T.HUPCL;
  lflag = T.ISIG | T.ICANON | T.ECHO | T.ECHOE | T.ECHOK | T.ECHOCTL | T.ECHOKE | T.IEXTEN;
  line = 0;
  readonly cc = Uint8Array.from(INITIAL_CC);
  inputSpeed = 38400;
  outputSpeed = 38400;

  copyFrom(other: Termios): void {
    this.iflag = other.iflag;
    this.oflag = other.oflag;
    this.cflag = other.cflag;
    this.lflag = other.lflag;
    this.line = other.line;
    this.cc.set(other.cc);
    this.inputSpeed = other.inputSpeed;
    this.outputSpeed = other.outputSpeed;
  }

  /** struct termios (TCGETS) or, with `size` TERMIOS2_BYTES, struct termios2 (TCGETS2). */
  encode(size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.iflag, true);
    view.setUint32(4, this.oflag, true);
    view.setUint32(8, this.cflag, true);
    view.setUint32(12, this.lflag, true);
    bytes[16] = this.line;
    bytes.set(this.cc, 17);
    if (size === TERMIOS2_BYTES) {
      view.setUint32(36, this.inputSpeed, true);
      view.setUint32(40, this.outputSpeed, true);
    }
    return bytes;
  }

  /** The inverse of encode; with struct termios the speeds follow from c_cflag (tty_termios_baud_rate). */
  decode(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.iflag = view.getUint32(0, true);
    this.oflag = view.getUint32(4, true);
    this.cflag = view.getUint32(8, true);
    this.lflag = view.getUint32(12, true);
    this.line = bytes[16];
    this.cc.set(bytes.subarray(17, 17 + T.NCCS));
    if (bytes.length >= TERMIOS2_BYTES) {
      this.inputSpeed = view.getUint32(36, true);
      this.outputSpeed = view.getUint32(40, true);
    } else {
      this.inputSpeed = this.outputSpeed = speedOf(this.cflag);
    }
  }

  encodeTermio(): Uint8Array {
    const bytes = new Uint8Array(TERMIO_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, this.iflag & 0xffff, true);
    view.setUint16(2, this.oflag & 0xffff, true);
    view.setUint16(4, this.cflag & 0xffff, true);
    view.setUint16(6, this.lflag & 0xffff, true);
    bytes[8] = this.line;
    bytes.set(this.cc.subarray(0, NCC), 9);
    return bytes;
  }

  /** user_termio_to_kernel_termios: the high halves of the flags stay. */
  decodeTermio(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.iflag = (this.iflag & ~0xffff) | view.getUint16(0, true);
    this.oflag = (this.oflag & ~0xffff) | view.getUint16(2, true);
    this.cflag = (this.cflag & ~0xffff) | view.getUint16(4, true);
    this.lflag = (this.lflag & ~0xffff) | view.getUint16(6, true);
    this.line = bytes[8];
    this.cc.set(bytes.subarray(9, 9 + NCC));
    this.inputSpeed = this.outputSpeed = speedOf(this.cflag);
  }
}

function speedOf(cflag: number): number {
  const index = cflag & 0xf;
  return (cflag & CBAUDEX) !== 0 ? HIGH_BAUD_RATES[index] : BAUD_RATES[index];
}
