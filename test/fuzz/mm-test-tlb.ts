// A TLB for tests of mm/ that holds every translation it ever saw until it is told to forget: an access through a stale entry
// reads or writes the wrong frame, and the model notices.
import type { AddressSpace } from "../../src/mm/address-space.ts";
import { type Access, READ, type TlbFlusher, WRITE } from "../../src/mm/contracts.ts";

export class RememberingTlb implements TlbFlusher {
  /** space id -> vpn * 2 + (write ? 1 : 0) -> frame */
  private readonly entries = new Map<number, Map<number, number>>();

  private of(space: AddressSpace): Map<number, number> {
    let map = this.entries.get(space.id);
    if (map === undefined) this.entries.set(space.id, (map = new Map()));
    return map;
  }

  /** The frame an access goes to, as hardware finds it: an entry, else the page table; 0: page fault. */
  translate(space: AddressSpace, vpn: number, write: boolean): number {
    const map = this.of(space);
    const key = vpn * 2 + (write ? 1 : 0);
    const cached = map.get(key);
    if (cached !== undefined) return cached;
    const pfn = space.table.frameFor(vpn, write);
    if (pfn !== 0) map.set(key, pfn);
    return pfn;
  }

  flushPage(space: AddressSpace, vpn: number): void {
    const map = this.of(space);
    map.delete(vpn * 2);
    map.delete(vpn * 2 + 1);
  }

  flushRange(space: AddressSpace, firstVpn: number, endVpn: number): void {
    const map = this.of(space);
    for (const key of map.keys()) {
      const vpn = Math.floor(key / 2);
      if (vpn >= firstVpn && vpn < endVpn) map.delete(key);
    }
  }

  flushSpace(space: AddressSpace): void {
    this.of(space).clear();
  }

  releaseSpace(space: AddressSpace): void {
    this.entries.delete(space.id);
  }

  frameChanged(): void {}

  debugForEach(space: AddressSpace, visit: (vpn: number, pfn: number, access: Access) => void): void {
    for (const [key, pfn] of this.of(space)) visit(Math.floor(key / 2), pfn, key % 2 === 1 ? WRITE : READ);
  }
}
