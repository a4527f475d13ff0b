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

function sameSlots(a: readonly Slot[], b: readonly Slot[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

function entriesOf(map: ReadonlyMap<unknown, unknown>): Slot[] {
  const flat: Slot[] = [];
  for (const [key, value] of map) flat.push(key, value);
  return flat;
}

/** Takes states of one graph, each sharing with the one before what did not change. */
export class MementoKeeper {
  private readonly scope: MementoScope;
  private latest = new Map<object, Saved>();

  constructor(scope: MementoScope) {
    this.scope = scope;
  }

  /** The present state of everything reachable from `roots`. */
  take(roots: readonly object[]): Memento {
    const before = this.latest;
    const now = new Map<object, Saved>();
    const objects: object[] = [];
    const saved: Saved[] = [];
    const queue: object[] = [];
    const seen = new Set<object>();
    const visit = (value: Slot): void => {
      if (typeof value !== "object" || value === null || seen.has(value)) return;
      seen.add(value);
      if (!this.scope.isOpaque(value)) queue.push(value);
    };
    for (const root of roots) visit(root);
    for (let object = queue.pop(); object !== undefined; object = queue.pop()) {
      const contents = this.save(object, before.get(object));
      objects.push(object);
      saved.push(contents);
      now.set(object, contents);
      if (contents.kind !== "bytes") for (const value of contents.values) visit(value);
    }
    this.latest = now;
    return { objects, saved };
  }

  /** Puts a state back. */
  restore({ objects, saved }: Memento): void {
    for (let i = 0; i < objects.length; i++) this.put(objects[i], saved[i]);
    const now = new Map<object, Saved>();
    for (let i = 0; i < objects.length; i++) now.set(objects[i], saved[i]);
    this.latest = now;
  }

  private save(object: object, before: Saved | undefined): Saved {
    if (ArrayBuffer.isView(object)) return saveBytes(object, before);
    let next: Saved;
    if (Array.isArray(object)) next = { kind: "array", values: object.slice() };
    else if (object instanceof Map) next = { kind: "map", values: entriesOf(object) };
    else if (object instanceof Set) next = { kind: "set", values: [...object] };
    else next = this.saveFields(object, before);
    if (
      before?.kind === next.kind &&
      before.kind !== "bytes" &&
      sameSlots(before.values, (next as typeof before).values)
    ) {
      if (next.kind !== "object" || sameSlots((before as typeof next).keys, next.keys)) return before;
    }
    return next;
  }

  private saveFields(object: object, before: Saved | undefined): Saved {
    const host = this.scope.hostFields(object);
    let keys: readonly string[] = Object.keys(object);
    if (host !== undefined) keys = keys.filter((key) => !host.has(key));
    if (before?.kind === "object" && sameSlots(before.keys, keys)) keys = before.keys;
    const fields = object as Record<string, Slot>;
    return { kind: "object", keys, values: keys.map((key) => fields[key]) };
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
    for (let i = 0; i < keys.length; i++) {
      // Fields that are read-only for others are plain properties all the same.
      if (!Object.is(object[keys[i]], values[i])) object[keys[i]] = values[i];
    }
    const present = Object.keys(object);
    if (present.length === keys.length) return;
    const host = this.scope.hostFields(object);
    for (const key of present) if (!keys.includes(key) && !host?.has(key)) delete object[key];
  }
}

function saveBytes(view: ArrayBufferView, before: Saved | undefined): Saved {
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
