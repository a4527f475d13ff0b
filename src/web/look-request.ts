// What the next look at the machine must contain: only what is on the screen.
import type { LookRequest } from "../session/protocol.ts";
import { frameFilter, selection, shownPid, tab, visibleCells } from "./state.ts";

export function lookRequest(): LookRequest {
  const pid = shownPid.value;
  return {
    processes: true,
    frames: true,
    ownFrames: frameFilter.value === "process",
    objects: tab.value === "objects",
    swap: tab.value === "swap",
    pid,
    tlb: tab.value === "tlb",
    cells: visibleCells.value.filter((cells) => cells.pid === pid),
    object: tab.value === "objects" ? selection.value.object : null,
  };
}
