// `faultline demo`: tells product truths about memory mapping on the bundled programs, with numbers taken from the run.

import { PAGE_SIZE, pteToPfn } from "../../arch/sv39.ts";
import { formatSize, Machine, type MachineOptions, type MachineProcess } from "../../host/node/index.ts";
import type { Task } from "../../kernel/task.ts";
import { TRACE_NAMES } from "../../mm/tracer.ts";
import type { Vma } from "../../mm/vma.ts";
import { endWhenReaderLeaves } from "../reader-left.ts";

interface Event {
  name: string;
  vpn: number;
  pfn: number;
}

/** A program of the bundled root that stops at "@moment" lines until it is told to go on. */
class Scene {
  readonly machine: Machine;
  private readonly program: MachineProcess;
  private events: Event[] = [];
  private seen = 0;

  private constructor(machine: Machine, program: MachineProcess) {
    this.machine = machine;
    this.program = program;
  }

  static async open(path: string, args: readonly string[], options: Partial<MachineOptions> = {}): Promise<Scene> {
    const machine = await Machine.create({ memory: "16M", seed: 1, ...options });
    const scene = new Scene(machine, machine.spawn(path, args));
    machine.kernel.mm.tracer = {
      event: (code, _space, vpn, pfn) => scene.events.push({ name: TRACE_NAMES[code] ?? `event ${code}`, vpn, pfn }),
    };
    return scene;
  }

  get task(): Task {
    return this.program.process.leader;
  }

  /** Runs until the program reaches the moment; gives its output lines since the last one and the events on the way. */
  async until(moment: string): Promise<{ lines: string[]; events: Event[] }> {
    const before = this.events.length;
    for (;;) {
      const fresh = this.program.collectedOutput.slice(this.seen);
      const at = fresh.indexOf(`@${moment}\n`);
      if (at >= 0) {
        this.seen += at + moment.length + 2;
        return { lines: fresh.slice(0, at).split("\n").filter(Boolean), events: this.events.slice(before) };
      }
      if (!this.program.isRunning)
        throw new Error(`the program ended before "${moment}": ${this.program.collectedOutput}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  goOn(): void {
    this.events = [];
    this.program.write("\n");
  }

  async finish(): Promise<{ code: number; lines: string[] }> {
    const { code, stdout } = await this.program.wait();
    await this.machine.stop();
    this.machine.close();
    return {
      code,
      lines: stdout
        .slice(this.seen)
        .split("\n")
        .filter((line) => line && !line.startsWith("@")),
    };
  }
}

/** Frame behind a virtual page, 0 when none is present. */
function frameAt(task: Task, vpn: number): number {
  const { table } = task.space;
  const at = table.find(vpn);
  return at === 0 ? 0 : pteToPfn(table.read(at));
}

function areaOf(task: Task, name: string, permissions: number): Vma {
  for (const area of task.space.areas) if ((area.flags & 7) === permissions && area.file?.name() === name) return area;
  throw new Error(`no area of ${name}`);
}

const print = (text: string) => process.stdout.write(`${text}\n`);
const truth = (number: number, text: string) => print(`\n${String(number).padStart(2)}. ${text}`);
const show = (text: string) => print(`      ${text}`);
const count = (events: readonly Event[], pattern: RegExp) => events.filter((event) => pattern.test(event.name)).length;

export async function runDemo(): Promise<number> {
  endWhenReaderLeaves();
  print("Faultline: Linux memory mapping, shown on riscv64 programs that run in this process.");
  await restartAndDemandZero();
  await files();
  await zeroPages();
  await swap();
  await privacy();
  await sharing();
  print(
    "\nEvery line above was measured in this run. Next: faultline install --root debian bash, then faultline run --root debian /bin/bash",
  );
  return 0;
}

async function restartAndDemandZero(): Promise<void> {
  const scene = await Scene.open("/bin/truths", ["restart"]);
  await scene.until("mapped");
  const before = { ...scene.task.space.faults };
  scene.goOn();
  const { lines } = await scene.finish();
  truth(
    1,
    "The instruction that faults is run again after the handler returns, and then translates without a second fault.",
  );
  for (const line of lines) show(line);
  show(`(faults of the process before the first store: ${before.minor} minor, ${before.major} major)`);
}

async function files(): Promise<void> {
  const scene = await Scene.open("/bin/truths", ["file"]);
  const { lines } = await scene.until("mapped");
  const address = Number.parseInt(lines[0].split(" ")[1], 16);
  const untouched = [0, 1, 2].map((i) => frameAt(scene.task, address / PAGE_SIZE + i));
  truth(2, "An area takes its first contents from the object it is associated with.");
  show(lines[0]);
  truth(4, "Nothing of it is brought into physical memory before its first touch.");
  show(`frames mapped before the first touch: ${untouched.filter((pfn) => pfn !== 0).length} of 3`);
  scene.goOn();
  await scene.until("touched");
  const frames = [0, 1, 2].map((i) => frameAt(scene.task, address / PAGE_SIZE + i));
  show(`after touching: frames ${frames.join(", ")}`);
  scene.goOn();
  const { lines: result } = await scene.finish();
  truth(3, "Each page-size piece of the file section is the first content of one virtual page.");
  truth(
    5,
    "Where the area is larger than the file section, the rest reads as zeros; beyond the last page: SIGBUS (7).",
  );
  for (const line of result) show(line);
}

async function zeroPages(): Promise<void> {
  const scene = await Scene.open("/bin/truths", ["zero", "64"]);
  await scene.until("mapped");
  const { counters } = scene.machine.kernel.mm;
  const moved = () => counters.pswpin + counters.pswpout + counters.pgpgin + counters.pgpgout;
  const before = moved();
  scene.goOn();
  const { events } = await scene.until("touched");
  const between = moved() - before;
  scene.goOn();
  const { lines } = await scene.finish();
  truth(
    6,
    "Anonymous areas are demand-zero: the first touch finds a frame, overwrites it with zeros and marks the page resident.",
  );
  for (const line of lines) show(line);
  truth(7, "A demand-zero fault moves no data between disk and memory.");
  show(`${count(events, /zero/)} zero-page and demand-zero faults, ${between} pages moved to or from disk`);
}

async function swap(): Promise<void> {
  const scene = await Scene.open("/bin/truths", ["fill", "16"], { memory: "8M", swap: "32M" });
  await scene.until("filled");
  const { mm } = scene.machine.kernel;
  truth(8, "Once initialised, a page travels between memory and the swap file that the system maintains.");
  show(
    `16 MiB written in ${formatSize(mm.totalFrames * PAGE_SIZE)} of memory: ${mm.counters.pswpout} pages went out to swap`,
  );
  scene.goOn();
  const { lines } = await scene.finish();
  show(`${lines.join(" ")}; ${mm.counters.pswpin} pages came back`);
  const bounded = await Scene.open("/bin/truths", ["fill", "64"], {
    memory: "8M",
    swap: "32M",
    overcommit: "never",
    overcommitRatio: 50,
  });
  const refused = await bounded.finish();
  truth(9, "Swap space bounds the pages that processes can allocate: beyond it allocation is refused (ENOMEM, -12).");
  for (const line of refused.lines) show(line);
}

async function privacy(): Promise<void> {
  const scene = await Scene.open("/bin/truths", ["private"]);
  const { lines } = await scene.until("forked");
  const vpn = Number.parseInt(lines[0].split(" ")[1], 16) / PAGE_SIZE;
  const { kernel } = scene.machine;
  const child = () => [...kernel.processes.values()].find((p) => p.parent === scene.task.process)!.leader;
  const shared = [frameAt(scene.task, vpn), frameAt(child(), vpn)];
  scene.goOn();
  await scene.until("written");
  const apart = [frameAt(scene.task, vpn), frameAt(child(), vpn)];
  scene.goOn();
  const { lines: result } = await scene.finish();
  truth(
    11,
    "An address space is private: what one process writes, no other sees; an address that is not mapped gives SIGSEGV (11).",
  );
  show(
    `after fork: parent frame ${shared[0]}, child frame ${shared[1]}; after the child's write: ${apart[0]} and ${apart[1]}`,
  );
  for (const line of result) show(line);
}

async function sharing(): Promise<void> {
  const PROCESSES = 4;
  const machine = await Machine.create({ memory: "16M", seed: 1 });
  const programs = Array.from({ length: PROCESSES }, () => machine.spawn("/bin/sharer"));
  const reached = async (moment: string) => {
    while (!programs.every((p) => p.collectedOutput.includes(`@${moment}\n`))) {
      if (programs.some((p) => !p.isRunning)) throw new Error("a program ended early");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  await reached("mapped");
  const tasks = programs.map((program) => program.process.leader);
  const READ_EXECUTE = 5;
  const READ_WRITE = 3;
  const code = tasks.map((task) => frameAt(task, areaOf(task, "/bin/sharer", READ_EXECUTE).startVpn));
  const library = tasks.map((task) => frameAt(task, areaOf(task, "/lib/libstory.so", READ_EXECUTE).startVpn + 2));
  const data = () => tasks.map((task) => frameAt(task, areaOf(task, "/lib/libstory.so", READ_WRITE).startVpn + 1));
  const before = data();
  truth(10, "Programs and data are loaded by mapping: exec copies nothing, it maps.");
  const [first] = tasks;
  show(
    `${first.space.areas.length} areas mapped ${formatSize(first.space.totalPages * PAGE_SIZE)}, of which ${formatSize(residentBytes(first))} were touched and are resident`,
  );
  for (const program of programs) program.write("\n");
  await reached("written");
  truth(
    12,
    `Identical code and library pages are kept once for all ${PROCESSES} processes; a private page is copied at the first write.`,
  );
  show(`code of /bin/sharer: frames ${code.join(" ")}`);
  show(`constants of libstory.so: frames ${library.join(" ")}`);
  show(`data of libstory.so before writing: frames ${before.join(" ")}; after: ${data().join(" ")}`);
  const report = machine.report();
  const sum = (pick: (p: (typeof report.processes)[number]) => number) =>
    formatSize(report.processes.reduce((total, p) => total + pick(p), 0));
  show(
    `RSS adds up to ${sum((p) => p.rss)}, PSS to ${sum((p) => p.pss)}: sharing saved ${formatSize(report.sharingSaved)}`,
  );
  for (const program of programs) program.write("\n");
  await Promise.all(programs.map((program) => program.wait()));
  await machine.stop();
  machine.close();
}

function residentBytes(task: Task): number {
  const { anonymous, file, shmem } = task.space.counters;
  return (anonymous + file + shmem) * PAGE_SIZE;
}
