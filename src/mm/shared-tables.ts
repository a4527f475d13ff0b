// Which leaf page tables several spaces use after fork (on-demand fork), and who they are. Not responsible for the entries in them:
// page-table.ts. A shared table holds private anonymous pages only, none of them writable, and lies at the same place in each
// space (I17). Whoever changes an entry for one space alone takes a table of its own first; reclaim changes it for all of them.
import { assert } from "../util/assert.ts";
import type { AddressSpace } from "./address-space.ts";
import type { FrameTable } from "./frame-table.ts";

export class SharedTables {
  private readonly frames: FrameTable;
  private readonly users = new Map<number, AddressSpace[]>();

  constructor(frames: FrameTable) {
    this.frames = frames;
  }

  /** Tables that are shared now. */
  get size(): number {
    return this.users.size;
  }

  /** The spaces that use table frame `table`; undefined: it is not shared. */
  usersOf(table: number): readonly AddressSpace[] | undefined {
    return this.users.get(table);
  }

  /** `user`, which has the table, shares it with `other`. */
  add(table: number, user: AddressSpace, other: AddressSpace): void {
    const users = this.users.get(table);
    if (users === undefined) this.users.set(table, [user, other]);
    else users.push(other);
    this.frames.rmapHead[table]++;
  }

  /** `space` uses the table no more. The last one left has it for itself. */
  remove(table: number, space: AddressSpace): void {
    const users = this.users.get(table);
    assert(users !== undefined, "the table is shared (I17)");
    const at = users.indexOf(space);
    assert(at >= 0, "only a user can leave (I17)");
    users[at] = users[users.length - 1];
    users.pop();
    this.frames.owner[table] = users[0].id;
    this.frames.rmapHead[table]--;
    if (users.length === 1) this.users.delete(table);
  }

  [Symbol.iterator](): Iterator<[number, readonly AddressSpace[]]> {
    return this.users.entries();
  }
}
