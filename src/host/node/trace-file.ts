// Writes a machine's memory events to a file while it runs: JSON for Perfetto, or compact binary rows (trace/recorder.ts).
import { closeSync, writeSync } from "node:fs";
import type { Machine } from "../../machine/index.ts";
import { TRACE_NAMES } from "../../mm/tracer.ts";
import { PERFETTO_HEAD, PERFETTO_TAIL, perfettoCounter, perfettoProcess, perfettoRows } from "../../trace/perfetto.ts";
import { encodeChunk, type TraceChunk, TraceRecorder } from "../../trace/recorder.ts";

/** First bytes of the binary form; rows of EVENT_BYTES follow. */
export const TRACE_MAGIC = "FLTRACE1";

export class TraceFile {
  private readonly fd: number;
  private readonly json: boolean;
  private readonly machine: Machine;
  private readonly recorder: TraceRecorder;
  /** Why the rest of the trace is missing, or null. */
  private failure: Error | null = null;
  private readonly namedProcesses = new Map<number, string>();
  /** Process of each thread seen, kept because threads go away before the trace is written. */
  private readonly processOf = new Map<number, number>();

  constructor(machine: Machine, fd: number, json: boolean) {
    this.machine = machine;
    this.fd = fd;
    this.json = json;
    const { kernel } = machine;
    const clock = {
      get instructions() {
        return kernel.hart.instructions;
      },
      get currentTask() {
        return kernel.scheduler.current?.tid ?? 0;
      },
    };
    this.recorder = new TraceRecorder(clock, (chunk) => this.write(chunk));
    kernel.mm.tracer = this.recorder;
    this.put(json ? PERFETTO_HEAD : TRACE_MAGIC);
  }

  /** Writes what is left and closes the file. Returns why the trace is not complete, or null. */
  finish(): Error | null {
    this.machine.kernel.mm.tracer = null;
    this.recorder.finish();
    if (this.json) this.put(PERFETTO_TAIL);
    closeSync(this.fd);
    return this.failure;
  }

  private write(chunk: TraceChunk): void {
    if (!this.json) {
      this.put(encodeChunk(chunk));
      return;
    }
    const { kernel } = this.machine;
    let out = "";
    for (const process of kernel.processes.values()) {
      for (const thread of process.threads) this.processOf.set(thread.tid, process.pid);
      const name = process.leader.name;
      if (this.namedProcesses.get(process.pid) === name) continue;
      this.namedProcesses.set(process.pid, name);
      out += perfettoProcess(process.pid, name);
    }
    out += perfettoRows(chunk, {
      event: (code) => TRACE_NAMES[code] ?? `event ${code}`,
      processOf: (task) => this.processOf.get(task) ?? task,
    });
    const now = kernel.hart.instructions;
    out += perfettoCounter("free frames", 0, now, kernel.mm.freeFrames);
    out += perfettoCounter("swap used", 0, now, kernel.mm.swap.usedCount);
    for (const process of kernel.processes.values()) {
      const thread = process.liveThread;
      if (thread === null) continue;
      const { anonymous, file, shmem } = thread.space.counters;
      out += perfettoCounter("RSS", process.pid, now, anonymous + file + shmem);
    }
    this.put(out);
  }

  /** A full disk ends the trace, not the machine that is in the middle of a fault. */
  private put(data: string | Uint8Array): void {
    if (this.failure !== null) return;
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.fd, bytes, at);
    } catch (error) {
      this.failure = error as Error;
      this.machine.kernel.mm.tracer = null;
    }
  }
}
