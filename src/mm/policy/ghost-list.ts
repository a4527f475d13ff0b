// Pages that a policy remembers after their eviction, by key, the oldest first. Holds no contents.
export class GhostList {
  /** A Set keeps the order of insertion. */
  private readonly keys = new Set<number>();

  get length(): number {
    return this.keys.size;
  }

  has(key: number): boolean {
    return this.keys.has(key);
  }

  /** As the newest. Key 0 names no page and is not remembered. */
  add(key: number): void {
    if (key === 0) return;
    this.keys.delete(key);
    this.keys.add(key);
  }

  /** Whether it was there. */
  delete(key: number): boolean {
    return this.keys.delete(key);
  }

  /** Forgets the oldest until at most `most` are left. */
  trim(most: number): void {
    for (const key of this.keys) {
      if (this.keys.size <= most) return;
      this.keys.delete(key);
    }
  }
}
