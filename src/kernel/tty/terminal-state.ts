// The terminals of one kernel, and what opening /dev/tty, /dev/console, /dev/ptmx and /dev/pts/N means.
import { EBUSY, EIO, ENXIO } from "../../abi/errno.ts";
import { O_NOCTTY } from "../../abi/fcntl.ts";
import { deviceMinor, makeDevice } from "../../abi/stat.ts";
import { CAP_SYS_ADMIN, capable } from "../credentials.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import type { Inode } from "../vfs/inode.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import type { Path } from "../vfs/path.ts";
import { type ConsoleHost, ConsoleTty, type WindowSize } from "./console.ts";
import { openMaster, PTS_MAJOR, type Pty } from "./pty.ts";
import type { Tty } from "./tty.ts";
import { openTerminal, TtyFile } from "./tty-file.ts";

/** Device numbers, as devfs makes the nodes. */
export const DEV_TTY = makeDevice(5, 0);
export const DEV_CONSOLE = makeDevice(5, 1);
export const DEV_PTMX = makeDevice(5, 2);

export class TerminalState {
  /** Open pseudo-terminals by number: the contents of /dev/pts. */
  readonly ptys = new Map<number, Pty>();
  console: ConsoleTty | null = null;
}

/** The machine connects a terminal of the host; later input goes to `input()` of the result. */
export function connectConsole(k: Kernel, host: ConsoleHost, size: WindowSize): ConsoleTty {
  const console = new ConsoleTty(k, host, size);
  k.ipc.terminals.console = console;
  return console;
}

/** An open file on the console for a first process's standard descriptors; `inode` and `path` are /dev/console's. */
export function openConsole(k: Kernel, inode: Inode, path: Path | null, flags: number): TtyFile {
  const { console } = k.ipc.terminals;
  if (console === null) throw errno(ENXIO);
  return new TtyFile(k, inode, path, flags, console.tty);
}

/** Makes the session led by `t` own the console, as a login would (TIOCSCTTY). */
export function adoptConsole(k: Kernel, t: Task): void {
  const tty = k.ipc.terminals.console?.tty;
  const { session, group } = t.process;
  if (tty === undefined || session.terminal !== null || tty.session !== null) return;
  tty.session = session;
  tty.foreground = group;
  session.terminal = tty;
}

export function installTerminals(k: Kernel): void {
  const { devices, deviceMajors } = k.vfs;
  devices.set(DEV_TTY, openControlling);
  devices.set(DEV_CONSOLE, openConsoleDevice);
  devices.set(DEV_PTMX, openMaster);
  deviceMajors.set(PTS_MAJOR, openSlave);
}

function requireNotExclusive(t: Task, tty: Tty): void {
  if (tty.exclusive && tty.openCount > 0 && !capable(t, CAP_SYS_ADMIN)) throw errno(EBUSY);
}

/** /dev/tty: the terminal of the caller's session. */
function openControlling(t: Task, inode: Inode, path: Path, flags: number): OpenFile {
  const { terminal } = t.process.session;
  if (terminal === null) throw errno(ENXIO);
  requireNotExclusive(t, terminal);
  return openTerminal(t, inode, path, flags | O_NOCTTY, terminal);
}

function openConsoleDevice(t: Task, inode: Inode, path: Path, flags: number): OpenFile {
  const { console } = t.kernel.ipc.terminals;
  if (console === null) throw errno(ENXIO);
  return openTerminal(t, inode, path, flags | O_NOCTTY, console.tty);
}

/** pty_open() of a slave. */
function openSlave(t: Task, inode: Inode, path: Path, flags: number): OpenFile {
  const pty = t.kernel.ipc.terminals.ptys.get(deviceMinor(inode.rdev));
  if (pty === undefined) throw errno(EIO);
  if (pty.locked || pty.masterClosed) throw errno(EIO);
  requireNotExclusive(t, pty.tty);
  return openTerminal(t, inode, path, flags, pty.tty);
}
