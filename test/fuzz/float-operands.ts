// Draws floating-point operands that matter: special values, exponents near every limit, short significands, halfway cases
// and operands correlated with each other. Register bit patterns as pairs of uint32 (low, high).
import type { Prng } from "../../src/util/prng.ts";

const SPECIAL_DOUBLES: readonly (readonly [number, number])[] = [
  [0, 0],
  [0, 0x8000_0000],
  [1, 0],
  [1, 0x8000_0000],
  [0xffff_ffff, 0x000f_ffff],
  [0, 0x0010_0000],
  [1, 0x0010_0000],
  [0, 0x3ff0_0000],
  [0, 0xbff0_0000],
  [0, 0x3fe0_0000],
  [0, 0x3ff8_0000],
  [0, 0x4004_0000],
  [0xffff_ffff, 0x7fef_ffff],
  [0xffff_ffff, 0xffef_ffff],
  [0, 0x7ff0_0000],
  [0, 0xfff0_0000],
  [0, 0x7ff8_0000],
  [1, 0x7ff0_0000],
  [0, 0xfff8_0000],
  [1, 0xfff0_0000],
  [0xffff_ffff, 0x7fff_ffff],
  [0, 0x41e0_0000],
  [0, 0xc1e0_0000],
  [0xffc0_0000, 0x41df_ffff],
  [0x0020_0000, 0xc1e0_0000],
  [0, 0x41f0_0000],
  [0xffe0_0000, 0x41ef_ffff],
  [0, 0x43e0_0000],
  [0, 0xc3e0_0000],
  [0, 0x43f0_0000],
  [0xffff_ffff, 0x43ef_ffff],
  [0, 0xbfe0_0000],
  [0, 0x36a0_0000],
  [0, 0x3810_0000],
  [0xe000_0000, 0x47ef_ffff],
  [0xf000_0000, 0x47ef_ffff],
];

const SPECIAL_SINGLES: readonly number[] = [
  0, 0x8000_0000, 1, 0x8000_0001, 0x007f_ffff, 0x0080_0000, 0x0080_0001, 0x3f80_0000, 0xbf80_0000, 0x3f00_0000,
  0x3fc0_0000, 0x4020_0000, 0x7f7f_ffff, 0xff7f_ffff, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0x7f80_0001, 0xffc0_0000,
  0xff80_0001, 0x7fff_ffff, 0x4f00_0000, 0xcf00_0000, 0x4eff_ffff, 0x4f80_0000, 0x5f00_0000, 0xdf00_0000, 0x5f80_0000,
  0xbf00_0000, 0xbf7f_ffff,
];

const SPECIAL_INTEGERS: readonly (readonly [number, number])[] = [
  [0, 0],
  [1, 0],
  [0xffff_ffff, 0xffff_ffff],
  [0, 0x8000_0000],
  [0xffff_ffff, 0x7fff_ffff],
  [0x8000_0000, 0],
  [0x7fff_ffff, 0],
  [0x8000_0000, 0xffff_ffff],
  [0xffff_ffff, 0],
  [0, 1],
  [0, 0x0020_0000],
  [1, 0x0020_0000],
  [0xffff_ffff, 0x001f_ffff],
  [0x0100_0000, 0],
  [0x0100_0001, 0],
  [0x00ff_ffff, 0],
  [0xffff_fc00, 0x7fff_ffff],
  [0xffff_fe00, 0x7fff_ffff],
  [0x0400, 0x8000_0000],
];

export class FloatOperands {
  private readonly random: Prng;
  low = 0;
  high = 0;
  private lastLow = 0;
  private lastHigh = 0x3ff0_0000;
  private lastSingle = 0x3f80_0000;

  constructor(random: Prng) {
    this.random = random;
  }

  /** Sets low and high to a binary64 pattern. */
  double(): void {
    this.drawDouble();
    this.lastLow = this.low;
    this.lastHigh = this.high;
  }

  private drawDouble(): void {
    const { random } = this;
    const kind = random.below(16);
    const sign = random.next() & 0x8000_0000;
    if (kind < 2) {
      [this.low, this.high] = SPECIAL_DOUBLES[random.below(SPECIAL_DOUBLES.length)];
      return;
    }
    this.low = random.next();
    this.high = random.next();
    if (kind === 2) return; // any pattern
    // Exponents: close together, near the limits, or near the last operand so that sums cancel and align.
    const exponent =
      kind < 7
        ? 1023 + random.below(9) - 4
        : kind === 7
          ? random.below(60)
          : kind === 8
            ? 2047 - random.below(4)
            : kind === 9
              ? 1023 + random.below(1100) - 550
              : kind === 10
                ? 1023 + random.below(130)
                : Math.min(2046, Math.max(0, ((this.lastHigh >>> 20) & 0x7ff) + random.below(113) - 56));
    this.shorten(random.below(6));
    if (kind === 15) {
      // The last operand, a few units off: cancellation and halfway cases.
      this.low = (this.lastLow + random.below(5) - 2) >>> 0;
      this.high = ((this.lastHigh & 0x7fff_ffff) | sign) >>> 0;
      return;
    }
    this.high = ((this.high & 0x000f_ffff) | (exponent << 20) | sign) >>> 0;
  }

  /** Leaves few significant bits (exact results), or patterns next to them (halfway cases). */
  private shorten(kind: number): void {
    const keep = this.random.below(53);
    if (kind > 2) return;
    if (keep <= 20) {
      this.low = kind === 1 ? 0xffff_ffff : 0;
      this.high &= -1 << (20 - keep);
      if (kind === 1) this.high |= (1 << (20 - keep)) - 1;
    } else {
      const mask = keep === 52 ? -1 : -1 << (52 - keep);
      this.low = (kind === 1 ? this.low | ~mask : this.low & mask) >>> 0;
    }
    if (kind === 2) this.low = (this.low ^ (1 << this.random.below(3))) >>> 0;
  }

  /** Sets low and high to a NaN-boxed binary32 pattern (rarely one that is not boxed). */
  single(): void {
    const { random } = this;
    this.low = this.drawSingle() >>> 0;
    this.lastSingle = this.low;
    const boxing = random.below(64);
    this.high = boxing === 0 ? random.next() : boxing === 1 ? 0xffff_fffe : 0xffff_ffff;
  }

  private drawSingle(): number {
    const { random } = this;
    const kind = random.below(16);
    const sign = random.next() & 0x8000_0000;
    if (kind < 2) return SPECIAL_SINGLES[random.below(SPECIAL_SINGLES.length)];
    let bits = random.next();
    if (kind === 2) return bits;
    const shape = random.below(6);
    if (shape < 3) {
      const mask = -1 << random.below(24);
      bits = shape === 1 ? bits | ~mask : bits & mask;
      if (shape === 2) bits ^= 1 << random.below(3);
    }
    if (kind === 15) return ((this.lastSingle + random.below(5) - 2) & 0x7fff_ffff) | sign;
    const exponent =
      kind < 7
        ? 127 + random.below(9) - 4
        : kind === 7
          ? random.below(28)
          : kind === 8
            ? 255 - random.below(4)
            : kind === 9
              ? 127 + random.below(130) - 65
              : kind === 10
                ? 127 + random.below(66)
                : Math.min(254, Math.max(0, ((this.lastSingle >>> 23) & 0xff) + random.below(55) - 27));
    return (bits & 0x007f_ffff) | (exponent << 23) | sign;
  }

  /** Sets low and high to a 64-bit integer of any length. */
  integer(): void {
    const { random } = this;
    if (random.below(8) === 0) {
      [this.low, this.high] = SPECIAL_INTEGERS[random.below(SPECIAL_INTEGERS.length)];
      return;
    }
    let value = (BigInt(random.next()) << 32n) | BigInt(random.next());
    value = BigInt.asIntN(64, value) >> BigInt(random.below(64));
    if (random.below(3) === 0) value <<= BigInt(random.below(40));
    if (random.below(3) === 0) value += BigInt(random.below(3)) - 1n;
    this.low = Number(BigInt.asUintN(32, value));
    this.high = Number(BigInt.asUintN(32, value >> 32n));
  }

  /** Any register that an instruction may read as single precision, double precision or an integer. */
  forOperand(kind: "s" | "d" | "x"): void {
    if (kind === "s") this.single();
    else if (kind === "d") this.double();
    else this.integer();
  }
}

/** What an operation's register operands hold: decided by its name (fcvt.d.s reads single precision, fadd.d double). */
export function operandKind(name: string, operands: string): "s" | "d" | "x" {
  if (operands === "x") return "x";
  return name.endsWith(".s") || name === "fmv.x.w" ? "s" : "d";
}
