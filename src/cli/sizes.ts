// Sizes on the command line: machine/sizes.ts reads them, here a bad one is told what is wrong with it. Ranges are the options' business.
import { readSize } from "../machine/sizes.ts";
import { CliError } from "./cli-error.ts";

/** Throws CliError naming `option`. */
export function parseSize(text: string, option: string): number {
  const bytes = readSize(text);
  if (Number.isNaN(bytes)) throw new CliError(`${option} "${text}": a size is digits with K, M or G, as in 64M`);
  if (!Number.isInteger(bytes)) throw new CliError(`${option} "${text}": not a whole number of bytes`);
  if (!Number.isSafeInteger(bytes)) throw new CliError(`${option} "${text}": too large`);
  return bytes;
}
