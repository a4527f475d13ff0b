// The names and in-flight references of one kernel's Unix sockets. What the sockets do is in unix-socket.ts.
import type { Inode } from "../vfs/inode.ts";
import { autobindAddress, type UnixAddress } from "./socket-address.ts";
import type { UnixSocket } from "./unix-socket.ts";

export class UnixNamespace {
  /** "type:name" -> socket. */
  readonly abstractNames = new Map<string, UnixSocket>();
  readonly boundInodes = new Map<Inode, UnixSocket>();
  /** References to Unix sockets that wait inside receive queues. */
  readonly inFlight = new Map<UnixSocket, number>();
  /** Every live Unix socket, for /proc/net/unix and the collector. */
  readonly sockets = new Set<UnixSocket>();
  private autobindNumber = 0;
  collecting = false;

  nextAutobind(type: number): UnixAddress {
    for (;;) {
      this.autobindNumber = (this.autobindNumber + 1) & 0xfffff;
      const address = autobindAddress(this.autobindNumber);
      if (!this.abstractNames.has(`${type}:${address.name}`)) return address;
    }
  }
}
