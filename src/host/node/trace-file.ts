// Writes a machine's memory events to a file while it runs: JSON for Perfetto, or the compact form (trace/binary-trace.ts).
import { closeSync, writeSync } from "node:fs";
import { type Machine, MachineTraceSource } from "../../machine/index.ts";
import { BINARY_MAGIC, eventBlock, nameBlock, processBlock } from "../../trace/binary-trace.ts";
import { PERFETTO_HEAD, PERFETTO_TAIL, perfettoCounter, perfettoProcess, perfettoRows } from "../../trace/perfetto.ts";
import { type TraceChunk, TraceRecorder } from "../../trace/recorder.ts";

/** Counters are written with every chunk: for a picture, small ones. */
const JSON_CHUNK_EVENTS = 128;
const BINARY_CHUNK_EVENTS = 1 << 14;

export class TraceFile {
  private readonly fd: number;
  private readonly json: boolean;
  private readonly machine: Machine;
  private readonly source: MachineTraceSource;
  private readonly recorder: TraceRecorder;
  /** Why the rest of the trace is missing, or null. */
  private failure: Error | null = null;

  constructor(machine: Machine, fd: number, json: boolean) {
    this.machine = machine;
    this.fd = fd;
    this.json = json;
    this.source = new MachineTraceSource(machine);
    const events = json ? JSON_CHUNK_EVENTS : BINARY_CHUNK_EVENTS;
    this.recorder = new TraceRecorder(this.source, (chunk) => this.write(chunk), events);
    machine.kernel.mm.tracer = this.recorder;
    this.put(json ? PERFETTO_HEAD : BINARY_MAGIC);
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
    const processes = this.source.takeProcessNames();
    if (this.json) {
      this.put(processes.map(([pid, name]) => perfettoProcess(pid, name)).join(""));
      this.put(perfettoRows(chunk, this.recorder.names));
      this.put(this.counters());
      return;
    }
    if (processes.length > 0) this.put(processBlock(processes));
    const names = this.recorder.names.takeNew();
    if (names.length > 0) this.put(nameBlock(names));
    this.put(eventBlock(chunk));
  }

  private counters(): string {
    const { kernel } = this.machine;
    const now = kernel.hart.instructions;
    let out = perfettoCounter("free frames", 0, now, kernel.mm.freeFrames);
    out += perfettoCounter("swap used", 0, now, kernel.mm.swap.usedCount);
    for (const process of kernel.processes.values()) {
      const thread = process.liveThread;
      if (thread === null) continue;
      const { anonymous, file, shmem } = thread.space.counters;
      out += perfettoCounter("RSS", process.pid, now, anonymous + file + shmem);
    }
    return out;
  }

  /** A full disk ends the trace, not the machine that is in the middle of a fault. */
  private put(data: string | Uint8Array): void {
    if (this.failure !== null || data.length === 0) return;
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.fd, bytes, at);
    } catch (error) {
      this.failure = error as Error;
      this.machine.kernel.mm.tracer = null;
    }
  }
}
