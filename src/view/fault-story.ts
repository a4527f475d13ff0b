// Tells a recorded fault in the words of a textbook: a title and one sentence per step, from the address to the instruction that runs
// again. Pure: says only what the record holds.
import type { FaultRecord, VictimRecord } from "../machine/control/fault-record.ts";
import type { DecodedPte, PageWalk } from "../machine/inspect/page-walk.ts";

export type StoryStepName =
  /** Who touched what. */
  | "access"
  /** The address, cut into table indices and offset. */
  | "address"
  /** What the walk of the page table found. */
  | "translation"
  | "area"
  | "object"
  /** What had to go so that a frame was free. */
  | "victim"
  | "frame"
  /** What is in the frame now, and where it came from. */
  | "contents"
  /** The page-table entry before and after. */
  | "entry"
  /** Minor, major or a signal; counters. */
  | "outcome"
  | "restart";

export interface StoryStep {
  step: StoryStepName;
  text: string;
}

export interface FaultStory {
  /** Row of the fault table, as FaultRecord.row. */
  row: number;
  title: string;
  steps: StoryStep[];
}

const TITLES: readonly string[] = [
  "A fault that could not be served",
  "An address outside every area",
  "An access that the area does not permit",
  "First read of anonymous memory: the shared frame of zeros",
  "Demand-zero: first write to anonymous memory",
  "A page that is in the page cache already",
  "Page-in: a page that has to be read first",
  "First write to a private page of a file: a copy of its own",
  "Copy-on-write",
  "First write to a page of a shared area",
  "Swap-in",
  "Beyond the end of the object",
  "A stale translation",
];

/** Victims told one by one; more are counted. */
const MOST_VICTIMS = 4;

const hex = (value: number) => `0x${value.toString(16)}`;
const VERBS = { read: "reads", write: "writes", execute: "fetches an instruction" } as const;
const NOUNS = { read: "reading", write: "writing", execute: "execution" } as const;

export function tellFault(record: FaultRecord): FaultStory {
  const steps: StoryStep[] = [];
  const say = (step: StoryStepName, text: string): void => {
    if (text !== "") steps.push({ step, text });
  };
  say("access", access(record));
  say("address", address(record));
  say("translation", translation(record));
  say("area", area(record));
  say("object", object(record));
  for (const text of victims(record.victims)) say("victim", text);
  say("frame", frame(record));
  say("contents", contents(record));
  say("entry", entry(record));
  say("outcome", outcome(record));
  say("restart", restart(record));
  return { row: record.row, title: title(record), steps };
}

function title({ row, copiedFrom, grownPages, kind }: FaultRecord): string {
  if (row === 8 && copiedFrom === 0) return "Write to a page that nobody shares any more";
  if (row === 0) return kind === "out-of-memory" ? "Out of memory" : "The device failed";
  return grownPages > 0 ? `The stack grows. ${TITLES[row]}` : TITLES[row];
}

function place({ pc, symbol }: FaultRecord): string {
  if (symbol === null) return hex(pc);
  const name = symbol.name === "" ? "" : symbol.offset === 0 ? symbol.name : `${symbol.name}+${hex(symbol.offset)}`;
  const where = [name, symbol.file].filter((part) => part !== "").join(" in ");
  return where === "" ? hex(pc) : `${hex(pc)} (${where})`;
}

function access(record: FaultRecord): string {
  const { syscall, pid, process } = record;
  const verb = VERBS[record.access];
  const at = record.access === "execute" ? "at" : record.access === "read" ? "from" : "to";
  const who = `process ${pid} (${process})`;
  if (syscall !== null)
    return `While serving ${syscall}() for ${who}, the kernel ${verb} ${at} ${hex(record.address)}.`;
  return `The instruction at ${place(record)} of ${who} ${verb} ${at} ${hex(record.address)}.`;
}

function address({ address: at, vpn, walk }: FaultRecord): string {
  const indices = [18, 9, 0].map((shift) => Math.floor(vpn / 2 ** shift) % 512).join(", ");
  return `${hex(at)} is byte ${walk.offset} of page ${hex(vpn)}, whose indices in the three page-table levels are ${indices}.`;
}

function permissions({ bits }: DecodedPte): string {
  const may = [bits.read && "readable", bits.write && "writable", bits.execute && "executable"].filter(Boolean);
  return may.length === 0 ? "without any permission" : may.join(", ");
}

function translation({ walk }: FaultRecord): string {
  const last = walk.levels[walk.levels.length - 1];
  const start = `The walk starts at the root table in frame ${walk.levels[0].tableFrame} and ends at level ${last.level}`;
  const here = `the entry at physical address ${hex(last.pteAddress)}`;
  switch (last.kind) {
    case "none":
      if (last.level > 0) return `${start}: ${here} is empty, there is no page table for this region yet.`;
      return `${start}: ${here} is empty, the page is not mapped.`;
    case "swap":
      return `${start}: ${here} is not valid; it says that the page is in swap slot ${last.slot}.`;
    case "zero-page":
      return `${start}: ${here} names the shared frame of zeros (${last.pfn}), read-only.`;
    case "no-access":
      return `${start}: ${here} keeps frame ${last.pfn}, but is not valid: no access is allowed.`;
    default:
      return `${start}: ${here} names frame ${last.pfn}, ${permissions(last)}${last.bits.write ? "" : ", not writable"}.`;
  }
}

function area(record: FaultRecord): string {
  const { area: found, grownPages } = record;
  if (found === null) return `No area contains ${hex(record.address)}: nothing was ever mapped there, or not any more.`;
  const name = found.name === "" ? "" : ` ${found.name}`;
  const text = `${hex(found.start)}-${hex(found.end)} ${found.permissions}${name}`;
  if (grownPages > 0) {
    return `The address lay below the stack, which may grow: its area now reaches ${pages(grownPages)} further down, to ${hex(found.start)}. It is ${text}.`;
  }
  if (record.row === 2) return `Area ${text} contains the address, but does not permit ${NOUNS[record.access]}.`;
  const kind = found.permissions[3] === "s" ? "shared" : "private";
  return `Area ${text} contains the address and permits ${NOUNS[record.access]}; it is ${kind}.`;
}

function object(record: FaultRecord): string {
  const { object: asked, area: found, row } = record;
  if (found === null || row === 2) return "";
  if (asked === null) {
    if (row === 8) return "The area has no object: a page it wrote exists in page tables only.";
    return row === 10 ? "" : "The area has no object: it is anonymous memory, whose pages begin as zeros.";
  }
  const name = asked.name === "" ? `object ${asked.id}` : asked.name;
  const what = `The area shows ${name}: this is page ${asked.pageIndex} of it`;
  if (row === 11) return `${what}, but it has only ${asked.sizeBytes} bytes: there is no such page.`;
  if (row === 8 || row === 9 || row === 10 || row === 12) return `${what}.`;
  return asked.wasCached ? `${what}, and the page cache has it.` : `${what}, and the page cache does not have it.`;
}

function victims(gone: readonly VictimRecord[]): string[] {
  if (gone.length === 0) return [];
  const texts = gone.slice(0, MOST_VICTIMS).map(victim);
  texts[0] = `Free frames had run short. ${texts[0]}`;
  const more = gone.length - MOST_VICTIMS;
  if (more > 0) texts.push(`${more} more frame${more === 1 ? " was" : "s were"} freed the same way.`);
  return texts;
}

function victim(gone: VictimRecord): string {
  const owners = gone.owners.slice(0, 3).map(({ pid, address: at }) => `process ${pid} at ${hex(at)}`);
  const more = gone.owners.length > 3 ? ` and ${gone.owners.length - 3} more` : "";
  const whose = owners.length === 0 ? "" : ` (${owners.join(", ")}${more})`;
  if (gone.object !== null) {
    const page = `page ${gone.object.pageIndex} of ${gone.object.name || `object ${gone.object.id}`}${whose}`;
    return gone.writtenOut
      ? `The victim was frame ${gone.pfn} with ${page}: it was dirty, so it was written to the file first.`
      : `The victim was frame ${gone.pfn} with ${page}: it was clean, so it was just dropped.`;
  }
  if (gone.kind === "lazily-freed")
    return `The victim was frame ${gone.pfn}: its owner had given the page up (MADV_FREE), so it was just dropped.`;
  const what = gone.kind === "anonymous" ? "an anonymous page" : "a page of shared memory";
  return `The victim was frame ${gone.pfn} with ${what}${whose}: its contents are in swap slot ${gone.slot} now.`;
}

function frame(record: FaultRecord): string {
  const { frame: got, row, copiedFrom, tableCopied } = record;
  const table = tableCopied
    ? "The page table had been shared since a fork: the process takes a copy of the table first. "
    : "";
  if (got === null) return table;
  switch (got.source) {
    case "zero-frame":
      return `${table}No frame is spent: frame ${got.pfn}, full of zeros, serves everyone who only reads.`;
    case "page-cache":
      return `${table}The frame of the page cache itself is mapped, frame ${got.pfn}: nothing is copied.`;
    case "file":
    case "swap":
      return `${table}Frame ${got.pfn} was taken from the free frames.`;
    case "swap-cache":
      return `${table}Frame ${got.pfn} still holds the page (swap cache).`;
    case "kept":
      return row === 12 ? "" : `${table}The page stays in frame ${got.pfn}.`;
    default:
      return copiedFrom !== 0 || row === 4 ? `${table}Frame ${got.pfn} was taken from the free frames.` : table;
  }
}

const pages = (count: number) => (count === 1 ? "one page" : `${count} pages`);

function along({ readAlong }: FaultRecord): string {
  return readAlong === 0 ? "" : ` Neighbours in the file were read with it (read-ahead): ${pages(readAlong)}.`;
}

function contents(record: FaultRecord): string {
  const { row, copiedFrom, slot, waited, object: asked } = record;
  const read =
    row === 7 && waited ? `The page was read into frame ${copiedFrom} of the page cache.${along(record)} ` : "";
  switch (row) {
    case 4:
      return "It was overwritten with zeros. No data moved between disk and memory.";
    case 5:
      return record.neighbours === 0 ? "" : `Its cached neighbours were mapped along: ${pages(record.neighbours)}.`;
    case 6:
      if (asked === null) return "";
      return `The page was read into it, and is in the page cache from now on for everyone.${along(record)}`;
    case 7:
      return `${read}Frame ${copiedFrom} of the page cache was copied: the object stays as it is, the copy belongs to this process.`;
    case 8:
      return copiedFrom === 0
        ? "Nobody else maps the frame, so nothing is copied."
        : `Frame ${copiedFrom} was copied into it: whoever else maps the original keeps it unchanged.`;
    case 9:
      return "The store will reach the object; its page counts as dirty from now on.";
    case 10: {
      const from = waited
        ? `The page was read back from swap slot ${slot}.`
        : `Nothing was read: slot ${slot} is not needed.`;
      return copiedFrom === 0 ? from : `${from} Others mean the same page, so it was copied for the write.`;
    }
    default:
      return "";
  }
}

function bitsOf(pte: DecodedPte): string {
  const { bits } = pte;
  const letters = (
    [
      ["R", bits.read],
      ["W", bits.write],
      ["X", bits.execute],
      ["A", bits.accessed],
      ["D", bits.dirty],
    ] as const
  )
    .filter(([, set]) => set)
    .map(([letter]) => letter);
  return letters.join(" ");
}

function pte(entryNow: DecodedPte): string {
  const value = hex(entryNow.value);
  switch (entryNow.kind) {
    case "none":
      return "none";
    case "swap":
      return `${value} (swap slot ${entryNow.slot})`;
    default:
      return `${value} (frame ${entryNow.pfn}, ${bitsOf(entryNow) || "no access"})`;
  }
}

function entry(record: FaultRecord): string {
  const { before, after } = record;
  if (before.value === after.value) return `The page-table entry is as it was: ${pte(after)}.`;
  return `The page-table entry was ${pte(before)} and is now ${pte(after)}.`;
}

const SIGNALS: Readonly<Record<string, string>> = {
  "segv-maperr": "SIGSEGV (SEGV_MAPERR)",
  "segv-accerr": "SIGSEGV (SEGV_ACCERR)",
  "bus-adrerr": "SIGBUS (BUS_ADRERR)",
  "io-error": "SIGBUS (BUS_ADRERR)",
};

function outcome(record: FaultRecord): string {
  const { result, counters, row } = record;
  const copied = record.copiedFrom === 0 ? "" : `, ${counters.copies} copied pages`;
  const totals = `the process now counts ${counters.minor} minor and ${counters.major} major faults${copied}`;
  if (row === 12) return "The page table permits the access: only the TLB had an old translation, which was flushed.";
  if (result === "minor") return `A minor fault: nothing had to be read from a device; ${totals}.`;
  if (result === "major") return `A major fault: it had to wait for a device; ${totals}.`;
  if (result === "userfault") return "The thread sleeps until the reader of a userfaultfd has brought the page.";
  if (result === "out-of-memory") return "No frame could be had: the out-of-memory killer ends a process.";
  return record.syscall === null
    ? `The process gets ${SIGNALS[result]}.`
    : `The system call sees a bad address (EFAULT).`;
}

function restart(record: FaultRecord): string {
  const { result, syscall } = record;
  if (result !== "minor" && result !== "major")
    return result === "out-of-memory" || syscall !== null
      ? ""
      : "The instruction did not complete; without a handler for the signal the process ends.";
  if (syscall !== null) return `The kernel goes on with ${syscall}().`;
  return `The instruction at ${place(record)} runs again, and this time its address translates.`;
}

/** The story as lines of text: the title, then the steps. */
export function storyText({ title: head, steps }: FaultStory): string {
  return `${head}\n${steps.map(({ text }) => `  - ${text}\n`).join("")}`;
}

/** The walk in one line per level, for views and terminals. */
export function walkText(walk: PageWalk): string[] {
  return walk.levels.map(
    ({ level, tableFrame, index, pteAddress, ...rest }) =>
      `level ${level}: table frame ${tableFrame}, entry ${index} at ${hex(pteAddress)}: ${
        rest.kind === "table" ? `table in frame ${rest.pfn}` : pte(rest)
      }`,
  );
}
