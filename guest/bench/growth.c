/* What operations cost when there is much of something: processes, areas, resident pages. Prints "NAME nanoseconds" lines. Plain POSIX C, so
 * the same source runs natively and on Faultline.
 *   growth processes N | areas N | resident MiB */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, PASSES = 5 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static void need(int condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "growth: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* The least of several passes: what the path costs when nothing disturbs it. */
static void keep(double *best, double start, double count) {
  double value = (now() - start) / count;
  if (*best == 0 || value < *best) *best = value;
}

static unsigned random_state = 12345;
static unsigned random_below(unsigned bound) {
  random_state = random_state * 1664525 + 1013904223;
  return (unsigned)(((unsigned long)random_state * bound) >> 32);
}

/* Runs what is measured later, so that it is not measured cold. */
static void warm_up(void) {
  for (int round = 0; round < 12; round++) {
    enum { PAGES = 1024 };
    char *p = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(p != MAP_FAILED, "mmap");
    for (int i = 0; i < PAGES; i++) *(volatile char *)(p + i * PAGE) = 1;
    for (int i = 0; i < PAGES; i += 2) need(munmap(p + i * PAGE, PAGE) == 0, "munmap");
    need(munmap(p, PAGES * PAGE) == 0, "munmap");
    for (int i = 0; i < 50; i++) {
      pid_t child = fork();
      need(child >= 0, "fork");
      if (child == 0) _exit(0);
      waitpid(child, 0, 0);
    }
  }
}

/* N processes that wait; what do another one, and a switch, cost then? */
static void processes(int count) {
  int hold[2], a[2], b[2];
  char c = 'x';
  need(pipe(hold) == 0, "pipe");
  double start = now(), create = 0, another = 0, change = 0, end = 0;
  for (int i = 0; i < count; i++) {
    pid_t child = fork();
    need(child >= 0, "fork");
    if (child == 0) {
      close(hold[1]);
      _exit(read(hold[0], &c, 1) == 0 ? 0 : 1);
    }
  }
  keep(&create, start, count);
  for (int pass = 0; pass < PASSES; pass++) {
    start = now();
    for (int i = 0; i < 200; i++) {
      pid_t child = fork();
      need(child >= 0, "fork");
      if (child == 0) _exit(0);
      waitpid(child, 0, 0);
    }
    keep(&another, start, 200);
  }
  /* Made now, so that only these two hold their ends. */
  need(pipe(a) == 0 && pipe(b) == 0, "pipe");
  pid_t partner = fork();
  need(partner >= 0, "fork");
  if (partner == 0) {
    close(hold[1]), close(a[1]);
    while (read(a[0], &c, 1) == 1) need(write(b[1], &c, 1) == 1, "write");
    _exit(0);
  }
  for (int pass = 0; pass < PASSES; pass++) {
    start = now();
    for (int i = 0; i < 2000; i++) need(write(a[1], &c, 1) == 1 && read(b[0], &c, 1) == 1, "pipe");
    keep(&change, start, 2000);
  }
  close(a[1]);
  waitpid(partner, 0, 0);
  start = now();
  close(hold[1]);
  for (int i = 0, status; i < count; i++) need(wait(&status) > 0 && status == 0, "a child");
  keep(&end, start, count);
  printf("create %.1f\nfork-exit-wait %.1f\nping-pong %.1f\nend %.1f\n", create, another, change, end);
}

/* N areas of a page each; what does changing and using them cost then? */
static void areas(int count) {
  double start = now(), create = 0, pair = 0, fault = 0, protect = 0, end = 0;
  /* One page in two, so that none can merge; the room is reserved first. */
  char *room = mmap(0, 2L * count * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  need(room != MAP_FAILED, "mmap");
  need(munmap(room, 2L * count * PAGE) == 0, "munmap");
  start = now();
  for (int i = 0; i < count; i++) {
    void *at = room + 2L * i * PAGE;
    need(mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at, "mmap");
  }
  keep(&create, start, count);
  for (int pass = 0; pass < PASSES; pass++) {
    enum { ROUNDS = 2000 };
    start = now();
    for (int i = 0; i < ROUNDS; i++) {
      void *p = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      need(p != MAP_FAILED && munmap(p, 4 * PAGE) == 0, "mmap");
    }
    keep(&pair, start, ROUNDS);
    /* A write to a page dropped before: the area is looked for, the page is new. */
    double spent = 0;
    for (int i = 0; i < ROUNDS; i++) {
      char *at = room + 2L * random_below(count) * PAGE;
      madvise(at, PAGE, MADV_DONTNEED);
      start = now();
      *(volatile char *)at = 1;
      spent += now() - start;
    }
    if (fault == 0 || spent / ROUNDS < fault) fault = spent / ROUNDS;
    start = now();
    for (int i = 0; i < ROUNDS; i++) {
      char *at = room + 2L * random_below(count) * PAGE;
      need(mprotect(at, PAGE, PROT_READ) == 0 && mprotect(at, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
    }
    keep(&protect, start, 2 * ROUNDS);
  }
  start = now();
  for (int i = 0; i < count; i++) need(munmap(room + 2L * i * PAGE, PAGE) == 0, "munmap");
  keep(&end, start, count);
  printf("create %.1f\nmmap-munmap %.1f\nfault %.1f\nmprotect %.1f\nend %.1f\n", create, pair, fault, protect, end);
}

/* So many MiB resident; what do a page more, a page changed, and a fork cost then? */
static void resident(long mebibytes) {
  long pages = mebibytes * 256;
  double start, touch = 0, protect = 0, again = 0, forked = 0, end = 0;
  char *p = mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  need(p != MAP_FAILED, "mmap");
  start = now();
  for (long i = 0; i < pages; i++) *(volatile char *)(p + i * PAGE) = 1;
  keep(&touch, start, pages);
  for (int pass = 0; pass < PASSES; pass++) {
    enum { ROUNDS = 2000 };
    double spent = 0;
    for (int i = 0; i < ROUNDS; i++) {
      char *at = p + (long)random_below(pages) * PAGE;
      madvise(at, PAGE, MADV_DONTNEED);
      start = now();
      *(volatile char *)at = 1;
      spent += now() - start;
    }
    if (again == 0 || spent / ROUNDS < again) again = spent / ROUNDS;
    start = now();
    for (int i = 0; i < ROUNDS; i++) {
      char *at = p + (long)random_below(pages) * PAGE;
      need(mprotect(at, PAGE, PROT_READ) == 0 && mprotect(at, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
    }
    keep(&protect, start, 2 * ROUNDS);
    start = now();
    for (int i = 0; i < 4; i++) {
      pid_t child = fork();
      need(child >= 0, "fork");
      if (child == 0) _exit(0);
      waitpid(child, 0, 0);
    }
    keep(&forked, start, 4);
  }
  start = now();
  need(munmap(p, pages * PAGE) == 0, "munmap");
  keep(&end, start, pages);
  printf("first-touch %.1f\nfault %.1f\nmprotect %.1f\nfork-exit-wait %.1f\nunmap %.1f\n", touch, again, protect, forked, end);
}

int main(int argc, char **argv) {
  long count = argc == 3 ? strtol(argv[2], 0, 10) : 0;
  if (count > 0) warm_up();
  if (count > 0 && !strcmp(argv[1], "processes")) processes(count);
  else if (count > 0 && !strcmp(argv[1], "areas")) areas(count);
  else if (count > 0 && !strcmp(argv[1], "resident")) resident(count);
  else {
    fprintf(stderr, "usage: growth processes N | areas N | resident MiB\n");
    return 2;
  }
  return 0;
}
