// The exception for what a user did wrong on the command line; main turns it into one line on stderr and an exit status.

export class CliError extends Error {
  override readonly name = "CliError";
  /** 2 for wrong usage; 126/127 as a shell for programs that cannot be run or are not there; 1 for failed work. */
  readonly status: number;

  constructor(message: string, status = 2) {
    super(message);
    this.status = status;
  }
}
