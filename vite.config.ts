import { defineConfig } from "vite";

// The page: `npm run build` writes it to dist/web, for `faultline ui`; `npm run build:web` writes the same files, which run by themselves.
export default defineConfig({
  root: "src/web",
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../../dist/web",
    emptyOutDir: true,
    target: "es2022",
    chunkSizeWarningLimit: 2000,
  },
  worker: { format: "es" },
});
