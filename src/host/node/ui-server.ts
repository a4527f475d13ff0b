// Serves the page of `faultline ui` and connects it with a session: loopback only, a token per run, static files and one WebSocket.
import { randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize, sep } from "node:path";
import { type WebSocket, WebSocketServer } from "ws";
import { HostError } from "../../machine/index.ts";
import type { ClientMessage } from "../../session/protocol.ts";
import type { Session } from "../../session/session.ts";
import { decodeMessage, encodeMessage } from "../../session/wire.ts";

const LOOPBACK = "127.0.0.1";
const MOST_MESSAGE_BYTES = 1 << 20;
/** A page that does not read is not sent more than this. */
const MOST_UNSENT_BYTES = 64 << 20;
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".json": "application/json",
};
const HEADERS = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Content-Security-Policy":
    "default-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self' ws://127.0.0.1:* ws://localhost:*; img-src 'self' data:; worker-src 'self' blob:; script-src 'self' 'wasm-unsafe-eval'; frame-ancestors 'none'",
};

export interface UiServer {
  /** Address of the page, with its token. */
  readonly url: string;
  close(): Promise<void>;
}

/** Throws HostError when the page was not built or the port cannot be had. `port` 0: any. */
export async function serveUi(session: Session, pageFolder: string, port: number): Promise<UiServer> {
  if (!existsSync(join(pageFolder, "index.html")))
    throw new HostError(`the page is not built (${pageFolder}): run npm run build`);
  const token = randomBytes(18).toString("base64url");
  const server = createServer((request, response) => answer(request, response, pageFolder, token));
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MOST_MESSAGE_BYTES });
  server.on("upgrade", (request, socket, head) => {
    if (!isAllowed(request, token) || pathOf(request) !== "/session") {
      socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n");
      return;
    }
    sockets.handleUpgrade(request, socket, head, (page) => connect(session, page));
  });
  await listen(server, port);
  const address = server.address() as AddressInfo;
  return {
    url: `http://${LOOPBACK}:${address.port}/?token=${token}`,
    close: () =>
      new Promise((resolve) => {
        for (const page of sockets.clients) page.terminate();
        sockets.close();
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(new HostError(`cannot listen on port ${port}: ${error.message}`)));
    server.listen(port, LOOPBACK, resolve);
  });
}

function connect(session: Session, page: WebSocket): void {
  const send = (message: unknown) => {
    if (page.readyState !== page.OPEN) return;
    if (page.bufferedAmount > MOST_UNSENT_BYTES) page.terminate();
    else page.send(encodeMessage(message));
  };
  const leave = session.attach(send);
  page.on("message", (data: Buffer) => {
    let message: ClientMessage;
    try {
      message = decodeMessage(new Uint8Array(data)) as ClientMessage;
    } catch {
      page.close(1007, "not a message");
      return;
    }
    session.receive(message, send);
  });
  page.on("close", leave);
  page.on("error", leave);
}

/** Files are public programs of this package; only pages and the session need the token. */
function answer(request: IncomingMessage, response: ServerResponse, folder: string, token: string): void {
  const path = pathOf(request);
  const isPage = path === "/" || path === "/index.html";
  const refusal = refusalOf(request, isPage, token);
  if (refusal !== null) {
    refuse(response, ...refusal);
    return;
  }
  const file = join(folder, normalize(isPage ? "/index.html" : path));
  try {
    if (!file.startsWith(folder + sep)) throw new Error("outside of the page's folder");
    const bytes = readFileSync(file);
    response.writeHead(200, { ...HEADERS, "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" });
    response.end(request.method === "HEAD" ? undefined : bytes);
  } catch {
    refuse(response, 404, "no such file");
  }
}

function refusalOf(request: IncomingMessage, isPage: boolean, token: string): [number, string] | null {
  if (!isLocal(request) || (isPage && !isAllowed(request, token))) return [403, "wrong or missing token"];
  return request.method === "GET" || request.method === "HEAD" ? null : [405, "only GET"];
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { ...HEADERS, "Content-Type": "text/plain" });
  response.end(`${why}\n`);
}

const pathOf = (request: IncomingMessage): string => (request.url ?? "/").split("?")[0];

/** Against pages of other sites: the Host must be loopback (DNS rebinding), and so must an Origin. */
function isLocal(request: IncomingMessage): boolean {
  const local = /^(127\.0\.0\.1|localhost)(:\d+)?$/;
  const { host, origin } = request.headers;
  if (host === undefined || !local.test(host)) return false;
  return origin === undefined || local.test(origin.replace(/^http:\/\//, ""));
}

function isAllowed(request: IncomingMessage, token: string): boolean {
  if (!isLocal(request)) return false;
  const given = Buffer.from(new URLSearchParams((request.url ?? "").split("?")[1] ?? "").get("token") ?? "");
  const wanted = Buffer.from(token);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
