// Clocks, sleeping, interval timers, POSIX timers. Durations are only compared with bounds.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

static const char *en(int r) { return !r ? "OK" : errno == EINVAL ? "EINVAL" : errno == EFAULT ? "EFAULT" : errno == EOPNOTSUPP ? "EOPNOTSUPP" : errno == EPERM ? "EPERM" : strerror(errno); }
static volatile int count, code, value, overrun;
static timer_t timer;
static void on(int s, siginfo_t *si, void *u) { (void)s; (void)u; count++; code = si->si_code; value = si->si_value.sival_int; if (count == 1) overrun = si->si_overrun; }
static double now(int c) { struct timespec t; clock_gettime(c, &t); return t.tv_sec + t.tv_nsec / 1e9; }

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  struct timespec t, a, b;
  int ids[] = {0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 99, -1};
  for (unsigned i = 0; i < sizeof ids / sizeof *ids; i++) printf("clock %d: %s\n", ids[i], en(clock_gettime(ids[i], &t)));
  printf("bad pointer: %s\n", en(syscall(SYS_clock_gettime, 1, (void *)8)));
  clock_getres(CLOCK_MONOTONIC, &t);
  printf("resolution: %ld\n", t.tv_nsec);
  printf("realtime is now: %d\n", now(CLOCK_REALTIME) > 1.6e9);
  a.tv_sec = 0; a.tv_nsec = 30000000;
  double s = now(CLOCK_MONOTONIC);
  printf("nanosleep: %s", en(nanosleep(&a, 0)));
  double d = now(CLOCK_MONOTONIC) - s;
  printf(" long enough: %d\n", d >= 0.03 && d < 0.5);
  clock_gettime(CLOCK_MONOTONIC, &b);
  b.tv_nsec += 20000000;
  if (b.tv_nsec >= 1000000000) b.tv_sec++, b.tv_nsec -= 1000000000;
  s = now(CLOCK_MONOTONIC);
  printf("absolute: %d", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &b, 0));
  d = now(CLOCK_MONOTONIC) - s;
  printf(" %d\n", d > 0.01 && d < 0.5);
  printf("in the past: %d\n", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0));
  a.tv_nsec = 1000000000;
  printf("bad nanoseconds: %s\n", en(nanosleep(&a, 0)));
  a.tv_sec = -1; a.tv_nsec = 0;
  printf("negative: %s\n", en(nanosleep(&a, 0)));
  printf("thread cpu clock: %d\n", clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &b, 0) == EINVAL);

  struct sigaction sa = {0};
  sa.sa_sigaction = on;
  sa.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGALRM, &sa, 0);
  sigaction(SIGVTALRM, &sa, 0);
  sigaction(SIGPROF, &sa, 0);
  sigaction(SIGRTMIN, &sa, 0);
  struct itimerval it = {{0, 10000}, {0, 10000}}, o;
  setitimer(ITIMER_REAL, &it, 0);
  while (count < 3) pause();
  getitimer(ITIMER_REAL, &o);
  printf("interval timer: code kernel=%d interval=%ld left ok=%d\n", code == SI_KERNEL, (long)o.it_interval.tv_usec, o.it_value.tv_usec <= 10000 && o.it_value.tv_sec == 0);
  memset(&it, 0, sizeof it);
  setitimer(ITIMER_REAL, &it, &o);
  printf("alarm: %d", alarm(100));
  printf(" then %d\n", alarm(0));
  count = 0;
  it.it_value.tv_usec = 20000;
  setitimer(ITIMER_VIRTUAL, &it, 0);
  for (volatile long i = 0; !count && i < 2000000000; i++) ;
  printf("virtual timer: %d\n", count);
  count = 0;
  setitimer(ITIMER_PROF, &it, 0);
  for (volatile long i = 0; !count && i < 2000000000; i++) ;
  printf("profiling timer: %d\n", count);
  it.it_value.tv_usec = 1000000;
  printf("bad timeval: %s\n", en(setitimer(ITIMER_REAL, &it, 0)));

  struct sigevent ev = {0};
  ev.sigev_notify = SIGEV_SIGNAL;
  ev.sigev_signo = SIGRTMIN;
  ev.sigev_value.sival_int = 4711;
  printf("timer_create: %s\n", en(timer_create(CLOCK_MONOTONIC, &ev, &timer)));
  struct itimerspec its = {{0, 0}, {0, 10000000}}, io;
  count = 0;
  timer_settime(timer, 0, &its, 0);
  timer_gettime(timer, &io);
  printf("armed: %d\n", io.it_value.tv_nsec > 0);
  while (!count) usleep(1000);
  printf("expired: code=%d value=%d\n", code == SI_TIMER, value);
  timer_gettime(timer, &io);
  printf("disarmed: %ld %ld\n", (long)io.it_value.tv_sec, io.it_value.tv_nsec);
  sigset_t m;
  sigemptyset(&m);
  sigaddset(&m, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &m, 0);
  its.it_interval.tv_nsec = 2000000;
  its.it_value.tv_nsec = 2000000;
  count = overrun = 0;
  timer_settime(timer, 0, &its, 0);
  a.tv_sec = 0; a.tv_nsec = 41000000;
  nanosleep(&a, 0);
  sigprocmask(SIG_UNBLOCK, &m, 0);
  printf("overruns: delivered=%d counted=%d\n", count >= 1, overrun > 10);
  printf("delete: %s", en(timer_delete(timer)));
  printf(" again: %s\n", en(timer_delete(timer)));
  ev.sigev_signo = 99;
  printf("bad signal: %s\n", en(timer_create(CLOCK_MONOTONIC, &ev, &timer)));
  printf("bad clock: %s\n", en(timer_create(77, &ev, &timer)));
  ev.sigev_signo = SIGRTMIN;
  timer_create(CLOCK_PROCESS_CPUTIME_ID, &ev, &timer);
  memset(&its, 0, sizeof its);
  its.it_value.tv_nsec = 20000000;
  count = 0;
  timer_settime(timer, 0, &its, 0);
  for (volatile long i = 0; !count && i < 2000000000; i++) ;
  printf("cpu timer: %d\n", count);

  struct rusage ru;
  getrusage(RUSAGE_SELF, &ru);
  printf("cpu time seen: %d maxrss: %d minflt: %d\n", ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec > 20000, ru.ru_maxrss > 100, ru.ru_minflt > 0);
  struct tms tm;
  printf("times: %d %d\n", times(&tm) != (clock_t)-1, tm.tms_utime >= 2);
  struct timeval tv;
  printf("gettimeofday: %s\n", en(gettimeofday(&tv, 0)));
  return 0;
}
