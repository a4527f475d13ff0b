// A fault explained, step by step; and the faults before it.
import { useState } from "preact/hooks";
import type { FaultRecord } from "../../machine/control/index.ts";
import { tellFault } from "../../view/fault-story.ts";
import { compact, hex } from "../../view/format.ts";
import { command, selectPage } from "../client.ts";
import * as state from "../state.ts";

export function FaultPanel() {
  const stop = state.stop.value;
  const fault = stop?.fault ?? null;
  if (fault === null) {
    return (
      <>
        <Stopped />
        <p class="hint">Stop at a fault to have it explained: from the address to the instruction that runs again.</p>
        <button type="button" data-testid="next-fault" onClick={() => command({ do: "step", unit: "fault" })}>
          Go to the next fault
        </button>
      </>
    );
  }
  return <Story key={`${fault.instructions}:${fault.address}`} fault={fault} />;
}

/** Why the machine stands still, when it is not a fault. */
function Stopped() {
  const stop = state.stop.value;
  if (stop === null || state.look.value?.answer.state === "running") return null;
  const place = stop.symbol?.name ? `${stop.symbol.name}+${hex(stop.symbol.offset)}` : "";
  return (
    <dl data-testid="stop">
      <dt>stopped</dt>
      <dd>{stop.reason}</dd>
      <dt>at</dt>
      <dd>
        <code>{hex(stop.pc)}</code> {place} in {stop.process || "no process"} {stop.tid || ""}
      </dd>
      {stop.syscall !== null && (
        <>
          <dt>system call</dt>
          <dd>
            <code>
              {stop.syscall.name}({stop.syscall.args.map((arg) => hex(arg)).join(", ")})
            </code>
          </dd>
        </>
      )}
    </dl>
  );
}

function Story({ fault }: { fault: FaultRecord }) {
  const story = tellFault(fault);
  const [told, setTold] = useState(story.steps.length);
  const step = (by: number) => setTold(Math.max(1, Math.min(story.steps.length, told + by)));
  return (
    <>
      <h3 data-testid="fault-title">
        <span class="row">F{fault.row}</span> {story.title}
      </h3>
      <p class="dim">
        {fault.process} {fault.pid}, after {compact(fault.instructions)} instructions ·{" "}
        <button type="button" class="link" onClick={() => selectPage(fault.pid, fault.vpn)}>
          page {hex(fault.vpn)}
        </button>
      </p>
      <div class="group">
        <button type="button" onClick={() => setTold(1)} title="From the beginning">
          |◂
        </button>
        <button type="button" onClick={() => step(-1)} disabled={told === 1}>
          ◂
        </button>
        <span class="dim">
          step {told} of {story.steps.length}
        </span>
        <button type="button" onClick={() => step(1)} disabled={told === story.steps.length}>
          ▸
        </button>
        <span class="spacer" />
        <button type="button" onClick={() => command({ do: "step", unit: "fault" })}>
          Next fault
        </button>
      </div>
      <ol class="story" data-testid="story">
        {story.steps.slice(0, told).map(({ step: name, text }, i) => (
          <li key={`${name}${i}`} class={i === told - 1 ? "now" : ""}>
            <b>{name}</b>
            <p>{text}</p>
          </li>
        ))}
      </ol>
    </>
  );
}
