// What the TLB holds of the process shown.
import { hex } from "../../view/format.ts";
import { selectPage } from "../client.ts";
import { rowKeys } from "../row-keys.ts";
import * as state from "../state.ts";

const MOST_ROWS = 400;
const LETTERS = { read: "r", write: "w", execute: "x" } as const;

export function TlbPanel() {
  const entries = state.look.value?.answer.tlb ?? null;
  const pid = state.shownPid.value;
  if (entries === null || pid === null) return <p class="hint">No process is shown.</p>;
  const pages = new Map<number, { pfn: number; letters: string }>();
  for (const { address, pfn, access } of entries) {
    const row = pages.get(address) ?? { pfn, letters: "" };
    row.letters += LETTERS[access];
    pages.set(address, row);
  }
  const rows = [...pages].sort(([a], [b]) => a - b);
  return (
    <>
      <h3>TLB of process {pid}</h3>
      <p class="dim">
        {entries.length} translations of {rows.length} pages. An entry is a permission: only what it allows goes without
        a walk.
      </p>
      <table aria-label="Translations in the TLB" data-testid="tlb">
        <thead>
          <tr>
            <th class="name">page</th>
            <th>frame</th>
            <th>may</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MOST_ROWS).map(([address, { pfn, letters }]) => (
            <tr
              key={address}
              aria-current={address / 4096 === state.selection.value.vpn}
              tabIndex={0}
              onClick={() => selectPage(pid, address / 4096)}
              onKeyDown={rowKeys(() => selectPage(pid, address / 4096))}
            >
              <td class="name">
                <code>{hex(address, 10)}</code>
              </td>
              <td>{pfn}</td>
              <td>
                <code>{letters}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > MOST_ROWS && <p class="hint">and {rows.length - MOST_ROWS} more</p>}
    </>
  );
}
