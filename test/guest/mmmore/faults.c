// Faults and signals: what siginfo says, which stack a handler runs on, what happens inside handlers, interrupted calls, futexes.
#include "more.h"

static volatile int hits;
static char *where;
#define HANDLE(sig, handler, flags) do { struct sigaction a_ = {.sa_flags = SA_SIGINFO | (flags)}; a_.sa_sigaction = handler; sigaction(sig, &a_, 0); } while (0)

CHECK(riscv_codes) {
  sig_ = 0;
  if (!sigsetjmp(jump_, 1)) asm volatile("ebreak");
  o(" ebreak:%s", fault_name());
  long q;
  asm volatile("div %0, %1, %2" : "=r"(q) : "r"(5L), "r"(0L));
  o(" div0:%ld", q);
  asm volatile("rem %0, %1, %2" : "=r"(q) : "r"(5L), "r"(0L));
  o(" rem0:%ld", q);
  asm volatile("div %0, %1, %2" : "=r"(q) : "r"(1L << 63), "r"(-1L));
  o(" divov:%d", q == 1L << 63);
  volatile double z = 0, r = 1 / z;
  o(" fdiv:%d", r > 1e300);
  unsigned long t0, t1;
  sig_ = 0;
  if (!sigsetjmp(jump_, 1)) {
    asm volatile("rdtime %0" : "=r"(t0));
    for (volatile int i = 0; i < 10000; i++);
    asm volatile("rdtime %0" : "=r"(t1));
    o(" rdtime:%d", t1 >= t0);
  } else o(" rdtime:%s", fault_name());
}
CHECK(misaligned) {
  char *p = island(2, RW);
  *(volatile uint64_t *)(p + P - 3) = 0x1122334455667788;
  o(" %d", *(volatile uint64_t *)(p + P - 3) == 0x1122334455667788);
  o(" %x", *(volatile uint16_t *)(p + P - 1));
  sig_ = 0;
  if (!sigsetjmp(jump_, 1)) asm volatile("amoadd.w zero, zero, (%0)" ::"r"(p + 2) : "memory");
  o(" amo2:%s%s", fault_name(), sig_ && at_ == p + 2 ? "" : "(addr)");
  sig_ = 0;
  if (!sigsetjmp(jump_, 1)) asm volatile("lr.d t0, (%0)" ::"r"(p + 4) : "t0", "memory");
  o(" lr4:%s", fault_name());
  mprotect(p + P, P, PROT_READ);
  sig_ = 0;
  if (!sigsetjmp(jump_, 1)) *(volatile uint64_t *)(p + P - 4) = 1;
  o(" cross:%s +%ld", fault_name(), (char *)at_ - p - P);
  o(" kept:%x", *(volatile uint32_t *)(p + P - 4));
  sig_ = 0;
  if (!sigsetjmp(jump_, 1)) asm volatile("amoadd.w zero, zero, (%0)" ::"r"(p + P) : "memory");
  o(" amo-ro:%s", fault_name());
  sig_ = 0;
  if (!sigsetjmp(jump_, 1)) asm volatile("lr.w t0, (%0)\n sc.w t0, t0, (%0)" ::"r"(p + P) : "t0", "memory");
  o(" lrsc-ro:%s", fault_name());
  sig_ = 0;
  if (!sigsetjmp(jump_, 1)) ((void (*)(void))(p + 2))();
  o(" exec-rw:%s +%ld", fault_name(), (char *)at_ - p);
  sig_ = 0;
  if (!sigsetjmp(jump_, 1)) ((void (*)(void))(1L << 45))();
  o(" exec-high:%s %d", fault_name(), at_ == (void *)(1L << 45));
  sig_ = 0;
  if (!sigsetjmp(jump_, 1)) ((void (*)(void))0)();
  o(" exec-null:%s %d", fault_name(), at_ == 0);
}
static void fix(int s, siginfo_t *i, void *u) {
  hits++;
  where = i->si_addr;
  mprotect((void *)((long)i->si_addr & -P), P, RW);
}
CHECK(restarted_instruction) {
  char *p = island(4, PROT_NONE);
  HANDLE(SIGSEGV, fix, 0);
  p[5] = 7;
  int at5 = where == p + 5;
  o(" hits=%d at=%d v=%d", hits, at5, p[5]);
  *(volatile uint64_t *)(p + 2 * P - 4) = ~0UL;
  o(" hits=%d at=%ld", hits, where - p - 2 * P);
  asm volatile("amoadd.w zero, %1, (%0)" ::"r"(p + 3 * P), "r"(5) : "memory");
  o(" hits=%d v=%d", hits, p[3 * P]);
  mprotect(p, P, PROT_READ);
  V("read-into-ro", read(open("/dev/zero", O_RDONLY), p, 4));
  o(" hits=%d", hits);
}
static void report(int s, siginfo_t *i, void *u) {
  ucontext_t *c = u;
  o(" [%s code=%d errno=%d addr=%d pc=%d]", sigabbrev_np(s), i->si_code, i->si_errno, i->si_addr == where, c->uc_mcontext.__gregs[0] != 0);
  siglongjmp(jump_, 1);
}
CHECK(kill_and_fault) {
  HANDLE(SIGSEGV, report, SA_NODEFER);
  HANDLE(SIGBUS, report, SA_NODEFER);
  where = 0;
  if (!sigsetjmp(jump_, 1)) raise(SIGSEGV);
  if (!sigsetjmp(jump_, 1)) kill(getpid(), SIGSEGV);
  if (!sigsetjmp(jump_, 1)) syscall(SYS_tgkill, getpid(), gettid(), SIGBUS);
  union sigval v = {.sival_int = 5};
  if (!sigsetjmp(jump_, 1)) sigqueue(getpid(), SIGSEGV, v);
  siginfo_t forged = {.si_signo = SIGSEGV, .si_code = SEGV_MAPERR};
  signal(SIGUSR1, SIG_IGN);
  E("forge-self", syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &forged));
  if (!sigsetjmp(jump_, 1)) E("forge-segv", syscall(SYS_rt_sigqueueinfo, getpid(), SIGSEGV, &forged));
  pid_t c = CHILD(pause());
  E("forge-other", syscall(SYS_rt_sigqueueinfo, c, SIGSEGV, &forged));
  kill(c, SIGKILL);
}
static char *alternate;
static void on_which(int s, siginfo_t *i, void *u) {
  char here;
  stack_t st;
  sigaltstack(0, &st);
  hits++;
  o(" on-alt:%d flags:%d", &here >= alternate && &here < alternate + 64 * 1024, st.ss_flags);
  if (s == SIGUSR1 && hits < 3) raise(SIGUSR2);
  if (s == SIGSEGV) siglongjmp(jump_, 1);
}
CHECK(alternate_stack) {
  alternate = mmap(0, 64 * 1024, RW, AP, -1, 0);
  stack_t st = {.ss_sp = alternate, .ss_size = 64 * 1024}, old;
  E("set", sigaltstack(&st, 0));
  HANDLE(SIGUSR1, on_which, SA_ONSTACK);
  HANDLE(SIGUSR2, on_which, SA_ONSTACK);
  raise(SIGUSR1);
  HANDLE(SIGUSR2, on_which, 0);
  hits = 5;
  raise(SIGUSR2);
  st.ss_flags = 1U << 31;
  E("autodisarm", sigaltstack(&st, 0));
  HANDLE(SIGUSR2, on_which, SA_ONSTACK);
  raise(SIGUSR2);
  sigaltstack(0, &old);
  o(" after:%x", old.ss_flags);
  st.ss_size = 100;
  st.ss_flags = 0;
  E("small", sigaltstack(&st, 0));
  st.ss_size = 64 * 1024;
  st.ss_flags = 8;
  E("badflag", sigaltstack(&st, 0));
  st.ss_flags = SS_DISABLE;
  E("disable", sigaltstack(&st, 0));
  st.ss_flags = 0;
  st.ss_sp = mmap(0, 64 * 1024, PROT_NONE, AP, -1, 0);
  E("guard", sigaltstack(&st, 0));
  HANDLE(SIGUSR1, on_which, SA_ONSTACK);
  pid_t c = CHILD(signal(SIGSEGV, SIG_DFL); raise(SIGUSR1); o(" survived"));
  ended(c);
  c = CHILD(HANDLE(SIGSEGV, on_which, 0); if (!sigsetjmp(jump_, 1)) raise(SIGUSR1); o(" jumped"));
  ended(c);
}
static void change_own(int s, siginfo_t *i, void *u) {
  stack_t st = {.ss_flags = SS_DISABLE};
  E("inside", sigaltstack(&st, 0));
}
CHECK(altstack_inside) {
  alternate = mmap(0, 64 * 1024, RW, AP, -1, 0);
  stack_t st = {.ss_sp = alternate, .ss_size = 64 * 1024};
  sigaltstack(&st, 0);
  HANDLE(SIGUSR1, change_own, SA_ONSTACK);
  raise(SIGUSR1);
  HANDLE(SIGUSR1, change_own, 0);
  raise(SIGUSR1);
  sigaltstack(0, &st);
  o(" flags:%d", st.ss_flags);
}
static void nest(int s, siginfo_t *i, void *u) {
  hits++;
  if (hits < 4) *(volatile char *)0 = 1;
  siglongjmp(jump_, 1);
}
CHECK(nested_faults) {
  HANDLE(SIGSEGV, nest, SA_NODEFER);
  if (!sigsetjmp(jump_, 1)) *(volatile char *)0 = 1;
  o(" nodefer:%d", hits);
  hits = 0;
  HANDLE(SIGSEGV, nest, 0);
  pid_t c = CHILD(if (!sigsetjmp(jump_, 1)) *(volatile char *)0 = 1; o(" jumped:%d", hits));
  ended(c);
  HANDLE(SIGSEGV, nest, SA_RESETHAND);
  c = CHILD(if (!sigsetjmp(jump_, 1)) *(volatile char *)0 = 1; o(" jumped:%d", hits));
  ended(c);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, 0);
  HANDLE(SIGSEGV, nest, SA_NODEFER);
  c = CHILD(*(volatile char *)0 = 1);
  ended(c);
  signal(SIGSEGV, SIG_IGN);
  c = CHILD(*(volatile char *)0 = 1);
  ended(c);
  c = CHILD(raise(SIGSEGV); o(" ignored"));
  ended(c);
}
static void skip4(int s, siginfo_t *i, void *u) {
  ((ucontext_t *)u)->uc_mcontext.__gregs[0] += 4;
  ((ucontext_t *)u)->uc_mcontext.__gregs[10] = 77;
}
CHECK(change_context) {
  HANDLE(SIGILL, skip4, 0);
  register long a0 asm("a0") = 1;
  asm volatile(".4byte 0xffffffff" : "+r"(a0));
  o(" a0=%ld", a0);
}
CHECK(stack_overflow) {
  struct rlimit r = {256 * 1024, 256 * 1024};
  pid_t c = fork();
  if (c == 0) {
    setrlimit(RLIMIT_STACK, &r);
    signal(SIGSEGV, SIG_DFL);
    char *sp = __builtin_frame_address(0);
    for (long i = 0; i < 1 << 20; i += P) *(volatile char *)(sp - i) = 1;
    _exit(0);
  }
  ended(c);
  c = fork();
  if (c == 0) {
    setrlimit(RLIMIT_STACK, &r);
    alternate = mmap(0, 64 * 1024, RW, AP, -1, 0);
    stack_t st = {.ss_sp = alternate, .ss_size = 64 * 1024};
    sigaltstack(&st, 0);
    char *sp = __builtin_frame_address(0);
    long i = 0;
    for (; i < 1 << 20; i += P) {
      sig_ = 0;
      if (!sigsetjmp(jump_, 1)) *(volatile char *)(sp - i) = 1;
      if (sig_) break;
    }
    o(" %s stopped:%d", fault_name(), i > 100 * 1024 && i <= 256 * 1024);
    _exit(0);
  }
  ended(c);
  char *sp = __builtin_frame_address(0);
  o(" far:%d", wr(sp - (1 << 20), 1));
}
static void noop(int s) { hits++; }
CHECK(interrupted_calls) {
  struct sigaction a = {.sa_handler = noop};
  int restart[] = {0, SA_RESTART};
  int pipes[2];
  char b;
  for (int i = 0; i < 2; i++) {
    a.sa_flags = restart[i];
    sigaction(SIGALRM, &a, 0);
    struct itimerval once = {{0, 0}, {0, 20000}};
    struct timespec ts = {0, 100000000}, left;
    pipe(pipes);
    pid_t c = CHILD(usleep(60000); write(pipes[1], "x", 1));
    setitimer(ITIMER_REAL, &once, 0);
    V("read", read(pipes[0], &b, 1));
    waitpid(c, 0, 0);
    setitimer(ITIMER_REAL, &once, 0);
    V("nanosleep", nanosleep(&ts, &left));
    o(" left:%d", left.tv_nsec > 0);
    setitimer(ITIMER_REAL, &once, 0);
    V("pause", pause());
    setitimer(ITIMER_REAL, &once, 0);
    V("futex", syscall(SYS_futex, &hits, FUTEX_WAIT, hits, &ts, 0, 0));
    setitimer(ITIMER_REAL, &once, 0);
    V("poll", poll(0, 0, 100));
    c = CHILD(usleep(60000));
    setitimer(ITIMER_REAL, &once, 0);
    V("wait", waitpid(c, 0, 0) > 0);
    while (waitpid(-1, 0, 0) > 0);
  }
  o(" hits=%d", hits);
}
static int *word;
static void *sleeper(void *arg) {
  long r = syscall(SYS_futex, word, (long)arg, 0, 0, 0, -1);
  return (void *)(r == -1 ? (long)errno : r);
}
CHECK(futex_kinds) {
  int fd = shmfile(1);
  word = mmap(0, P, RW, AS, -1, 0);
  pid_t c = fork();
  if (c == 0) {
    *word = 0;
    _exit(syscall(SYS_futex, word, FUTEX_WAIT, 0, 0, 0, 0) == 0 ? 3 : 4);
  }
  while (syscall(SYS_futex, word, FUTEX_WAKE, 1, 0, 0, 0) != 1) usleep(1000);
  ended(c);
  c = fork();
  if (c == 0) {
    struct timespec ts = {0, 50000000};
    V("private-wait", syscall(SYS_futex, word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, &ts, 0, 0));
    _exit(0);
  }
  usleep(10000);
  V("private-wake", syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0));
  V("shared-wake", syscall(SYS_futex, word, FUTEX_WAKE, 1, 0, 0, 0));
  ended(c);
  int *a = mmap(0, P, RW, MAP_SHARED, fd, 0), *b = mmap(0, P, RW, MAP_SHARED, fd, 0);
  *a = 0;
  word = a;
  pthread_t t;
  void *result;
  pthread_create(&t, 0, sleeper, (void *)FUTEX_WAIT);
  while (syscall(SYS_futex, b, FUTEX_WAKE, 1, 0, 0, 0) != 1) usleep(1000);
  pthread_join(t, &result);
  o(" other-view:%ld", (long)result);
  int *priv = (int *)anon(1, RW);
  word = priv;
  pthread_create(&t, 0, sleeper, (void *)FUTEX_WAIT);
  usleep(20000);
  V("private-op", syscall(SYS_futex, priv, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0));
  while (syscall(SYS_futex, priv, FUTEX_WAKE, 1, 0, 0, 0) != 1) usleep(1000);
  pthread_join(t, &result);
  o(" private-map:%ld", (long)result);
  E("unal", syscall(SYS_futex, (char *)priv + 1, FUTEX_WAKE, 1, 0, 0, 0));
  E("bad", syscall(SYS_futex, 0, FUTEX_WAIT, 1, 0, 0, 0));
  E("badwake", syscall(SYS_futex, 0, FUTEX_WAKE, 1, 0, 0, 0));
  E("badwake-private", syscall(SYS_futex, 0, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0));
  E("again", syscall(SYS_futex, priv, FUTEX_WAIT, 1, 0, 0, 0));
  E("none", syscall(SYS_futex, anon(1, PROT_NONE), FUTEX_WAIT, 0, 0, 0, 0));
  int *ro = (int *)anon(1, PROT_READ);
  struct timespec ts = {0, 1000000};
  E("ro-wait", syscall(SYS_futex, ro, FUTEX_WAIT, 0, &ts, 0, 0));
  E("ro-wake", syscall(SYS_futex, ro, FUTEX_WAKE, 1, 0, 0, 0));
  E("ro-lockpi", syscall(SYS_futex, ro, FUTEX_LOCK_PI, 0, &ts, 0, 0));
  E("bitset0", syscall(SYS_futex, priv, FUTEX_WAIT_BITSET, 0, &ts, 0, 0));
  E("badop", syscall(SYS_futex, priv, 99, 0, 0, 0, 0));
  E("fd", syscall(SYS_futex, priv, 2, 0, 0, 0, 0));
  ts.tv_nsec = 2000000000;
  E("badtime", syscall(SYS_futex, priv, FUTEX_WAIT, 0, &ts, 0, 0));
  ts.tv_sec = -1, ts.tv_nsec = 0;
  E("negtime", syscall(SYS_futex, priv, FUTEX_WAIT, 0, &ts, 0, 0));
  V("requeue-neg", syscall(SYS_futex, priv, FUTEX_REQUEUE, -1, 1, priv + 1, 0));
  V("cmp-requeue", syscall(SYS_futex, priv, FUTEX_CMP_REQUEUE, 1, 1, priv + 1, 5));
}
CHECK(futex_unmap) {
  int fd = shmfile(1);
  int *a = mmap(0, P, RW, MAP_SHARED, fd, 0);
  *a = 0;
  word = a;
  pthread_t t;
  void *result;
  pthread_create(&t, 0, sleeper, (void *)FUTEX_WAIT);
  usleep(20000);
  munmap(a, P);
  int *b = mmap(0, P, RW, MAP_SHARED, fd, 0);
  V("wake-new-map", syscall(SYS_futex, b, FUTEX_WAKE, 1, 0, 0, 0));
  pthread_join(t, &result);
  o(" result:%ld", (long)result);
  int *m = (int *)anon(2, RW);
  word = m;
  pthread_create(&t, 0, sleeper, (void *)(FUTEX_WAIT | FUTEX_PRIVATE_FLAG));
  usleep(20000);
  int *moved = mremap(m, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, anon(1, RW));
  V("wake-moved", syscall(SYS_futex, moved, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0));
  V("wake-old", syscall(SYS_futex, m, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0));
  pthread_join(t, &result);
  o(" result:%ld", (long)result);
}
CHECK(robust_list) {
  struct { void *next; long offset; void *pending; } *head = mmap(0, P, RW, AS, -1, 0);
  struct { void *next; int pad; int lock; } *node = (void *)(head + 4);
  pid_t c = fork();
  if (c == 0) {
    E("badlen", syscall(SYS_set_robust_list, head, 8));
    head->next = node;
    head->offset = 12;
    head->pending = 0;
    node->next = head;
    node->lock = gettid() | FUTEX_WAITERS;
    E("set", syscall(SYS_set_robust_list, head, 24));
    _exit(0);
  }
  ended(c);
  o(" died:%d tid:%d waiters:%d", (node->lock & FUTEX_OWNER_DIED) != 0, (node->lock & FUTEX_TID_MASK) != 0, (node->lock & FUTEX_WAITERS) != 0);
  c = fork();
  if (c == 0) {
    head->next = head;
    head->pending = node;
    node->lock = gettid();
    syscall(SYS_set_robust_list, head, 24);
    kill(getpid(), SIGKILL);
  }
  ended(c);
  o(" pending:%d", (node->lock & FUTEX_OWNER_DIED) != 0);
  void *got;
  size_t len;
  E("get", syscall(SYS_get_robust_list, 0, &got, &len));
  o(" len=%zu", len);
  E("getbad", syscall(SYS_get_robust_list, 999999, &got, &len));
}
static int in_clone(void *arg) {
  *(int *)arg = 5;
  return 6;
}
CHECK(clone_flags) {
  static char stack[65536];
  int shared = 0;
  E("thread-novm", clone(in_clone, stack + sizeof stack, CLONE_THREAD, &shared));
  E("sighand-novm", clone(in_clone, stack + sizeof stack, CLONE_SIGHAND, &shared));
  E("thread-nosighand", clone(in_clone, stack + sizeof stack, CLONE_THREAD | CLONE_VM, &shared));
  E("fs-newns", clone(in_clone, stack + sizeof stack, CLONE_FS | CLONE_NEWNS, &shared));
  pid_t c = E("plain", clone(in_clone, stack + sizeof stack, SIGCHLD, &shared));
  ended(c);
  o(" shared=%d", shared);
  c = E("vm", clone(in_clone, stack + sizeof stack, CLONE_VM | SIGCHLD, &shared));
  ended(c);
  o(" shared=%d", shared);
  c = E("nosig", clone(in_clone, stack + sizeof stack, CLONE_VM, &shared));
  int status;
  V("wait", waitpid(c, &status, 0) == c);
  V("wclone", waitpid(c, &status, __WCLONE) == c);
  int tid = 1;
  c = syscall(SYS_clone, CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_PARENT_SETTID | SIGCHLD, 0, &tid, 0, &tid);
  if (c == 0) _exit(tid == gettid() ? 1 : 2);
  o(" parent-tid:%d", tid == c);
  ended(c);
  struct { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup; } a = {.exit_signal = SIGCHLD};
  c = syscall(435, &a, 64);
  if (c == 0) _exit(9);
  ended(c);
  E("c3-small", syscall(435, &a, 32));
  a.stack = 4096;
  E("c3-stack-nosize", syscall(435, &a, sizeof a));
  a.stack = 0, a.exit_signal = 100;
  E("c3-badsig", syscall(435, &a, sizeof a));
  a.exit_signal = SIGCHLD, a.flags = 1UL << 40;
  E("c3-badflag", syscall(435, &a, sizeof a));
}
CHECK(vfork_exec) {
  volatile int v = 1;
  pid_t c = vfork();
  if (c == 0) {
    v = 2;
    char *argv[] = {"none", 0};
    execve("/does/not/exist", argv, 0);
    _exit(errno == ENOENT ? 11 : 12);
  }
  o(" v=%d", v);
  ended(c);
  c = fork();
  if (c == 0) {
    char *argv[] = {"x", 0};
    E("dir", execve("/dev", argv, 0));
    E("noexec", execve("/proc/self/status", argv, 0));
    E("badptr", execve((void *)1, argv, 0));
    E("badargv", execve("/proc/self/exe", (void *)1, 0));
    E("empty", execve("", argv, 0));
    int m = memfd("script", 0, 0);
    write(m, "#!/does/not/exist\n", 18);
    char path[40];
    snprintf(path, 40, "/proc/self/fd/%d", m);
    E("script", execve(path, argv, 0));
    ftruncate(m, 0);
    E("emptyfile", execve(path, argv, 0));
    pwrite(m, "\177ELF", 4, 0);
    E("shortelf", execve(path, argv, 0));
    _exit(0);
  }
  ended(c);
}
static void *forker(void *arg) {
  char *p = arg;
  for (int i = 0; i < 10; i++) {
    pid_t c = fork();
    if (c == 0) {
      p[i * P] = 99;
      _exit(p[i * P] == 99 ? 0 : 1);
    }
    int status;
    waitpid(c, &status, 0);
    if (status) o(" bad");
    if (p[i * P] == 99) o(" leaked");
  }
  return 0;
}
CHECK(fork_in_threads) {
  char *p = anon(64, RW);
  memset(p, 1, 64 * P);
  pthread_t t[3];
  for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, forker, p + i * 16 * P);
  for (int i = 0; i < 200; i++) p[60 * P + i] = i;
  for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
  o(" done");
}

static const Check checks[] = {
#define C(name) {#name, name}
  C(riscv_codes), C(misaligned), C(restarted_instruction), C(kill_and_fault), C(alternate_stack), C(altstack_inside), C(nested_faults), C(change_context),
  C(stack_overflow), C(interrupted_calls), C(futex_kinds), C(futex_unmap), C(robust_list), C(clone_flags), C(vfork_exec), C(fork_in_threads), {0},
};
int main(int argc, char **argv) { return run_checks(checks, argc, argv); }
