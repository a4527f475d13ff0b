// Where the tests are and how long they may take.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    pool: "forks",
    // Runs leave nothing behind with the user, and do not depend on what others left (host/node/code-store.ts).
    env: { FAULTLINE_CODE_CACHE: "off" },
    // What a page or a terminal shows is waited for; on a loaded machine that takes its time.
    expect: { poll: { timeout: 20_000 } },
  },
});
