/* A program for the page to watch: computes, touches memory, forks and copies, in rounds of some tens of milliseconds. Usage: page ROUNDS */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES (4UL << 20)
#define PAGE 4096UL

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 20;
  unsigned long sum = 0;
  for (int round = 0; round < rounds; round++) {
    char *memory = malloc(BYTES);
    for (unsigned long i = 0; i < BYTES; i += PAGE) memory[i] = (char)i;
    for (unsigned long i = 0; i < 10000000; i++) sum += i * (unsigned long)memory[i * 64 % BYTES];
    if (fork() == 0) {
      for (unsigned long i = 0; i < BYTES / 2; i += PAGE) memory[i] = 1;
      _exit(0);
    }
    wait(0);
    free(memory);
  }
  printf("done %lu\n", sum);
  return 0;
}
