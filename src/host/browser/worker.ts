// The worker behind the page when no server is: makes machines as the page asks, and is their session.
import { LinuxError } from "../../kernel/linux-error.ts";
import { HostError, Machine, type MachineProcess, parseSize, type SpawnRequest } from "../../machine/index.ts";
import type { ClientMessage, ServerMessage } from "../../session/protocol.ts";
import { type Launcher, Session } from "../../session/session.ts";
import { BrowserHost } from "./browser-host.ts";
import { openOpfsSwap } from "./opfs-swap.ts";
import { makeRoot } from "./roots.ts";

const ROOT = "the page's root";
const ENOENT = 2;
/** Beyond it swap goes to a file, if the browser has one to give; then there is no way back to earlier moments. */
const MOST_SWAP_IN_MEMORY = 512 << 20;

const launcher: Launcher = async (launch, terminal) => {
  const { memory, swap, policy, seed } = launch;
  const root = await makeRoot(launch.file);
  const swapBytes = parseSize(swap) ?? 0;
  const device = swapBytes > MOST_SWAP_IN_MEMORY ? await openOpfsSwap(swapBytes) : null;
  const host = new BrowserHost(new Map([[ROOT, root]]), device);
  try {
    const machine = new Machine({ root: ROOT, memory, swap, policy, seed }, host);
    return { machine, process: spawn(machine, launch.command, terminal) };
  } catch (error) {
    device?.close();
    throw error;
  }
};

function spawn(machine: Machine, command: readonly string[], terminal: SpawnRequest): MachineProcess {
  try {
    return machine.spawn(command[0] ?? "", command.slice(1), terminal);
  } catch (error) {
    if (error instanceof LinuxError) throw new HostError(explain(machine, command, error.errno));
    throw error;
  }
}

function explain(machine: Machine, command: readonly string[], errno: number): string {
  const program = command[0] ?? "";
  if (errno !== ENOENT) return `${program} cannot be run: is it a riscv64 Linux program?`;
  const interpreter = machine.exists(program) ? machine.interpreterOf(program) : null;
  if (interpreter !== null)
    return `${program} needs ${interpreter}, which is not in the root: drop a root archive that has both`;
  return `there is no ${program} in the root`;
}

const session = new Session(launcher, true);
const send = (message: ServerMessage) => postMessage(message);
session.attach(send);
addEventListener("message", ({ data }) => session.receive(data as ClientMessage, send));
