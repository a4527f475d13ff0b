// eventfd, timerfd, signalfd, inotify and memfd.
#include "ipc.h"
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static void events(void) {
  uint64_t v = 3;
  int e = eventfd(5, EFD_NONBLOCK);
  pollshow("ev", e, POLLIN | POLLOUT);
  R("w", write(e, &v, 8));
  R("short", write(e, &v, 4));
  R("r", read(e, &v, 8));
  printf("value=%llu\n", (unsigned long long)v);
  R("empty", read(e, &v, 8));
  v = ~0ull;
  R("all-ones", write(e, &v, 8));
  v = ~0ull - 1;
  R("max", write(e, &v, 8));
  v = 1;
  R("over", write(e, &v, 8));
  pollshow("full", e, POLLIN | POLLOUT);
  R("r2", read(e, &v, 8));
  printf("value=%llu\n", (unsigned long long)v);
  int s = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
  for (int i = 0; i < 3; i++) {
    R("sem", read(s, &v, 8));
  }
  R("bad", eventfd(0, 0x100));
  R("seek", lseek(e, 0, SEEK_SET));
}

static void timers(void) {
  int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  uint64_t v = 0;
  struct itimerspec i = {{0, 10000000}, {0, 10000000}}, old;
  R("idle", read(t, &v, 8));
  R("set", timerfd_settime(t, 0, &i, 0));
  R("early", read(t, &v, 8));
  msleep(35);
  R("late", read(t, &v, 8));
  printf("ticks=%d\n", v >= 3 && v < 20);
  R("get", timerfd_gettime(t, &old));
  printf("interval=%ld left=%d\n", old.it_interval.tv_nsec, old.it_value.tv_nsec <= 10000000);
  struct itimerspec zero = {0};
  R("disarm", timerfd_settime(t, 0, &zero, &old));
  msleep(15);
  R("disarmed", read(t, &v, 8));
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  int r = timerfd_create(CLOCK_REALTIME, 0);
  struct itimerspec past = {{0, 0}, {now.tv_sec - 1, 0}};
  R("abs-past", timerfd_settime(r, TFD_TIMER_ABSTIME, &past, 0));
  R("abs-read", read(r, &v, 8));
  printf("v=%llu\n", (unsigned long long)v);
  struct itimerspec bad = {{0, 0}, {0, 1000000000}};
  R("bad-ns", timerfd_settime(r, 0, &bad, 0));
  R("bad-clock", timerfd_create(55, 0));
  R("small", read(r, &v, 4));
}

static void signals(void) {
  sigset_t m;
  sigemptyset(&m);
  sigaddset(&m, SIGUSR1);
  sigaddset(&m, SIGRTMIN + 1);
  sigaddset(&m, SIGCHLD);
  sigprocmask(SIG_BLOCK, &m, 0);
  int s = signalfd(-1, &m, SFD_NONBLOCK);
  struct signalfd_siginfo i[4];
  R("none", read(s, i, sizeof i));
  pollshow("sig-none", s, POLLIN);
  kill(getpid(), SIGUSR1);
  union sigval val = {.sival_int = 77};
  sigqueue(getpid(), SIGRTMIN + 1, val);
  sigqueue(getpid(), SIGRTMIN + 1, val);
  pollshow("sig", s, POLLIN);
  R("three", read(s, i, sizeof i) / sizeof i[0]);
  printf("%d %d %d; int=%d pid=%d code=%d %d\n", i[0].ssi_signo == SIGUSR1, i[1].ssi_signo == SIGRTMIN + 1, i[2].ssi_signo == SIGRTMIN + 1,
         i[1].ssi_int, i[0].ssi_pid == (uint32_t)getpid(), i[0].ssi_code, i[1].ssi_code);
  pid_t c = fork();
  if (c == 0) _exit(9);
  fcntl(s, F_SETFL, 0);
  R("chld", read(s, i, sizeof i[0]) / sizeof i[0]);
  printf("signo=%d status=%d pid=%d\n", i[0].ssi_signo == SIGCHLD, i[0].ssi_status, i[0].ssi_pid == (uint32_t)c);
  waitpid(c, 0, 0);
  R("small", read(s, i, 10));
  sigemptyset(&m);
  R("change", signalfd(s, &m, 0) == s);
  R("not-signalfd", signalfd(1, &m, 0));
  R("bad-flags", signalfd(-1, &m, 0x7777));
}

static const char *iname(uint32_t m) {
  static char b[100];
  sprintf(b, "%x", m);
  return b;
}

static void drain(const char *what, int f) {
  char b[4096];
  int n = read(f, b, sizeof b);
  printf("%s:", what);
  if (n < 0) printf(" %s", ename(errno));
  for (int at = 0; at < n;) {
    struct inotify_event *e = (void *)(b + at);
    printf(" [wd%d %s %s%s%u]", e->wd, iname(e->mask), e->len ? e->name : "-", e->cookie ? " cookie " : " ", e->len);
    at += sizeof *e + e->len;
  }
  printf("\n");
}

static void inotifies(void) {
  mkdir("ipc.dir", 0700);
  int f = inotify_init1(IN_NONBLOCK);
  R("watch-dir", inotify_add_watch(f, "ipc.dir", IN_ALL_EVENTS));
  drain("nothing", f);
  int g = open("ipc.dir/a", O_CREAT | O_RDWR, 0600);
  write(g, "x", 1);
  close(g);
  drain("created", f);
  R("watch-file", inotify_add_watch(f, "ipc.dir/a", IN_MODIFY | IN_DELETE_SELF | IN_ATTRIB));
  g = open("ipc.dir/a", O_WRONLY);
  write(g, "y", 1);
  close(g);
  drain("modified", f);
  rename("ipc.dir/a", "ipc.dir/b");
  drain("renamed", f);
  chmod("ipc.dir/b", 0644);
  drain("chmod", f);
  unlink("ipc.dir/b");
  drain("unlinked", f);
  mkdir("ipc.dir/sub", 0700);
  rmdir("ipc.dir/sub");
  drain("mkdir", f);
  R("rm", inotify_rm_watch(f, 1));
  drain("ignored", f);
  R("rm-again", inotify_rm_watch(f, 1));
  R("enoent", inotify_add_watch(f, "ipc.none", IN_MODIFY));
  R("no-mask", inotify_add_watch(f, "ipc.dir", 0));
  R("onlydir", inotify_add_watch(f, "/proc/self/exe", IN_MODIFY | IN_ONLYDIR));
  rmdir("ipc.dir");
}

static void memfds(void) {
  char b[100];
  int m = memfd_create("test", MFD_ALLOW_SEALING);
  struct stat st;
  fstat(m, &st);
  printf("mode=%o size=%ld nlink=%d\n", st.st_mode, (long)st.st_size, (int)st.st_nlink);
  R("w", write(m, "0123456789", 10));
  R("seek", lseek(m, 2, SEEK_SET));
  R("r", read(m, b, 3));
  R("pread", pread(m, b, 100, 5));
  R("trunc", ftruncate(m, 5000));
  R("end", lseek(m, 0, SEEK_END));
  R("seals", fcntl(m, F_GET_SEALS));
  R("seal-grow", fcntl(m, F_ADD_SEALS, F_SEAL_GROW));
  R("grow", ftruncate(m, 6000));
  R("extend", pwrite(m, b, 10, 4995));
  R("inside", pwrite(m, b, 5, 4995));
  R("shrink", ftruncate(m, 4000));
  R("seal-all", fcntl(m, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL));
  R("write", write(m, b, 1));
  R("more", fcntl(m, F_ADD_SEALS, F_SEAL_GROW));
  R("get", fcntl(m, F_GET_SEALS));
  char link[100] = {0}, path[50];
  sprintf(path, "/proc/self/fd/%d", m);
  readlink(path, link, 99);
  printf("%s\n", link);
  R("bad", memfd_create("x", 0x1000));
  int n = memfd_create("n", 0);
  R("no-seals", fcntl(n, F_GET_SEALS));
  R("falloc", fallocate(n, 0, 0, 8192));
  fstat(n, &st);
  printf("size=%ld\n", (long)st.st_size);
  R("write-n", pwrite(n, "zz", 2, 4096));
  R("punch", fallocate(n, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096));
  R("read-n", pread(n, b, 2, 4096));
  printf("%d%d\n", b[0], b[1]);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  events();
  timers();
  signals();
  inotifies();
  memfds();
  return 0;
}
