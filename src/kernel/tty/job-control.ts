// Whose terminal it is: controlling terminals, foreground groups, background access, and hanging up (drivers/tty/tty_jobctrl.c).
import { EINVAL, EIO, ENOTTY, EPERM, ERESTARTSYS, ESRCH } from "../../abi/errno.ts";
import { SIG_IGN, SIGCONT, SIGHUP, SIGTTIN } from "../../abi/signal.ts";
import { CAP_SYS_ADMIN, capable } from "../credentials.ts";
import type { Process } from "../process.ts";
import { isOrphanedGroup } from "../signals/job-control.ts";
import { kernelSignal } from "../signals/siginfo.ts";
import type { Task } from "../task.ts";
import type { Tty } from "./tty.ts";

/**
 * __tty_check_change(): may the task's group use its terminal now? 0, -EIO, or -ERESTARTSYS after the group got `signal`
 * (SIGTTIN or SIGTTOU).
 */
export function checkAccess(t: Task, tty: Tty, signal: number): number {
  const { group, session, signals } = t.process;
  if (session.terminal !== tty || tty.foreground === null || tty.foreground === group) return 0;
  if (t.signals.blocked.has(signal) || signals.handlers.of(signal).handler === SIG_IGN) {
    return signal === SIGTTIN ? -EIO : 0;
  }
  if (isOrphanedGroup(t.kernel, group)) return -EIO;
  t.kernel.sendSignalToGroup(group, kernelSignal(signal));
  return -ERESTARTSYS;
}

/** tty_open_proc_set_tty(): a session leader without a terminal gets the one it opens. */
export function adoptOnOpen(t: Task, tty: Tty): void {
  const { session } = t.process;
  if (session.leader !== t.process || session.terminal !== null || tty.session !== null) return;
  setControlling(t.process, tty);
}

function setControlling(process: Process, tty: Tty): void {
  tty.session = process.session;
  tty.foreground = process.group;
  process.session.terminal = tty;
}

/** tiocsctty(). `steal`: root may take it from another session. */
export function makeControlling(t: Task, tty: Tty, steal: boolean, readable: boolean): number {
  const { session } = t.process;
  const leader = session.leader === t.process;
  if (leader && tty.session === session) return 0;
  if (!leader || session.terminal !== null) return -EPERM;
  if (tty.session !== null) {
    if (!steal || !capable(t, CAP_SYS_ADMIN)) return -EPERM;
    tty.session.terminal = null;
  }
  if (!readable && !capable(t, CAP_SYS_ADMIN)) return -EPERM;
  setControlling(t.process, tty);
  return 0;
}

/** TIOCNOTTY: the leader gives up the session's terminal; others only had it through the leader. */
export function giveUp(t: Task, tty: Tty): number {
  const { session } = t.process;
  if (session.terminal !== tty) return -ENOTTY;
  if (session.leader !== t.process) return 0;
  const { foreground } = tty;
  tty.session = null;
  tty.foreground = null;
  session.terminal = null;
  if (foreground !== null) {
    t.kernel.sendSignalToGroup(foreground, kernelSignal(SIGHUP));
    t.kernel.sendSignalToGroup(foreground, kernelSignal(SIGCONT));
  }
  return 0;
}

/** tiocspgrp(), after the background check. */
export function setForeground(t: Task, tty: Tty, groupId: number): number {
  const { session } = t.process;
  if (session.terminal !== tty || tty.session !== session) return -ENOTTY;
  if (groupId < 0) return -EINVAL;
  const group = t.kernel.groups.get(groupId);
  if (group === undefined) return -ESRCH;
  if (group.session !== session) return -EPERM;
  tty.foreground = group;
  return 0;
}

/**
 * __tty_hangup(): the session loses it and its leader hears of it (the foreground does when the leader ends), everything opened
 * so far is dead, the settings start over.
 */
export function hangUp(tty: Tty): void {
  const { session, foreground, kernel } = tty;
  tty.hangups++;
  tty.session = null;
  tty.foreground = null;
  if (session !== null) {
    session.terminal = null;
    const { leader } = session;
    if (leader !== null) {
      session.formerForeground = foreground;
      kernel.sendSignal(leader, kernelSignal(SIGHUP));
      kernel.sendSignal(leader, kernelSignal(SIGCONT));
    }
  }
  tty.reset();
}
