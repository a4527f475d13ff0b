// Unix sockets: stream, datagram, seqpacket, names, backlog, passing files and credentials, shutdown, options, peeking.
#include "ipc.h"
#include <sys/socket.h>
#include <sys/un.h>

static socklen_t name(struct sockaddr_un *a, const char *n, int abstract) {
  memset(a, 0, sizeof *a);
  a->sun_family = AF_UNIX;
  strcpy(a->sun_path + abstract, n);
  return offsetof(struct sockaddr_un, sun_path) + abstract + strlen(n) + (abstract ? 0 : 1);
}

static void pairs(void) {
  int s[2];
  char b[300];
  R("pair", socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  R("send", send(s[0], "hello", 5, 0));
  R("send2", send(s[0], "world", 5, 0));
  R("peek", recv(s[1], b, 3, MSG_PEEK));
  R("recv", recv(s[1], b, 100, 0));
  printf("%.10s\n", b);
  R("dontwait", recv(s[1], b, 1, MSG_DONTWAIT));
  int v = 0;
  socklen_t l = sizeof v;
  getsockopt(s[0], SOL_SOCKET, SO_TYPE, &v, &l);
  printf("type=%d\n", v);
  getsockopt(s[0], SOL_SOCKET, SO_DOMAIN, &v, &l);
  printf("domain=%d\n", v);
  getsockopt(s[0], SOL_SOCKET, SO_ACCEPTCONN, &v, &l);
  printf("acceptconn=%d\n", v);
  struct ucred c;
  l = sizeof c;
  getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &c, &l);
  printf("peercred=%d %d\n", c.pid == getpid(), c.uid == getuid());
  pollshow("poll", s[0], POLLIN | POLLOUT);
  R("shut-wr", shutdown(s[0], SHUT_WR));
  pollshow("poll-after-shut", s[0], POLLIN | POLLOUT | POLLRDHUP);
  pollshow("peer-after-shut", s[1], POLLIN | POLLOUT | POLLRDHUP);
  R("eof", recv(s[1], b, 1, 0));
  R("send-shut", send(s[0], "x", 1, MSG_NOSIGNAL));
  R("back", send(s[1], "back", 4, 0));
  close(s[1]);
  R("recv-back", recv(s[0], b, 10, 0));
  R("recv-eof", recv(s[0], b, 10, 0));
  pollshow("closed-peer", s[0], POLLIN | POLLOUT | POLLRDHUP);
  close(s[0]);
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  send(s[0], "unread", 6, 0);
  close(s[1]);
  R("reset", recv(s[0], b, 10, 0));
  R("after-reset", recv(s[0], b, 10, 0));
  R("epipe", send(s[0], "x", 1, MSG_NOSIGNAL));
  close(s[0]);
  R("bad-family", socketpair(AF_INET, SOCK_STREAM, 0, s));
  R("bad-type", socketpair(AF_UNIX, 9, 0, s));
  R("bad-proto", socketpair(AF_UNIX, SOCK_STREAM, 7, s));
}

static void records(void) {
  int s[2];
  char b[300];
  R("seqpair", socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
  send(s[0], "first", 5, 0);
  send(s[0], "second!", 7, 0);
  struct iovec v = {b, 3};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  R("trunc", recvmsg(s[1], &m, 0));
  printf("flags=%x\n", m.msg_flags);
  R("recv", recv(s[1], b, 100, 0));
  close(s[0]);
  R("eof", recv(s[1], b, 100, 0));
  R("epipe", send(s[1], "x", 1, MSG_NOSIGNAL));
  close(s[1]);
  R("dgpair", socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
  send(s[0], "one", 3, 0);
  send(s[0], "", 0, 0);
  send(s[0], "three", 5, 0);
  R("len", recv(s[1], b, 1, MSG_TRUNC | MSG_PEEK));
  int n = 0;
  ioctl(s[1], FIONREAD, &n);
  printf("fionread=%d\n", n);
  R("d1", recv(s[1], b, 100, 0));
  R("d2", recv(s[1], b, 100, 0));
  R("d3", recv(s[1], b, 2, MSG_TRUNC));
  R("none", recv(s[1], b, 2, MSG_DONTWAIT));
  close(s[1]);
  R("gone", send(s[0], "x", 1, 0));
  close(s[0]);
}

static void named(const char *n, int abstract) {
  struct sockaddr_un a, got;
  char b[100];
  socklen_t l = name(&a, n, abstract), gl;
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  int c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  R("refused", connect(c, (void *)&a, l));
  R("listen-unbound", listen(s, 1));
  R("accept-not-listening", accept(s, 0, 0));
  R("bind", bind(s, (void *)&a, l));
  R("bind-again", bind(s, (void *)&a, l));
  int t = socket(AF_UNIX, SOCK_STREAM, 0);
  R("in-use", bind(t, (void *)&a, l));
  R("refused-no-listen", connect(c, (void *)&a, l));
  R("listen", listen(s, 1));
  gl = sizeof got;
  getsockname(s, (void *)&got, &gl);
  printf("name: %d %d\n", gl == l, memcmp(&got, &a, l));
  pollshow("idle-listener", s, POLLIN);
  R("connect", connect(c, (void *)&a, l));
  R("connect-again", connect(c, (void *)&a, l));
  pollshow("listener", s, POLLIN);
  gl = sizeof got;
  R("accept", accept(s, (void *)&got, &gl) > 0);
  printf("client-name-len=%d\n", (int)gl);
  int c2 = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), c3 = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int c4 = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  R("backlog1", connect(c2, (void *)&a, l));
  R("backlog2", connect(c3, (void *)&a, l));
  R("backlog3", connect(c4, (void *)&a, l));
  int d = socket(AF_UNIX, SOCK_DGRAM, 0);
  R("wrong-type", connect(d, (void *)&a, l));
  gl = sizeof got;
  R("peername", getpeername(c, (void *)&got, &gl));
  printf("peer: %d %d\n", gl == l, memcmp(&got, &a, l));
  R("not-connected", getpeername(s, (void *)&got, &gl));
  R("recv-listener", recv(s, b, 1, 0));
  close(s);
  R("pending-reset", recv(c2, b, 1, 0));
  if (!abstract) R("unlink", unlink(n));
  R("gone", connect(c4, (void *)&a, l));
  close(c); close(c2); close(c3); close(c4); close(t); close(d);
}

static void datagrams(void) {
  struct sockaddr_un a, b, got;
  char buf[100];
  socklen_t la = name(&a, "ipc-dg-a", 1), lb = name(&b, "ipc-dg-b", 1), gl = sizeof got;
  int s = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0), o = socket(AF_UNIX, SOCK_DGRAM, 0);
  bind(s, (void *)&a, la);
  bind(c, (void *)&b, lb);
  R("no-peer", send(c, "x", 1, 0));
  R("sendto", sendto(c, "hi", 2, 0, (void *)&a, la));
  R("recvfrom", recvfrom(s, buf, 100, 0, (void *)&got, &gl));
  printf("from: %d %d\n", gl == lb, memcmp(&got, &b, lb));
  R("anon", sendto(o, "an", 2, 0, (void *)&a, la));
  gl = sizeof got;
  R("recv-anon", recvfrom(s, buf, 100, 0, (void *)&got, &gl));
  printf("len=%d\n", (int)gl);
  R("connect", connect(s, (void *)&b, lb));
  R("stranger", sendto(o, "x", 1, 0, (void *)&a, la));
  R("friend", sendto(c, "x", 1, 0, (void *)&a, la));
  struct sockaddr u = {.sa_family = AF_UNSPEC};
  R("disconnect", connect(s, &u, sizeof u));
  R("stranger2", sendto(o, "x", 1, 0, (void *)&a, la));
  R("autobind", bind(o, (void *)&a, sizeof(sa_family_t)));
  gl = sizeof got;
  getsockname(o, (void *)&got, &gl);
  printf("auto: %d %d\n", (int)gl, got.sun_path[0]);
  close(s); close(c); close(o);
}

static int sendfds(int s, int *fds, int n, int data) {
  char control[CMSG_SPACE(sizeof(int) * 10)] = {0}, b = 'f';
  struct iovec v = {&b, data};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(sizeof(int) * n)};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int) * n);
  memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
  return sendmsg(s, &m, 0);
}

static int recvfds(int s, int *fds, int room, int flags, int *mflags) {
  char control[CMSG_SPACE(sizeof(int) * 10)] = {0}, b[10];
  struct iovec v = {b, 10};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room ? CMSG_SPACE(sizeof(int) * room) : 0};
  int r = recvmsg(s, &m, flags);
  *mflags = m.msg_flags;
  if (r < 0) return -1;
  int n = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
    if (c->cmsg_type == SCM_RIGHTS) {
      n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      memcpy(fds, CMSG_DATA(c), n * sizeof(int));
    }
  printf("recv=%d fds=%d\n", r, n);
  return n;
}

static void passing(void) {
  int s[2], p[2], f, got[10];
  char b[20];
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  pipe(p);
  write(s[0], "ab", 2);
  R("send-fd", sendfds(s[0], &p[0], 1, 1));
  write(s[0], "cd", 2);
  close(p[0]);
  write(p[1], "in flight", 9);
  int n = recvfds(s[1], got, 2, MSG_CMSG_CLOEXEC, &f);
  printf("flags=%d cloexec=%d\n", f & MSG_CTRUNC, fcntl(got[0], F_GETFD));
  if (n == 1) R("read-passed", read(got[0], b, 20));
  R("rest", read(s[1], b, 20));
  close(got[0]);
  int two[2] = {p[1], s[0]};
  sendfds(s[0], two, 2, 1);
  recvfds(s[1], got, 1, 0, &f);
  printf("ctrunc=%d\n", (f & MSG_CTRUNC) != 0);
  close(got[0]);
  sendfds(s[0], two, 2, 1);
  recvfds(s[1], got, 0, 0, &f);
  printf("ctrunc=%d\n", (f & MSG_CTRUNC) != 0);
  two[0] = 999;
  R("bad-fd", sendfds(s[0], two, 1, 1));
  // Dropped in flight: the pipe's write end closes with the socket.
  pipe(p);
  sendfds(s[0], &p[1], 1, 1);
  close(p[1]);
  close(s[0]);
  close(s[1]);
  R("eof-after-drop", read(p[0], b, 1));
  // A cycle: a socket inside its own peer's queue.
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  pipe(p);
  two[0] = s[1];
  two[1] = p[1];
  sendfds(s[0], two, 2, 1);
  close(p[1]);
  close(s[0]);
  close(s[1]);
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  close(s[0]);
  close(s[1]);
  msleep(50);
  R("eof-after-cycle", read(p[0], b, 1));
  // Peeked files are duplicates.
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  sendfds(s[0], &p[0], 1, 1);
  recvfds(s[1], got, 1, MSG_PEEK, &f);
  recvfds(s[1], got + 1, 1, 0, &f);
  printf("different=%d\n", got[0] != got[1]);
  close(s[0]);
  close(s[1]);
}

static void credentials(void) {
  int s[2], on = 1;
  socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
  setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  send(s[0], "x", 1, 0);
  char control[200], b[10];
  struct iovec v = {b, 10};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  recvmsg(s[1], &m, 0);
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  struct ucred u;
  memcpy(&u, CMSG_DATA(c), sizeof u);
  printf("cred type=%d len=%d pid=%d uid=%d\n", c->cmsg_type, (int)c->cmsg_len, u.pid == getpid(), u.uid == getuid());
  close(s[0]);
  close(s[1]);
}

static void blocking(void) {
  int s[2];
  char b[100000];
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  pid_t p = fork();
  if (p == 0) {
    close(s[0]);
    memset(b, 'q', sizeof b);
    long total = 0;
    for (int i = 0; i < 10; i++) total += write(s[1], b, sizeof b);
    _exit(total == 1000000);
  }
  close(s[1]);
  long total = 0, n;
  R("waitall", recv(s[0], b, 5000, MSG_WAITALL));
  while ((n = read(s[0], b, sizeof b)) > 0) total += n;
  int st;
  waitpid(p, &st, 0);
  printf("total=%ld child=%d\n", total, WEXITSTATUS(st));
  close(s[0]);
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  struct timeval tv = {0, 20000};
  setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  R("rcvtimeo", recv(s[0], b, 10, 0));
  close(s[0]);
  close(s[1]);
}

static void many(void) {
  int s[2];
  socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
  struct mmsghdr m[3] = {0};
  struct iovec v[3];
  char b[3][10];
  for (int i = 0; i < 3; i++) {
    v[i].iov_base = "message";
    v[i].iov_len = i + 1;
    m[i].msg_hdr.msg_iov = &v[i];
    m[i].msg_hdr.msg_iovlen = 1;
  }
  R("sendmmsg", sendmmsg(s[0], m, 3, 0));
  printf("%d %d %d\n", m[0].msg_len, m[1].msg_len, m[2].msg_len);
  for (int i = 0; i < 3; i++) {
    v[i].iov_base = b[i];
    v[i].iov_len = 10;
    m[i].msg_len = 0;
  }
  R("recvmmsg", recvmmsg(s[1], m, 2, 0, 0));
  printf("%d %d\n", m[0].msg_len, m[1].msg_len);
  R("recvmmsg-one", recvmmsg(s[1], m, 3, MSG_WAITFORONE, 0));
  R("recvmmsg-none", recvmmsg(s[1], m, 3, MSG_DONTWAIT, 0));
  close(s[0]);
  close(s[1]);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  signal(SIGPIPE, SIG_IGN);
  pairs();
  records();
  unlink("ipc.sock");
  named("ipc.sock", 0);
  named("ipc-abstract", 1);
  datagrams();
  passing();
  credentials();
  blocking();
  many();
  R("not-socket", listen(1, 1));
  return 0;
}
