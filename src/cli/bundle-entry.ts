// What the bundle of `faultline run` offers (bundle.ts).

export { useCodeStore } from "../host/node/code-store.ts";
export { keepInterpreters, useKeptInterpreters } from "../host/node/kept-interpreter.ts";
export { runCommandLine } from "./command-line.ts";
export { runProgram } from "./commands/run-program.ts";
