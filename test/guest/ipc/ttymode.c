// Terminals: typing ahead over changes of mode, VMIN and VTIME, input and output flags, counters, background access, hang-up.
#include "ipc.h"
#include <pty.h>
#include <termios.h>
#include <sys/wait.h>

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
    if (fd == s) printf("[%d]", n);
    putbytes(b, n);
  }
  printf("\"\n");
}

static void type(const char *text) { write(m, text, strlen(text)); }

static void drain(void) {
  tcflush(s, TCIOFLUSH);
  struct pollfd p = {m, POLLIN, 0};
  char b[1000];
  while (poll(&p, 1, 10) == 1 && read(m, b, sizeof b) > 0);
}

static void set(unsigned i, unsigned o, unsigned l) {
  struct termios t;
  tcgetattr(s, &t);
  t.c_iflag = i;
  t.c_oflag = o;
  t.c_lflag = l;
  tcsetattr(s, TCSANOW, &t);
}

static void cc(int which, int value) {
  struct termios t;
  tcgetattr(s, &t);
  t.c_cc[which] = value;
  tcsetattr(s, TCSANOW, &t);
}

static int count(void) {
  int n = -1;
  ioctl(s, FIONREAD, &n);
  return n;
}

static void ahead(void) {
  set(0, 0, 0);
  type("raw\rmore\n");
  msleep(20);
  printf("raw-count=%d\n", count());
  set(ICRNL, OPOST | ONLCR, ICANON | ISIG);
  printf("canon-count=%d\n", count());
  show("raw-to-canon", s);
  type("one\ntwo\nthr");
  msleep(20);
  printf("canon-count=%d\n", count());
  set(0, 0, 0);
  printf("raw-count=%d\n", count());
  show("canon-to-raw", s);
  set(ICRNL, 0, ICANON);
  type("half");
  msleep(20);
  set(0, 0, 0);
  msleep(20);
  set(ICRNL, 0, ICANON);
  pollshow("half", s, POLLIN);
  type("way\n");
  show("halfway", s);
  struct termios t;
  type("lost\n");
  msleep(20);
  tcgetattr(s, &t);
  tcsetattr(s, TCSAFLUSH, &t);
  type("kept\n");
  show("flushed", s);
  drain();
}

static void timing(void) {
  char b[10];
  set(0, 0, 0);
  cc(VMIN, 0), cc(VTIME, 0);
  R("nothing", read(s, b, 10));
  cc(VTIME, 1);
  R("tenth", read(s, b, 10));
  cc(VMIN, 3), cc(VTIME, 0);
  type("ab");
  msleep(20);
  pollshow("two-of-three", s, POLLIN);
  type("c");
  R("three", read(s, b, 10));
  type("abc");
  R("asked-two", read(s, b, 2));
  cc(VMIN, 5), cc(VTIME, 1);
  R("between", read(s, b, 10));
  cc(VMIN, 1), cc(VTIME, 0);
  int flags = fcntl(s, F_GETFL);
  fcntl(s, F_SETFL, flags | O_NONBLOCK);
  R("again", read(s, b, 10));
  set(0, 0, ICANON);
  type("incomplete");
  R("again-line", read(s, b, 10));
  fcntl(s, F_SETFL, flags);
  drain();
}

static void input(void) {
  set(IGNCR, 0, ICANON);
  type("a\rb\n");
  show("igncr", s);
  set(INLCR, 0, ICANON);
  type("a\nb\r");
  show("inlcr-none", s);
  type("\n");
  msleep(20);
  cc(VEOL, '\r');
  type("c\r");
  show("veol", s);
  cc(VEOL, 0);
  drain();
  set(ISTRIP, 0, 0);
  type("\xe1\xff");
  show("istrip", s);
  set(PARMRK, 0, 0);
  type("\xff");
  show("parmrk", s);
  set(0, 0, ICANON | ECHO | ECHOE);
  type("\xc3\xa9\x7f\n");
  show("byte-erase", s);
  set(IUTF8, 0, ICANON | ECHO | ECHOE);
  type("x\xc3\xa9\x7f\n");
  show("utf8-erase", s);
  drain();
  set(0, 0, ICANON | ECHONL);
  type("quiet\n");
  show("echonl", m);
  drain();
  set(0, 0, ICANON | ECHO | ECHOK);
  type("gone\x15");
  show("echok", m);
  drain();
  set(0, 0, ICANON | ECHO | ECHOE | ECHOK | ECHOKE | ECHOCTL);
  type("gone\x15");
  show("echoke", m);
  type("\x1b[A\x04");
  show("echoctl", m);
  drain();
  set(0, 0, ICANON | ECHO | ECHOPRT | ECHOE | IEXTEN);
  type("abc\x7f\x7f" "d\n");
  show("echoprt", m);
  drain();
  set(IXON | IXANY, 0, ICANON | ECHO);
  type("\x13");
  msleep(20);
  int flags = fcntl(s, F_GETFL);
  fcntl(s, F_SETFL, flags | O_NONBLOCK);
  R("held-write", write(s, "held", 4));
  fcntl(s, F_SETFL, flags);
  show("held", m);
  type("x");
  show("ixany", m);
  drain();
  set(IXON, 0, 0);
  type("a\x13" "b\x11" "c");
  show("ixon-eaten", s);
  set(0, 0, 0);
  type("a\x13" "b\x11" "c");
  show("ixoff-kept", s);
  drain();
}

static void output(void) {
  set(0, OPOST | ONLCR, 0);
  write(s, "a\nb", 3);
  show("onlcr", m);
  set(0, OPOST | OCRNL, 0);
  write(s, "a\rb", 3);
  show("ocrnl", m);
  set(0, OPOST | ONOCR, 0);
  write(s, "\r\ra\rb\r\r", 7);
  show("onocr", m);
  set(0, OPOST | ONLRET | ONLCR, 0);
  write(s, "a\nb", 3);
  show("onlret", m);
  set(0, OPOST | OLCUC, 0);
  write(s, "abc", 3);
  show("olcuc", m);
  set(0, OPOST | XTABS, 0);
  write(s, "a\tbcdefgh\ti\r\tj\b\b\tk", 18);
  show("xtabs", m);
  set(0, 0, 0);
  write(s, "a\tb\nc\r", 6);
  show("raw", m);
  int n = -1;
  write(s, "wait", 4);
  R("outq", ioctl(s, TIOCOUTQ, &n));
  msleep(20);
  n = -1;
  R("master-inq", ioctl(m, FIONREAD, &n));
  printf("n=%d\n", n);
  drain();
  set(0, 0, ICANON);
  char c = 'z';
  R("sti", ioctl(s, TIOCSTI, &c));
  c = '\n';
  ioctl(s, TIOCSTI, &c);
  show("sti", s);
}

// In a session of its own on the terminal: what its background may do.
static int background(void) {
  char b[10];
  setsid();
  R("ctty", ioctl(s, TIOCSCTTY, 0));
  set(ICRNL, 0, ICANON);
  int st, c = fork();
  if (c == 0) {
    setpgid(0, 0);
    R("write", write(s, "w", 1));
    set(ICRNL, 0, ICANON | TOSTOP);
    puts("not reached");
    _exit(0);
  }
  waitpid(c, &st, WUNTRACED);
  printf("settings: stopped=%d by %d\n", WIFSTOPPED(st), WSTOPSIG(st));
  tcsetpgrp(s, c);
  R("not-ours", tcgetpgrp(s) == c);
  signal(SIGTTOU, SIG_IGN);
  tcsetpgrp(s, getpgrp());
  set(ICRNL, 0, ICANON | TOSTOP);
  kill(c, SIGKILL);
  waitpid(c, &st, 0);
  c = fork();
  if (c == 0) {
    setpgid(0, 0);
    R("ignored", write(s, "i", 1));
    signal(SIGTTOU, SIG_DFL);
    R("tostop", write(s, "t", 1));
    _exit(0);
  }
  waitpid(c, &st, WUNTRACED);
  printf("tostop: stopped=%d by %d\n", WIFSTOPPED(st), WSTOPSIG(st));
  kill(c, SIGKILL);
  waitpid(c, &st, 0);
  c = fork();
  if (c == 0) {
    setpgid(0, 0);
    signal(SIGTTIN, SIG_IGN);
    R("ttin-ignored", read(s, b, 10));
    signal(SIGTTIN, SIG_DFL);
    read(s, b, 10);
    _exit(0);
  }
  waitpid(c, &st, WUNTRACED);
  printf("ttin: stopped=%d by %d\n", WIFSTOPPED(st), WSTOPSIG(st));
  kill(c, SIGKILL);
  waitpid(c, &st, 0);
  // An orphaned group cannot be continued by anybody: EIO instead of a stop.
  int p[2];
  pipe(p);
  c = fork();
  if (c == 0) {
    if (fork() == 0) {
      setpgid(0, 0);
      msleep(50);
      R("orphan", read(s, b, 10));
      write(p[1], "x", 1);
      _exit(0);
    }
    _exit(0);
  }
  waitpid(c, &st, 0);
  close(p[1]);
  read(p[0], b, 1);
  // The foreground hears of the leader's end.
  c = fork();
  if (c == 0) {
    setpgid(0, 0);
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(s, getpgrp());
    sigset_t hup;
    sigemptyset(&hup);
    sigaddset(&hup, SIGHUP);
    sigaddset(&hup, SIGCONT);
    sigprocmask(SIG_BLOCK, &hup, 0);
    struct timespec patience = {1, 0};
    printf("leader-gone: %d", sigtimedwait(&hup, 0, &patience));
    patience.tv_sec = 0;
    printf(" %d\n", sigtimedwait(&hup, 0, &patience));
    _exit(0);
  }
  msleep(50);
  return 7;
}

// The window is closed: its session's leader hears of it at once, the foreground when the leader ends.
static void closing(void) {
  int c, st;
  openpty(&m, &s, 0, 0, 0);
  if ((c = fork()) == 0) {
    sigset_t hup;
    sigemptyset(&hup);
    sigaddset(&hup, SIGHUP);
    sigaddset(&hup, SIGCONT);
    sigprocmask(SIG_BLOCK, &hup, 0);
    close(m);
    setsid();
    ioctl(s, TIOCSCTTY, 0);
    struct timespec patience = {1, 0}, brief = {0, 200000000}, none = {0, 0};
    if (fork() == 0) {
      setpgid(0, 0);
      signal(SIGTTOU, SIG_IGN);
      tcsetpgrp(s, getpgrp());
      printf("foreground-closed: %d\n", sigtimedwait(&hup, 0, &brief));
      printf("foreground-leader-gone: %d", sigtimedwait(&hup, 0, &patience));
      printf(" %d\n", sigtimedwait(&hup, 0, &none));
      char b;
      R("dead-read", read(s, &b, 1));
      R("dead-write", write(s, &b, 1));
      R("dev-tty", open("/dev/tty", O_RDWR));
      _exit(0);
    }
    int got = sigtimedwait(&hup, 0, &patience);
    printf("leader-closed: %d %d\n", got, sigtimedwait(&hup, 0, &none));
    msleep(300);
    _exit(0);
  }
  close(s);
  msleep(60);
  close(m);
  waitpid(c, &st, 0);
  msleep(100);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  if (openpty(&m, &s, 0, 0, 0)) return perror("openpty"), 1;
  ahead();
  timing();
  input();
  output();
  int st, c = fork();
  if (c == 0) _exit(background());
  waitpid(c, &st, 0);
  msleep(100);
  printf("leader=%d\n", WIFEXITED(st) ? WEXITSTATUS(st) : -WTERMSIG(st));
  show("rest", m);
  closing();
  return 0;
}
