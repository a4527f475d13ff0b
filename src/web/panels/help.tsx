// The keys, and what the page shows.
import { Dialog } from "../dialog.tsx";
import * as state from "../state.ts";

const KEYS = [
  ["r", "run or pause"],
  ["i  f  s", "on by one instruction, fault, system call"],
  ["I  F  S", "back by one instruction, fault, system call"],
  ["1 … 5", "page, fault, objects, swap, TLB"],
  ["+  −", "nearer, further away"],
  ["← → ↑ ↓", "in a grid, a list or the tabs: the next one"],
  ["Tab  Enter", "the next control, choose it"],
  ["c", "into the terminal; Shift+Esc leads out of it"],
  ["t", "dark or light"],
  ["?  Esc", "this page, and back"],
] as const;

const close = () => {
  state.helpShown.value = false;
};

export function Help() {
  return (
    <Dialog label="Help" onClose={close}>
      <h2>Keys</h2>
      <dl class="keys">
        {KEYS.map(([keys, about]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{about}</dd>
          </div>
        ))}
      </dl>
      <h2>What is shown</h2>
      <p>
        Every cell of the address space is a page, every cell of physical memory a frame of 4 KiB. What you choose in
        one view is marked in all others. A run is reproducible: step back, drag the moment at the top, or run again,
        and see the same.
      </p>
      <div class="group end">
        <button type="button" class="primary" onClick={close}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
