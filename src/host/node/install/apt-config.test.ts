// What is read from the host's apt: mirror, proxy, keys.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { aptProxy, hostKeyrings, hostMirror } from "./apt-config.ts";
import { proxySettings } from "./http.ts";

const folder = mkdtempSync(join(tmpdir(), "faultline-apt-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let apt = "";
let count = 0;
beforeEach(() => {
  apt = join(folder, String(count++));
  for (const name of ["sources.list.d", "apt.conf.d", "trusted.gpg.d"]) mkdirSync(join(apt, name), { recursive: true });
});
const put = (name: string, text: string) => writeFileSync(join(apt, name), text);

describe("the host's apt", () => {
  it("names a mirror in sources.list or sources.list.d", () => {
    expect(hostMirror(join(folder, "missing"))).toBeNull();
    put("sources.list.d/b.sources", "Types: deb\nURIs: http://b.example/debian\nSuites: x\n");
    put("sources.list.d/ignored.save", "deb http://a.example/debian x main\n");
    expect(hostMirror(apt)).toBe("http://b.example/debian");
    put("sources.list.d/a.list", "deb http://a.example/debian/ x main\n");
    expect(hostMirror(apt)).toBe("http://a.example/debian");
    put("sources.list", "deb http://main.example/debian x main\n");
    expect(hostMirror(apt)).toBe("http://main.example/debian");
  });

  it("names a proxy, flat or nested, the last one winning", () => {
    expect(aptProxy(apt, "http")).toBeNull();
    put("apt.conf.d/01a", '// Acquire::http::Proxy "http://comment:1";\nAcquire::http::Proxy "http://flat:1";\n');
    expect([aptProxy(apt, "http"), aptProxy(apt, "https")]).toEqual(["http://flat:1", null]);
    put(
      "apt.conf.d/02b",
      'Acquire {\n  http { Timeout "9"; Proxy "http://nested:2"; };\n  https { Proxy "DIRECT"; };\n};\n',
    );
    expect([aptProxy(apt, "http"), aptProxy(apt, "https")]).toEqual(["http://nested:2", null]);
  });

  it("has archive keys in the keyring package or among the trusted ones", () => {
    const keyrings = join(apt, "keyrings");
    mkdirSync(keyrings);
    expect(hostKeyrings(keyrings, apt)).toEqual([]);
    put("trusted.gpg.d/debian-archive-trixie.asc", "");
    put("trusted.gpg.d/other.gpg", "");
    expect(hostKeyrings(keyrings, apt)).toEqual([join(apt, "trusted.gpg.d/debian-archive-trixie.asc")]);
    put("keyrings/debian-archive-keyring.pgp", "");
    expect(hostKeyrings(keyrings, apt)).toEqual([join(keyrings, "debian-archive-keyring.pgp")]);
  });
});

describe("proxySettings", () => {
  const none = () => null;
  it("reads the environment as curl does, then apt", () => {
    expect(proxySettings({}, none)).toEqual({ http: null, https: null, none: [] });
    expect(proxySettings({ HTTP_PROXY: "a", no_proxy: ".X.example, y *" }, none)).toEqual({
      http: "a",
      https: null,
      none: ["x.example", "y", "*"],
    });
    expect(proxySettings({ http_proxy: "low", HTTP_PROXY: "up", all_proxy: "all" }, none)).toMatchObject({
      http: "low",
      https: "all",
    });
    expect(proxySettings({}, (scheme) => `apt-${scheme}`)).toMatchObject({ http: "apt-http", https: "apt-https" });
  });
});
