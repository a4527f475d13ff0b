// Corners: socket options, packet information, connected UDP, half-done transfers under signals, SIGIO, splices of sockets,
// shared-memory addresses, notification threads, names with unusual lengths.
#include "ipc.h"
#include <arpa/inet.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

static void onsig(int s) { (void)s; }

static void alarm_in(int ms) {
  struct itimerval it = {.it_value = {0, ms * 1000}};
  setitimer(ITIMER_REAL, &it, 0);
}

static int intopt(int s, int level, int name) {
  int v = -1;
  socklen_t l = sizeof v;
  return getsockopt(s, level, name, &v, &l) ? -errno : v;
}

static void options(void) {
  int u = socket(AF_UNIX, SOCK_STREAM, 0), t = socket(AF_INET, SOCK_STREAM, 0), d = socket(AF_INET, SOCK_DGRAM, 0);
  printf("sndbuf %d rcvbuf %d\n", intopt(u, SOL_SOCKET, SO_SNDBUF), intopt(u, SOL_SOCKET, SO_RCVBUF));
  int v = 10000;
  R("set", setsockopt(u, SOL_SOCKET, SO_SNDBUF, &v, sizeof v));
  printf("doubled %d\n", intopt(u, SOL_SOCKET, SO_SNDBUF));
  v = 1;
  R("tiny", setsockopt(u, SOL_SOCKET, SO_SNDBUF, &v, sizeof v));
  printf("least %d\n", intopt(u, SOL_SOCKET, SO_SNDBUF));
  R("short", setsockopt(u, SOL_SOCKET, SO_SNDBUF, &v, 2));
  R("unknown", setsockopt(u, SOL_SOCKET, 9999, &v, sizeof v));
  R("type", setsockopt(u, SOL_SOCKET, SO_TYPE, &v, sizeof v));
  printf("nodelay %d keepidle %d maxseg>0 %d\n", intopt(t, IPPROTO_TCP, TCP_NODELAY), intopt(t, IPPROTO_TCP, TCP_KEEPIDLE), intopt(t, IPPROTO_TCP, TCP_MAXSEG) > 0);
  R("keepidle", setsockopt(t, IPPROTO_TCP, TCP_KEEPIDLE, (v = 5, &v), sizeof v));
  printf("keepidle %d protocol %d\n", intopt(t, IPPROTO_TCP, TCP_KEEPIDLE), intopt(t, SOL_SOCKET, SO_PROTOCOL));
  R("tcp-on-udp", setsockopt(d, IPPROTO_TCP, TCP_NODELAY, &v, sizeof v));
  printf("ttl %d tos %d\n", intopt(t, IPPROTO_IP, IP_TTL), intopt(t, IPPROTO_IP, IP_TOS));
  struct linger lg = {1, 7}, got;
  socklen_t l = sizeof got;
  setsockopt(t, SOL_SOCKET, SO_LINGER, &lg, sizeof lg);
  getsockopt(t, SOL_SOCKET, SO_LINGER, &got, &l);
  printf("linger %d %d len %d\n", got.l_onoff, got.l_linger, (int)l);
  struct timeval tv = {3, 500000}, gtv;
  l = sizeof gtv;
  setsockopt(t, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  getsockopt(t, SOL_SOCKET, SO_RCVTIMEO, &gtv, &l);
  printf("timeo %ld %ld\n", (long)gtv.tv_sec, (long)gtv.tv_usec);
  tv.tv_usec = 2000000;
  printf("edom %d\n", setsockopt(t, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) == -1 && errno == EDOM);
  struct ucred c;
  l = sizeof c;
  getsockopt(u, SOL_SOCKET, SO_PEERCRED, &c, &l);
  printf("cred %d %d\n", c.pid, (int)c.uid);
  R("listen-udp", listen(d, 1));
  R("accept-udp", accept(d, 0, 0));
  R("shutdown", shutdown(t, 2));
  R("shutdown-bad", shutdown(t, 9));
  R("neg-len", bind(t, (void *)&lg, -1));
  R("short-addr", bind(t, (void *)&(struct sockaddr_in){.sin_family = AF_INET}, 5));
  R("wrong-family", bind(t, (void *)&(struct sockaddr_in){.sin_family = AF_UNIX}, sizeof(struct sockaddr_in)));
  R("foreign", bind(t, (void *)&(struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x01020304)}, sizeof(struct sockaddr_in)));
  R("recv-unconnected", recv(t, &v, 1, 0));
  signal(SIGPIPE, SIG_IGN);
  R("send-unconnected", send(t, &v, 1, 0));
  R("unix-recv-unconnected", recv(u, &v, 1, 0));
  R("unix-send-unconnected", send(u, &v, 1, 0));
  R("raw", socket(AF_INET, SOCK_RAW, 0));
  R("badtype", socket(AF_INET, 12, 0));
  R("badflags", socket(AF_INET, SOCK_STREAM | 0x100, 0));
  R("seq", socket(AF_INET, SOCK_SEQPACKET, 0));
  close(u); close(t); close(d);
}

static void udp(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)}, x;
  socklen_t l = sizeof a;
  char b[100], control[200];
  int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0), e = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
  bind(s, (void *)&a, sizeof a);
  getsockname(s, (void *)&a, &l);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(s, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  sendto(c, "info", 4, 0, (void *)&a, sizeof a);
  struct iovec v = {b, 100};
  struct msghdr m = {.msg_name = &x, .msg_namelen = sizeof x, .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  R("recvmsg", recvmsg(s, &m, 0));
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  struct in_pktinfo info;
  memcpy(&info, CMSG_DATA(h), sizeof info);
  printf("pktinfo level %d type %d if %d addr %x namelen %d\n", h->cmsg_level, h->cmsg_type, info.ipi_ifindex, ntohl(info.ipi_addr.s_addr), m.msg_namelen);
  // A connected socket hears its peer only.
  R("connect", connect(s, (void *)&x, sizeof x));
  sendto(e, "stranger", 8, 0, (void *)&a, sizeof a);
  sendto(c, "friend", 6, 0, (void *)&a, sizeof a);
  R("friend-only", recv(s, b, 100, MSG_DONTWAIT));
  R("no-more", recv(s, b, 100, MSG_DONTWAIT));
  R("empty-datagram", sendto(c, "", 0, 0, (void *)&a, sizeof a));
  R("recv-empty", recv(s, b, 100, MSG_DONTWAIT));
  R("connected-sendto", sendto(s, "back", 4, 0, 0, 0));
  R("got", recv(c, b, 100, MSG_DONTWAIT));
  a.sin_port = 0;
  R("port0", sendto(c, "x", 1, 0, (void *)&a, sizeof a));
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
  int y = socket(AF_INET6, SOCK_DGRAM, 0);
  setsockopt(y, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  R("v6only", bind(y, (void *)&six, sizeof six));
  R("v6only-late", setsockopt(y, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
  close(s); close(c); close(e); close(y);
}

static void signals(void) {
  int s[2];
  static char b[2000000];
  struct sigaction a = {.sa_handler = onsig};
  sigaction(SIGALRM, &a, 0);
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  alarm_in(20);
  long n = send(s[0], b, sizeof b, 0);
  printf("partial-send %d\n", n > 0 && n < (long)sizeof b);
  alarm_in(20);
  R("send-eintr", send(s[0], b, 100, 0));
  long total = 0, k;
  while (total < n && (k = recv(s[1], b, sizeof b, MSG_DONTWAIT)) > 0) total += k;
  printf("all %d\n", total == n);
  send(s[0], "abc", 3, 0);
  alarm_in(20);
  R("waitall-partial", recv(s[1], b, 10, MSG_WAITALL));
  alarm_in(20);
  R("recv-eintr", recv(s[1], b, 10, 0));
  a.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &a, 0);
  pid_t c = fork();
  if (c == 0) {
    msleep(60);
    send(s[0], "late", 4, 0);
    _exit(0);
  }
  alarm_in(20);
  R("recv-restarted", recv(s[1], b, 10, 0));
  waitpid(c, 0, 0);
  struct timeval tv = {1, 0};
  setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  alarm_in(20);
  R("timeo-not-restarted", recv(s[1], b, 10, 0));
  alarm_in(20);
  struct pollfd p = {s[1], POLLIN, 0};
  R("poll-eintr", poll(&p, 1, 1000));
  int e = epoll_create1(0);
  struct epoll_event ev;
  alarm_in(20);
  R("epoll-eintr", epoll_wait(e, &ev, 1, 1000));
  // sendmmsg and readv across several buffers.
  struct iovec v[3] = {{"one", 3}, {"", 0}, {"three", 5}};
  R("writev", writev(s[0], v, 3));
  char x[2], y[100];
  struct iovec r[2] = {{x, 2}, {y, 100}};
  R("readv", readv(s[1], r, 2));
  printf("%.2s|%.6s\n", x, y);
  close(s[0]); close(s[1]); close(e);
}

static volatile int sigios, sigband, sigfd;
static void onio(int s, siginfo_t *i, void *c) { (void)s; (void)c; sigios++; sigband = i->si_band; sigfd = i->si_code; }

static void async(void) {
  int s[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  struct sigaction a = {.sa_sigaction = onio, .sa_flags = SA_SIGINFO};
  sigaction(SIGIO, &a, 0);
  R("setown", fcntl(s[0], F_SETOWN, getpid()));
  R("getown", fcntl(s[0], F_GETOWN) == getpid());
  R("async", fcntl(s[0], F_SETFL, O_ASYNC));
  send(s[1], "x", 1, 0);
  printf("sigio %d\n", sigios > 0);
  int n = sigios;
  fcntl(s[0], F_SETFL, 0);
  send(s[1], "x", 1, 0);
  printf("quiet %d\n", sigios == n);
  close(s[0]); close(s[1]);
}

static void moving(void) {
  int s[2], p[2], f = open("ipc.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);
  char b[100];
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  pipe(p);
  write(f, "from the file", 13);
  off_t at = 5;
  R("sendfile", sendfile(s[0], f, &at, 100));
  R("recv", recv(s[1], b, 100, 0));
  printf("%.8s %ld\n", b, (long)at);
  send(s[0], "to the pipe", 11, 0);
  R("splice-in", splice(s[1], 0, p[1], 0, 100, 0));
  R("splice-out", splice(p[0], 0, s[1], 0, 6, 0));
  R("recv2", recv(s[0], b, 100, 0));
  R("rest", read(p[0], b, 100));
  R("espipe", splice(s[1], &at, p[1], 0, 10, 0));
  R("sendfile-pipe", sendfile(p[1], f, 0, 4));
  close(s[0]); close(s[1]); close(p[0]); close(p[1]); close(f);
  unlink("ipc.tmp");
}

static void shm(void) {
  long P = sysconf(_SC_PAGESIZE);
  int id = shmget(IPC_PRIVATE, 3 * P, 0600);
  char *a = mmap(0, 8 * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  R("nonexistent", (long)shmat(id + 1000, 0, 0));
  R("taken", (long)shmat(id, a, 0));
  printf("remap %d\n", shmat(id, a + P, SHM_REMAP) == a + P);
  a[P] = 1;
  a[3 * P] = 3;
  R("exec", (long)shmat(id, 0, SHM_EXEC) > 0);
  struct shmid_ds d;
  shmctl(id, IPC_STAT, &d);
  printf("nattch %d\n", (int)d.shm_nattch);
  munmap(a + 2 * P, P);
  shmctl(id, IPC_STAT, &d);
  printf("after hole %d\n", (int)d.shm_nattch);
  R("dt", shmdt(a + P));
  R("again", shmdt(a + P));
  shmctl(id, IPC_STAT, &d);
  printf("after dt %d\n", (int)d.shm_nattch);
  struct shminfo i;
  R("info", shmctl(0, IPC_INFO, (void *)&i) >= 0);
  printf("shmmni %d shmmin %d\n", (int)i.shmmni, (int)i.shmmin);
  R("lock", shmctl(id, SHM_LOCK, 0));
  shmctl(id, IPC_STAT, &d);
  printf("mode %o\n", d.shm_perm.mode);
  R("unlock", shmctl(id, SHM_UNLOCK, 0));
  R("bad", shmctl(id, 99, 0));
  shmctl(id, IPC_RMID, 0);
}

static int threads;
static void notified(union sigval v) { __atomic_store_n(&threads, v.sival_int, __ATOMIC_SEQ_CST); }

static void queues(void) {
  struct mq_attr at = {.mq_maxmsg = 2, .mq_msgsize = 16};
  mq_unlink("/ipc-more");
  mqd_t q = mq_open("/ipc-more", O_RDWR | O_CREAT, 0600, &at);
  struct sigevent e = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = notified, .sigev_value.sival_int = 17};
  R("notify-thread", mq_notify(q, &e));
  R("send", mq_send(q, "wake", 4, 0));
  for (int i = 0; i < 500 && !__atomic_load_n(&threads, __ATOMIC_SEQ_CST); i++) msleep(1);
  printf("thread %d\n", threads);
  char b[16];
  mq_receive(q, b, 16, 0);
  pid_t c = fork();
  if (c == 0) _exit(mq_receive(q, b, 16, 0));
  msleep(20);
  mq_send(q, "1234567", 7, 0);
  int st;
  waitpid(c, &st, 0);
  printf("child %d\n", WEXITSTATUS(st));
  R("slash", mq_open("/a/b", O_RDWR | O_CREAT, 0600, 0));
  R("empty", mq_open("/", O_RDWR | O_CREAT, 0600, 0));
  at.mq_maxmsg = 0;
  R("zero", mq_open("/ipc-more2", O_RDWR | O_CREAT, 0600, &at));
  mq_close(q);
  mq_unlink("/ipc-more");
  R("unlinked", mq_unlink("/ipc-more"));
}

static void names(void) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  int s = socket(AF_UNIX, SOCK_STREAM, 0), t = socket(AF_UNIX, SOCK_STREAM, 0);
  memset(a.sun_path, 'n', sizeof a.sun_path);
  R("full-path", bind(s, (void *)&a, sizeof a));
  listen(s, 1);
  R("connect-full", connect(t, (void *)&a, sizeof a));
  struct sockaddr_un g[2];
  socklen_t l = sizeof g;
  getsockname(s, (void *)g, &l);
  printf("len %d\n", (int)l);
  char path[200] = {0};
  memcpy(path, a.sun_path, sizeof a.sun_path);
  struct stat st;
  R("stat", stat(path, &st));
  printf("socket %d\n", S_ISSOCK(st.st_mode));
  R("open", open(path, O_RDWR));
  unlink(path);
  close(s); close(t);
  s = socket(AF_UNIX, SOCK_STREAM, 0);
  R("too-long", bind(s, (void *)&a, sizeof a + 1));
  R("no-dir", bind(s, (void *)&(struct sockaddr_un){AF_UNIX, "none/x"}, 30));
  close(open("ipc.file", O_CREAT | O_RDWR, 0600));
  R("on-file", bind(s, (void *)&(struct sockaddr_un){AF_UNIX, "ipc.file"}, 30));
  R("connect-file", connect(s, (void *)&(struct sockaddr_un){AF_UNIX, "ipc.file"}, 30));
  unlink("ipc.file");
  close(s);
}

static void timers(void) {
  int t = timerfd_create(CLOCK_MONOTONIC, 0), e = epoll_create1(0);
  struct itimerspec i = {.it_value = {0, 10000000}};
  struct epoll_event v = {.events = EPOLLIN | EPOLLET};
  epoll_ctl(e, EPOLL_CTL_ADD, t, &v);
  timerfd_settime(t, 0, &i, 0);
  R("timer-epoll", epoll_wait(e, &v, 1, 1000));
  R("timer-edge", epoll_wait(e, &v, 1, 30));
  timerfd_settime(t, 0, &i, 0);
  R("timer-again", epoll_wait(e, &v, 1, 1000));
  struct pollfd p = {t, POLLIN, 0};
  R("timer-poll", poll(&p, 1, 0));
  uint64_t n;
  R("timer-read", read(t, &n, 8));
  struct timespec d;
  clock_gettime(CLOCK_MONOTONIC, &d);
  d.tv_nsec += 20000000;
  if (d.tv_nsec >= 1000000000) { d.tv_nsec -= 1000000000; d.tv_sec++; }
  i.it_value = d;
  timerfd_settime(t, TFD_TIMER_ABSTIME, &i, 0);
  R("absolute", read(t, &n, 8));
  printf("n %d\n", (int)n);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  options();
  udp();
  signals();
  async();
  moving();
  shm();
  queues();
  names();
  timers();
  return 0;
}
