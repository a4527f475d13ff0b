// System calls of Linux AIO: io_setup, io_submit, io_getevents and their kin, over aio.ts.
import { ioCancel, ioDestroy, ioGetEvents, ioSetup, ioSubmit } from "../aio.ts";
import { applySignalMask, optionalTimeout, pollDeadline } from "../ipc/poll.ts";
import { fetchBytes, getUnsigned64, viewOf } from "../ipc/user-memory.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { defineSyscalls } from "./registry.ts";

const AT_ONCE = "carried out when submitted; the ring in user memory stays empty; no IOCB_CMD_POLL";

function getEvents(
  k: Kernel,
  t: Task,
  id: number,
  least: number,
  most: number,
  address: number,
  timeout: number,
): number {
  const deadline = pollDeadline(k, t, t.isRetry ? Number.POSITIVE_INFINITY : optionalTimeout(t, timeout));
  return ioGetEvents(k, t, id, least, most, address, deadline);
}

export const AIO_SYSCALLS = defineSyscalls({
  io_setup: { args: "events:int ctx:ptr", run: (_k, t, events, address) => ioSetup(t, events >>> 0, address) },
  io_destroy: { args: "ctx:ptr", run: (_k, t, id) => ioDestroy(t, id) },
  io_submit: {
    args: "ctx:ptr count:int requests:ptr",
    partly: AT_ONCE,
    run: (_k, t, id, count, pointers) => ioSubmit(t, id, count, pointers),
  },
  io_cancel: {
    args: "ctx:ptr request:ptr result:ptr",
    run: (_k, t, id, request) => ioCancel(t, id, request),
  },
  io_getevents: {
    args: "ctx:ptr least:int most:int events:ptr timeout:ptr",
    run: (k, t, id, least, most, address, timeout) => getEvents(k, t, id, least, most, address, timeout),
  },
  io_pgetevents: {
    args: "ctx:ptr least:int most:int events:ptr timeout:ptr sigmask:ptr",
    run: (k, t, id, least, most, address, timeout, maskPair) => {
      if (maskPair !== 0) {
        const pair = viewOf(fetchBytes(t, maskPair, 16));
        applySignalMask(t, getUnsigned64(pair, 0), getUnsigned64(pair, 8));
      }
      return getEvents(k, t, id, least, most, address, timeout);
    },
  },
});
