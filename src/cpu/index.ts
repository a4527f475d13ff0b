// The public face of cpu/ (docs/design/cpu-api.md).
export { CpuContext } from "./cpu-context.ts";
export * from "./exits.ts";
export { Hart, type HartOptions } from "./hart.ts";
export { HartTlb } from "./tlb.ts";
