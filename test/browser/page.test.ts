// The page by itself: the whole machine in a worker, from static files. A person's way through it: run, look, select, step, go back, drop.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, describe, expect, test } from "vitest";
import { announceSkip, hasCompiler, Scratch } from "../support/guest.ts";
import { hasChromium, PAGE_FOLDER, terminalText, usePage, waitForTerminal } from "./browser.ts";

const skipped = announceSkip(!hasChromium, "the page: needs Chromium (Debian package chromium, or FAULTLINE_CHROMIUM)");

describe.skipIf(skipped)("the page in a browser", () => {
  const use = usePage();
  const scratch = new Scratch();
  afterAll(() => scratch.remove());

  async function start(command: string, options: { paused?: boolean; memory?: string } = {}): Promise<Page> {
    const page = await use.browser.open(use.url);
    await page.getByTestId("command").fill(command);
    if (options.memory) await page.getByLabel("Memory", { exact: true }).fill(options.memory);
    if (options.paused) await page.getByLabel("paused").check();
    await page.getByTestId("start").click();
    return page;
  }

  const areaRow = /rw-p/;
  const state = (page: Page) => page.getByTestId("state");
  const instructions = async (page: Page) => Number(await page.getByTestId("scrubber").inputValue());

  test("runs a bundled program; fork and copy-on-write can be watched, page by page", async () => {
    const page = await start("/bin/pages map:a:64 write:a:all fork write:a:0-31:c end wait state:a");
    await waitForTerminal(page, "Enter goes on");
    const rows = page.getByTestId("processes").locator("tbody tr");
    await expect.poll(() => rows.count()).toBe(2);
    // Somewhere in the grid is a frame that both processes map: the arrow keys walk through the pages.
    const grid = page.getByLabel("Pages of the address space");
    await expect.poll(() => page.locator(".address-space .dim").first().textContent()).toMatch(/^[1-9]/);
    await grid.focus();
    await page.keyboard.press("ArrowRight");
    await page.getByTestId("selected-page").waitFor();
    await expect.poll(() => page.getByTestId("mappings").locator("li").count()).toBe(2);
    expect(await page.getByTestId("walk").locator("li").count()).toBe(3);
    // The second mapping leads to the other process, and the frame stays selected.
    const frame = await page.getByTestId("frame").textContent();
    await page.getByTestId("mappings").getByRole("button").nth(1).click();
    await expect
      .poll(async () => (await page.getByTestId("selected-page").textContent())?.includes("process 3"))
      .toBe(true);
    expect(await page.getByTestId("frame").textContent()).toBe(frame);
    // Enter goes to the program; it ends.
    await page.getByTestId("terminal").click();
    await page.keyboard.press("Enter");
    await waitForTerminal(page, "state a: ");
    await expect.poll(() => state(page).textContent()).toBe("ended with 0");
    await page.close();
  });

  test("a fault explained; step back shows the machine as it was, and the same comes again", async () => {
    const page = await start("/bin/pages map:a:8 write:a:all state:a", { paused: true });
    await expect.poll(() => state(page).textContent()).toBe("paused");
    await page.getByLabel("Kind of fault").selectOption("demand-zero");
    await page.getByTestId("run-to").click();
    await page.getByTestId("fault-title").waitFor();
    expect(await page.getByTestId("fault-title").textContent()).toMatch(/F4.*Demand-zero/);
    const story = await page.getByTestId("story").textContent();
    for (const word of ["access", "translation", "area", "frame", "entry", "restart"]) expect(story).toContain(word);
    const first = await instructions(page);
    await page.getByTestId("step-fault").click();
    await expect.poll(() => instructions(page)).toBeGreaterThan(first);
    const second = await instructions(page);
    await page.getByTestId("back-fault").click();
    await expect.poll(() => instructions(page)).toBe(first);
    expect(await page.getByTestId("story").textContent()).toBe(story);
    await page.keyboard.press("f");
    await expect.poll(() => instructions(page)).toBe(second);
    await page.getByTestId("step-instruction").click();
    await expect.poll(() => instructions(page)).toBe(second + 1);
    await page.keyboard.press("I");
    await expect.poll(() => instructions(page)).toBe(second);
    await page.close();
  });

  test("to the end and back to the beginning: the terminal goes back, too", async () => {
    const page = await start("/bin/hello there");
    await waitForTerminal(page, "hello from there");
    await expect.poll(() => state(page).textContent()).toBe("ended with 0");
    await page.getByTestId("scrubber").fill("0");
    await expect.poll(() => page.getByTestId("instructions").textContent()).toBe("0");
    await expect.poll(async () => (await terminalText(page)).trim()).toBe("");
    await page.getByTestId("run").click();
    await waitForTerminal(page, "hello from there");
    await page.close();
  });

  test("swap: more than fits goes out and comes back", async () => {
    const page = await start("/bin/pages map:a:1200 write:a:all read:a:all wait", { memory: "4M" });
    await waitForTerminal(page, "Enter goes on");
    await page.getByRole("tab", { name: "Swap" }).click();
    await expect
      .poll(async () => Number((await page.getByTestId("swap-used").textContent())?.replace(/ \(.*|\D/g, "")))
      .toBeGreaterThan(100);
    await page.getByRole("tab", { name: "TLB" }).click();
    await expect.poll(() => page.getByTestId("tlb").locator("tbody tr").count()).toBeGreaterThan(2);
    await page.getByRole("tab", { name: "Objects" }).click();
    await page.getByTestId("objects").getByText("pages").first().click();
    await page.getByLabel("Pages of the object's cache").waitFor();
    await page.close();
  });

  test("physical memory: hovering a frame tells who maps it, choosing it selects the page", async () => {
    const page = await start("/bin/pages map:a:32 write:a:all wait");
    await waitForTerminal(page, "Enter goes on");
    const frames = page.getByLabel("Frames of physical memory");
    await frames.focus();
    for (let i = 0; i < 30; i++) await page.keyboard.press("ArrowRight");
    await page.getByTestId("frame").waitFor();
    expect(await page.getByTestId("frame").textContent()).toMatch(/Frame \d+/);
    await frames.hover({ position: { x: 60, y: 10 } });
    await page.locator(".tip").waitFor();
    expect(await page.locator(".tip").textContent()).toMatch(/frame \d+/);
    await page.close();
  });

  test("a mistake is said in one line", async () => {
    const page = await start("/bin/nothing");
    await expect.poll(() => page.getByText("there is no /bin/nothing in the root").count()).toBeGreaterThan(0);
    await page.close();
  });

  test("keys, themes and help", async () => {
    const page = await start("/bin/pages map:a:4 wait", { paused: true });
    await expect.poll(() => state(page).textContent()).toBe("paused");
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Help" }).waitFor();
    await page.keyboard.press("Escape");
    await expect.poll(() => page.getByRole("dialog", { name: "Help" }).count()).toBe(0);
    const theme = () => page.evaluate("document.documentElement.dataset.theme");
    expect(await theme()).toBe("light");
    await page.keyboard.press("t");
    expect(await theme()).toBe("dark");
    await page.keyboard.press("t");
    await page.keyboard.press("2");
    expect(await page.getByRole("tab", { name: "Fault" }).getAttribute("aria-selected")).toBe("true");
    await page.close();
  });

  test("a dropped program runs", async () => {
    const page = await use.browser.open(use.url);
    await page.getByTestId("file").setInputFiles({
      name: "greeting",
      mimeType: "application/octet-stream",
      buffer: readFileSync("guest/root/bin/hello"),
    });
    await expect.poll(() => page.getByTestId("command").inputValue()).toBe("/greeting");
    await page.getByTestId("start").click();
    await waitForTerminal(page, "hello from riscv64");
    await page.close();
  });

  test("a root archive is dropped and runs", async () => {
    for (const [name, flag] of [
      ["root.tar", ""],
      ["root.tar.gz", "z"],
      ["root.tar.xz", "J"],
    ]) {
      const archive = join(scratch.path, name);
      execFileSync("tar", [`-c${flag}f`, archive, "-C", "guest/root", "."]);
      const page = await use.browser.open(use.url);
      await page.getByTestId("file").setInputFiles(archive);
      await page.getByTestId("command").fill("/bin/sharer");
      await page.getByTestId("start").click();
      await waitForTerminal(page, "sum");
      await page.close();
    }
  });

  test.skipIf(announceSkip(!hasCompiler, "a dropped C program: needs riscv64-linux-gnu-gcc"))(
    "a C program with libc, dropped on the page by mouse",
    async () => {
      const elf = scratch.compile("threads", ["test/browser/threads.c"]);
      const page = await use.browser.open(use.url);
      const bytes = readFileSync(elf).toString("base64");
      const transfer = await page.evaluateHandle(
        `(() => { const t = new DataTransfer(); t.items.add(new File([Uint8Array.from(atob("${bytes}"), c => c.charCodeAt(0))], "threads")); return t; })()`,
      );
      await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
      await waitForTerminal(page, "4 threads counted to 4000");
      await page.close();
    },
  );

  test("one file has it all: opened from the disk, without any server", async () => {
    execFileSync(process.execPath, ["tools/single-file.mjs"]);
    const page = await use.browser.open(pathToFileURL(join(PAGE_FOLDER, "faultline.html")).href);
    await page.getByTestId("command").fill("/bin/hello offline");
    await page.getByTestId("start").click();
    await waitForTerminal(page, "hello from offline");
    await page.close();
  });

  test("areas are listed to scale, and zoom keeps the selection in sight", async () => {
    const page = await start("/bin/pages map:a:3000 write:a:0-2999/7 wait");
    await waitForTerminal(page, "Enter goes on");
    const summary = () => page.locator(".address-space .dim").first().textContent();
    await expect.poll(summary).toMatch(/areas, 3.\d+ pages/);
    for (const name of ["Further away", "Nearer", "Nearer", "Nearer"]) await page.getByRole("button", { name }).click();
    expect(await page.locator(".address-space").textContent()).not.toMatch(areaRow);
    await page.close();
  });
});
