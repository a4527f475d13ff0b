// Builds WebAssembly modules as bytes: types, imports, functions, globals, data, one memory, one table. Knows nothing of RISC-V.
import { I32, type I64, MEM, type MemoryOp, OP, type Opcode, SAT, SIMD, type ValueType, VOID } from "./opcodes.ts";

/** A growing byte string with LEB128 encoders. */
export class Bytes {
  private data = new Uint8Array(256);
  length = 0;

  byte(value: number): void {
    if (this.length === this.data.length) this.grow(this.length + 1);
    this.data[this.length++] = value;
  }

  append(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.data.length) this.grow(this.length + bytes.length);
    this.data.set(bytes, this.length);
    this.length += bytes.length;
  }

  u32(value: number): void {
    let v = value >>> 0;
    while (v >= 0x80) {
      this.byte((v & 0x7f) | 0x80);
      v >>>= 7;
    }
    this.byte(v);
  }

  s32(value: number): void {
    let v = value | 0;
    for (;;) {
      const low = v & 0x7f;
      v >>= 7;
      if ((v === 0 && (low & 0x40) === 0) || (v === -1 && (low & 0x40) !== 0)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  /** Signed 64-bit from halves. */
  s64(low: number, high: number): void {
    let lo = low | 0;
    let hi = high | 0;
    for (;;) {
      const bits = lo & 0x7f;
      lo = (lo >>> 7) | (hi << 25);
      hi >>= 7;
      if ((hi === 0 && lo === 0 && (bits & 0x40) === 0) || (hi === -1 && lo === -1 && (bits & 0x40) !== 0)) {
        this.byte(bits);
        return;
      }
      this.byte(bits | 0x80);
    }
  }

  name(text: string): void {
    this.u32(text.length);
    for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i));
  }

  /** A view of what was written; valid until the next write. */
  view(): Uint8Array<ArrayBuffer> {
    return this.data.subarray(0, this.length);
  }

  private grow(least: number): void {
    const bigger = new Uint8Array(Math.max(least, this.data.length * 2));
    bigger.set(this.view());
    this.data = bigger;
  }
}

/** A branch target: created by block(), loop() or if_(), usable while its construct is open. */
export interface Label {
  readonly depth: number;
}

/** The body of one function. Methods append instructions; structured constructs take callbacks. */
export class FunctionBuilder {
  readonly code = new Bytes();
  readonly index: number;
  readonly typeIndex: number;
  private readonly paramCount: number;
  private readonly locals: ValueType[] = [];
  private depth = 0;
  private readonly hints: { at: number; likely: boolean }[] = [];

  constructor(index: number, typeIndex: number, paramCount: number) {
    this.index = index;
    this.typeIndex = typeIndex;
    this.paramCount = paramCount;
  }

  local(type: ValueType): number {
    this.locals.push(type);
    return this.paramCount + this.locals.length - 1;
  }

  op(...names: Opcode[]): this {
    for (const name of names) this.code.byte(OP[name]);
    return this;
  }

  sat(name: keyof typeof SAT): this {
    this.code.byte(0xfc);
    this.code.u32(SAT[name]);
    return this;
  }

  simd(name: keyof typeof SIMD, lane?: number): this {
    this.code.byte(0xfd);
    this.code.u32(SIMD[name]);
    if (lane !== undefined) this.code.byte(lane);
    return this;
  }

  get(local: number): this {
    this.code.byte(0x20);
    this.code.u32(local);
    return this;
  }

  set(local: number): this {
    this.code.byte(0x21);
    this.code.u32(local);
    return this;
  }

  globalGet(global: number): this {
    this.code.byte(0x23);
    this.code.u32(global);
    return this;
  }
  globalSet(global: number): this {
    this.code.byte(0x24);
    this.code.u32(global);
    return this;
  }
  tee(local: number): this {
    this.code.byte(0x22);
    this.code.u32(local);
    return this;
  }

  i32(value: number): this {
    this.code.byte(0x41);
    this.code.s32(value);
    return this;
  }

  /** i64.const of an integer that a double holds exactly. */
  i64(value: number): this {
    return this.i64Halves(value | 0, Math.floor(value / 2 ** 32));
  }

  i64Halves(low: number, high: number): this {
    this.code.byte(0x42);
    this.code.s64(low, high);
    return this;
  }

  f64(value: number): this {
    this.code.byte(0x44);
    this.code.append(new Uint8Array(new Float64Array([value]).buffer));
    return this;
  }

  f32(value: number): this {
    this.code.byte(0x43);
    this.code.append(new Uint8Array(new Float32Array([value]).buffer));
    return this;
  }

  mem(name: MemoryOp, offset = 0, align: number = MEM[name][1]): this {
    this.code.byte(MEM[name][0]);
    this.code.u32(align);
    this.code.u32(offset);
    return this;
  }

  call(functionIndex: number): this {
    this.code.byte(0x10);
    this.code.u32(functionIndex);
    return this;
  }

  /** Calls the function of the type at the index on the stack in table 0. */
  callIndirect(typeIndex: number): this {
    this.code.byte(0x11);
    this.code.u32(typeIndex);
    this.code.byte(0);
    return this;
  }

  block(type: ValueType | typeof VOID, body: (label: Label) => void): this {
    return this.structured(0x02, type, body);
  }

  loop(type: ValueType | typeof VOID, body: (label: Label) => void): this {
    return this.structured(0x03, type, body);
  }

  /** Takes an i32 condition. `likely` becomes a branch hint. */
  if_(
    type: ValueType | typeof VOID,
    then: (label: Label) => void,
    otherwise?: (label: Label) => void,
    likely?: boolean,
  ): this {
    this.hint(likely);
    this.open(0x04, type);
    const label = { depth: this.depth };
    then(label);
    if (otherwise) {
      this.code.byte(0x05);
      otherwise(label);
    }
    return this.close();
  }

  br(label: Label): this {
    this.code.byte(0x0c);
    this.code.u32(this.depth - label.depth);
    return this;
  }

  brIf(label: Label, likely?: boolean): this {
    this.hint(likely);
    this.code.byte(0x0d);
    this.code.u32(this.depth - label.depth);
    return this;
  }

  brTable(labels: readonly Label[], fallback: Label): this {
    this.code.byte(0x0e);
    this.code.u32(labels.length);
    for (const label of labels) this.code.u32(this.depth - label.depth);
    this.code.u32(this.depth - fallback.depth);
    return this;
  }

  /** Opens a block whose end the caller closes itself: for br_table ladders. */
  open(opcode: number, type: ValueType | typeof VOID): Label {
    this.code.byte(opcode);
    this.code.byte(type);
    return { depth: ++this.depth };
  }

  close(): this {
    this.code.byte(0x0b);
    this.depth--;
    return this;
  }

  /** Puts what `emit` appends where the code was `at` bytes long. It must not branch, and no construct may have been opened since. */
  insert(at: number, emit: () => void): void {
    const rest = this.code.view().slice(at);
    const isBehind = (hint: { at: number }) => hint.at >= at;
    const restHints = this.hints.filter(isBehind);
    this.hints.length -= restHints.length;
    this.code.length = at;
    emit();
    const shift = this.code.length - at;
    for (const hint of restHints) this.hints.push({ at: hint.at + shift, likely: hint.likely });
    this.code.append(rest);
  }

  /** Size-prefixed body for the code section, and the local-declaration length for branch-hint offsets. */
  encode(into: Bytes): void {
    const body = new Bytes();
    const declarations = this.encodeLocals();
    body.append(declarations);
    body.append(this.code.view());
    body.byte(0x0b);
    into.u32(body.length);
    into.append(body.view());
  }

  /** Rows of the metadata.code.branch_hint section (offsets count from the start of the local declarations). */
  encodeHints(into: Bytes): boolean {
    if (this.hints.length === 0) return false;
    const shift = this.encodeLocals().length;
    into.u32(this.index);
    into.u32(this.hints.length);
    for (const { at, likely } of this.hints) {
      into.u32(at + shift);
      into.u32(1);
      into.byte(likely ? 1 : 0);
    }
    return true;
  }

  private encodeLocals(): Uint8Array {
    const out = new Bytes();
    const runs: [number, ValueType][] = [];
    for (const type of this.locals) {
      const last = runs[runs.length - 1];
      if (last && last[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    out.u32(runs.length);
    for (const [count, type] of runs) {
      out.u32(count);
      out.byte(type);
    }
    return out.view().slice();
  }

  private structured(opcode: number, type: ValueType | typeof VOID, body: (label: Label) => void): this {
    body(this.open(opcode, type));
    return this.close();
  }

  private hint(likely: boolean | undefined): void {
    if (likely !== undefined) this.hints.push({ at: this.code.length, likely });
  }
}

const EXPORTED_FUNCTION = 0;
const EXPORTED_GLOBAL = 3;

export class ModuleBuilder {
  private readonly types: string[] = [];
  private readonly typeRows: { params: readonly ValueType[]; results: readonly ValueType[] }[] = [];
  private readonly imports: { module: string; name: string; type: number }[] = [];
  private readonly functions: FunctionBuilder[] = [];
  private readonly globals: { type: typeof I32 | typeof I64; value: number }[] = [];
  private readonly exports: { name: string; kind: number; index: number }[] = [];
  private readonly segments: { address: number; bytes: Uint8Array }[] = [];
  private table: { module: string; name: string; minimum: number } | null = null;
  private memory: { module: string; name: string; minimum: number; maximum: number } | null = null;

  /** All imports come before the first function(). Returns the function's index. */
  importFunction(module: string, name: string, params: readonly ValueType[], results: readonly ValueType[]): number {
    if (this.functions.length > 0) throw new Error("imports come before functions");
    this.imports.push({ module, name, type: this.type(params, results) });
    return this.imports.length - 1;
  }

  importMemory(module: string, name: string, minimumPages: number, maximumPages: number): void {
    this.memory = { module, name, minimum: minimumPages, maximum: maximumPages };
  }

  /** Imports a table of functions, number 0. */
  importTable(module: string, name: string, minimum: number): void {
    this.table = { module, name, minimum };
  }

  /** The number of a function type, for call_indirect. */
  typeIndex(params: readonly ValueType[], results: readonly ValueType[]): number {
    return this.type(params, results);
  }

  /** Bytes that making an instance writes to the memory. */
  data(address: number, bytes: Uint8Array): void {
    this.segments.push({ address, bytes });
  }

  /** A mutable global that begins with this value. */
  global(type: typeof I32 | typeof I64, value: number): number {
    return this.globals.push({ type, value }) - 1;
  }

  /** The same, i32; who makes the instance can set it by its name. */
  exportedGlobal(name: string, value: number): number {
    const index = this.global(I32, value);
    this.exports.push({ name, kind: EXPORTED_GLOBAL, index });
    return index;
  }

  function(params: readonly ValueType[], results: readonly ValueType[]): FunctionBuilder {
    const builder = new FunctionBuilder(
      this.imports.length + this.functions.length,
      this.type(params, results),
      params.length,
    );
    this.functions.push(builder);
    return builder;
  }

  export(name: string, builder: FunctionBuilder): void {
    this.exportIndex(name, builder.index);
  }

  exportIndex(name: string, functionIndex: number): void {
    this.exports.push({ name, kind: EXPORTED_FUNCTION, index: functionIndex });
  }

  encode(): Uint8Array<ArrayBuffer> {
    const out = new Bytes();
    out.append(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    this.section(out, 1, (s) => this.encodeTypes(s));
    this.section(out, 2, (s) => this.encodeImports(s));
    this.section(out, 3, (s) => {
      s.u32(this.functions.length);
      for (const f of this.functions) s.u32(f.typeIndex);
    });
    this.section(out, 6, (s) => {
      s.u32(this.globals.length);
      for (const { type, value } of this.globals) {
        s.byte(type);
        s.byte(1);
        s.byte(type === I32 ? 0x41 : 0x42);
        s.s32(value);
        s.byte(0x0b);
      }
    });
    this.section(out, 7, (s) => {
      s.u32(this.exports.length);
      for (const { name, kind, index } of this.exports) {
        s.name(name);
        s.byte(kind);
        s.u32(index);
      }
    });
    this.encodeHints(out);
    this.section(out, 10, (s) => {
      s.u32(this.functions.length);
      for (const f of this.functions) f.encode(s);
    });
    if (this.segments.length > 0) this.section(out, 11, (s) => this.encodeData(s));
    return out.view().slice();
  }

  private type(params: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${params.join()}>${results.join()}`;
    const known = this.types.indexOf(key);
    if (known >= 0) return known;
    this.typeRows.push({ params, results });
    return this.types.push(key) - 1;
  }

  private section(out: Bytes, id: number, fill: (section: Bytes) => void): void {
    const section = new Bytes();
    fill(section);
    out.byte(id);
    out.u32(section.length);
    out.append(section.view());
  }

  private encodeData(s: Bytes): void {
    s.u32(this.segments.length);
    for (const { address, bytes } of this.segments) {
      s.byte(0);
      s.byte(0x41);
      s.s32(address);
      s.byte(0x0b);
      s.u32(bytes.length);
      s.append(bytes);
    }
  }

  private encodeTypes(s: Bytes): void {
    s.u32(this.typeRows.length);
    for (const { params, results } of this.typeRows) {
      s.byte(0x60);
      s.u32(params.length);
      for (const type of params) s.byte(type);
      s.u32(results.length);
      for (const type of results) s.byte(type);
    }
  }

  private encodeImports(s: Bytes): void {
    s.u32(this.imports.length + (this.memory ? 1 : 0) + (this.table ? 1 : 0));
    for (const { module, name, type } of this.imports) {
      s.name(module);
      s.name(name);
      s.byte(0);
      s.u32(type);
    }
    if (this.table) {
      s.name(this.table.module);
      s.name(this.table.name);
      s.byte(1);
      s.byte(0x70);
      s.byte(0);
      s.u32(this.table.minimum);
    }
    if (this.memory) {
      s.name(this.memory.module);
      s.name(this.memory.name);
      s.byte(2);
      s.byte(1);
      s.u32(this.memory.minimum);
      s.u32(this.memory.maximum);
    }
  }

  /** Custom section of the branch-hinting proposal; engines without it ignore the section. */
  private encodeHints(out: Bytes): void {
    const rows = new Bytes();
    let count = 0;
    for (const f of this.functions) if (f.encodeHints(rows)) count++;
    if (count === 0) return;
    this.section(out, 0, (s) => {
      s.name("metadata.code.branch_hint");
      s.u32(count);
      s.append(rows.view());
    });
  }
}

export { VOID };
