// The page: where the panels stand, and the keys that work everywhere.
import { useEffect } from "preact/hooks";
import { command, launch } from "./client.ts";
import { AddressSpacePanel } from "./panels/address-space.tsx";
import { FramesPanel } from "./panels/frames.tsx";
import { Help } from "./panels/help.tsx";
import { droppedLaunch, LaunchDialog } from "./panels/launch.tsx";
import { ProcessesPanel } from "./panels/processes.tsx";
import { Selected } from "./panels/selected.tsx";
import { Side } from "./panels/side.tsx";
import { TerminalPanel } from "./panels/terminal.tsx";
import { TimelinePanel } from "./panels/timeline.tsx";
import { Toolbar } from "./panels/toolbar.tsx";
import * as state from "./state.ts";

export function App() {
  useEffect(() => {
    const allow = (event: DragEvent) => event.preventDefault();
    addEventListener("keydown", onKey);
    addEventListener("dragover", allow);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("keydown", onKey);
      removeEventListener("dragover", allow);
      removeEventListener("drop", drop);
    };
  }, []);
  return (
    <div class="page">
      <Toolbar />
      <main>
        <div class="left">
          <TerminalPanel />
          <ProcessesPanel />
        </div>
        <div class="middle">
          <AddressSpacePanel />
          <FramesPanel />
        </div>
        <Side />
        <TimelinePanel />
      </main>
      <Selected />
      {state.helpShown.value && <Help />}
      {state.canLaunch.value && (state.launchShown.value || state.started.value === null) && <LaunchDialog />}
    </div>
  );
}

async function drop(event: DragEvent): Promise<void> {
  event.preventDefault();
  const file = event.dataTransfer?.files[0];
  if (file === undefined || !state.canLaunch.value) return;
  launch(droppedLaunch({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) }));
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest("input, select, textarea, dialog, .xterm") !== null;

function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const act = KEYS[event.key];
  if (act === undefined) return;
  event.preventDefault();
  act();
}

const runOrPause = () => command(state.look.value?.answer.state === "running" ? { do: "pause" } : { do: "run" });
const nearer = (by: number) => {
  state.zoom.value = Math.max(0, Math.min(6, state.zoom.value + by));
};

/** Listed in panels/help.tsx. */
const KEYS: Readonly<Record<string, () => void>> = {
  "?": () => {
    state.helpShown.value = !state.helpShown.value;
  },
  r: runOrPause,
  i: () => command({ do: "step", unit: "instruction" }),
  f: () => command({ do: "step", unit: "fault" }),
  s: () => command({ do: "step", unit: "syscall" }),
  I: () => command({ do: "back", unit: "instruction" }),
  F: () => command({ do: "back", unit: "fault" }),
  S: () => command({ do: "back", unit: "syscall" }),
  "+": () => nearer(1),
  "=": () => nearer(1),
  "-": () => nearer(-1),
  t: state.toggleTheme,
  c: () => document.querySelector<HTMLElement>(".xterm-helper-textarea")?.focus(),
  ...Object.fromEntries(
    state.TABS.map((name, i) => [
      String(i + 1),
      () => {
        state.tab.value = name;
      },
    ]),
  ),
};
