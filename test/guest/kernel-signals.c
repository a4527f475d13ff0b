// Signals: handlers, siginfo, masks, alternate stack, restart, queues, synchronous faults, default actions. Prints facts, no addresses.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile int count, last, lastcode, lastvalue, order[64], norder;
static volatile uintptr_t lastaddr, handlersp;
static sigjmp_buf jump;
static pid_t sender;

static void on(int s, siginfo_t *si, void *u) {
  (void)u;
  count++;
  last = s;
  lastcode = si->si_code;
  lastaddr = (uintptr_t)si->si_addr;
  lastvalue = si->si_value.sival_int;
  sender = si->si_pid;
  handlersp = (uintptr_t)__builtin_frame_address(0);
  if (norder < 64) order[norder++] = s;
}
static void onjump(int s, siginfo_t *si, void *u) {
  on(s, si, u);
  siglongjmp(jump, 1);
}
static void set(int s, void (*f)(int, siginfo_t *, void *), int flags) {
  struct sigaction a = {0};
  a.sa_sigaction = f;
  a.sa_flags = SA_SIGINFO | flags;
  sigemptyset(&a.sa_mask);
  sigaction(s, &a, 0);
}
static const char *en(int e) {
  return e == EINTR ? "EINTR" : e == EAGAIN ? "EAGAIN" : e == EINVAL ? "EINVAL" : e == EPERM ? "EPERM" : e == ESRCH ? "ESRCH" : e == ENOMEM ? "ENOMEM" : e == 0 ? "OK" : "?";
}
static void show(const char *name) { printf("%s: sig=%d code=%d count=%d\n", name, last, lastcode, count); }

static void faults(void) {
  long ps = sysconf(_SC_PAGESIZE);
  char *ro = mmap(0, ps, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  set(SIGSEGV, onjump, 0);
  set(SIGBUS, onjump, 0);
  set(SIGILL, onjump, 0);
  set(SIGTRAP, onjump, 0);
  set(SIGFPE, onjump, 0);
  if (!sigsetjmp(jump, 1)) ro[5] = 1;
  printf("accerr: code=%d addr=%d\n", lastcode, lastaddr == (uintptr_t)ro + 5);
  munmap(ro, ps);
  if (!sigsetjmp(jump, 1)) last = ro[7];
  printf("maperr: code=%d addr=%d\n", lastcode, lastaddr == (uintptr_t)ro + 7);
  if (!sigsetjmp(jump, 1)) *(volatile char *)0xffffffc000000123ul = 1;
  printf("kernel half: code=%d addr=%d\n", lastcode, lastaddr == 0xffffffc000000123ul);
  if (!sigsetjmp(jump, 1)) *(volatile char *)0x123456789abcdef1ul = 1;
  printf("wild: code=%d addr=%d\n", lastcode, lastaddr == 0x123456789abcdef1ul);
  if (!sigsetjmp(jump, 1)) __asm__ volatile(".word 0");
  printf("illegal: sig=%d code=%d\n", last, lastcode);
  if (!sigsetjmp(jump, 1)) __asm__ volatile("ebreak");
  printf("ebreak: sig=%d code=%d\n", last, lastcode);
  uint32_t code[2] = {0x00008067, 0};
  if (!sigsetjmp(jump, 1)) ((void (*)(void))code)();
  printf("noexec: sig=%d code=%d pc=%d\n", last, lastcode, lastaddr == (uintptr_t)code);
}

static void *altsp;
static void deep(int n) {
  volatile char b[4096];
  b[0] = n;
  deep(n + 1);
  b[1] = b[0];
}
static void altstack(void) {
  stack_t st = {.ss_sp = malloc(65536), .ss_size = 65536}, old;
  altsp = st.ss_sp;
  printf("sigaltstack=%d\n", sigaltstack(&st, 0));
  set(SIGUSR1, on, SA_ONSTACK);
  raise(SIGUSR1);
  printf("on alternate stack: %d\n", handlersp > (uintptr_t)altsp && handlersp < (uintptr_t)altsp + 65536);
  set(SIGUSR1, on, 0);
  raise(SIGUSR1);
  printf("on normal stack: %d\n", !(handlersp > (uintptr_t)altsp && handlersp < (uintptr_t)altsp + 65536));
  sigaltstack(0, &old);
  printf("flags now=%d size=%d\n", old.ss_flags, (int)old.ss_size);
  set(SIGSEGV, onjump, SA_ONSTACK);
  count = 0;
  if (!sigsetjmp(jump, 1)) deep(0);
  printf("stack overflow caught: %d code=%d\n", count, lastcode);
  stack_t small = {.ss_sp = malloc(100), .ss_size = 100};
  int r = sigaltstack(&small, 0);
  printf("small altstack: %s\n", en(r ? errno : 0));
}

static void masks(void) {
  sigset_t m, p;
  set(SIGUSR1, on, 0);
  set(SIGUSR2, on, 0);
  sigemptyset(&m);
  sigaddset(&m, SIGUSR1);
  sigaddset(&m, SIGUSR2);
  sigaddset(&m, SIGKILL);
  sigprocmask(SIG_BLOCK, &m, &p);
  sigprocmask(SIG_BLOCK, 0, &p);
  printf("blocked: usr1=%d kill=%d\n", sigismember(&p, SIGUSR1), sigismember(&p, SIGKILL));
  count = norder = 0;
  kill(getpid(), SIGUSR2);
  kill(getpid(), SIGUSR1);
  kill(getpid(), SIGUSR1);
  sigpending(&p);
  printf("pending: usr1=%d usr2=%d hup=%d\n", sigismember(&p, SIGUSR1), sigismember(&p, SIGUSR2), sigismember(&p, SIGHUP));
  sigprocmask(SIG_UNBLOCK, &m, 0);
  printf("delivered: %d, handlers ran as %d %d\n", count, order[0], order[1]);
  printf("from: pid ok=%d code=%d\n", sender == getpid(), lastcode);
  raise(SIGUSR1);
  printf("raise: code=%d\n", lastcode);
}

static void queue(void) {
  sigset_t m;
  int rt = SIGRTMIN + 3;
  set(rt, on, 0);
  set(SIGRTMIN, on, 0);
  sigemptyset(&m);
  sigaddset(&m, rt);
  sigaddset(&m, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &m, 0);
  for (int i = 1; i <= 3; i++) {
    union sigval v = {.sival_int = i * 10};
    sigqueue(getpid(), rt, v);
  }
  union sigval v = {.sival_int = 99};
  sigqueue(getpid(), SIGRTMIN, v);
  siginfo_t si;
  struct timespec zero = {0, 0};
  int s = sigtimedwait(&m, &si, &zero);
  printf("timedwait: rtmin first=%d value=%d code=%d\n", s == SIGRTMIN, si.si_value.sival_int, si.si_code);
  s = sigtimedwait(&m, &si, &zero);
  printf("timedwait: value=%d\n", si.si_value.sival_int);
  count = 0;
  sigprocmask(SIG_UNBLOCK, &m, 0);
  printf("queued delivered=%d last value=%d\n", count, lastvalue);
  s = sigtimedwait(&m, &si, &zero);
  printf("empty: %d %s\n", s, en(errno));
  int r = sigqueue(getpid(), 65, v);
  printf("bad signal: %s\n", en(r ? errno : 0));
}

static void restart(void) {
  int p[2];
  char b;
  struct itimerval it = {{0, 0}, {0, 20000}};
  pipe(p);
  pid_t me = getpid();
  set(SIGALRM, on, 0);
  count = 0;
  setitimer(ITIMER_REAL, &it, 0);
  int r = read(p[0], &b, 1);
  printf("read without SA_RESTART: %d %s count=%d code=%d\n", r, en(errno), count, lastcode == SI_KERNEL);
  set(SIGALRM, on, SA_RESTART);
  pid_t c = fork();
  if (!c) {
    usleep(30000);
    kill(me, SIGALRM);
    usleep(30000);
    write(p[1], "x", 1);
    _exit(0);
  }
  r = read(p[0], &b, 1);
  printf("read with SA_RESTART: %d %c\n", r, b);
  waitpid(c, 0, 0);
  setitimer(ITIMER_REAL, &it, 0);
  struct pollfd f = {p[0], POLLIN, 0};
  r = poll(&f, 1, 1000);
  printf("poll never restarts: %d %s\n", r, en(errno));
  setitimer(ITIMER_REAL, &it, 0);
  struct timespec ts = {1, 0}, rem = {9, 9};
  r = nanosleep(&ts, &rem);
  printf("nanosleep: %d %s rem ok=%d\n", r, en(errno), rem.tv_sec == 0 && rem.tv_nsec > 500000000);
  setitimer(ITIMER_REAL, &it, 0);
  sigset_t none;
  sigemptyset(&none);
  r = sigsuspend(&none);
  printf("sigsuspend: %d %s\n", r, en(errno));
}

static volatile int depth, maxdepth, runs;
static void nested(int s) {
  depth++;
  if (depth > maxdepth) maxdepth = depth;
  if (depth < 3 && ++runs < 6) raise(s);
  depth--;
}
static void flags(void) {
  struct sigaction a = {0}, o;
  a.sa_handler = nested;
  sigaction(SIGUSR1, &a, 0);
  raise(SIGUSR1);
  printf("deferred: depth %d\n", maxdepth);
  maxdepth = runs = 0;
  a.sa_flags = SA_NODEFER;
  sigaction(SIGUSR1, &a, 0);
  raise(SIGUSR1);
  printf("nodefer: depth %d\n", maxdepth);
  a.sa_flags = SA_RESETHAND;
  sigaction(SIGUSR2, &a, 0);
  depth = 5;
  raise(SIGUSR2);
  depth = 0;
  sigaction(SIGUSR2, 0, &o);
  printf("resethand: default=%d\n", o.sa_handler == SIG_DFL);
  int r = sigaction(SIGKILL, &a, 0);
  printf("sigaction(KILL): %s\n", en(r ? errno : 0));
}

static volatile double fsum;
static void clobber(int s) {
  double a[32];
  for (int i = 0; i < 32; i++) a[i] = i * 1.5 + s;
  for (int i = 0; i < 32; i++) fsum += a[i] * a[31 - i];
}
static void registers(void) {
  struct sigaction a = {0};
  a.sa_handler = clobber;
  sigaction(SIGUSR1, &a, 0);
  double x = 1.25, y = 2.5;
  long ra = 0x1234567890abcdef, rb;
  double fa = 3.75, fb;
  long pid = getpid(), sig = SIGUSR1;
  __asm__ volatile("mv s2,%2\n fmv.d fs2,%3\n fmv.d ft7,%3\n mv a0,%4\n mv a1,%5\n li a7,129\n ecall\n mv %0,s2\n fadd.d %1,fs2,ft7"
                   : "=r"(rb), "=f"(fb) : "r"(ra), "f"(fa), "r"(pid), "r"(sig) : "s2", "a0", "a1", "a7", "fs2", "ft7", "memory");
  printf("registers kept: %d %d %g\n", rb == ra, fb == 7.5, x + y);
}
static void editpc(int s, siginfo_t *si, void *u) {
  (void)s; (void)si;
  ucontext_t *uc = u;
  uc->uc_mcontext.__gregs[0] += 4;
  uc->uc_mcontext.__gregs[REG_A0] = 77;
}
static void edit(void) {
  set(SIGSEGV, editpc, 0);
  register long a0 __asm__("a0") = 0;
  __asm__ volatile(".option push\n.option norvc\n lw zero,0(a0)\n.option pop" : "+r"(a0));
  printf("handler moved pc and set a0: %ld\n", a0);
}

static void child(const char *name, void (*f)(void)) {
  fflush(stdout);
  pid_t c = fork();
  if (!c) {
    f();
    _exit(42);
  }
  int st;
  waitpid(c, &st, 0);
  if (WIFEXITED(st)) printf("%s: exit %d\n", name, WEXITSTATUS(st));
  else printf("%s: signal %d core %d\n", name, WTERMSIG(st), !!WCOREDUMP(st));
}
static void c_term(void) { raise(SIGTERM); }
static void c_chld(void) { raise(SIGCHLD); raise(SIGURG); raise(SIGWINCH); raise(SIGCONT); }
static void c_abort(void) { abort(); }
static void c_segv(void) { *(volatile int *)0 = 1; }
static void c_ignsegv(void) { signal(SIGSEGV, SIG_IGN); *(volatile int *)0 = 1; }
static void c_blocksegv(void) { sigset_t m; sigfillset(&m); sigprocmask(SIG_SETMASK, &m, 0); *(volatile int *)0 = 1; }
static void c_rt(void) { raise(SIGRTMIN + 1); }
static void c_pipe(void) { int p[2]; pipe(p); close(p[0]); write(p[1], "x", 1); }
static void c_ignpipe(void) { int p[2]; signal(SIGPIPE, SIG_IGN); pipe(p); close(p[0]); if (write(p[1], "x", 1) < 0 && errno == EPIPE) _exit(7); }
static void c_kill(void) { kill(getpid(), SIGKILL); for (;;) pause(); }
static void c_badframe(void) {
  struct sigaction a = {0};
  a.sa_handler = clobber;
  sigaction(SIGUSR1, &a, 0);
  __asm__ volatile("li sp,4096\n mv a0,%0\n mv a1,%1\n li a7,129\n ecall" ::"r"((long)getpid()), "r"((long)SIGUSR1) : "a0", "a1", "a7", "memory");
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  faults();
  altstack();
  masks();
  queue();
  restart();
  flags();
  registers();
  edit();
  signal(SIGSEGV, SIG_DFL);
  signal(SIGPIPE, SIG_DFL);
  child("term", c_term);
  child("ignored by default", c_chld);
  child("abort", c_abort);
  child("segv", c_segv);
  child("ignored segv", c_ignsegv);
  child("blocked segv", c_blocksegv);
  child("real-time", c_rt);
  child("pipe", c_pipe);
  child("ignored pipe", c_ignpipe);
  child("kill", c_kill);
  child("bad stack for frame", c_badframe);
  int r = kill(999999, 0);
  printf("kill nobody: %s\n", en(r ? errno : 0));
  r = kill(getpid(), 77);
  printf("kill bad signal: %s\n", en(r ? errno : 0));
  show("end");
  return 0;
}
