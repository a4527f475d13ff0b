// Changes of the area list that keep it canonical (I1): split, merge, add, modify (Linux mm/vma.c, the rules of 6.12). Page
// tables, limits and accounting are the callers' business.
import { EINVAL, ENOMEM } from "../abi/errno.ts";
import type { AddressSpace } from "./address-space.ts";
import type { UserfaultContext } from "./userfault.ts";
import {
  type AreaShape,
  anonVmasAgree,
  linkArea,
  mergesAfter,
  mergesBefore,
  unlinkArea,
  VM_SPECIAL,
  Vma,
} from "./vma.ts";

/** What modifyArea() compares with the neighbours: kept, so that none is made each time. */
const shape: AreaShape = { flags: 0, object: null, file: null, label: null, anonName: null, anonVma: 0 };

/** __split_vma(): cuts the area at vpn; the lower part stays this record, the upper part is returned. */
export function splitArea(area: Vma, vpn: number): Vma {
  const { space } = area;
  const upper = new Vma(space, vpn, area.endVpn, area.flags, area.object, area.file, area.pageIndex(vpn), area.label);
  upper.anonName = area.anonName;
  upper.anonVma = area.anonVma;
  upper.anonVmaSole = area.anonVmaSole;
  upper.userfault = area.userfault;
  linkArea(upper);
  space.areas.setRange(area, area.startVpn, vpn);
  space.areas.insert(upper);
  return upper;
}

/** Takes an area whose pages are gone, or now belong to a neighbour, out of the space. */
export function dropArea(area: Vma): void {
  area.space.areas.remove(area);
  unlinkArea(area);
}

/** dup_anon_vma(): the survivor of a merge owns the private pages of the other. */
function adoptAnonVma(survivor: Vma, other: Vma): void {
  if (other.anonVma === 0 || survivor.anonVma !== 0) return;
  survivor.anonVma = other.anonVma;
  survivor.anonVmaSole = other.anonVmaSole;
}

/** An area that counts its users by open and close is never merged away (can_merge_remove_vma). */
function mayVanish(area: Vma): boolean {
  return area.file?.countsAreas !== true;
}

/** Moves the start of an area down or up and keeps page offsets right. */
function moveStart(area: Vma, startVpn: number): void {
  area.pageOffset += startVpn - area.startVpn;
  area.space.areas.setRange(area, startVpn, area.endVpn);
}

/**
 * vma_merge_new_range(): lets the neighbours take over the free pages [firstVpn, endVpn); null when none may. Precondition:
 * nothing is mapped there.
 */
export function mergeNewRange(
  space: AddressSpace,
  firstVpn: number,
  endVpn: number,
  pageOffset: number,
  shape: AreaShape,
): Vma | null {
  if (shape.flags & VM_SPECIAL) return null;
  const { areas } = space;
  const prev = areas.atOrBelow(firstVpn);
  const next = prev !== null ? prev.next : areas.first;
  const left = mergesAfter(prev, firstVpn, pageOffset, shape);
  let right = mergesBefore(next, endVpn, pageOffset + (endVpn - firstVpn), shape);
  if (left && right && !(anonVmasAgree(prev!, next!) && mayVanish(next!))) right = false;
  if (left) {
    if (right) {
      const end = next!.endVpn;
      adoptAnonVma(prev!, next!);
      dropMerged(prev!, next!);
      areas.setRange(prev!, prev!.startVpn, end);
    } else {
      areas.setRange(prev!, prev!.startVpn, endVpn);
    }
    return prev;
  }
  if (!right) return null;
  moveStart(next!, firstVpn);
  return next;
}

/**
 * Takes `gone` out of the list while its pages stay mapped: the survivor, which is about to be widened over them, keeps
 * the object alive.
 */
function dropMerged(survivor: Vma, gone: Vma): void {
  survivor.space.areas.remove(gone);
  unlinkArea(gone);
}

/** A new area over free pages, merged with its neighbours if that is allowed. */
export function addArea(
  space: AddressSpace,
  firstVpn: number,
  endVpn: number,
  pageOffset: number,
  shape: AreaShape,
): Vma {
  const merged = mergeNewRange(space, firstVpn, endVpn, pageOffset, shape);
  if (merged !== null) return merged;
  const area = new Vma(space, firstVpn, endVpn, shape.flags, shape.object, shape.file, pageOffset, shape.label);
  area.anonName = shape.anonName;
  area.anonVma = shape.anonVma;
  linkArea(area);
  space.areas.insert(area);
  return area;
}

/**
 * vma_modify(): the pages [firstVpn, endVpn) of `area` get other flags and another name. Returns the area that holds them
 * now, with the new flags: a neighbour they merged into, or a part split off. -ENOMEM: too many areas; -EINVAL: the vDSO's cannot be split.
 */
export function modifyArea(
  area: Vma,
  firstVpn: number,
  endVpn: number,
  flags: number,
  anonName: string | null = area.anonName,
  userfault: UserfaultContext | null = area.userfault,
): Vma | number {
  const { space } = area;
  shape.userfault = userfault;
  const merged = mergeExistingRange(area, firstVpn, endVpn, flags, anonName);
  if (merged !== null) return merged;
  let middle = area;
  if (area.isSpecialMapping && (area.startVpn < firstVpn || area.endVpn > endVpn)) return -EINVAL;
  if (area.startVpn < firstVpn) {
    if (space.areas.length >= space.maxMapCount) return -ENOMEM;
    middle = splitArea(area, firstVpn);
  }
  if (middle.endVpn > endVpn) {
    // As in Linux a split of the start stays even when the split of the end fails: the areas are right, only not merged.
    if (space.areas.length >= space.maxMapCount) return -ENOMEM;
    splitArea(middle, endVpn);
  }
  middle.flags = flags;
  middle.anonName = anonName;
  middle.userfault = userfault;
  return middle;
}

/** vma_merge_existing_range(); null when nothing could be merged. */
function mergeExistingRange(
  area: Vma,
  firstVpn: number,
  endVpn: number,
  flags: number,
  anonName: string | null,
): Vma | null {
  const leftSide = firstVpn === area.startVpn;
  const rightSide = endVpn === area.endVpn;
  if (flags & VM_SPECIAL || (!leftSide && !rightSide)) return null;
  shape.flags = flags;
  shape.object = area.object;
  shape.file = area.file;
  shape.label = area.label;
  shape.anonName = anonName;
  shape.anonVma = area.anonVma;
  const { prev, next } = area;
  const left = leftSide && mergesAfter(prev, firstVpn, area.pageOffset, shape);
  let right = rightSide && mergesBefore(next, endVpn, area.pageIndex(endVpn), shape);
  if (left && right && !anonVmasAgree(prev!, next!)) right = false;
  if (!left && !right) return null;
  const whole = leftSide && rightSide;
  if (whole && !mayVanish(area)) return null;
  if (left && right && !mayVanish(next!)) right = false;
  const { areas } = area.space;
  if (left && right) {
    adoptAnonVma(prev!, next!.anonVma !== 0 ? next! : area);
    const end = next!.endVpn;
    dropMerged(prev!, area);
    dropMerged(prev!, next!);
    areas.setRange(prev!, prev!.startVpn, end);
    return prev;
  }
  if (left) {
    adoptAnonVma(prev!, area);
    if (whole) dropMerged(prev!, area);
    else moveStart(area, endVpn);
    areas.setRange(prev!, prev!.startVpn, endVpn);
    return prev;
  }
  adoptAnonVma(next!, area);
  if (whole) dropMerged(next!, area);
  else areas.setRange(area, area.startVpn, firstVpn);
  moveStart(next!, firstVpn);
  return next;
}
