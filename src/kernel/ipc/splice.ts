// Moving bytes between a pipe and another file without a user buffer: splice(2), tee(2), and vmsplice's two directions
// (fs/splice.c). Bytes are copied; what programs can observe is the same.
import { EAGAIN, EINVAL, EPIPE } from "../../abi/errno.ts";
import { SPLICE_F_NONBLOCK } from "../../abi/fcntl.ts";
import { SIGPIPE } from "../../abi/signal.ts";
import { PAGE_SIZE } from "../../arch/sv39.ts";
import { BytesCursor } from "../../mm/io-cursor.ts";
import { kernelSignal } from "../signals/siginfo.ts";
import type { Task } from "../task.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { type Pipe, PipeFile } from "./pipe.ts";

/** The most that one call moves at a time, like a pipe's default size. */
const PIECE_BYTES = 65536;

function brokenPipe(t: Task): number {
  t.kernel.sendSignal(t, kernelSignal(SIGPIPE));
  return -EPIPE;
}

/** ipipe_prep: 1 when there is something to take, else the result to give back (0 at the end, -EAGAIN, BLOCKED). */
function waitForData(t: Task, file: PipeFile, flags: number): number {
  const { pipe } = file;
  if (!pipe.buffer.empty) return 1;
  if (!pipe.hasWriters) return 0;
  if ((flags & SPLICE_F_NONBLOCK) !== 0 || file.nonBlocking) return -EAGAIN;
  return t.block([pipe.readQueue]);
}

/** opipe_prep. */
function waitForRoom(t: Task, file: PipeFile, flags: number): number {
  const { pipe } = file;
  if (!pipe.hasReaders) return brokenPipe(t);
  if (!pipe.buffer.full) return 1;
  if ((flags & SPLICE_F_NONBLOCK) !== 0 || file.nonBlocking) return -EAGAIN;
  return t.block([pipe.writeQueue]);
}

/**
 * Moves up to `length` bytes from `input` to `output`, one of which is a pipe; offsets are -1 (the file's own position) or
 * for the file that is not a pipe. Returns bytes moved, 0 at the end of input, -errno or BLOCKED.
 */
export function splice(
  t: Task,
  input: OpenFile,
  inputOffset: number,
  output: OpenFile,
  outputOffset: number,
  length: number,
  flags: number,
): number {
  if (length === 0) return 0;
  if (input instanceof PipeFile && output instanceof PipeFile)
    return splicePipes(t, input, output, length, flags, false);
  if (input instanceof PipeFile) return spliceFrom(t, input, output, outputOffset, length, flags);
  if (output instanceof PipeFile) return spliceTo(t, input, inputOffset, output, length, flags);
  return -EINVAL;
}

/** tee(2). */
export function tee(t: Task, input: OpenFile, output: OpenFile, length: number, flags: number): number {
  if (!(input instanceof PipeFile) || !(output instanceof PipeFile)) return -EINVAL;
  return length === 0 ? 0 : splicePipes(t, input, output, length, flags, true);
}

function splicePipes(t: Task, input: PipeFile, output: PipeFile, length: number, flags: number, keep: boolean): number {
  if (input.pipe === output.pipe) return -EINVAL;
  const data = waitForData(t, input, flags);
  if (data !== 1) return data;
  const room = waitForRoom(t, output, flags);
  if (room !== 1) return room;
  const moved = input.pipe.buffer.moveTo(output.pipe.buffer, length, keep);
  output.pipe.readQueue.wake();
  if (!keep) input.pipe.writeQueue.wake();
  return moved;
}

/** do_splice_from: pipe to file or socket. */
function spliceFrom(t: Task, input: PipeFile, output: OpenFile, offset: number, length: number, flags: number): number {
  const data = waitForData(t, input, flags);
  if (data !== 1) return data;
  const { buffer } = input.pipe;
  const bytes = buffer.peekBytes(Math.min(length, PIECE_BYTES));
  const written = output.write(t, new BytesCursor(bytes), offset);
  if (written > 0) {
    buffer.drop(written);
    input.pipe.writeQueue.wake();
  }
  return written;
}

/** do_splice_to: file or socket to pipe, as much as there are free slots for. */
function spliceTo(t: Task, input: OpenFile, offset: number, output: PipeFile, length: number, flags: number): number {
  const room = waitForRoom(t, output, flags);
  if (room !== 1) return room;
  const { buffer } = output.pipe;
  const limit = Math.min(length, (buffer.maxSlots - buffer.usedSlots) * PAGE_SIZE, PIECE_BYTES);
  const bytes = new Uint8Array(limit);
  const count = input.read(t, new BytesCursor(bytes), offset);
  if (count > 0) addToPipe(output.pipe, bytes.subarray(0, count));
  return count;
}

function addToPipe(pipe: Pipe, bytes: Uint8Array): void {
  pipe.buffer.fill(new BytesCursor(bytes), false, false);
  pipe.readQueue.wake();
}
