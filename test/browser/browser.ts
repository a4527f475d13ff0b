// Debian's Chromium and a server of static files, for tests of the page. Every console error and failed request is collected.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { CHROMIUM, CHROMIUM_FLAGS } from "../../tools/chromium.mjs";

export { hasChromium } from "../../tools/chromium.mjs";

export const PAGE_FOLDER = "dist/web";

const TYPES: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

/** The page, built when it is not there. */
export function buildPage(): void {
  if (!existsSync(join(PAGE_FOLDER, "index.html")))
    execFileSync("npx", ["vite", "build", "--logLevel", "error"], { stdio: "inherit" });
}

export interface OpenBrowser {
  context: BrowserContext;
  /** A new page at that address; what goes wrong in it is added to `problems`. */
  open(url: string): Promise<Page>;
  problems: string[];
  close(): Promise<void>;
}

export async function openBrowser(options: { colorScheme?: "light" | "dark" } = {}): Promise<OpenBrowser> {
  const profile = mkdtempSync(join(tmpdir(), "faultline-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args: CHROMIUM_FLAGS,
    viewport: { width: 1280, height: 720 },
    colorScheme: options.colorScheme ?? "light",
  });
  const problems: string[] = [];
  return {
    context,
    problems,
    async open(url) {
      const page = await context.newPage();
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning")
          problems.push(`${message.type()}: ${message.text()}`);
      });
      page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
      page.on("requestfailed", (request) => problems.push(`request failed: ${request.url()}`));
      page.on("request", (request) => {
        if (!/^(http:\/\/(127\.0\.0\.1|localhost)[:/]|file:|data:|blob:)/.test(request.url()))
          problems.push(`outside: ${request.url()}`);
      });
      await page.goto(url);
      return page;
    },
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** Serves the built page under a path of its own, as any server of static files would. */
export async function serveStatic(): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?")[0].replace(/^\/some\/place/, "");
    const file = join(PAGE_FOLDER, normalize(path === "/" ? "/index.html" : path));
    if (!existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" });
    response.end(readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/some/place/`, server };
}

/** Inside a describe(): a browser and the page's server for its tests, each of which must leave no problem behind. */
export function usePage(): { readonly browser: OpenBrowser; readonly url: string } {
  const use = {} as { browser: OpenBrowser; url: string };
  let server: Server | undefined;
  beforeAll(async () => {
    buildPage();
    const served = await serveStatic();
    server = served.server;
    use.url = served.url;
    use.browser = await openBrowser();
  }, 120_000);
  afterEach(() => {
    expect(use.browser.problems.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    await use.browser?.close();
    server?.close();
  });
  return use;
}

/** What the page's terminal shows. */
export async function terminalText(page: Page): Promise<string> {
  const rows = await page.locator(".xterm-rows > div").allTextContents();
  return rows.map((row) => row.replace(/\u00a0/g, " ").trimEnd()).join("\n");
}

export async function waitForTerminal(page: Page, text: string | RegExp): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const shown = await terminalText(page);
    if (typeof text === "string" ? shown.replace(/\n/g, "").includes(text) : text.test(shown)) return;
    await page.waitForTimeout(100);
  }
  throw new Error(`the terminal never showed ${text}: ${await terminalText(page)}`);
}
