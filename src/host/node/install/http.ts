// Fetches byte streams from a mirror: http, https and file addresses, redirects, proxies, ranges. Retries and caching are
// download.ts's business.
import { createReadStream, statSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import type { Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { fileURLToPath } from "node:url";

/** Silence on the line after which a transfer counts as broken. */
const IDLE_TIMEOUT_MS = 30_000;
const MAX_REDIRECTS = 10;

/** An answer that is not the file. `retry` says whether trying again can help. */
export class HttpError extends Error {
  readonly statusCode: number;
  readonly retry: boolean;
  constructor(message: string, statusCode: number, retry: boolean) {
    super(message);
    this.statusCode = statusCode;
    this.retry = retry;
  }
}

export interface Transfer {
  /** Where the first byte of `body` lies in the file: the offset asked for, or 0 if the server ignored it. */
  startBytes: number;
  /** Size of the whole file, or null if the server does not say. */
  totalBytes: number | null;
  body: AsyncIterable<Uint8Array>;
  /** Ends the transfer before its end. */
  cancel(): void;
}

export interface ProxySettings {
  http: string | null;
  https: string | null;
  /** Host names (with their subdomains) that are asked directly; "*": all. */
  none: readonly string[];
}

/** HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY in either case, as curl reads them; then what apt is told. */
export function proxySettings(
  env: Readonly<Record<string, string | undefined>>,
  fallback: (scheme: "http" | "https") => string | null,
): ProxySettings {
  // HTTP_PROXY in capitals is honoured too: this is no CGI program that a request header could set it for.
  const get = (name: string) => env[name] || env[name.toUpperCase()] || null;
  const none = (get("no_proxy") ?? "").split(/[\s,]+/).filter(Boolean);
  return {
    http: get("http_proxy") ?? get("all_proxy") ?? fallback("http"),
    https: get("https_proxy") ?? get("all_proxy") ?? fallback("https"),
    none: none.map((name) => name.replace(/^\*?\./, "").toLowerCase()),
  };
}

function proxyFor(url: URL, settings: ProxySettings): URL | null {
  const host = url.hostname.toLowerCase();
  const isLocal = host === "localhost" || host === "127.0.0.1" || host === "[::1]";
  const isExempt = settings.none.some((name) => name === "*" || host === name || host.endsWith(`.${name}`));
  const proxy = url.protocol === "https:" ? settings.https : settings.http;
  if (isLocal || isExempt || proxy === null) return null;
  return new URL(proxy.includes("://") ? proxy : `http://${proxy}`);
}

export class HttpClient {
  private readonly proxies: ProxySettings;
  private readonly httpAgent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  private readonly httpsAgent = new https.Agent({ keepAlive: true, maxSockets: 8 });

  constructor(proxies: ProxySettings) {
    this.proxies = proxies;
  }

  /** Opens `address` from byte `fromBytes` on. Throws HttpError for answers, host errors for broken connections. */
  async open(address: string, fromBytes = 0): Promise<Transfer> {
    let url = new URL(address);
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      if (url.protocol === "file:") return openFile(url, fromBytes);
      if (url.protocol !== "http:" && url.protocol !== "https:") {
        throw new HttpError(`${url.protocol}// addresses are not supported`, 0, false);
      }
      const response = await this.request(url, fromBytes);
      const status = response.statusCode ?? 0;
      const { location } = response.headers;
      if (status >= 300 && status < 400 && location) {
        response.resume();
        const next = new URL(location, url);
        if (next.protocol === "file:") throw new HttpError("redirected to a file: address", status, false);
        url = next;
        continue;
      }
      if (status !== 200 && status !== 206) {
        response.resume();
        const retry = status >= 500 || status === 408 || status === 429;
        throw new HttpError(`${status} ${response.statusMessage ?? ""}`.trim(), status, retry);
      }
      return transferOf(response, status, fromBytes);
    }
    throw new HttpError(`more than ${MAX_REDIRECTS} redirects`, 0, false);
  }

  close(): void {
    this.httpAgent.destroy();
    this.httpsAgent.destroy();
  }

  private async request(url: URL, fromBytes: number): Promise<http.IncomingMessage> {
    const headers: Record<string, string> = { "user-agent": "faultline-install", accept: "*/*" };
    if (fromBytes > 0) headers.range = `bytes=${fromBytes}-`;
    if (url.username !== "") headers.authorization = basicAuthorization(url);
    const proxy = proxyFor(url, this.proxies);
    if (proxy === null) {
      const agent = url.protocol === "https:" ? this.httpsAgent : this.httpAgent;
      return send(url.protocol === "https:" ? https : http, url, { headers, agent });
    }
    if (url.protocol === "http:") {
      // A plain request names the whole address to the proxy.
      if (proxy.username !== "") headers["proxy-authorization"] = basicAuthorization(proxy);
      return send(proxy.protocol === "https:" ? https : http, proxy, {
        headers: { ...headers, host: url.host },
        path: `${url.origin}${url.pathname}${url.search}`,
      });
    }
    const socket = await openTunnel(proxy, url);
    return send(https, url, {
      headers,
      agent: false,
      createConnection: () => tlsConnect({ socket, servername: url.hostname }),
    });
  }
}

const basicAuthorization = (url: URL): string =>
  `Basic ${Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`).toString("base64")}`;

function send(
  module: typeof http | typeof https,
  url: URL,
  options: https.RequestOptions,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = module.get(stripCredentials(url), options, resolve);
    request.setTimeout(IDLE_TIMEOUT_MS, () => {
      request.destroy(new Error(`no answer within ${IDLE_TIMEOUT_MS / 1000} seconds`));
    });
    request.on("error", reject);
  });
}

function stripCredentials(url: URL): URL {
  const plain = new URL(url);
  plain.username = "";
  plain.password = "";
  return plain;
}

function openTunnel(proxy: URL, target: URL): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const authority = `${target.hostname}:${target.port || 443}`;
    const headers: Record<string, string> = { host: authority };
    if (proxy.username !== "") headers["proxy-authorization"] = basicAuthorization(proxy);
    const module = proxy.protocol === "https:" ? https : http;
    const request = module.request(stripCredentials(proxy), {
      method: "CONNECT",
      path: authority,
      headers,
      agent: false,
    });
    request.setTimeout(IDLE_TIMEOUT_MS, () => request.destroy(new Error("the proxy does not answer")));
    request.on("connect", (response, socket) => {
      if (response.statusCode === 200) resolve(socket as Socket);
      else
        reject(
          new HttpError(`the proxy refused the connection: ${response.statusCode}`, response.statusCode ?? 0, false),
        );
    });
    request.on("error", reject);
    request.end();
  });
}

function transferOf(response: http.IncomingMessage, status: number, fromBytes: number): Transfer {
  const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers["content-range"] ?? "");
  const length = response.headers["content-length"];
  const startBytes = status === 206 ? Number(range?.[1] ?? fromBytes) : 0;
  let totalBytes: number | null = null;
  if (range) totalBytes = Number(range[2]);
  else if (length !== undefined) totalBytes = startBytes + Number(length);
  return { startBytes, totalBytes, body: response, cancel: () => response.destroy() };
}

function openFile(url: URL, fromBytes: number): Transfer {
  const path = fileURLToPath(url);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isFile()) throw new HttpError("no such file", 404, false);
  const start = Math.min(fromBytes, stat.size);
  const stream = createReadStream(path, { start });
  return { startBytes: start, totalBytes: stat.size, body: stream, cancel: () => stream.destroy() };
}
