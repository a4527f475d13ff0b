// From an error of Node's fs to the Linux errno that a guest sees.
import * as E from "../../abi/errno.ts";
import { errno, type LinuxError } from "../../kernel/linux-error.ts";

const BY_CODE = E as unknown as Record<string, number | undefined>;

/** The LinuxError for whatever an fs call threw; EIO for what Linux has no number for. Rethrows what is no fs error. */
export function hostError(error: unknown): LinuxError {
  const code = (error as NodeJS.ErrnoException).code;
  if (typeof code !== "string") throw error;
  return errno(BY_CODE[code] ?? E.EIO);
}
