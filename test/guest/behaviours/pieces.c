/* A child takes memory a MiB at a time and writes all of it, up to argv[1] MiB; the parent tells how it ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  int limit = argc > 1 ? atoi(argv[1]) : 64;
  int *progress = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (fork() == 0) {
    for (int i = 0; i < limit; i++) {
      char *p = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (p == MAP_FAILED) _exit(1);
      memset(p, i + 1, 1 << 20);
      *progress = i + 1;
    }
    _exit(0);
  }
  int status;
  wait(&status);
  if (WIFSIGNALED(status)) printf("child killed by signal %d after %d MiB\n", WTERMSIG(status), *progress);
  else printf("child ended with %d\n", WEXITSTATUS(status));
  return 0;
}
