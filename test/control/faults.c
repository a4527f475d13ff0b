// One function per row of the fault table (mm/fault.ts), each with one access that falls into it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#define ROW __attribute__((noinline))
typedef volatile char *place;
static sigjmp_buf back;
static void on_signal(int number) { siglongjmp(back, number); }
static char *anonymous(int prot, int pages) { return mmap(0, pages << 12, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

ROW void row1(place p) { *p = 1; }
ROW void row2(place p) { *p = 1; }
ROW char row3(place p) { return *p; }
ROW void row4(place p) { *p = 1; }
ROW char row5(place p) { return *p; }
ROW char row6(place p) { return *p; }
ROW void row7(place p) { *p = 1; }
ROW void row8(place p) { *p = 2; }
ROW void row8alone(place p) { *p = 3; }
ROW void row9(place p) { *p = 4; }
ROW char row10(place p) { return *p; }
ROW char row11(place p) { return *p; }
ROW void grow(void) {
  volatile char deep[300000];
  deep[0] = 1;
}

int main(void) {
  signal(SIGSEGV, on_signal);
  signal(SIGBUS, on_signal);
  if (sigsetjmp(back, 1) == 0) row1((place)0x5000000);
  char *readable = anonymous(PROT_READ, 1);
  if (sigsetjmp(back, 1) == 0) row2(readable);
  char *fresh = anonymous(PROT_READ | PROT_WRITE, 2);
  row3(fresh);
  row4(fresh + 4096 + 5);
  int fd = open("/data", O_RDWR);
  place whole = mmap(0, 5 << 12, PROT_READ, MAP_SHARED, fd, 0);
  row6(whole + 8192 + 7);
  place again = mmap(0, 5 << 12, PROT_READ, MAP_PRIVATE, fd, 0);
  row5(again + 8192);
  int cold = open("/cold", O_RDWR);
  place mine = mmap(0, 5 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE, cold, 0);
  row7(mine + 4096);
  place ours = mmap(0, 5 << 12, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  (void)ours[0];
  row9(ours);
  if (sigsetjmp(back, 1) == 0) row11(ours + (4 << 12));
  char *both = anonymous(PROT_READ | PROT_WRITE, 2);
  both[0] = both[4096] = 1;
  int pipe_ends[2];
  pipe(pipe_ends);
  if (fork() == 0) {
    char c;
    close(pipe_ends[1]);
    read(pipe_ends[0], &c, 1);
    _exit(0);
  }
  row8(both);
  close(pipe_ends[1]);
  wait(0);
  row8alone(both + 4096);
  char *out = anonymous(PROT_READ | PROT_WRITE, 1);
  out[0] = 9;
  madvise(out, 4096, MADV_PAGEOUT);
  char c = row10(out);
  grow();
  printf("%d\n", c);
  return 0;
}
