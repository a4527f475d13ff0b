// What the page knows and shows, as signals. Changed by client.ts (what the session says) and by the panels (what the user wants).
import { effect, signal } from "@preact/signals";
import type { StopEvent } from "../machine/control/index.ts";
import type { FrameInfo, PageWalk } from "../machine/inspect/index.ts";
import type { CellsRequest, Look, LookRequest, Started } from "../session/protocol.ts";
import { DEFAULT_ZOOM } from "../view/address-layout.ts";

/** "" while the session is there, else why it is not. */
export const connection = signal("connecting");
export const canLaunch = signal(false);
export const started = signal<Started | null>(null);
export const ended = signal<{ code: number; signal: number | null } | null>(null);
/** The last refusal or failure, one line. */
export const failure = signal<string | null>(null);
export const stop = signal<StopEvent | null>(null);
/** The latest look, with what was asked: cells belong to the request. */
export const look = signal<{ request: LookRequest; answer: Look } | null>(null);

/** One thing is selected everywhere: a page, with its frame; or a frame; an object; a slot of swap. */
export interface Selection {
  pid: number | null;
  vpn: number | null;
  pfn: number | null;
  object: number | null;
  slot: number | null;
}
const NOTHING: Selection = { pid: null, vpn: null, pfn: null, object: null, slot: null };
export const selection = signal<Selection>(NOTHING);
export const walk = signal<PageWalk | null>(null);
export const frame = signal<FrameInfo | null>(null);

/** The process whose address space is shown. */
export const shownPid = signal<number | null>(null);
/** Which frames stand out: all, those of the process shown, those of the selected object's page cache. */
export const frameFilter = signal<"all" | "process" | "object">("all");
export const zoom = signal(DEFAULT_ZOOM);
/** Cells that the address-space panel shows now. */
export const visibleCells = signal<CellsRequest[]>([]);

export const TABS = ["page", "fault", "objects", "swap", "tlb"] as const;
export type Tab = (typeof TABS)[number];
export const tab = signal<Tab>("page");
export const helpShown = signal(false);
export const launchShown = signal(false);

effect(() => {
  const command = started.value?.command.join(" ");
  document.title = command === undefined ? "Faultline" : `${command} · Faultline`;
});

const THEME_KEY = "faultline-theme";
export const theme = signal<"light" | "dark">(
  (localStorage.getItem(THEME_KEY) as "light" | "dark" | null) ??
    (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"),
);
theme.subscribe((value) => {
  document.documentElement.dataset.theme = value;
});
export function toggleTheme(): void {
  theme.value = theme.value === "dark" ? "light" : "dark";
  localStorage.setItem(THEME_KEY, theme.value);
}

export function reset(): void {
  ended.value = failure.value = stop.value = look.value = walk.value = frame.value = shownPid.value = null;
  selection.value = NOTHING;
  visibleCells.value = [];
}

export function showLook(request: LookRequest, answer: Look): void {
  const alive = answer.processes?.filter((process) => process.state !== "zombie") ?? [];
  const pid = shownPid.value;
  if (alive.length > 0 && !alive.some((process) => process.pid === pid)) shownPid.value = alive[0].pid;
  look.value = { request, answer };
}

/** A stop leads the eye to what it is about. */
export function stopped(event: StopEvent): void {
  const { fault } = event;
  if (fault === null) return;
  tab.value = "fault";
  shownPid.value = fault.pid;
  selection.value = {
    ...NOTHING,
    pid: fault.pid,
    vpn: fault.vpn,
    pfn: fault.frame?.pfn ?? null,
    object: fault.object?.id ?? null,
  };
}
