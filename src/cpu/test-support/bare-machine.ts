// A machine without a kernel for tests of the hart: one address space built by hand, an ELF's segments and a stack mapped,
// write and exit served. Not responsible for anything Linux beyond that.
import { PTE_A, PTE_D, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X, pfnToPte } from "../../arch/sv39.ts";
import { CpuContext } from "../cpu-context.ts";
import { EXIT_ECALL, EXIT_FUEL, type ExitReason } from "../exits.ts";
import { Hart, type HartOptions } from "../hart.ts";

const PAGE = 4096;
const STACK_TOP = 0x3f_0000_0000;
const STACK_PAGES = 64;
const SYS_WRITE = 64;

export class BareMachine {
  readonly hart: Hart;
  readonly context = new CpuContext();
  readonly bytes: Uint8Array;
  private readonly words: Uint32Array;
  private nextFrame = 1;
  private readonly root: number;

  get rootPfn(): number {
    return this.root;
  }
  output: number[] = [];
  /** Budget of one run(), and what happens after each. */
  slice = 10_000_000;
  betweenSlices: () => void = () => {};

  constructor(ramBytes = 64 << 20, options: Omit<HartOptions, "ramBytes"> = {}) {
    this.hart = Hart.create({ ramBytes, ...options });
    this.bytes = new Uint8Array(this.hart.buffer, this.hart.ramOffset, ramBytes);
    this.words = new Uint32Array(this.hart.buffer, this.hart.ramOffset, ramBytes / 4);
    this.root = this.allocate();
    this.hart.setSpace({ id: 1, rootPfn: this.root });
    this.hart.switchTo(this.context);
  }

  allocate(): number {
    return this.nextFrame++;
  }

  /** Maps one page with these R/W/X bits (A and D clear) and returns its frame. */
  map(address: number, bits: number, pfn = this.allocate()): number {
    let table = this.root;
    const vpn = Math.floor(address / PAGE);
    for (const level of [2, 1]) {
      const at = table * 1024 + ((vpn >>> (9 * level)) & 511) * 2;
      if (this.words[at] === 0) this.words[at] = pfnToPte(this.allocate(), PTE_V);
      table = this.words[at] >>> 10;
    }
    this.words[table * 1024 + (vpn & 511) * 2] = pfnToPte(pfn, bits | PTE_V | PTE_U);
    return pfn;
  }

  pte(address: number): number {
    let table = this.root;
    const vpn = Math.floor(address / PAGE);
    for (const level of [2, 1]) table = this.words[table * 1024 + ((vpn >>> (9 * level)) & 511) * 2] >>> 10;
    return this.words[table * 1024 + (vpn & 511) * 2];
  }

  /** Loads a static ELF (all pages readable, writable and executable) and sets pc and sp. */
  load(elf: Uint8Array): void {
    const view = new DataView(elf.buffer, elf.byteOffset, elf.length);
    const frames = new Map<number, number>();
    const frameAt = (address: number) => {
      const page = Math.floor(address / PAGE) * PAGE;
      if (!frames.has(page)) frames.set(page, this.map(page, PTE_R | PTE_W | PTE_X));
      return frames.get(page)!;
    };
    const headers = Number(view.getBigUint64(32, true));
    for (let i = 0; i < view.getUint16(56, true); i++) {
      const at = headers + i * view.getUint16(54, true);
      if (view.getUint32(at, true) !== 1) continue;
      const offset = Number(view.getBigUint64(at + 8, true));
      const address = Number(view.getBigUint64(at + 16, true));
      const fileSize = Number(view.getBigUint64(at + 32, true));
      const memorySize = Number(view.getBigUint64(at + 40, true));
      for (let k = 0; k < memorySize; k++) {
        const frame = frameAt(address + k);
        if (k < fileSize) this.bytes[frame * PAGE + ((address + k) % PAGE)] = elf[offset + k];
      }
    }
    for (let i = 1; i <= STACK_PAGES; i++) this.map(STACK_TOP - i * PAGE, PTE_R | PTE_W);
    this.context.pc = Number(view.getBigUint64(24, true));
    this.context.setX(2, STACK_TOP - 256);
  }

  /** Reads guest memory; the range must be mapped. */
  read(address: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let i = 0; i < length; i++)
      out[i] = this.bytes[(this.pte(address + i) >>> 10) * PAGE + ((address + i) % PAGE)];
    return out;
  }

  /** Runs until exit or until something else than write/exit stops it. Returns the exit code, or the reason as -1 - reason. */
  run(limit = Number.POSITIVE_INFINITY): number {
    for (;;) {
      const reason: ExitReason = this.hart.run(this.slice);
      if (reason === EXIT_FUEL) {
        this.betweenSlices();
        if (this.hart.instructions >= limit) return -1;
        continue;
      }
      if (reason !== EXIT_ECALL) return -1 - reason;
      const c = this.context;
      if (c.getX(17) === SYS_WRITE) {
        this.output.push(...this.read(c.getX(11), c.getX(12)));
        c.setX(10, c.getX(12));
      } else if (c.getX(17) === 93 || c.getX(17) === 94) return c.getX(10);
      else c.setX(10, -38);
      c.pc += 4;
    }
  }
}

export { PTE_A, PTE_D };
