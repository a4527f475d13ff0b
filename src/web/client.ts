// Speaks with the session: turns questions into promises, and what comes unasked into state. Decides when to look at the machine.
import type {
  Answers,
  ClientMessage,
  ControlCommand,
  LaunchRequest,
  Question,
  ServerMessage,
} from "../session/protocol.ts";
import { Timeline, totalsOf } from "../view/timeline.ts";
import { type Link, openLink } from "./link.ts";
import { lookRequest } from "./look-request.ts";
import * as state from "./state.ts";

/** Looks per second while the machine runs; standing still it is looked at after every stop and action, and now and then. */
const RUNNING_INTERVAL_MS = 90;
const RESTING_INTERVAL_MS = 1000;
/** At most this part of the machine's time goes into looks. */
const MOST_OF_TIME = 0.04;

export const timeline = new Timeline();

let link: Link | null = null;
let nextId = 1;
const waiting = new Map<number, { resolve: (answer: never) => void; reject: (error: Error) => void }>();
/** Takes terminal output; set by the terminal panel. `null`: clear the screen. */
let terminal: ((bytes: Uint8Array | null) => void) | null = null;
/** What came before there was a panel. */
const pendingOutput: (Uint8Array | null)[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let looking = false;
let lookAgain = false;

export function connect(): void {
  link = openLink({
    message: receive,
    closed: (why) => {
      state.connection.value = why;
    },
  });
}

export function onTerminal(take: (bytes: Uint8Array | null) => void): void {
  terminal = take;
  for (const bytes of pendingOutput.splice(0)) take(bytes);
}

export const send = (message: ClientMessage): void => link?.send(message);

export function ask<Q extends Question>(question: Q): Promise<Answers[Q["ask"]]> {
  const id = nextId++;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve: resolve as (answer: never) => void, reject });
    send({ type: "ask", id, question });
  });
}

/** Run control; a refusal is shown. */
export function command(control: ControlCommand): void {
  state.failure.value = null;
  ask({ ask: "control", command: control }).then(lookSoon, (error: Error) => {
    state.failure.value = error.message;
  });
}

export function launch(request: LaunchRequest): void {
  state.reset();
  timeline.clear();
  write(null);
  send({ type: "launch", launch: request });
}

function write(bytes: Uint8Array | null): void {
  if (terminal === null) pendingOutput.push(bytes);
  else terminal(bytes);
}

function receive(message: ServerMessage): void {
  switch (message.type) {
    case "hello":
      state.canLaunch.value = message.canLaunch;
      state.started.value = message.started;
      state.connection.value = "";
      break;
    case "started":
      state.started.value = message.started;
      state.ended.value = null;
      break;
    case "output":
      write(message.bytes);
      return;
    case "rewound":
      write(null);
      write(message.bytes);
      return;
    case "stopped":
      state.stop.value = message.stop;
      state.stopped(message.stop);
      break;
    case "ended":
      state.ended.value = { code: message.code, signal: message.signal };
      break;
    case "failed":
      state.failure.value = message.message;
      return;
    default:
      settle(message);
      return;
  }
  lookSoon();
}

function settle(message: Extract<ServerMessage, { type: "answer" | "refused" }>): void {
  const entry = waiting.get(message.id);
  waiting.delete(message.id);
  if (message.type === "answer") entry?.resolve(message.answer as never);
  else entry?.reject(new Error(message.message));
}

/** Looks at the machine now, or as soon as the look under way is done. */
export function lookSoon(): void {
  if (looking) {
    lookAgain = true;
    return;
  }
  clearTimeout(timer);
  void look();
}

async function look(): Promise<void> {
  if (state.started.value === null) return;
  looking = true;
  const begun = performance.now();
  try {
    const request = lookRequest();
    const answer = await ask({ ask: "look", look: request });
    timeline.add(begun, answer.figures.instructions, totalsOf(answer.figures.counters), answer.figures.frames.free);
    state.showLook(request, answer);
    await refreshSelection();
  } catch {
    // A process may end between two questions: the next look knows.
  }
  looking = false;
  if (document.hidden) lookAgain = false;
  const running = state.look.value?.answer.state === "running" || state.look.value?.answer.state === "seeking";
  const cost = state.look.value?.answer.costMs ?? 0;
  const resting = running ? Math.max(RUNNING_INTERVAL_MS, cost / MOST_OF_TIME) : RESTING_INTERVAL_MS;
  const interval = lookAgain && !running ? 16 : resting;
  lookAgain = false;
  timer = setTimeout(look, Math.max(0, interval - (performance.now() - begun)));
}

/** What is known of the selected page and frame now. */
async function refreshSelection(): Promise<void> {
  const { pid, vpn, pfn } = state.selection.value;
  if (pid !== null && vpn !== null) {
    const walk = await ask({ ask: "walk", pid, address: vpn * 4096 }).catch(() => null);
    if (state.selection.value.vpn !== vpn || state.selection.value.pid !== pid) return;
    state.walk.value = walk;
    const leaf = walk?.levels.at(-1);
    const mapped = leaf !== undefined && leaf.level === 0 && leaf.kind !== "table" ? leaf.pfn : 0;
    if (mapped !== 0 && mapped !== pfn) state.selection.value = { ...state.selection.value, pfn: mapped };
    if (mapped === 0 && pfn !== null) state.selection.value = { ...state.selection.value, pfn: null };
    const slot = leaf?.kind === "swap" ? leaf.slot : null;
    if (slot !== state.selection.value.slot) state.selection.value = { ...state.selection.value, slot };
  } else state.walk.value = null;
  const frame = state.selection.value.pfn;
  state.frame.value = frame === null ? null : await ask({ ask: "frame", pfn: frame }).catch(() => null);
}

/** Selects a page of a process; null clears. */
export function selectPage(pid: number, vpn: number | null): void {
  state.selection.value = { ...state.selection.value, pid, vpn, pfn: null, slot: null };
  if (vpn !== null) state.shownPid.value = pid;
  lookSoon();
}

/** Selects a frame, and the page that maps it: in the process shown if there is one. */
export async function selectFrame(pfn: number): Promise<void> {
  const info = await ask({ ask: "frame", pfn }).catch(() => null);
  const mapping = info?.mappings.find(({ pid }) => pid === state.shownPid.value) ?? info?.mappings[0];
  state.frame.value = info;
  const object = info?.object?.id ?? state.selection.value.object;
  if (mapping === undefined || mapping.pid === 0)
    state.selection.value = { ...state.selection.value, vpn: null, pfn, object, slot: null };
  else {
    state.shownPid.value = mapping.pid;
    state.selection.value = { pid: mapping.pid, vpn: mapping.address / 4096, pfn, object, slot: null };
  }
  lookSoon();
}

/** Selects the page that lies in a slot, if one of a living process does; the slot in any case. */
export async function selectSlot(slot: number): Promise<void> {
  const pages = await ask({ ask: "slot", slot }).catch(() => []);
  const page = pages.find(({ pid }) => pid === state.shownPid.value) ?? pages.find(({ pid }) => pid !== 0);
  if (page !== undefined) selectPage(page.pid, page.address / 4096);
  else state.selection.value = { ...state.selection.value, pid: null, vpn: null, pfn: null, slot };
}

export function selectObject(object: number | null): void {
  state.selection.value = { ...state.selection.value, object };
  lookSoon();
}
