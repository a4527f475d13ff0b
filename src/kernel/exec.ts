// execve: finds the program (also through #! lines), builds its address space aside, and only then gives up the old one
// (fs/exec.c). ELF mapping is elf-loader.ts, the stack's contents initial-stack.ts.

import * as A from "../abi/elf.ts";
import { E2BIG, EACCES, EFAULT, ELIBBAD, ELOOP, ENAMETOOLONG, ENOENT, ENOEXEC, ENOMEM } from "../abi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, MS_NOEXEC, MS_NOSUID, O_RDONLY } from "../abi/fcntl.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_GROWSDOWN, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../abi/mman.ts";
import { RLIMIT_STACK } from "../abi/resource.ts";
import { SS_DISABLE } from "../abi/signal.ts";
import { PAGE_SIZE, USER_END } from "../arch/sv39.ts";
import type { AddressSpace } from "../mm/address-space.ts";
import type { MemoryObject } from "../mm/memory-object.ts";
import { decodeUtf8, encodeUtf8 } from "../util/utf8.ts";
import { type ElfFile, isElf, readAt, readElf } from "./elf-file.ts";
import { DYN_BASE, type LoadedElf, mapElf } from "./elf-loader.ts";
import { credentialsAfterExec } from "./exec-credentials.ts";
import { exitThread, finishVfork, releaseExecutable } from "./exit.ts";
import { abandonFutexes } from "./futex-exit.ts";
import { buildInitialStack, type InitialStack } from "./initial-stack.ts";
import type { Kernel } from "./kernel.ts";
import { errno } from "./linux-error.ts";
import { applyMemoryLimits } from "./memory-limits.ts";
import { cancelPosixTimers } from "./posix-timers.ts";
import { isScript, PROBE_BYTES, parseScriptLine } from "./script.ts";
import { FRAME_BYTES } from "./signals/frame.ts";
import { SignalHandlers } from "./signals/state.ts";
import type { Task } from "./task.ts";
import { traceExec } from "./tracing.ts";
import { VDSO_BYTES } from "./vdso.ts";
import type { Inode } from "./vfs/inode.ts";
import type { OpenFile } from "./vfs/open-file.ts";
import type { Path } from "./vfs/path.ts";
import { MAY_EXEC, requirePermission } from "./vfs/permissions.ts";
import { RegularFile } from "./vfs/regular-file.ts";

const MAX_ARG_STRING_BYTES = 32 * PAGE_SIZE;
const ARG_MAX = 131072;
const STACK_LIMIT_BASE = 8 << 20;
const MAX_SCRIPT_DEPTH = 5;
/** How much stack is mapped below the strings at once (setup_arg_pages). */
const STACK_EXPAND = 131072;
const STACK_GUARD_GAP = 256 * PAGE_SIZE;
/** STACK_RND_MASK and mmap_rnd_bits of riscv64. */
const STACK_RANDOM_PAGES = 0x800;
const MMAP_RANDOM_PAGES = 1 << 18;
const BRK_RANDOM_PAGES = (1 << 30) / PAGE_SIZE;
const ADDR_NO_RANDOMIZE = 0x40000;
const CLOCK_TICKS = 100;
const RSEQ_FEATURE_SIZE = 28;
const RSEQ_ALIGN = 32;

export interface ExecRequest {
  dirfd: number;
  path: string;
  argv: Uint8Array[];
  envp: Uint8Array[];
  /** AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW. */
  flags: number;
}

interface Program {
  file: OpenFile;
  object: MemoryObject;
  elf: ElfFile;
  argv: Uint8Array[];
  /** AT_EXECFN: the name as given. */
  fileName: string;
  /** The file whose set-user-id bits count: the binary, never the script. */
  inode: Inode;
  path: Path;
}

/** What a new program needs, ready to be switched to. */
interface Image {
  program: Program;
  space: AddressSpace;
  entry: number;
  sp: number;
  vdsoBase: number;
}

/** do_execveat_common(): throws LinuxError with everything as before, or returns with the task being the new program. */
export function execute(k: Kernel, t: Task, request: ExecRequest): void {
  const argv = request.argv.length === 0 ? [new Uint8Array(0)] : request.argv;
  checkArgumentSpace(t, encodeUtf8(request.path), argv, request.envp);
  const program = openProgram(k, t, request, argv);
  let image: Image;
  try {
    image = buildImage(k, t, program, request.envp);
  } catch (error) {
    k.vfs.allowWrite(program.inode);
    program.file.release();
    throw error;
  }
  commit(k, t, image);
}

/** bprm_stack_limits() and copy_strings(): E2BIG. */
function checkArgumentSpace(
  t: Task,
  fileName: Uint8Array,
  argv: readonly Uint8Array[],
  envp: readonly Uint8Array[],
): void {
  const stackLimit = t.process.limits.soft[RLIMIT_STACK];
  let limit = Math.max(Math.min((STACK_LIMIT_BASE / 4) * 3, stackLimit / 4), ARG_MAX);
  limit -= (Math.max(argv.length, 1) + envp.length) * 8;
  if (limit <= 0) throw errno(E2BIG);
  let used = fileName.length + 1;
  for (const strings of [argv, envp]) {
    for (const string of strings) {
      if (string.length + 1 > MAX_ARG_STRING_BYTES) throw errno(E2BIG);
      used += string.length + 1;
    }
  }
  if (used > limit) throw errno(E2BIG);
}

/** do_open_execat(): a regular file that may be executed; writing to it is denied from here on. */
function openExecutable(
  k: Kernel,
  t: Task,
  dirfd: number,
  text: string,
  flags: number,
): { file: OpenFile; path: Path } {
  const path = k.vfs.resolve(t, dirfd, text, {
    followLast: (flags & AT_SYMLINK_NOFOLLOW) === 0,
    emptyPath: (flags & AT_EMPTY_PATH) !== 0,
  });
  const { inode } = path.dentry;
  if (inode === null) throw errno(ENOENT);
  if (inode.isSymlink) throw errno(ELOOP);
  if (!inode.isRegular || (path.mount.flags & MS_NOEXEC) !== 0) throw errno(EACCES);
  requirePermission(t, inode, MAY_EXEC);
  k.vfs.denyWrite(inode);
  try {
    return { file: inode.open(t, path, O_RDONLY) ?? new RegularFile(inode, path, O_RDONLY), path };
  } catch (error) {
    k.vfs.allowWrite(inode);
    throw error;
  }
}

function closeExecutable(k: Kernel, file: OpenFile): void {
  k.vfs.allowWrite(file.inode);
  file.release();
}

/** search_binary_handler(): follows #! lines until an ELF file is found. */
function openProgram(k: Kernel, t: Task, request: ExecRequest, argv: Uint8Array[]): Program {
  let { dirfd, path: text, flags } = request;
  let args = argv;
  const fileName = execFileName(request);
  // What a script is called on its interpreter's command line.
  let scriptName = fileName;
  for (let depth = 0; ; depth++) {
    const { file, path } = openExecutable(k, t, dirfd, text, flags);
    try {
      const object = file.mmapObject(t, false, PROT_READ | PROT_EXEC);
      if (object === null) throw errno(EACCES);
      const probe = new Uint8Array(PROBE_BYTES);
      const got = readAt(object, probe, 0);
      if (got < 0) throw errno(-got);
      if (isElf(probe)) {
        const elf = readElf(object);
        if (typeof elf === "number") throw errno(-elf);
        return { file, object, elf, argv: args, fileName, inode: file.inode, path };
      }
      if (!isScript(probe)) throw errno(ENOEXEC);
      const line = parseScriptLine(probe);
      if (typeof line === "number") throw errno(-line);
      if (isInaccessible(t, request) && depth === 0) throw errno(ENOENT);
      if (depth >= MAX_SCRIPT_DEPTH) throw errno(ELOOP);
      args = [
        line.interpreter,
        ...(line.argument === null ? [] : [line.argument]),
        encodeUtf8(scriptName),
        ...args.slice(1),
      ];
      text = decodeUtf8(line.interpreter);
      scriptName = text;
    } catch (error) {
      closeExecutable(k, file);
      throw error;
    }
    closeExecutable(k, file);
    dirfd = AT_FDCWD;
    flags = 0;
  }
}

/** bprm->filename: /dev/fd/N[/path] for execveat relative to a descriptor. */
function execFileName({ dirfd, path }: ExecRequest): string {
  if (dirfd === AT_FDCWD || path.startsWith("/")) return path;
  return path === "" ? `/dev/fd/${dirfd}` : `/dev/fd/${dirfd}/${path}`;
}

/** BINPRM_FLAGS_PATH_INACCESSIBLE: /dev/fd/N will be closed when a script's interpreter looks for it. */
function isInaccessible(t: Task, { dirfd, path }: ExecRequest): boolean {
  return dirfd !== AT_FDCWD && !path.startsWith("/") && t.files.getCloexec(dirfd);
}

function randomPages(k: Kernel, t: Task, pages: number): number {
  if ((t.process.personality & ADDR_NO_RANDOMIZE) !== 0 || !k.randomizeLayout) return 0;
  return k.randomBelow(pages) * PAGE_SIZE;
}

/** mmap_base(): below the stack's limit, its gap and its randomisation. */
function mmapBase(k: Kernel, t: Task): number {
  const stack = t.process.limits.soft[RLIMIT_STACK];
  const gap = stack + STACK_GUARD_GAP + STACK_RANDOM_PAGES * PAGE_SIZE;
  const clamped = Math.min(Math.max(gap, 128 << 20), Math.floor(USER_END / 6) * 5);
  const base = USER_END - clamped - randomPages(k, t, MMAP_RANDOM_PAGES);
  return Math.ceil(base / PAGE_SIZE) * PAGE_SIZE;
}

/** load_elf_binary() into a space of its own. */
function buildImage(k: Kernel, t: Task, program: Program, envp: Uint8Array[]): Image {
  const space = k.mm.createSpace();
  if (space === null) throw errno(ENOMEM);
  try {
    applyMemoryLimits(t.process, t.credentials, space);
    space.layout.mmapBase = mmapBase(k, t);
    const { elf } = program;
    const interpreter = elf.interpreter === null ? null : openInterpreter(k, t, elf.interpreter);
    try {
      const where = elf.type === A.ET_DYN && interpreter !== null ? DYN_BASE + randomPages(k, t, MMAP_RANDOM_PAGES) : 0;
      const main = must(mapElf(space, program, elf, where, false));
      const loader = interpreter === null ? null : must(mapElf(space, interpreter, interpreter.elf, 0, true));
      const vdsoBase = mapVdso(k, space);
      setLayout(k, t, space, main, elf.type === A.ET_DYN && interpreter === null);
      const auxv = auxiliaryVector(t, program, main, loader, vdsoBase);
      const stack = mapStack(k, t, space, program, envp, auxv);
      return { program, space, entry: loader?.entry ?? main.entry, sp: stack.sp, vdsoBase };
    } finally {
      if (interpreter !== null) closeExecutable(k, interpreter.file);
    }
  } catch (error) {
    space.release();
    throw error;
  }
}

function must(loaded: LoadedElf | number): LoadedElf {
  if (typeof loaded === "number") throw errno(-loaded);
  return loaded;
}

/** open_exec() of PT_INTERP; a file that is no ELF for us is ELIBBAD. */
function openInterpreter(k: Kernel, t: Task, name: Uint8Array): { file: OpenFile; object: MemoryObject; elf: ElfFile } {
  const { file } = openExecutable(k, t, AT_FDCWD, decodeUtf8(name), 0);
  try {
    const object = file.mmapObject(t, false, PROT_READ | PROT_EXEC);
    if (object === null) throw errno(EACCES);
    const elf = readElf(object);
    if (typeof elf === "number") throw errno(elf === -ENOEXEC ? ELIBBAD : -elf);
    return { file, object, elf };
  } catch (error) {
    closeExecutable(k, file);
    throw error;
  }
}

/** arch_setup_additional_pages(): one shared page of code behind the data pages, which the code here does not need: they are empty. */
function mapVdso(k: Kernel, space: AddressSpace): number {
  const data = space.mmap({
    address: 0,
    length: VVAR_BYTES + VDSO_BYTES,
    prot: PROT_READ,
    maxProt: PROT_READ,
    flags: MAP_PRIVATE | MAP_ANONYMOUS,
    object: null,
    file: null,
    offset: 0,
    label: "[vvar]",
  });
  if (data < 0) throw errno(-data);
  const at = space.mmap({
    address: data + VVAR_BYTES,
    length: VDSO_BYTES,
    prot: PROT_READ | PROT_EXEC,
    maxProt: PROT_READ | PROT_WRITE | PROT_EXEC,
    flags: MAP_PRIVATE | MAP_FIXED,
    object: k.vdsoObject(),
    file: null,
    offset: 0,
    label: "[vdso]",
  });
  if (at < 0) throw errno(-at);
  return at;
}

/** mm->start_code and friends; the heap begins behind the program, or at DYN_BASE for a static-PIE one. */
function setLayout(k: Kernel, t: Task, space: AddressSpace, main: LoadedElf, staticPie: boolean): void {
  const { layout } = space;
  layout.codeStart = main.codeStart === Number.POSITIVE_INFINITY ? main.base : main.codeStart;
  layout.codeEnd = main.codeEnd;
  layout.dataStart = main.dataStart;
  layout.dataEnd = main.dataEnd;
  const heap = staticPie ? DYN_BASE : main.brk;
  layout.brkStart = Math.ceil(heap / PAGE_SIZE) * PAGE_SIZE + randomPages(k, t, BRK_RANDOM_PAGES);
  layout.brk = layout.brkStart;
}

/** __VVAR_PAGES. */
const VVAR_BYTES = 2 * PAGE_SIZE;

type Auxv = (readonly [number, number])[];

function auxiliaryVector(t: Task, program: Program, main: LoadedElf, loader: LoadedElf | null, vdsoBase: number): Auxv {
  const next = credentialsAfterExec(t, program.inode, (program.path.mount.flags & MS_NOSUID) !== 0);
  const cred = next.credentials;
  return [
    [A.AT_SYSINFO_EHDR, vdsoBase],
    [A.AT_L1I_CACHESIZE, 0],
    [A.AT_L1I_CACHEGEOMETRY, 0],
    [A.AT_L1D_CACHESIZE, 0],
    [A.AT_L1D_CACHEGEOMETRY, 0],
    [A.AT_L2_CACHESIZE, 0],
    [A.AT_L2_CACHEGEOMETRY, 0],
    [A.AT_L3_CACHESIZE, 0],
    [A.AT_L3_CACHEGEOMETRY, 0],
    [A.AT_MINSIGSTKSZ, FRAME_BYTES],
    [A.AT_HWCAP, A.HWCAP_RV64GC],
    [A.AT_PAGESZ, PAGE_SIZE],
    [A.AT_CLKTCK, CLOCK_TICKS],
    [A.AT_PHDR, main.phdrAddress],
    [A.AT_PHENT, A.ELF_PHDR_BYTES],
    [A.AT_PHNUM, program.elf.phnum],
    [A.AT_BASE, loader?.bias ?? 0],
    [A.AT_FLAGS, 0],
    [A.AT_ENTRY, main.entry],
    [A.AT_UID, cred.uid],
    [A.AT_EUID, cred.euid],
    [A.AT_GID, cred.gid],
    [A.AT_EGID, cred.egid],
    [A.AT_SECURE, next.secure ? 1 : 0],
    [A.AT_RSEQ_FEATURE_SIZE, RSEQ_FEATURE_SIZE],
    [A.AT_RSEQ_ALIGN, RSEQ_ALIGN],
  ];
}

/** setup_arg_pages(): the stack area with the strings, some room below, and what create_elf_tables() writes. */
function mapStack(
  k: Kernel,
  t: Task,
  space: AddressSpace,
  program: Program,
  envp: Uint8Array[],
  auxv: Auxv,
): InitialStack {
  const top = USER_END - randomPages(k, t, STACK_RANDOM_PAGES);
  const random = new Uint8Array(16);
  k.random(random);
  const slack = k.randomizeLayout ? k.randomBelow(512) * 16 : 0;
  const fileName = encodeUtf8(program.fileName);
  const stack = buildInitialStack({ top, fileName, argv: program.argv, envp, random, auxv, slack });
  const used = Math.ceil((top - stack.sp) / PAGE_SIZE) * PAGE_SIZE;
  const limit = t.process.limits.soft[RLIMIT_STACK];
  const allowed = Math.floor(Math.min(limit, 2 ** 40) / PAGE_SIZE) * PAGE_SIZE;
  const length = Math.max(used, Math.min(used + STACK_EXPAND, allowed));
  const at = space.mmap({
    address: top - length,
    length,
    prot: PROT_READ | PROT_WRITE | (program.elf.executableStack ? PROT_EXEC : 0),
    maxProt: PROT_READ | PROT_WRITE | PROT_EXEC,
    flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN,
    object: null,
    file: null,
    offset: 0,
    label: "[stack]",
  });
  if (at < 0) throw errno(-at);
  if (space.copyOut(stack.sp, stack.bytes) !== stack.bytes.length) throw errno(ENOMEM);
  const { layout } = space;
  layout.stackTop = stack.sp;
  layout.argStart = stack.argStart;
  layout.argEnd = stack.argEnd;
  layout.envStart = stack.envStart;
  layout.envEnd = stack.envEnd;
  layout.auxv = stack.auxv;
  return stack;
}

/** begin_new_exec() and setup_new_exec(): nothing below can fail. */
function commit(k: Kernel, t: Task, image: Image): void {
  const { process } = t;
  const { program } = image;
  const formerTid = t.tid;
  becomeLeader(k, t);
  abandonFutexes(k, t);
  t.clearChildTid = 0;
  t.robustList = 0;
  t.rseqAddress = 0;
  const old = t.space;
  t.space = image.space;
  t.vdsoBase = image.vdsoBase;
  process.ownUsage.maxResidentPages = Math.max(process.ownUsage.maxResidentPages, old.peakResidentPages);
  old.release();
  finishVfork(t);
  if (t.files.shared) {
    const own = t.files.clone();
    t.files.release();
    t.files = own;
  }
  if (t.fs.shared) {
    const own = t.fs.clone();
    t.fs.release();
    t.fs = own;
  }
  t.files.closeOnExec();
  resetSignals(t);
  cancelPosixTimers(k, process);
  process.aio.byId.clear();
  releaseExecutable(process);
  process.executable = program.file;
  process.hasExecuted = true;
  process.membarrierReady = 0;
  const next = credentialsAfterExec(t, program.inode, (program.path.mount.flags & MS_NOSUID) !== 0);
  t.credentials = next.credentials;
  process.dumpable = next.secure ? 0 : 1;
  if (next.secure) t.parentDeathSignal = 0;
  applyMemoryLimits(process, t.credentials, t.space);
  t.name = commOf(program.fileName);
  startThread(t, image);
  k.observer?.executed(t);
  traceExec(k, t, formerTid);
}

/** de_thread(): the other threads end, and this one takes over the leader's id. */
function becomeLeader(k: Kernel, t: Task): void {
  const { process } = t;
  for (const thread of [...process.threads]) if (thread !== t) exitThread(k, thread);
  const { leader } = process;
  if (leader === t) return;
  process.threads.delete(leader);
  leader.state = "dead";
  k.tasks.delete(t.tid);
  t.tid = process.pid;
  process.leader = t;
  k.tasks.set(t.tid, t);
}

/** flush_signal_handlers(), and no table shared with other processes. */
function resetSignals(t: Task): void {
  const { signals } = t.process;
  if (signals.handlers.users > 1) {
    signals.handlers.users--;
    signals.handlers = new SignalHandlers(signals.handlers);
  }
  signals.handlers.forgetHandlers();
  Object.assign(t.signals.altStack, { pointer: 0, flags: SS_DISABLE, size: 0 });
}

/** comm: the last component of the name, 15 bytes. */
export function commOf(fileName: string): string {
  const bytes = encodeUtf8(fileName.slice(fileName.lastIndexOf("/") + 1));
  return decodeUtf8(bytes, 0, Math.min(bytes.length, 15));
}

/** start_thread(): every register is zero but pc and sp. */
function startThread(t: Task, image: Image): void {
  const { registers } = t;
  for (let i = 1; i < 32; i++) registers.setX(i, 0);
  registers.f.fill(0);
  registers.fcsr = 0;
  registers.setX(2, image.sp);
  registers.pc = image.entry;
  t.inSyscall = false;
}

/** Arguments of execve as they lie in user memory: an array of pointers ended by NULL. E2BIG, EFAULT. */
export function fetchStrings(t: Task, address: number): Uint8Array[] {
  const strings: Uint8Array[] = [];
  if (address === 0) return strings;
  let total = 0;
  for (let at = address; ; at += 8) {
    const pointer = t.space.readU64(at);
    if (Number.isNaN(pointer)) throw errno(EFAULT);
    if (pointer === 0) return strings;
    const bytes = t.space.readString(pointer, MAX_ARG_STRING_BYTES);
    if (typeof bytes === "number") throw errno(bytes === -ENAMETOOLONG ? E2BIG : -bytes);
    strings.push(bytes);
    total += bytes.length + 9;
    // Far beyond any limit that checkArgumentSpace() will find: do not collect a whole address space.
    if (total > 64 << 20) throw errno(E2BIG);
  }
}
