// The page without a mouse: dialogs that hold the focus and give it back, tabs and lists by arrow keys, grids that say what is selected,
// a way into the terminal and out of it. And swap beyond memory, in the browser's own file system.
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { announceSkip } from "../support/guest.ts";
import { hasChromium, usePage, waitForTerminal } from "./browser.ts";

const skipped = announceSkip(
  !hasChromium,
  "the page by keyboard: needs Chromium (Debian package chromium, or FAULTLINE_CHROMIUM)",
);

describe.skipIf(skipped)("the page by keyboard", () => {
  const use = usePage();

  async function start(command: string, swap = "64M"): Promise<Page> {
    const page = await use.browser.open(use.url);
    await page.getByTestId("command").fill(command);
    await page.getByLabel("Memory", { exact: true }).fill("4M");
    await page.getByLabel("Swap", { exact: true }).fill(swap);
    await page.keyboard.press("Enter");
    await waitForTerminal(page, "Enter goes on");
    await expect.poll(() => page.locator(".address-space .dim").first().textContent()).toMatch(/^[1-9]/);
    return page;
  }

  /** The name or text of what has the focus. */
  const focused = (page: Page) =>
    page.evaluate(
      "(() => { const e = document.activeElement; return e.getAttribute('data-testid') ?? e.getAttribute('aria-label') ?? e.textContent.trim(); })()",
    );
  const selected = (page: Page) => page.locator("#selection").textContent();

  test("a dialog keeps the focus inside and gives it back", async () => {
    const page = await start("/bin/pages map:a:8 write:a:all wait");
    await page.getByRole("tab", { name: "Page" }).focus();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Help" }).waitFor();
    for (let i = 0; i < 4; i++) {
      await page.keyboard.press("Tab");
      // Between rounds the browser's own controls have it, never what is behind.
      expect(["Close", ""]).toContain(
        await page.evaluate(
          "document.activeElement === document.body ? '' : document.activeElement.closest('dialog') ? 'Close' : 'behind'",
        ),
      );
    }
    await page.keyboard.press("Escape");
    await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
    // It comes back when the page has been painted without the dialog.
    await expect.poll(() => focused(page)).toBe("Page");
    await page.close();
  });

  test("tabs and lists by arrow keys", async () => {
    const page = await start("/bin/pages map:a:8 write:a:all fork write:a:0:x wait end wait");
    await page.getByRole("tab", { name: "Page" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    expect(await focused(page)).toBe("Objects");
    expect(await page.getByRole("tab", { name: "Objects" }).getAttribute("aria-selected")).toBe("true");
    await page.keyboard.press("End");
    expect(await focused(page)).toBe("TLB");
    // One stop for all tabs; then the panel.
    await page.keyboard.press("Shift+Tab");
    expect(await page.evaluate("document.activeElement.getAttribute('role')")).not.toBe("tab");
    const rows = page.getByTestId("processes").locator("tbody tr");
    await expect.poll(() => rows.count()).toBe(2);
    await rows.first().focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await expect.poll(() => rows.nth(1).getAttribute("aria-current")).toBe("true");
    expect(await page.getByLabel("Process", { exact: true }).inputValue()).toBe("3");
    await page.close();
  });

  test("Tab leads through the whole page, past the terminal, and everything that it stops at has a name", async () => {
    const page = await start("/bin/pages map:a:8 write:a:all wait");
    const stops: string[] = [];
    await page.getByTestId("run").focus();
    for (let i = 0; i < 60 && stops.at(-1) !== "end"; i++) {
      await page.keyboard.press("Tab");
      const at = (await page.evaluate(`(() => {
        const e = document.activeElement;
        if (e === document.body) return "end";
        const name = e.getAttribute("aria-label") ?? (e.labels?.[0]?.textContent || e.textContent).trim();
        return (e.closest("section, header, aside")?.getAttribute("aria-label") ?? "") + "|" + name;
      })()`)) as string;
      stops.push(at);
    }
    for (const stop of stops.slice(0, -1)) expect(stop).toMatch(/\|./);
    const panels = stops.map((stop) => stop.split("|")[0]);
    expect(panels).not.toContain("Terminal");
    const order = [...new Set(panels)].filter((name) => name !== "" && name !== "end");
    expect(order).toEqual(["Processes", "Address space", "Physical memory", "Details"]);
    await page.close();
  });

  test("grids say what is selected", async () => {
    const page = await start("/bin/pages map:a:8 write:a:all wait");
    const pages = page.getByLabel("Pages of the address space");
    await pages.focus();
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => selected(page)).toMatch(/^page 0x10 of process 2, in pages r-xp, in frame \d+$/);
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => selected(page)).toMatch(/^page 0x11 of process 2/);
    await page.getByLabel("Frames of physical memory").focus();
    const before = await selected(page);
    await page.keyboard.press("ArrowLeft");
    await expect.poll(() => selected(page)).not.toBe(before);
    await page.close();
  });

  test("into the terminal by c, out of it by Shift+Escape; between, keys are the program's", async () => {
    const page = await start("/bin/pages map:a:8 write:a:all wait state:a wait");
    await page.getByRole("tab", { name: "Page" }).focus();
    await page.keyboard.press("c");
    await page.keyboard.press("2");
    expect(await page.getByRole("tab", { name: "Fault" }).getAttribute("aria-selected")).toBe("false");
    await page.keyboard.press("Enter");
    await waitForTerminal(page, "state a: aaaaaaaa");
    await page.keyboard.press("Shift+Escape");
    expect(await focused(page)).toBe("run");
    await page.keyboard.press("2");
    expect(await page.getByRole("tab", { name: "Fault" }).getAttribute("aria-selected")).toBe("true");
    await page.close();
  });

  test("frames of one process stand out, and of one file", async () => {
    const page = await start(
      "/bin/pages file:/tmp/f:8 map:f:8:shared:rw:/tmp/f read:f:all fork write:f:0:x wait end wait",
    );
    const frames = page.getByLabel("Frames of physical memory");
    const look = async () => (await frames.screenshot()).toString("base64");
    const all = await look();
    await page.getByTestId("frame-filter").selectOption("process");
    await expect.poll(look).not.toBe(all);
    const own = await look();
    await page.getByRole("tab", { name: "Objects" }).click();
    await page.getByTestId("objects").getByText("f", { exact: true }).click();
    await page.getByTestId("frame-filter").selectOption("object");
    await expect.poll(look).not.toBe(own);
    await page.close();
  });

  test("a page that is swapped out leads to its slot", async () => {
    const page = await start("/bin/pages map:a:1500 write:a:all wait");
    await page.keyboard.press("4");
    const grid = page.getByLabel("Pages of the address space");
    await grid.focus();
    for (let i = 0; i < 40 && !/swap slot/.test((await selected(page)) ?? ""); i++) {
      await page.keyboard.press("ArrowRight");
      await page.waitForTimeout(30);
    }
    const slot = /in swap slot (\d+)/.exec((await selected(page)) ?? "")?.[1];
    expect(slot).toBeDefined();
    await expect.poll(() => page.getByTestId("slot").textContent()).toBe(`${slot}: in swap only`);
    // And the other way: a slot leads to its page.
    await page.getByLabel("Slots of the swap file").focus();
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => selected(page)).toMatch(new RegExp(`in swap slot ${Number(slot) + 1}$`));
    await page.close();
  });

  test("swap larger than a page holds in memory is a file of the browser: contents come back, the way back is refused", async () => {
    const page = await start(
      "/bin/pages map:a:1500 write:a:0-1498/2:e write:a:1-1499/2:o wait show:a:0-1499/125 wait",
      "2G",
    );
    expect(await page.getByTestId("back-fault").isDisabled()).toBe(true);
    expect(await page.getByTestId("back-fault").getAttribute("title")).toMatch(/kept outside of memory/);
    const names =
      "(async () => { const n = []; for await (const name of (await navigator.storage.getDirectory()).keys()) n.push(name); return n; })()";
    expect(await page.evaluate(names)).toHaveLength(1);
    await page.keyboard.press("c");
    await page.keyboard.press("Enter");
    await waitForTerminal(page, "show a: eoeoeoeoeoeo");
    await page.getByRole("tab", { name: "Swap" }).click();
    await expect
      .poll(async () => Number((await page.getByTestId("swap-used").textContent())?.replace(/ \(.*|\D/g, "")))
      .toBeGreaterThan(400);
    // What a page that was closed has left is removed by the next one.
    await page.close();
    const next = await start("/bin/pages map:a:8 write:a:all wait", "2G");
    expect(await next.evaluate(names)).toHaveLength(1);
    await next.close();
  });
});
