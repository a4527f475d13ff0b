// The chapters of the guide, in order.
import { area } from "./chapters/area.ts";
import { demandZero } from "./chapters/demand-zero.ts";
import { exec } from "./chapters/exec.ts";
import { fork } from "./chapters/fork.ts";
import { pageCache } from "./chapters/page-cache.ts";
import { pageFault } from "./chapters/page-fault.ts";
import { privateAndShared } from "./chapters/private-and-shared.ts";
import { swap } from "./chapters/swap.ts";
import { tlb } from "./chapters/tlb.ts";
import type { Chapter } from "./question.ts";

export const CHAPTERS: readonly Chapter[] = [
  area,
  pageFault,
  demandZero,
  pageCache,
  privateAndShared,
  fork,
  exec,
  swap,
  tlb,
];

export * from "./question.ts";
