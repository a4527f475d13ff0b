// ptrace: attach, system-call stops, registers, memory, breakpoints, signal injection, fork events, exit. Prints facts only.
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static long value = 0x1122334455667788;
static volatile int hits;
static void on(int s) { hits = s; }
static long rd(pid_t p, int i) {
  unsigned long r[32];
  struct iovec v = {r, sizeof r};
  ptrace(PTRACE_GETREGSET, p, NT_PRSTATUS, &v);
  return r[i];
}
static void wr(pid_t p, int i, long x) {
  unsigned long r[32];
  struct iovec v = {r, sizeof r};
  ptrace(PTRACE_GETREGSET, p, NT_PRSTATUS, &v);
  r[i] = x;
  ptrace(PTRACE_SETREGSET, p, NT_PRSTATUS, &v);
}
static const char *en(long r) { return r >= 0 ? "OK" : errno == ESRCH ? "ESRCH" : errno == EPERM ? "EPERM" : errno == EIO ? "EIO" : errno == EINVAL ? "EINVAL" : strerror(errno); }
static void st(const char *n, int s) {
  if (WIFSTOPPED(s)) printf("%s: stopped %#x event %d\n", n, WSTOPSIG(s), s >> 16);
  else if (WIFEXITED(s)) printf("%s: exit %d\n", n, WEXITSTATUS(s));
  else printf("%s: signal %d\n", n, WTERMSIG(s));
}
static void state(const char *n, pid_t p) {
  char path[40], line[100];
  sprintf(path, "/proc/%d/status", p);
  FILE *f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, "State:", 6)) printf("%s: %s", n, line);
  if (f) fclose(f);
}
__attribute__((noinline)) static int target(int x) { __asm__ volatile("" ::: "memory"); return x * 3; }

int main(int argc, char **argv) {
  int s;
  setvbuf(stdout, 0, _IOLBF, 0);
  if (argc > 1) return 17;
  printf("nobody: %s\n", en(ptrace(PTRACE_CONT, 999999, 0, 0)));
  printf("not mine: %s\n", en(ptrace(PTRACE_CONT, getppid(), 0, 0)));
  pid_t c = fork();
  if (!c) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    signal(SIGUSR1, on);
    raise(SIGSTOP);
    int r = target(5);
    raise(SIGUSR1);
    long p = syscall(SYS_getppid);
    _exit(p == 4242 && value == 7 && r == 15 && hits == SIGUSR1 ? 1 : 2);
  }
  waitpid(c, &s, 0);
  st("first", s);
  unsigned long floats[66];
  struct iovec fv = {floats, sizeof floats};
  printf("floats: %s", en(ptrace(PTRACE_GETREGSET, c, NT_FPREGSET, &fv)));
  printf(" %zu bytes\n", fv.iov_len);
  fv.iov_len = 260;
  printf("floats, no multiple of a register: %s\n", en(ptrace(PTRACE_GETREGSET, c, NT_FPREGSET, &fv)));
  fv.iov_len = 16;
  printf("two floats: %s", en(ptrace(PTRACE_GETREGSET, c, NT_FPREGSET, &fv)));
  printf(" %zu bytes\n", fv.iov_len);
  printf("peek: %d\n", ptrace(PTRACE_PEEKDATA, c, &value, 0) == value);
  printf("poke: %s", en(ptrace(PTRACE_POKEDATA, c, &value, 7)));
  printf(" %ld mine %d\n", ptrace(PTRACE_PEEKDATA, c, &value, 0), value == 0x1122334455667788);
  errno = 0;
  long bad = ptrace(PTRACE_PEEKDATA, c, (void *)8, 0);
  printf("peek nowhere: %s\n", en(bad == -1 && errno ? -1 : 0));
  printf("options: %s\n", en(ptrace(PTRACE_SETOPTIONS, c, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXEC)));
  // A breakpoint at target().
  long old = ptrace(PTRACE_PEEKTEXT, c, target, 0);
  ptrace(PTRACE_POKETEXT, c, target, (old & ~0xffffl) | 0x9002);
  ptrace(PTRACE_CONT, c, 0, 0);
  waitpid(c, &s, 0);
  st("breakpoint", s);
  siginfo_t si;
  ptrace(PTRACE_GETSIGINFO, c, 0, &si);
  printf("at target: %d arg %ld code %d\n", rd(c, 0) == (long)target, rd(c, 10), si.si_code);
  ptrace(PTRACE_POKETEXT, c, target, old);
  ptrace(PTRACE_CONT, c, 0, 0);
  waitpid(c, &s, 0);
  st("signal", s);
  printf("from itself: %d\n", (ptrace(PTRACE_GETSIGINFO, c, 0, &si), si.si_pid == c));
  ptrace(PTRACE_SYSCALL, c, 0, SIGUSR1);
  int calls = 0, changed = 0;
  for (;;) {
    waitpid(c, &s, 0);
    if (!WIFSTOPPED(s)) break;
    if (WSTOPSIG(s) == (SIGTRAP | 0x80)) {
      calls++;
      struct { unsigned char op; char pad[3]; unsigned arch; unsigned long ip, sp; unsigned long v[8]; } info;
      memset(&info, 0, sizeof info);
      ptrace(PTRACE_GET_SYSCALL_INFO, c, sizeof info, &info);
      if (info.op == 1 && info.v[0] == SYS_getppid) changed = 1;
      else if (info.op == 2 && changed == 1) {
        wr(c, 10, 4242);
        changed = 2;
      }
    } else st("other", s);
    ptrace(PTRACE_SYSCALL, c, 0, 0);
  }
  printf("stops seen %d, result changed %d\n", calls >= 4, changed == 2);
  st("end", s);

  c = fork();
  if (!c) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    pid_t g = fork();
    if (!g) _exit(9);
    int t;
    waitpid(g, &t, 0);
    char *a[] = {argv[0], "x", 0};
    execv("/proc/self/exe", a);
  }
  waitpid(c, &s, 0);
  ptrace(PTRACE_SETOPTIONS, c, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXEC);
  ptrace(PTRACE_CONT, c, 0, 0);
  waitpid(c, &s, 0);
  st("fork", s);
  unsigned long msg = 0;
  ptrace(PTRACE_GETEVENTMSG, c, 0, &msg);
  pid_t g = waitpid(-1, &s, __WALL);
  printf("child is message: %d\n", g == (pid_t)msg);
  st("its first stop", s);
  ptrace(PTRACE_CONT, c, 0, 0);
  ptrace(PTRACE_CONT, g, 0, 0);
  waitpid(g, &s, __WALL);
  st("grandchild", s);
  waitpid(c, &s, 0);
  st("SIGCHLD", s);
  ptrace(PTRACE_CONT, c, 0, WSTOPSIG(s));
  waitpid(c, &s, 0);
  st("exec", s);
  ptrace(PTRACE_CONT, c, 0, 0);
  waitpid(c, &s, 0);
  st("end", s);

  c = fork();
  if (!c) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    syscall(SYS_exit_group, 9);
  }
  waitpid(c, &s, 0);
  state("tracee at a signal", c);
  ptrace(PTRACE_SETOPTIONS, c, 0, PTRACE_O_TRACEEXIT | PTRACE_O_TRACESYSGOOD);
  ptrace(PTRACE_SYSCALL, c, 0, 0);
  do waitpid(c, &s, 0);
  while (s >> 8 == (SIGTRAP | 0x80) && rd(c, 17) != SYS_exit_group && !ptrace(PTRACE_SYSCALL, c, 0, 0));
  st("exit_group", s);
  ptrace(PTRACE_SYSCALL, c, 0, 0);
  waitpid(c, &s, 0);
  st("before the end", s);
  ptrace(PTRACE_GETEVENTMSG, c, 0, &msg);
  printf("message %#lx\n", msg);
  state("tracee before the end", c);
  ptrace(PTRACE_CONT, c, 0, 0);
  waitpid(c, &s, 0);
  st("the end", s);

  c = fork();
  if (!c) for (;;) pause();
  kill(c, SIGSTOP);
  waitpid(c, &s, WUNTRACED);
  state("stopped, not traced", c);
  kill(c, SIGCONT);
  printf("attach: %s\n", en(ptrace(PTRACE_ATTACH, c, 0, 0)));
  waitpid(c, &s, 0);
  st("attached", s);
  printf("again: %s\n", en(ptrace(PTRACE_ATTACH, c, 0, 0)));
  printf("detach: %s\n", en(ptrace(PTRACE_DETACH, c, 0, 0)));
  printf("runs on: %d\n", waitpid(c, &s, WNOHANG | WUNTRACED));
  printf("seize: %s\n", en(ptrace(PTRACE_SEIZE, c, 0, 0)));
  printf("interrupt: %s\n", en(ptrace(PTRACE_INTERRUPT, c, 0, 0)));
  waitpid(c, &s, 0);
  st("interrupted", s);
  kill(c, SIGKILL);
  waitpid(c, &s, 0);
  st("killed", s);
  return 0;
}
