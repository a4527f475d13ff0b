// The worker behind the page when no server is: makes machines as the page asks, and is their session.
import { LinuxError } from "../../kernel/linux-error.ts";
import { HostError, Machine } from "../../machine/index.ts";
import type { ClientMessage, LaunchRequest, ServerMessage } from "../../session/protocol.ts";
import { type Launcher, Session } from "../../session/session.ts";
import { BrowserHost } from "./browser-host.ts";
import { makeRoot } from "./roots.ts";

const ROOT = "the page's root";
const ENOENT = 2;

const launcher: Launcher = async (launch, terminal) => {
  const host = new BrowserHost(new Map([[ROOT, await makeRoot(launch.file)]]));
  const { memory, swap, policy, seed, command } = launch;
  const machine = new Machine({ root: ROOT, memory, swap, policy, seed }, host);
  try {
    return { machine, process: machine.spawn(command[0] ?? "", command.slice(1), terminal) };
  } catch (error) {
    if (error instanceof LinuxError) throw new HostError(explain(machine, launch, error.errno));
    throw error;
  }
};

function explain(machine: Machine, { command }: LaunchRequest, errno: number): string {
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
