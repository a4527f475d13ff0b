// What a trace says about the moment of an event: instruction count, running task, names of the area and the function. Names are looked
// up when an event arrives, because the process may be gone when the trace is written; each is looked up once.
import { PAGE_SIZE } from "../arch/sv39.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { areaName } from "../kernel/vfs/procfs/maps.ts";
import type { Vma } from "../mm/vma.ts";
import type { TraceSource } from "../trace/recorder.ts";
import type { Symbols } from "./inspect/symbols.ts";

/** Names of areas without a file or label. */
const ANONYMOUS = "anonymous";

export class MachineTraceSource implements TraceSource {
  private readonly kernel: Kernel;
  private readonly symbols: Symbols;
  private readonly areaNames = new WeakMap<Vma, string>();
  /** Function names by pc, in the area of code that they were found in. */
  private readonly places = new WeakMap<Vma, Map<number, string>>();
  private readonly processNames = new Map<number, string>();
  private newProcessNames: [number, string][] = [];

  constructor({ kernel, symbols }: { kernel: Kernel; symbols: Symbols }) {
    this.kernel = kernel;
    this.symbols = symbols;
  }

  get instructions(): number {
    return this.kernel.hart.instructions;
  }

  get currentTask(): number {
    return this.kernel.scheduler.current?.tid ?? 0;
  }

  get currentProcess(): number {
    const task = this.kernel.scheduler.current;
    if (task === null) return 0;
    const { pid } = task.process;
    const { name } = task.process.leader;
    if (this.processNames.get(pid) !== name) {
      this.processNames.set(pid, name);
      this.newProcessNames.push([pid, name]);
    }
    return pid;
  }

  get pc(): number {
    return this.kernel.scheduler.current?.registers.pc ?? 0;
  }

  areaName(spaceId: number, vpn: number): string {
    const space = this.kernel.mm.spaces.get(spaceId);
    const area = space?.areas.find(vpn * PAGE_SIZE) ?? null;
    if (space === undefined || area === null) return "";
    let name = this.areaNames.get(area);
    if (name === undefined) {
      name = areaName(space, area) || ANONYMOUS;
      this.areaNames.set(area, name);
    }
    return name;
  }

  /** The pc is the running task's, whoever's page the event is about. */
  symbolName(pc: number): string {
    const space = this.kernel.scheduler.current?.space;
    const area = space?.areas.find(pc) ?? null;
    if (space === undefined || area === null) return "";
    let known = this.places.get(area);
    if (known === undefined) {
      known = new Map();
      this.places.set(area, known);
    }
    let name = known.get(pc);
    if (name === undefined) {
      const at = this.symbols.at(space, pc);
      const file = at === null ? "" : at.file.slice(at.file.lastIndexOf("/") + 1);
      name = at === null || file === "" ? "" : `${at.name || "(no symbol)"} in ${file}`;
      known.set(pc, name);
    }
    return name;
  }

  /** Names of processes that are new since the last call, or changed by exec. */
  takeProcessNames(): [number, string][] {
    const names = this.newProcessNames;
    this.newProcessNames = [];
    return names;
  }
}
