/* Times the paths of the memory system in nanoseconds per operation: "name value" lines. Plain POSIX C, so the same source
 * runs natively, under qemu-riscv64 and on Faultline.
 *   memory [-m MiB] [-q] [NAME...]    -m: the largest fork (default 512); -q: a hundredth of the work; NAME: only these paths
 * Every path runs in eight passes, one after the other: the first is cold, the later half the steady state. A path that cannot run is left
 * out, with the reason on standard error. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096 };

static int pages = 4096, passes = 8, quick;
static size_t largest = 512;
static const char *self;

/* How often a path of short operations runs. */
static int rounds_of(int count) { return quick ? (count + 99) / 100 : count; }

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static void report(const char *name, double start, double count) {
  printf("%s %.1f\n", name, (now() - start) / count);
  fflush(stdout);
}

static void need(int condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "memory: %s: %s\n", what, strerror(errno));
  exit(1);
}

static volatile char *anonymous(size_t count) {
  void *p = mmap(0, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  need(p != MAP_FAILED, "mmap");
  return p;
}

static volatile char *touched(size_t count) {
  volatile char *p = anonymous(count);
  for (size_t i = 0; i < count; i++) p[i * PAGE] = 1;
  return p;
}

static int scratch_file(int count) {
  char path[] = "/tmp/bench-XXXXXX", page[PAGE] = {1};
  int fd = mkstemp(path);
  need(fd >= 0, "mkstemp in /tmp");
  unlink(path);
  for (int i = 0; i < count; i++) need(write(fd, page, PAGE) == PAGE, "write");
  return fd;
}

static void first_touch(void) {
  volatile char *p = anonymous(pages);
  double start = now();
  for (int i = 0; i < pages; i++) p[i * PAGE] = 1;
  report("first-touch", start, pages);
  munmap((void *)p, pages * PAGE);
}

static void file_read_fault(void) {
  int fd = scratch_file(pages);
  volatile char *p = mmap(0, pages * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
  need(p != MAP_FAILED, "mmap");
  char sum = 0;
  double start = now();
  for (int i = 0; i < pages; i++) sum += p[i * PAGE];
  report("file-read-fault", start, pages);
  munmap((void *)p, pages * PAGE);
  close(fd);
}

static void copy_on_write(void) {
  volatile char *p = touched(pages);
  pid_t child = fork();
  need(child >= 0, "fork");
  if (child == 0) {
    double start = now();
    for (int i = 0; i < pages; i++) p[i * PAGE] = 2;
    report("copy-on-write", start, pages);
    _exit(0);
  }
  wait(0);
  munmap((void *)p, pages * PAGE);
}

static void fork_with(size_t mebibytes) {
  if (mebibytes > largest) return;
  size_t count = mebibytes * 256;
  volatile char *p = touched(count);
  int rounds = rounds_of(mebibytes > 64 ? 5 : 20);
  char name[32];
  snprintf(name, sizeof name, "fork-exit-wait-%zuM", mebibytes);
  double start = now();
  for (int i = 0; i < rounds; i++) {
    pid_t child = fork();
    need(child >= 0, "fork");
    if (child == 0) _exit(0);
    wait(0);
  }
  report(name, start, rounds);
  munmap((void *)p, count * PAGE);
}
static void fork_1(void) { fork_with(1); }
static void fork_64(void) { fork_with(64); }
static void fork_512(void) { fork_with(512); }

static pid_t start_forked(const char *program) {
  pid_t child = fork();
  if (child != 0) return child;
  execl(program, program, "exit", (char *)0);
  _exit(127);
}
static pid_t start_shared(const char *program) {
  pid_t child = vfork();
  if (child != 0) return child;
  execl(program, program, "exit", (char *)0);
  _exit(127);
}

/* Runs `program exit` so often; what cannot be executed is not timed. */
static void spawn(const char *name, const char *program, int share) {
  int rounds = rounds_of(20), status;
  double start = now();
  for (int i = 0; i < rounds; i++) {
    need((share ? start_shared(program) : start_forked(program)) >= 0, "fork");
    wait(&status);
    if (status != 0) {
      fprintf(stderr, "memory: %s left out: %s cannot be executed here\n", name, program);
      return;
    }
  }
  report(name, start, rounds);
}
static void exec_static(void) { spawn("vfork-exec-static", self, 1); }

/* The dynamic program lies beside this one. */
static void exec_dynamic(void) {
  char path[4096];
  snprintf(path, sizeof path, "%s-dynamic", self);
  spawn("fork-exec-dynamic", path, 0);
}

static void map_unmap(void) {
  int rounds = rounds_of(20000);
  double start = now();
  for (int i = 0; i < rounds; i++) munmap((void *)anonymous(4), 4 * PAGE);
  report("mmap-munmap", start, rounds);
}

static void protect(void) {
  int rounds = rounds_of(10000);
  volatile char *p = touched(16);
  double start = now();
  for (int i = 0; i < rounds; i++) {
    mprotect((void *)(p + 4 * PAGE), PAGE, PROT_READ);
    mprotect((void *)(p + 4 * PAGE), PAGE, PROT_READ | PROT_WRITE);
  }
  report("mprotect-toggle", start, 2 * rounds);
  munmap((void *)p, 16 * PAGE);
}

static void ping_pong(void) {
  int a[2], b[2], rounds = rounds_of(5000);
  char c = 0;
  need(pipe(a) == 0 && pipe(b) == 0, "pipe");
  pid_t child = fork();
  need(child >= 0, "fork");
  if (child == 0) {
    while (read(a[0], &c, 1) == 1 && c != 'q') if (write(b[1], &c, 1) != 1) break;
    _exit(0);
  }
  double start = now();
  for (int i = 0; i < rounds; i++) need(write(a[1], "x", 1) == 1 && read(b[0], &c, 1) == 1, "pipe");
  report("pipe-ping-pong", start, rounds);
  need(write(a[1], "q", 1) == 1, "write");
  wait(0);
  for (int i = 0; i < 2; i++) close(a[i]), close(b[i]);
}

/* Bytes through the page cache, 4 KiB a call. */
static void file_copy(void) {
  static char page[PAGE];
  int fd = scratch_file(pages);
  double start = now();
  for (int i = 0; i < pages; i++) need(pread(fd, page, PAGE, (off_t)i * PAGE) == PAGE, "pread");
  report("file-read-4K", start, pages);
  start = now();
  for (int i = 0; i < pages; i++) need(pwrite(fd, page, PAGE, (off_t)i * PAGE) == PAGE, "pwrite");
  report("file-write-4K", start, pages);
  close(fd);
}

static void null_call(void) {
  int rounds = rounds_of(200000);
  double start = now();
  for (int i = 0; i < rounds; i++) syscall(SYS_getppid);
  report("getppid", start, rounds);
}

static const struct path {
  const char *name;
  void (*run)(void);
} paths[] = {
  {"first-touch", first_touch}, {"file-read-fault", file_read_fault}, {"copy-on-write", copy_on_write},
  {"fork-exit-wait-1M", fork_1}, {"fork-exit-wait-64M", fork_64}, {"fork-exit-wait-512M", fork_512},
  {"fork-exec-dynamic", exec_dynamic}, {"vfork-exec-static", exec_static}, {"mmap-munmap", map_unmap},
  {"mprotect-toggle", protect}, {"pipe-ping-pong", ping_pong}, {"file-copy", file_copy}, {"getppid", null_call},
};
enum { PATHS = sizeof paths / sizeof *paths };

static int chosen(const char *name, int count, char **names) {
  for (int i = 0; i < count; i++) if (!strcmp(names[i], name)) return 1;
  return count == 0;
}

int main(int argc, char **argv) {
  int option;
  self = argv[0];
  if (argc > 1 && !strcmp(argv[1], "exit")) return 0;
  while ((option = getopt(argc, argv, "m:q")) != -1) {
    if (option == 'm') largest = strtoul(optarg, 0, 10);
    else if (option == 'q') quick = 1, pages = 64, passes = 2;
    else return 2;
  }
  for (int pass = 0; pass < passes; pass++) {
    for (int i = 0; i < PATHS; i++) if (chosen(paths[i].name, argc - optind, argv + optind)) paths[i].run();
  }
  return 0;
}
