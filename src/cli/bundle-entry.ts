// What the bundle of `faultline run` offers (bundle.ts).
export { runCommandLine } from "./command-line.ts";
export { runProgram } from "./commands/run-program.ts";
