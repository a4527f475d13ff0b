// Terminals: canonical input and its editing keys, echo, signals, raw mode, flow control, sizes, sessions, hang-up, packets.
#include "ipc.h"
#include <pty.h>
#include <termios.h>

static int m, s;

static void show(const char *name, int fd) {
  unsigned char b[1000];
  struct pollfd p = {fd, POLLIN, 0};
  printf("%s: \"", name);
  while (poll(&p, 1, 30) == 1 && (p.revents & POLLIN)) {
    int n = read(fd, b, sizeof b);
    if (n <= 0) {
      printf("<%s>", n == 0 ? "EOF" : ename(errno));
      break;
    }
    putbytes(b, n);
  }
  printf("\"\n");
}

static void type(const char *text) { write(m, text, strlen(text)); }

static void editing(void) {
  char b[100];
  type("hello\n");
  show("echo", m);
  show("line", s);
  type("ab\x7f" "c\n");
  show("erase-echo", m);
  show("erase", s);
  type("one two\x17three\n");
  show("werase-echo", m);
  show("werase", s);
  type("junk\x15ok\n");
  show("kill-echo", m);
  show("kill", s);
  type("a\tb\x7f\x7fz\n");
  show("tab-echo", m);
  show("tab", s);
  type("x\x16\x03y\n");
  show("lnext-echo", m);
  show("lnext", s);
  type("re\x12print\n");
  show("reprint-echo", m);
  show("reprint", s);
  type("ctl\x01\x7f\x02\n");
  show("ctl-echo", m);
  show("ctl", s);
  type("eof\x04");
  show("eof-line", s);
  type("\x04");
  R("eof", read(s, b, 10));
  type("partial");
  pollshow("partial", s, POLLIN);
  type("\n");
  R("short", read(s, b, 3));
  R("rest", read(s, b, 100));
  show("echo-rest", m);
  type("two\nlines\n");
  R("first", read(s, b, 100));
  int n;
  ioctl(s, FIONREAD, &n);
  printf("fionread=%d\n", n);
  R("second", read(s, b, 100));
  show("echo-rest", m);
  type("cr\r");
  show("icrnl", s);
  show("echo-rest", m);
  write(s, "out\nput\ttab", 11);
  show("onlcr", m);
}

static void modes(void) {
  struct termios t, raw;
  char b[100];
  tcgetattr(s, &t);
  printf("i=%x o=%x c=%x l=%x vmin=%d vtime=%d intr=%d\n", t.c_iflag, t.c_oflag, t.c_cflag & ~CBAUD, t.c_lflag, t.c_cc[VMIN], t.c_cc[VTIME], t.c_cc[VINTR]);
  raw = t;
  cfmakeraw(&raw);
  R("raw", tcsetattr(s, TCSANOW, &raw));
  type("a\x03\r\x7f");
  show("raw-in", s);
  show("raw-echo", m);
  write(s, "x\ny", 3);
  show("raw-out", m);
  raw.c_cc[VMIN] = 3;
  tcsetattr(s, TCSANOW, &raw);
  type("ab");
  pollshow("min3", s, POLLIN);
  fcntl(s, F_SETFL, O_NONBLOCK);
  type("c");
  R("min3-read", read(s, b, 100));
  R("raw-empty", read(s, b, 100));
  fcntl(s, F_SETFL, 0);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  tcsetattr(s, TCSANOW, &raw);
  R("poll-read", read(s, b, 100));
  raw.c_cc[VTIME] = 1;
  tcsetattr(s, TCSANOW, &raw);
  R("timed-read", read(s, b, 100));
  raw.c_cc[VMIN] = 5;
  tcsetattr(s, TCSANOW, &raw);
  type("xy");
  R("intertime", read(s, b, 100));
  type("flushed");
  R("flush", tcflush(s, TCIFLUSH));
  t.c_lflag &= ~ECHO;
  tcsetattr(s, TCSAFLUSH, &t);
  type("secret\n");
  show("noecho", m);
  show("noecho-in", s);
  t.c_lflag |= ECHO;
  tcsetattr(s, TCSANOW, &t);
  t.c_iflag |= IXON;
  tcsetattr(s, TCSANOW, &t);
  type("\x13");
  msleep(5);
  pid_t c = fork();
  if (c == 0) {
    write(s, "held", 4);
    _exit(0);
  }
  msleep(20);
  show("stopped", m);
  type("\x11");
  show("started", m);
  waitpid(c, 0, 0);
}

static void sizes(void) {
  struct winsize w = {24, 80, 1, 2}, g;
  R("swinsz", ioctl(m, TIOCSWINSZ, &w));
  R("gwinsz", ioctl(s, TIOCGWINSZ, &g));
  printf("%d %d %d %d\n", g.ws_row, g.ws_col, g.ws_xpixel, g.ws_ypixel);
  int n = -1;
  R("ptn", ioctl(m, TIOCGPTN, &n));
  printf("named=%d\n", n >= 0);
  R("pgrp-foreign", tcgetpgrp(s));
  R("isatty", isatty(s));
  R("isatty-m", isatty(m));
  int p[2];
  pipe(p);
  R("isatty-pipe", isatty(p[0]));
}

static volatile int got;
static void onsig(int n) { got = n; }

static void waitsig(int want) {
  for (int i = 0; i < 200 && got != want; i++) msleep(1);
}

static void jobs(void) {
  pid_t c = fork();
  if (c == 0) {
    close(m);
    setsid();
    R("ctty", ioctl(s, TIOCSCTTY, 0));
    R("pgrp", tcgetpgrp(s) == getpid());
    R("sid", tcgetsid(s) == getpid());
    int t = OK("dev-tty", open("/dev/tty", O_RDWR));
    struct sigaction a = {.sa_handler = onsig};
    sigaction(SIGINT, &a, 0);
    sigaction(SIGQUIT, &a, 0);
    sigaction(SIGTSTP, &a, 0);
    sigaction(SIGWINCH, &a, 0);
    sigaction(SIGTTOU, &a, 0);
    write(s, "ready", 5);
    waitsig(SIGINT);
    printf("int=%d\n", got == SIGINT);
    write(s, "1", 1);
    waitsig(SIGQUIT);
    printf("quit=%d\n", got == SIGQUIT);
    write(s, "2", 1);
    waitsig(SIGTSTP);
    printf("tstp=%d\n", got == SIGTSTP);
    write(s, "3", 1);
    waitsig(SIGWINCH);
    printf("winch=%d\n", got == SIGWINCH);
    // A background process: reading stops it, writing does not, changing settings does.
    pid_t d = fork();
    if (d == 0) {
      setpgid(0, 0);
      signal(SIGTTIN, SIG_DFL);
      signal(SIGTTOU, SIG_DFL);
      char x;
      write(t, "b", 1);
      read(t, &x, 1);
      _exit(x);
    }
    setpgid(d, d);
    int st;
    waitpid(d, &st, WUNTRACED);
    printf("ttin=%d\n", WIFSTOPPED(st) && WSTOPSIG(st) == SIGTTIN);
    R("fg", tcsetpgrp(s, d));
    kill(d, SIGCONT);
    write(1, "", 0);
    pid_t e = waitpid(d, &st, 0);
    printf("read-after-fg=%d\n", e == d && WIFEXITED(st) ? WEXITSTATUS(st) : -1);
    R("bg-set", tcsetpgrp(s, getpid()));
    printf("ttou=%d\n", got == SIGTTOU);
    signal(SIGTTOU, SIG_IGN);
    R("take-back", tcsetpgrp(s, getpid()));
    R("no-such-group", tcsetpgrp(s, 99999));
    sigaction(SIGHUP, &a, 0);
    write(s, "4", 1);
    waitsig(SIGHUP);
    printf("hup=%d\n", got == SIGHUP);
    char x;
    R("hung-read", read(s, &x, 1));
    R("hung-write", write(s, &x, 1));
    R("hung-tty", open("/dev/tty", O_RDWR));
    _exit(0);
  }
  close(s);
  char b[200];
  int n;
  struct winsize w = {50, 100, 0, 0};
  while ((n = read(m, b, sizeof b)) > 0) {
    if (strstr((b[n < 199 ? n : 199] = 0, b), "ready")) type("\x03");
    else if (memchr(b, '1', n)) type("\x1c");
    else if (memchr(b, '2', n)) type("\x1a");
    else if (memchr(b, '3', n)) ioctl(m, TIOCSWINSZ, &w);
    else if (memchr(b, 'b', n)) { msleep(30); type("Q\n"); }
    else if (memchr(b, '4', n)) break;
  }
  close(m);
  int st;
  waitpid(c, &st, 0);
  printf("leader=%d\n", WIFEXITED(st) ? WEXITSTATUS(st) : -WTERMSIG(st));
}

static void packet(void) {
  openpty(&m, &s, 0, 0, 0);
  int on = 1;
  R("pkt", ioctl(m, TIOCPKT, &on));
  write(s, "hi", 2);
  show("pkt-data", m);
  tcflush(s, TCIFLUSH);
  show("pkt-flush", m);
  tcflow(s, TCOOFF);
  show("pkt-stop", m);
  tcflow(s, TCOON);
  show("pkt-start", m);
  on = 0;
  ioctl(m, TIOCPKT, &on);
  close(s);
  pollshow("slave-closed", m, POLLIN);
  char x;
  R("eio", read(m, &x, 1));
  int p = posix_openpt(O_RDWR | O_NOCTTY);
  char *name = ptsname(p);
  R("locked", open(name, O_RDWR | O_NOCTTY));
  R("unlock", unlockpt(p));
  int q = OK("open", open(name, O_RDWR | O_NOCTTY));
  int r = OK("peer", ioctl(p, TIOCGPTPEER, O_RDWR | O_NOCTTY));
  printf("ttyname=%d\n", strcmp(ttyname(r), name));
  close(p);
  R("slave-eof", read(q, &x, 1));
  R("slave-eio", write(q, &x, 1));
  pollshow("slave-hup", q, POLLIN | POLLOUT);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  struct termios t;
  if (openpty(&m, &s, 0, 0, 0)) return perror("openpty"), 1;
  editing();
  modes();
  sizes();
  jobs();
  packet();
  return 0;
}
