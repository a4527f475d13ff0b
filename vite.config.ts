// The page: `npm run build` writes it to dist/web, for `faultline ui`; `npm run build:web` also makes one file of them, which runs by itself.
import { defineConfig } from "vite";

export default defineConfig({
  root: "src/web",
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../../dist/web",
    emptyOutDir: true,
    target: "es2022",
    // The worker and the bundled programs are in the script itself, so that the page can be one file (tools/single-file.mjs).
    assetsInlineLimit: 1 << 20,
    chunkSizeWarningLimit: 2000,
  },
  worker: { format: "iife" },
});
