// Extended attributes kept in memory: user.*, trusted.* and security.*; ACLs are not implemented (as a mount with noacl).
import { EOPNOTSUPP } from "../../abi/errno.ts";
import { errno } from "../linux-error.ts";
import { Inode } from "./inode.ts";

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

const NO_XATTRS = new Xattrs();

/** An inode whose attributes last as long as it does; never given to a host, to which they may mean something (security.capability). */
export abstract class InodeWithXattrs extends Inode {
  private xattrs: Xattrs | null = null;

  override getXattr(name: string): Uint8Array | null {
    return (this.xattrs ?? NO_XATTRS).get(name);
  }

  override setXattr(name: string, value: Uint8Array): void {
    this.xattrs ??= new Xattrs();
    this.xattrs.set(name, value);
    this.touchChanged();
  }

  override removeXattr(name: string): boolean {
    if (!(this.xattrs ?? NO_XATTRS).remove(name)) return false;
    this.touchChanged();
    return true;
  }

  override listXattrs(): string[] {
    return this.xattrs?.list() ?? [];
  }
}
