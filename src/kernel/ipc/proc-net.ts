// The text of /proc/net/{tcp,tcp6,udp,udp6,unix}: one line per socket, in the kernel's formats.
import { AF_INET, SOCK_DGRAM, SOCK_SEQPACKET } from "../../abi/socket.ts";
import type { Kernel } from "../kernel.ts";
import type { InetSocket } from "./inet-socket.ts";
import type { InetAddress } from "./socket-address.ts";
import { ANY_V4, ANY_V6 } from "./socket-address.ts";
import { TcpSocket } from "./tcp-socket.ts";
import { UnixStream } from "./unix-stream.ts";

const HEADER =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n";
const HEADER6 =
  "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
/** TCP_CLOSE and TCP_ESTABLISHED stand for unconnected and connected UDP sockets. */
const UDP_UNCONNECTED = 7;
const UDP_CONNECTED = 1;

/** Addresses are printed as the CPU reads their 32-bit words: little-endian. */
function hostText(host: string, v4: boolean): string {
  const words = v4 ? [host.slice(24)] : [0, 8, 16, 24].map((at) => host.slice(at, at + 8));
  return words
    .map((word) => [6, 4, 2, 0].map((at) => word.slice(at, at + 2)).join(""))
    .join("")
    .toUpperCase();
}

function addressText(address: InetAddress | null, v4: boolean): string {
  const host = address?.host ?? (v4 ? ANY_V4 : ANY_V6);
  const port = (address?.port ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return `${hostText(host, v4)}:${port}`;
}

function hex(value: number, width: number): string {
  return value.toString(16).toUpperCase().padStart(width, "0");
}

function line(index: number, socket: InetSocket, state: number): string {
  const v4 = socket.family === AF_INET;
  const queues = `${hex(socket.inFlightBytes, 8)}:${hex(socket.received.byteCount, 8)}`;
  return `${String(index).padStart(4)}: ${addressText(socket.local, v4)} ${addressText(socket.remote, v4)} ${hex(state, 2)} ${queues} 00:00000000 00000000 ${String(socket.ownerUid).padStart(5)}        0 ${socket.ino} ${socket.referenceCount} 0000000000000000 100 0 0 10 0\n`;
}

export function formatTcp(k: Kernel, family: number): string {
  let text = family === AF_INET ? HEADER : HEADER6;
  let index = 0;
  for (const socket of k.ipc.inet.tcp.all()) {
    if (socket instanceof TcpSocket && socket.family === family) text += line(index++, socket, socket.stateNumber);
  }
  return text;
}

export function formatUdp(k: Kernel, family: number): string {
  let text = family === AF_INET ? HEADER : HEADER6;
  let index = 0;
  for (const socket of k.ipc.inet.udp.all()) {
    if (socket.family !== family) continue;
    text += line(index++, socket, socket.remote === null ? UDP_UNCONNECTED : UDP_CONNECTED);
  }
  return text;
}

/** unix_seq_show: flags 00010000 for listeners, state 01 unconnected, 03 connected. */
export function formatUnix(k: Kernel): string {
  let text = "Num       RefCount Protocol Flags    Type St Inode Path\n";
  for (const socket of k.ipc.unix.sockets) {
    const flags = socket.listening ? 0x10000 : 0;
    const state = socket instanceof UnixStream && socket.peer !== null ? 3 : 1;
    const type = socket.type === SOCK_DGRAM ? 2 : socket.type === SOCK_SEQPACKET ? 5 : 1;
    const name = socket.displayName === "" ? "" : ` ${socket.displayName}`;
    text += `0000000000000000: ${hex(socket.referenceCount, 8)} 00000000 ${hex(flags, 8)} ${hex(type, 4)} ${hex(state, 2)} ${String(socket.ino).padStart(5)}${name}\n`;
  }
  return text;
}
