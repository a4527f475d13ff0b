// TCP and UDP on the loopback interface, interface lists, and unreachable networks.
#include "ipc.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static struct sockaddr_in v4(const char *host, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, host, &a.sin_addr);
  return a;
}

static int portof(int s) {
  struct sockaddr_storage a;
  socklen_t l = sizeof a;
  getsockname(s, (void *)&a, &l);
  return ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port : ((struct sockaddr_in6 *)&a)->sin6_port);
}

static void tcp(void) {
  struct sockaddr_in a = v4("127.0.0.1", 0), got;
  socklen_t l = sizeof a;
  char b[100];
  int s = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
  R("bind", bind(s, (void *)&a, sizeof a));
  a.sin_port = htons(portof(s));
  R("refused", connect(c, (void *)&a, sizeof a));
  R("listen", listen(s, 5));
  int t = socket(AF_INET, SOCK_STREAM, 0);
  R("in-use", bind(t, (void *)&a, sizeof a));
  close(t);
  close(c);
  c = socket(AF_INET, SOCK_STREAM, 0);
  pollshow("unconnected", c, POLLIN | POLLOUT);
  R("connect", connect(c, (void *)&a, sizeof a));
  R("again", connect(c, (void *)&a, sizeof a));
  pollshow("listener", s, POLLIN);
  int d = accept(s, (void *)&got, &l);
  printf("peer=%s same-port=%d\n", inet_ntoa(got.sin_addr), ntohs(got.sin_port) == portof(c));
  R("send", send(c, "hello", 5, 0));
  R("recv", recv(d, b, 100, 0));
  pollshow("connected", c, POLLIN | POLLOUT);
  int one = 1;
  R("nodelay", setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
  R("reuse", setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
  R("shut", shutdown(c, SHUT_WR));
  R("eof", recv(d, b, 100, 0));
  pollshow("half", d, POLLIN | POLLOUT | POLLRDHUP);
  R("back", send(d, "back", 4, 0));
  R("recv-back", recv(c, b, 100, 0));
  close(d);
  R("eof2", recv(c, b, 100, 0));
  R("send-shut", send(c, "x", 1, MSG_NOSIGNAL));
  close(c);
  // A reset: closed with unread data.
  c = socket(AF_INET, SOCK_STREAM, 0);
  connect(c, (void *)&a, sizeof a);
  d = accept(s, 0, 0);
  send(c, "unread", 6, 0);
  msleep(10);
  close(d);
  msleep(10);
  R("reset", recv(c, b, 10, 0));
  close(c);
  // Writing to a closed peer.
  c = socket(AF_INET, SOCK_STREAM, 0);
  connect(c, (void *)&a, sizeof a);
  d = accept(s, 0, 0);
  close(d);
  msleep(10);
  R("write1", send(c, "x", 1, MSG_NOSIGNAL));
  msleep(10);
  R("write2", send(c, "x", 1, MSG_NOSIGNAL));
  close(c);
  // Non-blocking connect.
  c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  R("inprogress", connect(c, (void *)&a, sizeof a));
  struct pollfd p = {c, POLLOUT, 0};
  R("poll", poll(&p, 1, 1000));
  int e = -1;
  socklen_t el = sizeof e;
  getsockopt(c, SOL_SOCKET, SO_ERROR, &e, &el);
  printf("so-error=%d\n", e);
  R("second", connect(c, (void *)&a, sizeof a));
  R("third", connect(c, (void *)&a, sizeof a));
  close(s);
  close(c);
  c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  R("inprogress2", connect(c, (void *)&a, sizeof a));
  p.fd = c;
  R("poll2", poll(&p, 1, 1000));
  getsockopt(c, SOL_SOCKET, SO_ERROR, &e, &el);
  printf("so-error=%s\n", ename(e));
  close(c);
}

static void bulk(void) {
  struct sockaddr_in a = v4("127.0.0.1", 0);
  int s = socket(AF_INET, SOCK_STREAM, 0);
  bind(s, (void *)&a, sizeof a);
  listen(s, 5);
  a.sin_port = htons(portof(s));
  pid_t p = fork();
  if (p == 0) {
    int c = socket(AF_INET, SOCK_STREAM, 0);
    connect(c, (void *)&a, sizeof a);
    char *b = malloc(3000000);
    memset(b, 'b', 3000000);
    long n = send(c, b, 3000000, 0);
    _exit(n == 3000000);
  }
  int d = accept(s, 0, 0);
  long total = 0, n;
  static char b[65536];
  while ((n = recv(d, b, sizeof b, 0)) > 0) total += n;
  int st;
  waitpid(p, &st, 0);
  printf("bulk=%ld child=%d\n", total, WEXITSTATUS(st));
  close(d);
  close(s);
}

static void udp(void) {
  struct sockaddr_in a = v4("127.0.0.1", 0), got;
  socklen_t l = sizeof got;
  char b[100];
  int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
  R("ubind", bind(s, (void *)&a, sizeof a));
  a.sin_port = htons(portof(s));
  R("no-dest", send(c, "x", 1, 0));
  R("sendto", sendto(c, "dgram", 5, 0, (void *)&a, sizeof a));
  R("recvfrom", recvfrom(s, b, 3, MSG_TRUNC, (void *)&got, &l));
  printf("from=%s %d\n", inet_ntoa(got.sin_addr), ntohs(got.sin_port) == portof(c));
  R("uconnect", connect(c, (void *)&a, sizeof a));
  R("usend", send(c, "more", 4, 0));
  R("urecv", recv(s, b, 100, 0));
  R("reply", sendto(s, "re", 2, 0, (void *)&got, sizeof got));
  R("got", recv(c, b, 100, 0));
  R("big", send(c, b, 70000, 0));
  close(s);
  R("lost", send(c, "x", 1, 0));
  msleep(10);
  R("icmp", send(c, "x", 1, 0));
  close(c);
}

static void v6(void) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any}, got;
  socklen_t l = sizeof got;
  int s = socket(AF_INET6, SOCK_STREAM, 0);
  if (s < 0) return;
  R("v6bind", bind(s, (void *)&a, sizeof a));
  R("v6listen", listen(s, 3));
  struct sockaddr_in b = v4("127.0.0.1", portof(s));
  int c = socket(AF_INET, SOCK_STREAM, 0);
  R("v4-to-v6", connect(c, (void *)&b, sizeof b));
  int d = accept(s, (void *)&got, &l);
  char text[100];
  printf("mapped=%s\n", inet_ntop(AF_INET6, &got.sin6_addr, text, 100));
  close(c);
  close(d);
  a.sin6_addr = in6addr_loopback;
  a.sin6_port = htons(portof(s));
  c = socket(AF_INET6, SOCK_STREAM, 0);
  R("v6connect", connect(c, (void *)&a, sizeof a));
  l = sizeof got;
  d = accept(s, (void *)&got, &l);
  printf("peer=%s len=%d\n", inet_ntop(AF_INET6, &got.sin6_addr, text, 100), (int)l);
  close(c);
  close(d);
  close(s);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  signal(SIGPIPE, SIG_IGN);
  tcp();
  bulk();
  udp();
  v6();
  R("family", socket(77, SOCK_STREAM, 0));
  R("proto", socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
  struct ifaddrs *list, *i;
  int lo = 0;
  if (getifaddrs(&list) == 0)
    for (i = list; i; i = i->ifa_next)
      if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && !strcmp(i->ifa_name, "lo"))
        lo = ntohl(((struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr) == INADDR_LOOPBACK;
  printf("lo=%d index=%d\n", lo, if_nametoindex("lo"));
  return 0;
}
