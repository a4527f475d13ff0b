// What can go wrong in an install that is not the fault of the bytes: wrong usage (status 2) and failed work (status 1).

export class InstallError extends Error {
  override readonly name = "InstallError";
  /** 2: the request cannot be right as it is; 1: it was right and failed (network, disk). */
  readonly status: 1 | 2;

  constructor(message: string, status: 1 | 2) {
    super(message);
    this.status = status;
  }
}
