// Finds Unix sockets that only wait in each other's receive queues, where no task can ever reach them, and empties those
// queues (net/unix/garbage.c).
import type { Kernel } from "../kernel.ts";
import type { UnixSocket } from "./unix-socket.ts";

/**
 * A candidate is a socket all of whose references are in flight. Whatever can be reached from the other sockets through
 * receive queues stays; the rest is garbage.
 */
export function collectInFlight(k: Kernel): void {
  const { unix } = k.ipc;
  if (unix.inFlight.size === 0 || unix.collecting) return;
  const garbage = new Set<UnixSocket>();
  for (const [socket, count] of unix.inFlight) if (socket.referenceCount === count) garbage.add(socket);
  if (garbage.size === 0) return;
  const open: UnixSocket[] = [];
  for (const socket of unix.sockets) if (!garbage.has(socket) && !socket.isUnaccepted) open.push(socket);
  for (let socket = open.pop(); socket !== undefined; socket = open.pop()) {
    rescue(socket, garbage, open);
    for (const connection of socket.unaccepted) rescue(connection, garbage, open);
  }
  unix.collecting = true;
  for (const socket of garbage) {
    socket.purge();
    for (const connection of socket.unaccepted) connection.purge();
  }
  unix.collecting = false;
}

function rescue(holder: UnixSocket, garbage: Set<UnixSocket>, open: UnixSocket[]): void {
  for (const packet of holder.received.packets) {
    if (packet.rights === null) continue;
    for (const file of packet.rights) {
      const socket = file as UnixSocket;
      if (garbage.delete(socket)) open.push(socket);
    }
  }
}
