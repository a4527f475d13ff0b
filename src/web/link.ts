// The way from the page to its session: a WebSocket to `faultline ui`, or a worker that runs the machine in this browser.
import MachineWorker from "../host/browser/worker.ts?worker&inline";
import type { ClientMessage, ServerMessage } from "../session/protocol.ts";
import { decodeMessage, encodeMessage } from "../session/wire.ts";

export interface Link {
  send(message: ClientMessage): void;
}

interface LinkEvents {
  message(message: ServerMessage): void;
  /** The other side is gone; nothing more will come. */
  closed(why: string): void;
}

/** A page that was served with a token has a server behind it. */
export function openLink(events: LinkEvents): Link {
  const token = new URLSearchParams(location.search).get("token");
  return token === null ? workerLink(events) : socketLink(token, events);
}

function socketLink(token: string, events: LinkEvents): Link {
  const socket = new WebSocket(`ws://${location.host}/session?token=${encodeURIComponent(token)}`);
  socket.binaryType = "arraybuffer";
  const waiting: ClientMessage[] = [];
  socket.onopen = () => {
    for (const message of waiting.splice(0)) socket.send(encodeMessage(message) as Uint8Array<ArrayBuffer>);
  };
  socket.onmessage = ({ data }) => events.message(decodeMessage(new Uint8Array(data as ArrayBuffer)) as ServerMessage);
  socket.onclose = () => events.closed("faultline ui has ended");
  return {
    send(message) {
      if (socket.readyState === WebSocket.CONNECTING) waiting.push(message);
      else if (socket.readyState === WebSocket.OPEN) socket.send(encodeMessage(message) as Uint8Array<ArrayBuffer>);
    },
  };
}

function workerLink(events: LinkEvents): Link {
  const worker = new MachineWorker();
  worker.onmessage = ({ data }) => events.message(data as ServerMessage);
  worker.onerror = (event) => events.closed(`the machine's worker failed: ${event.message}`);
  return { send: (message) => worker.postMessage(message) };
}
