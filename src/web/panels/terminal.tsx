// The program's terminal.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import { useEffect, useRef } from "preact/hooks";
import { onTerminal, send } from "../client.ts";
import * as state from "../state.ts";

const THEMES = {
  light: { background: "#ffffff", foreground: "#1a1d21", cursor: "#0072b2", selectionBackground: "#bcd9ef" },
  dark: { background: "#15181d", foreground: "#e6e8eb", cursor: "#63bdf0", selectionBackground: "#2c4a63" },
};

export function TerminalPanel() {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const terminal = new Terminal({
      fontFamily: "ui-monospace, 'DejaVu Sans Mono', monospace",
      fontSize: 13,
      theme: THEMES[state.theme.value],
      scrollback: 5000,
      cursorBlink: false,
    });
    const fit = new FitAddon();
    terminal.loadAddon(fit);
    terminal.open(place.current!);
    // Tab belongs to the program: who goes through the page by Tab passes the terminal by, and who is in it needs another way out.
    if (terminal.textarea !== undefined) terminal.textarea.tabIndex = -1;
    terminal.attachCustomKeyEventHandler((event) => {
      if (event.key !== "Escape" || !event.shiftKey) return true;
      if (event.type === "keydown") document.querySelector<HTMLElement>("[data-testid=run]")?.focus();
      return false;
    });
    terminal.onData((text) => send({ type: "input", text }));
    terminal.onResize(({ cols, rows }) => send({ type: "resize", columns: cols, rows }));
    const observer = new ResizeObserver(() => fit.fit());
    observer.observe(place.current!);
    onTerminal((bytes) => {
      if (bytes === null) terminal.reset();
      else terminal.write(bytes);
    });
    const unsubscribe = state.theme.subscribe((theme) => {
      terminal.options.theme = THEMES[theme];
    });
    // A program that starts is told the size.
    const unsubscribeStarted = state.started.subscribe((started) => {
      if (started !== null) send({ type: "resize", columns: terminal.cols, rows: terminal.rows });
    });
    return () => {
      unsubscribe();
      unsubscribeStarted();
      observer.disconnect();
      terminal.dispose();
    };
  }, []);
  return (
    <section class="panel terminal" aria-label="Terminal">
      <h2>
        Terminal
        <span class="dim">Shift+Esc leads out</span>
      </h2>
      <div ref={place} class="screen" data-testid="terminal" />
    </section>
  );
}
