// Threads and futexes: pthreads, condition variables, robust and PI mutexes, thread-directed signals, exit of threads, exec from a thread.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *en(int e) {
  switch (e) {
    case 0: return "OK"; case EAGAIN: return "EAGAIN"; case ETIMEDOUT: return "ETIMEDOUT"; case EINVAL: return "EINVAL"; case EFAULT: return "EFAULT";
    case EDEADLK: return "EDEADLK"; case EOWNERDEAD: return "EOWNERDEAD"; case EBUSY: return "EBUSY"; case ENOTRECOVERABLE: return "ENOTRECOVERABLE";
    case EINTR: return "EINTR"; case ENOSYS: return "ENOSYS"; case EPERM: return "EPERM"; case ESRCH: return "ESRCH"; default: return strerror(e);
  }
}
static long fx(void *a, int op, int v, void *t, void *b, int v3) {
  long r = syscall(SYS_futex, a, op, v, t, b, v3);
  return r < 0 ? -errno : r;
}
static pthread_mutex_t mx = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cv = PTHREAD_COND_INITIALIZER;
static long counter;
static int turn;
static void *add(void *x) {
  for (int i = 0; i < 2000; i++) {
    pthread_mutex_lock(&mx);
    counter++;
    pthread_mutex_unlock(&mx);
  }
  return x;
}
static void *pingpong(void *x) {
  long me = (long)x;
  for (int i = 0; i < 500; i++) {
    pthread_mutex_lock(&mx);
    while (turn != me) pthread_cond_wait(&cv, &mx);
    turn = !me;
    pthread_cond_broadcast(&cv);
    pthread_mutex_unlock(&mx);
  }
  return 0;
}
static __thread int tls = 5;
static void *tlsf(void *x) { (void)x; tls++; return (void *)(long)tls; }
static int word;
static void *waiter(void *x) {
  long *r = x;
  *r = fx(&word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
  return 0;
}
static void *bitwaiter(void *x) {
  long *r = x;
  *r = fx(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, 0, 0, r[1]);
  return 0;
}
static volatile pid_t sigtid;
static void onusr(int s) { (void)s; sigtid = syscall(SYS_gettid); }
static void *pauser(void *x) { *(volatile pid_t *)x = syscall(SYS_gettid); while (!sigtid) usleep(1000); return 0; }
static pthread_mutex_t *shared;
static void *diehard(void *x) { pthread_mutex_lock(x); return 0; }
static void *execer(void *x) { char *a[] = {x, "--child", 0}; execv(x, a); return 0; }
static void *exiter(void *x) { (void)x; usleep(20000); _exit(33); }
static void *leaver(void *x) { (void)x; usleep(30000); exit(44); }
static sem_t sem;
static void *poster(void *x) { usleep(10000); sem_post(&sem); return x; }

static void robust(int pi) {
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
  pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
  if (pi) pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
  shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutex_init(shared, &a);
  pthread_t t;
  pthread_create(&t, 0, diehard, shared);
  pthread_join(t, 0);
  int r = pthread_mutex_lock(shared);
  printf("robust%s: thread died: %s", pi ? " pi" : "", en(r));
  printf(" consistent %s unlock %s", en(pthread_mutex_consistent(shared)), en(pthread_mutex_unlock(shared)));
  pid_t c = fork();
  if (!c) {
    pthread_mutex_lock(shared);
    usleep(30000);
    kill(getpid(), SIGKILL);
  }
  usleep(10000);
  r = pthread_mutex_lock(shared);
  printf(" process killed: %s\n", en(r));
  waitpid(c, 0, 0);
  pthread_mutex_unlock(shared);
  r = pthread_mutex_lock(shared);
  printf("not made consistent: %s\n", en(r));
}

int main(int argc, char **argv) {
  setvbuf(stdout, 0, _IOLBF, 0);
  if (argc > 1) {
    printf("  executed from a thread: leader=%d\n", getpid() == syscall(SYS_gettid));
    return 0;
  }
  pthread_t t[8];
  for (int i = 0; i < 8; i++) pthread_create(&t[i], 0, add, 0);
  for (int i = 0; i < 8; i++) pthread_join(t[i], 0);
  printf("counter %ld\n", counter);
  pthread_create(&t[0], 0, pingpong, (void *)0);
  pthread_create(&t[1], 0, pingpong, (void *)1);
  pthread_join(t[0], 0);
  pthread_join(t[1], 0);
  printf("ping-pong done, turn %d\n", turn);
  void *v;
  pthread_create(&t[0], 0, tlsf, 0);
  pthread_join(t[0], &v);
  printf("tls: thread %ld main %d\n", (long)v, tls);

  struct timespec ts = {0, 10000000};
  printf("wait other value: %s\n", en(-fx(&word, FUTEX_WAIT_PRIVATE, 1, 0, 0, 0)));
  printf("wait timeout: %s\n", en(-fx(&word, FUTEX_WAIT_PRIVATE, 0, &ts, 0, 0)));
  printf("misaligned: %s\n", en(-fx((char *)&word + 1, FUTEX_WAIT_PRIVATE, 0, &ts, 0, 0)));
  printf("unmapped: %s\n", en(-fx((void *)4096, FUTEX_WAIT, 0, &ts, 0, 0)));
  printf("bad op: %s\n", en(-fx(&word, 99, 0, &ts, 0, 0)));
  printf("bitset 0: %s\n", en(-fx(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, 0, 0, 0)));
  struct timespec bad = {0, 2000000000};
  printf("bad timeout: %s\n", en(-fx(&word, FUTEX_WAIT_PRIVATE, 0, &bad, 0, 0)));
  printf("wake nobody: %ld\n", fx(&word, FUTEX_WAKE_PRIVATE, 5, 0, 0, 0));
  long r[8][2];
  for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, waiter, r[i]);
  usleep(50000);
  int other = 0;
  printf("cmp_requeue wrong: %s\n", en(-fx(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &other, 9)));
  printf("cmp_requeue: %ld\n", fx(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &other, 0));
  printf("left on first: %ld\n", fx(&word, FUTEX_WAKE_PRIVATE, 9, 0, 0, 0));
  printf("moved to second: %ld\n", fx(&other, FUTEX_WAKE_PRIVATE, 9, 0, 0, 0));
  for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
  printf("results: %ld %ld %ld %ld\n", r[0][0], r[1][0], r[2][0], r[3][0]);
  for (int i = 0; i < 3; i++) {
    r[i][1] = 1 << i;
    pthread_create(&t[i], 0, bitwaiter, r[i]);
  }
  usleep(50000);
  printf("wake bits 6: %ld\n", fx(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, 0, 0, 6));
  printf("wake bits 1: %ld\n", fx(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, 0, 0, 1));
  for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
  pthread_create(&t[0], 0, waiter, r[0]);
  usleep(30000);
  other = 5;
  // other += 3, wake on other if it was > 4.
  printf("wake_op: %ld", fx(&other, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 0)));
  printf(" word %d\n", word);
  pthread_join(t[0], 0);
  word = 0;

  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
  pthread_mutex_t pi;
  pthread_mutex_init(&pi, &a);
  pthread_mutex_lock(&pi);
  printf("pi relock: %s\n", en(pthread_mutex_lock(&pi)));
  printf("pi unlock: %s\n", en(pthread_mutex_unlock(&pi)));
  pthread_mutex_t save = mx;
  pthread_mutexattr_settype(&a, PTHREAD_MUTEX_NORMAL);
  pthread_mutex_init(&mx, &a);
  counter = 0;
  for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, add, 0);
  for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
  printf("pi counter %ld\n", counter);
  mx = save;
  robust(0);
  robust(1);

  signal(SIGUSR1, onusr);
  volatile pid_t tid = 0;
  pthread_create(&t[0], 0, pauser, (void *)&tid);
  while (!tid) usleep(1000);
  pthread_kill(t[0], SIGUSR1);
  pthread_join(t[0], 0);
  printf("signal to the thread: %d\n", sigtid == tid);
  printf("tgkill nobody: %s\n", en(syscall(SYS_tgkill, getpid(), 999999, SIGUSR1) ? errno : 0));

  sem_init(&sem, 0, 0);
  pthread_create(&t[0], 0, poster, 0);
  printf("sem_wait: %d\n", sem_wait(&sem));
  pthread_join(t[0], 0);
  clock_gettime(CLOCK_REALTIME, &ts);
  ts.tv_nsec += 5000000;
  if (ts.tv_nsec >= 1000000000) ts.tv_sec++, ts.tv_nsec -= 1000000000;
  int rr = sem_timedwait(&sem, &ts);
  printf("sem_timedwait: %s\n", en(rr ? errno : 0));

  int st;
  fflush(stdout);
  pid_t c = fork();
  if (!c) {
    char self[256] = {0};
    readlink("/proc/self/exe", self, 255);
    pthread_create(&t[0], 0, execer, self);
    for (;;) pause();
  }
  waitpid(c, &st, 0);
  printf("exec in a thread: %d\n", WEXITSTATUS(st));
  c = fork();
  if (!c) {
    pthread_create(&t[0], 0, exiter, 0);
    for (;;) pause();
  }
  waitpid(c, &st, 0);
  printf("_exit in a thread: %d\n", WEXITSTATUS(st));
  c = fork();
  if (!c) {
    pthread_create(&t[0], 0, leaver, 0);
    pthread_exit(0);
  }
  waitpid(c, &st, 0);
  printf("leader left first: %d\n", WEXITSTATUS(st));
  return 0;
}
