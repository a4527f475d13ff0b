// Shows how an install goes: one line rewritten in place on a terminal, a line now and then elsewhere. Writes to stderr only.

export interface Output {
  write(text: string): void;
  isTTY: boolean;
  columns: number;
}

const TTY_INTERVAL_MS = 100;
const PLAIN_INTERVAL_MS = 5000;

export class Progress {
  private readonly output: Output;
  private readonly now: () => number;
  private readonly quiet: boolean;
  private packages = 0;
  private donePackages = 0;
  private downloadBytes = 0;
  private doneBytes = 0;
  private current = "";
  private lastShownMs = Number.NEGATIVE_INFINITY;
  private startMs = 0;
  private isLineOpen = false;

  constructor(output: Output, now: () => number, quiet = false) {
    this.output = output;
    this.now = now;
    this.quiet = quiet;
  }

  /** What is going to happen: packages to unpack, bytes to download for them (without what the cache holds). */
  plan(packages: number, downloadBytes: number): void {
    this.packages = packages;
    this.downloadBytes = downloadBytes;
    this.doneBytes = 0;
    this.startMs = this.now();
    this.lastShownMs = this.startMs;
  }

  received(count: number): void {
    this.doneBytes += count;
    this.show(false);
  }

  unpacking(name: string): void {
    this.current = name;
    this.show(false);
  }

  unpacked(): void {
    this.donePackages++;
    this.show(false);
  }

  /** A sentence that stays. */
  say(sentence: string): void {
    this.clear();
    this.output.write(`faultline install: ${sentence}\n`);
  }

  /** A step without numbers, shown on terminals only. */
  step(sentence: string): void {
    this.current = sentence;
    if (!this.output.isTTY || this.quiet) return;
    this.clear();
    this.output.write(this.fit(sentence));
    this.isLineOpen = true;
  }

  finish(): void {
    this.clear();
  }

  private show(force: boolean): void {
    if (this.packages === 0 || this.quiet) return;
    const now = this.now();
    const interval = this.output.isTTY ? TTY_INTERVAL_MS : PLAIN_INTERVAL_MS;
    if (!force && now - this.lastShownMs < interval) return;
    this.lastShownMs = now;
    const seconds = (now - this.startMs) / 1000;
    const rate = seconds > 0.5 && this.doneBytes > 0 ? `, ${formatBytes(this.doneBytes / seconds)}/s` : "";
    const bytes =
      this.downloadBytes > 0 ? `, ${formatBytes(this.doneBytes)} of ${formatBytes(this.downloadBytes)}${rate}` : "";
    const line = `${this.donePackages}/${this.packages} packages${bytes}${this.current ? `  ${this.current}` : ""}`;
    if (this.output.isTTY) {
      this.output.write(`\r\x1b[K${this.fit(line)}`);
      this.isLineOpen = true;
    } else this.output.write(`faultline install: ${line}\n`);
  }

  private fit(line: string): string {
    const width = Math.max(20, (this.output.columns || 80) - 1);
    return line.length > width ? `${line.slice(0, width - 1)}…` : line;
  }

  private clear(): void {
    if (!this.isLineOpen) return;
    this.output.write("\r\x1b[K");
    this.isLineOpen = false;
  }
}

/** Decimal units, three digits: 950 B, 12.3 MB. */
export function formatBytes(count: number): string {
  if (count < 1000) return `${Math.round(count)} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = count;
  let unit = -1;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
