/* A bit of everything whose order could depend on the host: argv[1] processes of argv[2] threads each, that take locks, sleep,
 * are interrupted by timers, read files, draw random numbers and use more memory than there is. Prints what each saw. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGES 300

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile int ticks;
static int order[64], taken;

static void on_tick(int signal) { ticks++; }

static void *work(void *argument) {
  long me = (long)argument;
  unsigned char *p = mmap(0, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  unsigned char random[8];
  for (int round = 0; round < 2; round++) {
    getrandom(random, sizeof random, 0);
    for (int i = 0; i < PAGES; i++) p[i * 4096 + random[0]] += random[i & 7];
    struct timespec pause = {0, 100000 * (random[1] & 15)};
    nanosleep(&pause, 0);
    pthread_mutex_lock(&lock);
    order[taken++ & 63] = (int)me;
    pthread_mutex_unlock(&lock);
  }
  unsigned long sum = 0;
  for (int i = 0; i < PAGES * 4096; i += 64) sum = sum * 31 + p[i];
  return (void *)sum;
}

static int child(int number, int threads) {
  struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, 0);
  struct itimerval every = {{0, 300}, {0, 300}};
  setitimer(ITIMER_REAL, &every, 0);
  pthread_t ids[16];
  for (long i = 0; i < threads; i++) pthread_create(&ids[i], 0, work, (void *)i);
  unsigned long sum = 0;
  for (int i = 0; i < threads; i++) {
    void *result;
    pthread_join(ids[i], &result);
    sum = sum * 31 + (unsigned long)result;
  }
  int timer = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec in = {{0, 0}, {0, 500000}};
  timerfd_settime(timer, 0, &in, 0);
  unsigned long expirations;
  while (read(timer, &expirations, 8) != 8) {}
  char buffer[4096];
  int fd = open("/input", O_RDONLY);
  for (long got; (got = read(fd, buffer, sizeof buffer)) > 0;) sum += got;
  setitimer(ITIMER_REAL, &(struct itimerval){0}, 0);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  char text[400];
  int n = sprintf(text, "%d: sum %lx ticks %d at %ld.%09ld order", number, sum, ticks, now.tv_sec, now.tv_nsec);
  for (int i = 0; i < taken; i++) n += sprintf(text + n, " %d", order[i]);
  text[n++] = '\n';
  return write(1, text, n) != n;
}

int main(int argc, char **argv) {
  int processes = argc > 1 ? atoi(argv[1]) : 3, threads = argc > 2 ? atoi(argv[2]) : 4;
  for (int i = 0; i < processes; i++)
    if (fork() == 0) _exit(child(i, threads));
  for (int i = 0; i < processes; i++) {
    int status;
    int pid = wait(&status);
    printf("%d ended with %d\n", pid, status);
  }
  printf("done at %p\n", (void *)&argc);
  return 0;
}
