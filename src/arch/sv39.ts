// The one place that knows RISC-V Sv39: page-table entry bits, virtual-address limits and level indices. No state.
//
// PTE low word (RISC-V privileged manual, section "Sv39"; the high word is always 0 here, so a PTE is one uint32):
//
//   31                10 9   8    7 6 5 4 3 2 1 0
//   +------------------+-+-------+-+-+-+-+-+-+-+-+
//   | PFN (22 bits)    | | RSW0  |D|A|G|U|X|W|R|V|
//   +------------------+-+-------+-+-+-+-+-+-+-+-+
//
//   word                       meaning
//   0                          none
//   V=1, RWX=0                 pointer to the next table
//   V=1, RWX!=0                present leaf; SPECIAL (RSW0) marks the shared zero frame: not in the reverse map nor in RSS
//   V=0, G=1                   resident but PROT_NONE (the PFN field names the frame; the hardware never walks it)
//   V=0, G=0, other bits       swap entry: slot in bits 11-31, slot 0 unused

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 1 << PAGE_SHIFT;
export const PAGE_MASK = PAGE_SIZE - 1;

export const PTE_V = 1 << 0;
export const PTE_R = 1 << 1;
export const PTE_W = 1 << 2;
export const PTE_X = 1 << 3;
export const PTE_U = 1 << 4;
export const PTE_G = 1 << 5;
export const PTE_A = 1 << 6;
export const PTE_D = 1 << 7;
export const PTE_SPECIAL = 1 << 8;
export const PTE_RWX = PTE_R | PTE_W | PTE_X;
export const PTE_PFN_SHIFT = 10;
export const PTE_SLOT_SHIFT = 11;

/** Byte of its page that an address is, from 0. By multiplication: `%` of a double is a call into the C library. */
export function offsetInPage(address: number): number {
  return address - Math.floor(address / PAGE_SIZE) * PAGE_SIZE;
}

/** Bytes of a PTE in memory (a 64-bit word of which only the low half is ever non-zero). */
export const PTE_BYTES = 8;
export const PTES_PER_TABLE = 512;
export const LEVELS = 3;

/** End of user space: user virtual addresses are [0, USER_END) = 256 GiB (Linux TASK_SIZE for Sv39). */
export const USER_END = 2 ** 38;
export const USER_VPN_END = 2 ** 26;

/** Index of `vpn` in the table of `level` (2 = root, 0 = leaves). */
export function tableIndex(vpn: number, level: number): number {
  return (vpn >>> (9 * level)) & 0x1ff;
}

export function pteToPfn(pte: number): number {
  return pte >>> PTE_PFN_SHIFT;
}

export function pfnToPte(pfn: number, bits: number): number {
  return ((pfn << PTE_PFN_SHIFT) | bits) >>> 0;
}

export function isPresent(pte: number): boolean {
  return (pte & PTE_V) !== 0;
}

/** Present leaf or PROT_NONE leaf: the entry holds a frame. */
export function holdsFrame(pte: number): boolean {
  return (pte & (PTE_V | PTE_G)) !== 0;
}

export function isSwapEntry(pte: number): boolean {
  return pte !== 0 && (pte & (PTE_V | PTE_G)) === 0;
}

export function slotToPte(slot: number): number {
  // Bit 1 keeps the word non-zero and distinguishable in dumps; V and G stay clear.
  return ((slot << PTE_SLOT_SHIFT) | PTE_R) >>> 0;
}

export function pteToSlot(pte: number): number {
  return pte >>> PTE_SLOT_SHIFT;
}
