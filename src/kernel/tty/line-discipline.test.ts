// Keys and what they make of the line and the screen. The expected bytes were read from a pseudo-terminal of Linux 6.18.
import { expect, test } from "vitest";
import { SIGINT, SIGTSTP } from "../../abi/signal.ts";
import * as T from "../../abi/termios.ts";
import { LineDiscipline, type LineHost } from "./line-discipline.ts";
import { Termios } from "./termios.ts";

class Screen implements LineHost {
  readonly termios = new Termios();
  readonly discipline = new LineDiscipline(this);
  shown = "";
  signals: number[] = [];
  readyCount = 0;
  stopped = false;

  emit(byte: number): void {
    this.shown += String.fromCharCode(byte);
  }
  raise(signal: number): void {
    this.signals.push(signal);
  }
  inputReady(): void {
    this.readyCount++;
  }
  flushOutput(): void {
    this.shown = "";
  }
  inputFlushed(): void {}
  setStopped(stopped: boolean): void {
    this.stopped = stopped;
  }

  type(text: string): number {
    return this.discipline.receive(Uint8Array.from(text, (c) => c.charCodeAt(0)));
  }
  read(limit = 100): string {
    const bytes = new Uint8Array(limit);
    return String.fromCharCode(...bytes.subarray(0, this.discipline.read(bytes, limit)));
  }
  take(): string {
    const { shown } = this;
    this.shown = "";
    return shown;
  }
}

test.each([
  ["plain", "hello\n", "hello\n", "hello\r\n"],
  ["erase", "ab\x7fc\n", "ac\n", "ab\b \bc\r\n"],
  ["word", "one two\x17three\n", "one three\n", "one two\b \b\b \b\b \bthree\r\n"],
  ["kill", "junk\x15ok\n", "ok\n", "junk\b \b\b \b\b \b\b \bok\r\n"],
  ["tab", "a\tb\x7f\x7fz\n", "az\n", "a\tb\b \b\b\b\b\b\b\b\bz\r\n"],
  ["literal", "x\x16\x03y\n", "x\x03y\n", "x^\b^Cy\r\n"],
  ["reprint", "re\x12print\n", "reprint\n", "re^R\r\nreprint\r\n"],
  ["control", "ctl\x01\x7f\x02\n", "ctl\x02\n", "ctl^A\b \b\b \b^B\r\n"],
  ["return", "cr\r", "cr\n", "cr\r\n"],
])("canonical editing: %s", (_name, typed, line, shown) => {
  const screen = new Screen();
  screen.type(typed);
  expect(screen.read()).toBe(line);
  expect(screen.take()).toBe(shown);
});

test("end of file ends a line without being part of it", () => {
  const screen = new Screen();
  screen.type("eof\x04\x04next\n");
  expect(screen.read()).toBe("eof");
  expect(screen.discipline.readableBytes).toBeGreaterThan(0);
  expect(screen.read()).toBe("");
  expect(screen.read(2)).toBe("ne");
  expect(screen.read()).toBe("xt\n");
  expect(screen.discipline.readableBytes).toBe(0);
});

test("a read of exactly the bytes before an end of file swallows it", () => {
  const screen = new Screen();
  screen.type("abc\x04d\n");
  expect(screen.read(3)).toBe("abc");
  expect(screen.read()).toBe("d\n");
});

test("signals flush input and output unless NOFLSH is set", () => {
  const screen = new Screen();
  screen.type("half\x03");
  expect(screen.signals).toEqual([SIGINT]);
  expect(screen.take()).toBe("^C");
  screen.type("x\n");
  expect(screen.read()).toBe("x\n");
  screen.termios.lflag |= T.NOFLSH;
  screen.take();
  screen.type("kept\x1a\n");
  expect(screen.signals).toEqual([SIGINT, SIGTSTP]);
  expect(screen.read()).toBe("kept\n");
});

test("an unfinished line holds 4095 bytes; its end always fits", () => {
  const screen = new Screen();
  screen.termios.lflag &= ~T.ECHO;
  expect(screen.type("a".repeat(5000))).toBe(5000);
  screen.type("\n");
  const line = screen.read(10000);
  expect(line.length).toBe(4096);
  expect(line.endsWith("a\n")).toBe(true);
});

test("raw mode passes everything and stops accepting at 4095 bytes", () => {
  const screen = new Screen();
  screen.termios.lflag = 0;
  screen.termios.iflag = 0;
  screen.termios.oflag = 0;
  screen.discipline.settingsChanged(true);
  expect(screen.type("\x03\x04\r\n\x7f")).toBe(5);
  expect(screen.read()).toBe("\x03\x04\r\n\x7f");
  expect(screen.signals).toEqual([]);
  expect(screen.type("b".repeat(5000))).toBe(4095);
  expect(screen.discipline.room).toBe(0);
});

test("typed but unfinished input becomes readable when canonical mode ends", () => {
  const screen = new Screen();
  screen.type("part");
  expect(screen.discipline.readableBytes).toBe(0);
  screen.termios.lflag &= ~T.ICANON;
  screen.discipline.settingsChanged(true);
  expect(screen.read()).toBe("part");
});

test("VMIN without VTIME decides about readiness", () => {
  const screen = new Screen();
  screen.termios.lflag &= ~T.ICANON;
  screen.termios.cc[T.VMIN] = 3;
  screen.type("ab");
  expect(screen.discipline.pollReadable).toBe(false);
  screen.type("c");
  expect(screen.discipline.pollReadable).toBe(true);
});

test("flow control keys stop and start, and are not input", () => {
  const screen = new Screen();
  screen.type("\x13");
  expect(screen.stopped).toBe(true);
  screen.type("\x11ok\n");
  expect(screen.stopped).toBe(false);
  expect(screen.read()).toBe("ok\n");
});

test("UTF-8 characters are erased whole under IUTF8", () => {
  const screen = new Screen();
  screen.termios.iflag |= T.IUTF8;
  screen.type("a\xc3\xa4\x7fb\n");
  expect(screen.read()).toBe("ab\n");
  expect(screen.take()).toBe("a\xc3\xa4\b \bb\r\n");
});

test("output processing: newline, tabs as spaces, carriage return", () => {
  const screen = new Screen();
  for (const c of "a\nb") screen.discipline.output(c.charCodeAt(0));
  expect(screen.take()).toBe("a\r\nb");
  screen.termios.oflag |= T.XTABS;
  screen.discipline.output(9);
  expect(screen.take()).toBe("       ");
});
