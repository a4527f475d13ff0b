// What the page costs: processor time of the same run alone, under run control without a page, and with the page open in Chromium; and
// the page's frames per second meanwhile. Processor time of Node only: the browser's own is the browser's.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { CHROMIUM, CHROMIUM_FLAGS, hasChromium } from "../tools/chromium.mjs";
import { faultline, row, time } from "./measure.mjs";
import { median, show } from "./statistics.mjs";

/** Makes Node say at its end what processor time it took. */
const HOOK = `data:text/javascript,${encodeURIComponent(
  'process.on("exit",()=>{const u=process.cpuUsage();process.stderr.write("cpu-ms "+(u.user+u.system)/1000+"\\n")})',
)}`;
const cpuMs = (text) => Number(/cpu-ms ([\d.]+)/.exec(text)[1]);

function alone(folder, rounds) {
  const [node, args] = faultline(folder, "--seed", "1", "--memory", "64M", "/page", String(rounds));
  return cpuMs(time(node, ["--import", HOOK, ...args]).stderr);
}

/** Runs `faultline ui`; `visit` is what happens at its address until the program has ended. */
async function underUi(folder, rounds, visit) {
  const [node, args] = faultline(folder, "--memory", "64M", "--paused", "/page", String(rounds));
  const command = args.map((word) => (word === "run" ? "ui" : word));
  const child = spawn(node, ["--import", HOOK, ...command], { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  const seen = (pattern) =>
    new Promise((resolve) => {
      const look = () => {
        const match = pattern.exec(errors);
        if (match) resolve(match);
      };
      child.stderr.on("data", look);
      look();
    });
  child.stderr.on("data", (data) => {
    errors += data;
  });
  const url = (await seen(/the page is at (\S+)/))[1];
  const ended = seen(/the program ended/);
  const result = await visit(url, ended);
  child.kill("SIGINT");
  await new Promise((resolve) => child.once("close", resolve));
  return { ms: cpuMs(errors), result };
}

/** Says "run" on the socket and looks at nothing. */
async function withoutPage(url, ended) {
  const { WebSocket } = await import("ws");
  const { encodeMessage } = await import("../dist/session/wire.js");
  const address = new URL(url);
  const socket = new WebSocket(`ws://${address.host}/session${address.search}`);
  await new Promise((resolve) => socket.once("open", resolve));
  socket.send(encodeMessage({ type: "ask", id: 1, question: { ask: "control", command: { do: "run" } } }));
  await ended;
  socket.close();
}

const COUNT_FRAMES = `new Promise((resolve) => {
  let frames = 0, longest = 0, last = performance.now();
  const begun = last;
  window.stopCounting = () => resolve({ fps: frames / ((performance.now() - begun) / 1000), longest });
  const next = (now) => { frames++; longest = Math.max(longest, now - last); last = now; requestAnimationFrame(next); };
  requestAnimationFrame(next);
})`;

function withPage(page) {
  return async (url, ended) => {
    await page.goto(url);
    await page.getByTestId("run").click();
    const counting = page.evaluate(COUNT_FRAMES);
    await ended;
    await page.evaluate("window.stopCounting()");
    return await counting;
  };
}

export async function page({ scratch, runs, quick }) {
  if (!hasChromium) {
    console.log("\nThe page: SKIPPED: needs Chromium");
    return [];
  }
  const folder = join(scratch, "page");
  mkdirSync(folder, { recursive: true });
  execFileSync("riscv64-linux-gnu-gcc", ["-O2", "-static", "-o", join(folder, "page"), "guest/bench/page.c"]);
  const rounds = quick ? 2 : 100;
  console.log("\nThe page: processor ms of Node for the same run, medians, and the page's frames per second meanwhile");
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: CHROMIUM_FLAGS });
  const samples = { alone: [], controlled: [], watched: [], fps: [], longest: [] };
  try {
    const view = await browser.newPage({ viewport: { width: 1440, height: 860 } });
    for (let run = 0; run < runs; run++) {
      samples.alone.push(alone(folder, rounds));
      samples.controlled.push((await underUi(folder, rounds, withoutPage)).ms);
      const watched = await underUi(folder, rounds, withPage(view));
      samples.watched.push(watched.ms);
      samples.fps.push(watched.result.fps);
      samples.longest.push(watched.result.longest);
    }
  } finally {
    await browser.close();
  }
  const figures = Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, median(values)]));
  row("run", "ms", "/ alone");
  for (const name of ["alone", "controlled", "watched"])
    row(name, show(figures[name], 0), show(figures[name] / figures.alone));
  console.log(
    `frames per second ${show(figures.fps, 1)}, longest frame ${show(figures.longest, 0)} ms (target: 60; watched / controlled 1.1)`,
  );
  return [figures];
}
