/* Floating point without fused operations: planets, the Mandelbrot set, a filter in single precision, conversions. Built
 * with -ffp-contract=off, so every machine must print the same bits. */
#define NAME "float"
#define ROUNDS 60
#include "base.h"

static u64 bits_of(double x) {
  u64 bits;
  __builtin_memcpy(&bits, &x, 8);
  return bits;
}

struct body {
  double x, y, z, vx, vy, vz, mass;
};
static struct body bodies[5] = {
    {0, 0, 0, 0, 0, 0, 39.47},
    {4.84, -1.16, -0.10, 0.60, 2.81, -0.02, 0.037},
    {8.34, 4.12, -0.40, -1.01, 1.82, 0.008, 0.011},
    {12.89, -15.11, -0.22, 1.08, 0.86, -0.01, 0.0017},
    {15.37, -25.9, 0.17, 0.97, 0.59, -0.03, 0.002},
};

static u64 planets(int steps) {
  for (int s = 0; s < steps; s++) {
    for (int i = 0; i < 5; i++)
      for (int j = i + 1; j < 5; j++) {
        struct body *a = &bodies[i], *b = &bodies[j];
        double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
        double square = dx * dx + dy * dy + dz * dz;
        double pull = 0.001 / (square * __builtin_sqrt(square));
        a->vx -= dx * b->mass * pull;
        a->vy -= dy * b->mass * pull;
        a->vz -= dz * b->mass * pull;
        b->vx += dx * a->mass * pull;
        b->vy += dy * a->mass * pull;
        b->vz += dz * a->mass * pull;
      }
    for (int i = 0; i < 5; i++) {
      bodies[i].x += 0.001 * bodies[i].vx;
      bodies[i].y += 0.001 * bodies[i].vy;
      bodies[i].z += 0.001 * bodies[i].vz;
    }
  }
  return bits_of(bodies[0].x) ^ bits_of(bodies[4].vz);
}

static u64 mandelbrot(int size) {
  u64 sum = 0;
  for (int py = 0; py < size; py++)
    for (int px = 0; px < size; px++) {
      double cx = px * 3.0 / size - 2.0, cy = py * 2.0 / size - 1.0, x = 0, y = 0;
      int n = 0;
      while (n < 100 && x * x + y * y < 4.0) {
        double t = x * x - y * y + cx;
        y = 2.0 * x * y + cy;
        x = t;
        n++;
      }
      sum = sum * 31 + (u64)n;
    }
  return sum;
}

#define TAPS 32
static float signal_in[2048 + TAPS], signal_out[2048], taps[TAPS];

static u64 filter(void) {
  for (int i = 0; i < TAPS; i++) taps[i] = 1.0f / (float)(i + 3);
  for (int i = 0; i < 2048 + TAPS; i++) signal_in[i] = (float)(int)(next_random() >> 40) * 0x1p-20f;
  u64 sum = 0;
  for (int i = 0; i < 2048; i++) {
    float y = 0;
    for (int k = 0; k < TAPS; k++) y += signal_in[i + k] * taps[k];
    signal_out[i] = y;
    sum += (u64)(long)(y * 1000.0f) + (y > signal_out[i / 2] ? 1 : 0);
  }
  return sum;
}

static u64 kernel(u64 rounds) {
  u64 sum = 0;
  for (u64 r = 0; r < rounds; r++) {
    sum = sum * 1000003 + planets(8000);
    sum = sum * 1000003 + mandelbrot(120);
    for (int i = 0; i < 10; i++) sum = sum * 1000003 + filter();
  }
  return sum;
}
