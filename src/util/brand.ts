// Branded numbers: a unit in the type, nothing at run time.
export type Pfn = number & { readonly __unit: "pfn" };
export type Vpn = number & { readonly __unit: "vpn" };
/** Byte offset of a PTE in physical memory (not in the wasm memory that backs it). */
export type PteAddr = number & { readonly __unit: "pte-address" };
export type PageIndex = number & { readonly __unit: "page-index" };
export type SwapSlot = number & { readonly __unit: "swap-slot" };
