// What the programs of this folder share: named checks in child processes, one line of facts each, and probes of memory.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 8
#endif
#define P 4096L
#define RW (PROT_READ | PROT_WRITE)
#define AP (MAP_PRIVATE | MAP_ANONYMOUS)
#define AS (MAP_SHARED | MAP_ANONYMOUS)

static const char *en(int e) { return e ? strerrorname_np(e) : "OK"; }

/** Facts: unbuffered, so that a child that dies has still said what it knew. */
static void o(const char *format, ...) {
  char text[8192];
  va_list list;
  va_start(list, format);
  int n = vsnprintf(text, sizeof text, format, list);
  va_end(list);
  if (write(1, text, n) != n) _exit(9);
}

/** " name=OK" or " name=ERRNO"; the value of the call. */
#define E(name, call) ({ errno = 0; long r_ = (long)(call); o(" %s=%s", name, r_ == -1 ? en(errno) : "OK"); r_; })
/** As E(), with the number when it is not -1. */
#define V(name, call) ({ errno = 0; long r_ = (long)(call); if (r_ == -1) o(" %s=%s", name, en(errno)); else o(" %s=%ld", name, r_); r_; })

static sigjmp_buf jump_;
static volatile int sig_, code_;
static void *volatile at_;
static void caught(int s, siginfo_t *i, void *u) {
  sig_ = s;
  code_ = i->si_code;
  at_ = i->si_addr;
  siglongjmp(jump_, 1);
}
static void arm(void) {
  struct sigaction a = {.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
  a.sa_sigaction = caught;
  int all[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
  for (int i = 0; i < 5; i++) sigaction(all[i], &a, 0);
}
static const char *fault_name(void) {
  static char text[40];
  if (!sig_) return "ok";
  snprintf(text, sizeof text, "%s/%d", sigabbrev_np(sig_), code_);
  return text;
}
/** Reads a byte: its value, or -1 and the signal as a fact. */
static int rd(const volatile void *p) {
  volatile int value = -1;
  sig_ = 0;
  if (!sigsetjmp(jump_, 1)) value = *(const volatile unsigned char *)p;
  if (sig_) o(" r:%s%s", fault_name(), at_ == (void *)p ? "" : "(addr)");
  return value;
}
static int wr(volatile void *p, int c) {
  sig_ = 0;
  if (!sigsetjmp(jump_, 1)) *(volatile unsigned char *)p = c;
  if (sig_) o(" w:%s%s", fault_name(), at_ == (void *)p ? "" : "(addr)");
  return sig_ ? -1 : 0;
}
static char *anon(long pages, int prot) {
  char *p = mmap(0, pages * P, prot, AP, -1, 0);
  if (p == MAP_FAILED) o(" anon:%s", en(errno)), _exit(8);
  return p;
}
/** `pages` pages with room around them, so that neighbours cannot merge. */
static char *island(long pages, int prot) {
  char *p = anon(pages + 32, PROT_NONE);
  munmap(p, (pages + 32) * P);
  return mmap(p + 16 * P, pages * P, prot, AP | MAP_FIXED, -1, 0);
}
static int memfd(const char *name, long bytes, unsigned flags) {
  int fd = memfd_create(name, flags);
  if (bytes) ftruncate(fd, bytes);
  return fd;
}
/** A tmpfs file of `pages` pages full of 'a', 'b', ... */
static int shmfile(long pages) {
  char path[] = "/dev/shm/moreXXXXXX", page[P];
  int fd = mkstemp(path);
  unlink(path);
  for (long i = 0; i < pages; i++) memset(page, 'a' + i % 26, P), pwrite(fd, page, P, i * P);
  return fd;
}
static long slurp(const char *path, char *into, long size) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) return -1;
  long n = 0, got;
  while (n < size - 1 && (got = read(fd, into + n, size - 1 - n)) > 0) n += got;
  close(fd);
  into[n] = 0;
  return n;
}
/** A number behind `key` in a file of /proc; -1 without it. */
static long field(const char *path, const char *key) {
  static char text[1 << 20];
  slurp(path, text, sizeof text);
  char *at = text;
  size_t n = strlen(key);
  while (at && strncmp(at, key, n)) at = strchr(at, '\n'), at = at ? at + 1 : 0;
  return at ? atol(at + n) : -1;
}
/** The areas in [p, p + pages) as " [+0*2:rw-p:3 ...]": first page, pages, permissions, page offset for files. */
static void areas(const char *p, long pages) {
  static char text[1 << 20];
  slurp("/proc/self/maps", text, sizeof text);
  o(" [");
  const char *gap = "";
  for (char *line = text, *end; *line; line = end + 1) {
    unsigned long low, high, offset, ino;
    char perms[8];
    end = strchr(line, '\n');
    if (sscanf(line, "%lx-%lx %7s %lx %*s %lu", &low, &high, perms, &offset, &ino) < 5) break;
    if (high <= (unsigned long)p || low >= (unsigned long)p + pages * P) continue;
    o("%s%+ld*%ld:%s", gap, ((long)low - (long)p) / P, (high - low) / P, perms);
    if (ino) o(":%lu", offset / P);
    gap = " ";
  }
  o("]");
}
/** A smaps field, or with "VmFlags" the letters, of the area that holds p. */
static long smaps(const void *p, const char *key) {
  static char text[1 << 20];
  slurp("/proc/self/smaps", text, sizeof text);
  int inside = 0;
  for (char *line = text, *end; *line; line = end + 1) {
    unsigned long low, high;
    end = strchr(line, '\n');
    if (!end) break;
    *end = 0;
    if (sscanf(line, "%lx-%lx ", &low, &high) == 2) inside = (unsigned long)p >= low && (unsigned long)p < high;
    if (!inside || strncmp(line, key, strlen(key))) continue;
    char *value = strchr(line, ':') + 1;
    if (!strcmp(key, "VmFlags")) {
      while (*value == ' ') value++;
      char *last = value + strlen(value);
      while (last > value && last[-1] == ' ') *--last = 0;
      o(" {%s}", value);
    }
    return atol(value);
  }
  return -1;
}
static uint64_t pagemap(const void *p) {
  uint64_t entry = 0;
  int fd = open("/proc/self/pagemap", O_RDONLY);
  pread(fd, &entry, 8, (unsigned long)p / P * 8);
  close(fd);
  return entry;
}
static void pm(const void *p, long pages) {
  o(" pm:");
  for (long i = 0; i < pages; i++) {
    uint64_t e = pagemap((const char *)p + i * P);
    o("%c", e >> 62 & 1 ? 's' : "-PFpXxBb"[(e >> 63 & 1) | (e >> 61 & 1) << 1 | (e >> 56 & 1) << 2]);
  }
}
static void mc(const void *p, long pages) {
  unsigned char in[256];
  o(" mc:");
  if (mincore((void *)p, pages * P, in)) {
    o("%s", en(errno));
    return;
  }
  for (long i = 0; i < pages; i++) o("%d", in[i] & 1);
}
static long minflt(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_minflt;
}
/** How a child ended. */
static void ended(pid_t child) {
  int status;
  if (waitpid(child, &status, 0) < 0) o(" wait:%s", en(errno));
  else if (WIFSIGNALED(status)) o(" sig%d%s", WTERMSIG(status), WCOREDUMP(status) ? "+core" : "");
  else o(" exit%d", WEXITSTATUS(status));
}
#define CHILD(...) ({ pid_t pid_ = fork(); if (pid_ == 0) { __VA_ARGS__; _exit(0); } pid_; })
/** The rest of the check runs without privileges. */
static void drop(void) {
  if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000)) _exit(7);
}

typedef struct { const char *name; void (*run)(void); } Check;
#define CHECK(name) static void name(void)
/** Runs all checks, or those named, each in a child of its own. */
static int run_checks(const Check *checks, int argc, char **argv) {
  for (const Check *c = checks; c->name; c++) {
    int wanted = argc < 2;
    for (int i = 1; i < argc; i++) wanted |= !strcmp(argv[i], c->name);
    if (!wanted) continue;
    o("%s:", c->name);
    pid_t child = fork();
    if (child == 0) {
      alarm(60);
      arm();
      c->run();
      _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) o(" DIED%d", WTERMSIG(status));
    else if (WEXITSTATUS(status)) o(" EXIT%d", WEXITSTATUS(status));
    o("\n");
  }
  return 0;
}
