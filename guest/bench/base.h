/* What the benchmark kernels stand on: start, output, exit and a generator of numbers, for riscv64 and x86-64 Linux. No libc.
 * A kernel defines `unsigned long kernel(unsigned long rounds)`, and its usual number of rounds (about two seconds under
 * qemu-riscv64) as ROUNDS; the first argument overrides it. It runs them in two halves
 * and prints "NAME rounds N checksum HEX second-half MICROSECONDS". */
#ifndef FAULTLINE_BENCH_BASE_H
#define FAULTLINE_BENCH_BASE_H

typedef unsigned long u64;
typedef unsigned int u32;
typedef unsigned char u8;

static u64 kernel(u64 rounds);

#if defined(__riscv)
static long system_call(long n, long a, long b, long c) {
  register long a0 __asm__("a0") = a;
  register long a1 __asm__("a1") = b;
  register long a2 __asm__("a2") = c;
  register long a7 __asm__("a7") = n;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}
#define SYS_WRITE 64
#define SYS_EXIT_GROUP 94
#define SYS_CLOCK_GETTIME 113
__asm__(".globl _start\n_start: .option push\n.option norelax\nla gp, __global_pointer$\n.option pop\nmv a0, sp\nandi sp, sp, -16\ncall begin\n");
#elif defined(__x86_64__)
static long system_call(long n, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}
#define SYS_WRITE 1
#define SYS_EXIT_GROUP 231
#define SYS_CLOCK_GETTIME 228
__asm__(".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall begin\n");
#else
#error "unknown architecture"
#endif

/* The compiler may call these for structures; the loops must stay loops (-fno-tree-loop-distribute-patterns). */
void *memcpy(void *to, const void *from, u64 n) {
  u8 *t = to;
  const u8 *f = from;
  while (n--) *t++ = *f++;
  return to;
}
void *memset(void *to, int value, u64 n) {
  u8 *t = to;
  while (n--) *t++ = (u8)value;
  return to;
}

/* xorshift64*: the same numbers everywhere. */
static u64 random_state = 88172645463325252UL;
static inline u64 next_random(void) {
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return random_state * 2685821657736338717UL;
}

static char *put_text(char *at, const char *text) {
  while (*text) *at++ = *text++;
  return at;
}
static char *put_number(char *at, u64 value, u64 radix) {
  char digits[32];
  int n = 0;
  do digits[n++] = "0123456789abcdef"[value % radix];
  while (value /= radix);
  while (n) *at++ = digits[--n];
  return at;
}

#define MONOTONIC 1
static u64 microseconds(void) {
  long time[2];
  system_call(SYS_CLOCK_GETTIME, MONOTONIC, (long)time, 0);
  return (u64)(time[0] * 1000000 + time[1] / 1000);
}

/* stack: argc, argv[0], argv[1], ... as the kernel leaves it. */
__attribute__((used)) static void begin(u64 *stack) {
  u64 rounds = ROUNDS;
  if (stack[0] > 1) {
    rounds = 0;
    for (const char *digit = (const char *)stack[2]; *digit; digit++) rounds = rounds * 10 + (u64)(*digit - '0');
  }
  u64 sum = kernel(rounds / 2);
  u64 middle = microseconds();
  sum = sum * 1000003 + kernel(rounds - rounds / 2);
  u64 second_half = microseconds() - middle;
  char line[128];
  char *at = put_text(line, NAME " rounds ");
  at = put_text(put_number(at, rounds, 10), " checksum ");
  at = put_text(put_number(at, sum, 16), " second-half ");
  at = put_text(put_number(at, second_half, 10), "\n");
  system_call(SYS_WRITE, 1, (long)line, at - line);
  system_call(SYS_EXIT_GROUP, 0, 0, 0);
  for (;;) {
  }
}

#endif
