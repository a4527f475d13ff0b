// The naive oracle of the memory fuzzer: what every byte of every process and object must be, kept in Maps without frames, page
// tables, caches or sharing. Knows nothing of the implementation.
//
// Two kinds of byte may legally be one of two values: bytes of a file mapping past the end of the file (kept while the page is
// cached, 0 once it came back from the file), and pages given to MADV_FREE (old contents, or zeros).
export const PAGE = 4096;
const ZEROS = new Uint8Array(PAGE);

export class OracleObject {
  readonly kind: "file" | "shmem";
  size: number;
  readonly pages = new Map<number, Uint8Array>();

  constructor(kind: "file" | "shmem", size: number) {
    this.kind = kind;
    this.size = size;
  }

  page(index: number): Uint8Array {
    return this.pages.get(index) ?? ZEROS;
  }

  writablePage(index: number): Uint8Array {
    let page = this.pages.get(index);
    if (page === undefined) this.pages.set(index, (page = new Uint8Array(PAGE)));
    return page;
  }

  get pageCount(): number {
    return Math.ceil(this.size / PAGE);
  }

  /** First byte of page `index` that need not be what was stored there. */
  firmBytes(index: number): number {
    if (this.kind === "shmem") return PAGE;
    return Math.max(0, Math.min(PAGE, this.size - index * PAGE));
  }

  setSize(size: number): void {
    const edge = Math.min(this.size, size);
    const tail = edge % PAGE;
    // tmpfs leaves what a mapping stored behind the end when it grows.
    const clears = this.kind === "file" || size <= this.size;
    if (tail !== 0 && clears) this.pages.get((edge - tail) / PAGE)?.fill(0, tail);
    this.size = size;
    for (const index of this.pages.keys()) if (index >= this.pageCount) this.pages.delete(index);
  }

  write(offset: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (offset > this.size) this.setSizeKeeping(offset);
    for (let i = 0; i < bytes.length; i++) {
      const at = offset + i;
      this.writablePage(Math.floor(at / PAGE))[at % PAGE] = bytes[i];
    }
    this.size = Math.max(this.size, offset + bytes.length);
  }

  /** Growth by a write behind the end: the tail of the old last page is zeroed. */
  private setSizeKeeping(size: number): void {
    const tail = this.size % PAGE;
    if (tail !== 0 && this.kind === "file") this.pages.get((this.size - tail) / PAGE)?.fill(0, tail);
    this.size = size;
  }

  read(offset: number, length: number): Uint8Array {
    const count = Math.max(0, Math.min(length, this.size - offset));
    const out = new Uint8Array(count);
    for (let i = 0; i < count; i++) out[i] = this.page(Math.floor((offset + i) / PAGE))[(offset + i) % PAGE];
    return out;
  }

  punch(offset: number, length: number): void {
    const pageEnd = this.pageCount * PAGE;
    const end = offset + length >= this.size ? pageEnd : offset + length;
    for (let at = offset; at < end; ) {
      const inPage = at % PAGE;
      const count = Math.min(PAGE - inPage, end - at);
      this.pages.get((at - inPage) / PAGE)?.fill(0, inPage, inPage + count);
      at += count;
    }
  }
}

export class OraclePage {
  prot: number;
  readonly shared: boolean;
  readonly object: OracleObject | null;
  readonly index: number;
  /** Contents of its own (private and written); null: the object's, or zeros. */
  own: Uint8Array | null = null;
  /** Own bytes from here on are not known. */
  firm = PAGE;
  /** MADV_FREE: `own`, or all zeros. */
  lazy = false;
  locked = false;

  constructor(prot: number, shared: boolean, object: OracleObject | null, index: number) {
    this.prot = prot;
    this.shared = shared;
    this.object = object;
    this.index = index;
  }

  clone(): OraclePage {
    const copy = new OraclePage(this.prot, this.shared, this.object, this.index);
    copy.own = this.own === null ? null : this.own.slice();
    copy.firm = this.firm;
    copy.lazy = this.lazy;
    return copy;
  }

  get isBeyondEnd(): boolean {
    return this.object !== null && this.index >= this.object.pageCount;
  }

  contents(): Uint8Array {
    if (this.own !== null) return this.own;
    return this.object === null ? ZEROS : this.object.page(this.index);
  }

  /** Bytes below this one are known exactly (unless lazy). */
  firmBytes(): number {
    if (this.own !== null) return this.firm;
    return this.object === null ? PAGE : this.object.firmBytes(this.index);
  }

  /** The page as a store changes it: its own copy, or the object's. */
  forStore(): Uint8Array {
    if (this.shared) return this.object!.writablePage(this.index);
    if (this.own === null) {
      this.firm = this.firmBytes();
      this.own = this.contents().slice();
    }
    return this.own;
  }

  /** Why the bytes [from, from + got.length) may not be `got`, or "". */
  mismatch(from: number, got: Uint8Array): string {
    const want = this.contents();
    const firm = this.firmBytes();
    let equal = true;
    let zero = true;
    for (let i = 0; i < got.length; i++) {
      if (got[i] !== 0 && from + i < firm) zero = false;
      if (got[i] === want[from + i]) continue;
      if (from + i >= firm) continue;
      equal = false;
    }
    if (equal || (this.lazy && zero)) return "";
    const at = got.findIndex((byte, i) => byte !== want[from + i] && from + i < firm);
    return `byte ${from + at} is ${got[at]}, not ${want[from + at]}${this.lazy ? " (lazily freed)" : ""}`;
  }
}

export class OracleProcess {
  readonly pages = new Map<number, OraclePage>();

  fork(): OracleProcess {
    const child = new OracleProcess();
    for (const [vpn, page] of this.pages) child.pages.set(vpn, page.clone());
    return child;
  }
}
