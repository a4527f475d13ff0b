// The bar at the top: what runs, run control, the way back, and where in the run we are.
import { useState } from "preact/hooks";
import { type Condition, FAULT_KINDS } from "../../machine/control/index.ts";
import { compact, count } from "../../view/format.ts";
import { command } from "../client.ts";
import * as state from "../state.ts";

export function Toolbar() {
  const look = state.look.value?.answer;
  const phase = look?.state ?? "paused";
  const started = state.started.value;
  const trouble = state.failure.value ?? state.connection.value;
  return (
    <header>
      <h1>Faultline</h1>
      <code class="command" title={started?.command.join(" ")}>
        {started?.command.join(" ") ?? "no program yet"}
      </code>
      {started && (
        <span class={`badge ${phase}`} data-testid="state">
          {state.ended.value && phase === "finished" ? `ended with ${state.ended.value.code}` : phase}
        </span>
      )}
      {started && <Buttons phase={phase} />}
      {started && <Scrubber />}
      <span class="spacer" />
      {state.canLaunch.value && (
        <button
          type="button"
          onClick={() => {
            state.launchShown.value = true;
          }}
        >
          Open…
        </button>
      )}
      <button type="button" onClick={state.toggleTheme} title="Dark or light (t)" aria-label="Dark or light">
        {state.theme.value === "dark" ? "☀" : "☾"}
      </button>
      <button
        type="button"
        title="Keys and words (?)"
        aria-label="Help"
        onClick={() => {
          state.helpShown.value = true;
        }}
      >
        ?
      </button>
      {trouble !== "" && (
        <output class="failure" data-testid="failure">
          {trouble}
        </output>
      )}
    </header>
  );
}

const UNITS = [
  { unit: "instruction", key: "i", label: "instruction", short: "instr" },
  { unit: "fault", key: "f", label: "fault", short: "fault" },
  { unit: "syscall", key: "s", label: "system call", short: "call" },
] as const;

function Buttons({ phase }: { phase: string }) {
  const isBusy = phase === "running" || phase === "seeking";
  const isOver = phase === "finished";
  const refusal = state.started.value?.rewindRefusal ?? null;
  return (
    <>
      <div class="group">
        <button
          type="button"
          class="primary"
          data-testid="run"
          disabled={isOver}
          title="Run or pause (r)"
          onClick={() => command({ do: isBusy ? "pause" : "run" })}
        >
          {isBusy ? "❚❚ Pause" : "▶ Run"}
        </button>
      </div>
      <fieldset class="group joined" aria-label="Step back">
        {UNITS.map(({ unit, key, label, short }) => (
          <button
            type="button"
            key={unit}
            data-testid={`back-${unit}`}
            disabled={isBusy || refusal !== null}
            title={refusal ?? `Back one ${label} (${key.toUpperCase()})`}
            onClick={() => command({ do: "back", unit })}
          >
            ◂ {short}
          </button>
        ))}
      </fieldset>
      <fieldset class="group joined" aria-label="Step">
        {UNITS.map(({ unit, key, label, short }) => (
          <button
            type="button"
            key={unit}
            data-testid={`step-${unit}`}
            disabled={isBusy || isOver}
            title={`On by one ${label} (${key})`}
            onClick={() => command({ do: "step", unit })}
          >
            {short} ▸
          </button>
        ))}
      </fieldset>
      <RunTo isDisabled={isBusy || isOver} />
    </>
  );
}

/** "0x1234", "main", "write", or a kind of fault. */
function conditionOf(what: string, text: string): Condition {
  if (what === "fault") return { fault: text === "" ? true : (text as Exclude<(typeof FAULT_KINDS)[number], "">) };
  if (what === "syscall") return { syscall: text === "" ? true : text };
  if (what === "address") return { address: Number(text) };
  if (what === "instructions") return { instructions: Number(text) };
  return { symbol: text };
}

function RunTo({ isDisabled }: { isDisabled: boolean }) {
  const [what, setWhat] = useState("fault");
  const [text, setText] = useState("");
  return (
    <form
      class="group joined run-to"
      onSubmit={(event) => {
        event.preventDefault();
        command({ do: "runTo", condition: conditionOf(what, text.trim()) });
      }}
    >
      <select
        aria-label="Run to"
        title="Run to a fault, a system call, a function, an address, or an instruction count"
        value={what}
        onChange={(event) => {
          setWhat(event.currentTarget.value);
          setText("");
        }}
      >
        <option value="fault">fault</option>
        <option value="syscall">system call</option>
        <option value="symbol">function</option>
        <option value="address">address</option>
        <option value="instructions">instruction</option>
      </select>
      {what === "fault" ? (
        <select aria-label="Kind of fault" value={text} onChange={(event) => setText(event.currentTarget.value)}>
          <option value="">any kind</option>
          {FAULT_KINDS.slice(1).map((kind) => (
            <option key={kind}>{kind}</option>
          ))}
        </select>
      ) : (
        <input
          aria-label="What to run to"
          size={10}
          value={text}
          placeholder={{ syscall: "any, or mmap", symbol: "main", address: "0x…", instructions: "count" }[what]}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      )}
      <button type="submit" data-testid="run-to" disabled={isDisabled} title="Run to it">
        ▸▸
      </button>
    </form>
  );
}

function Scrubber() {
  const answer = state.look.value?.answer;
  if (answer === undefined) return null;
  const { history, figures } = answer;
  const isPossible = state.started.value?.rewindRefusal === null && history.latest > history.first;
  return (
    <label class="scrubber" title={`${count(figures.instructions)} instructions`}>
      <input
        type="range"
        aria-label="Moment of the run, in instructions"
        data-testid="scrubber"
        disabled={!isPossible || answer.state === "running"}
        min={history.first}
        max={history.latest}
        step={1}
        value={figures.instructions}
        onChange={(event) => command({ do: "seek", instructions: Number(event.currentTarget.value) })}
      />
      <span data-testid="instructions">{compact(figures.instructions)}</span>
    </label>
  );
}
