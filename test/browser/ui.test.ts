// `faultline ui`: the page of a run in this Node, its address and token, who is kept out, run control through it, and its exit status.
import { type ChildProcess, spawn } from "node:child_process";
import { request } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { faultline } from "../support/built-cli.ts";
import { announceSkip } from "../support/guest.ts";
import { buildPage, hasChromium, type OpenBrowser, openBrowser, waitForTerminal } from "./browser.ts";

const skipped = announceSkip(!hasChromium, "faultline ui in a browser: needs Chromium");

interface Ui {
  process: ChildProcess;
  url: URL;
  /** Ends it by SIGINT; its exit status. */
  end(): Promise<number | null>;
}

const running: ChildProcess[] = [];

async function startUi(...args: string[]): Promise<Ui> {
  const child = spawn(process.execPath, ["dist/cli/main.js", "ui", ...args], { stdio: ["ignore", "ignore", "pipe"] });
  running.push(child);
  let errors = "";
  const url = await new Promise<URL>((resolve, reject) => {
    child.stderr!.on("data", (data: Buffer) => {
      errors += data;
      const address = /the page is at (\S+)/.exec(errors)?.[1];
      if (address !== undefined) resolve(new URL(address));
    });
    child.once("exit", (code) => reject(new Error(`ended with ${code}: ${errors}`)));
  });
  return {
    process: child,
    url,
    end: () =>
      new Promise((resolve) => {
        child.once("exit", resolve);
        child.kill("SIGINT");
      }),
  };
}

beforeAll(buildPage, 120_000);

afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
});

/** Status of a request with headers of our choice. */
function statusOf(url: URL, path: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host: url.hostname, port: url.port, path, headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
  });
}

function connects(url: URL, token: string, headers: Record<string, string> = {}): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://${url.host}/session?token=${token}`, { headers });
    socket.once("open", () => {
      socket.close();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

describe("who may see the page", () => {
  test("loopback and token; no other host name, origin, method or file", async () => {
    const ui = await startUi("--paused", "/bin/hello");
    const token = ui.url.searchParams.get("token")!;
    expect(ui.url.hostname).toBe("127.0.0.1");
    expect(token.length).toBeGreaterThanOrEqual(24);
    expect(await statusOf(ui.url, `/?token=${token}`)).toBe(200);
    expect(await statusOf(ui.url, "/")).toBe(403);
    expect(await statusOf(ui.url, `/?token=${token.slice(1)}x`)).toBe(403);
    expect(await statusOf(ui.url, `/?token=${token}`, { Host: "evil.example" })).toBe(403);
    expect(await statusOf(ui.url, `/?token=${token}`, { Origin: "http://evil.example" })).toBe(403);
    for (const path of ["/../package.json", "/%2e%2e/package.json", "/..%2fpackage.json", "/assets/../../cli/main.js"])
      expect(await statusOf(ui.url, path), path).toBe(404);
    expect(await connects(ui.url, token)).toBe(true);
    expect(await connects(ui.url, "wrong")).toBe(false);
    expect(await connects(ui.url, token, { Origin: "http://evil.example" })).toBe(false);
    expect(await ui.end()).toBe(130);
  });

  test("nonsense on the socket closes it, not the session", async () => {
    const ui = await startUi("--paused", "/bin/hello");
    const token = ui.url.searchParams.get("token")!;
    for (const junk of [
      new Uint8Array(3),
      new Uint8Array([255, 255, 255, 255, 1]),
      new TextEncoder().encode("hello there"),
    ]) {
      const code = await new Promise<number>((resolve) => {
        const socket = new WebSocket(`ws://${ui.url.host}/session?token=${token}`);
        socket.once("open", () => socket.send(junk));
        socket.once("close", resolve);
      });
      expect(code).toBe(1007);
    }
    expect(await connects(ui.url, token)).toBe(true);
    expect(await ui.end()).toBe(130);
  });
});

describe("the command line", () => {
  test("mistakes end it as they end run", () => {
    expect(faultline(["ui", "/bin/nothing"])).toMatchObject({ status: 127, stdout: "" });
    expect(faultline(["ui", "--port", "99999", "/bin/hello"])).toMatchObject({ status: 2 });
    expect(faultline(["ui", "--memory", "x", "/bin/hello"]).status).toBe(2);
    expect(faultline(["ui"]).status).toBe(2);
  });
});

describe.skipIf(skipped)("in a browser", () => {
  let browser: OpenBrowser;
  beforeAll(async () => {
    browser = await openBrowser({ colorScheme: "dark" });
  }, 60_000);
  afterAll(() => browser?.close());

  test("a paused run: to a system call, on to the end; the exit status is the program's", async () => {
    const ui = await startUi("--paused", "--memory", "8M", "/bin/truths", "nonsense");
    const page = await browser.open(ui.url.href);
    await expect.poll(() => page.getByTestId("state").textContent()).toBe("paused");
    await page.getByLabel("Run to", { exact: true }).selectOption("syscall");
    await page.getByLabel("What to run to").fill("write");
    await page.getByTestId("run-to").click();
    await page.getByRole("tab", { name: "Fault" }).click();
    await expect.poll(() => page.getByTestId("stop").textContent()).toContain("write(0x1");
    await page.getByTestId("run").click();
    await waitForTerminal(page, "usage: truths");
    await expect.poll(() => page.getByTestId("state").textContent()).toBe("ended with 2");
    // A page that comes later sees the same.
    const second = await browser.open(ui.url.href);
    await waitForTerminal(second, "usage: truths");
    expect(await ui.end()).toBe(2);
    await expect.poll(() => page.getByTestId("failure").textContent()).toContain("faultline ui has ended");
    await page.close();
    await second.close();
    expect(browser.problems.splice(0).filter((problem) => !problem.includes("WebSocket"))).toEqual([]);
  });

  test("keys go to the program, pause and refusals work", async () => {
    const ui = await startUi("--memory", "8M", "/bin/pages", "map:a:16", "wait", "write:a:all", "wait");
    const page = await browser.open(ui.url.href);
    await waitForTerminal(page, "Enter goes on");
    await page.getByTestId("terminal").click();
    await page.keyboard.press("Enter");
    await waitForTerminal(page, "write a all: 16 minor faults");
    await page.getByLabel("Pages of the address space").focus();
    await page.keyboard.press("r");
    await expect.poll(() => page.getByTestId("state").textContent()).toBe("paused");
    await page.getByLabel("Run to", { exact: true }).selectOption("syscall");
    await page.getByLabel("What to run to").fill("nonsense");
    await page.getByTestId("run-to").click();
    await expect.poll(() => page.getByTestId("failure").textContent()).toContain('there is no system call "nonsense"');
    await page.close();
    expect(await ui.end()).toBe(130);
    expect(browser.problems.splice(0)).toEqual([]);
  });
});
