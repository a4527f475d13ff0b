// What the eyes need: text of both themes at WCAG's AA contrast, and classes of pages and frames that people who do not see all
// colours can tell apart.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { FRAME_CLASSES, PAGE_CLASSES } from "../view/page-classes.ts";
import { frameColour, pageColour } from "./palette.ts";

type Rgb = [number, number, number];
const THEMES = ["light", "dark"] as const;
const AA_TEXT = 4.5;
const AA_GRAPHICS = 3;

const rgb = (hex: string): Rgb => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255) as Rgb;
const linear = (c: number): number => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const luminance = (hex: string): number => {
  const [r, g, b] = rgb(hex).map(linear);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

/** The custom properties of a theme, as theme.css has them. */
function properties(theme: (typeof THEMES)[number]): Record<string, string> {
  const css = readFileSync("src/web/styles/theme.css", "utf8");
  const block = theme === "light" ? /:root \{([^}]*)\}/ : /:root\[data-theme="dark"\] \{([^}]*)\}/;
  const found = [...block.exec(css)![1].matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)];
  return Object.fromEntries(found.map(([, name, value]) => [name, value]));
}

/** Machado, Oliveira and Fernandes (2009), full severity, on linear RGB. */
const SIGHTS: Readonly<Record<string, readonly Rgb[]>> = {
  full: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
};

function lab(hex: string, sight: readonly Rgb[]): Rgb {
  const light = rgb(hex).map(linear);
  const [r, g, b] = sight.map((row) =>
    Math.min(
      1,
      Math.max(
        0,
        row.reduce((sum, k, i) => sum + k * light[i], 0),
      ),
    ),
  );
  const xyz = [
    (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047,
    0.2126 * r + 0.7152 * g + 0.0722 * b,
    (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883,
  ].map((t) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116));
  return [116 * xyz[1] - 16, 500 * (xyz[0] - xyz[1]), 200 * (xyz[1] - xyz[2])];
}
const difference = (a: Rgb, b: Rgb): number => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
/** A just noticeable difference is about 2.3; cells of a few pixels need several times that. */
const LEAST_DIFFERENCE = 10;

function tooClose(colours: ReadonlyMap<string, string>, sight: readonly Rgb[]): string[] {
  const all = [...colours];
  return all.flatMap(([name, colour], i) =>
    all
      .slice(i + 1)
      .map(([other, second]) => ({ pair: `${name} ${other}`, by: difference(lab(colour, sight), lab(second, sight)) }))
      .filter(({ by }) => by < LEAST_DIFFERENCE)
      .map(({ pair, by }) => `${pair}: ${by.toFixed(1)}`),
  );
}

describe.each(THEMES)("%s theme", (theme) => {
  const ink = properties(theme);

  test.each([
    ["text", "panel"],
    ["text", "paper"],
    ["text", "hover"],
    ["dim", "panel"],
    ["dim", "paper"],
    ["dim", "hover"],
    ["primary", "panel"],
    ["primary", "hover"],
    ["primary-text", "primary"],
    ["bad", "panel"],
    ["good", "panel"],
  ])("%s on %s can be read", (front, back) => {
    expect(contrast(ink[front], ink[back])).toBeGreaterThanOrEqual(AA_TEXT);
  });

  test("the focus stands out, and so does the mark of what is selected: its ring from its rim", () => {
    for (const name of ["primary", "text"])
      expect(contrast(ink[name], ink.panel), name).toBeGreaterThanOrEqual(AA_GRAPHICS);
  });

  test.each(Object.keys(SIGHTS))("classes can be told apart with %s colour vision", (sight) => {
    const pages = new Map(PAGE_CLASSES.slice(1).map(({ name }) => [name, pageColour(theme, name)]));
    const frames = new Map(FRAME_CLASSES.map(({ name }) => [name, frameColour(theme, name)]));
    expect(tooClose(pages, SIGHTS[sight])).toEqual([]);
    expect(tooClose(frames, SIGHTS[sight])).toEqual([]);
  });
});
