/* A crowd of processes that live off everything the kernel hands out and are killed at any moment: memory of every kind, threads,
 * files, locks, pipes, sockets with descriptors in flight, pseudo-terminals, shared memory, timers, exec storms, fork bombs.
 *   crowd SEED ROUNDS WORKERS
 * The first process outlives the others, takes in orphans and waits for all. Each worker checks what it stored; the last line
 * counts the workers that found something wrong. Whoever looks at the kernel afterwards must find it as it was before. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned long state;
static unsigned below(unsigned bound) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (state >> 11) % bound;
}
static volatile sig_atomic_t signals;
static void count(int number) { signals++; }
static char folder[64];

static void wrong(const char *what) {
  char line[80];
  write(1, line, snprintf(line, sizeof line, "wrong: %s\n", what));
  _exit(9);
}

static int pages_hold(volatile unsigned *at, int pages, unsigned tag) {
  for (int i = 0; i < pages; i++)
    if (at[i * 1024] != tag + i || at[i * 1024 + 1023] != ~tag) return 0;
  return 1;
}
static void fill(volatile unsigned *at, int pages, unsigned tag) {
  for (int i = 0; i < pages; i++) at[i * 1024] = tag + i, at[i * 1024 + 1023] = ~tag;
}

static void wait_for(pid_t child, const char *what) {
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return;
  if (WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL : WEXITSTATUS(status) != 0) wrong(what);
}

static void copies(void) {
  int pages = 16 + below(200);
  unsigned tag = below(1 << 20);
  int shared = below(2) ? MAP_SHARED : MAP_PRIVATE;
  unsigned *m = mmap(0, pages * 4096, PROT_READ | PROT_WRITE, shared | MAP_ANONYMOUS, -1, 0);
  if (m == MAP_FAILED) return;
  fill(m, pages, tag);
  pid_t child = fork();
  if (child == 0) {
    if (!pages_hold(m, pages, tag)) wrong("a child's copy");
    if (shared == MAP_PRIVATE) fill(m, pages, tag + 7);
    if (below(3) == 0) fork(), _exit(0); /* an orphan, which ends */
    _exit(shared == MAP_PRIVATE ? !pages_hold(m, pages, tag + 7) : 0);
  }
  if (child > 0 && below(4) == 0) kill(child, SIGKILL);
  if (!pages_hold(m, pages, tag)) wrong("a parent's memory");
  if (child > 0) wait_for(child, "a child that copied");
  if (!pages_hold(m, pages, tag)) wrong("a parent's memory after its child");
  madvise(m, pages * 2048 & ~4095, MADV_DONTNEED);
  mprotect(m, 4096, PROT_READ);
  void *moved = mremap(m, pages * 4096, pages * 8192, MREMAP_MAYMOVE);
  munmap(moved == MAP_FAILED ? m : moved, pages * (moved == MAP_FAILED ? 4096 : 8192));
}

static void file(void) {
  char name[100];
  snprintf(name, sizeof name, "%s/f.%d", folder, getpid());
  int pages = 1 + below(40);
  unsigned tag = below(1 << 20);
  int fd = open(name, O_RDWR | O_CREAT, 0600);
  if (fd < 0) return;
  if (ftruncate(fd, pages * 4096) == 0) {
    unsigned *m = mmap(0, pages * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (m != MAP_FAILED) {
      fill(m, pages, tag);
      if (below(2)) unlink(name);
      unsigned got[1024];
      int page = below(pages);
      if (pread(fd, got, 4096, page * 4096) == 4096 && (got[0] != tag + page || got[1023] != ~tag)) wrong("a file");
      if (below(2)) msync(m, pages * 4096, MS_SYNC);
      if (!pages_hold(m, pages, tag)) wrong("a mapped file");
    }
  }
  if (below(3)) unlink(name);
  close(fd);
}

static void locks(void) {
  char name[100];
  snprintf(name, sizeof name, "%s/lock", folder);
  int fd = open(name, O_RDWR | O_CREAT, 0666);
  struct flock all = {.l_type = F_WRLCK, .l_start = below(4), .l_len = 2};
  if (below(2)) flock(fd, LOCK_EX);
  else fcntl(fd, below(2) ? F_SETLKW : F_OFD_SETLKW, &all); /* may be a deadlock: EDEADLK */
  sched_yield();
  close(fd);
}

static void pipes(void) {
  int ends[2];
  if (pipe(ends)) return;
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    char text[5000];
    memset(text, 'p', sizeof text);
    for (int i = 0; i < 30; i++)
      if (write(ends[1], text, sizeof text) < 0) break;
    _exit(0);
  }
  close(ends[1]);
  char text[3000];
  for (int i = below(60); i > 0; i--) {
    ssize_t got = read(ends[0], text, sizeof text);
    if (got <= 0) break;
    if (text[0] != 'p' || text[got - 1] != 'p') wrong("a pipe");
  }
  if (child > 0 && below(3) == 0) kill(child, SIGKILL);
  close(ends[0]);
  if (child > 0) wait_for(child, "a writer");
}

static void sockets(void) {
  int ends[2], more[2], i;
  if (socketpair(AF_UNIX, below(2) ? SOCK_STREAM : SOCK_SEQPACKET, 0, ends)) return;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, more)) return;
  for (i = 0; i < 3; i++) {
    char control[CMSG_SPACE(2 * sizeof(int))];
    struct iovec piece = {"x", 1};
    struct msghdr m = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(2 * sizeof(int));
    /* The pairs in one another: a circle once both are closed. */
    memcpy(CMSG_DATA(c), i % 2 ? ends : more, 2 * sizeof(int));
    sendmsg(i % 2 ? more[0] : ends[0], &m, MSG_DONTWAIT);
  }
  close(ends[0]), close(ends[1]), close(more[0]), close(more[1]);
}

static void terminals(void) {
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0) return;
  grantpt(master), unlockpt(master);
  int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
  char text[64];
  write(master, "line\n", 5);
  if (slave >= 0 && read(slave, text, sizeof text) != 5) wrong("a terminal");
  pid_t child = fork();
  if (child == 0) {
    setsid();
    open(ptsname(master), O_RDWR); /* its controlling terminal */
    close(master);
    for (;;) pause();
  }
  if (below(2)) close(master), master = -1;
  if (child > 0) kill(child, SIGKILL), wait_for(child, "on a terminal");
  close(master), close(slave);
}

static void shared(void) {
  int pages = 1 + below(30), id = shmget(IPC_PRIVATE, pages * 4096, 0600);
  unsigned *m = id < 0 ? (void *)-1 : shmat(id, 0, 0);
  if (id >= 0) shmctl(id, IPC_RMID, 0);
  if (m == (void *)-1) return;
  fill(m, pages, id);
  pid_t child = fork();
  if (child == 0) _exit(!pages_hold(m, pages, id));
  if (child > 0) wait_for(child, "shared memory");
  if (below(2)) shmdt(m);
  int memory = memfd_create("m", 0);
  if (memory >= 0 && ftruncate(memory, pages * 4096) == 0) {
    unsigned *n = mmap(0, pages * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (n != MAP_FAILED) fill(n, pages, 5);
    if (n != MAP_FAILED && !pages_hold(n, pages, 5)) wrong("a memory file");
  }
  close(memory);
}

static void timers(void) {
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  struct itimerspec soon = {{0, 300000}, {0, 200000 + below(1000000)}};
  struct itimerval real = {{0, 500}, {0, 500}};
  timer_t timer;
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0) timer_settime(timer, 0, &soon, 0);
  setitimer(ITIMER_REAL, &real, 0);
  int tfd = timerfd_create(CLOCK_MONOTONIC, 0), efd = eventfd(0, 0), poll = epoll_create1(0), watch = inotify_init();
  timerfd_settime(tfd, 0, &soon, 0);
  struct epoll_event on = {.events = EPOLLIN}, got;
  epoll_ctl(poll, EPOLL_CTL_ADD, tfd, &on), epoll_ctl(poll, EPOLL_CTL_ADD, efd, &on), epoll_ctl(poll, EPOLL_CTL_ADD, watch, &on);
  inotify_add_watch(watch, folder, IN_ALL_EVENTS);
  epoll_wait(poll, &got, 1, 3);
  if (below(2)) close(tfd), close(efd), close(watch), close(poll);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static void *thread(void *argument) {
  char *m = mmap(0, 20 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (m != MAP_FAILED) memset(m, 1, 20 * 4096);
  pthread_mutex_lock(&mutex);
  if (argument) pthread_cond_wait(&never, &mutex);
  pthread_mutex_unlock(&mutex);
  return 0;
}
static void threads(void) {
  pid_t child = fork();
  if (child == 0) {
    pthread_t them[4];
    int made = 0;
    for (long i = 0; i < 4; i++) made += pthread_create(&them[made], 0, thread, (void *)(i % 2)) == 0;
    sched_yield();
    switch (below(4)) {
    case 0: execl("/proc/self/exe", "crowd", "nothing", (char *)0); /* the others end */
    case 1: syscall(SYS_exit, 0); /* the leader alone: then nobody wakes the sleepers */
    case 2: kill(getpid(), SIGKILL);
    }
    _exit(0);
  }
  usleep(below(800));
  if (child > 0) kill(child, SIGKILL), wait_for(child, "threads");
}

static void executions(void) {
  for (int i = 0; i < 3; i++) {
    pid_t child = below(2) ? vfork() : fork();
    if (child == 0) {
      execl("/proc/self/exe", "crowd", "nothing", (char *)0);
      _exit(0);
    }
    if (child > 0 && below(4) == 0) kill(child, SIGKILL);
    if (child > 0) wait_for(child, "a program");
  }
}

static void bomb(void) {
  pid_t child = fork();
  if (child == 0) {
    struct rlimit few = {12, 12};
    setpgid(0, 0);
    setrlimit(RLIMIT_NPROC, &few);
    if (setresuid(30000 + getpid(), 30000 + getpid(), 30000 + getpid())) _exit(0);
    for (int i = 0; i < 6; i++) fork();
    usleep(below(500));
    _exit(0);
  }
  usleep(below(2000));
  if (child > 0) kill(-child, SIGKILL), kill(child, SIGKILL), wait_for(child, "a fork bomb");
}

static void hoard(void) {
  int pages = 200 + below(800);
  unsigned *m = mmap(0, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (m == MAP_FAILED) return;
  for (int round = 0; round < 3; round++) {
    fill(m, pages, round);
    sched_yield();
    if (!pages_hold(m, pages, round)) wrong("much memory");
  }
  munmap(m, pages * 4096);
}

static void (*const deeds[])(void) = {copies, file, locks, pipes, sockets, terminals, shared, timers, threads, executions, bomb, hoard, hoard};
#define DEEDS (sizeof deeds / sizeof *deeds)

static void work(unsigned long seed) {
  state = seed * 0x9e3779b97f4a7c15UL + 1;
  for (int i = 0; i < 3; i++) below(2);
  for (int i = 0; i < 5; i++) deeds[below(DEEDS)]();
  _exit(0);
}

static void clean(void) {
  DIR *all = opendir(folder);
  char name[400];
  for (struct dirent *e; (e = readdir(all));) snprintf(name, sizeof name, "%s/%s", folder, e->d_name), unlink(name);
  closedir(all);
  rmdir(folder);
}

int main(int argc, char **argv) {
  if (argc < 4) return 0;
  int seed = atoi(argv[1]), rounds = atoi(argv[2]), workers = atoi(argv[3]), bad = 0, killed = 0, ended = 0;
  int adjust = open("/proc/self/oom_score_adj", O_WRONLY);
  write(adjust, "-1000", 5), close(adjust);
  snprintf(folder, sizeof folder, "/tmp/crowd.%d", getpid());
  mkdir(folder, 0777);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  struct sigaction counting = {.sa_handler = count, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &counting, 0), sigaction(SIGALRM, &counting, 0);
  state = seed + 77;
  for (int round = 0; round < rounds; round++) {
    pid_t them[64];
    int made = 0;
    for (int i = 0; i < workers; i++) {
      them[made] = fork();
      if (them[made] == 0) {
        adjust = open("/proc/self/oom_score_adj", O_WRONLY);
        write(adjust, "0", 1), close(adjust);
        work(seed * 1000 + round * 100 + i);
      }
      if (them[made] > 0) made++;
    }
    for (int i = 0; i < made; i++) {
      usleep(below(4000));
      if (below(3) == 0) kill(them[below(made)], below(2) ? SIGUSR1 : SIGKILL);
    }
    /* Whoever waits for ever (a lock whose holder sleeps, threads without a leader) is ended. */
    for (int patience = 0;; ) {
      int status;
      pid_t one = waitpid(-1, &status, WNOHANG);
      if (one < 0) break;
      if (one == 0) {
        usleep(1000);
        if (++patience > 400)
          for (int i = 0; i < made; i++) kill(them[i], SIGKILL);
        continue;
      }
      for (int i = 0; i < made; i++)
        if (them[i] == one) {
          them[i] = them[--made], ended++;
          if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) killed++;
          else if (status != 0) bad++;
          break;
        }
    }
  }
  clean();
  /* Circles of sockets are found when a Unix socket ends, as on Linux: let one end. */
  int last[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, last) == 0) close(last[0]), close(last[1]);
  printf("%d workers, %d wrong\n", ended, bad);
  return bad != 0;
}
