// Who is bound to which port of one protocol, and which port comes next when nobody asks for one.
import type { InetSocket } from "./inet-socket.ts";

/** net.ipv4.ip_local_port_range. */
const FIRST_EPHEMERAL_PORT = 32768;
const LAST_EPHEMERAL_PORT = 60999;

export class PortTable<T extends InetSocket> {
  private readonly ports = new Map<number, Set<T>>();
  private nextEphemeral = FIRST_EPHEMERAL_PORT;

  at(port: number): Iterable<T> {
    return this.ports.get(port) ?? [];
  }

  *all(): Iterable<T> {
    for (const sockets of this.ports.values()) yield* sockets;
  }

  add(socket: T, port: number): void {
    let sockets = this.ports.get(port);
    if (sockets === undefined) this.ports.set(port, (sockets = new Set()));
    sockets.add(socket);
  }

  remove(socket: T, port: number): void {
    const sockets = this.ports.get(port);
    if (sockets?.delete(socket) === true && sockets.size === 0) this.ports.delete(port);
  }

  /** A port nobody uses; 0 when all are taken. */
  chooseEphemeral(): number {
    for (let tries = FIRST_EPHEMERAL_PORT; tries <= LAST_EPHEMERAL_PORT; tries++) {
      const port = this.nextEphemeral;
      this.nextEphemeral = port === LAST_EPHEMERAL_PORT ? FIRST_EPHEMERAL_PORT : port + 1;
      if (!this.ports.has(port)) return port;
    }
    return 0;
  }
}
