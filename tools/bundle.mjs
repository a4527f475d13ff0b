// Makes dist/bundle: the modules of `faultline run` as one script, V8's compiled form of what a short run of it uses, and the
// interpreters with their machine code, so that the command starts in a fraction of the time.
// src/cli/bundle.ts loads it; without it everything works, slower.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";

const self = fileURLToPath(import.meta.url);
const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const entry = `${dist}cli/bundle-entry.js`;
const folder = `${dist}bundle`;
const bundle = `${folder}/run.cjs`;

if (process.argv[2] === "compile") await compile();
else await make();

async function make() {
  rmSync(folder, { recursive: true, force: true });
  const { build } = await import("vite");
  await build({
    configFile: false,
    logLevel: "warn",
    plugins: [
      {
        name: "faultline",
        // `run` installs nothing.
        load: (id) => (id === `${dist}host/node/install/installer.js` ? "export {};" : null),
        // Addresses relative to a module stay relative to that module.
        transform: (code, id) =>
          code.includes("import.meta.url")
            ? {
                code: code.replaceAll("import.meta.url", `moduleUrl(${JSON.stringify(relative(dist, id))})`),
                map: null,
              }
            : null,
      },
    ],
    ssr: { noExternal: true, target: "node" },
    build: {
      ssr: entry,
      outDir: folder,
      emptyOutDir: false,
      minify: false,
      target: "node20",
      rollupOptions: { output: { comments: false, format: "cjs", entryFileNames: "run.cjs", codeSplitting: false } },
    },
  });
  // Text of one byte a character is read and kept at half the price.
  const ascii = loadWhenUsed(readFileSync(bundle, "utf8")).replaceAll(
    /[^\0-\x7f]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  writeFileSync(bundle, ascii);
  writeFileSync(`${folder}/build`, createHash("sha256").update(ascii).digest("hex").slice(0, 16));
  // In a process of its own: the program that it runs waits for input until there is none.
  const { status } = spawnSync(process.execPath, [self, "compile"], { stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) throw new Error(`the first run of the bundle ended with status ${status}`);
}

/** Modules of Node that few runs need and that take milliseconds to load are loaded when something of them is used. */
function loadWhenUsed(text) {
  const lazily = (name) => {
    let module;
    return new Proxy({}, { get: (_, key) => (module ??= require(name))[key] });
  };
  return `const lazily = ${lazily};\n${text.replaceAll(/= require\("node:(crypto|zlib|child_process|os|tty)"\)/g, '= lazily("node:$1")')}`;
}

/** What a first run has compiled is what a later run need not compile. */
async function compile() {
  const { evaluateBundle } = await import(`${dist}cli/bundle.js`);
  const { script, exports } = evaluateBundle(readFileSync(bundle, "latin1"), undefined);
  // First: V8 gives the run below the same code, but not the other way round, as that would not be optimised.
  exports.keepInterpreters(folder);
  process.exitCode = await exports.runCommandLine(["run", "--", "/bin/truths", "fill", "64"], {
    stderr: (text) => process.stderr.write(text),
    run: exports.runProgram,
  });
  // Last and at once: a command that starts meanwhile does without the bundle.
  writeFileSync(`${folder}/run.part`, script.createCachedData());
  renameSync(`${folder}/run.part`, `${folder}/run.cache`);
}
