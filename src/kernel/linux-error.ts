// The exception that deep kernel code throws for a Linux error; the system-call dispatcher turns it into -errno.

/** Deliberately not an Error: no stack is captured, so a failed path lookup costs next to nothing. */
export class LinuxError {
  readonly errno: number;
  constructor(errno: number) {
    this.errno = errno;
  }
}

const preallocated: LinuxError[] = [];

/** The (shared) exception for a positive errno: `throw errno(ENOENT)`. */
export function errno(number: number): LinuxError {
  return (preallocated[number] ??= new LinuxError(number));
}
