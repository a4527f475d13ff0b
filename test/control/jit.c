// Writes code, runs it in a long loop, and writes it anew.
#include <stdio.h>
#include <sys/mman.h>

__attribute__((noinline)) void middle(int round) { __asm__ volatile("" ::: "memory"); }

int main(void) {
  unsigned *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int round = 0; round < 3; round++) {
    code[0] = (unsigned)(round + 1) << 20 | 0x513; /* li a0, round + 1 */
    code[1] = 0x8067;                              /* ret */
    __asm__ volatile("fence.i" ::: "memory");
    long sum = 0;
    for (int i = 0; i < 100000; i++) {
      if (i == 50000) middle(round);
      sum += ((long (*)(void))code)();
    }
    printf("%ld\n", sum);
  }
  return 0;
}
