// What Unix sockets of all types share: names, peers' credentials, options, readiness, in-flight files (net/unix/af_unix.c).
// Connections and datagrams are in unix-stream.ts and unix-datagram.ts.
import * as E from "../../abi/errno.ts";
import * as P from "../../abi/poll.ts";
import * as S from "../../abi/socket.ts";
import { decodeUtf8 } from "../../util/utf8.ts";
import type { Kernel } from "../kernel.ts";
import { errno } from "../linux-error.ts";
import type { Task } from "../task.ts";
import type { Inode } from "../vfs/inode.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { credentialBytes, type Outgoing, SHUTDOWN_BOTH, SHUTDOWN_RECEIVE, SocketFile } from "./socket.ts";
import { decodeUnix, UNNAMED, type UnixAddress } from "./socket-address.ts";
import type { SocketCredentials } from "./socket-queue.ts";
import { collectInFlight } from "./unix-gc.ts";
import { createSocketNode, findSocketNode, nodeExists } from "./unix-paths.ts";
import { viewOf } from "./user-memory.ts";

export abstract class UnixSocket extends SocketFile {
  bound: UnixAddress = UNNAMED;
  protected boundInode: Inode | null = null;
  peer: UnixSocket | null = null;
  dead = false;
  /** Made by connect() and not yet accepted: only the listener knows it. */
  abstract isUnaccepted: boolean;
  /** SO_PEERCRED: who called connect(), listen() or socketpair() on the other side. */
  peerCredentials: SocketCredentials | null = null;
  peerGroups: readonly number[] = [];

  constructor(k: Kernel, type: number) {
    super(k, S.AF_UNIX, type, 0);
    k.ipc.unix.sockets.add(this);
  }

  override bind(t: Task, bytes: Uint8Array): number {
    const address = decodeUnix(bytes);
    const { unix } = this.kernel.ipc;
    if (address.kind === "unnamed") {
      this.autobind();
      return 0;
    }
    // bind() makes the node before it notices that the socket has a name: an existing path is the first complaint.
    if (this.bound.kind !== "unnamed") {
      return address.kind === "path" && nodeExists(this.kernel, t, address.name) ? -E.EADDRINUSE : -E.EINVAL;
    }
    if (address.kind === "abstract") {
      const key = `${this.type}:${address.name}`;
      if (unix.abstractNames.has(key)) return -E.EADDRINUSE;
      unix.abstractNames.set(key, this);
    } else {
      const inode = createSocketNode(this.kernel, t, address.name);
      unix.boundInodes.set(inode, this);
      this.boundInode = inode;
    }
    this.bound = address;
    return 0;
  }

  protected autobind(): void {
    if (this.bound.kind !== "unnamed") return;
    const { unix } = this.kernel.ipc;
    this.bound = unix.nextAutobind(this.type);
    unix.abstractNames.set(`${this.type}:${this.bound.name}`, this);
  }

  /** unix_find_other: the live socket that an address names; throws ECONNREFUSED, EPROTOTYPE and path errors. */
  protected findOther(t: Task, bytes: Uint8Array): UnixSocket {
    const address = decodeUnix(bytes);
    const { unix } = this.kernel.ipc;
    if (address.kind === "unnamed") throw errno(E.ECONNREFUSED);
    if (address.kind === "abstract") {
      const found = unix.abstractNames.get(`${this.type}:${address.name}`);
      if (found === undefined) throw errno(E.ECONNREFUSED);
      return found;
    }
    const found = unix.boundInodes.get(findSocketNode(this.kernel, t, address.name));
    if (found === undefined) throw errno(E.ECONNREFUSED);
    if (found.type !== this.type) throw errno(E.EPROTOTYPE);
    return found;
  }

  override localAddress(): Uint8Array {
    return this.bound.encoded;
  }

  override peerAddress(): Uint8Array {
    if (this.peer === null) throw errno(E.ENOTCONN);
    return this.peer.bound.encoded;
  }

  /** unix_writable: a quarter of the send buffer in flight is the most that counts as writable. */
  protected get sendable(): boolean {
    return this.inFlightBytes * 4 <= this.sendBufferBytes;
  }

  override poll(): number {
    let mask = 0;
    if (this.error !== 0) mask |= P.POLLERR;
    if (this.shutdownState === SHUTDOWN_BOTH) mask |= P.POLLHUP;
    if ((this.shutdownState & SHUTDOWN_RECEIVE) !== 0) mask |= P.POLLRDHUP | P.POLLIN | P.POLLRDNORM;
    if (this.hasInput) mask |= P.POLLIN | P.POLLRDNORM;
    if (this.hasHungUp) mask |= P.POLLHUP;
    if (this.canSend) mask |= P.POLLOUT | P.POLLWRNORM | P.POLLWRBAND;
    return mask;
  }

  protected get hasInput(): boolean {
    return !this.received.empty;
  }

  protected get hasHungUp(): boolean {
    return false;
  }

  protected get canSend(): boolean {
    return this.sendable;
  }

  override shutdown(how: number): number {
    if (how < 0 || how > 2) return -E.EINVAL;
    const mode = how + 1;
    this.shutdownState |= mode;
    const other = this.peer;
    if (other !== null && this.type !== S.SOCK_DGRAM) {
      // What one side no longer sends the other can no longer receive, and the other way round.
      const mirrored = ((mode & 1) << 1) | (mode >> 1);
      other.shutdownState |= mirrored;
      other.wakeAll();
    }
    this.wakeAll();
    return 0;
  }

  wakeAll(): void {
    this.readQueue.wake();
    this.writeQueue.wake();
  }

  override getOption(t: Task, level: number, name: number): Uint8Array {
    if (level === S.SOL_SOCKET) {
      if (name === S.SO_PEERCRED && this.peerCredentials !== null) return credentialBytes(this.peerCredentials);
      if (name === S.SO_PEERNAME) return this.peerAddress();
      if (name === S.SO_PEERGROUPS) {
        if (this.peerCredentials === null) throw errno(E.ENODATA);
        const bytes = new Uint8Array(this.peerGroups.length * 4);
        const view = viewOf(bytes);
        for (let i = 0; i < this.peerGroups.length; i++) view.setUint32(i * 4, this.peerGroups[i], true);
        return bytes;
      }
    }
    return super.getOption(t, level, name);
  }

  /** Checks what a sender claims (scm_check_creds), or makes its real identity. */
  protected senderCredentials(t: Task, message: Outgoing): SocketCredentials {
    return message.credentials ?? credentialsOf(t);
  }

  /** unix_release_sock, the part common to all types. */
  protected override closed(): void {
    super.closed();
    this.dead = true;
    const { unix } = this.kernel.ipc;
    unix.sockets.delete(this);
    if (this.bound.kind === "abstract") unix.abstractNames.delete(`${this.type}:${this.bound.name}`);
    if (this.boundInode !== null) unix.boundInodes.delete(this.boundInode);
    this.shutdownState = SHUTDOWN_BOTH;
    this.disconnectPeers();
    this.purge();
    this.peer = null;
    this.wakeAll();
    collectInFlight(this.kernel);
  }

  protected abstract disconnectPeers(): void;

  /** Drops what nobody received, files on their way included. */
  purge(): void {
    dropFiles(this.kernel, this.received.clear());
  }

  /** Connections nobody accepted yet: their queues belong to this socket. */
  get unaccepted(): readonly UnixSocket[] {
    return [];
  }

  /** The name as /proc/net/unix shows it. */
  get displayName(): string {
    return this.bound.kind === "abstract" ? `@${decodeUtf8(this.bound.encoded, 3)}` : this.bound.name;
  }
}

export function credentialsOf(t: Task): SocketCredentials {
  return { pid: t.process.pid, uid: t.credentials.uid, gid: t.credentials.gid };
}

export function effectiveCredentialsOf(t: Task): SocketCredentials {
  return { pid: t.process.pid, uid: t.credentials.euid, gid: t.credentials.egid };
}

/** unix_inflight: files that start to travel. */
export function filesSent(k: Kernel, files: readonly OpenFile[]): void {
  const { inFlight } = k.ipc.unix;
  for (const file of files) if (file instanceof UnixSocket) inFlight.set(file, (inFlight.get(file) ?? 0) + 1);
}

/** References that nobody will receive. */
export function dropFiles(k: Kernel, files: readonly OpenFile[]): void {
  filesArrived(k, files);
  for (const file of files) file.release();
}

/** unix_notinflight: files that arrived or were dropped. */
export function filesArrived(k: Kernel, files: readonly OpenFile[]): void {
  const { inFlight } = k.ipc.unix;
  for (const file of files) {
    if (!(file instanceof UnixSocket)) continue;
    const count = (inFlight.get(file) ?? 0) - 1;
    if (count > 0) inFlight.set(file, count);
    else inFlight.delete(file);
  }
}
