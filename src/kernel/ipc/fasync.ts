// O_ASYNC: a signal to a file's owner whenever it may have become readable or writable (fs/fcntl.c, kill_fasync).
import { F_OWNER_PGRP, F_OWNER_TID } from "../../abi/fcntl.ts";
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../abi/poll.ts";
import { POLL_IN, POLL_OUT, SIGIO } from "../../abi/signal.ts";
import type { Kernel } from "../kernel.ts";
import { ioSignal, kernelSignal } from "../signals/siginfo.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import type { WaitQueue, Watcher } from "../wait-queue.ts";

export class AsyncNotifier implements Watcher {
  private readonly kernel: Kernel;
  private readonly file: OpenFile;
  private readonly queues: readonly WaitQueue[];

  constructor(k: Kernel, file: OpenFile) {
    this.kernel = k;
    this.file = file;
    this.queues = file.pollQueues();
    for (const queue of this.queues) queue.watch(this);
  }

  stop(): void {
    for (const queue of this.queues) queue.unwatch(this);
  }

  /** send_sigio: F_SETSIG's signal carries siginfo, plain SIGIO does not. */
  notified(_queue: WaitQueue): void {
    const { owner, signal } = this.file;
    if (owner === null) return;
    const mask = this.file.poll() & (POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
    if (mask === 0) return;
    const code = (mask & POLLIN) !== 0 ? POLL_IN : POLL_OUT;
    const info = signal === 0 ? kernelSignal(SIGIO) : ioSignal(signal, code, mask, -1);
    if (owner.kind === F_OWNER_PGRP) {
      const group = this.kernel.groups.get(owner.id);
      if (group !== undefined) this.kernel.sendSignalToGroup(group, info);
      return;
    }
    const target = owner.kind === F_OWNER_TID ? this.kernel.tasks.get(owner.id) : this.kernel.processes.get(owner.id);
    if (target !== undefined) this.kernel.sendSignal(target, info);
  }
}
