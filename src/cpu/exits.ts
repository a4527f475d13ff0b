// Why Hart.run() returned.

/** The budget is used up; pc is the next instruction. */
export const EXIT_FUEL = 0;
/** At the instruction itself (the kernel adds its length after serving it). */
export const EXIT_ECALL = 1;
/** faultAddress and faultAccess say what; pc is the instruction to run again. */
export const EXIT_PAGE_FAULT = 2;
export const EXIT_ILLEGAL = 3;
export const EXIT_BREAKPOINT = 4;
/** An atomic whose address is not a multiple of its size: SIGBUS BUS_ADRALN. */
export const EXIT_MISALIGNED_ATOMIC = 5;
/** Only from runExactly(): the limit is reached, between two instructions of straight-line code. */
export const EXIT_LIMIT = 6;
/** Only while stop addresses are set (Hart.setStops): pc is one of them, the instruction there has not run. */
export const EXIT_STOP = 7;
export type ExitReason = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
