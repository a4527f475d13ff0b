/*
 * Small kernels for measuring and checking the hart, one program per value of KERNEL. Freestanding; prints a checksum.
 * Built by build.sh; the programs in prebuilt/ are its output.
 */
typedef unsigned long u64;
typedef unsigned int u32;
typedef unsigned char u8;

static long call3(long n, long a, long b, long c) {
  register long a0 __asm__("a0") = a;
  register long a1 __asm__("a1") = b;
  register long a2 __asm__("a2") = c;
  register long a7 __asm__("a7") = n;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}

static void print(u64 value) {
  char text[17];
  for (int i = 15; i >= 0; i--, value >>= 4) text[i] = "0123456789abcdef"[value & 15];
  text[16] = '\n';
  call3(64, 1, (long)text, 17);
}

#ifndef SCALE
#define SCALE 1
#endif
#define NOINLINE __attribute__((noinline))

#if KERNEL == 1 /* sieve */
static u8 composite[1 << 20];
static u64 work(void) {
  u64 count = 0;
  for (int round = 0; round < 8 * SCALE; round++) {
    for (int i = 0; i < 1 << 20; i++) composite[i] = 0;
    for (int i = 2; i < 1 << 20; i++) {
      if (composite[i]) continue;
      count++;
      for (int j = 2 * i; j < 1 << 20; j += i) composite[j] = 1;
    }
  }
  return count;
}
#elif KERNEL == 2 /* sha-like mix */
static u32 rotate(u32 x, int n) { return (x >> n) | (x << (32 - n)); }
static u64 work(void) {
  u32 w[16], a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8;
  for (int i = 0; i < 16; i++) w[i] = i * 0x9e3779b9u;
  for (int i = 0; i < 3000000 * SCALE; i++) {
    u32 x = w[i & 15] += rotate(w[(i + 1) & 15], 7) ^ rotate(w[(i + 14) & 15], 17);
    u32 t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + x;
    u32 t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g; g = f; f = e; e = d + t1; d = c; c = b; b = a; a = t1 + t2;
  }
  return ((u64)a << 32) ^ e ^ h;
}
#elif KERNEL == 3 /* list chase within L1 */
static struct node { struct node *next; u64 value; } nodes[512];
static u64 work(void) {
  for (int i = 0; i < 512; i++) { nodes[i].next = &nodes[(i * 37 + 11) & 511]; nodes[i].value = i; }
  u64 sum = 0;
  struct node *p = nodes;
  for (int i = 0; i < 30000000 * SCALE; i++) { sum += p->value; p = p->next; }
  return sum;
}
#elif KERNEL == 4 /* recursive calls */
static NOINLINE u64 fib(u64 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
static u64 work(void) { u64 sum = 0; for (int i = 0; i < SCALE; i++) sum += fib(33); return sum; }
#elif KERNEL == 5 /* bytecode loop with a jump table */
static const u8 code[] = {0, 1, 2, 3, 4, 1, 5, 2, 6, 7, 3, 1, 0, 8, 4, 9};
static u64 work(void) {
  u64 acc = 1, x = 3, count = 0;
  volatile u64 limit = 12000000UL * SCALE;
  u64 end = limit;
  for (u64 pc = 0; count < end; count++) {
    switch (code[pc & 15]) {
      case 0: acc += x; pc++; break;
      case 1: x ^= acc << 3; pc++; break;
      case 2: acc -= 7; pc++; break;
      case 3: x = x * 5 + 1; pc++; break;
      case 4: acc = acc >> 1 | acc << 63; pc++; break;
      case 5: if (acc & 1) pc += 1; pc++; break;
      case 6: acc ^= x; pc++; break;
      case 7: x += count; pc++; break;
      case 8: if (x & 2) pc += 1; pc++; break;
      default: pc = 0; acc ^= 0x55; break;
    }
  }
  return acc ^ x;
}
#elif KERNEL == 6 /* calls through pointers */
typedef u64 (*operation)(u64, u64);
static NOINLINE u64 f0(u64 a, u64 b) { return a + b; }
static NOINLINE u64 f1(u64 a, u64 b) { return a ^ (b << 1); }
static NOINLINE u64 f2(u64 a, u64 b) { return a * 3 - b; }
static NOINLINE u64 f3(u64 a, u64 b) { return f0(a, b) + f1(b, a); }
static operation table[4];
static u64 work(void) {
  table[0] = f0; table[1] = f1; table[2] = f2; table[3] = f3;
  u64 a = 1;
  for (u64 i = 0; i < 10000000UL * SCALE; i++) a = ((volatile operation *)table)[(i ^ (a >> 60)) & 3](a, i);
  return a;
}
#elif KERNEL == 7 /* bytes: copy, compare, hash */
static u8 from[1 << 16], to[1 << 16];
static u64 work(void) {
  u64 h = 14695981039346656037UL;
  for (int i = 0; i < 1 << 16; i++) from[i] = i * 31 >> 3;
  for (int round = 0; round < 200 * SCALE; round++) {
    for (int i = 0; i < 1 << 16; i++) to[i] = from[i] ^ (u8)round;
    for (int i = 0; i < 1 << 16; i++) { h ^= to[i]; h *= 1099511628211UL; }
  }
  return h;
}
#elif KERNEL == 8 /* integer matrix product */
static u64 a[64][64], b[64][64], c[64][64];
static u64 work(void) {
  for (int i = 0; i < 64; i++) for (int j = 0; j < 64; j++) { a[i][j] = i * j + 1; b[i][j] = i ^ j; }
  for (int round = 0; round < 60 * SCALE; round++) {
    for (int i = 0; i < 64; i++) for (int j = 0; j < 64; j++) {
      u64 sum = 0;
      for (int k = 0; k < 64; k++) sum += a[i][k] * b[k][j];
      c[i][j] = sum;
    }
    a[round & 63][3] += c[5][round & 63];
  }
  return c[7][9] + c[63][63];
}
#elif KERNEL == 9 /* double precision: n-body like */
static double px[5] = {0, 4.8, 8.3, 12.8, 15.3}, vx[5] = {0, .6, -1, 1, .9}, py[5] = {0, -1.1, 4.1, -15, -25.9}, vy[5] = {0, 2.8, 1.8, .8, .5};
static const double mass[5] = {39.4, .03, .01, .001, .002};
static u64 work(void) {
  for (int step = 0; step < 150000 * SCALE; step++) {
    for (int i = 0; i < 5; i++) for (int j = i + 1; j < 5; j++) {
      double dx = px[i] - px[j], dy = py[i] - py[j], d2 = dx * dx + dy * dy + 0.01, d;
      __asm__("fsqrt.d %0, %1" : "=f"(d) : "f"(d2));
      double mag = 0.001 / (d2 * d);
      vx[i] -= dx * mass[j] * mag; vy[i] -= dy * mass[j] * mag;
      vx[j] += dx * mass[i] * mag; vy[j] += dy * mass[i] * mag;
    }
    for (int i = 0; i < 5; i++) { px[i] += 0.001 * vx[i]; py[i] += 0.001 * vy[i]; }
  }
  union { double d; u64 u; } out = {px[0] + py[1] + vx[2]};
  return out.u;
}
#endif

__attribute__((noreturn, used)) void start(void) {
  print(work());
  call3(93, 0, 0, 0);
  __builtin_unreachable();
}
__asm__(".globl _start\n_start:\n.option push\n.option norelax\n1: auipc gp, %pcrel_hi(__global_pointer$)\naddi gp, gp, %pcrel_lo(1b)\n.option pop\nandi sp, sp, -16\ncall start\n");
