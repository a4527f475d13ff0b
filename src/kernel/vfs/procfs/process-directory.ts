// /proc/PID and /proc/PID/task/TID: one entry per line of the table below (Linux fs/proc/base.c, tgid_base_stuff).
import { EACCES, EINVAL, ESRCH } from "../../../abi/errno.ts";
import { S_IFDIR } from "../../../abi/stat.ts";
import type { AddressSpace } from "../../../mm/address-space.ts";
import type { Vma } from "../../../mm/vma.ts";
import { mayAccess } from "../../access.ts";
import type { Kernel } from "../../kernel.ts";
import { oomScore } from "../../oom.ts";
import type { Task } from "../../task.ts";
import type { FileSystem, Inode } from "../inode.ts";
import { OpenFile } from "../open-file.ts";
import { pathName } from "../path.ts";
import { renderLimits } from "./limits.ts";
import { renderMaps, renderNumaMaps, renderSmaps, renderSmapsRollup } from "./maps.ts";
import { SpaceInode } from "./memory-files.ts";
import { queryMaps } from "./memory-queries.ts";
import { renderMountInfo, renderMounts } from "./mounts-text.ts";
import {
  directory,
  link,
  type NodeMaker,
  ProcBytes,
  ProcDirectory,
  ProcDynamicDirectory,
  type ProcGenerated,
  ProcLink,
  ProcText,
  text,
} from "./nodes.ts";
import { renderStat, renderStatm, renderStatus } from "./process-text.ts";

const OOM_ADJUST_MIN = -1000;
const OOM_ADJUST_MAX = 1000;

/** The address space, or null once the task has exited (its memory is gone then). */
function spaceOf(task: Task): AddressSpace | null {
  return task.isAlive ? task.space : null;
}

/** Bytes [from, to) of the address space, as far as they can be read. */
function readRange(space: AddressSpace, from: number, to: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(0, to - from));
  const read = space.copyIn(from, bytes);
  return bytes.subarray(0, read);
}

/** /proc/PID/cmdline: the argument area; a program that rewrote it past its end shows its environment too. */
function commandLine(space: AddressSpace): Uint8Array {
  const { argStart, argEnd, envEnd } = space.layout;
  const bytes = readRange(space, argStart, argEnd);
  if (bytes.length === 0 || bytes[bytes.length - 1] === 0) return bytes;
  const longer = readRange(space, argStart, envEnd);
  const end = longer.indexOf(0);
  return end < 0 ? longer : longer.subarray(0, end + 1);
}

function auxiliaryVector(space: AddressSpace): Uint8Array {
  return space.layout.auxv ?? new Uint8Array(0);
}

class FdDirectory extends ProcDynamicDirectory {
  private readonly task: Task;
  private readonly info: boolean;

  constructor(fs: FileSystem, task: Task, info: boolean) {
    super(fs);
    this.task = task;
    this.info = info;
  }
  names(): string[] {
    const names: string[] = [];
    if (this.task.isAlive)
      this.task.files.forEach((fd) => {
        names.push(String(fd));
      });
    return names;
  }
  override lookup(_t: Task, name: string): Inode | null {
    if (!/^(0|[1-9][0-9]*)$/.test(name) || !this.task.isAlive) return null;
    const fd = Number(name);
    const { task } = this;
    if (task.files.find(fd) === undefined) return null;
    if (this.info) {
      return new ProcText(this.fs, () => {
        const file = task.files.find(fd);
        return file
          ? `pos:\t${file.position}\nflags:\t0${file.flags.toString(8)}\nmnt_id:\t${file.path?.mount.id ?? 0}\nino:\t${file.ino}\n${file.fdInfo()}`
          : "";
      });
    }
    const link = new ProcLink(
      this.fs,
      () => task.files.find(fd)?.name() ?? null,
      (reader) => {
        const file = task.files.find(fd);
        return file ? reader.kernel.vfs.placeOf(file) : null;
      },
    );
    const file = task.files.find(fd)!;
    link.mode = (link.mode & ~0o777) | 0o100 | (file.readable ? 0o400 : 0) | (file.writable ? 0o200 : 0);
    return link;
  }
}

class TaskDirectory extends ProcDynamicDirectory {
  private readonly leader: Task;
  constructor(fs: FileSystem, leader: Task) {
    super(fs);
    this.leader = leader;
  }
  names(): string[] {
    return [...this.leader.process.threads].map((task) => String(task.tid));
  }
  override lookup(_t: Task, name: string): Inode | null {
    for (const task of this.leader.process.threads)
      if (String(task.tid) === name) return new ProcessDirectory(this.fs, task, false);
    return null;
  }
}

function clearReferences(task: Task, value: string): number {
  const kind = Number.parseInt(value, 10);
  if (!(kind >= 1 && kind <= 5)) return -EINVAL;
  if (!task.isAlive) return -ESRCH;
  const result = task.space.clearReferences(kind) as unknown;
  return typeof result === "number" ? result : 0;
}

function storeOomAdjust(task: Task, value: string): number {
  const adjust = Number.parseInt(value, 10);
  if (!(adjust >= OOM_ADJUST_MIN && adjust <= OOM_ADJUST_MAX)) return -EINVAL;
  task.process.oomScoreAdjust = adjust;
  return 0;
}

function storeCoreFilter(task: Task, value: string): number {
  const filter = Number(value.trim().replace(/^0([0-7]+)$/, "0o$1") || "x");
  if (!Number.isInteger(filter) || filter < 0 || filter > 0xffffffff) return -EINVAL;
  if (!task.isAlive) return -ESRCH;
  task.process.coreFilter = filter & 0x1ff;
  return 0;
}

/** The node with other permission bits; opening it takes the right to look into the process (mm_access). */
const guarded =
  (task: Task, permissions: number, maker: NodeMaker): NodeMaker =>
  (fs) => {
    const node = maker(fs) as ProcGenerated;
    node.mode = (node.mode & ~0o777) | permissions;
    node.guard = (t) => (!task.isAlive || mayAccess(t, task) ? 0 : -EACCES);
    return node;
  };

/** /proc/PID/maps, which can also be asked for one area (PROCMAP_QUERY). */
const mapsOf =
  (task: Task): NodeMaker =>
  (fs) => {
    const node = ofSpace(task, renderMaps)(fs) as ProcGenerated;
    node.control = (t, request, argument) => (task.isAlive ? queryMaps(t, task.space, request, argument) : -ESRCH);
    return node;
  };

/** /proc/PID/map_files: a link for each mapped file, named by its range. */
class MapFilesDirectory extends ProcDynamicDirectory {
  private readonly task: Task;
  constructor(fs: FileSystem, task: Task) {
    super(fs);
    this.task = task;
    this.mode = (this.mode & ~0o777) | 0o500;
  }
  names(): string[] {
    const names: string[] = [];
    if (this.task.isAlive)
      for (const area of this.task.space.areas) if (openFileOf(area) !== null) names.push(rangeName(area));
    return names;
  }
  override lookup(_t: Task, name: string): Inode | null {
    if (!this.task.isAlive) return null;
    for (const area of this.task.space.areas) {
      const file = openFileOf(area);
      if (file === null || rangeName(area) !== name) continue;
      return new ProcLink(
        this.fs,
        () => file.name(),
        (reader) => reader.kernel.vfs.placeOf(file),
      );
    }
    return null;
  }
}

function openFileOf(area: Vma): OpenFile | null {
  return area.file instanceof OpenFile ? area.file : null;
}

function rangeName(area: Vma): string {
  return `${area.start.toString(16)}-${area.end.toString(16)}`;
}

const ofSpace = (task: Task, render: (space: AddressSpace) => string): NodeMaker =>
  text(() => {
    const space = spaceOf(task);
    return space === null ? "" : render(space);
  });
const bytesOfSpace =
  (task: Task, make: (space: AddressSpace) => Uint8Array): NodeMaker =>
  (fs) =>
    new ProcBytes(fs, () => {
      const space = spaceOf(task);
      return space === null ? new Uint8Array(0) : make(space);
    });

function entries(task: Task, whole: boolean): Record<string, NodeMaker> {
  const k: Kernel = task.kernel;
  const table: Record<string, NodeMaker> = {
    auxv: guarded(task, 0o400, bytesOfSpace(task, auxiliaryVector)),
    cgroup: text(() => "0::/\n"),
    clear_refs: guarded(
      task,
      0o200,
      text(
        () => "",
        (_t, value) => clearReferences(task, value),
      ),
    ),
    cmdline: bytesOfSpace(task, commandLine),
    comm: text(
      () => `${task.name}\n`,
      (_t, value) => {
        task.name = value.replace(/\n$/, "").slice(0, 15);
        return 0;
      },
    ),
    coredump_filter: text(
      () => (task.isAlive ? `${task.process.coreFilter.toString(16).padStart(8, "0")}\n` : ""),
      (_t, value) => storeCoreFilter(task, value),
    ),
    cwd: link(
      () => (task.isAlive ? pathName(task.fs.cwd) : null),
      () => (task.isAlive ? task.fs.cwd : null),
    ),
    environ: guarded(
      task,
      0o400,
      bytesOfSpace(task, (space) => readRange(space, space.layout.envStart, space.layout.envEnd)),
    ),
    exe: link(
      () => task.process.executable?.name() ?? null,
      () => (task.process.executable ? k.vfs.placeOf(task.process.executable) : null),
    ),
    fd: (fs) => new FdDirectory(fs, task, false),
    fdinfo: (fs) => new FdDirectory(fs, task, true),
    io: guarded(
      task,
      0o400,
      text(() => "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n"),
    ),
    limits: text(() => renderLimits(task.process.limits)),
    loginuid: text(() => "4294967295"),
    map_files: (fs) => new MapFilesDirectory(fs, task),
    maps: guarded(task, 0o444, mapsOf(task)),
    mem: (fs) => new SpaceInode(fs, task, "mem"),
    mountinfo: text(() => renderMountInfo(k)),
    mounts: text(() => renderMounts(k)),
    ns: directory({}),
    numa_maps: guarded(task, 0o444, ofSpace(task, renderNumaMaps)),
    oom_adj: text(
      () => "0\n",
      () => 0,
    ),
    oom_score: text(() => `${task.isAlive ? oomScore(k, task.process) : 0}\n`),
    oom_score_adj: text(
      () => `${task.process.oomScoreAdjust}\n`,
      (_t, value) => storeOomAdjust(task, value),
    ),
    pagemap: (fs) => new SpaceInode(fs, task, "pagemap"),
    personality: guarded(
      task,
      0o400,
      text(() => `${task.process.personality.toString(16).padStart(8, "0")}\n`),
    ),
    root: link(
      () => pathName(task.fs.root),
      () => task.fs.root,
    ),
    sched: text(() => `${task.name} (${task.tid}, #threads: ${task.process.threads.size})\n`),
    schedstat: text(() => `${task.userNs + task.systemNs} 0 0\n`),
    sessionid: text(() => "4294967295"),
    smaps: guarded(task, 0o444, ofSpace(task, renderSmaps)),
    smaps_rollup: guarded(task, 0o444, ofSpace(task, renderSmapsRollup)),
    stack: guarded(
      task,
      0o400,
      text(() => ""),
    ),
    stat: text(() => renderStat(task)),
    statm: text(() => renderStatm(spaceOf(task))),
    status: text(() => renderStatus(task)),
    syscall: guarded(
      task,
      0o400,
      text(() => (task.state === "blocked" ? `${task.syscallNumber}\n` : "running\n")),
    ),
    timerslack_ns: text(
      () => `${task.timerSlackNs}\n`,
      () => 0,
    ),
    wchan: text(() => "0"),
  };
  if (whole) table.task = (fs) => new TaskDirectory(fs, task);
  return table;
}

export class ProcessDirectory extends ProcDirectory {
  readonly task: Task;
  /** Of a process: /proc/PID; not of one thread: /proc/PID/task/TID. */
  readonly whole: boolean;

  constructor(fs: FileSystem, task: Task, whole: boolean) {
    super(fs, entries(task, whole));
    this.task = task;
    this.whole = whole;
    this.uid = task.credentials.euid;
    this.gid = task.credentials.egid;
  }
  /** task_dump_owner(): what lies in the directory of a process that must not be looked into is root's. */
  override lookup(t: Task, name: string): Inode | null {
    const child = super.lookup(t, name);
    if (child !== null) {
      const isOwn = this.task.process.dumpable === 1 || child.mode === (S_IFDIR | 0o555);
      child.uid = isOwn ? this.task.credentials.euid : 0;
      child.gid = isOwn ? this.task.credentials.egid : 0;
    }
    return child;
  }
}
