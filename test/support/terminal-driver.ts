// Drives a program on a pseudo-terminal of the host (python3's pty) with a terminal emulator for its screen: types keys, waits for
// what the screen shows, resizes, signals, hangs up.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import xterm from "@xterm/headless";

export const hasPython = spawnSync("python3", ["-c", "import pty, termios"]).status === 0;

const PATIENCE_MS = 30_000;

export interface Ending {
  code: number | null;
  signal: number | null;
}

interface Event {
  output?: string;
  attributes?: number[];
  stopped?: boolean;
  ended?: number;
}

export class TerminalDriver {
  /** The terminal's modes as they were last told: at the start, when asked, and at the end. */
  attributes: number[] = [];
  ending: Ending | null = null;
  private readonly emulator: xterm.Terminal;
  private readonly child: ChildProcess;
  private isStopped = false;
  private told = 0;
  private wake: () => void = () => {};

  constructor(command: readonly string[], rows = 24, columns = 80, env: Record<string, string> = {}) {
    this.emulator = new xterm.Terminal({ rows, cols: columns, allowProposedApi: true, scrollback: 1000 });
    // What a terminal answers by itself: its kind, where the cursor is.
    this.emulator.onData((answer) => this.type(answer));
    this.child = spawn("python3", ["test/support/pty-driver.py", `${rows}`, `${columns}`, ...command], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, TERM: "xterm-256color", ...env },
    });
    this.child.stdin!.on("error", () => {});
    let rest = "";
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.take(JSON.parse(line));
      this.wake();
    });
  }

  private take(event: Event): void {
    if (event.output !== undefined) {
      const bytes = Buffer.from(event.output, "latin1");
      this.emulator.write(bytes, () => this.wake());
    }
    if (event.attributes !== undefined) {
      this.attributes = event.attributes;
      this.told++;
    }
    if (event.stopped !== undefined) this.isStopped = event.stopped;
    if (event.ended !== undefined) {
      const signal = event.ended & 0x7f;
      this.ending = signal === 0 ? { code: event.ended >> 8, signal: null } : { code: null, signal };
    }
  }

  private order(order: object): void {
    this.child.stdin!.write(`${JSON.stringify(order)}\n`);
  }

  type(keys: string): void {
    this.order({ write: Buffer.from(keys, "utf8").toString("latin1") });
  }

  resize(rows: number, columns: number): void {
    this.emulator.resize(columns, rows);
    this.order({ resize: [rows, columns] });
  }

  /** Sends a signal to the program. */
  signal(number: number): void {
    this.order({ signal: number });
  }

  /** Closes the terminal's other side, as a terminal window that is closed does. */
  hangUp(): void {
    this.order({ hangup: true });
  }

  async askAttributes(): Promise<number[]> {
    const before = this.told;
    this.order({ attributes: true });
    await this.until(() => this.told > before, "the terminal's attributes");
    return this.attributes;
  }

  /** The lines of the screen, without blanks at their ends. */
  screen(): string[] {
    const buffer = this.emulator.buffer.active;
    return Array.from({ length: this.emulator.rows }, (_, row) =>
      (buffer.getLine(buffer.baseY + row)?.translateToString(true) ?? "").trimEnd(),
    );
  }

  get cursor(): { row: number; column: number } {
    const { cursorY, cursorX } = this.emulator.buffer.active;
    return { row: cursorY, column: cursorX };
  }

  /** Full-screen programs draw on the other screen and leave the first as it was. */
  get onAlternateScreen(): boolean {
    return this.emulator.buffer.active.type === "alternate";
  }

  /** How the character at this place is drawn. */
  styleAt(row: number, column: number): { inverse: boolean; bold: boolean; colour: number } {
    const buffer = this.emulator.buffer.active;
    const cell = buffer.getLine(buffer.baseY + row)!.getCell(column)!;
    return { inverse: cell.isInverse() !== 0, bold: cell.isBold() !== 0, colour: cell.getFgColor() };
  }

  private async until(done: () => boolean, what: string, milliseconds = PATIENCE_MS): Promise<void> {
    const deadline = Date.now() + milliseconds;
    while (!done()) {
      const left = deadline - Date.now();
      if (left <= 0 || this.ending !== null) {
        // The emulator draws a moment later.
        await new Promise((resolve) => setTimeout(resolve, 50));
        if (done()) return;
        throw new Error(
          `${what} did not come${this.ending ? ` before the end (${JSON.stringify(this.ending)})` : ""}; the screen:\n${this.screen().join("\n")}`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Waits until the screen looks so: a text anywhere, a pattern over all its lines, or a question to its lines. */
  async shows(what: string | RegExp | ((lines: string[]) => boolean), milliseconds?: number): Promise<string[]> {
    const matches = () => {
      const lines = this.screen();
      if (typeof what === "function") return what(lines);
      return typeof what === "string" ? lines.join("\n").includes(what) : what.test(lines.join("\n"));
    };
    await this.until(matches, `a screen with ${what}`, milliseconds);
    return this.screen();
  }

  /** Waits until a signal stopped the program. */
  stopped(): Promise<void> {
    return this.until(() => this.isStopped, "the stop");
  }

  /** Waits until it goes on. */
  continued(): Promise<void> {
    return this.until(() => !this.isStopped, "the continuation");
  }

  async ended(milliseconds?: number): Promise<Ending> {
    await this.until(() => this.ending !== null, "the end", milliseconds);
    return this.ending!;
  }

  close(): void {
    this.child.stdin!.end();
    this.emulator.dispose();
  }
}
