// Pipes and FIFOs: capacity, atomicity, end of file, SIGPIPE, packets, sizes, open rules, splice and tee.
#include "ipc.h"

static volatile int pipes;
static void onpipe(int s) { (void)s; pipes++; }

static void basics(void) {
  int p[2];
  char b[70000];
  memset(b, 'x', sizeof b);
  R("pipe", pipe(p));
  R("write", write(p[1], "hello", 5));
  int n = 0;
  ioctl(p[0], FIONREAD, &n);
  printf("fionread=%d\n", n);
  R("read2", read(p[0], b, 2));
  R("read", read(p[0], b, 100));
  R("size", fcntl(p[0], F_GETPIPE_SZ));
  fcntl(p[0], F_SETFL, O_NONBLOCK);
  fcntl(p[1], F_SETFL, O_NONBLOCK);
  R("empty", read(p[0], b, 1));
  R("zero", read(p[0], b, 0));
  R("fill", write(p[1], b, 70000));
  R("full", write(p[1], b, 1));
  pollshow("poll-full-w", p[1], POLLOUT);
  pollshow("poll-full-r", p[0], POLLIN);
  R("drain1", read(p[0], b, 1));
  R("still-full", write(p[1], b, 1));
  R("drain-page", read(p[0], b, 4095));
  R("room4096", write(p[1], b, 4096));
  R("full2", write(p[1], b, 4096));
  R("drainall", read(p[0], b, 70000));
  R("shrink", fcntl(p[1], F_SETPIPE_SZ, 4096));
  R("fill-small", write(p[1], b, 5000));
  R("busy-grow", fcntl(p[1], F_SETPIPE_SZ, 5000));
  R("after", fcntl(p[1], F_GETPIPE_SZ));
  R("atomic", write(p[1], b, 4096));
  R("atomic2", write(p[1], b, 1));
  R("shrink-busy", fcntl(p[1], F_SETPIPE_SZ, 4096));
  R("write-to-read-end", write(p[0], b, 1));
  R("read-from-write-end", read(p[1], b, 1));
  R("lseek", lseek(p[0], 0, SEEK_SET));
  R("fault", write(p[1], (void *)8, 10));
  close(p[0]);
  pollshow("no-reader", p[1], POLLOUT);
  signal(SIGPIPE, onpipe);
  R("epipe", write(p[1], b, 1));
  printf("sigpipe=%d\n", pipes);
  close(p[1]);
  R("pipe2-bad", pipe2(p, 0x40));
}

static void packets(void) {
  int p[2];
  char b[10000];
  memset(b, 'p', sizeof b);
  R("direct", pipe2(p, O_DIRECT));
  R("w1", write(p[1], "abc", 3));
  R("w2", write(p[1], "defg", 4));
  R("r1", read(p[0], b, 100));
  R("r2-short", read(p[0], b, 2));
  R("w3", write(p[1], b, 5000));
  R("r3", read(p[0], b, 10000));
  R("r4", read(p[0], b, 10000));
  close(p[1]);
  R("eof", read(p[0], b, 10));
  pollshow("hup", p[0], POLLIN);
  close(p[0]);
}

static void merging(void) {
  int p[2];
  char b[4096];
  pipe2(p, O_NONBLOCK);
  int n = 0;
  while (write(p[1], "z", 1) == 1) n++;
  printf("one-byte-writes=%d\n", n);
  close(p[0]);
  close(p[1]);
  pipe2(p, O_NONBLOCK);
  memset(b, 'm', sizeof b);
  n = 0;
  while (write(p[1], b, 3000) == 3000) n++;
  printf("3000-byte-writes=%d\n", n);
  close(p[0]);
  close(p[1]);
}

static void blocking(void) {
  int p[2], q[2];
  pipe(p);
  pipe(q);
  pid_t c = fork();
  if (c == 0) {
    char b[200000];
    memset(b, 'b', sizeof b);
    long r = write(p[1], b, sizeof b);
    write(q[1], &r, sizeof r);
    _exit(0);
  }
  close(p[1]);
  long total = 0, n;
  char b[3000];
  while ((n = read(p[0], b, sizeof b)) > 0) total += n;
  long r = 0;
  read(q[0], &r, sizeof r);
  printf("big-write=%ld read=%ld\n", r, total);
  waitpid(c, 0, 0);
  close(p[0]);
  close(q[0]);
  close(q[1]);
}

static void onalrm(int s) { (void)s; }

static void interrupted(void) {
  int p[2];
  char b[100000];
  memset(b, 'i', sizeof b);
  pipe(p);
  struct sigaction a = {.sa_handler = onalrm};
  sigaction(SIGALRM, &a, 0);
  struct timespec t = {0, 30000000};
  timer_t timer;
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
  timer_create(CLOCK_MONOTONIC, &e, &timer);
  struct itimerspec it = {.it_value = t};
  timer_settime(timer, 0, &it, 0);
  R("partial-write", write(p[1], b, 100000));
  timer_settime(timer, 0, &it, 0);
  R("eintr-write", write(p[1], b, 100));
  read(p[0], b, 65536);
  timer_settime(timer, 0, &it, 0);
  R("eintr-read", read(p[0], b, 100));
  timer_delete(timer);
  close(p[0]);
  close(p[1]);
}

static void fifos(void) {
  char b[100];
  unlink("ipc.fifo");
  R("mkfifo", mkfifo("ipc.fifo", 0600));
  R("wr-nonblock", open("ipc.fifo", O_WRONLY | O_NONBLOCK));
  int r = OK("rd-nonblock", open("ipc.fifo", O_RDONLY | O_NONBLOCK));
  pollshow("before-writer", r, POLLIN);
  R("read-no-writer", read(r, b, 10));
  int w = OK("wr", open("ipc.fifo", O_WRONLY));
  R("read-empty", read(r, b, 10));
  R("w", write(w, "fifo", 4));
  R("r", read(r, b, 10));
  close(w);
  pollshow("after-writer", r, POLLIN);
  close(r);
  pid_t c = fork();
  if (c == 0) {
    int f = open("ipc.fifo", O_WRONLY);
    write(f, "from child", 10);
    _exit(0);
  }
  int f = OK("rd-block", open("ipc.fifo", O_RDONLY));
  R("got", read(f, b, 100));
  R("eof", read(f, b, 100));
  waitpid(c, 0, 0);
  close(f);
  c = fork();
  if (c == 0) {
    msleep(20);
    int g = open("ipc.fifo", O_RDONLY);
    char z[20];
    int n = read(g, z, 20);
    _exit(n);
  }
  f = OK("wr-block", open("ipc.fifo", O_WRONLY));
  R("write", write(f, "xyz", 3));
  int s;
  waitpid(c, &s, 0);
  printf("child-read=%d\n", WEXITSTATUS(s));
  close(f);
  f = OK("rdwr", open("ipc.fifo", O_RDWR | O_NONBLOCK));
  R("rdwr-w", write(f, "12", 2));
  R("rdwr-r", read(f, b, 10));
  R("rdwr-empty", read(f, b, 10));
  close(f);
  unlink("ipc.fifo");
}

static void splices(void) {
  int p[2], q[2];
  char b[100];
  pipe(p);
  pipe(q);
  write(p[1], "splice me", 9);
  R("tee", tee(p[0], q[1], 100, 0));
  R("tee-read", read(q[0], b, 100));
  R("splice", splice(p[0], 0, q[1], 0, 6, 0));
  R("rest", read(p[0], b, 100));
  R("moved", read(q[0], b, 100));
  int f = open("ipc.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);
  write(f, "0123456789", 10);
  off_t at = 3;
  R("file-to-pipe", splice(f, &at, p[1], 0, 4, 0));
  printf("offset=%ld\n", (long)at);
  off_t to = 8;
  R("pipe-to-file", splice(p[0], 0, f, &to, 4, 0));
  R("pread", pread(f, b, 20, 0));
  printf("%.12s\n", b);
  R("no-pipe", splice(f, &at, f, &to, 1, 0));
  R("same-pipe", splice(p[0], 0, p[1], 0, 1, 0));
  R("nonblock", splice(p[0], 0, q[1], 0, 1, SPLICE_F_NONBLOCK));
  unlink("ipc.tmp");
  struct iovec { void *b; size_t n; } v = {"vm", 2};
  R("vmsplice", vmsplice(p[1], (void *)&v, 1, 0));
  R("vm-read", read(p[0], b, 10));
}

/* A pipe opened again through /proc/self/fd never waits for the other side: it may be gone for good. */
static void reopened(void) {
  int p[2];
  char b[10], name[40];
  pipe(p);
  write(p[1], "left", 4);
  close(p[1]);
  sprintf(name, "/proc/self/fd/%d", p[0]);
  int f = OK("reopen-rd", open(name, O_RDONLY));
  R("rd", read(f, b, 10));
  R("rd-eof", read(f, b, 10));
  int w = OK("reopen-wr", open(name, O_WRONLY));
  R("wr", write(w, "more", 4));
  R("rd-more", read(p[0], b, 10));
  close(f);
  close(p[0]);
  sprintf(name, "/proc/self/fd/%d", w);
  int v = OK("reopen-wr-alone", open(name, O_WRONLY));
  int n = OK("reopen-wr-nonblock", open(name, O_WRONLY | O_NONBLOCK));
  signal(SIGPIPE, SIG_IGN);
  R("wr-alone", write(v, "x", 1));
  f = OK("reopen-both", open(name, O_RDWR));
  R("wr-both", write(n, "yz", 2));
  R("rd-both", read(f, b, 10));
  struct stat st;
  fstat(f, &st);
  printf("mode %o\n", st.st_mode);
  R("accmode", fcntl(f, F_GETFL) & O_ACCMODE);
  close(f);
  close(v);
  close(n);
  close(w);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  basics();
  packets();
  merging();
  blocking();
  interrupted();
  fifos();
  splices();
  reopened();
  return 0;
}
