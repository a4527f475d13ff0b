// userfaultfd: missing pages of private and shared memory brought by another thread, system calls that wait for them, errors.
#include "more.h"
#include <linux/userfaultfd.h>
#include <poll.h>

static int uffd;
static int open_uffd(unsigned long features, int flags) {
  int fd = syscall(SYS_userfaultfd, flags);
  struct uffdio_api api = {.api = UFFD_API, .features = features};
  if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) o(" api:%s", en(errno));
  return fd;
}
static int reg(char *p, long pages, int mode) {
  struct uffdio_register r = {.range = {(unsigned long)p, pages * P}, .mode = mode};
  return ioctl(uffd, UFFDIO_REGISTER, &r);
}
static long copy(char *to, char *from, long pages, int mode) {
  struct uffdio_copy c = {.dst = (unsigned long)to, .src = (unsigned long)from, .len = pages * P, .mode = mode};
  long r = ioctl(uffd, UFFDIO_COPY, &c);
  if (r) o("(%s,%ld)", en(errno), (long)c.copy);
  return r;
}
static long zero(char *to, long pages) {
  struct uffdio_zeropage z = {.range = {(unsigned long)to, pages * P}};
  long r = ioctl(uffd, UFFDIO_ZEROPAGE, &z);
  if (r) o("(%s,%ld)", en(errno), (long)z.zeropage);
  return r;
}
static char *base, *source;
static int served, log_faults;
/** Serves faults: page n gets 'A' + n. */
static void *serve(void *arg) {
  struct uffd_msg m;
  while (read(uffd, &m, sizeof m) == sizeof m) {
    if (m.event != UFFD_EVENT_PAGEFAULT) continue;
    long page = ((char *)m.arg.pagefault.address - base) / P;
    if (log_faults) o(" fault:%ld/%d", page, (int)m.arg.pagefault.flags);
    memset(source, 'A' + page, P);
    served++;
    if (page % 3 == 2) zero(base + page * P, 1);
    else copy(base + page * P, source, 1, 0);
  }
  return 0;
}
static void start(void) {
  pthread_t t;
  source = anon(1, RW);
  pthread_create(&t, 0, serve, 0);
}

CHECK(handshake) {
  E("badflag", syscall(SYS_userfaultfd, 2));
  int fd = E("open", syscall(SYS_userfaultfd, O_CLOEXEC));
  struct uffdio_api api = {.api = 1};
  E("badapi", ioctl(fd, UFFDIO_API, &api));
  o(" cleared:%d", api.api == 0);
  struct uffdio_range r = {0, P};
  E("before", ioctl(fd, UFFDIO_WAKE, &r));
  struct uffd_msg m;
  E("read-before", read(fd, &m, sizeof m));
  struct pollfd q = {fd, POLLIN};
  poll(&q, 1, 0);
  o(" poll:%x", q.revents);
  api.api = UFFD_API, api.features = 1UL << 60;
  E("badfeature", ioctl(fd, UFFDIO_API, &api));
  api.api = UFFD_API, api.features = 0;
  E("api", ioctl(fd, UFFDIO_API, &api));
  o(" missing-shmem:%d sigbus:%d thread:%d ioctls:%llx", !!(api.features & UFFD_FEATURE_MISSING_SHMEM), !!(api.features & UFFD_FEATURE_SIGBUS), !!(api.features & UFFD_FEATURE_THREAD_ID), api.ioctls);
  api.api = UFFD_API, api.features = 0;
  E("again", ioctl(fd, UFFDIO_API, &api));
  E("short", read(fd, &m, 8));
  E("write", write(fd, &m, 8));
  E("unknown", ioctl(fd, 12345, &m));
  char name[64] = "", link[64];
  snprintf(link, 64, "/proc/self/fd/%d", fd);
  readlink(link, name, 63);
  o(" %s", name);
  poll(&q, 1, 0);
  o(" poll-blocking:%x", q.revents);
  fd = open_uffd(0, O_NONBLOCK);
  E("empty", read(fd, &m, sizeof m));
  q.fd = fd;
  o(" poll:%d", poll(&q, 1, 0));
  drop();
  E("user", syscall(SYS_userfaultfd, 0));
  E("user-mode", syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY));
}
CHECK(register_rules) {
  uffd = open_uffd(0, 0);
  char *p = island(8, RW);
  E("mode0", reg(p, 1, 0));
  E("mode8", reg(p, 1, 8));
  E("wp", reg(p, 1, UFFDIO_REGISTER_MODE_WP));
  E("minor-anon", reg(p, 1, UFFDIO_REGISTER_MODE_MINOR));
  E("unal", reg(p + 1, 1, 1));
  E("len0", reg(p, 0, 1));
  E("nothing", reg(p + 12 * P, 1, 1));
  munmap(p + 5 * P, P);
  E("hole", reg(p + 2 * P, 5, 1));
  areas(p, 8);
  smaps(p + 2 * P, "VmFlags");
  E("again", reg(p + 2 * P, 1, 1));
  int other = uffd;
  uffd = open_uffd(0, 0);
  E("busy", reg(p, 8, 1));
  uffd = other;
  struct uffdio_range r = {(unsigned long)p + 3 * P, P};
  E("unreg", ioctl(uffd, UFFDIO_UNREGISTER, &r));
  areas(p, 8);
  r.start = (unsigned long)p, r.len = 8 * P;
  E("unreg-all", ioctl(uffd, UFFDIO_UNREGISTER, &r));
  areas(p, 8);
  int shm = shmfile(4);
  E("shmem", reg(mmap(0, 4 * P, RW, MAP_SHARED, shm, 0), 4, 1));
  char *minor = mmap(0, 4 * P, RW, MAP_SHARED, shm, 0);
  E("minor-shmem", reg(minor, 4, UFFDIO_REGISTER_MODE_MINOR));
  smaps(minor, "VmFlags");
  E("private-shmem", reg(mmap(0, 4 * P, RW, MAP_PRIVATE, shm, 0), 4, 1));
  E("prot-none", reg(island(1, PROT_NONE), 1, 1));
  char *q = island(4, RW);
  reg(q, 4, 1);
  close(uffd);
  smaps(q, "VmFlags");
  o(" after-close:%d", rd(q));
}
CHECK(fill) {
  uffd = open_uffd(0, O_NONBLOCK);
  char *p = island(8, RW), *s = anon(8, RW);
  memset(s, 's', 8 * P);
  reg(p, 8, 1);
  V("copy", copy(p, s, 2, 0));
  V("exists", copy(p + P, s, 1, 0));
  V("partial", copy(p + 3 * P, s, 1, 0));
  V("stops", copy(p + 2 * P, s, 3, 0));
  V("zero", zero(p + 4 * P, 2));
  V("zero-exists", zero(p + 4 * P, 1));
  V("outside", copy(island(1, RW), s, 1, 0));
  V("badsrc", copy(p + 6 * P, 0, 1, 0));
  V("badmode", copy(p + 6 * P, s, 1, 4));
  V("unal", copy(p + 6 * P + 1, s, 1, 0));
  V("over-end", copy(p + 7 * P, s, 2, 0));
  pm(p, 8);
  mc(p, 8);
  o(" %c%c%d", p[0], p[2 * P], p[4 * P]);
  wr(p + 4 * P, 1);
  mprotect(p + 6 * P, P, PROT_READ);
  V("copy-ro", copy(p + 6 * P, s, 1, 0));
  o(" %c", rd(p + 6 * P));
  wr(p + 6 * P, 1);
  o(" anon=%ld", smaps(p, "Anonymous"));
}
CHECK(fill_shared) {
  uffd = open_uffd(0, O_NONBLOCK);
  int fd = memfd("u", 4 * P, 0);
  char *p = mmap(0, 6 * P, RW, MAP_SHARED, fd, 0), *s = anon(1, RW), b[4];
  memset(s, 'S', P);
  pwrite(fd, "x", 1, 3 * P);
  reg(p, 6, 1);
  V("copy", copy(p, s, 1, 0));
  V("zero", zero(p + P, 1));
  V("cached", copy(p + 3 * P, s, 1, 0));
  V("past", copy(p + 4 * P, s, 1, 0));
  pread(fd, b, 1, 5);
  o(" %c %c", b[0], rd(p + 3 * P));
  rd(p + 5 * P);
  struct stat st;
  fstat(fd, &st);
  o(" blocks=%ld", (long)st.st_blocks);
  char *q = mmap(0, 4 * P, RW, MAP_SHARED, fd, 0);
  V("minor", reg(q, 4, UFFDIO_REGISTER_MODE_MINOR));
  struct uffdio_continue c = {.range = {(unsigned long)q, P}};
  E("continue", ioctl(uffd, UFFDIO_CONTINUE, &c));
  o(" mapped=%lld %c", (long long)c.mapped, rd(q));
  E("continue-again", ioctl(uffd, UFFDIO_CONTINUE, &c));
  c.range.start = (unsigned long)q + 2 * P;
  E("continue-absent", ioctl(uffd, UFFDIO_CONTINUE, &c));
}
CHECK(threads) {
  uffd = open_uffd(0, 0);
  base = island(8, RW);
  reg(base, 8, 1);
  log_faults = 1;
  start();
  o(" %c", rd(base));
  wr(base + P, 'w');
  o(" %c %d", base[P], rd(base + 2 * P));
  wr(base + 2 * P, 'z');
  o(" %c", base[2 * P]);
  wr(base + 3 * P, 'E');
  o(" %c%c", base[3 * P], base[3 * P + 1]);
  madvise(base, P, MADV_DONTNEED);
  o(" %c", rd(base));
  o(" served=%d", served);
}
CHECK(system_calls) {
  uffd = open_uffd(0, 0);
  base = island(16, RW);
  reg(base, 16, 1);
  start();
  int fd = shmfile(4);
  V("read", read(fd, base, 2 * P + 5));
  o(" %c%c%c", base[0], base[P], base[2 * P]);
  V("write", pwrite(fd, base + 3 * P, P, 0));
  char b;
  pread(fd, &b, 1, 0);
  o(" %c", b);
  int pipes[2];
  pipe(pipes);
  write(pipes[1], "pipe", 4);
  V("pipe", read(pipes[0], base + 4 * P, 4));
  o(" %.4s", base + 4 * P);
  V("pipe-write", write(pipes[1], base + 6 * P, 10));
  V("getcwd", syscall(SYS_getcwd, base + 7 * P, 100));
  o(" %s", base + 7 * P);
  V("stat", fstat(fd, (struct stat *)(base + 9 * P)));
  V("open", open(base + 10 * P, O_RDONLY));
  V("futex", syscall(SYS_futex, base + 12 * P, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0));
  V("mincore", mincore(base, P, (unsigned char *)base + 13 * P));
  o(" served=%d", served);
}
CHECK(sigbus_and_user_mode) {
  uffd = open_uffd(UFFD_FEATURE_SIGBUS, 0);
  char *p = island(2, RW);
  reg(p, 2, 1);
  rd(p);
  V("read", read(open("/dev/zero", O_RDONLY), p, 4));
  close(uffd);
  uffd = open_uffd(0, UFFD_USER_MODE_ONLY);
  base = island(4, RW);
  reg(base, 4, 1);
  start();
  V("kernel", read(open("/dev/zero", O_RDONLY), base, 4));
  o(" %c", rd(base));
  V("kernel-then", read(open("/dev/zero", O_RDONLY), base, 4));
}
CHECK(fork_and_move) {
  uffd = open_uffd(0, 0);
  base = island(4, RW);
  reg(base, 4, 1);
  start();
  rd(base);
  pid_t c = CHILD({
    smaps(base, "VmFlags");
    o(" child:%c%d", rd(base), rd(base + P));
  });
  ended(c);
  char *q = mremap(base, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, island(4, RW));
  smaps(q, "VmFlags");
  o(" moved:%c%d", rd(q), rd(q + P));
}
static volatile int alarms;
static void on_alarm(int s) { alarms++; }
static void *touch(void *arg) { return (void *)(long)rd(base + P); }
CHECK(signals_while_waiting) {
  uffd = open_uffd(0, O_NONBLOCK);
  base = island(4, RW);
  reg(base, 4, 1);
  struct sigaction a = {.sa_handler = on_alarm};
  sigaction(SIGUSR1, &a, 0);
  pthread_t t;
  pthread_create(&t, 0, touch, 0);
  struct pollfd q = {uffd, POLLIN};
  o(" poll:%d", poll(&q, 1, 5000));
  pthread_kill(t, SIGUSR1);
  while (!alarms) usleep(1000);
  usleep(20000);
  struct uffd_msg m;
  V("read", read(uffd, &m, sizeof m));
  o(" page:%ld", ((long)m.arg.pagefault.address - (long)base) / P);
  V("read-again", read(uffd, &m, sizeof m));
  struct uffdio_range r = {(unsigned long)base, 4 * P};
  E("wake", ioctl(uffd, UFFDIO_WAKE, &r));
  o(" poll:%d", poll(&q, 1, 5000));
  zero(base, 4);
  void *got;
  pthread_join(t, &got);
  o(" got:%ld alarms:%d", (long)got, alarms);
  pid_t c = CHILD(_exit(0));
  ended(c);
}

static const Check checks[] = {
#define C(name) {#name, name}
  C(handshake), C(register_rules), C(fill), C(fill_shared), C(threads), C(system_calls), C(sigbus_and_user_mode), C(fork_and_move), C(signals_while_waiting), {0},
};
int main(int argc, char **argv) { return run_checks(checks, argc, argv); }
