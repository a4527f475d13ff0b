/* Calls and returns: recursion of three shapes, and a chain of small functions that may not be inlined. */
#define NAME "calls"
#define ROUNDS 260
#include "base.h"

__attribute__((noinline)) static u64 fibonacci(u64 n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

__attribute__((noinline)) static int takeuchi(int x, int y, int z) {
  return y < x ? takeuchi(takeuchi(x - 1, y, z), takeuchi(y - 1, z, x), takeuchi(z - 1, x, y)) : z;
}

__attribute__((noinline)) static u64 queens(u32 all, u32 columns, u32 left, u32 right) {
  if (columns == all) return 1;
  u64 count = 0;
  for (u32 free = all & ~(columns | left | right); free;) {
    u32 bit = free & -free;
    free ^= bit;
    count += queens(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
  }
  return count;
}

__attribute__((noinline)) static u64 mix(u64 a, u64 b) { return (a ^ (b << 7)) + (b >> 3); }
__attribute__((noinline)) static u64 twist(u64 a, u64 b) { return mix(a + 1, b) ^ mix(b, a); }
__attribute__((noinline)) static u64 churn(u64 a, u64 b, u64 c) { return twist(a, b) + twist(b, c) * 3; }

static u64 kernel(u64 rounds) {
  u64 sum = 0;
  for (u64 r = 0; r < rounds; r++) {
    sum = sum * 1000003 + fibonacci(25);
    sum = sum * 1000003 + (u64)takeuchi(15, 10, 5);
    sum = sum * 1000003 + queens(0x1ff, 0, 0, 0);
    for (u64 i = 0; i < 100000; i++) sum = churn(sum, i, r);
  }
  return sum;
}
