// Extended attributes kept in memory: user.*, trusted.* and security.*; ACLs are not implemented (as a mount with noacl).
import { EOPNOTSUPP } from "../../abi/errno.ts";
import { errno } from "../linux-error.ts";

export class Xattrs {
  private values: Map<string, Uint8Array> | null = null;

  get(name: string): Uint8Array | null {
    requireName(name);
    return this.values?.get(name) ?? null;
  }

  set(name: string, value: Uint8Array): void {
    requireName(name);
    this.values ??= new Map();
    this.values.set(name, value);
  }

  /** False when it was not there. */
  remove(name: string): boolean {
    requireName(name);
    return this.values?.delete(name) ?? false;
  }

  list(): string[] {
    return this.values === null ? [] : [...this.values.keys()];
  }
}

function requireName(name: string): void {
  if (!/^(user|trusted|security)\../.test(name)) throw errno(EOPNOTSUPP);
}
