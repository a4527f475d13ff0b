// Finds loads (or stores) of a block that can share one look in the TLB: same base register, not written in between, little
// apart. A group's look-up answers for all its members or for none; nothing can change a mapping within a block without leaving it.
import type { BlockInstruction } from "./blocks.ts";

export interface AccessGroup {
  readonly base: number;
  readonly isStore: boolean;
  readonly first: BlockInstruction;
  readonly members: BlockInstruction[];
  /** Offsets from the base register: of an aligned place at or before the lowest byte, and behind the highest byte. */
  low: number;
  end: number;
  /** Size of the largest member: `low` must be a multiple of it in the guest, and then every member is aligned. */
  align: number;
}

/** Bytes that a group spans at most. */
const MOST_BYTES = 1024;

const LOAD = 0x03;
const LOAD_FP = 0x07;
const STORE = 0x23;
const STORE_FP = 0x27;

/** Bytes of a plain load or store; 0 for other instructions. */
function accessSize({ row }: BlockInstruction): number {
  const opcode = row!.match & 0x7f;
  if (opcode !== LOAD && opcode !== LOAD_FP && opcode !== STORE && opcode !== STORE_FP) return 0;
  return 1 << ((row!.match >>> 12) & 3);
}

/** The group of each access that shares its look-up with others. */
export function groupAccesses(instructions: readonly BlockInstruction[]): Map<BlockInstruction, AccessGroup> {
  const groups: AccessGroup[] = [];
  /** By base register, doubled, plus 1 for stores. */
  const open = new Map<number, AccessGroup>();
  for (const d of instructions) {
    const size = accessSize(d);
    const isStore = d.row!.format === "S";
    if (size > 0 && d.rs1 !== 0) {
      const key = d.rs1 * 2 + (isStore ? 1 : 0);
      const group = open.get(key);
      if (group === undefined || !join(group, d, size)) {
        const fresh = { base: d.rs1, isStore, first: d, members: [d], low: d.imm, end: d.imm + size, align: size };
        open.set(key, fresh);
        groups.push(fresh);
      }
    }
    // Over-careful for floating-point results, whose rd is no integer register.
    if (!isStore && d.row!.format !== "B") {
      open.delete(d.rd * 2);
      open.delete(d.rd * 2 + 1);
    }
  }
  const groupOf = new Map<BlockInstruction, AccessGroup>();
  for (const group of groups) {
    if (group.members.length > 1) for (const d of group.members) groupOf.set(d, group);
  }
  return groupOf;
}

/** Takes the access into the group, unless the two cannot both be aligned or are too far apart. */
function join(group: AccessGroup, d: BlockInstruction, size: number): boolean {
  if ((d.imm - group.low) % Math.min(size, group.align) !== 0) return false;
  const align = Math.max(size, group.align);
  // `low` keeps the alignment of the largest member.
  const reference = size > group.align ? d.imm : group.low;
  const lowest = Math.min(group.low, d.imm);
  const low = reference - Math.ceil((reference - lowest) / align) * align;
  const end = Math.max(group.end, d.imm + size);
  if (end - low > MOST_BYTES) return false;
  group.low = low;
  group.end = end;
  group.align = align;
  group.members.push(d);
  return true;
}
