/* Times the paths of the memory system in nanoseconds per operation: "name value" lines. Plain POSIX C, so the same source
 * runs natively, under qemu-riscv64 and on Faultline. Argument: MiB of the largest fork (default 512). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 4096 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static void report(const char *name, double start, double count) {
  printf("%s %.1f\n", name, (now() - start) / count);
  fflush(stdout);
}

static volatile char *anonymous(size_t pages) {
  return mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void first_touch(void) {
  volatile char *p = anonymous(PAGES);
  double start = now();
  for (int i = 0; i < PAGES; i++) p[i * PAGE] = 1;
  report("first-touch", start, PAGES);
  munmap((void *)p, PAGES * PAGE);
}

static void file_read_fault(void) {
  char path[] = "/tmp/bench-XXXXXX", page[PAGE] = {1};
  int fd = mkstemp(path);
  for (int i = 0; i < PAGES; i++) if (write(fd, page, PAGE) != PAGE) exit(1);
  volatile char *p = mmap(0, PAGES * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
  char sum = 0;
  double start = now();
  for (int i = 0; i < PAGES; i++) sum += p[i * PAGE];
  report("file-read-fault", start, PAGES);
  munmap((void *)p, PAGES * PAGE);
  unlink(path);
  close(fd);
}

static void copy_on_write(void) {
  volatile char *p = anonymous(PAGES);
  for (int i = 0; i < PAGES; i++) p[i * PAGE] = 1;
  if (fork() == 0) {
    double start = now();
    for (int i = 0; i < PAGES; i++) p[i * PAGE] = 2;
    report("copy-on-write", start, PAGES);
    _exit(0);
  }
  wait(0);
  munmap((void *)p, PAGES * PAGE);
}

static void fork_with(size_t mebibytes) {
  size_t pages = mebibytes * 256;
  volatile char *p = anonymous(pages);
  for (size_t i = 0; i < pages; i++) p[i * PAGE] = 1;
  int rounds = mebibytes > 64 ? 5 : 20;
  char name[32];
  snprintf(name, sizeof name, "fork-exit-wait-%zuM", mebibytes);
  double start = now();
  for (int i = 0; i < rounds; i++) {
    if (fork() == 0) _exit(0);
    wait(0);
  }
  report(name, start, rounds);
  munmap((void *)p, pages * PAGE);
}

static void fork_exec(const char *self) {
  double start = now();
  for (int i = 0; i < 20; i++) {
    if (vfork() == 0) {
      execl(self, self, "exit", (char *)0);
      _exit(127);
    }
    wait(0);
  }
  report("vfork-exec-static", start, 20);
}

static void map_unmap(void) {
  double start = now();
  for (int i = 0; i < 20000; i++) munmap((void *)anonymous(4), 4 * PAGE);
  report("mmap-munmap", start, 20000);
}

static void protect(void) {
  volatile char *p = anonymous(16);
  memset((void *)p, 1, 16 * PAGE);
  double start = now();
  for (int i = 0; i < 10000; i++) {
    mprotect((void *)(p + 4 * PAGE), PAGE, PROT_READ);
    mprotect((void *)(p + 4 * PAGE), PAGE, PROT_READ | PROT_WRITE);
  }
  report("mprotect-toggle", start, 20000);
}

static void ping_pong(void) {
  int a[2], b[2];
  char c = 0;
  if (pipe(a) || pipe(b)) exit(1);
  if (fork() == 0) {
    while (read(a[0], &c, 1) == 1 && c != 'q') if (write(b[1], &c, 1) != 1) break;
    _exit(0);
  }
  double start = now();
  for (int i = 0; i < 5000; i++) if (write(a[1], "x", 1) != 1 || read(b[0], &c, 1) != 1) exit(1);
  report("pipe-ping-pong", start, 5000);
  if (write(a[1], "q", 1) != 1) exit(1);
  wait(0);
}

static void null_call(void) {
  double start = now();
  for (int i = 0; i < 200000; i++) syscall(SYS_getppid);
  report("getppid", start, 200000);
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "exit")) return 0;
  size_t largest = argc > 1 ? strtoul(argv[1], 0, 10) : 512;
  for (int pass = 0; pass < 2; pass++) { /* the second pass is the steady state: the reader keeps the last value of a name */
    first_touch();
    file_read_fault();
    copy_on_write();
    fork_with(1);
    fork_with(64);
    if (largest > 64) fork_with(largest);
    fork_exec(argv[0]);
    map_unmap();
    protect();
    ping_pong();
    null_call();
  }
  return 0;
}
