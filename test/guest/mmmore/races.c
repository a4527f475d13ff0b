/* Faults that meet: threads on the same page, fork while another thread stores, signals in and between restarted instructions.
 * Prints facts only: no addresses, no times. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define RW (PROT_READ | PROT_WRITE)

static char *anon(long pages, int prot) { return mmap(0, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

/* Threads touch the same pages at once. */
#define THREADS 8
static char *area;
static pthread_barrier_t barrier;

static void *touch_all(void *argument) {
  long me = (long)argument;
  pthread_barrier_wait(&barrier);
  for (long page = 0; page < 128; page++) area[page * PAGE + me * 8] = (char)(me + page);
  return 0;
}

static void same_page(const char *name, int flags) {
  pthread_t ids[THREADS];
  area = mmap(0, 128 * PAGE, RW, flags | MAP_ANONYMOUS, -1, 0);
  pthread_barrier_init(&barrier, 0, THREADS);
  for (long i = 0; i < THREADS; i++) pthread_create(&ids[i], 0, touch_all, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(ids[i], 0);
  int lost = 0;
  for (long page = 0; page < 128; page++)
    for (long i = 0; i < THREADS; i++) lost += area[page * PAGE + i * 8] != (char)(i + page);
  printf("threads on the same %s pages: %d stores lost\n", name, lost);
  munmap(area, 128 * PAGE);
}

/* After fork both sides have pages to copy; threads of the parent store to them at once. */
static void same_copied_page(void) {
  pthread_t ids[THREADS];
  area = anon(128, RW);
  memset(area, 1, 128 * PAGE);
  int pipes[2];
  pipe(pipes);
  pid_t child = fork();
  if (child == 0) {
    char go;
    close(pipes[1]);
    read(pipes[0], &go, 1);
    int changed = 0;
    for (long i = 0; i < 128 * PAGE; i++) changed += area[i] != 1;
    _exit(changed != 0);
  }
  pthread_barrier_init(&barrier, 0, THREADS);
  for (long i = 0; i < THREADS; i++) pthread_create(&ids[i], 0, touch_all, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(ids[i], 0);
  close(pipes[1]);
  int status, lost = 0;
  waitpid(child, &status, 0);
  for (long page = 0; page < 128; page++)
    for (long i = 0; i < THREADS; i++) lost += area[page * PAGE + i * 8] != (char)(i + page);
  printf("threads on the same pages to be copied: %d stores lost, the child sees %s\n", lost, status ? "changes" : "none");
}

/* A thread counts in every page, in order; fork takes a snapshot that is a moment of it. */
static volatile int stop;
static volatile long *pages_of_counters;
#define COUNTERS 32

static void *count(void *argument) {
  for (long n = 1; !stop; n++)
    for (int page = 0; page < COUNTERS; page++) pages_of_counters[page * 512] = n;
  return 0;
}

static void fork_while_storing(void) {
  pthread_t id;
  pages_of_counters = (long *)anon(COUNTERS, RW);
  stop = 0;
  pthread_create(&id, 0, count, 0);
  int torn = 0, moved = 0, stood = 0;
  long last = 0;
  for (int round = 0; round < 40; round++) {
    pid_t child = fork();
    if (child == 0) {
      long first = pages_of_counters[0], bad = 0;
      for (int page = 1; page < COUNTERS; page++) {
        long here = pages_of_counters[page * 512], before = pages_of_counters[(page - 1) * 512];
        bad |= here > before || first - here > 1;
      }
      for (int i = 0; i < 20000; i++) bad |= (pages_of_counters[0] != first) * 2;
      _exit(bad);
    }
    int status;
    waitpid(child, &status, 0);
    torn += (WEXITSTATUS(status) & 1) != 0;
    moved += (WEXITSTATUS(status) & 2) != 0;
    stood += pages_of_counters[0] == last;
    last = pages_of_counters[0];
  }
  stop = 1;
  pthread_join(id, 0);
  printf("fork while a thread stores: %d torn snapshots, %d that went on, parent's thread %s\n", torn, moved, stood == 40 ? "stands" : "goes on");
}

/* A handler that makes the page accessible: the instruction runs again and completes, once. */
static volatile int faults, ticks;
static volatile int last_code;
static int repaired_prot = RW;

static void repair(int signal, siginfo_t *info, void *context) {
  faults++;
  last_code = info->si_code;
  mprotect((void *)((uintptr_t)info->si_addr & -PAGE), PAGE, repaired_prot);
}

static void on_tick(int signal) {
  ticks++;
  static char *scratch;
  if (!scratch) scratch = anon(64, RW);
  scratch[ticks % 64 * PAGE]++;
}

static void handle(int signal, void (*handler)(int, siginfo_t *, void *), int flags) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
  sigaction(signal, &action, 0);
}

static void restart_under_timer(void) {
  char *p = anon(256, PROT_NONE);
  handle(SIGSEGV, repair, 0);
  struct sigaction tick = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &tick, 0);
  struct itimerval every = {{0, 200}, {0, 200}};
  setitimer(ITIMER_REAL, &every, 0);
  faults = 0;
  long sum = 0;
  for (int round = 0; round < 3; round++)
    for (long i = 0; i < 256 * PAGE; i += 8) {
      *(volatile long *)(p + i) += i + round;
      sum += i + round;
    }
  setitimer(ITIMER_REAL, &(struct itimerval){0}, 0);
  long found = 0;
  for (long i = 0; i < 256 * PAGE; i += 8) found += *(long *)(p + i);
  printf("repaired by a handler under a timer: %d faults, code %d, sum %s, ticks %s\n", faults, last_code, found == sum ? "right" : "wrong", ticks > 0 ? "came" : "did not come");
}

static void once(void) {
  handle(SIGSEGV, repair, 0);
  char *p = anon(2, PROT_NONE);
  faults = 0;
  long old;
  __asm__ volatile("amoadd.d %0, %2, (%1)" : "=r"(old) : "r"(p), "r"(5L) : "memory");
  printf("amoadd: %d fault, old %ld, now %ld\n", faults, old, *(long *)p);
  p = anon(1, PROT_READ);
  faults = 0;
  __asm__ volatile("amoswap.d %0, %2, (%1)" : "=r"(old) : "r"(p), "r"(7L) : "memory");
  printf("amoswap on a read-only page: %d fault, old %ld, now %ld\n", faults, old, *(long *)p);
  p = anon(2, PROT_NONE);
  faults = 0;
  long failed;
  int tries = 0;
  do {
    tries++;
    __asm__ volatile("lr.d %0, (%2)\n addi %0, %0, 9\n sc.d %1, %0, (%2)" : "=&r"(old), "=&r"(failed) : "r"(p) : "memory");
  } while (failed && tries < 100);
  printf("lr and sc: %d fault, %ld, %s\n", faults, *(long *)p, tries < 100 ? "done" : "never");
  p = anon(3, RW);
  mprotect(p + PAGE, PAGE, PROT_NONE);
  mprotect(p + 2 * PAGE, PAGE, PROT_NONE);
  faults = 0;
  *(volatile uint64_t *)(p + PAGE - 3) = 0x1122334455667788UL;
  printf("a store across the end of a page: %d fault, %lx\n", faults, *(volatile uint64_t *)(p + PAGE - 3));
  p = anon(2, PROT_NONE);
  faults = 0;
  uint64_t loaded = *(volatile uint64_t *)(p + PAGE - 4);
  printf("a load across two closed pages: %d faults, %lx\n", faults, loaded);
  /* Code on a page that becomes executable only when it is run. */
  uint32_t code[] = {0x02a00513, 0x00008067}; /* li a0, 42; ret */
  p = anon(1, RW);
  memcpy(p, code, sizeof code);
  faults = 0;
  repaired_prot = PROT_READ | PROT_EXEC;
  int result = ((int (*)(void))p)();
  printf("a call into a closed page: %d fault, %d\n", faults, result);
  /* An instruction of four bytes that lies on two pages, the second of them closed. */
  p = anon(2, RW);
  memcpy(p + PAGE - 2, code, sizeof code);
  mprotect(p, PAGE, PROT_READ | PROT_EXEC);
  mprotect(p + PAGE, PAGE, PROT_NONE);
  faults = 0;
  result = ((int (*)(void))(p + PAGE - 2))();
  printf("an instruction across the end of a page: %d fault, %d\n", faults, result);
  repaired_prot = RW;
}

static sigjmp_buf back;
static volatile long fault_offset;
static char *watched;

static void jump(int signal, siginfo_t *info, void *context) {
  fault_offset = (char *)info->si_addr - watched;
  siglongjmp(back, signal);
}

static void leave_by_jump(void) {
  handle(SIGSEGV, jump, SA_ONSTACK);
  handle(SIGBUS, jump, SA_ONSTACK);
  stack_t alternate = {.ss_sp = malloc(65536), .ss_size = 65536};
  sigaltstack(&alternate, 0);
  watched = anon(4, PROT_NONE);
  int caught = 0;
  for (int i = 0; i < 1000; i++)
    if (sigsetjmp(back, 1) == 0) *(volatile char *)(watched + i) = 1;
    else caught += fault_offset == i;
  printf("left by siglongjmp: %d of 1000\n", caught);
  watched = anon(1, PROT_READ);
  long value = 0;
  int result = sigsetjmp(back, 1);
  if (result == 0) __asm__ volatile("amoadd.w %0, %1, (%2)" : "=r"(value) : "r"(1), "r"(watched) : "memory");
  printf("amoadd on a read-only page: signal %d\n", result);
  result = sigsetjmp(back, 1);
  if (result == 0) __asm__ volatile("amoadd.w %0, %1, (%2)" : "=r"(value) : "r"(1), "r"((char *)anon(1, RW) + 2) : "memory");
  printf("misaligned amoadd: signal %d\n", result);
}

/* Signals to threads that fault all the time. */
static void *fault_much(void *argument) {
  for (int i = 0; i < 30; i++) {
    char *p = anon(64, RW);
    for (int page = 0; page < 64; page++) p[page * PAGE] = 1;
    munmap(p, 64 * PAGE);
  }
  return 0;
}

static volatile int received;
static void on_user(int signal) { __atomic_add_fetch(&received, 1, __ATOMIC_SEQ_CST); }

static void signals_to_faulting_threads(void) {
  signal(SIGUSR1, on_user);
  pthread_t ids[4];
  for (int i = 0; i < 4; i++) pthread_create(&ids[i], 0, fault_much, 0);
  for (int i = 0; i < 200; i++) pthread_kill(ids[i % 4], SIGUSR1);
  for (int i = 0; i < 4; i++) pthread_join(ids[i], 0);
  printf("signals to threads that fault: %s\n", received > 0 && received <= 200 ? "some came" : "wrong");
}

/* munmap by one thread while another runs into the hole. */
static void *unmap_soon(void *argument) {
  usleep(1000);
  munmap(argument, PAGE);
  return 0;
}

static void unmapped_under_a_thread(void) {
  handle(SIGSEGV, jump, 0);
  watched = anon(1, RW);
  pthread_t id;
  int result = sigsetjmp(back, 1);
  if (result == 0) {
    pthread_create(&id, 0, unmap_soon, watched);
    for (;;) ++*(volatile long *)watched;
  }
  pthread_join(id, 0);
  printf("unmapped by another thread: signal %d at %ld\n", result, fault_offset);
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  same_page("private", MAP_PRIVATE);
  same_page("shared", MAP_SHARED);
  same_copied_page();
  fork_while_storing();
  restart_under_timer();
  once();
  leave_by_jump();
  signals_to_faulting_threads();
  unmapped_under_a_thread();
  return 0;
}
