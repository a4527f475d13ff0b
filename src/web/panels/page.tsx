// The selected page: the walk of the page table level by level with the entry's bits, and its frame with everybody who maps it.
import type { PageWalk, PteBits, WalkLevel } from "../../machine/inspect/index.ts";
import { bytes, hex, shortName } from "../../view/format.ts";
import { selectObject, selectPage } from "../client.ts";
import * as state from "../state.ts";

export function PagePanel() {
  const { pid, vpn, pfn } = state.selection.value;
  if (vpn === null && pfn === null)
    return (
      <p class="hint">
        Choose a page of the address space or a frame of memory: here is how its address is translated.
      </p>
    );
  return (
    <>
      {vpn !== null && pid !== null && <PageHead pid={pid} vpn={vpn} />}
      {vpn !== null && state.walk.value && <Walk walk={state.walk.value} />}
      <Frame />
    </>
  );
}

function PageHead({ pid, vpn }: { pid: number; vpn: number }) {
  const address = vpn * 4096;
  const area = state.look.value?.answer.areas?.find(
    (candidate) => address >= candidate.start && address < candidate.end,
  );
  return (
    <>
      <h3 data-testid="selected-page">
        Page {hex(vpn)} of process {pid}
      </h3>
      <dl>
        <dt>address</dt>
        <dd>
          <code>{hex(address, 10)}</code>
        </dd>
        <dt>area</dt>
        <dd>
          {area === undefined ? (
            "none: an access ends with SIGSEGV"
          ) : (
            <>
              <b>{area.name || "anonymous"}</b> <code>{area.permissions}</code> page {(address - area.start) / 4096} of{" "}
              {area.pages}
              {area.objectId !== null && (
                <>
                  {" "}
                  · {area.shared ? "shared" : "private"} view of{" "}
                  <button type="button" class="link" onClick={() => showObject(area.objectId)}>
                    object {area.objectId}
                  </button>
                </>
              )}
            </>
          )}
        </dd>
      </dl>
    </>
  );
}

function showObject(id: number | null): void {
  state.tab.value = "objects";
  selectObject(id);
}

const LEVEL_NAMES = ["leaf table", "second table", "root table"];

function Walk({ walk }: { walk: PageWalk }) {
  return (
    <>
      <h4>Walk</h4>
      <ol class="walk" data-testid="walk">
        {walk.levels.map((level) => (
          <Level key={level.level} level={level} />
        ))}
      </ol>
      <p class="result">
        {walk.physicalAddress === null ? (
          "The walk ends without a page: an access faults."
        ) : (
          <>
            physical address <code>{hex(walk.physicalAddress)}</code> = frame {Math.floor(walk.physicalAddress / 4096)},
            offset <code>{hex(walk.offset)}</code>
          </>
        )}
      </p>
    </>
  );
}

const BITS: readonly [keyof PteBits, string, string][] = [
  ["dirty", "D", "dirty: stored into"],
  ["accessed", "A", "accessed"],
  ["global", "G", "global; here: resident but PROT_NONE"],
  ["user", "U", "user mode may use it"],
  ["execute", "X", "execute"],
  ["write", "W", "write"],
  ["read", "R", "read"],
  ["valid", "V", "valid"],
];

function Level({ level }: { level: WalkLevel }) {
  const points = {
    none: "nothing there",
    table: `→ table in frame ${level.pfn}`,
    page: `→ frame ${level.pfn}`,
    "zero-page": `→ the frame of zeros, ${level.pfn}`,
    "no-access": `frame ${level.pfn}, but no access`,
    swap: `in swap slot ${level.slot}`,
  }[level.kind];
  return (
    <li>
      <div class="level">
        <b>{LEVEL_NAMES[level.level]}</b>
        <span class="dim">
          frame {level.tableFrame}, entry {level.index}
        </span>
      </div>
      <div class="level">
        <code title={`at physical address ${hex(level.pteAddress)}`}>{hex(level.value, 8)}</code>
        <span class="bits">
          {BITS.map(([name, letter, about]) => (
            <abbr key={letter} title={about} class={level.bits[name] ? "on" : "off"}>
              {level.bits[name] ? letter : "·"}
            </abbr>
          ))}
        </span>
        <span>{points}</span>
      </div>
    </li>
  );
}

function Frame() {
  const frame = state.frame.value;
  if (frame === null) return null;
  const processes = new Map(state.look.value?.answer.processes?.map(({ pid, name }) => [pid, name]) ?? []);
  return (
    <>
      <h4 data-testid="frame">Frame {frame.pfn}</h4>
      <dl>
        <dt>holds</dt>
        <dd>
          {frame.kind}
          {frame.dirty && ", dirty"}
          {frame.locked && ", locked"}
          {frame.inSwapCache && ", also in swap"}
          {frame.object !== null && (
            <>
              : page {frame.object.pageIndex} of{" "}
              <button type="button" class="link" onClick={() => showObject(frame.object!.id)}>
                {shortName(frame.object.name) || "shared memory"}
              </button>
            </>
          )}
        </dd>
        <dt>mapped</dt>
        <dd>
          {frame.mappings.length === 0
            ? "by nobody"
            : frame.mappings.length === 1
              ? "once"
              : `${frame.mappings.length} times`}
        </dd>
      </dl>
      <ul class="mappings" data-testid="mappings">
        {frame.mappings.map(({ pid, address }) => (
          <li key={`${pid}:${address}`}>
            <button type="button" class="link" onClick={() => selectPage(pid, address / 4096)}>
              {pid} {processes.get(pid)} at {hex(address, 10)}
            </button>
          </li>
        ))}
      </ul>
      {frame.mappings.length > 1 && (
        <p class="hint">
          One frame, {frame.mappings.length} mappings: {bytes((frame.mappings.length - 1) * 4096)} saved.
        </p>
      )}
    </>
  );
}
