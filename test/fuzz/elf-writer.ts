// Writes static riscv64 ELF executables for fuzzing: one segment that may be read, written and run, loaded at its address.
// Not a linker.

const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const PAGE = 4096;
const EM_RISCV = 243;
/** Double-precision calling convention, compressed instructions. */
const FLAGS = 0x0005;

/** An executable whose bytes lie at `address` (a multiple of 4096) and which starts at `entry`. */
export function writeElf(address: number, entry: number, bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(PAGE + bytes.length);
  const view = new DataView(out.buffer);
  out.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, EM_RISCV, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(entry), true);
  view.setBigUint64(32, BigInt(HEADER_BYTES), true);
  view.setUint32(48, FLAGS, true);
  view.setUint16(52, HEADER_BYTES, true);
  view.setUint16(54, PROGRAM_HEADER_BYTES, true);
  view.setUint16(56, 1, true);
  const header = HEADER_BYTES;
  view.setUint32(header, 1, true); // PT_LOAD
  view.setUint32(header + 4, 7, true);
  view.setBigUint64(header + 8, BigInt(PAGE), true);
  view.setBigUint64(header + 16, BigInt(address), true);
  view.setBigUint64(header + 24, BigInt(address), true);
  view.setBigUint64(header + 32, BigInt(bytes.length), true);
  view.setBigUint64(header + 40, BigInt(bytes.length), true);
  view.setBigUint64(header + 48, BigInt(PAGE), true);
  out.set(bytes, PAGE);
  return out;
}
