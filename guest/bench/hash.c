/* Hashing: SHA-256 of a buffer, and a hash table with open addressing that grows past the first caches. */
#define NAME "hash"
#define ROUNDS 600
#include "base.h"

static const u32 K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#define TURN(x, n) (((x) >> (n)) | ((x) << (32 - (n))))
static void compress(u32 state[8], const u8 *block) {
  u32 w[64], s[8];
  for (int i = 0; i < 16; i++)
    w[i] = (u32)block[4 * i] << 24 | (u32)block[4 * i + 1] << 16 | (u32)block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    u32 a = TURN(w[i - 15], 7) ^ TURN(w[i - 15], 18) ^ (w[i - 15] >> 3);
    u32 b = TURN(w[i - 2], 17) ^ TURN(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  for (int i = 0; i < 8; i++) s[i] = state[i];
  for (int i = 0; i < 64; i++) {
    u32 choose = (s[4] & s[5]) ^ (~s[4] & s[6]), most = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
    u32 t = s[7] + (TURN(s[4], 6) ^ TURN(s[4], 11) ^ TURN(s[4], 25)) + choose + K[i] + w[i];
    u32 t2 = (TURN(s[0], 2) ^ TURN(s[0], 13) ^ TURN(s[0], 22)) + most;
    for (int k = 7; k > 0; k--) s[k] = s[k - 1];
    s[4] += t;
    s[0] = t + t2;
  }
  for (int i = 0; i < 8; i++) state[i] += s[i];
}

static u8 buffer[65536];
#define SLOTS (1 << 17)
static u64 keys[SLOTS], counts[SLOTS];

static u64 table(u32 inserts) {
  u64 probes = 0;
  for (u32 i = 0; i < SLOTS; i++) keys[i] = counts[i] = 0;
  for (u32 i = 0; i < inserts; i++) {
    u64 key = next_random() % 60000 + 1, at = (key * 0x9e3779b97f4a7c15UL) >> 47;
    while (keys[at] != 0 && keys[at] != key) {
      at = (at + 1) & (SLOTS - 1);
      probes++;
    }
    keys[at] = key;
    counts[at] += i;
  }
  u64 sum = probes;
  for (u32 i = 0; i < SLOTS; i++) sum = sum * 31 + counts[i];
  return sum;
}

static u64 kernel(u64 rounds) {
  u64 sum = 0;
  for (u64 r = 0; r < rounds; r++) {
    u32 state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    for (u32 i = 0; i < sizeof buffer; i++) buffer[i] = (u8)(next_random() >> 56);
    for (u32 at = 0; at < sizeof buffer; at += 64) compress(state, buffer + at);
    sum = sum * 1000003 + (((u64)state[0] << 32) | state[7]);
    sum = sum * 1000003 + table(100000);
  }
  return sum;
}
