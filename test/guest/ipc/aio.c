// Linux AIO: contexts, reads and writes, vectors, fsync, eventfd, and every refusal.
#include "ipc.h"
#include <linux/aio_abi.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static aio_context_t ctx;

static struct iocb request(int op, int fd, void *buf, size_t n, long long at) {
  struct iocb c;
  memset(&c, 0, sizeof c);
  c.aio_lio_opcode = op;
  c.aio_fildes = fd;
  c.aio_buf = (unsigned long)buf;
  c.aio_nbytes = n;
  c.aio_offset = at;
  c.aio_data = 7000 + op;
  return c;
}

static long submit(struct iocb *c) { return syscall(SYS_io_submit, ctx, 1L, &c); }

static long events(long least, long most, struct io_event *e, long long ns) {
  struct timespec t = {ns / 1000000000, ns % 1000000000};
  return syscall(SYS_io_getevents, ctx, least, most, e, ns < 0 ? 0 : &t);
}

static void one(const char *name, struct iocb *c) {
  struct io_event e;
  memset(&e, 0, sizeof e);
  R(name, submit(c));
  R("  event", events(1, 1, &e, -1));
  printf("  data %lld mine %d result %lld %lld\n", (long long)e.data, e.obj == (unsigned long)c, (long long)e.res, (long long)e.res2);
}

static void transfers(int f) {
  char b[100] = "", d[100] = "";
  struct iocb c = request(IOCB_CMD_PWRITE, f, "hello, world", 12, 0);
  one("pwrite", &c);
  c = request(IOCB_CMD_PREAD, f, b, 5, 7);
  one("pread", &c);
  puts(b);
  c = request(IOCB_CMD_PREAD, f, b, 50, 100);
  one("past the end", &c);
  struct iovec v[2] = {{b, 3}, {d, 50}};
  c = request(IOCB_CMD_PREADV, f, v, 2, 0);
  one("preadv", &c);
  printf("%.3s|%s\n", b, d);
  c = request(IOCB_CMD_PWRITEV, f, v, 1, 12);
  one("pwritev", &c);
  c = request(IOCB_CMD_FSYNC, f, 0, 0, 0);
  one("fsync", &c);
  c = request(IOCB_CMD_FDSYNC, f, 0, 0, 0);
  one("fdsync", &c);
  c = request(IOCB_CMD_PREAD, f, (void *)16, 5, 0);
  one("bad buffer", &c);
  int e = eventfd(0, EFD_NONBLOCK);
  c = request(IOCB_CMD_PREAD, f, b, 5, 0);
  c.aio_flags = IOCB_FLAG_RESFD;
  c.aio_resfd = e;
  one("eventfd", &c);
  unsigned long long count = 0;
  R("counter", read(e, &count, 8));
  printf("%llu\n", count);
  printf("position %ld\n", (long)lseek(f, 0, SEEK_CUR));
  printf("size %ld\n", (long)lseek(f, 0, SEEK_END));
}

static void many(int f) {
  struct iocb c[20], *p[20];
  struct io_event e[20];
  static char b[20][16];
  for (int i = 0; i < 20; i++) {
    c[i] = request(IOCB_CMD_PREAD, f, b[i], 1, i % 12);
    c[i].aio_data = i;
    p[i] = &c[i];
  }
  c[9].aio_fildes = 999;
  R("up to the bad one", syscall(SYS_io_submit, ctx, 20L, p));
  R("the bad one first", syscall(SYS_io_submit, ctx, 11L, p + 9));
  long n = events(4, 20, e, -1), sum = 0;
  while (n < 9) n += events(1, 20, e + n, -1);
  for (int i = 0; i < n; i++) sum += e[i].data * 100 + e[i].res;
  printf("%ld events, sum %ld\n", n, sum);
  R("none left", events(0, 5, e, -1));
  R("none within time", events(1, 5, e, 1000000));
  R("least above most", events(6, 5, e, 0));
  R("negative", events(-1, 5, e, 0));
}

static void refusals(int f) {
  char b[10];
  aio_context_t other = 0, used = 5;
  R("no events", syscall(SYS_io_setup, 0, &other));
  R("used already", syscall(SYS_io_setup, 5, &used));
  R("far too many", syscall(SYS_io_setup, 5000000, &other));
  R("no room for the number", syscall(SYS_io_setup, 5, (void *)8));
  struct iocb c = request(99, f, b, 5, 0);
  R("operation", submit(&c));
  c = request(IOCB_CMD_PREAD, f, b, 5, -1);
  R("negative offset", submit(&c));
  c = request(IOCB_CMD_PREAD, f, b, 5, 0);
  c.aio_reserved2 = 1;
  R("reserved", submit(&c));
  c = request(IOCB_CMD_PREAD, f, b, 5, 0);
  c.aio_flags = IOCB_FLAG_RESFD;
  c.aio_resfd = f;
  R("no eventfd", submit(&c));
  int w = open("aio.tmp", O_WRONLY);
  c = request(IOCB_CMD_PREAD, w, b, 5, 0);
  R("read of write-only", submit(&c));
  c = request(IOCB_CMD_PWRITE, f, b, 1, 0);
  struct iocb *none = 0, *p = &c;
  R("bad pointer", syscall(SYS_io_submit, ctx, 1L, &none));
  R("negative count", syscall(SYS_io_submit, ctx, -1L, &p));
  R("zero count", syscall(SYS_io_submit, ctx, 0L, &p));
  R("unknown context", syscall(SYS_io_submit, 12345L, 1L, &p));
  struct io_event e;
  R("cancel what is done", syscall(SYS_io_cancel, ctx, &c, &e));
  if (!fork()) {
    R("in a child", syscall(SYS_io_submit, ctx, 1L, &p));
    _exit(0);
  }
  wait(0);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  R("setup", syscall(SYS_io_setup, 64, &ctx));
  int f = open("aio.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);
  transfers(f);
  many(f);
  refusals(f);
  R("destroy", syscall(SYS_io_destroy, ctx));
  R("again", syscall(SYS_io_destroy, ctx));
  unlink("aio.tmp");
  return 0;
}
