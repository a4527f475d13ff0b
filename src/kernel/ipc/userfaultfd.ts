// userfaultfd(2): a descriptor that tells of missing pages in areas registered with it, and by which they are provided (fs/userfaultfd.c).
// What happens to memory is mm/userfault.ts. Not here: events of fork, mremap and unmap, write protection, UFFDIO_MOVE, UFFDIO_POISON.
import { EAGAIN, EBUSY, EFAULT, EINVAL, ENOENT, EPERM, ERESTARTNOINTR, ESRCH } from "../../abi/errno.ts";
import { O_NONBLOCK, O_RDONLY } from "../../abi/fcntl.ts";
import { POLLERR, POLLIN, POLLRDNORM } from "../../abi/poll.ts";
import * as U from "../../abi/userfaultfd.ts";
import { PAGE_SIZE, USER_END } from "../../arch/sv39.ts";
import type { AddressSpace } from "../../mm/address-space.ts";
import { type Access, WRITE } from "../../mm/contracts.ts";
import { FRAME_SHMEM } from "../../mm/frame-table.ts";
import type { IoCursor } from "../../mm/io-cursor.ts";
import { continueWithPage, provideMissingPage, setUserfault, type UserfaultContext } from "../../mm/userfault.ts";
import { VM_DROPPABLE, VM_MAYWRITE, VM_UFFD_MINOR, VM_UFFD_MISSING, type Vma } from "../../mm/vma.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { WaitQueue } from "../wait-queue.ts";
import { AnonymousFile } from "./anonymous-file.ts";
import { fetch64, fetchBytes, get64, set64, storeBytes, storeU64, viewOf } from "./user-memory.ts";

/** A task that waits for a page. Dead once the task goes on for whatever reason. */
interface PendingFault {
  readonly task: Task;
  readonly address: number;
  readonly flags: number;
  wasRead: boolean;
}

export class UserfaultFile extends AnonymousFile implements UserfaultContext {
  private readonly space: AddressSpace;
  readonly isUserModeOnly: boolean;
  /** null: before UFFDIO_API. */
  private features: number | null = null;
  private faults: PendingFault[] = [];
  private readonly readers = new WaitQueue();
  private readonly sleepers = new WaitQueue();

  constructor(k: Kernel, t: Task, flags: number) {
    super(k, "[userfaultfd]", O_RDONLY | (flags & O_NONBLOCK));
    this.space = t.space;
    this.isUserModeOnly = (flags & U.UFFD_USER_MODE_ONLY) !== 0;
  }

  get raisesSigbus(): boolean {
    return ((this.features ?? 0) & U.UFFD_FEATURE_SIGBUS) !== 0;
  }

  /** handle_userfault(): the task is to sleep until woken; a message is there to be read. Returns the value of Task.block(). */
  await(t: Task, address: number, access: Access, isMinor: boolean): number {
    const isExact = ((this.features ?? 0) & U.UFFD_FEATURE_EXACT_ADDRESS) !== 0;
    const flags = (access === WRITE ? U.UFFD_PAGEFAULT_FLAG_WRITE : 0) | (isMinor ? U.UFFD_PAGEFAULT_FLAG_MINOR : 0);
    const shown = isExact ? address : address - (address % PAGE_SIZE);
    this.faults = this.faults.filter((fault) => fault.task !== t && isWaiting(fault));
    const fault = { task: t, address: shown, flags, wasRead: false };
    this.faults.push(fault);
    this.readers.wake();
    const blocked = t.block([this.sleepers], { interrupted: -ERESTARTNOINTR });
    t.userfault = fault;
    return blocked;
  }

  private get unread(): PendingFault | undefined {
    return this.faults.find((fault) => !fault.wasRead && isWaiting(fault));
  }

  override read(t: Task, io: IoCursor): number {
    if (this.features === null) return -EINVAL;
    let done = 0;
    for (;;) {
      if (io.remaining < U.UFFD_MSG_BYTES) return done > 0 ? done : -EINVAL;
      const fault = this.unread;
      if (fault === undefined) {
        if (done > 0) return done;
        return this.nonBlocking ? -EAGAIN : t.block([this.readers]);
      }
      if (io.put(this.message(fault), 0, U.UFFD_MSG_BYTES) < U.UFFD_MSG_BYTES) return done > 0 ? done : -EFAULT;
      fault.wasRead = true;
      done += U.UFFD_MSG_BYTES;
    }
  }

  private message(fault: PendingFault): Uint8Array {
    const bytes = new Uint8Array(U.UFFD_MSG_BYTES);
    const view = viewOf(bytes);
    bytes[0] = U.UFFD_EVENT_PAGEFAULT;
    set64(view, 8, fault.flags);
    set64(view, 16, fault.address);
    if ((this.features ?? 0) & U.UFFD_FEATURE_THREAD_ID) view.setUint32(24, fault.task.tid, true);
    return bytes;
  }

  override write(): number {
    return -EINVAL;
  }

  override poll(): number {
    if (this.features === null || !this.nonBlocking) return POLLERR;
    return this.unread !== undefined ? POLLIN | POLLRDNORM : 0;
  }

  override pollQueues(): readonly WaitQueue[] {
    return [this.readers];
  }

  override fdInfo(): string {
    const waiting = this.faults.filter(isWaiting);
    const pending = waiting.filter((fault) => !fault.wasRead).length;
    const all = (0x80000000n << 32n) | BigInt(U.RANGE_IOCTLS_ALL | 3);
    return `pending:\t${pending}\ntotal:\t${waiting.length}\nAPI:\t${U.UFFD_API.toString(16)}:${(this.features ?? 0).toString(16)}:${all.toString(16)}\n`;
  }

  protected override closed(): void {
    if (this.space.alive) {
      for (let area = this.space.areas.first; area !== null; ) {
        const end = area.endVpn;
        if (area.userfault === this) setUserfault(area, area.startVpn, end, 0, null);
        area = this.space.areas.findPageOrAbove(end);
      }
    }
    this.wakeRange(0, USER_END);
    super.closed();
  }

  private wakeRange(start: number, length: number): void {
    for (const fault of this.faults) {
      if (fault.address >= start && fault.address < start + length && isWaiting(fault)) fault.task.wake();
    }
    this.faults = this.faults.filter(isWaiting);
  }

  override ioctl(t: Task, request: number, argument: number): number {
    if (request === U.UFFDIO_API) return this.agree(t, argument);
    if (this.features === null) return -EINVAL;
    switch (request) {
      case U.UFFDIO_REGISTER:
        return this.register(t, argument);
      case U.UFFDIO_UNREGISTER:
        return this.unregister(fetch64(t, argument), fetch64(t, argument + 8));
      case U.UFFDIO_WAKE: {
        const [start, length] = [fetch64(t, argument), fetch64(t, argument + 8)];
        if (!isRange(start, length)) return -EINVAL;
        this.wakeRange(start, length);
        return 0;
      }
      case U.UFFDIO_COPY:
        return this.copy(t, argument);
      case U.UFFDIO_ZEROPAGE:
        return this.fill(t, argument, (area, vpn) => provideMissingPage(area, vpn, null));
      case U.UFFDIO_CONTINUE:
        return this.fill(t, argument, (area, vpn) => continueWithPage(area, vpn));
      default:
        return -EINVAL;
    }
  }

  /** UFFDIO_API. */
  private agree(t: Task, argument: number): number {
    const view = viewOf(fetchBytes(t, argument, 24));
    const wanted = get64(view, 8);
    const known = get64(view, 0) === U.UFFD_API && wanted >= 0 && (wanted & ~U.FEATURES) === 0 && wanted < 2 ** 31;
    if (!known || this.features !== null) {
      if (!known) storeBytes(t, argument, new Uint8Array(24));
      return -EINVAL;
    }
    set64(view, 8, U.FEATURES);
    view.setUint32(16, 3, true);
    view.setUint32(20, 0x80000000, true);
    storeBytes(t, argument, new Uint8Array(view.buffer));
    this.features = wanted;
    return 0;
  }

  private register(t: Task, argument: number): number {
    const view = viewOf(fetchBytes(t, argument, 24));
    const [start, length, mode] = [get64(view, 0), get64(view, 8), get64(view, 16)];
    const { MISSING, MINOR } = U.REGISTER_MODES;
    if (mode === 0 || mode & ~(MISSING | MINOR)) return -EINVAL;
    const flags = (mode & MISSING ? VM_UFFD_MISSING : 0) | (mode & MINOR ? VM_UFFD_MINOR : 0);
    const areas = this.areasOf(start, length);
    if (typeof areas === "number") return areas;
    if (areas.length === 0) return -EINVAL;
    for (const area of areas) {
      if (!mayRegister(area, flags)) return -EINVAL;
      if ((area.flags & VM_MAYWRITE) === 0) return -EPERM;
      if (area.userfault !== null && area.userfault !== this) return -EBUSY;
    }
    this.space.hasUserfault = true;
    const failed = this.change(start, length, flags, this);
    if (failed < 0) return failed;
    storeU64(t, argument + 24, U.RANGE_IOCTLS | (mode & MINOR ? U.RANGE_IOCTL_CONTINUE : 0));
    return 0;
  }

  private unregister(start: number, length: number): number {
    const areas = this.areasOf(start, length);
    if (typeof areas === "number") return areas;
    if (areas.length === 0) return -EINVAL;
    for (const area of areas) if (!mayRegister(area, 0)) return -EINVAL;
    const failed = this.change(start, length, 0, null);
    if (failed < 0) return failed;
    this.wakeRange(start, length);
    return 0;
  }

  private areasOf(start: number, length: number): Vma[] | number {
    if (!isRange(start, length)) return -EINVAL;
    if (!this.space.alive) return -ESRCH;
    const found: Vma[] = [];
    const endVpn = (start + length) / PAGE_SIZE;
    let area = this.space.areas.findPageOrAbove(start / PAGE_SIZE);
    for (; area !== null && area.startVpn < endVpn; area = area.next) found.push(area);
    return found;
  }

  private change(start: number, length: number, flags: number, context: UserfaultContext | null): number {
    const endVpn = (start + length) / PAGE_SIZE;
    for (let at = start / PAGE_SIZE; at < endVpn; ) {
      const area = this.space.areas.findPageOrAbove(at);
      if (area === null || area.startVpn >= endVpn) return 0;
      const from = Math.max(at, area.startVpn);
      at = Math.min(endVpn, area.endVpn);
      // Unregistering leaves areas alone that belong to nobody.
      if (context === null && area.userfault === null) continue;
      const failed = setUserfault(area, from, at, flags, context);
      if (failed < 0) return failed;
    }
    return 0;
  }

  /** UFFDIO_COPY: struct { dst, src, len, mode, copy }. */
  private copy(t: Task, argument: number): number {
    const view = viewOf(fetchBytes(t, argument, 32));
    const [to, from, length, mode] = [get64(view, 0), get64(view, 8), get64(view, 16), get64(view, 24)];
    if (!isRange(to, length) || mode & ~U.MODE_DONTWAKE || from < 0 || from + length < from) return -EINVAL;
    const page = new Uint8Array(PAGE_SIZE);
    const done = this.eachPage(to, length, (area, vpn) => {
      const read = t.space.copyIn(from + (vpn * PAGE_SIZE - to), page);
      return read < PAGE_SIZE ? -EFAULT : provideMissingPage(area, vpn, page);
    });
    return this.answer(t, argument + 32, { start: to, length, mode, done });
  }

  /** UFFDIO_ZEROPAGE and UFFDIO_CONTINUE: struct { start, len, mode, done }. */
  private fill(t: Task, argument: number, provide: (area: Vma, vpn: number) => number): number {
    const view = viewOf(fetchBytes(t, argument, 24));
    const [start, length, mode] = [get64(view, 0), get64(view, 8), get64(view, 16)];
    if (!isRange(start, length) || mode & ~U.MODE_DONTWAKE) return -EINVAL;
    return this.answer(t, argument + 24, { start, length, mode, done: this.eachPage(start, length, provide) });
  }

  /** mfill_atomic(): bytes provided, or -errno when the first page failed. The range lies in one registered area. */
  private eachPage(start: number, length: number, provide: (area: Vma, vpn: number) => number): number {
    if (!this.space.alive) return -ESRCH;
    const endVpn = (start + length) / PAGE_SIZE;
    for (let vpn = start / PAGE_SIZE; vpn < endVpn; vpn++) {
      const area = this.space.areas.findPage(vpn);
      const fits = area !== null && area.endVpn >= endVpn && area.userfault !== null;
      const failed = fits ? provide(area, vpn) : -ENOENT;
      if (failed < 0) return vpn * PAGE_SIZE > start ? vpn * PAGE_SIZE - start : failed;
    }
    return length;
  }

  private answer(t: Task, doneAt: number, work: { start: number; length: number; mode: number; done: number }): number {
    const { start, length, mode, done } = work;
    storeU64(t, doneAt, done);
    if (done < 0) return done;
    if ((mode & U.MODE_DONTWAKE) === 0) this.wakeRange(start, done);
    return done === length ? 0 : -EAGAIN;
  }
}

function isWaiting(fault: PendingFault): boolean {
  return fault.task.userfault === fault && fault.task.state === "blocked";
}

/** validate_range(). */
function isRange(start: number, length: number): boolean {
  if (start % PAGE_SIZE !== 0 || length % PAGE_SIZE !== 0 || !(length > 0)) return false;
  return start >= PAGE_SIZE && start < USER_END && length <= USER_END - start;
}

/** vma_can_userfault(). */
function mayRegister(area: Vma, flags: number): boolean {
  if (area.flags & VM_DROPPABLE) return false;
  const isShmem = area.object !== null && area.object.kind === FRAME_SHMEM && !area.isSpecialMapping;
  if (flags & VM_UFFD_MINOR && !isShmem) return false;
  return isShmem || (area.object === null && !area.isSpecialMapping);
}
