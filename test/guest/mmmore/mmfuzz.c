// A seeded random walk over one region of memory: after every step the areas, their smaps figures, the pagemap bits, mincore and the
// bytes seen are hashed. Run on real riscv64 Linux and here, the hashes must agree.
//   mmfuzz MODE STEPS SEED...    one line a seed. MODE: f all facts; p only facts that stay true when pages are evicted;
//                                with v (fv, pv) every step as text, to find where two kernels part
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096L
#define PAGES 48
#define BASE ((char *)0x2000000000)
#define RW (PROT_READ | PROT_WRITE)

static int verbose, residency;
static uint64_t hash;
static uint64_t state;
static int memfd, shmfd;
static pid_t held[4];
static char buffer[1 << 18];

static void say(const char *format, ...) {
  char text[4096];
  va_list list;
  va_start(list, format);
  int n = vsnprintf(text, sizeof text, format, list);
  va_end(list);
  for (int i = 0; i < n; i++) hash = (hash ^ (unsigned char)text[i]) * 1099511628211UL;
  if (verbose && write(1, text, n) != n) _exit(9);
}

static uint32_t next(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (state * 0x2545F4914F6CDD1DUL >> 33) % below;
}

static const char *name(long result) { return result == -1 ? strerrorname_np(errno) : "ok"; }

static sigjmp_buf jump;
static volatile int signalled, signal_code;
static void *volatile fault_at;
static void on_fault(int signal, siginfo_t *info, void *context) {
  signalled = signal;
  signal_code = info->si_code;
  fault_at = info->si_addr;
  siglongjmp(jump, 1);
}

/** Reads (store 0) or writes one byte; what happened goes into the hash. */
static void touch(char *at, int store, int value) {
  signalled = 0;
  volatile int seen = -1;
  if (sigsetjmp(jump, 1) == 0) {
    if (store)
      *(volatile char *)at = value;
    else
      seen = *(volatile char *)at;
  }
  if (signalled)
    say(" %c%ld:%d/%d%s", store ? 'w' : 'r', (at - BASE) / PAGE, signalled, signal_code, fault_at == at ? "" : "!");
  else
    say(" %c%ld:%d", store ? 'w' : 'r', (at - BASE) / PAGE, seen);
}

static void touch_range(int first, int count) {
  for (int i = 0; i < count && first + i < PAGES; i++) touch(BASE + (first + i) * PAGE + next(3) * 64, next(2), 1 + next(100));
}

static long slurp(const char *path) {
  int fd = open(path, O_RDONLY);
  long n = 0, got;
  while ((got = read(fd, buffer + n, sizeof buffer - 1 - n)) > 0) n += got;
  close(fd);
  buffer[n] = 0;
  return n;
}

/** The areas as smaps tells them, without Referenced (fault-around sets it by architecture) and LazyFree (Linux clears it in batches). */
static void show_areas(void) {
  slurp("/proc/self/smaps");
  int inside = 0;
  for (char *line = buffer, *end; *line; line = end) {
    end = strchr(line, '\n');
    *end++ = 0;
    unsigned long low, high, offset;
    char perms[5], rest[200] = "", dev[20];
    long ino;
    if (sscanf(line, "%lx-%lx %4s %lx %19s %ld %199[^\n]", &low, &high, perms, &offset, dev, &ino, rest) >= 6) {
      inside = low >= (unsigned long)BASE - 64 * PAGE && high <= (unsigned long)BASE + (PAGES + 64) * PAGE;
      if (inside) say("\n   %ld+%lu %s %lx %s", ((long)low - (long)BASE) / PAGE, (high - low) / PAGE, perms, offset / PAGE, rest);
    } else if (inside) {
      if (!residency && strncmp(line, "VmFlags:", 8) != 0) continue;
      static const char *const wanted[] = {"Rss:", "Pss:", "Shared_Clean:", "Shared_Dirty:", "Private_Clean:", "Private_Dirty:", "Anonymous:", "Locked:"};
      for (unsigned i = 0; residency && i < sizeof wanted / sizeof *wanted; i++) {
        if (strncmp(line, wanted[i], strlen(wanted[i])) == 0 && atoi(strchr(line, ':') + 1) != 0)
          say(" %c%c%d", wanted[i][0], wanted[i][strcspn(wanted[i], "_") == strlen(wanted[i]) ? 1 : strcspn(wanted[i], "_") + 1], atoi(strchr(line, ':') + 1));
      }
      if (strncmp(line, "VmFlags:", 8) == 0) say(" {%s}", line + 9);
    }
  }
}

static void show_pages(void) {
  static uint64_t entries[PAGES];
  int fd = open("/proc/self/pagemap", O_RDONLY);
  if (pread(fd, entries, sizeof entries, (unsigned long)BASE / PAGE * 8) != sizeof entries) say(" short-pagemap");
  close(fd);
  say("\n   pm ");
  for (int i = 0; i < PAGES; i++) {
    uint64_t e = entries[i];
    say("%c", "-PFpXxBb"[(e >> 63 & 1) | (e >> 61 & 1) << 1 | (e >> 56 & 1) << 2]);
    if (e >> 62 & 1) say("S");
  }
  say("\n   mc ");
  for (int i = 0; i < PAGES; i++) {
    unsigned char in = 0;
    int r = mincore(BASE + i * PAGE, PAGE, &in);
    say("%c", r ? '.' : '0' + (in & 1));
  }
}

static void show_process(void) {
  slurp("/proc/self/status");
  for (char *line = buffer, *end; *line; line = end) {
    end = strchr(line, '\n');
    *end++ = 0;
    if (strncmp(line, "VmLck:", 6) == 0) say(" lck%d", atoi(line + 6));
  }
}

static void facts(void) {
  show_areas();
  if (residency) show_pages();
  show_process();
  say("\n");
}

static int random_prot(void) {
  static const int prots[] = {RW, RW, RW, PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC, PROT_WRITE, PROT_EXEC, RW | PROT_EXEC};
  return prots[next(sizeof prots / sizeof *prots)];
}

static void do_map(int first, int count) {
  int prot = random_prot(), flags = MAP_FIXED, fd = -1;
  long offset = 0;
  int kind = next(8);
  if (kind < 4) {
    flags |= MAP_PRIVATE | MAP_ANONYMOUS;
    if (next(8) == 0) flags |= MAP_GROWSDOWN;
    if (next(8) == 0) flags |= MAP_STACK;
  } else if (kind == 4) {
    flags |= MAP_SHARED | MAP_ANONYMOUS;
  } else {
    fd = next(2) ? memfd : shmfd;
    offset = next(28) * PAGE;
    flags |= next(2) ? MAP_SHARED : MAP_PRIVATE;
  }
  if (next(8) == 0) flags |= MAP_NORESERVE;
  if (next(6) == 0) flags |= MAP_POPULATE;
  if (next(8) == 0) flags |= MAP_LOCKED;
  if (next(10) == 0) flags = (flags & ~MAP_FIXED) | MAP_FIXED_NOREPLACE;
  char *p = mmap(BASE + first * PAGE, count * PAGE, prot, flags, fd, offset);
  say(" map %d+%d p%d f%x fd%d o%ld %s%s", first, count, prot, flags, fd < 0 ? -1 : fd == memfd, offset / PAGE, name((long)p),
      p == MAP_FAILED || p == BASE + first * PAGE ? "" : "!");
}

static void do_mremap(int first, int count) {
  int wanted = next(3) == 0 ? count : 1 + next(12), flags = next(4) ? MREMAP_MAYMOVE : 0, to = next(PAGES - 12);
  if (flags && next(2)) flags |= MREMAP_FIXED;
  if (flags && next(5) == 0) {
    flags |= MREMAP_DONTUNMAP;
    wanted = count;
  }
  if (next(12) == 0) count = 0;
  char *p = mremap(BASE + first * PAGE, count * PAGE, wanted * PAGE, flags, BASE + to * PAGE);
  int away = p != MAP_FAILED && (p < BASE || p >= BASE + PAGES * PAGE);
  say(" mremap %d+%d>%d f%d to%d %s", first, count, wanted, flags, to, name((long)p));
  if (!away) {
    if (p != MAP_FAILED) say(" @%ld", (p - BASE) / PAGE);
    return;
  }
  char *back = mremap(p, wanted * PAGE, wanted * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + to * PAGE);
  say(" away back %s", name((long)back));
}

static void do_madvise(int first, int count) {
  static const int advices[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_DONTNEED, MADV_FREE, MADV_FREE,
                                MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK, 14, 15, 16, 17, 18, 19, 20, 20, 22, 23, 24, 25, 12, 13, 99};
  int advice = advices[next(sizeof advices / sizeof *advices)];
  if (!residency && advice == MADV_FREE) advice = MADV_DONTNEED;
  say(" madvise %d+%d %d", first, count, advice);
  long result = madvise(BASE + first * PAGE, count * PAGE, advice);
  say(" %s", name(result));
}

static void do_lock(int first, int count) {
  switch (next(5)) {
    case 0:
    case 1: say(" mlock %d+%d", first, count), say(" %s", name(mlock(BASE + first * PAGE, count * PAGE))); return;
    case 2: say(" mlock2 %d+%d", first, count), say(" %s", name(mlock2(BASE + first * PAGE, count * PAGE, MLOCK_ONFAULT))); return;
    case 3: say(" munlock %d+%d", first, count), say(" %s", name(munlock(BASE + first * PAGE, count * PAGE))); return;
    default: say(" munlockall %s", name(munlockall()));
  }
}

static void do_fork(int first, int count) {
  int hold = next(3) == 0, slot = next(4);
  int down[2];
  if (pipe(down) < 0) _exit(8);
  say(" fork %d", hold);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    say(" child");
    touch_range(first, count);
    facts();
    if (write(down[1], &hash, sizeof hash) != sizeof hash) _exit(7);
    while (hold) pause();
    _exit(0);
  }
  uint64_t theirs = 0;
  close(down[1]);
  if (read(down[0], &theirs, sizeof theirs) != sizeof theirs) say(" child-died");
  close(down[0]);
  hash ^= theirs;
  if (!hold) {
    waitpid(child, 0, 0);
    return;
  }
  if (held[slot]) {
    kill(held[slot], SIGKILL);
    waitpid(held[slot], 0, 0);
  }
  held[slot] = child;
}

static void do_file(int first, int count) {
  int fd = next(2) ? memfd : shmfd;
  long offset = next(28) * PAGE, bytes;
  switch (next(4)) {
    case 0:
      bytes = next(28) * PAGE + next(2) * 100;
      say(" truncate fd%d %ld", fd == memfd, bytes), say(" %s", name(ftruncate(fd, bytes)));
      return;
    case 1:
      say(" punch fd%d %ld+%d", fd == memfd, offset / PAGE, count);
      say(" %s", name(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset + next(2) * 10, count * PAGE)));
      return;
    case 2:
      bytes = pwrite(fd, BASE + first * PAGE, count * PAGE / 2, offset);
      say(" pwrite fd%d %ld+%d %s %ld", fd == memfd, offset / PAGE, count, name(bytes), bytes);
      return;
    default:
      bytes = pread(fd, BASE + first * PAGE, count * PAGE / 2, offset);
      say(" pread fd%d %ld+%d %s %ld", fd == memfd, offset / PAGE, count, name(bytes), bytes);
  }
}

static void do_rare(int first, int count) {
  long r;
  char *at = BASE + first * PAGE;
  switch (next(5)) {
    case 0:
      r = msync(at, count * PAGE, (int[]){MS_SYNC, MS_ASYNC, MS_INVALIDATE, MS_SYNC | MS_INVALIDATE}[next(4)]);
      say(" msync %d+%d %s", first, count, name(r));
      return;
    case 1: {
      int page = next(20);
      r = remap_file_pages(at, count * PAGE, 0, page, 0);
      say(" rfp %d+%d %d %s", first, count, page, name(r));
      return;
    }
    case 2: {
      struct iovec mine = {buffer, count * PAGE}, theirs = {at + 1, count * PAGE};
      memset(buffer, 'v', count * PAGE);
      r = next(2) ? process_vm_readv(getpid(), &mine, 1, &theirs, 1, 0) : process_vm_writev(getpid(), &mine, 1, &theirs, 1, 0);
      say(" pvm %d+%d %s %ld", first, count, name(r), r);
      return;
    }
    case 3: {
      int fd = open("/proc/self/mem", O_RDWR);
      memset(buffer, 'm', count * PAGE);
      int store = next(2);
      r = store ? pwrite(fd, buffer, count * PAGE, (long)at + 5) : pread(fd, buffer, count * PAGE, (long)at + 5);
      say(" mem%d %d+%d %s %ld", store, first, count, name(r), r);
      close(fd);
      return;
    }
    default:
      r = mlockall(next(2) ? MCL_CURRENT : MCL_FUTURE | (next(2) ? MCL_ONFAULT : 0));
      say(" mlockall %s", name(r));
      munlockall();
  }
}

static void step(void) {
  int first = next(PAGES), count = 1 + next(next(3) ? 6 : 16);
  if (first + count > PAGES) count = PAGES - first;
  switch (next(16)) {
    case 0:
    case 1:
    case 2: do_map(first, count); break;
    case 3: say(" munmap %d+%d", first, count), say(" %s", name(munmap(BASE + first * PAGE, count * PAGE))); break;
    case 4:
    case 5: {
      int prot = random_prot() | (next(20) ? 0 : PROT_GROWSDOWN);
      say(" mprotect %d+%d %x", first, count, prot), say(" %s", name(mprotect(BASE + first * PAGE, count * PAGE, prot)));
      break;
    }
    case 6:
    case 7: do_mremap(first, count); break;
    case 8:
    case 9: do_madvise(first, count); break;
    case 10: do_lock(first, count); break;
    case 11: do_fork(first, count); break;
    case 12: do_file(first, count); break;
    case 13: do_rare(first, count); break;
    default: say(" touch"), touch_range(first, count);
  }
  facts();
}

static void walk(int steps, int seed) {
  hash = 14695981039346656037UL;
  state = 0x9E3779B97F4A7C15UL * (seed + 1);
  for (int i = 0; i < 8; i++) next(2);
  struct sigaction action = {.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
  action.sa_sigaction = on_fault;
  sigaction(SIGSEGV, &action, 0);
  sigaction(SIGBUS, &action, 0);
  munmap(BASE - 64 * PAGE, (PAGES + 128) * PAGE);
  memfd = memfd_create("fuzz", MFD_ALLOW_SEALING);
  char path[] = "/dev/shm/mmfuzz";
  shmfd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  unlink(path);
  for (int i = 0; i < 20; i++) {
    memset(buffer, 'a' + i, PAGE);
    if (pwrite(memfd, buffer, PAGE, i * PAGE) != PAGE || (i % 3 && pwrite(shmfd, buffer, PAGE, i * PAGE) != PAGE)) _exit(6);
  }
  for (int i = 0; i < steps; i++) {
    say("%d:", i);
    step();
  }
  for (int i = 0; i < 4; i++)
    if (held[i]) kill(held[i], SIGKILL), waitpid(held[i], 0, 0);
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  verbose = strchr(argv[1], 'v') != 0;
  residency = argv[1][0] == 'f';
  for (int i = 3; i < argc; i++) {
    int seed = atoi(argv[i]);
    pid_t child = fork();
    if (child == 0) {
      walk(atoi(argv[2]), seed);
      printf("%d %016lx\n", seed, hash);
      fflush(stdout);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) printf("%d died %x\n", seed, status), fflush(stdout);
  }
}
