// Regenerates the pictures in docs/images/ from the real page: `npm run build && node tools/screenshots.mjs [FOLDER]`. Needs Chromium.
// Runs are seeded and stop at named faults, so the same build gives the same pictures.
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { CHROMIUM, CHROMIUM_FLAGS } from "./chromium.mjs";

const STOP_MS = 30_000;

const FORK = [
  "/bin/pages",
  ..."map:heap:96 write:heap:all fork write:heap:0-31:c state:heap end state:heap".split(" "),
];
const FILE = [
  "/bin/pages",
  ..."file:/tmp/book:48 map:mine:48:private:rw:/tmp/book map:ours:48:shared:rw:/tmp/book read:mine:0-31".split(" "),
  ..."write:mine:0-15:x write:ours:16-31:y show:mine show:ours".split(" "),
];
const FILL = ["/bin/truths", "fill", "24"];

/** Each picture: what runs, in which theme, and how the machine and the page are brought to the moment. */
const PICTURES = [
  { name: "fork", theme: "dark", command: FORK, options: ["--memory", "4M"], scene: forkScene },
  { name: "fork-light", theme: "light", command: FORK, options: ["--memory", "4M"], scene: forkScene },
  { name: "fault", theme: "light", command: FORK, options: ["--memory", "4M"], scene: faultScene },
  { name: "objects", theme: "light", command: FILE, options: ["--memory", "4M"], scene: objectsScene },
  { name: "swap", theme: "dark", command: FILL, options: ["--memory", "8M", "--swap", "32M"], scene: swapScene },
];
const SIZE = { width: 1440, height: 900 };

async function forkScene(page) {
  await runTo(page, "fault", "copy-on-write");
  // Half of the heap is copied; the page chosen is still shared.
  for (let i = 0; i < 36; i++) await press(page, "step-fault");
  await page.getByRole("tab", { name: "Page" }).click();
  await page.getByLabel("Pages of the address space").focus();
  for (let i = 0; i < 10; i++) await page.keyboard.press("ArrowRight");
  await page.getByTestId("mappings").locator("li").nth(1).waitFor();
}

async function faultScene(page) {
  await runTo(page, "fault", "copy-on-write");
}

async function objectsScene(page) {
  await press(page, "run");
  await page.getByTestId("state").filter({ hasText: "ended" }).waitFor({ timeout: STOP_MS });
  await press(page, "back-syscall");
  await page.getByRole("tab", { name: "Objects" }).click();
  await page.getByTestId("objects").getByText("book").click();
  await page.getByTestId("frame-filter").selectOption("object");
}

async function swapScene(page) {
  await runTo(page, "fault", "swap-in");
  await page.getByRole("tab", { name: "Swap" }).click();
  const pages = page.getByLabel("Pages of the address space");
  await pages.evaluate((canvas) => canvas.closest(".canvas-place").scrollTo(0, 0));
  await pages.click({ position: { x: 300, y: 180 } });
  await page.getByTestId("slot").filter({ hasText: "in swap only" }).waitFor({ timeout: STOP_MS });
}

/** A step is over when the moment, in instructions, has changed. */
async function press(page, name) {
  const moment = () => page.getByTestId("scrubber").inputValue();
  const before = await moment();
  await page.getByTestId(name).click();
  const latest = Date.now() + STOP_MS;
  while ((await moment()) === before && Date.now() < latest) await page.waitForTimeout(20);
}

async function runTo(page, what, kind) {
  await page.getByLabel("Run to", { exact: true }).selectOption(what);
  await page.getByLabel("Kind of fault").selectOption(kind);
  await page.getByTestId("run-to").click();
  await page.getByTestId("fault-title").waitFor({ timeout: STOP_MS });
}

/** The command itself, standing still; resolves with the address of its page. */
async function startUi(options, command) {
  const child = spawn(process.execPath, ["dist/cli/main.js", "ui", "--paused", ...options, "--", ...command], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  for await (const line of createInterface({ input: child.stderr })) {
    const url = /http:\S+/.exec(line)?.[0];
    if (url !== undefined) return { child, url };
  }
  throw new Error(`faultline ui ${command.join(" ")} ended before it had a page`);
}

async function takePicture(browser, { name, theme, command, options, scene }, { folder, size }) {
  const { child, url } = await startUi(options, command);
  try {
    const context = await browser.newContext({ viewport: size, colorScheme: theme });
    const page = await context.newPage();
    const problems = [];
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    page.on("pageerror", (error) => problems.push(error.message));
    await page.goto(url);
    await page.getByTestId("run").waitFor();
    await scene(page);
    await page.mouse.move(size.width / 2, 2);
    await page.waitForTimeout(1200);
    await page.screenshot({ path: join(folder, `${name}.png`) });
    if (problems.length > 0) throw new Error(`${name}: ${problems.join("; ")}`);
    await context.close();
    process.stdout.write(`${join(folder, `${name}.png`)}\n`);
  } finally {
    child.kill("SIGINT");
  }
}

async function main([folder = "docs/images", size = `${SIZE.width}x${SIZE.height}`, only = ""]) {
  const [width, height] = size.split("x").map(Number);
  mkdirSync(folder, { recursive: true });
  const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: CHROMIUM_FLAGS });
  try {
    for (const picture of PICTURES.filter(({ name }) => only === "" || name === only))
      await takePicture(browser, picture, { folder, size: { width, height } });
  } finally {
    await browser.close();
  }
}

await main(process.argv.slice(2));
