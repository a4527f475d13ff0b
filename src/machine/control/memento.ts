// Keeps the state of a graph of plain objects and puts it back in place: every object reachable from the roots gets its former
// contents again and keeps its identity, so references and closures over objects stay good. What an object is made of is found by
// looking; what belongs to the host and must stay as it is has to be named (MementoScope).
//
//   object, class instance   own fields           Map, Set      entries in order
//   array                    elements             typed array, DataView    bytes, large ones in pieces that are shared
//   function, opaque object  the reference only                            between states while they do not change

/** What is not the guest's. */
export interface MementoScope {
  /** Neither looked into nor changed. */
  isOpaque(value: object): boolean;
  /** Fields of an object that are left alone; undefined: none. */
  hostFields(value: object): ReadonlySet<string> | undefined;
}

type Slot = unknown;
type Bytes = Uint8Array;

/** The contents of one object; immutable and shared by states in which the object was the same. */
type Saved =
  | { readonly kind: "object"; readonly keys: readonly string[]; readonly values: readonly Slot[] }
  | { readonly kind: "array"; readonly values: readonly Slot[] }
  | { readonly kind: "map"; readonly values: readonly Slot[] }
  | { readonly kind: "set"; readonly values: readonly Slot[] }
  | { readonly kind: "bytes"; readonly length: number; readonly pieces: readonly Bytes[] };

/** Bytes per shared piece of a typed array. */
const PIECE = 16384;

export interface Memento {
  readonly objects: readonly object[];
  readonly saved: readonly Saved[];
}

function bytesOf(view: ArrayBufferView): Bytes {
  return new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
}

function sameBytes(a: Bytes, b: Bytes): boolean {
  if (a.length !== b.length) return false;
  let i = 0;
  if (a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0) {
    const words = a.length >>> 2;
    const [wa, wb] = [new Int32Array(a.buffer, a.byteOffset, words), new Int32Array(b.buffer, b.byteOffset, words)];
    for (let w = 0; w < words; w++) if (wa[w] !== wb[w]) return false;
    i = words * 4;
  }
  for (; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The sign of a zero counts for nothing. */
function sameSlots(a: readonly Slot[], b: readonly Slot[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && !Object.is(a[i], b[i])) return false;
  return true;
}

function entriesOf(map: ReadonlyMap<unknown, unknown>): Slot[] {
  const flat: Slot[] = [];
  for (const [key, value] of map) flat.push(key, value);
  return flat;
}

/** What is known of an object that was reached. */
interface Known {
  readonly object: object;
  saved: Saved | null;
  /** The take that reached it last. */
  take: number;
}

/** Objects that are not reached any more are forgotten after so many takes. */
const FORGET_EVERY = 32;

/** Takes states of one graph, each sharing with the one before what did not change. */
export class MementoKeeper {
  private readonly scope: MementoScope;
  private readonly known = new Map<object, Known>();
  private takes = 0;
  private queue: Known[] = [];

  constructor(scope: MementoScope) {
    this.scope = scope;
  }

  /** The present state of everything reachable from `roots`. */
  take(roots: readonly object[]): Memento {
    this.takes++;
    const objects: object[] = [];
    const saved: Saved[] = [];
    const { queue } = this;
    this.visitAll(roots);
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const contents = this.save(next.object, next.saved);
      next.saved = contents;
      objects.push(next.object);
      saved.push(contents);
      if (contents.kind !== "bytes") this.visitAll(contents.values);
    }
    if (this.takes % FORGET_EVERY === 0) this.forget();
    return { objects, saved };
  }

  private visitAll(values: readonly Slot[]): void {
    const { known, takes, queue, scope } = this;
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (typeof value !== "object" || value === null) continue;
      let entry = known.get(value);
      if (entry === undefined) {
        if (scope.isOpaque(value)) continue;
        entry = { object: value, saved: null, take: 0 };
        known.set(value, entry);
      }
      if (entry.take === takes) continue;
      entry.take = takes;
      queue.push(entry);
    }
  }

  private forget(): void {
    for (const [object, entry] of this.known) if (entry.take !== this.takes) this.known.delete(object);
  }

  /** Puts a state back. */
  restore({ objects, saved }: Memento): void {
    for (let i = 0; i < objects.length; i++) {
      this.put(objects[i], saved[i]);
      const entry = this.known.get(objects[i]);
      if (entry !== undefined) entry.saved = saved[i];
    }
  }

  private save(object: object, before: Saved | null): Saved {
    if (ArrayBuffer.isView(object)) return saveBytes(object, before);
    if (Array.isArray(object)) return newer({ kind: "array", values: object.slice() }, before);
    if (object instanceof Map) return newer({ kind: "map", values: entriesOf(object) }, before);
    if (object instanceof Set) return newer({ kind: "set", values: [...object] }, before);
    const { keys, values } = this.fieldsOf(object);
    if (before?.kind === "object" && sameSlots(before.keys, keys))
      return sameSlots(before.values, values) ? before : { kind: "object", keys: before.keys, values };
    return { kind: "object", keys, values };
  }

  /** The guest's fields of an object, in their order. */
  private fieldsOf(object: object): { keys: readonly string[]; values: readonly Slot[] } {
    const keys = Object.keys(object);
    const host = this.scope.hostFields(object);
    if (host === undefined) return { keys, values: Object.values(object) };
    const own = keys.filter((key) => !host.has(key));
    return { keys: own, values: own.map((key) => (object as Record<string, Slot>)[key]) };
  }

  private put(object: object, saved: Saved): void {
    switch (saved.kind) {
      case "object":
        this.putFields(object as Record<string, Slot>, saved.keys, saved.values);
        return;
      case "array": {
        const array = object as Slot[];
        array.length = saved.values.length;
        for (let i = 0; i < array.length; i++) array[i] = saved.values[i];
        return;
      }
      case "map": {
        const map = object as Map<Slot, Slot>;
        if (map.size * 2 === saved.values.length && sameSlots(entriesOf(map), saved.values)) return;
        map.clear();
        for (let i = 0; i < saved.values.length; i += 2) map.set(saved.values[i], saved.values[i + 1]);
        return;
      }
      case "set": {
        const set = object as Set<Slot>;
        if (set.size === saved.values.length && sameSlots([...set], saved.values)) return;
        set.clear();
        for (const value of saved.values) set.add(value);
        return;
      }
      default: {
        const bytes = bytesOf(object as ArrayBufferView);
        saved.pieces.forEach((piece, i) => {
          bytes.set(piece, i * PIECE);
        });
      }
    }
  }

  private putFields(object: Record<string, Slot>, keys: readonly string[], values: readonly Slot[]): void {
    const present = this.fieldsOf(object);
    const sameKeys = sameSlots(present.keys, keys);
    if (sameKeys && sameSlots(present.values, values)) return;
    // Fields that are read-only for others are plain properties all the same.
    for (let i = 0; i < keys.length; i++) {
      if (!sameKeys || present.values[i] !== values[i]) object[keys[i]] = values[i];
    }
    if (sameKeys) return;
    for (const key of present.keys) if (!keys.includes(key)) delete object[key];
  }
}

/** What was saved before when nothing changed. */
function newer(now: Saved & { values: readonly Slot[] }, before: Saved | null): Saved {
  return before?.kind === now.kind && sameSlots((before as typeof now).values, now.values) ? before : now;
}

function saveBytes(view: ArrayBufferView, before: Saved | null): Saved {
  const bytes = bytesOf(view);
  const former = before?.kind === "bytes" && before.length === bytes.length ? before.pieces : null;
  const pieces: Bytes[] = [];
  let changed = former === null;
  for (let at = 0, i = 0; at < bytes.length; at += PIECE, i++) {
    const now = bytes.subarray(at, Math.min(at + PIECE, bytes.length));
    if (former !== null && sameBytes(former[i], now)) pieces.push(former[i]);
    else {
      pieces.push(now.slice());
      changed = true;
    }
  }
  return changed ? { kind: "bytes", length: bytes.length, pieces } : (before as Saved);
}

/** Bytes that a set of states keeps, roughly: 8 a field, and pieces of arrays once. */
export function mementoBytes(mementos: Iterable<Memento>): number {
  const seen = new Set<object>();
  let total = 0;
  for (const { objects, saved } of mementos) {
    total += objects.length * 16;
    for (const contents of saved) {
      if (seen.has(contents)) continue;
      seen.add(contents);
      if (contents.kind !== "bytes") total += 48 + contents.values.length * 8;
      else {
        for (const piece of contents.pieces) {
          if (seen.has(piece)) continue;
          seen.add(piece);
          total += piece.length + 64;
        }
      }
    }
  }
  return total;
}
