// epoll: level, edge and one-shot, modification, errors, nesting, closing, masks; ppoll and pselect beside it.
#include "ipc.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>

static int add(int e, int op, int fd, uint32_t events, uint64_t data) {
  struct epoll_event v = {.events = events, .data.u64 = data};
  return epoll_ctl(e, op, fd, &v);
}

static void show(const char *name, int e, int timeout) {
  struct epoll_event v[8];
  int n = epoll_wait(e, v, 8, timeout);
  printf("%s: %d", name, n);
  for (int i = 0; i < n; i++) printf(" [%x %llx]", v[i].events, (unsigned long long)v[i].data.u64);
  printf("\n");
}

static void triggers(void) {
  int e = epoll_create1(0), p[2];
  char b[100];
  pipe(p);
  R("add", add(e, EPOLL_CTL_ADD, p[0], EPOLLIN, 0x1122334455667788));
  R("add-again", add(e, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
  show("none", e, 0);
  write(p[1], "abc", 3);
  show("level1", e, 0);
  show("level2", e, 0);
  R("mod-et", add(e, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 2));
  show("edge1", e, 0);
  show("edge2", e, 0);
  write(p[1], "d", 1);
  show("edge3", e, 0);
  read(p[0], b, 2);
  show("edge4", e, 0);
  R("mod-oneshot", add(e, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 3));
  show("once1", e, 0);
  write(p[1], "e", 1);
  show("once2", e, 0);
  R("rearm", add(e, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 4));
  show("once3", e, 0);
  R("mod-out", add(e, EPOLL_CTL_ADD, p[1], EPOLLOUT, 5));
  show("writable", e, 0);
  R("del", add(e, EPOLL_CTL_DEL, p[1], 0, 0));
  R("del-again", add(e, EPOLL_CTL_DEL, p[1], 0, 0));
  add(e, EPOLL_CTL_MOD, p[0], EPOLLIN, 6);
  read(p[0], b, 100);
  show("drained", e, 0);
  close(p[1]);
  show("hup", e, 0);
  close(p[0]);
  show("closed", e, 0);
  close(e);
}

static void errors(void) {
  int e = epoll_create1(0), f = open("ipc.tmp", O_RDWR | O_CREAT, 0600), p[2];
  pipe(p);
  R("regular", add(e, EPOLL_CTL_ADD, f, EPOLLIN, 1));
  R("self", add(e, EPOLL_CTL_ADD, e, EPOLLIN, 1));
  R("bad-fd", add(e, EPOLL_CTL_ADD, 99, EPOLLIN, 1));
  R("not-epoll", add(f, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
  R("mod-missing", add(e, EPOLL_CTL_MOD, p[0], EPOLLIN, 1));
  R("bad-op", add(e, 9, p[0], EPOLLIN, 1));
  R("excl", add(e, EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE, 1));
  R("excl-mod", add(e, EPOLL_CTL_MOD, p[0], EPOLLIN, 1));
  R("excl-oneshot", add(e, EPOLL_CTL_ADD, p[1], EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 1));
  struct epoll_event v[2];
  R("max0", epoll_wait(e, v, 0, 0));
  R("create-bad", epoll_create1(1));
  R("create0", epoll_create(0));
  int chain[8];
  for (int i = 0; i < 8; i++) chain[i] = epoll_create1(0);
  for (int i = 0; i < 7; i++) {
    char n[20];
    sprintf(n, "nest%d", i);
    R(n, add(chain[i], EPOLL_CTL_ADD, chain[i + 1], EPOLLIN, i));
  }
  int a = epoll_create1(0), b = epoll_create1(0);
  add(a, EPOLL_CTL_ADD, b, EPOLLIN, 1);
  R("loop", add(b, EPOLL_CTL_ADD, a, EPOLLIN, 1));
  unlink("ipc.tmp");
}

static void nested(void) {
  int outer = epoll_create1(0), inner = epoll_create1(0), ev = eventfd(0, 0);
  add(inner, EPOLL_CTL_ADD, ev, EPOLLIN, 7);
  add(outer, EPOLL_CTL_ADD, inner, EPOLLIN, 8);
  show("outer-idle", outer, 0);
  uint64_t one = 1;
  write(ev, &one, 8);
  show("outer", outer, 0);
  pollshow("poll-inner", inner, POLLIN);
  show("inner", inner, 0);
  read(ev, &one, 8);
  show("outer-after", outer, 0);
  show("inner-after", inner, 0);
}

static void dups(void) {
  int e = epoll_create1(0), p[2];
  pipe(p);
  int d = dup(p[0]);
  add(e, EPOLL_CTL_ADD, p[0], EPOLLIN, 1);
  add(e, EPOLL_CTL_ADD, d, EPOLLIN, 2);
  write(p[1], "x", 1);
  // The order of two items of one file is not promised.
  struct epoll_event v[4];
  R("both", epoll_wait(e, v, 4, 0));
  close(p[0]);
  R("still-both", epoll_wait(e, v, 4, 0));
  R("del-closed", add(e, EPOLL_CTL_DEL, p[0], 0, 0));
  close(d);
  show("none-left", e, 0);
}

static void sockets(void) {
  int e = epoll_create1(0), s[2];
  char b[100];
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  add(e, EPOLL_CTL_ADD, s[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1);
  show("et-start", e, 0);
  show("et-quiet", e, 0);
  send(s[1], "a", 1, 0);
  show("et-in", e, 0);
  send(s[1], "b", 1, 0);
  show("et-in2", e, 0);
  recv(s[0], b, 100, 0);
  show("et-read", e, 0);
  shutdown(s[1], SHUT_WR);
  show("et-rdhup", e, 0);
  close(s[1]);
  show("et-hup", e, 0);
}

static volatile int alarms;
static void onalrm(int s) { (void)s; alarms++; }

static void waiting(void) {
  int e = epoll_create1(0), ev = eventfd(0, 0);
  add(e, EPOLL_CTL_ADD, ev, EPOLLIN, 1);
  struct timespec t0, t1;
  clock_gettime(CLOCK_MONOTONIC, &t0);
  show("timeout", e, 30);
  clock_gettime(CLOCK_MONOTONIC, &t1);
  long ms = (t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000;
  printf("waited=%d\n", ms >= 29);
  pid_t c = fork();
  if (c == 0) {
    msleep(20);
    uint64_t v = 5;
    write(ev, &v, 8);
    _exit(0);
  }
  show("woken", e, -1);
  waitpid(c, 0, 0);
  struct sigaction a = {.sa_handler = onalrm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &a, 0);
  uint64_t v;
  read(ev, &v, 8);
  sigset_t block, none;
  sigemptyset(&block);
  sigemptyset(&none);
  sigaddset(&block, SIGALRM);
  sigprocmask(SIG_BLOCK, &block, 0);
  raise(SIGALRM);
  printf("pending alarms=%d\n", alarms);
  struct epoll_event x;
  R("pwait", epoll_pwait(e, &x, 1, 1000, &none));
  printf("alarms=%d\n", alarms);
  raise(SIGALRM);
  struct timespec t = {1, 0};
  R("ppoll", ppoll(0, 0, &t, &none));
  printf("alarms=%d\n", alarms);
  raise(SIGALRM);
  R("pselect", pselect(0, 0, 0, 0, &t, &none));
  printf("alarms=%d\n", alarms);
  sigprocmask(SIG_BLOCK, 0, &none);
  printf("still-blocked=%d\n", sigismember(&none, SIGALRM));
  write(ev, &v, 8);
  raise(SIGALRM);
  struct pollfd p = {ev, POLLIN, 0};
  sigemptyset(&none);
  int r = ppoll(&p, 1, &t, &none);
  printf("ready-and-signal: %d alarms=%d\n", r, alarms);
}

static void selects(void) {
  int p[2];
  pipe(p);
  fd_set r, w, x;
  struct timeval tv = {0, 0};
  FD_ZERO(&r); FD_ZERO(&w); FD_ZERO(&x);
  FD_SET(p[0], &r); FD_SET(p[1], &w); FD_SET(p[0], &x);
  R("select", select(p[1] + 1, &r, &w, &x, &tv));
  printf("r=%d w=%d x=%d\n", !!FD_ISSET(p[0], &r), !!FD_ISSET(p[1], &w), !!FD_ISSET(p[0], &x));
  write(p[1], "x", 1);
  FD_ZERO(&r);
  FD_SET(p[0], &r);
  R("select-r", select(p[1] + 1, &r, 0, 0, 0));
  FD_ZERO(&r);
  FD_SET(500, &r);
  R("select-bad", select(501, &r, 0, 0, &tv));
  R("select-neg", select(-1, 0, 0, 0, &tv));
  struct pollfd f[3] = {{-1, POLLIN, 9}, {p[0], POLLIN, 0}, {500, POLLIN, 0}};
  R("poll3", poll(f, 3, 0));
  printf("%x %x %x\n", f[0].revents, f[1].revents, f[2].revents);
  struct timespec bad = {0, 2000000000};
  R("ppoll-bad", ppoll(f, 1, &bad, 0));
  R("poll-empty", poll(0, 0, 10));
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  triggers();
  errors();
  nested();
  dups();
  sockets();
  waiting();
  selects();
  return 0;
}
