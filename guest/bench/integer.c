/* Integer loops: a sieve, a matrix product, Collatz chains, 64-bit multiplication and division. */
#define NAME "integer"
#define ROUNDS 650
#include "base.h"

#define LIMIT 200000
#define N 64

static u8 composite[LIMIT];
static int left[N][N], right[N][N], product[N][N];

static u64 sieve(void) {
  u64 count = 0;
  for (u32 i = 0; i < LIMIT; i++) composite[i] = 0;
  for (u32 i = 2; i < LIMIT; i++) {
    if (composite[i]) continue;
    count++;
    for (u32 k = 2 * i; k < LIMIT; k += i) composite[k] = 1;
  }
  return count;
}

static u64 multiply(u32 round) {
  u64 trace = 0;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      left[i][j] = i * 3 + j + (int)round;
      right[i][j] = i - j * 5;
    }
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      int sum = 0;
      for (int k = 0; k < N; k++) sum += left[i][k] * right[k][j];
      product[i][j] = sum;
    }
  for (int i = 0; i < N; i++) trace = trace * 31 + (u32)product[i][N - 1 - i];
  return trace;
}

static u64 collatz(u64 from, u64 to) {
  u64 steps = 0;
  for (u64 n = from; n < to; n++)
    for (u64 x = n; x != 1; steps++) x = x & 1 ? 3 * x + 1 : x >> 1;
  return steps;
}

static u64 divide(u64 count) {
  u64 sum = 0;
  for (u64 i = 1; i <= count; i++) {
    u64 x = next_random();
    sum += x / (i * 7919) + x % (i | 1);
    sum ^= (u64)((long)x / -(long)i) + (u64)(((unsigned __int128)x * sum) >> 64);
  }
  return sum;
}

static u64 kernel(u64 rounds) {
  u64 sum = 0;
  for (u64 r = 0; r < rounds; r++) {
    sum = sum * 1000003 + sieve();
    sum = sum * 1000003 + multiply((u32)r);
    sum = sum * 1000003 + collatz(1 + r * 2000, 2001 + r * 2000);
    sum = sum * 1000003 + divide(50000);
  }
  return sum;
}
