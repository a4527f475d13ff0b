/* Fused multiply-add, as compilers contract it: a matrix product, Horner's rule and compensated dot products. */
#define NAME "fused"
#define ROUNDS 640
#include "base.h"

#define N 64
static double left[N][N], right[N][N], product[N][N];
static float weights[4096], values[4096];

static u64 bits_of(double x) {
  u64 bits;
  __builtin_memcpy(&bits, &x, 8);
  return bits;
}

static double unit(void) { return (double)(next_random() >> 11) * 0x1p-53; }

static u64 multiply(void) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      left[i][j] = unit() - 0.5;
      right[i][j] = unit();
    }
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      double sum = 0;
      for (int k = 0; k < N; k++) sum = __builtin_fma(left[i][k], right[k][j], sum);
      product[i][j] = sum;
    }
  return bits_of(product[3][5]) ^ bits_of(product[N - 1][N - 1]);
}

static u64 horner(int count) {
  u64 sum = 0;
  for (int i = 0; i < count; i++) {
    double x = unit() - 0.5, y = 1.0 / 40320;
    y = __builtin_fma(y, x, 1.0 / 5040);
    y = __builtin_fma(y, x, 1.0 / 720);
    y = __builtin_fma(y, x, 1.0 / 120);
    y = __builtin_fma(y, x, 1.0 / 24);
    y = __builtin_fma(y, x, 1.0 / 6);
    y = __builtin_fma(y, x, 0.5);
    y = __builtin_fma(y, x, 1.0);
    sum = sum * 31 + bits_of(__builtin_fma(y, x, 1.0));
  }
  return sum;
}

static u64 dot(void) {
  float sum = 0;
  for (int i = 0; i < 4096; i++) {
    weights[i] = (float)unit() - 0.5f;
    values[i] = (float)unit();
  }
  for (int pass = 0; pass < 8; pass++)
    for (int i = 0; i < 4096; i++) sum = __builtin_fmaf(weights[i], values[(i + pass) & 4095], sum);
  return bits_of(sum);
}

static u64 kernel(u64 rounds) {
  u64 sum = 0;
  for (u64 r = 0; r < rounds; r++) {
    sum = sum * 1000003 + multiply();
    sum = sum * 1000003 + horner(20000);
    sum = sum * 1000003 + dot();
  }
  return sum;
}
