// Processes: fork, wait in all its forms, groups and sessions, stop and continue, vfork, exec, orphans, limits. Prints facts only.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *en(void) {
  switch (errno) {
    case ECHILD: return "ECHILD"; case EINVAL: return "EINVAL"; case EPERM: return "EPERM"; case ESRCH: return "ESRCH";
    case ENOENT: return "ENOENT"; case EACCES: return "EACCES"; case ENOEXEC: return "ENOEXEC"; case E2BIG: return "E2BIG";
    case EFAULT: return "EFAULT"; case ELOOP: return "ELOOP"; case ENOTDIR: return "ENOTDIR"; case EAGAIN: return "EAGAIN"; case ENOMEM: return "ENOMEM";
    default: return strerror(errno);
  }
}
static const char *E(long r) { return r < 0 ? en() : "OK"; }
static char self[256];
static volatile int got;
static siginfo_t info;
static void onchld(int s, siginfo_t *si, void *u) { (void)s; (void)u; got++; info = *si; }

static void waits(void) {
  int st;
  printf("no child: %s\n", E(waitpid(-1, &st, 0)));
  pid_t c = fork();
  if (!c) _exit(7);
  siginfo_t si;
  memset(&si, 0, sizeof si);
  printf("waitid WNOWAIT: %s", E(waitid(P_PID, c, &si, WEXITED | WNOWAIT)));
  printf(" code=%d status=%d pid ok=%d signo=%d\n", si.si_code == CLD_EXITED, si.si_status, si.si_pid == c, si.si_signo == SIGCHLD);
  printf("waitpid: %d", waitpid(c, &st, 0) == c);
  printf(" status=%d\n", WEXITSTATUS(st));
  printf("again: %s\n", E(waitpid(c, &st, 0)));
  c = fork();
  if (!c) for (;;) pause();
  setpgid(c, c);
  printf("WNOHANG: %d\n", waitpid(c, &st, WNOHANG));
  kill(c, SIGSTOP);
  waitpid(c, &st, WUNTRACED);
  printf("stopped: %d sig=%d\n", WIFSTOPPED(st), WSTOPSIG(st) == SIGSTOP);
  printf("only once: %d\n", waitpid(c, &st, WUNTRACED | WNOHANG));
  kill(c, SIGCONT);
  waitpid(c, &st, WCONTINUED);
  printf("continued: %d\n", WIFCONTINUED(st));
  kill(c, SIGTSTP);
  memset(&si, 0, sizeof si);
  waitid(P_PID, c, &si, WSTOPPED);
  printf("waitid stopped: %d sig=%d\n", si.si_code == CLD_STOPPED, si.si_status == SIGTSTP);
  kill(c, SIGKILL);
  waitpid(c, &st, 0);
  printf("killed while stopped: %d\n", WTERMSIG(st));
  printf("bad options: %s\n", E(waitpid(-1, &st, 0x100)));
  printf("waitid nothing: %s\n", E(waitid(P_ALL, 0, &si, WNOHANG)));
}

static void sigchld(void) {
  struct sigaction a = {0};
  a.sa_sigaction = onchld;
  a.sa_flags = SA_SIGINFO;
  sigaction(SIGCHLD, &a, 0);
  pid_t c = fork();
  if (!c) _exit(3);
  while (!got) usleep(1000);
  printf("SIGCHLD: code=%d status=%d pid ok=%d\n", info.si_code == CLD_EXITED, info.si_status, info.si_pid == c);
  waitpid(c, 0, 0);
  signal(SIGCHLD, SIG_IGN);
  c = fork();
  if (!c) _exit(0);
  printf("ignored SIGCHLD: %s\n", E(waitpid(c, 0, 0)));
  signal(SIGCHLD, SIG_DFL);
}

static void groups(void) {
  int st, p[2];
  char b;
  pipe(p);
  printf("setsid as leader or not: %s\n", getpid() == getpgrp() ? E(setsid()) : "EPERM");
  pid_t c = fork();
  if (!c) {
    close(p[1]);
    read(p[0], &b, 1);
    _exit(getpgrp() == getpid() ? 11 : 12);
  }
  printf("setpgid child: %s\n", E(setpgid(c, c)));
  printf("getpgid: %d\n", getpgid(c) == c);
  printf("wait by own group: %s\n", E(waitpid(0, &st, WNOHANG)));
  write(p[1], "x", 1);
  printf("wait by group: %d", waitpid(-c, &st, 0) == c);
  printf(" exit=%d\n", WEXITSTATUS(st));
  c = fork();
  if (!c) {
    pid_t s = setsid();
    int ok = s == getpid() && getsid(0) == s && getpgrp() == s;
    _exit(ok && setsid() == -1 && errno == EPERM ? 1 : 2);
  }
  waitpid(c, &st, 0);
  printf("setsid: %d\n", WEXITSTATUS(st));
  printf("setpgid of nobody: %s\n", E(setpgid(999999, 0)));
  c = fork();
  if (!c) {
    setpgid(0, 0);
    for (int i = 0; i < 2; i++) if (!fork()) for (;;) pause();
    kill(0, SIGTERM);
    for (;;) pause();
  }
  waitpid(c, &st, 0);
  printf("kill(0): %d\n", WTERMSIG(st));
  // A stopped child in an orphaned group hears SIGHUP and SIGCONT when its parent dies.
  pipe(p);
  c = fork();
  if (!c) {
    setsid();
    pid_t g = fork();
    if (!g) {
      setpgid(0, 0);
      signal(SIGHUP, SIG_IGN);
      raise(SIGSTOP);
      write(p[1], "c", 1);
      _exit(0);
    }
    waitpid(g, 0, WUNTRACED);
    _exit(0);
  }
  waitpid(c, 0, 0);
  close(p[1]);
  printf("orphaned stopped group goes on: %d\n", (int)read(p[0], &b, 1));
}

static void vforks(void) {
  volatile int shared = 1;
  int st;
  pid_t c = vfork();
  if (!c) {
    shared = 2;
    _exit(5);
  }
  waitpid(c, &st, 0);
  printf("vfork: shared=%d exit=%d\n", shared, WEXITSTATUS(st));
  char *argv[] = {self, "--echo", "spawned", 0}, *envp[] = {"X=y", 0};
  fflush(stdout);
  posix_spawn(&c, self, 0, 0, argv, envp);
  waitpid(c, &st, 0);
  printf("posix_spawn: exit=%d\n", WEXITSTATUS(st));
  int r = posix_spawn(&c, "/no/such/file", 0, 0, argv, envp);
  printf("posix_spawn missing: %s\n", (errno = r, en()));
}

static int run(const char *path, char **argv, char **envp) {
  fflush(stdout);
  pid_t c = fork();
  if (!c) {
    execve(path, argv, envp);
    printf("exec failed: %s\n", en());
    fflush(stdout);
    _exit(99);
  }
  int st;
  waitpid(c, &st, 0);
  return WIFEXITED(st) ? WEXITSTATUS(st) : 1000 + WTERMSIG(st);
}
static void put(const char *path, const void *data, int n, int mode) {
  int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, mode);
  write(fd, data, n);
  fchmod(fd, mode);
  close(fd);
}
static void execs(void) {
  char *env[] = {"A=1", "B=two words", 0};
  char *argv[] = {"zero", "--echo", "one", "", "th ree", 0};
  char d[64] = "/tmp/kp-XXXXXX", f[128], g[300];
  mkdtemp(d);
  printf("exec: %d\n", run(self, argv, env));
  char *none[] = {0};
  printf("exec with argc 0: %d\n", run(self, none, env));
  snprintf(f, sizeof f, "%s/script", d);
  snprintf(g, sizeof g, "#! %s  --echo with blank  \nrest\n", self);
  put(f, g, strlen(g), 0755);
  char *sargs[] = {"ignored", "arg", 0};
  printf("script: %d\n", run(f, sargs, env));
  put(f, "#!\n", 3, 0755);
  printf("empty #!: %d\n", run(f, sargs, env));
  put(f, "#!/no/such/interp\n", 18, 0755);
  printf("missing interpreter: %d\n", run(f, sargs, env));
  snprintf(g, sizeof g, "#!%s\n", f);
  put(f, g, strlen(g), 0755);
  printf("script of itself: %d\n", run(f, sargs, env));
  put(f, "\177ELF", 4, 0755);
  printf("short ELF: %d\n", run(f, sargs, env));
  put(f, "hello", 5, 0755);
  printf("text: %d\n", run(f, sargs, env));
  put(f, "", 0, 0755);
  printf("empty: %d\n", run(f, sargs, env));
  put(f, "#!/bin/sh\n", 10, 0644);
  printf("not executable: %d\n", run(f, sargs, env));
  printf("directory: %d\n", run(d, sargs, env));
  snprintf(g, sizeof g, "%s/x", f);
  printf("below a file: %d\n", run(g, sargs, env));
  printf("missing: %d\n", run("/no/such", sargs, env));
  printf("bad pointer: %d\n", run((char *)8, sargs, env));
  printf("bad argv: %d\n", run(self, (char **)8, env));
  char *big = malloc(200000);
  memset(big, 'b', 200000);
  big[131071] = 0;
  char *bargs[] = {"z", "--len", big, 0};
  printf("128 KiB argument: %d\n", run(self, bargs, env));
  big[131071] = 'b';
  big[131072] = 0;
  printf("one more: %d\n", run(self, bargs, env));
  char **many = calloc(70000, sizeof *many);
  big[60] = 0;
  many[0] = "z";
  many[1] = "--len";
  for (int i = 2; i < 20000; i++) many[i] = big;
  printf("1.3 MB of arguments: %d\n", run(self, many, env));
  for (int i = 2; i < 40000; i++) many[i] = big;
  printf("over a quarter of the stack: %d\n", run(self, many, env));
  unlink(f);
  rmdir(d);
}
static void onusr(int s) { (void)s; }
static void execstate(void) {
  int st, fd = open("/dev/null", O_RDONLY), fe = open("/dev/null", O_RDONLY | O_CLOEXEC);
  char a[16], b[16];
  snprintf(a, sizeof a, "%d", fd);
  snprintf(b, sizeof b, "%d", fe);
  fflush(stdout);
  pid_t c = fork();
  if (!c) {
    sigset_t m;
    sigemptyset(&m);
    sigaddset(&m, SIGUSR2);
    sigprocmask(SIG_BLOCK, &m, 0);
    raise(SIGUSR2);
    signal(SIGUSR1, onusr);
    signal(SIGHUP, SIG_IGN);
    char *argv[] = {self, "--state", a, b, 0};
    execv(self, argv);
  }
  waitpid(c, &st, 0);
}
static int state(int argc, char **argv) {
  (void)argc;
  struct sigaction a, h;
  sigset_t m, p;
  sigaction(SIGUSR1, 0, &a);
  sigaction(SIGHUP, 0, &h);
  sigprocmask(SIG_BLOCK, 0, &m);
  sigpending(&p);
  printf("after exec: handler reset=%d ignored kept=%d blocked=%d pending=%d fd=%d cloexec=%d\n", a.sa_handler == SIG_DFL,
         h.sa_handler == SIG_IGN, sigismember(&m, SIGUSR2), sigismember(&p, SIGUSR2), fcntl(atoi(argv[2]), F_GETFD) >= 0,
         fcntl(atoi(argv[3]), F_GETFD) >= 0);
  return 0;
}

static void orphans(void) {
  int p[2], st;
  pipe(p);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t c = fork();
  if (!c) {
    if (!fork()) {
      while (getppid() == 0) usleep(1000);
      usleep(20000);
      pid_t parent = getppid();
      write(p[1], &parent, sizeof parent);
      _exit(9);
    }
    _exit(0);
  }
  waitpid(c, 0, 0);
  pid_t parent = 0;
  read(p[0], &parent, sizeof parent);
  printf("subreaper adopts: %d\n", parent == getpid());
  printf("and waits: %d", waitpid(-1, &st, 0) > 0);
  printf(" exit=%d\n", WEXITSTATUS(st));
  prctl(PR_SET_CHILD_SUBREAPER, 0);
  c = fork();
  if (!c) {
    pid_t me = getpid();
    pid_t g = fork();
    if (!g) {
      prctl(PR_SET_PDEATHSIG, SIGUSR1);
      if (getppid() != me) _exit(1);
      write(p[1], "r", 1);
      for (;;) pause();
    }
    char b;
    read(p[0], &b, 1);
    _exit(0);
  }
  waitpid(c, 0, 0);
  char name[16] = {0};
  prctl(PR_SET_NAME, "a name longer than fits");
  prctl(PR_GET_NAME, name);
  printf("name: %s\n", name);
}

static void clones(void) {
  int st, fd = -1;
  pid_t c = syscall(SYS_clone, SIGCHLD | CLONE_PIDFD, 0, &fd, 0, 0);
  if (!c) _exit(21);
  siginfo_t si;
  memset(&si, 0, sizeof si);
  printf("pidfd: %d wait: %s status=%d\n", fd >= 0, E(waitid(P_PIDFD, fd, &si, WEXITED)), si.si_status);
  printf("pidfd signal to the dead: %s\n", E(syscall(SYS_pidfd_send_signal, fd, 0, 0, 0)));
  int dir = open("/proc/self", O_RDONLY | O_DIRECTORY);
  printf("by directory: %s\n", E(syscall(SYS_pidfd_send_signal, dir, 0, 0, 0)));
  int thread = open("/proc/thread-self", O_RDONLY | O_DIRECTORY);
  printf("by a thread's directory: %s\n", E(syscall(SYS_pidfd_send_signal, thread, 0, 0, 0)));
  close(dir);
  close(thread);
  printf("thread without sighand: %s\n", E(syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0)));
  printf("sighand without vm: %s\n", E(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0)));
  c = syscall(SYS_clone, 0, 0, 0, 0, 0);
  if (!c) _exit(22);
  usleep(20000);
  printf("no exit signal: plain wait %s", E(waitpid(c, &st, 0)));
  printf(", __WCLONE %d exit=%d\n", waitpid(c, &st, __WCLONE) == c, WEXITSTATUS(st));
  struct { unsigned long v[11]; } a;
  memset(&a, 0, sizeof a);
  a.v[4] = SIGCHLD;
  c = syscall(SYS_clone3, &a, sizeof a);
  if (!c) _exit(23);
  waitpid(c, &st, 0);
  printf("clone3: exit=%d\n", WEXITSTATUS(st));
  printf("clone3 small: %s\n", E(syscall(SYS_clone3, &a, 32)));
}

static void limits(void) {
  struct rlimit r = {50, 100}, o;
  printf("setrlimit: %s", E(setrlimit(RLIMIT_NOFILE, &r)));
  getrlimit(RLIMIT_NOFILE, &o);
  printf(" %d %d\n", (int)o.rlim_cur, (int)o.rlim_max);
  int n = 0, fds[200];
  while (n < 200 && (fds[n] = dup(0)) >= 0) n++;
  printf("dup stops: %s highest=%d\n", errno == EMFILE ? "EMFILE" : en(), n ? fds[n - 1] : -1);
  while (n > 0) close(fds[--n]);
  r.rlim_cur = 200;
  printf("soft over hard: %s\n", E(setrlimit(RLIMIT_NOFILE, &r)));
  getrlimit(RLIMIT_STACK, &o);
  printf("stack: %ld MiB, unlimited hard=%d\n", (long)(o.rlim_cur >> 20), o.rlim_max == RLIM_INFINITY);
  fflush(stdout);
  pid_t c = fork();
  if (!c) {
    struct rlimit cpu = {1, 2};
    setrlimit(RLIMIT_CPU, &cpu);
    for (volatile long i = 0;; i++) ;
  }
  int st;
  waitpid(c, &st, 0);
  printf("RLIMIT_CPU: signal %d\n", WTERMSIG(st) == SIGXCPU);
}

static void ids(void) {
  fflush(stdout);
  pid_t c = fork();
  if (!c) {
    gid_t g[3] = {30, 10, 20}, h[3];
    printf("setgroups: %s", E(setgroups(3, g)));
    printf(" n=%d", getgroups(3, h));
    printf(" %d %d %d\n", h[0], h[1], h[2]);
    uid_t r, e, s;
    printf("setresuid: %s", E(setresuid(-1, 1000, -1)));
    getresuid(&r, &e, &s);
    printf(" %d %d %d\n", r, e, s);
    printf("back: %s\n", E(seteuid(0)));
    printf("setuid: %s", E(setuid(1000)));
    getresuid(&r, &e, &s);
    printf(" %d %d %d\n", r, e, s);
    printf("no way back: %s\n", E(setuid(0)));
    printf("kill parent: %s\n", E(kill(getppid(), 0)));
    printf("setgroups now: %s\n", E(setgroups(0, 0)));
    printf("nice down: %s\n", E(setpriority(PRIO_PROCESS, 0, -5)));
    _exit((fflush(stdout), 0));
  }
  waitpid(c, 0, 0);
}

int main(int argc, char **argv, char **envp) {
  setvbuf(stdout, 0, _IOLBF, 0);
  if (argc > 1 && !strncmp(argv[1], "--echo", 6)) {
    printf("  echo:");
    for (int i = 1; i < argc; i++) printf(" [%s]", !strncmp(argv[i], "/tmp/kp-", 8) ? "script" : argv[i]);
    for (int i = 0; envp[i]; i++) printf(" {%s}", envp[i]);
    printf("\n");
    return argc;
  }
  if (argc > 1 && !strcmp(argv[1], "--len")) {
    printf("  %d arguments, last of %d\n", argc, (int)strlen(argv[argc - 1]));
    return 0;
  }
  if (argc > 1 && !strcmp(argv[1], "--state")) return state(argc, argv);
  if (argc == 1 && argv[0][0] == 0) {
    printf("  empty argv[0], env %s\n", envp[0]);
    return 1;
  }
  readlink("/proc/self/exe", self, sizeof self - 1);
  waits();
  sigchld();
  groups();
  vforks();
  execs();
  execstate();
  orphans();
  clones();
  ids();
  limits();
  return 0;
}
