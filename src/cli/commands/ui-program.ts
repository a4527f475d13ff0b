// What `faultline ui` does: makes the machine and the session around it, serves the page, stays until Ctrl-C.
import { fileURLToPath } from "node:url";
import { HostError, type Machine, type SpawnRequest } from "../../host/node/index.ts";
import { serveUi } from "../../host/node/ui-server.ts";
import { Session } from "../../session/session.ts";
import { CliError } from "../cli-error.ts";
import type { RunOptions } from "./run-options.ts";
import { makeMachine, start } from "./run-program.ts";
import type { UiOptions } from "./ui.ts";

const PAGE_FOLDER = fileURLToPath(new URL("../../web", import.meta.url));
const DEFAULT_SEED = 1;
const SIGINT_STATUS = 130;
const SIGKILL = 9;

export async function uiProgram(options: RunOptions, { port, paused }: UiOptions): Promise<number> {
  const seeded = { ...options, seed: options.seed ?? DEFAULT_SEED };
  const machine = await makeMachine(seeded);
  // Before the page: a program that is not there is a matter of the command line.
  const session = new Session(async (_launch, terminal) => spawn(machine, seeded, terminal), false);
  let failure: unknown = null;
  const launched = await session.launch({
    command: [options.program, ...options.args],
    memory: `${options.memoryBytes}`,
    swap: `${options.swapBytes}`,
    policy: options.policy,
    seed: seeded.seed,
    paused,
    file: null,
  });
  if (!launched) throw failure;
  const server = await serveUi(session, PAGE_FOLDER, port).catch((error) => {
    throw error instanceof HostError ? new CliError(error.message, 1) : error;
  });
  process.stderr.write(`faultline: the page is at ${server.url}\n`);
  let status = SIGINT_STATUS;
  session.onEnd = (code) => {
    status = code;
    process.stderr.write(`faultline: the program ended with status ${code}; Ctrl-C ends the page\n`);
  };
  const timer =
    options.timeoutSeconds === null
      ? undefined
      : setTimeout(() => session.kill(SIGKILL), options.timeoutSeconds * 1000);
  await new Promise<void>((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
  clearTimeout(timer);
  await server.close();
  await session.close();
  return status;

  function spawn(made: Machine, run: RunOptions, terminal: SpawnRequest) {
    try {
      return { machine: made, process: start(made, run, terminal) };
    } catch (error) {
      failure = error;
      throw error;
    }
  }
}
