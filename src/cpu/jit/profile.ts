// What was seen to run: how often each instruction of a frame ran while the hart was recording, and where jumps through
// registers went. Says what belongs into a region; nothing here must be complete or exact.

const HALFWORDS = 2048;
/** Targets of one jump that are worth knowing: of a return, and of others. */
const MOST_CALLERS = 12;
const MOST_TARGETS = 64;
/** Visits while recording that make an instruction part of a region. */
const HOT_VISITS = 2;

export class Profile {
  /** Per frame: visits of each halfword at which an instruction begins, saturating. */
  private readonly visits = new Map<number, Uint8Array>();
  /** Per frame, by byte offset of an indirect jump: distances to where it went. */
  private readonly targets = new Map<number, Map<number, number[]>>();

  /** Visits of each halfword of the frame; the caller counts, up to 255. */
  visitsOf(pfn: number): Uint8Array {
    let counts = this.visits.get(pfn);
    if (counts === undefined) {
      counts = new Uint8Array(HALFWORDS);
      this.visits.set(pfn, counts);
    }
    return counts;
  }

  isHot(pfn: number, offset: number): boolean {
    return (this.visits.get(pfn)?.[offset >> 1] ?? 0) >= HOT_VISITS;
  }

  /** Remembers a target of an indirect jump; whether it is news. */
  note(pfn: number, offset: number, distance: number, isReturn: boolean): boolean {
    let jumps = this.targets.get(pfn);
    if (jumps === undefined) {
      jumps = new Map();
      this.targets.set(pfn, jumps);
    }
    const known = jumps.get(offset);
    if (known === undefined) {
      jumps.set(offset, [distance]);
      return true;
    }
    if (known.length >= (isReturn ? MOST_CALLERS : MOST_TARGETS) || known.includes(distance)) return false;
    known.push(distance);
    return true;
  }

  distances(pfn: number, offset: number): readonly number[] {
    return this.targets.get(pfn)?.get(offset) ?? [];
  }

  /** The frame holds something else now. */
  forget(pfn: number): void {
    this.visits.delete(pfn);
    this.targets.delete(pfn);
  }
}
