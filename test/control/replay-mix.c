// A bit of everything whose state a replay must bring back: processes, threads, pipes, signals, timers, files and directories,
// shared and private mappings, more memory than there is; and standard input that arrives when it likes.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int ticks, children;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long total;

static void on_tick(int s) { ticks++; }
static void on_child(int s) { children++; }

static void *thread(void *arg) {
  long n = (long)arg;
  for (int i = 0; i < 40; i++) {
    char *p = mmap(0, 16 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, i, 16 << 12);
    pthread_mutex_lock(&mutex);
    total += p[n << 12];
    pthread_mutex_unlock(&mutex);
    if (i & 1) munmap(p, 16 << 12);
  }
  return 0;
}

static void files(int round) {
  char name[64], text[256];
  for (int i = 0; i < 12; i++) {
    snprintf(name, sizeof name, "/tmp/f%d", i);
    int fd = open(name, O_RDWR | O_CREAT | (round & 1 ? O_APPEND : O_TRUNC), 0600);
    int n = snprintf(text, sizeof text, "round %d file %d\n", round, i);
    for (int k = 0; k < 400; k++) write(fd, text, n);
    char *map = mmap(0, 8192, PROT_READ | PROT_WRITE, i & 1 ? MAP_SHARED : MAP_PRIVATE, fd, 0);
    map[round * 7 + 4096 * (i & 1)] = '!';
    munmap(map, 8192);
    close(fd);
  }
  unlink("/tmp/f3");
  rename("/tmp/f4", "/tmp/g4");
  DIR *dir = opendir("/tmp");
  int count = 0;
  for (struct dirent *e; (e = readdir(dir)) != 0;) count += e->d_ino != 0;
  closedir(dir);
  printf("round %d: %d names\n", round, count);
}

/* Code that changes: what was decoded or translated from it must go when its page is brought back. */
static long made(unsigned *code, int round) {
  code[0] = (unsigned)(round * 3 + 1) << 20 | 0x513; /* li a0, 3 * round + 1 */
  code[1] = 0x8067;                                  /* ret */
  __asm__ volatile("fence.i" ::: "memory");
  long sum = 0;
  for (int i = 0; i < 3000; i++) sum += ((long (*)(void))code)();
  return sum;
}

static int child(int round, int out) {
  char *big = mmap(0, 3 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 3 << 20; i += 4096) big[i] = round + (i >> 12);
  long sum = 0;
  for (int i = 0; i < 3 << 20; i += 4096) sum += (unsigned char)big[i];
  dprintf(out, "child %d sum %ld\n", round, sum);
  return round;
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  signal(SIGALRM, on_tick);
  signal(SIGCHLD, on_child);
  struct itimerval timer = {{0, 900000}, {0, 900000}};
  setitimer(ITIMER_REAL, &timer, 0);
  char *shared = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  char *mine = mmap(0, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  unsigned *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int round = 0; round < 6; round++) {
    int fds[2];
    pipe(fds);
    for (int i = 0; i < 4 << 20; i += 8192) mine[i] += round;
    pid_t pid = fork();
    if (pid == 0) {
      shared[round] = 'a' + round;
      _exit(child(round, fds[1]));
    }
    close(fds[1]);
    pthread_t threads[3];
    for (long i = 0; i < 3; i++) pthread_create(&threads[i], 0, thread, (void *)i);
    files(round);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
    char text[200];
    int n = 0, got;
    while ((got = read(fds[0], text + n, sizeof text - 1 - n)) != 0)
      if (got > 0) n += got;
    text[n] = 0;
    close(fds[0]);
    int status;
    while (waitpid(pid, &status, 0) < 0);
    printf("made %ld\n", made(code, round));
    printf("%sstatus %d total %ld shared %.6s\n", text, WEXITSTATUS(status), total, shared);
    struct pollfd ready = {0, POLLIN, 0};
    char line[100];
    if (poll(&ready, 1, 0) > 0 && (got = read(0, line, 99)) > 0) printf("input %.*s", got, line);
  }
  for (;;) {
    char line[100];
    int got = read(0, line, 99);
    if (got == 0) break;
    if (got > 0) printf("input %.*s", got, line);
  }
  printf("ticks %d children %d\n", ticks > 0, children);
  return 7;
}
