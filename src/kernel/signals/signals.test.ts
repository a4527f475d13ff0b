// Signal sets, siginfo layouts and queues without a machine.
import { describe, expect, it } from "vitest";
import * as S from "../../abi/signal.ts";
import {
  encodeSigInfo,
  faultSignal,
  ioSignal,
  kernelSignal,
  makeSigInfo,
  siginfoLayout,
  userSignal,
} from "./siginfo.ts";
import { SigSet } from "./sigset.ts";
import { maskDuringHandler, PendingSignals, SignalHandlers } from "./state.ts";

describe("SigSet", () => {
  it("holds signals 1, 32, 33 and 64", () => {
    const set = SigSet.of(1, 32, 33, 64);
    for (let s = 1; s <= 64; s++) expect(set.has(s)).toBe([1, 32, 33, 64].includes(s));
    expect([set.low, set.high]).toEqual([-0x7fffffff, -0x7fffffff]);
    set.delete(32);
    set.delete(64);
    expect([set.low, set.high]).toEqual([1, 1]);
  });

  it("finds the lowest signal outside a mask", () => {
    const set = SigSet.of(5, 9, 40);
    expect(set.lowestOutside(new SigSet())).toBe(5);
    expect(set.lowestOutside(SigSet.of(5))).toBe(9);
    expect(set.lowestOutside(SigSet.of(5, 9))).toBe(40);
    expect(set.lowestOutside(SigSet.of(5, 9, 40))).toBe(0);
    expect(SigSet.of(32).lowestOutside(new SigSet())).toBe(32);
    expect(SigSet.of(64).lowestOutside(new SigSet())).toBe(64);
  });

  it("never blocks SIGKILL and SIGSTOP", () => {
    const mask = new SigSet(-1, -1).withoutUnblockable();
    expect(mask.has(S.SIGKILL) || mask.has(S.SIGSTOP)).toBe(false);
    expect(mask.has(S.SIGTERM) && mask.has(64)).toBe(true);
  });
});

describe("siginfo", () => {
  const words = (bytes: Uint8Array) => new Int32Array(bytes.buffer).slice(0, 12);

  it("lays out each kind as siginfo.h does", () => {
    expect(siginfoLayout(S.SIGSEGV, S.SEGV_MAPERR)).toBe("fault");
    expect(siginfoLayout(S.SIGSEGV, S.SI_USER)).toBe("kill");
    expect(siginfoLayout(S.SIGCHLD, S.CLD_EXITED)).toBe("child");
    expect(siginfoLayout(40, S.SI_QUEUE)).toBe("rt");
    expect(siginfoLayout(S.SIGALRM, S.SI_TIMER)).toBe("timer");
    expect(siginfoLayout(S.SIGIO, S.POLL_IN)).toBe("poll");
    expect(siginfoLayout(S.SIGINT, S.SI_KERNEL)).toBe("kill");
  });

  it("encodes the fields at their offsets", () => {
    expect([...words(encodeSigInfo(userSignal(10, 7, 1000, S.SI_TKILL)))].slice(0, 6)).toEqual([10, 0, -6, 0, 7, 1000]);
    const fault = words(encodeSigInfo(faultSignal(11, 1, 0x1234, -1)));
    expect([...fault].slice(0, 6)).toEqual([11, 0, 1, 0, 0x1234, -1]);
    const child = makeSigInfo(S.SIGCHLD, S.CLD_KILLED);
    Object.assign(child, { pid: 5, uid: 6, status: 9, utime: 100, stime: 2 });
    expect([...words(encodeSigInfo(child))]).toEqual([17, 0, 2, 0, 5, 6, 9, 0, 100, 0, 2, 0]);
    expect([...words(encodeSigInfo(ioSignal(S.SIGIO, S.POLL_IN, 0x41, 3)))].slice(4, 7)).toEqual([0x41, 0, 3]);
  });
});

describe("PendingSignals", () => {
  it("keeps real-time signals in order and sets the bit until the last is gone", () => {
    const queue = new PendingSignals();
    for (const value of [1, 2, 3]) queue.add({ ...makeSigInfo(40, S.SI_QUEUE), valueLow: value });
    queue.add(kernelSignal(2));
    expect(queue.take(40)?.valueLow).toBe(1);
    expect(queue.take(40)?.valueLow).toBe(2);
    expect(queue.set.has(40)).toBe(true);
    expect(queue.take(40)?.valueLow).toBe(3);
    expect(queue.set.has(40)).toBe(false);
    queue.remove(SigSet.of(2));
    expect(queue.length).toBe(0);
    expect(queue.set.isEmpty).toBe(true);
  });
});

describe("handlers", () => {
  it("block the signal, and what their mask says, while they run", () => {
    const action = { handler: 4096, flags: 0, mask: SigSet.of(12, S.SIGKILL) };
    const mask = maskDuringHandler(SigSet.of(1), action, 10);
    expect([1, 10, 12].every((s) => mask.has(s))).toBe(true);
    expect(mask.has(S.SIGKILL)).toBe(false);
    expect(maskDuringHandler(new SigSet(), { ...action, flags: S.SA_NODEFER }, 10).has(10)).toBe(false);
  });

  it("exec keeps what is ignored and resets the rest", () => {
    const handlers = new SignalHandlers();
    handlers.set(2, { handler: S.SIG_IGN, flags: 0, mask: new SigSet() });
    handlers.set(3, { handler: 4096, flags: S.SA_RESTART, mask: SigSet.of(5) });
    const forked = new SignalHandlers(handlers);
    forked.setDefault(3);
    expect(handlers.of(3).handler).toBe(4096);
    handlers.forgetHandlers();
    expect(handlers.of(3).mask.has(5)).toBe(false);
    expect(handlers.of(2).handler).toBe(S.SIG_IGN);
    expect(handlers.of(3)).toMatchObject({ handler: S.SIG_DFL, flags: 0 });
    expect(handlers.ignores(17) && handlers.ignores(2) && !handlers.ignores(15)).toBe(true);
  });
});
