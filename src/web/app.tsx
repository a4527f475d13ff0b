// The page: where the panels stand, and the keys that work everywhere.
import { useEffect } from "preact/hooks";
import { command, launch } from "./client.ts";
import { AddressSpacePanel } from "./panels/address-space.tsx";
import { FaultPanel } from "./panels/fault.tsx";
import { FramesPanel } from "./panels/frames.tsx";
import { Help } from "./panels/help.tsx";
import { droppedLaunch, LaunchDialog } from "./panels/launch.tsx";
import { ObjectsPanel } from "./panels/objects.tsx";
import { PagePanel } from "./panels/page.tsx";
import { ProcessesPanel } from "./panels/processes.tsx";
import { SwapPanel } from "./panels/swap.tsx";
import { TerminalPanel } from "./panels/terminal.tsx";
import { TimelinePanel } from "./panels/timeline.tsx";
import { TlbPanel } from "./panels/tlb.tsx";
import { Toolbar } from "./panels/toolbar.tsx";
import * as state from "./state.ts";

const TAB_LABELS = { page: "Page", fault: "Fault", objects: "Objects", swap: "Swap", tlb: "TLB" } as const;
const TAB_PANELS = { page: PagePanel, fault: FaultPanel, objects: ObjectsPanel, swap: SwapPanel, tlb: TlbPanel };

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
  const Side = TAB_PANELS[state.tab.value];
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
        <aside class="right">
          <div class="tabs" role="tablist" aria-label="Details">
            {state.TABS.map((name) => (
              <button
                key={name}
                type="button"
                role="tab"
                aria-selected={state.tab.value === name}
                onClick={() => {
                  state.tab.value = name;
                }}
              >
                {TAB_LABELS[name]}
              </button>
            ))}
          </div>
          <section class="panel side" role="tabpanel" aria-label={TAB_LABELS[state.tab.value]}>
            <Side />
          </section>
        </aside>
        <TimelinePanel />
      </main>
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
  target instanceof Element && target.closest("input, select, textarea, .xterm") !== null;

function onKey(event: KeyboardEvent): void {
  if (event.key === "Escape") {
    state.helpShown.value = false;
    if (state.started.value !== null) state.launchShown.value = false;
  }
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
  ...Object.fromEntries(
    state.TABS.map((name, i) => [
      String(i + 1),
      () => {
        state.tab.value = name;
      },
    ]),
  ),
};
