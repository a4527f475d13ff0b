// The details on the right: one of several panels, chosen by tabs.

import { moveFocus } from "../row-keys.ts";
import * as state from "../state.ts";
import { FaultPanel } from "./fault.tsx";
import { ObjectsPanel } from "./objects.tsx";
import { PagePanel } from "./page.tsx";
import { SwapPanel } from "./swap.tsx";
import { TlbPanel } from "./tlb.tsx";

const TABS = {
  page: { label: "Page", Panel: PagePanel },
  fault: { label: "Fault", Panel: FaultPanel },
  objects: { label: "Objects", Panel: ObjectsPanel },
  swap: { label: "Swap", Panel: SwapPanel },
  tlb: { label: "TLB", Panel: TlbPanel },
} as const;

export function Side() {
  const shown = state.tab.value;
  const { Panel } = TABS[shown];
  return (
    <aside class="right" aria-label="Details">
      <div class="tabs" role="tablist" aria-label="Details">
        {state.TABS.map((name, i) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            title={`${TABS[name].label} (${i + 1})`}
            aria-controls="side"
            aria-selected={shown === name}
            tabIndex={shown === name ? 0 : -1}
            onClick={() => {
              state.tab.value = name;
            }}
            onKeyDown={(event) => moveFocus(event, "ArrowLeft", "ArrowRight")?.click()}
          >
            {TABS[name].label}
          </button>
        ))}
      </div>
      <section class="panel side" role="tabpanel" id="side" aria-labelledby={`tab-${shown}`}>
        <Panel />
      </section>
    </aside>
  );
}
