// Terminal requests: settings, flow control, sizes, job control (tty_io.c tty_ioctl, tty_ioctl.c n_tty_ioctl_helper).
import { EFAULT, EINVAL, EIO, ENOTTY, EPERM } from "../../abi/errno.ts";
import { SIGTTOU } from "../../abi/signal.ts";
import { makeDevice } from "../../abi/stat.ts";
import * as T from "../../abi/termios.ts";
import { CAP_SYS_ADMIN, capable } from "../credentials.ts";
import { fetchBytes, fetchI32, storeBytes, storeU32 } from "../ipc/user-memory.ts";
import type { Task } from "../task.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { checkAccess, giveUp, hangUp, makeControlling, setForeground } from "./job-control.ts";
import { TERMIO_BYTES, TERMIOS_BYTES, TERMIOS2_BYTES, Termios } from "./termios.ts";
import type { Tty } from "./tty.ts";

const WINSIZE_BYTES = 8;
/** /dev/ptmx: files of it are master sides. */
const MASTER_DEVICE = makeDevice(5, 2);
/** Requests that change the terminal: a background job that makes one gets SIGTTOU. */
const CHANGES = new Set<number>([
  T.TCSETS,
  T.TCSETSW,
  T.TCSETSF,
  T.TCSETS2,
  T.TCSETSW2,
  T.TCSETSF2,
  T.TCSETA,
  T.TCSETAW,
  T.TCSETAF,
  T.TCXONC,
  T.TCFLSH,
  T.TCSBRK,
  T.TCSBRKP,
  T.TIOCSBRK,
  T.TIOCCBRK,
  T.TIOCSETD,
]);

/** `tty` is the terminal itself; `file` what was asked, the master side or a slave. */
export function ttyIoctl(t: Task, tty: Tty, file: OpenFile, request: number, argument: number): number {
  const code = request >>> 0;
  if (CHANGES.has(code)) {
    const access = checkAccess(t, tty, SIGTTOU);
    if (access < 0) return access;
    tty.inputWanted();
  }
  return (
    settingsRequest(t, tty, code, argument) ??
    jobControlRequest(t, tty, file, code, argument) ??
    flowRequest(t, tty, code, argument) ??
    -ENOTTY
  );
}

function settingsRequest(t: Task, tty: Tty, code: number, argument: number): number | null {
  switch (code) {
    case T.TCGETS:
      storeBytes(t, argument, tty.termios.encode(TERMIOS_BYTES));
      return 0;
    case T.TCGETS2:
      storeBytes(t, argument, tty.termios.encode(TERMIOS2_BYTES));
      return 0;
    case T.TCGETA:
      storeBytes(t, argument, tty.termios.encodeTermio());
      return 0;
    case T.TIOCGLCKTRMIOS:
      storeBytes(t, argument, new Uint8Array(TERMIOS_BYTES));
      return 0;
    case T.TCSETS:
    case T.TCSETSW:
    case T.TCSETSF:
      return setTermios(t, tty, argument, TERMIOS_BYTES, code === T.TCSETS ? 0 : code - T.TCSETS);
    case T.TCSETS2:
    case T.TCSETSW2:
    case T.TCSETSF2:
      return setTermios(t, tty, argument, TERMIOS2_BYTES, code - T.TCSETS2);
    case T.TCSETA:
    case T.TCSETAW:
    case T.TCSETAF:
      return setTermios(t, tty, argument, TERMIO_BYTES, code - T.TCSETA);
    case T.TIOCGSOFTCAR:
      storeU32(t, argument, (tty.termios.cflag & T.CLOCAL) !== 0 ? 1 : 0);
      return 0;
    case T.TIOCSSOFTCAR:
      if (fetchI32(t, argument) !== 0) tty.termios.cflag |= T.CLOCAL;
      else tty.termios.cflag &= ~T.CLOCAL;
      return 0;
    case T.TIOCGWINSZ:
      storeBytes(t, argument, new Uint8Array(tty.window.buffer.slice(0)));
      return 0;
    case T.TIOCSWINSZ:
      tty.resize(new Uint16Array(fetchBytes(t, argument, WINSIZE_BYTES).buffer));
      return 0;
    default:
      return null;
  }
}

/** set_termios(): `when` 0 now, 1 after output, 2 also dropping input. Output is never slow here: there is nothing to wait for. */
function setTermios(t: Task, tty: Tty, argument: number, size: number, when: number): number {
  const bytes = fetchBytes(t, argument, size);
  const before = new Termios();
  before.copyFrom(tty.termios);
  if (when === 2) tty.flushInput();
  if (size === TERMIO_BYTES) tty.termios.decodeTermio(bytes);
  else tty.termios.decode(bytes);
  tty.settingsChanged(before);
  return 0;
}

function jobControlRequest(t: Task, tty: Tty, file: OpenFile, code: number, argument: number): number | null {
  const { session } = t.process;
  const isMaster = file.inode.rdev !== tty.deviceNumber && file.inode.rdev === MASTER_DEVICE;
  switch (code) {
    case T.TIOCSCTTY:
      return isMaster ? -ENOTTY : makeControlling(t, tty, argument === 1, file.readable);
    case T.TIOCNOTTY:
      return giveUp(t, tty);
    case T.TIOCGPGRP:
      if (!isMaster && session.terminal !== tty) return -ENOTTY;
      storeU32(t, argument, tty.foreground?.id ?? 0);
      return 0;
    case T.TIOCSPGRP: {
      const access = checkAccess(t, tty, SIGTTOU);
      if (access < 0) return access === -EIO ? -ENOTTY : access;
      return setForeground(t, tty, fetchI32(t, argument));
    }
    case T.TIOCGSID:
      if ((!isMaster && session.terminal !== tty) || tty.session === null) return -ENOTTY;
      storeU32(t, argument, tty.session.id);
      return 0;
    case T.TIOCEXCL:
    case T.TIOCNXCL:
      tty.exclusive = code === T.TIOCEXCL;
      return 0;
    case T.TIOCGEXCL:
      storeU32(t, argument, tty.exclusive ? 1 : 0);
      return 0;
    case T.TIOCVHANGUP:
      if (!capable(t, CAP_SYS_ADMIN)) return -EPERM;
      hangUp(tty);
      return 0;
    default:
      return null;
  }
}

function flowRequest(t: Task, tty: Tty, code: number, argument: number): number | null {
  switch (code) {
    case T.TCXONC:
      return flowControl(tty, argument | 0);
    case T.TCFLSH:
      if (argument < T.TCIFLUSH || argument > T.TCIOFLUSH) return -EINVAL;
      if (argument !== T.TCOFLUSH) tty.flushInput();
      if (argument !== T.TCIFLUSH) tty.flushOutput();
      return 0;
    case T.FIONREAD:
      storeU32(t, argument, tty.discipline.countForIoctl);
      return 0;
    case T.TIOCOUTQ:
      storeU32(t, argument, tty.output.length);
      return 0;
    case T.TIOCSTI: {
      if (!capable(t, CAP_SYS_ADMIN) && t.process.session.terminal !== tty) return -EPERM;
      const byte = new Uint8Array(1);
      if (t.space.copyIn(argument, byte) !== 1) return -EFAULT;
      tty.input(byte);
      return 0;
    }
    case T.TCSBRK:
    case T.TCSBRKP:
    case T.TIOCSBRK:
    case T.TIOCCBRK:
      return 0;
    case T.TIOCGETD:
      storeU32(t, argument, 0);
      return 0;
    case T.TIOCSETD:
      // Only N_TTY exists.
      return fetchI32(t, argument) === 0 ? 0 : -EINVAL;
    case T.TIOCGDEV:
      storeU32(t, argument, tty.deviceNumber);
      return 0;
    case T.TIOCCONS:
      return capable(t, CAP_SYS_ADMIN) ? 0 : -EPERM;
    default:
      return null;
  }
}

function flowControl(tty: Tty, action: number): number {
  switch (action) {
    case T.TCOOFF:
      tty.setStopped(true);
      return 0;
    case T.TCOON:
      tty.setStopped(false);
      return 0;
    case T.TCIOFF:
    case T.TCION: {
      const key = tty.termios.cc[action === T.TCIOFF ? T.VSTOP : T.VSTART];
      if (key !== 0) {
        tty.emit(key);
        tty.transmit();
      }
      return 0;
    }
    default:
      return -EINVAL;
  }
}
