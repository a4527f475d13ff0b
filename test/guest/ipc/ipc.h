// Shared by the ipc-*.c programs: each prints one line per observation; the lines are the same on every Linux. The tests run
// them natively, under qemu-riscv64 and on Faultline, and compare.
#ifndef IPC_H
#define IPC_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline const char *ename(int e) {
  static char other[16];
  switch (e) {
#define X(n) case n: return #n;
    X(EPERM) X(ENOENT) X(ESRCH) X(EINTR) X(EIO) X(ENXIO) X(E2BIG) X(EBADF) X(EAGAIN) X(ENOMEM) X(EACCES) X(EFAULT)
    X(EBUSY) X(EEXIST) X(ENODEV) X(ENOTDIR) X(EISDIR) X(EINVAL) X(EMFILE) X(ENOTTY) X(EFBIG) X(ENOSPC) X(ESPIPE)
    X(EPIPE) X(ERANGE) X(ELOOP) X(ENOMSG) X(EIDRM) X(ENOTSOCK) X(EDESTADDRREQ) X(EMSGSIZE) X(EPROTOTYPE)
    X(ENOPROTOOPT) X(EPROTONOSUPPORT) X(ESOCKTNOSUPPORT) X(EOPNOTSUPP) X(EAFNOSUPPORT) X(EADDRINUSE)
    X(EADDRNOTAVAIL) X(ENETUNREACH) X(ECONNRESET) X(EISCONN) X(ENOTCONN) X(ETIMEDOUT) X(ECONNREFUSED) X(EALREADY)
    X(EINPROGRESS) X(ECANCELED) X(ENAMETOOLONG) X(ENOSYS)
#undef X
  }
  snprintf(other, sizeof other, "E%d", e);
  return other;
}

// Prints name=result, or the error's name.
#define R(name, expression)                                                                          \
  ({                                                                                                 \
    errno = 0;                                                                                       \
    long r_ = (long)(expression);                                                                    \
    if (r_ == -1 && errno) printf("%s=%s\n", name, ename(errno));                                    \
    else printf("%s=%ld\n", name, r_);                                                               \
    r_;                                                                                              \
  })
// Prints name=OK for any result that is not an error.
#define OK(name, expression)                                                                         \
  ({                                                                                                 \
    errno = 0;                                                                                       \
    long r_ = (long)(expression);                                                                    \
    printf("%s=%s\n", name, r_ == -1 ? ename(errno) : "OK");                                         \
    r_;                                                                                              \
  })

static inline void pollshow(const char *name, int fd, short events) {
  struct pollfd p = {fd, events, 0};
  int n = poll(&p, 1, 0);
  printf("%s: n=%d revents=%x\n", name, n, p.revents);
}

// Prints bytes so that every one of them can be seen.
static inline void putbytes(const unsigned char *b, int n) {
  for (int i = 0; i < n; i++) {
    if (b[i] < 32 || b[i] > 126 || b[i] == '\\' || b[i] == '"') printf("\\x%02x", b[i]);
    else putchar(b[i]);
  }
}

static inline void msleep(int ms) {
  struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};
  nanosleep(&t, 0);
}
#endif
