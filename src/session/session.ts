// The session behind a page: owns a machine with run control, answers the page's questions, passes the terminal on. Knows neither
// sockets nor workers: messages come in by receive() and go out by `send`.

import type { RunControl } from "../machine/control/index.ts";
import { HostError, type Machine, type MachineProcess, type SpawnRequest } from "../machine/index.ts";
import { lookAt } from "./look.ts";
import type { ClientMessage, ControlCommand, LaunchRequest, Question, ServerMessage, Started } from "./protocol.ts";

/** Makes a machine and starts a program on the terminal given. Throws with one clear line when that cannot be done. */
export type Launcher = (
  launch: LaunchRequest,
  terminal: SpawnRequest,
) => Promise<{ machine: Machine; process: MachineProcess }>;

const TERMINAL = { columns: 80, rows: 24 };
/** Host memory for the way back: a page shares it with much else. */
const HISTORY_BYTES = 256 << 20;

interface Running {
  machine: Machine;
  process: MachineProcess;
  control: RunControl;
  started: Started;
}

export class Session {
  private readonly launcher: Launcher;
  private readonly canLaunch: boolean;
  private running: Running | null = null;
  private size = TERMINAL;
  /** Bytes of the terminal's output that the pages show. */
  private shownBytes = 0;
  private ending: ServerMessage | null = null;
  private readonly pages = new Set<(message: ServerMessage) => void>();
  /** Called when the program ended. */
  onEnd: ((code: number) => void) | null = null;

  /** `canLaunch`: pages may start programs of their own. */
  constructor(launcher: Launcher, canLaunch: boolean) {
    this.launcher = launcher;
    this.canLaunch = canLaunch;
  }

  /** A page comes; returns the function by which it leaves. It is told what there is, and the output so far. */
  attach(send: (message: ServerMessage) => void): () => void {
    send({ type: "hello", canLaunch: this.canLaunch, started: this.running?.started ?? null });
    if (this.running !== null) {
      this.showTerminal();
      send({ type: "output", bytes: this.transcript() });
      send({ type: "stopped", stop: this.running.control.lastStop });
    }
    if (this.ending !== null) send(this.ending);
    this.pages.add(send);
    return () => void this.pages.delete(send);
  }

  /** Messages of a page: whatever is wrong with one is answered, never thrown. */
  receive(message: ClientMessage, reply: (message: ServerMessage) => void): void {
    switch (message.type) {
      case "launch":
        if (this.canLaunch) void this.launch(message.launch);
        else reply({ type: "failed", message: "this session runs one program, given when it began" });
        return;
      case "input":
        if (typeof message.text === "string") this.running?.process.write(message.text);
        return;
      case "resize":
        this.resize(message.columns, message.rows);
        return;
      case "ask":
        try {
          reply({ type: "answer", id: message.id, answer: this.answer(message.question) });
        } catch (error) {
          reply({ type: "refused", id: message.id, message: lineOf(error) });
        }
    }
  }

  /** Ends what runs and starts another program. Resolves when it was started or refused (the pages are told). */
  async launch(launch: LaunchRequest): Promise<boolean> {
    await this.close();
    this.ending = null;
    try {
      const terminal = { host: { write: (bytes: Uint8Array) => this.wrote(bytes) }, size: this.size };
      const { machine, process } = await this.launcher(launch, { terminal });
      this.begin(machine, process, launch);
      return true;
    } catch (error) {
      this.tell({ type: "failed", message: lineOf(error) });
      return false;
    }
  }

  /** Ends the program as kill(2) would. */
  kill(signal: number): void {
    this.running?.process.kill(signal);
  }

  /** Stops the machine, if there is one. */
  async close(): Promise<void> {
    const running = this.running;
    this.running = null;
    if (running === null) return;
    running.control.pause();
    await running.machine.stop();
    running.machine.close();
  }

  private begin(machine: Machine, process: MachineProcess, launch: LaunchRequest): void {
    const control = machine.control({ historyBytes: HISTORY_BYTES });
    const started: Started = {
      command: launch.command,
      totalFrames: machine.kernel.mm.totalFrames,
      swapSlots: machine.kernel.mm.swap.slotCount,
      policy: launch.policy,
      rewindRefusal: control.rewindRefusal,
    };
    this.running = { machine, process, control, started };
    this.shownBytes = 0;
    control.onStop((stop) => {
      this.showTerminal();
      this.tell({ type: "stopped", stop });
    });
    this.tell({ type: "started", started });
    process.wait().then(
      ({ code, signal }) => this.ended(machine, { type: "ended", code, signal }, code),
      (error) => this.ended(machine, { type: "failed", message: lineOf(error) }, 1),
    );
    if (!launch.paused) void control.run();
  }

  private ended(machine: Machine, message: ServerMessage, code: number): void {
    if (this.running?.machine !== machine) return;
    this.ending = message;
    this.tell(message);
    this.onEnd?.(code);
  }

  private wrote(bytes: Uint8Array): void {
    const process = this.running?.process;
    if (process !== undefined && process.taps[0].produced === this.shownBytes + bytes.length) {
      this.shownBytes += bytes.length;
      this.tell({ type: "output", bytes: bytes.slice() });
    } else this.showTerminal();
  }

  /** Makes the pages' terminals show the present moment: also after the way back, and while a known stretch runs again. */
  private showTerminal(): void {
    const produced = this.running?.process.taps[0].produced ?? 0;
    if (produced === this.shownBytes) return;
    if (produced < this.shownBytes) this.tell({ type: "rewound", bytes: this.transcript() });
    else this.tell({ type: "output", bytes: this.transcript(this.shownBytes) });
    this.shownBytes = produced;
  }

  /** What the program has written to its terminal up to the present moment, behind the first `from` bytes. */
  private transcript(from = 0): Uint8Array {
    return this.running?.process.taps[0].transcript(from) ?? new Uint8Array(0);
  }

  private resize(columns: number, rows: number): void {
    const fits = (value: number) => Number.isInteger(value) && value > 0 && value < 1000;
    if (!fits(columns) || !fits(rows)) return;
    this.size = { columns, rows };
    this.running?.process.resize(this.size);
  }

  private answer(question: Question): unknown {
    const { machine, control } = this.need();
    const { inspect } = machine;
    switch (question.ask) {
      case "look":
        this.showTerminal();
        return lookAt(machine, control, question.look);
      case "control":
        this.obey(control, question.command);
        return null;
      case "frame":
        return inspect.frame(question.pfn);
      case "slot":
        return inspect.slotPages(question.slot);
      case "walk":
        return inspect.walk(question.pid, question.address);
      case "registers":
        return inspect.registers(question.tid);
      case "faults":
        return control.lastFaults();
      case "symbol":
        return inspect.symbol(question.pid, question.address);
    }
  }

  /** Begins what was asked for; its end is told by "stopped". */
  private obey(control: RunControl, command: ControlCommand): void {
    if (command.do === "pause") {
      control.pause();
      return;
    }
    this.start(control, command).catch((error) => this.tell({ type: "failed", message: lineOf(error) }));
  }

  private start(control: RunControl, command: ControlCommand): Promise<unknown> {
    switch (command.do) {
      case "run":
        return control.run();
      case "step":
        if (command.unit === "fault") return control.stepFault();
        return command.unit === "syscall" ? control.stepSyscall() : control.stepInstruction();
      case "runTo":
        return control.runTo(command.condition);
      case "back":
        return control.stepBack(command.unit);
      case "seek":
        return control.seek(command.instructions);
      default:
        throw new HostError("run control does not know that");
    }
  }

  private need(): Running {
    if (this.running === null) throw new HostError("no program was started yet");
    return this.running;
  }

  private tell(message: ServerMessage): void {
    for (const send of this.pages) send(message);
  }
}

const lineOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split("\n")[0];
