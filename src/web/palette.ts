// The colours of pages and frames in both themes: told apart by people who do not see all colours (after Okabe and Ito), each with a
// place in the legend. The numbers are those of view/page-classes.ts.
import { FRAME_CLASSES, PAGE_CLASSES, type PageClass } from "../view/page-classes.ts";

type Theme = "light" | "dark";

const PAGES: Record<Theme, Record<PageClass, string>> = {
  light: {
    none: "#ffffff",
    untouched: "#e3e6ea",
    cached: "#c3cbd6",
    zero: "#f0e442",
    clean: "#56b4e9",
    dirty: "#0072b2",
    shared: "#009e73",
    cow: "#e69f00",
    swapped: "#cc79a7",
    locked: "#8b2f00",
  },
  dark: {
    none: "#15181d",
    untouched: "#2a303a",
    cached: "#465163",
    zero: "#e6da3c",
    clean: "#63bdf0",
    dirty: "#1f86cc",
    shared: "#12b386",
    cow: "#f0a818",
    swapped: "#d98bb6",
    locked: "#d55e00",
  },
};

const FRAMES: Record<Theme, Record<(typeof FRAME_CLASSES)[number]["name"], string>> = {
  light: {
    free: "#e9ecef",
    reserved: "#495057",
    "page-table": "#d55e00",
    zero: "#f0e442",
    anonymous: "#0072b2",
    file: "#009e73",
    shmem: "#cc79a7",
  },
  dark: {
    free: "#252a33",
    reserved: "#6c757d",
    "page-table": "#e8702a",
    zero: "#e6da3c",
    anonymous: "#1f86cc",
    file: "#12b386",
    shmem: "#d98bb6",
  },
};

export const pageColour = (theme: Theme, name: PageClass): string => PAGES[theme][name];
export const frameColour = (theme: Theme, name: (typeof FRAME_CLASSES)[number]["name"]): string => FRAMES[theme][name];

/** Little-endian RGBA words by class number, for image data. */
function words(colours: readonly string[]): Uint32Array {
  return Uint32Array.from(colours, (colour) => {
    const rgb = Number.parseInt(colour.slice(1), 16);
    return (0xff000000 | ((rgb & 0xff) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0;
  });
}
export const PAGE_WORDS: Record<Theme, Uint32Array> = {
  light: words(PAGE_CLASSES.map(({ name }) => PAGES.light[name])),
  dark: words(PAGE_CLASSES.map(({ name }) => PAGES.dark[name])),
};
/** `part` of a colour on the background. */
function faded(colour: string, background: string, part: number): string {
  const mix = [1, 3, 5].map((at) => {
    const [front, back] = [colour, background].map((hex) => Number.parseInt(hex.slice(at, at + 2), 16));
    return Math.round(back + (front - back) * part);
  });
  return `#${mix.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}
const FADED_PART = 0.18;
const fadedFrames = (theme: Theme) =>
  words(FRAME_CLASSES.map(({ name }) => faded(FRAMES[theme][name], PAGES[theme].none, FADED_PART)));
/** Frames that do not stand out. */
export const FADED_FRAME_WORDS: Record<Theme, Uint32Array> = { light: fadedFrames("light"), dark: fadedFrames("dark") };

export const FRAME_WORDS: Record<Theme, Uint32Array> = {
  light: words(FRAME_CLASSES.map(({ name }) => FRAMES.light[name])),
  dark: words(FRAME_CLASSES.map(({ name }) => FRAMES.dark[name])),
};

export const SERIES_COLOURS: Record<Theme, Record<string, string>> = {
  light: {
    minor: "#56b4e9",
    major: "#d55e00",
    copies: "#e69f00",
    evicted: "#495057",
    swapIn: "#009e73",
    swapOut: "#cc79a7",
  },
  dark: {
    minor: "#63bdf0",
    major: "#ff7a3c",
    copies: "#f0a818",
    evicted: "#adb5bd",
    swapIn: "#12b386",
    swapOut: "#d98bb6",
  },
};
