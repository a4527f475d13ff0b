// The library as Node programs import it: `import { Machine } from "faultline"`.
import { fileURLToPath } from "node:url";
import {
  Machine as CoreMachine,
  type MachineOptions,
  type MachineProcess,
  type SpawnRequest,
} from "../../machine/index.ts";
import { NodeHost } from "./machine-host.ts";

/** The root with our own programs that comes with the package. */
export const BUNDLED_ROOT = fileURLToPath(new URL("../../../guest/root", import.meta.url));

/**
 * A machine in this Node process.
 *
 *     const machine = await Machine.create({ memory: "64M", swap: "256M", root: "debian" });
 *     const process = await machine.spawn("/bin/bash", ["-c", "echo hello"]);
 *     const { code, stdout } = await process.wait();
 */
export class Machine extends CoreMachine {
  /** `root` defaults to the bundled programs. Throws HostError when a size, folder or swap file cannot be used. */
  static async create(options: Partial<MachineOptions> = {}): Promise<Machine> {
    return new Machine({ ...options, root: options.root ?? BUNDLED_ROOT }, new NodeHost());
  }
}

export * from "../../machine/index.ts";
export { type FaultStory, storyText, tellFault } from "../../view/fault-story.ts";
export type { MachineOptions, MachineProcess, SpawnRequest };
export { NodeHost };
