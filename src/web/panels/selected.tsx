// What is selected, in words: read out when it changes, for those who do not see the marks in the grids.
import { hex, shortName } from "../../view/format.ts";
import * as state from "../state.ts";

export function Selected() {
  const { pid, vpn, pfn } = state.selection.value;
  const area = state.look.value?.answer.areas?.find(
    ({ start, end }) => vpn !== null && vpn * 4096 >= start && vpn * 4096 < end,
  );
  const words: string[] = [];
  if (vpn !== null) words.push(`page ${hex(vpn)} of process ${pid}`);
  if (area !== undefined) words.push(`in ${shortName(area.name) || "anonymous memory"} ${area.permissions}`);
  const leaf = state.walk.value?.levels.at(-1);
  if (vpn !== null && leaf !== undefined)
    words.push(leaf.kind === "swap" ? `in swap slot ${leaf.slot}` : pfn === null ? "not present" : `in frame ${pfn}`);
  else if (pfn !== null) words.push(`frame ${pfn}, ${state.frame.value?.kind ?? ""}`);
  const others = (state.frame.value?.mappings.length ?? 1) - 1;
  if (pfn !== null && others > 0) words.push(`mapped ${others + 1} times`);
  return (
    <output id="selection" class="unseen">
      {words.length === 0 ? "nothing is selected; arrow keys select" : words.join(", ")}
    </output>
  );
}
