// The public face of machine/: what the library and the command line are made of.

export * from "./control/index.ts";
export type { MountRequest } from "./file-systems.ts";
export { HostError, type HostSwap, type MachineHost } from "./host.ts";
export * from "./inspect/index.ts";
export { type Completion, Machine, type MachineOptions, MachineProcess, type SpawnRequest } from "./machine.ts";
export {
  type AreaReport,
  formatReport,
  type MachineReport,
  type MemoryFigures,
  type ProcessReport,
  reportProcess,
} from "./report.ts";
export { formatSize, parseSize } from "./sizes.ts";
export { MachineTraceSource } from "./trace-source.ts";
