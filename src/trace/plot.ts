// Draws fault curves: as SVG, in the terminal, and as a raster for PNG. Both axes are logarithmic: curves span decades.
import type { CurveResult } from "./curve.ts";
import { Raster } from "./raster.ts";

const WIDTH = 800;
const HEIGHT = 500;
const LEFT = 90;
const RIGHT = 150;
const TOP = 30;
const BOTTOM = 60;
/** Distinguishable also without colour vision (Okabe and Ito). */
const COLOURS = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#000000",
  "#7f7f00",
  "#8b4513",
  "#888888",
];
const MARKS = "*o+x#@%&=~";

interface Scale {
  readonly min: number;
  readonly max: number;
  /** 0 to 1. */
  at(value: number): number;
}

function logScale(values: readonly number[]): Scale {
  const min = Math.max(1, Math.min(...values));
  const max = Math.max(min + 1, ...values);
  const span = Math.log(max / min);
  return { min, max, at: (value) => Math.log(Math.max(value, min) / min) / span };
}

/** 1, 2 and 5 times powers of ten within the scale; few enough to be read. */
function ticks({ min, max }: Scale): number[] {
  const all: number[] = [];
  for (let power = 1; power <= max; power *= 10) {
    for (const digit of [1, 2, 5]) if (digit * power >= min && digit * power <= max) all.push(digit * power);
  }
  return all.length <= 8 ? all : all.filter((tick) => /^10*$/.test(String(tick)));
}

const scalesOf = (curve: CurveResult) => ({
  x: logScale(curve.sizes),
  y: logScale(Object.values(curve.faults).flat()),
});

interface Layout {
  x(size: number): number;
  y(faults: number): number;
  xTicks: number[];
  yTicks: number[];
}

function layOut(curve: CurveResult): Layout {
  const { x, y } = scalesOf(curve);
  return {
    x: (size) => LEFT + x.at(size) * (WIDTH - LEFT - RIGHT),
    y: (faults) => HEIGHT - BOTTOM - y.at(faults) * (HEIGHT - TOP - BOTTOM),
    xTicks: ticks(x),
    yTicks: ticks(y),
  };
}

const short = (value: number): string =>
  value >= 1e6 ? `${value / 1e6}M` : value >= 1e3 ? `${value / 1e3}k` : String(value);

/** A complete SVG document. */
export function curveSvg(curve: CurveResult, title: string): string {
  const at = layOut(curve);
  const out: string[] = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="18" font-weight="bold">${escapeXml(title)}</text>`,
  ];
  const line = (x1: number, y1: number, x2: number, y2: number) =>
    `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="#ddd"/>`;
  for (const tick of at.xTicks) {
    out.push(line(at.x(tick), TOP, at.x(tick), HEIGHT - BOTTOM));
    out.push(
      `<text x="${at.x(tick).toFixed(1)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${short(tick)}</text>`,
    );
  }
  for (const tick of at.yTicks) {
    out.push(line(LEFT, at.y(tick), WIDTH - RIGHT, at.y(tick)));
    out.push(`<text x="${LEFT - 8}" y="${(at.y(tick) + 4).toFixed(1)}" text-anchor="end">${short(tick)}</text>`);
  }
  out.push(`<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 18}" text-anchor="middle">memory, pages</text>`);
  const middle = (TOP + HEIGHT - BOTTOM) / 2;
  out.push(`<text x="22" y="${middle}" text-anchor="middle" transform="rotate(-90 22 ${middle})">faults</text>`);
  Object.entries(curve.faults).forEach(([name, faults], i) => {
    const colour = COLOURS[i % COLOURS.length];
    const points = faults.map((count, k) => `${at.x(curve.sizes[k]).toFixed(1)},${at.y(count).toFixed(1)}`).join(" ");
    const dash = name === "opt" ? ' stroke-dasharray="6 4"' : "";
    out.push(`<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`);
    const y = TOP + 16 + 20 * i;
    const x = WIDTH - RIGHT + 14;
    out.push(`<line x1="${x}" y1="${y - 4}" x2="${x + 24}" y2="${y - 4}" stroke="${colour}" stroke-width="2"${dash}/>`);
    out.push(`<text x="${x + 30}" y="${y}">${escapeXml(name)}</text>`);
  });
  out.push("</svg>");
  return `${out.join("\n")}\n`;
}

const escapeXml = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]!);

/** The same picture as pixels. */
export function curveRaster(curve: CurveResult, title: string): Raster {
  const at = layOut(curve);
  const raster = new Raster(WIDTH, HEIGHT);
  raster.text(LEFT, 8, title.slice(0, 60), "#000000");
  for (const tick of at.xTicks) {
    raster.line(at.x(tick), TOP, at.x(tick), HEIGHT - BOTTOM, "#dddddd");
    raster.text(at.x(tick) - 8, HEIGHT - BOTTOM + 8, short(tick), "#000000");
  }
  for (const tick of at.yTicks) {
    raster.line(LEFT, at.y(tick), WIDTH - RIGHT, at.y(tick), "#dddddd");
    raster.text(LEFT - 8 - 8 * short(tick).length, at.y(tick) - 5, short(tick), "#000000");
  }
  raster.text((LEFT + WIDTH - RIGHT) / 2 - 52, HEIGHT - 26, "memory pages", "#000000");
  raster.text(8, TOP - 18, "faults", "#000000");
  Object.entries(curve.faults).forEach(([name, faults], i) => {
    const colour = COLOURS[i % COLOURS.length];
    for (let k = 1; k < faults.length; k++) {
      const [x1, y1] = [at.x(curve.sizes[k - 1]), at.y(faults[k - 1])];
      const [x2, y2] = [at.x(curve.sizes[k]), at.y(faults[k])];
      raster.line(x1, y1, x2, y2, colour);
      raster.line(x1, y1 + 1, x2, y2 + 1, colour);
    }
    const y = TOP + 12 + 20 * i;
    raster.line(WIDTH - RIGHT + 14, y, WIDTH - RIGHT + 38, y, colour);
    raster.line(WIDTH - RIGHT + 14, y + 1, WIDTH - RIGHT + 38, y + 1, colour);
    raster.text(WIDTH - RIGHT + 46, y - 5, name, "#000000");
  });
  return raster;
}

/** For a terminal: `columns` by `rows` characters, legend below. Later curves are drawn first, so that the first ones stay visible. */
export function curveText(curve: CurveResult, columns = 76, rows = 20): string {
  const { x, y } = scalesOf(curve);
  const margin = 9;
  const width = columns - margin - 1;
  const grid = Array.from({ length: rows }, () => new Array<string>(width).fill(" "));
  const names = Object.keys(curve.faults);
  for (let i = names.length - 1; i >= 0; i--) {
    const faults = curve.faults[names[i]];
    let segment = 0;
    for (let column = 0; column < width; column++) {
      const size = x.min * (x.max / x.min) ** (column / (width - 1));
      while (segment < curve.sizes.length - 2 && curve.sizes[segment + 1] < size) segment++;
      const next = Math.min(segment + 1, faults.length - 1);
      const [from, to] = [x.at(curve.sizes[segment]), x.at(curve.sizes[next])];
      const part = to > from ? Math.min(1, Math.max(0, (x.at(size) - from) / (to - from))) : 0;
      const height = y.at(faults[segment]) * (1 - part) + y.at(faults[next]) * part;
      grid[rows - 1 - Math.round(height * (rows - 1))][column] = MARKS[i % MARKS.length];
    }
  }
  const labels = new Map(ticks(y).map((tick) => [rows - 1 - Math.round(y.at(tick) * (rows - 1)), short(tick)]));
  const lines = grid.map((row, i) => `${(labels.get(i) ?? "").padStart(margin - 1)} |${row.join("").trimEnd()}`);
  lines.push(`${" ".repeat(margin)}+${"-".repeat(width)}`);
  const axis = new Array<string>(columns).fill(" ");
  for (const tick of ticks(x)) {
    const at = margin + 1 + Math.round(x.at(tick) * (width - 1));
    [...short(tick)].forEach((letter, k) => {
      if (at + k < columns) axis[at + k] = letter;
    });
  }
  lines.push(axis.join("").trimEnd());
  lines.push(
    `${" ".repeat(margin)}faults by pages of memory:  ${names.map((name, i) => `${MARKS[i % MARKS.length]} ${name}`).join("   ")}`,
  );
  return `${lines.join("\n")}\n`;
}
