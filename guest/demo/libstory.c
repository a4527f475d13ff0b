/* A shared library with 64 KiB of code-like constants, a function that reads all of them, and one page of private data. */
#define PAGE 4096

__attribute__((aligned(PAGE))) static const unsigned char story[16 * PAGE] = {1, 2, 3};
__attribute__((aligned(PAGE))) unsigned long story_counter[PAGE / sizeof(unsigned long)] = {7};

unsigned long story_sum(void) {
  unsigned long sum = 0;
  for (unsigned long i = 0; i < sizeof story; i += 64) sum += *(volatile const unsigned char *)&story[i];
  return sum;
}
