/* Indirect jumps: a bytecode machine with a jump table, and calls through function pointers in data-dependent order. */
#define NAME "dispatch"
#define ROUNDS 450
#include "base.h"

enum { PUSH, ADD, SUB, MUL, DUP, SWAP, AND, SHIFT, LOAD, STORE, JUMP_IF, XOR, HALT };

/* Sums i * i ^ (i >> 3) for a counter in slot 0, accumulator in slot 1. */
static const int code[] = {LOAD, 0, DUP, MUL, LOAD, 0, SHIFT, 3, XOR, LOAD, 1, ADD,     STORE, 1,
                           LOAD, 0, PUSH, 1,  SUB, DUP,  STORE, 0, JUMP_IF, 0,   LOAD,    1,     HALT};

static u64 interpret(u64 count) {
  u64 stack[16], slots[2] = {count, 0};
  u64 *top = stack;
  for (const int *at = code;;) {
    switch (*at++) {
      case PUSH: *++top = (u64)*at++; break;
      case ADD: top--; top[0] += top[1]; break;
      case SUB: top--; top[0] -= top[1]; break;
      case MUL: top--; top[0] *= top[1]; break;
      case DUP: top[1] = top[0]; top++; break;
      case SWAP: { u64 t = top[0]; top[0] = top[-1]; top[-1] = t; break; }
      case AND: top--; top[0] &= top[1]; break;
      case SHIFT: top[0] >>= *at++; break;
      case LOAD: *++top = slots[*at++]; break;
      case STORE: slots[*at++] = *top--; break;
      case JUMP_IF: if (*top--) at = code + *at; else at++; break;
      case XOR: top--; top[0] ^= top[1]; break;
      default: return *top;
    }
  }
}

#define OPERATION(name, expression) \
  __attribute__((noinline)) static u64 name(u64 x) { return expression; }
OPERATION(add_odd, x + 0x9e3779b97f4a7c15UL)
OPERATION(turn, (x << 13) | (x >> 51))
OPERATION(fold, x ^ (x >> 29))
OPERATION(scale, x * 0xbf58476d1ce4e5b9UL)
OPERATION(invert, ~x)
OPERATION(stir, x + (x << 5))
OPERATION(drop, x - (x >> 7))
OPERATION(flip, x ^ 0x5555555555555555UL)
static u64 (*const operations[8])(u64) = {add_odd, turn, fold, scale, invert, stir, drop, flip};

static u64 kernel(u64 rounds) {
  u64 sum = 1;
  for (u64 r = 0; r < rounds; r++) {
    sum += interpret(20000);
    for (int i = 0; i < 100000; i++) sum = operations[(sum >> 17) & 7](sum);
  }
  return sum;
}
