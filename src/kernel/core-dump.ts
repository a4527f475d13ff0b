// Core dumps: an ELF file of a process that a signal killed (fs/coredump.c, fs/binfmt_elf.c). Which areas go into it is coredump_filter
// and madvise(MADV_DONTDUMP); whether there is one, RLIMIT_CORE and PR_SET_DUMPABLE; where, kernel.core_pattern.
import { AT_FDCWD, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } from "../abi/fcntl.ts";
import { NT_PRFPREG, NT_PRSTATUS } from "../abi/ptrace.ts";
import { RLIMIT_CORE } from "../abi/resource.ts";
import { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ } from "../abi/signal.ts";
import { holdsFrame, PAGE_SIZE, PTE_SPECIAL } from "../arch/sv39.ts";
import { BytesCursor } from "../mm/io-cursor.ts";
import { VM_DONTDUMP, VM_IO, VM_READ, VM_SHARED, type Vma } from "../mm/vma.ts";
import { encodeUtf8 } from "../util/utf8.ts";
import type { Kernel } from "./kernel.ts";
import { LinuxError } from "./linux-error.ts";
import { encodeSigInfo, type SigInfo } from "./signals/siginfo.ts";
import type { Task } from "./task.ts";
import { floatRegisters, generalRegisters, REGISTER_BYTES } from "./user-registers.ts";
import type { OpenFile } from "./vfs/open-file.ts";
import { removeFile } from "./vfs/vfs-change.ts";

/** SIG_KERNEL_COREDUMP_MASK. */
const CORE_SIGNALS = new Set([SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGSYS, SIGXCPU, SIGXFSZ]);

/** Bits of /proc/PID/coredump_filter. */
const ANON_PRIVATE = 1;
const ANON_SHARED = 2;
const MAPPED_PRIVATE = 4;
const MAPPED_SHARED = 8;
const ELF_HEADERS = 16;

const EHDR_BYTES = 64;
const PHDR_BYTES = 56;
const PRSTATUS_BYTES = 376;
const PRPSINFO_BYTES = 136;
const NT_PRPSINFO = 3;
const NT_AUXV = 6;
const NT_SIGINFO = 0x53494749;
const NT_FILE = 0x46494c45;
const ET_CORE = 4;
const EM_RISCV = 243;
const PT_LOAD = 1;
const PT_NOTE = 4;

/** do_coredump(): the status that `info`'s signal ends the process with: the signal, and 0x80 when a dump was written. */
export function statusWithCore(k: Kernel, t: Task, info: SigInfo): number {
  return CORE_SIGNALS.has(info.signal) && dumpCore(k, t, info) ? info.signal | 0x80 : info.signal;
}

function dumpCore(k: Kernel, t: Task, info: SigInfo): boolean {
  const { process } = t;
  const limit = process.limits.soft[RLIMIT_CORE];
  // A pipe to a helper program is not provided for.
  if (process.dumpable !== 1 || limit < PAGE_SIZE || k.corePattern.startsWith("|")) return false;
  const file = openCoreFile(k, t, info.signal);
  if (file === null) return false;
  try {
    writeCore(t, file, info, limit);
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
  } finally {
    file.release();
  }
  // A dump that was cut short counts as one.
  return true;
}

/** A regular file of the dying process's user with one name, emptied; null: it may not be. */
function openCoreFile(k: Kernel, t: Task, signal: number): OpenFile | null {
  try {
    const name = coreName(k, t, signal);
    removeOld(k, t, name);
    const file = k.vfs.open(t, AT_FDCWD, name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0o600);
    const { inode } = file;
    if (inode.isRegular && inode.nlink === 1 && inode.uid === t.credentials.fsuid && file.ftruncate(t, 0) === 0) {
      return file;
    }
    file.release();
    return null;
  } catch (error) {
    if (error instanceof LinuxError) return null;
    throw error;
  }
}

function removeOld(k: Kernel, t: Task, name: string): void {
  try {
    removeFile(k.vfs, t, AT_FDCWD, name);
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
  }
}

/** format_corename(). */
function coreName(k: Kernel, t: Task, signal: number): string {
  const { process } = t;
  let usesPid = false;
  const executable = process.executable?.name() ?? "";
  const values: Record<string, () => string | number> = {
    "%": () => "%",
    p: () => {
      usesPid = true;
      return process.pid;
    },
    P: () => process.pid,
    i: () => t.tid,
    I: () => t.tid,
    u: () => t.credentials.uid,
    g: () => t.credentials.gid,
    d: () => process.dumpable,
    s: () => signal,
    t: () => k.clock.realtime().seconds,
    h: () => k.hostname,
    e: () => t.name.replaceAll("/", "!"),
    f: () => executable.slice(executable.lastIndexOf("/") + 1),
    E: () => executable.replaceAll("/", "!"),
    c: () => process.limits.soft[RLIMIT_CORE],
    C: () => 0,
  };
  const name = k.corePattern.replace(/%(.?)/gs, (_all, letter: string) => String(values[letter]?.() ?? ""));
  return !usesPid && k.coreUsesPid ? `${name}.${process.pid}` : name;
}

/** One area and how many of its bytes go into the file. */
interface Segment {
  area: Vma;
  bytes: number;
}

/** vma_dump_size(). */
function dumpBytes(area: Vma, filter: number): number {
  const whole = area.end - area.start;
  if (area.isSpecialMapping) return whole;
  if (area.flags & (VM_DONTDUMP | VM_IO)) return 0;
  if (area.flags & VM_SHARED) {
    const isNamed = ((area.file as OpenFile | null)?.inode?.nlink ?? 0) > 0;
    return filter & (isNamed ? MAPPED_SHARED : ANON_SHARED) ? whole : 0;
  }
  if (area.anonVma !== 0 && filter & ANON_PRIVATE) return whole;
  if (area.file === null) return 0;
  if (filter & MAPPED_PRIVATE) return whole;
  if ((filter & ELF_HEADERS) === 0 || area.pageOffset !== 0 || (area.flags & VM_READ) === 0) return 0;
  const isExecutable = (((area.file as OpenFile).inode?.mode ?? 0) & 0o111) !== 0;
  return isExecutable || area.space.readU32(area.start) === 0x464c457f ? PAGE_SIZE : 0;
}

function writeCore(t: Task, file: OpenFile, info: SigInfo, limit: number): boolean {
  const { space } = t;
  const segments: Segment[] = [];
  for (const area of space.areas) segments.push({ area, bytes: dumpBytes(area, t.process.coreFilter) });
  const notes = makeNotes(t, info, segments);
  const headerBytes = EHDR_BYTES + PHDR_BYTES * (segments.length + 1);
  const dataStart = Math.ceil((headerBytes + notes.length) / PAGE_SIZE) * PAGE_SIZE;
  let written = 0;
  const put = (bytes: Uint8Array, offset: number): boolean => {
    if (written + bytes.length > limit) return false;
    written += bytes.length;
    return file.write(t, new BytesCursor(bytes), offset) === bytes.length;
  };
  if (!put(makeHeaders(segments, headerBytes, notes.length, dataStart), 0) || !put(notes, headerBytes)) return false;
  const page = new Uint8Array(PAGE_SIZE);
  let at = dataStart;
  let end = headerBytes + notes.length;
  for (const { area, bytes } of segments) {
    for (let offset = 0; offset < bytes; offset += PAGE_SIZE, at += PAGE_SIZE) {
      if (!readDumpPage(area, area.start + offset, page)) continue;
      if (!put(page, at)) return false;
      end = at + PAGE_SIZE;
    }
  }
  // What lies behind the last page written is a hole, up to the end that the headers promise.
  return at <= end || put(new Uint8Array(1), at - 1);
}

/** get_dump_page(): false for what was never there, which stays a hole in the file. */
function readDumpPage(area: Vma, address: number, into: Uint8Array): boolean {
  const { space } = area;
  const word = space.table.read(space.table.find(address / PAGE_SIZE));
  if (word === 0 && area.object === null) return false;
  if (holdsFrame(word) && (word & PTE_SPECIAL) !== 0) return false;
  return space.accessRemote(address, into, false) === PAGE_SIZE;
}

function makeHeaders(
  segments: readonly Segment[],
  headerBytes: number,
  noteBytes: number,
  dataStart: number,
): Uint8Array {
  const bytes = new Uint8Array(headerBytes);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, ET_CORE, true);
  view.setUint16(18, EM_RISCV, true);
  view.setUint32(20, 1, true);
  view.setUint32(32, EHDR_BYTES, true);
  view.setUint16(52, EHDR_BYTES, true);
  view.setUint16(54, PHDR_BYTES, true);
  view.setUint16(56, segments.length + 1, true);
  const header = (index: number, fields: readonly [number, number, number, number, number, number, number]) => {
    const at = EHDR_BYTES + index * PHDR_BYTES;
    const [type, flags, offset, address, fileBytes, memoryBytes, align] = fields;
    view.setUint32(at, type, true);
    view.setUint32(at + 4, flags, true);
    setU64(view, at + 8, offset);
    setU64(view, at + 16, address);
    setU64(view, at + 32, fileBytes);
    setU64(view, at + 40, memoryBytes);
    setU64(view, at + 48, align);
  };
  header(0, [PT_NOTE, 0, headerBytes, 0, noteBytes, 0, 4]);
  let offset = dataStart;
  segments.forEach(({ area, bytes: size }, i) => {
    // PF_X 1, PF_W 2, PF_R 4
    const flags = ((area.prot & 1) << 2) | (area.prot & 2) | ((area.prot & 4) >> 2);
    header(i + 1, [PT_LOAD, flags, offset, area.start, size, area.end - area.start, PAGE_SIZE]);
    offset += size;
  });
  return bytes;
}

/** Threads in the order fill_note_info() gives them: the dying one first, with what concerns the process behind its status. */
function makeNotes(t: Task, info: SigInfo, segments: readonly Segment[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const threads = [t, ...[...t.process.threads].filter((thread) => thread !== t && thread.isAlive)];
  for (const thread of threads) {
    parts.push(note("CORE", NT_PRSTATUS, threadStatus(thread, info.signal)));
    if (thread === t) {
      parts.push(note("CORE", NT_PRPSINFO, processInfo(t)));
      parts.push(note("CORE", NT_SIGINFO, encodeSigInfo(info)));
      parts.push(note("CORE", NT_AUXV, t.space.layout.auxv ?? new Uint8Array(0)));
      parts.push(note("CORE", NT_FILE, mappedFiles(segments)));
    }
    parts.push(note("CORE", NT_PRFPREG, floatRegisters(thread.registers)));
  }
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function note(name: string, type: number, description: Uint8Array): Uint8Array {
  const nameBytes = Math.ceil((name.length + 1) / 4) * 4;
  const bytes = new Uint8Array(12 + nameBytes + Math.ceil(description.length / 4) * 4);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, name.length + 1, true);
  view.setUint32(4, description.length, true);
  view.setUint32(8, type, true);
  bytes.set(encodeUtf8(name), 12);
  bytes.set(description, 12 + nameBytes);
  return bytes;
}

/** struct elf_prstatus. */
function threadStatus(t: Task, signal: number): Uint8Array {
  const { process } = t;
  const bytes = new Uint8Array(PRSTATUS_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, signal, true);
  view.setInt16(12, signal, true);
  view.setUint32(16, t.signals.pendingSet.low, true);
  view.setUint32(20, t.signals.pendingSet.high, true);
  view.setUint32(24, t.signals.blocked.low, true);
  view.setUint32(28, t.signals.blocked.high, true);
  setIds(view, 32, t.tid, t);
  const usage = process.usage();
  setTime(view, 48, t.userNs);
  setTime(view, 64, t.systemNs);
  setTime(view, 80, process.childUsage.userNs);
  setTime(view, 96, process.childUsage.systemNs);
  if (t.isLeader) {
    setTime(view, 48, usage.userNs);
    setTime(view, 64, usage.systemNs);
  }
  bytes.set(generalRegisters(t.registers), 112);
  // pr_fpvalid
  view.setInt32(112 + REGISTER_BYTES, 1, true);
  return bytes;
}

/** pid, ppid, pgrp, sid. */
function setIds(view: DataView, at: number, pid: number, t: Task): void {
  const { process } = t;
  view.setInt32(at, pid, true);
  view.setInt32(at + 4, process.parent?.pid ?? 0, true);
  view.setInt32(at + 8, process.group.id, true);
  view.setInt32(at + 12, process.session.id, true);
}

/** struct __kernel_old_timeval. */
function setTime(view: DataView, at: number, ns: number): void {
  setU64(view, at, Math.floor(ns / 1e9));
  setU64(view, at + 8, Math.floor((ns % 1e9) / 1000));
}

/** struct elf_prpsinfo. */
function processInfo(t: Task): Uint8Array {
  const bytes = new Uint8Array(PRPSINFO_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[1] = 0x52; // R
  bytes[3] = t.nice;
  view.setUint32(16, t.credentials.uid, true);
  view.setUint32(20, t.credentials.gid, true);
  setIds(view, 24, t.process.pid, t);
  bytes.set(encodeUtf8(t.name).subarray(0, 15), 40);
  const { argStart, argEnd } = t.space.layout;
  const line = new Uint8Array(Math.min(79, argEnd - argStart));
  const read = t.space.copyIn(argStart, line);
  for (let i = 0; i < read; i++) bytes[56 + i] = line[i] === 0 ? 0x20 : line[i];
  return bytes;
}

/** NT_FILE: where which file is mapped. */
function mappedFiles(segments: readonly Segment[]): Uint8Array {
  const mapped = segments.filter(({ area }) => area.file !== null);
  const names = mapped.map(({ area }) => encodeUtf8(`${area.file!.name()}\0`));
  const bytes = new Uint8Array(16 + mapped.length * 24 + names.reduce((sum, name) => sum + name.length, 0));
  const view = new DataView(bytes.buffer);
  setU64(view, 0, mapped.length);
  setU64(view, 8, PAGE_SIZE);
  let at = 16;
  for (const { area } of mapped) {
    setU64(view, at, area.start);
    setU64(view, at + 8, area.end);
    setU64(view, at + 16, area.pageOffset);
    at += 24;
  }
  for (const name of names) {
    bytes.set(name, at);
    at += name.length;
  }
  return bytes;
}

function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}
