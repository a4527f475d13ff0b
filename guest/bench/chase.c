/* Pointer chasing through a random cycle of SPAN bytes: inside the first cache (chase-near), or far outside every cache and
 * TLB (chase-far). */
#ifndef SPAN
#define SPAN (16 << 10)
#define NAME "chase-near"
#define ROUNDS 1500
#endif
#include "base.h"

struct node {
  struct node *next;
  u64 value[7]; /* a node fills a cache line */
};
#define COUNT (SPAN / sizeof(struct node))
static struct node nodes[COUNT];

static u64 kernel(u64 rounds) {
  static u32 order[COUNT];
  for (u32 i = 0; i < COUNT; i++) order[i] = i;
  for (u32 i = COUNT - 1; i > 0; i--) {
    u32 k = (u32)(next_random() % i), t = order[i]; /* Sattolo: one cycle */
    order[i] = order[k];
    order[k] = t;
  }
  for (u32 i = 0; i < COUNT; i++) {
    nodes[order[i]].next = &nodes[order[(i + 1) % COUNT]];
    nodes[order[i]].value[0] = i * 7919UL;
  }
  u64 sum = 0;
  struct node *at = nodes;
  for (u64 r = 0; r < rounds; r++)
    for (u32 i = 0; i < 1000000; i++) {
      sum = sum * 3 + at->value[0];
      at = at->next;
    }
  return sum;
}
