// Everything that inter-process communication keeps per kernel and that no single file owns: names, identifiers, ports.
import type { Kernel } from "../kernel.ts";
import { installTerminals, TerminalState } from "../tty/terminal-state.ts";
import type { Inode, PseudoFileSystem } from "../vfs/inode.ts";
import type { InetSocket } from "./inet-socket.ts";
import { InotifyState } from "./inotify.ts";
import { openFifo } from "./pipe.ts";
import { PortTable } from "./port-table.ts";
import { QueueNamespace } from "./posix-mq.ts";
import { MessageSystem } from "./sysv-msg.ts";
import { SemaphoreSystem } from "./sysv-sem.ts";
import { SharedMemorySystem } from "./sysv-shm.ts";
import { UnixNamespace } from "./unix-namespace.ts";

export class IpcState {
  /** The one inode of anon_inodefs, made when first needed. */
  anonymousInode: Inode | null = null;
  readonly unix = new UnixNamespace();
  readonly inet = { tcp: new PortTable<InetSocket>(), udp: new PortTable<InetSocket>() };
  readonly netlinkPorts = new Set<number>();
  readonly sem = new SemaphoreSystem();
  readonly msg = new MessageSystem();
  readonly shm = new SharedMemorySystem();
  readonly mqueues = new QueueNamespace();
  readonly inotify = new InotifyState();
  readonly terminals = new TerminalState();
  /** The internal tmpfs of memfd_create, made when first needed. */
  memoryFs: PseudoFileSystem | null = null;

  /** Called once by the kernel when its Vfs exists: named pipes and terminals become openable. */
  attach(k: Kernel): void {
    k.vfs.openFifo = openFifo;
    installTerminals(k);
  }
}
