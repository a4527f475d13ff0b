/* Counts what executing a program reads from its file: the first time, and again. Prints the pages of each round. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A megabyte of text to be paged in, so that a round that reads shows. */
static const char ballast[1 << 20] = {1, 2, 3};

static long pages_read(void) {
  char name[64];
  long value;
  FILE *f = fopen("/proc/vmstat", "r");
  while (f && fscanf(f, "%63s %ld", name, &value) == 2) {
    if (!strcmp(name, "pgpgin")) {
      fclose(f);
      return value;
    }
  }
  return -1;
}

int main(int argc, char **argv) {
  if (argc > 1) {
    long sum = 0;
    for (unsigned long i = 0; i < sizeof ballast; i += 4096) sum += ((volatile const char *)ballast)[i];
    return sum == 1 ? 0 : 1;
  }
  for (int round = 0; round < 3; round++) {
    long before = pages_read();
    int status;
    pid_t child = fork();
    if (child == 0) {
      execl("/prog", "/prog", "child", (char *)0);
      _exit(127);
    }
    if (waitpid(child, &status, 0) < 0 || status != 0) return 1;
    printf("%ld\n", pages_read() - before);
  }
  return 0;
}
