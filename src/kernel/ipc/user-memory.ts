// Structured access to the calling task's memory for the IPC system calls: bytes, 64-bit words as doubles, timespecs.
// Every helper throws EFAULT where the memory is not there; none keeps state.
import { E2BIG, EFAULT, EINVAL, type EMSGSIZE } from "../../abi/errno.ts";
import { UserCursor } from "../../mm/io-cursor.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";

/** UIO_MAXIOV. */
const MAX_IOVECS = 1024;
/** MAX_RW_COUNT: INT_MAX rounded down to a page. */
export const MAX_TRANSFER_BYTES = 0x7ffff000;
const TWO_32 = 2 ** 32;

export function fetchBytes(t: Task, address: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  if (count > 0 && t.space.copyIn(address, bytes) !== count) throw errno(EFAULT);
  return bytes;
}

export function storeBytes(t: Task, address: number, bytes: Uint8Array): void {
  if (bytes.length > 0 && t.space.copyOut(address, bytes) !== bytes.length) throw errno(EFAULT);
}

export function fetchU32(t: Task, address: number): number {
  return viewOf(fetchBytes(t, address, 4)).getUint32(0, true);
}

export function fetchI32(t: Task, address: number): number {
  return fetchU32(t, address) | 0;
}

export function storeU32(t: Task, address: number, value: number): void {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, true);
  storeBytes(t, address, bytes);
}

export function storeU64(t: Task, address: number, value: number): void {
  const bytes = new Uint8Array(8);
  set64(viewOf(bytes), 0, value);
  storeBytes(t, address, bytes);
}

export function fetch64(t: Task, address: number): number {
  return get64(viewOf(fetchBytes(t, address, 8)), 0);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A signed 64-bit little-endian word as a double (exact below 2^53). */
export function get64(view: DataView, offset: number): number {
  return view.getInt32(offset + 4, true) * TWO_32 + view.getUint32(offset, true);
}

export function getUnsigned64(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * TWO_32 + view.getUint32(offset, true);
}

export function set64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setInt32(offset + 4, Math.floor(value / TWO_32) | 0, true);
}

/** struct timespec at `address` in nanoseconds; EINVAL unless normalised and not negative. */
export function fetchTimespecNs(t: Task, address: number): number {
  const view = viewOf(fetchBytes(t, address, 16));
  return timespecNs(get64(view, 0), get64(view, 8));
}

export function timespecNs(seconds: number, nanoseconds: number): number {
  if (seconds < 0 || nanoseconds < 0 || nanoseconds >= 1e9) throw errno(EINVAL);
  return seconds * 1e9 + nanoseconds;
}

export function setTimespec(view: DataView, offset: number, ns: number): void {
  const seconds = Math.floor(ns / 1e9);
  set64(view, offset, seconds);
  set64(view, offset + 8, Math.floor(ns - seconds * 1e9));
}

export interface IoVector {
  base: number;
  length: number;
}

/** import_iovec(): the list at `address`; `tooMany` is the error for more than UIO_MAXIOV (EMSGSIZE for sendmsg). */
export function fetchIoVectors(
  t: Task,
  address: number,
  count: number,
  tooMany: typeof EINVAL | typeof EMSGSIZE,
): IoVector[] {
  if (count > MAX_IOVECS || count < 0) throw errno(tooMany);
  const view = viewOf(fetchBytes(t, address, count * 16));
  const vectors: IoVector[] = [];
  let total = 0;
  for (let i = 0; i < count; i++) {
    const length = get64(view, i * 16 + 8);
    if (length < 0) throw errno(EINVAL);
    const kept = Math.min(length, MAX_TRANSFER_BYTES - total);
    vectors.push({ base: get64(view, i * 16), length: kept });
    total += kept;
  }
  return vectors;
}

export function userCursor(t: Task, base: number, length: number): UserCursor {
  return new UserCursor(t.space, [{ base, length: Math.min(length, MAX_TRANSFER_BYTES) }]);
}

/** A NUL-terminated string of at most `maxBytes` bytes with its NUL, as bytes without it; `tooLong` is thrown beyond. */
export function fetchString(t: Task, address: number, maxBytes: number, tooLong = E2BIG): Uint8Array {
  const result = t.space.readString(address, maxBytes);
  if (typeof result === "number") throw errno(result === -EFAULT ? EFAULT : tooLong);
  return result;
}
