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
export type ExitReason = 0 | 1 | 2 | 3 | 4 | 5;
