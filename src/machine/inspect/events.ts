// Hands what happens in a machine to listeners: memory events of mm, and the life of processes. Costs nothing while nobody
// listens: the memory core then has no tracer, or only the one that was there before.
import type { Kernel, KernelObserver } from "../../kernel/kernel.ts";
import type { Process } from "../../kernel/process.ts";
import type { Task } from "../../kernel/task.ts";
import type { MmTracer } from "../../mm/contracts.ts";
import * as T from "../../mm/tracer.ts";

/** A fault of the table at the head of mm/fault.ts: `row` n is Fn. */
export interface MemoryEvent {
  type: MachineEventType;
  /** Name of the trace code ("demand-zero", "swap-out", ...). */
  name: string;
  /** TRACE_* of mm/tracer.ts; the numbers below mean what is said there. */
  code: number;
  instructions: number;
  /** Running process and thread (0: the machine itself). */
  pid: number;
  tid: number;
  spaceId: number;
  vpn: number;
  pfn: number;
  detail: number;
}

export interface ProcessEvent {
  type: "fork" | "thread" | "exec" | "exit";
  instructions: number;
  pid: number;
  tid: number;
  /** fork: the new process or thread; exit: the status as wait(2) reports it; exec: 0. */
  detail: number;
  name: string;
}

export interface MachineEvents {
  /** Rows F1-F12 of the fault table, whatever came of them. */
  fault: MemoryEvent;
  /** A page was copied: copy-on-write, or a private copy of a file page. */
  copy: MemoryEvent;
  /** A frame was taken from its page: dropped, or written out first. */
  evict: MemoryEvent;
  "page-in": MemoryEvent;
  "write-back": MemoryEvent;
  "swap-in": MemoryEvent;
  "swap-out": MemoryEvent;
  map: MemoryEvent;
  unmap: MemoryEvent;
  protect: MemoryEvent;
  /** Every memory event, once each. */
  memory: MemoryEvent;
  /** A process, and a thread of the same process. */
  fork: ProcessEvent;
  thread: ProcessEvent;
  exec: ProcessEvent;
  exit: ProcessEvent;
}

export type MachineEventType = keyof MachineEvents;
type Listener = (event: never) => void;

/** Types by trace code, the most telling one first. */
const TYPES: Readonly<Record<number, readonly MachineEventType[]>> = {
  [T.TRACE_COPY_FROM_FILE]: ["fault", "copy"],
  [T.TRACE_COPY_ON_WRITE]: ["fault", "copy"],
  [T.TRACE_PAGE_IN]: ["fault", "page-in"],
  [T.TRACE_SWAP_IN]: ["fault", "swap-in"],
  [T.TRACE_DROP_CLEAN]: ["evict"],
  [T.TRACE_DROP_LAZY]: ["evict"],
  [T.TRACE_SWAP_OUT]: ["evict", "swap-out"],
  [T.TRACE_WRITE_BACK]: ["write-back"],
  [T.TRACE_MAP]: ["map"],
  [T.TRACE_UNMAP]: ["unmap"],
  [T.TRACE_PROTECT]: ["protect"],
};
const FAULT: readonly MachineEventType[] = ["fault"];
const LAST_FAULT_ROW = T.TRACE_STALE_TLB;

export class EventHub implements MmTracer, KernelObserver {
  private readonly kernel: Kernel;
  private readonly listeners = new Map<MachineEventType, Set<Listener>>();
  /** The tracer that was there before the first listener. */
  private behind: MmTracer | null = null;
  private installed = false;
  /** Run control's ear, told first, also in silence. */
  private inner: MmTracer | null = null;
  /** While the machine is brought back to a moment it has been at, nobody is told. */
  silent = false;
  /** While what happens has been heard already, a recorder is not told again. */
  repeating = false;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** Returns the function that ends it. */
  on<K extends MachineEventType>(type: K, listener: (event: MachineEvents[K]) => void): () => void {
    let set = this.listeners.get(type);
    if (set === undefined) {
      set = new Set();
      this.listeners.set(type, set);
    }
    // A listener registered twice is told twice.
    const own: Listener = (event) => listener(event);
    set.add(own);
    this.install();
    return () => {
      this.listeners.get(type)?.delete(own);
      if (this.listeners.get(type)?.size === 0) this.listeners.delete(type);
      if (this.listeners.size === 0 && this.inner === null) this.remove();
    };
  }

  /** Stays in front of the tracer that is there, so that it is not told again what is repeated. */
  guardRecorder(): void {
    if (this.kernel.mm.tracer === null) return;
    this.stays = true;
    this.install();
  }
  private stays = false;

  /** Sets or takes away run control's own listener. */
  listenWithin(tracer: MmTracer | null): void {
    this.inner = tracer;
    if (tracer !== null) this.install();
    else if (this.listeners.size === 0) this.remove();
  }

  private install(): void {
    if (this.installed) return;
    this.installed = true;
    const { mm } = this.kernel;
    this.behind = mm.tracer;
    mm.tracer = this;
    this.kernel.observer = this;
  }

  private remove(): void {
    if (!this.installed || this.stays) return;
    this.installed = false;
    if (this.kernel.mm.tracer === this) this.kernel.mm.tracer = this.behind;
    this.behind = null;
    this.kernel.observer = null;
  }

  event(code: number, spaceId: number, vpn: number, pfn: number, detail: number): void {
    this.inner?.event(code, spaceId, vpn, pfn, detail);
    if (!this.repeating) this.behind?.event(code, spaceId, vpn, pfn, detail);
    if (this.silent || this.listeners.size === 0) return;
    // A page read by read(2) is no fault.
    const isFault = code <= LAST_FAULT_ROW && spaceId !== 0;
    const types = TYPES[code] ?? (code <= LAST_FAULT_ROW ? FAULT : []);
    let event: MemoryEvent | null = null;
    for (const type of types) {
      if (type === "fault" && !isFault) continue;
      const set = this.listeners.get(type);
      if (set === undefined) continue;
      event ??= this.memoryEvent(type, code, spaceId, vpn, pfn, detail);
      tell(set, { ...event, type });
    }
    // F10 with a copy tells of the copy by its own code; the kernel's page-ins have no fault.
    const all = this.listeners.get("memory");
    if (all !== undefined) tell(all, this.memoryEvent("memory", code, spaceId, vpn, pfn, detail));
  }

  private memoryEvent(
    type: MachineEventType,
    code: number,
    spaceId: number,
    vpn: number,
    pfn: number,
    detail: number,
  ): MemoryEvent {
    const { hart, scheduler } = this.kernel;
    const task = scheduler.current;
    const name = T.TRACE_NAMES[code] ?? `event-${code}`;
    const instructions = hart.instructions;
    const [pid, tid] = task === null ? [0, 0] : [task.process.pid, task.tid];
    return { type, name, code, instructions, pid, tid, spaceId, vpn, pfn, detail };
  }

  forked(parent: Task, child: Task): void {
    this.tellProcess(child.process === parent.process ? "thread" : "fork", parent, child.tid);
  }
  executed(task: Task): void {
    this.tellProcess("exec", task, 0);
  }
  exited(process: Process): void {
    this.tellProcess("exit", process.leader, process.exitStatus);
  }

  private tellProcess(type: ProcessEvent["type"], task: Task, detail: number): void {
    const set = this.listeners.get(type);
    if (set === undefined || this.silent) return;
    const instructions = this.kernel.hart.instructions;
    tell(set, { type, instructions, pid: task.process.pid, tid: task.tid, detail, name: task.name });
  }
}

function tell(set: ReadonlySet<Listener>, event: MemoryEvent | ProcessEvent): void {
  for (const listener of [...set]) (listener as (event: MemoryEvent | ProcessEvent) => void)(event);
}
