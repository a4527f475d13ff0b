// Exact IEEE 754 binary32/binary64 arithmetic with RISC-V's results and flags: the reference and the rare path of the
// F and D extensions. It knows bit patterns and rounding, neither registers nor instructions' encodings.
//
// Every arithmetic result goes the same way: the exact value is held as sign * significand * 2^exponent with a BigInt
// significand (plus one "sticky" bit that says a non-zero tail was dropped), and roundPack() rounds it once. That is slow
// (about a microsecond) and simple to trust; the wasm fast paths in isa/float-helpers.ts are tested against it.
//
// Sources: IEEE 754-2008; The RISC-V Instruction Set Manual, volume I, chapters "F" and "D" (version 2.2): canonical NaN
// results, tininess after rounding, minimumNumber/maximumNumber, saturating conversions, NaN boxing.

/** Rounding modes as encoded in `rm` and `frm`. */
export const ROUND = { RNE: 0, RTZ: 1, RDN: 2, RUP: 3, RMM: 4, DYNAMIC: 7 } as const;

/** Accrued exception bits as in `fflags`. */
export const FLAG = { NX: 1, UF: 2, OF: 4, DZ: 8, NV: 16 } as const;

export interface FloatFormat {
  readonly bits: number;
  /** Significand bits including the hidden one. */
  readonly precision: number;
  readonly bias: number;
  /** Biased exponent of infinities and NaNs. */
  readonly topExponent: number;
  readonly fractionMask: bigint;
  readonly hiddenBit: bigint;
  readonly quietBit: bigint;
  readonly signBit: bigint;
  readonly infinity: bigint;
  readonly canonicalNan: bigint;
}

function format(bits: number, precision: number): FloatFormat {
  const fractionBits = BigInt(precision - 1);
  const topExponent = 2 ** (bits - precision) - 1;
  const infinity = BigInt(topExponent) << fractionBits;
  return {
    bits,
    precision,
    bias: topExponent >> 1,
    topExponent,
    fractionMask: (1n << fractionBits) - 1n,
    hiddenBit: 1n << fractionBits,
    quietBit: 1n << (fractionBits - 1n),
    signBit: 1n << BigInt(bits - 1),
    infinity,
    canonicalNan: infinity | (1n << (fractionBits - 1n)),
  };
}

export const SINGLE = format(32, 24);
export const DOUBLE = format(64, 53);

const ZERO = 0;
const FINITE = 1;
const INFINITE = 2;
const QUIET = 3;
const SIGNALING = 4;

/** A decoded operand: for FINITE, (-1)^sign * significand * 2^exponent. */
interface Unpacked {
  kind: number;
  sign: number;
  exponent: number;
  significand: bigint;
}

function unpack(f: FloatFormat, bits: bigint): Unpacked {
  const sign = (bits & f.signBit) !== 0n ? 1 : 0;
  const fraction = bits & f.fractionMask;
  const biased = Number((bits >> BigInt(f.precision - 1)) & BigInt(f.topExponent));
  const lowest = 2 - f.bias - f.precision; // exponent of the last place of a subnormal
  if (biased === f.topExponent) {
    const kind = fraction === 0n ? INFINITE : (fraction & f.quietBit) !== 0n ? QUIET : SIGNALING;
    return { kind, sign, exponent: 0, significand: 0n };
  }
  if (biased === 0) return { kind: fraction === 0n ? ZERO : FINITE, sign, exponent: lowest, significand: fraction };
  return { kind: FINITE, sign, exponent: lowest + biased - 1, significand: fraction | f.hiddenBit };
}

function bitLength(n: bigint): number {
  return n === 0n ? 0 : n.toString(2).length;
}

/** Floor of the square root (Newton from above). Precondition: n > 0. */
function integerSquareRoot(n: bigint): bigint {
  let x = 1n << BigInt((bitLength(n) + 1) >> 1);
  for (;;) {
    const y = (x + n / x) >> 1n;
    if (y >= x) return x;
    x = y;
  }
}

/** Whether magnitude (kept + tail) rounds away from `kept`; `tail` compares the dropped part with a half: -1, 0, 1. */
function roundsUp(rm: number, sign: number, odd: boolean, inexact: boolean, tail: number): boolean {
  if (!inexact) return false;
  switch (rm) {
    case ROUND.RNE:
      return tail > 0 || (tail === 0 && odd);
    case ROUND.RMM:
      return tail >= 0;
    case ROUND.RDN:
      return sign === 1;
    case ROUND.RUP:
      return sign === 0;
    default:
      return false;
  }
}

/** significand >> shift rounded to an integer. `sticky`: a non-zero part lies below the significand's last bit. */
function shiftRound(rm: number, sign: number, significand: bigint, sticky: boolean, shift: number) {
  if (shift <= 0) return { value: significand << BigInt(-shift), inexact: sticky };
  const kept = significand >> BigInt(shift);
  const rest = significand - (kept << BigInt(shift));
  const half = 1n << BigInt(shift - 1);
  const inexact = sticky || rest !== 0n;
  const tail = rest > half || (rest === half && sticky) ? 1 : rest === half ? 0 : -1;
  return { value: roundsUp(rm, sign, (kept & 1n) !== 0n, inexact, tail) ? kept + 1n : kept, inexact };
}

/**
 * The arithmetic. Bit patterns are unsigned BigInts of the format's width; `rm` is a resolved mode (0..4). Every operation
 * ORs the exceptions it raises into `flags`.
 */
export class SoftFloat {
  flags = 0;

  /** Rounds sign * significand * 2^exponent (and a sticky tail) into format `f`. Sticky needs >= precision + 2 bits. */
  private roundPack(f: FloatFormat, rm: number, sign: number, exponent: number, significand: bigint, sticky: boolean) {
    const signBits = sign === 1 ? f.signBit : 0n;
    if (significand === 0n && !sticky) return signBits;
    const smallest = 1 - f.bias; // exponent of the smallest normal number
    const magnitude = exponent + bitLength(significand) - 1;
    const free = magnitude - f.precision + 1; // last place if exponents were unbounded
    const quantum = Math.max(free, smallest - f.precision + 1);
    const rounded = shiftRound(rm, sign, significand, sticky, quantum - exponent);
    let value = rounded.value;
    if (rounded.inexact) {
      this.flags |= FLAG.NX;
      // Tininess is detected after rounding as if the exponent range were unbounded.
      if (magnitude < smallest) {
        const unbounded = shiftRound(rm, sign, significand, sticky, free - exponent).value;
        if (magnitude < smallest - 1 || bitLength(unbounded) === f.precision) this.flags |= FLAG.UF;
      }
    }
    if (value < f.hiddenBit) return signBits | value; // zero or subnormal
    let biased = quantum + f.precision - 1 + f.bias;
    if (value === f.hiddenBit << 1n) {
      value = f.hiddenBit;
      biased++;
    }
    if (biased >= f.topExponent) {
      this.flags |= FLAG.OF | FLAG.NX;
      const toInfinity =
        rm === ROUND.RNE || rm === ROUND.RMM || (rm === ROUND.RDN ? sign === 1 : rm === ROUND.RUP && sign === 0);
      return signBits | (toInfinity ? f.infinity : f.infinity - 1n);
    }
    return signBits | (BigInt(biased) << BigInt(f.precision - 1)) | (value & f.fractionMask);
  }

  private invalid(f: FloatFormat): bigint {
    this.flags |= FLAG.NV;
    return f.canonicalNan;
  }

  /** The result when an operand is a NaN: canonical, invalid only for signaling ones. */
  private nan(f: FloatFormat, ...operands: Unpacked[]): bigint {
    if (operands.some((x) => x.kind === SIGNALING)) this.flags |= FLAG.NV;
    return f.canonicalNan;
  }

  add(f: FloatFormat, rm: number, a: bigint, b: bigint): bigint {
    const x = unpack(f, a);
    const y = unpack(f, b);
    if (x.kind >= QUIET || y.kind >= QUIET) return this.nan(f, x, y);
    return this.addUnpacked(f, rm, x, y);
  }

  sub(f: FloatFormat, rm: number, a: bigint, b: bigint): bigint {
    const x = unpack(f, a);
    const y = unpack(f, b);
    if (x.kind >= QUIET || y.kind >= QUIET) return this.nan(f, x, y);
    y.sign ^= 1;
    return this.addUnpacked(f, rm, x, y);
  }

  /** x + y, neither of them a NaN; significands of any width. */
  private addUnpacked(f: FloatFormat, rm: number, x: Unpacked, y: Unpacked): bigint {
    if (x.kind === INFINITE || y.kind === INFINITE) {
      if (x.kind === y.kind && x.sign !== y.sign) return this.invalid(f);
      return ((x.kind === INFINITE ? x.sign : y.sign) === 1 ? f.signBit : 0n) | f.infinity;
    }
    // BigInts are exact at any width, so the whole exponent range (4,200 bits) needs no sticky bit.
    const exponent = Math.min(x.exponent, y.exponent);
    const left = x.significand << BigInt(x.exponent - exponent);
    const right = y.significand << BigInt(y.exponent - exponent);
    const sum = (x.sign === 1 ? -left : left) + (y.sign === 1 ? -right : right);
    if (sum === 0n) {
      // Equal signs only when both are zero; otherwise x - x is +0, except -0 when rounding down.
      const sign = x.sign === y.sign ? x.sign : rm === ROUND.RDN ? 1 : 0;
      return sign === 1 ? f.signBit : 0n;
    }
    return sum < 0n ? this.roundPack(f, rm, 1, exponent, -sum, false) : this.roundPack(f, rm, 0, exponent, sum, false);
  }

  mul(f: FloatFormat, rm: number, a: bigint, b: bigint): bigint {
    const x = unpack(f, a);
    const y = unpack(f, b);
    if (x.kind >= QUIET || y.kind >= QUIET) return this.nan(f, x, y);
    const sign = x.sign ^ y.sign;
    if (x.kind === INFINITE || y.kind === INFINITE) {
      if (x.kind === ZERO || y.kind === ZERO) return this.invalid(f);
      return (sign === 1 ? f.signBit : 0n) | f.infinity;
    }
    return this.roundPack(f, rm, sign, x.exponent + y.exponent, x.significand * y.significand, false);
  }

  div(f: FloatFormat, rm: number, a: bigint, b: bigint): bigint {
    const x = unpack(f, a);
    const y = unpack(f, b);
    if (x.kind >= QUIET || y.kind >= QUIET) return this.nan(f, x, y);
    const sign = x.sign ^ y.sign;
    const signBits = sign === 1 ? f.signBit : 0n;
    if (x.kind === INFINITE) return y.kind === INFINITE ? this.invalid(f) : signBits | f.infinity;
    if (y.kind === INFINITE) return signBits;
    if (y.kind === ZERO) {
      if (x.kind === ZERO) return this.invalid(f);
      this.flags |= FLAG.DZ;
      return signBits | f.infinity;
    }
    if (x.kind === ZERO) return signBits;
    const extra = Math.max(0, f.precision + 3 - bitLength(x.significand) + bitLength(y.significand));
    const numerator = x.significand << BigInt(extra);
    const quotient = numerator / y.significand;
    const sticky = quotient * y.significand !== numerator;
    return this.roundPack(f, rm, sign, x.exponent - y.exponent - extra, quotient, sticky);
  }

  sqrt(f: FloatFormat, rm: number, a: bigint): bigint {
    const x = unpack(f, a);
    if (x.kind >= QUIET) return this.nan(f, x);
    if (x.kind === ZERO) return a;
    if (x.sign === 1) return this.invalid(f);
    if (x.kind === INFINITE) return a;
    let extra = Math.max(0, 2 * (f.precision + 3) - bitLength(x.significand));
    if (((x.exponent - extra) & 1) !== 0) extra++;
    const n = x.significand << BigInt(extra);
    const root = integerSquareRoot(n);
    return this.roundPack(f, rm, 0, (x.exponent - extra) / 2, root, root * root !== n);
  }

  /** (negateProduct ? -(a*b) : a*b) + (negateAddend ? -c : c), rounded once. */
  fma(
    f: FloatFormat,
    rm: number,
    a: bigint,
    b: bigint,
    c: bigint,
    negateProduct: boolean,
    negateAddend: boolean,
  ): bigint {
    const x = unpack(f, a);
    const y = unpack(f, b);
    const z = unpack(f, c);
    // Infinity times zero is invalid even if the addend is a quiet NaN.
    if ((x.kind === INFINITE && y.kind === ZERO) || (x.kind === ZERO && y.kind === INFINITE)) return this.invalid(f);
    if (x.kind >= QUIET || y.kind >= QUIET || z.kind >= QUIET) return this.nan(f, x, y, z);
    if (negateAddend) z.sign ^= 1;
    const infinite = x.kind === INFINITE || y.kind === INFINITE;
    const product: Unpacked = {
      kind: infinite ? INFINITE : x.kind === ZERO || y.kind === ZERO ? ZERO : FINITE,
      sign: x.sign ^ y.sign ^ (negateProduct ? 1 : 0),
      exponent: x.exponent + y.exponent,
      significand: x.significand * y.significand,
    };
    return this.addUnpacked(f, rm, product, z);
  }

  /** minimumNumber (F 2.2): a NaN loses against a number, -0 is less than +0. */
  min(f: FloatFormat, a: bigint, b: bigint): bigint {
    return this.minMax(f, a, b, false);
  }

  max(f: FloatFormat, a: bigint, b: bigint): bigint {
    return this.minMax(f, a, b, true);
  }

  private minMax(f: FloatFormat, a: bigint, b: bigint, wantMax: boolean): bigint {
    const x = unpack(f, a);
    const y = unpack(f, b);
    if (x.kind === SIGNALING || y.kind === SIGNALING) this.flags |= FLAG.NV;
    if (x.kind >= QUIET) return y.kind >= QUIET ? f.canonicalNan : b;
    if (y.kind >= QUIET) return a;
    const less = order(f, a) < order(f, b);
    return less === wantMax ? b : a;
  }

  eq(f: FloatFormat, a: bigint, b: bigint): boolean {
    const x = unpack(f, a);
    const y = unpack(f, b);
    if (x.kind >= QUIET || y.kind >= QUIET) {
      this.nan(f, x, y);
      return false;
    }
    return a === b || (x.kind === ZERO && y.kind === ZERO);
  }

  lt(f: FloatFormat, a: bigint, b: bigint): boolean {
    return this.ordered(f, a, b) && !bothZero(f, a, b) && order(f, a) < order(f, b);
  }

  le(f: FloatFormat, a: bigint, b: bigint): boolean {
    return this.ordered(f, a, b) && (bothZero(f, a, b) || order(f, a) <= order(f, b));
  }

  /** False, and invalid, if either operand is a NaN of any kind (the signaling comparisons). */
  private ordered(f: FloatFormat, a: bigint, b: bigint): boolean {
    if (unpack(f, a).kind < QUIET && unpack(f, b).kind < QUIET) return true;
    this.flags |= FLAG.NV;
    return false;
  }

  /** FCLASS: one of ten bits. */
  classify(f: FloatFormat, a: bigint): number {
    const x = unpack(f, a);
    if (x.kind === SIGNALING) return 1 << 8;
    if (x.kind === QUIET) return 1 << 9;
    if (x.kind === INFINITE) return x.sign === 1 ? 1 << 0 : 1 << 7;
    if (x.kind === ZERO) return x.sign === 1 ? 1 << 3 : 1 << 4;
    const subnormal = x.significand < f.hiddenBit;
    return x.sign === 1 ? (subnormal ? 1 << 2 : 1 << 1) : subnormal ? 1 << 5 : 1 << 6;
  }

  /** Float to integer of `bits` bits; out of range and NaN saturate (NaN as +infinity) and are invalid, never inexact. */
  toInteger(f: FloatFormat, rm: number, a: bigint, bits: number, signed: boolean): bigint {
    const x = unpack(f, a);
    const max = (1n << BigInt(signed ? bits - 1 : bits)) - 1n;
    const min = signed ? -max - 1n : 0n;
    if (x.kind >= INFINITE) {
      this.flags |= FLAG.NV;
      return x.kind === INFINITE && x.sign === 1 ? min : max;
    }
    const { value, inexact } = shiftRound(rm, x.sign, x.significand, false, -x.exponent);
    const result = x.sign === 1 ? -value : value;
    if (result > max || result < min) {
      this.flags |= FLAG.NV;
      return result > max ? max : min;
    }
    if (inexact) this.flags |= FLAG.NX;
    return result;
  }

  /** Integer (any signed BigInt) to float. */
  fromInteger(f: FloatFormat, rm: number, value: bigint): bigint {
    return value < 0n ? this.roundPack(f, rm, 1, 0, -value, false) : this.roundPack(f, rm, 0, 0, value, false);
  }

  /** Between formats; a NaN becomes the canonical one. */
  convert(from: FloatFormat, to: FloatFormat, rm: number, a: bigint): bigint {
    const x = unpack(from, a);
    if (x.kind >= QUIET) return this.nan(to, x);
    if (x.kind === INFINITE) return (x.sign === 1 ? to.signBit : 0n) | to.infinity;
    return this.roundPack(to, rm, x.sign, x.exponent, x.significand, false);
  }
}

/** A key that orders numbers as minimumNumber does (-0 before +0). */
function order(f: FloatFormat, a: bigint): bigint {
  return (a & f.signBit) !== 0n ? -(a ^ f.signBit) - 1n : a;
}

function bothZero(f: FloatFormat, a: bigint, b: bigint): boolean {
  return ((a | b) & (f.signBit - 1n)) === 0n;
}
