// Rates of faults, copies, evictions and swap over the last minute, and the free frames.
import { count } from "../../view/format.ts";
import { SERIES } from "../../view/timeline.ts";
import { Canvas, type CanvasSize, inks } from "../canvas.tsx";
import { timeline } from "../client.ts";
import { SERIES_COLOURS } from "../palette.ts";
import * as state from "../state.ts";

const STEP_PX = 3;
const TEXT_PX = 14;

export function TimelinePanel() {
  const look = state.look.value;
  const colours = SERIES_COLOURS[state.theme.value];
  const latest = timeline.samples.at(-1);
  return (
    <section class="panel timeline" aria-label="Timeline">
      <h2>
        Per second
        <ul class="legend rates" data-testid="rates">
          {SERIES.map(({ name, label }) => (
            <li key={name}>
              <i style={{ background: colours[name] }} />
              {label} <b>{latest === undefined ? "–" : count(latest.rates[name])}</b>
            </li>
          ))}
        </ul>
      </h2>
      <Canvas
        label="Rates over time"
        className="fill"
        version={[look, state.theme.value]}
        paint={(context, size) => paint(context, size, colours)}
      />
    </section>
  );
}

function paint(
  context: CanvasRenderingContext2D,
  { width, height }: CanvasSize,
  colours: Record<string, string>,
): void {
  const samples = timeline.samples.slice(-Math.ceil(width / STEP_PX));
  const ink = inks();
  const { peak } = timeline;
  // A root brings rare events into sight beside frequent ones.
  const y = (rate: number) => height - 2 - Math.sqrt(rate / peak) * (height - TEXT_PX - 4);
  context.strokeStyle = ink.line;
  context.lineWidth = 1;
  for (const part of [1, 0.25]) {
    context.beginPath();
    context.moveTo(0, y(peak * part));
    context.lineTo(width, y(peak * part));
    context.stroke();
  }
  context.fillStyle = ink.dim;
  context.font = "11px system-ui, sans-serif";
  context.fillText(`${count(peak)}/s`, 4, TEXT_PX - 3);
  const left = width - samples.length * STEP_PX;
  context.lineWidth = 1.5;
  for (const { name } of SERIES) {
    context.strokeStyle = colours[name];
    context.beginPath();
    samples.forEach(({ rates }, i) => {
      const x = left + i * STEP_PX;
      if (i === 0) context.moveTo(x, y(rates[name]));
      else context.lineTo(x, y(rates[name]));
    });
    context.stroke();
  }
}
