// Where the page makes its own machine: choose a bundled program or drop an ELF file or a root archive, and start.
import { useState } from "preact/hooks";
import type { DroppedFile, LaunchRequest } from "../../session/protocol.ts";
import { launch } from "../client.ts";
import { Dialog } from "../dialog.tsx";
import * as state from "../state.ts";

const EXAMPLES = [
  {
    label: "Copy-on-write after fork",
    command: "/bin/pages map:a:64 write:a:all fork write:a:0-31:c state:a end state:a wait write:a:all:p state:a wait",
  },
  {
    label: "Demand-zero pages",
    command: "/bin/pages map:a:256 wait read:a:0-127 wait write:a:0-255/2 state:a usage:a wait",
  },
  {
    label: "A file, private and shared",
    command:
      "/bin/pages file:/tmp/f:32 map:p:32:private:rw:/tmp/f map:s:32:shared:rw:/tmp/f wait write:p:0-7:x write:s:8-15:y show:p show:s wait",
  },
  { label: "More than fits: swap", command: "/bin/pages map:a:6000 write:a:all wait read:a:all wait" },
  { label: "A shared library", command: "/bin/sharer" },
] as const;

const DEFAULTS = { memory: "16M", swap: "64M", policy: "two-list", seed: 1 };

/** What a file that is dropped on the page starts. */
export function droppedLaunch(file: DroppedFile): LaunchRequest {
  const isElf = file.bytes[0] === 0x7f && file.bytes[1] === 0x45;
  return { ...DEFAULTS, memory: "64M", command: [isElf ? `/${file.name}` : "/bin/sh"], paused: false, file };
}

/** Words as a shell splits them, quotes included. */
function words(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) => double ?? single ?? bare);
}

/** Something must run before the dialog can be left. */
const close = () => {
  if (state.started.value !== null) state.launchShown.value = false;
};

export function LaunchDialog() {
  const [command, setCommand] = useState<string>(EXAMPLES[0].command);
  const [memory, setMemory] = useState(DEFAULTS.memory);
  const [swap, setSwap] = useState(DEFAULTS.swap);
  const [policy, setPolicy] = useState(DEFAULTS.policy);
  const [paused, setPaused] = useState(false);
  const [file, setFile] = useState<DroppedFile | null>(null);
  const start = (event: Event) => {
    event.preventDefault();
    state.launchShown.value = false;
    launch({ command: words(command), memory, swap, policy, seed: 1, paused, file });
  };
  const take = async (chosen: File | undefined) => {
    if (chosen === undefined) return;
    const dropped = { name: chosen.name, bytes: new Uint8Array(await chosen.arrayBuffer()) };
    setFile(dropped);
    setCommand(droppedLaunch(dropped).command.join(" "));
    setMemory("64M");
  };
  return (
    <Dialog label="Run a program" onClose={close}>
      <form onSubmit={start} data-testid="launch">
        <h2>Run a program</h2>
        <p class="hint">
          The machine runs in this page: nothing is sent anywhere. Choose an example, or drop a riscv64 Linux program or
          a root archive (.tar, .tar.gz, .tar.xz, .tar.zst) on the page.
        </p>
        <div class="examples">
          {EXAMPLES.map((example) => (
            <button
              type="button"
              key={example.label}
              aria-pressed={command === example.command}
              onClick={() => {
                setCommand(example.command);
                setFile(null);
              }}
            >
              {example.label}
            </button>
          ))}
        </div>
        <label>
          File
          <input type="file" data-testid="file" onChange={(event) => void take(event.currentTarget.files?.[0])} />
        </label>
        <label>
          Command
          <input
            value={command}
            data-testid="command"
            onInput={(event) => setCommand(event.currentTarget.value)}
            required
          />
        </label>
        <div class="row-of-fields">
          <label>
            Memory
            <input size={6} value={memory} onInput={(event) => setMemory(event.currentTarget.value)} />
          </label>
          <label>
            Swap
            <input size={6} value={swap} onInput={(event) => setSwap(event.currentTarget.value)} />
          </label>
          <label>
            Policy
            <input size={10} value={policy} list="policies" onInput={(event) => setPolicy(event.currentTarget.value)} />
          </label>
          <label class="check">
            <input type="checkbox" checked={paused} onChange={(event) => setPaused(event.currentTarget.checked)} />
            paused
          </label>
        </div>
        <datalist id="policies">
          {["two-list", "clock", "fifo", "lru", "sieve", "s3-fifo", "arc", "lirs", "clock-pro", "mglru", "random"].map(
            (name) => (
              <option key={name} value={name} />
            ),
          )}
        </datalist>
        <div class="group end">
          {state.started.value !== null && (
            <button type="button" onClick={close}>
              Cancel
            </button>
          )}
          <button type="submit" class="primary" data-testid="start">
            Start
          </button>
        </div>
        {state.failure.value && <output class="failure">{state.failure.value}</output>}
      </form>
    </Dialog>
  );
}
