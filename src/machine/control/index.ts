// The public face of control/: run control of a machine.
export type { Condition, StepUnit, StopEvent, StopReason } from "./conditions.ts";
export { FAULT_KINDS, type FaultKind, type FaultRecord, type FrameSource, type VictimRecord } from "./fault-record.ts";
export { MemorySwap } from "./memory-swap.ts";
export { type ControlState, RunControl } from "./run-control.ts";
