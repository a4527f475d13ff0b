// The processes and what they use.
import { bytes, compact, count, shortBytes } from "../../view/format.ts";
import { lookSoon } from "../client.ts";
import { rowKeys } from "../row-keys.ts";
import * as state from "../state.ts";

const FIGURES = [
  { key: "vsz", label: "VSZ", about: "virtual size: all that its areas promise" },
  { key: "rss", label: "RSS", about: "resident set: pages it maps that are in frames" },
  { key: "pss", label: "PSS", about: "proportional: each frame divided by those who map it" },
  { key: "uss", label: "USS", about: "unique: frames that only it maps" },
  { key: "swap", label: "swap", about: "pages in the swap file" },
] as const;

export function ProcessesPanel() {
  const processes = state.look.value?.answer.processes ?? [];
  return (
    <section class="panel processes" aria-label="Processes">
      <h2>Processes</h2>
      <div class="scroll">
        <table aria-label="Processes" data-testid="processes">
          <thead>
            <tr>
              <th>pid</th>
              <th class="name">name</th>
              {FIGURES.map(({ key, label, about }) => (
                <th key={key} title={about}>
                  {label}
                </th>
              ))}
              <th title="minor and major faults">faults</th>
            </tr>
          </thead>
          <tbody>
            {processes.map((process) => (
              <tr
                key={process.pid}
                class={process.state}
                aria-current={process.pid === state.shownPid.value}
                tabIndex={0}
                onClick={() => show(process.pid)}
                onKeyDown={rowKeys(() => show(process.pid))}
              >
                <td>{process.pid}</td>
                <td class="name" title={`${process.name}: ${process.state}`}>
                  {process.name}
                </td>
                {FIGURES.map(({ key }) => (
                  <td key={key} title={bytes(process[key])}>
                    {process.state === "zombie" ? "–" : shortBytes(process[key])}
                  </td>
                ))}
                <td title={`${count(process.faults.minor)} minor, ${count(process.faults.major)} major`}>
                  {compact(process.faults.minor + process.faults.major).replace(" ", "")}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function show(pid: number): void {
  state.shownPid.value = pid;
  lookSoon();
}
