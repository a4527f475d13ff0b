// Core dumps: when there is one, and what is in it: notes, areas by coredump_filter and advice, memory and registers.
#include "more.h"
#include <elf.h>

static char dir[] = "/dev/shm/coreXXXXXX";
static volatile char pattern[64] = "the quick brown fox";

static void allow(long bytes) {
  struct rlimit r = {bytes, RLIM_INFINITY};
  setrlimit(RLIMIT_CORE, &r);
}
static void clean(void) {
  char command[100];
  unlink("core");
  for (int pid = 0; pid < 3000; pid++) snprintf(command, 100, "core.%d", pid), unlink(command);
}
/** What the file says; `mark`: an address whose 8 bytes are shown as text, if they are in it. */
static void describe(const char *path, const char *mark) {
  int fd = open(path, O_RDONLY);
  struct stat s;
  if (fd < 0) {
    o(" no-core:%s", en(errno));
    return;
  }
  fstat(fd, &s);
  o(" mode=%o uid=%d", s.st_mode & 07777, s.st_uid);
  Elf64_Ehdr e;
  pread(fd, &e, sizeof e, 0);
  o(" elf=%d type=%d machine=%d flags=%x", memcmp(e.e_ident, ELFMAG, 4) == 0, e.e_type, e.e_machine, e.e_flags);
  long loads = 0, end = 0;
  for (int i = 0; i < e.e_phnum; i++) {
    Elf64_Phdr p;
    pread(fd, &p, sizeof p, e.e_phoff + i * sizeof p);
    if (p.p_type == PT_LOAD) {
      loads++;
      if (p.p_offset + p.p_filesz > end) end = p.p_offset + p.p_filesz;
      if (mark && (unsigned long)mark >= p.p_vaddr && (unsigned long)mark < p.p_vaddr + p.p_memsz) {
        char text[9] = "";
        unsigned long at = (unsigned long)mark - p.p_vaddr;
        o(" mark:flags=%d", p.p_flags);
        if (at < p.p_filesz) pread(fd, text, 8, p.p_offset + at), o(",'%s'", text);
        else o(",absent of %ld pages", (long)p.p_memsz / P);
      }
    } else if (p.p_type == PT_NOTE) {
      static char notes[1 << 16];
      long n = pread(fd, notes, p.p_filesz < sizeof notes ? p.p_filesz : sizeof notes, p.p_offset);
      o(" notes:");
      for (long at = 0; at < n;) {
        Elf64_Nhdr *h = (void *)(notes + at);
        char *d = notes + at + 12 + ((h->n_namesz + 3) & ~3);
        if (h->n_type == NT_PRSTATUS) o(" prstatus(%u,sig%d,fpvalid%d)", h->n_descsz, *(short *)(d + 12), *(int *)(d + 368));
        else if (h->n_type == NT_PRPSINFO) o(" psinfo(%u,%s)", h->n_descsz, d[40] ? "named" : "");
        else if (h->n_type == 0x53494749) o(" siginfo(%d,%d)", *(int *)d, *(int *)(d + 8));
        else if (h->n_type == NT_AUXV) o(" auxv(%s)", *(long *)d == AT_SYSINFO_EHDR || h->n_descsz > 100 ? "ok" : "?");
        else if (h->n_type == 0x46494c45) o(" file(%ld pagesize)", *(long *)(d + 8));
        else if (h->n_type == NT_FPREGSET) o(" fpreg(%u)", h->n_descsz);
        at = d - notes + ((h->n_descsz + 3) & ~3);
      }
    }
  }
  o(" loads>5:%d size=end:%d", loads > 5, s.st_size == end);
  close(fd);
}

CHECK(default_limit) {
  struct rlimit r;
  getrlimit(RLIMIT_CORE, &r);
  o(" soft=%ld", (long)r.rlim_cur);
  pid_t c = CHILD(signal(SIGSEGV, SIG_DFL); *(volatile char *)0 = 1);
  ended(c);
  o(" exists:%d", access("core", F_OK) == 0);
}
CHECK(each_signal) {
  int all[] = {SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGPIPE, SIGALRM, SIGTERM, SIGXCPU, SIGXFSZ, SIGSYS, SIGIO, SIGRTMIN};
  allow(RLIM_INFINITY);
  for (int i = 0; i < 19; i++) {
    pid_t c = CHILD(signal(all[i], SIG_DFL); raise(all[i]));
    siginfo_t info;
    waitid(P_PID, c, &info, WEXITED | WNOWAIT);
    o(" code%d", info.si_code);
    ended(c);
    o(":%d", access("core", F_OK) == 0);
    clean();
  }
}
CHECK(contents) {
  allow(RLIM_INFINITY);
  char *p = island(4, RW);
  strcpy(p + 2 * P, "anonymous");
  pid_t c = CHILD(signal(SIGSEGV, SIG_DFL); *(volatile char *)16 = 1);
  ended(c);
  describe("core", p + 2 * P);
  describe("core", (char *)pattern);
  describe("core", p + P);
}
CHECK(filter) {
  allow(RLIM_INFINITY);
  static char text[100];
  slurp("/proc/self/coredump_filter", text, 100);
  o(" %.8s", text);
  int fd = shmfile(2), named = open("named", O_RDWR | O_CREAT, 0600);
  ftruncate(named, P);
  pwrite(named, "namedfil", 8, 0);
  char *kinds[] = {island(1, RW), mmap(0, P, RW, AS, -1, 0), mmap(0, P, RW, MAP_SHARED, fd, 0), mmap(0, P, RW, MAP_SHARED, named, 0), mmap(0, P, PROT_READ, MAP_PRIVATE, named, 0), mmap(0, P, RW, MAP_PRIVATE, named, 0), mmap(0, P, PROT_NONE, AP, -1, 0)};
  strcpy(kinds[0], "private"), strcpy(kinds[1], "sharean"), kinds[5][0] = 'C';
  char filters[][12] = {"0x33", "0", "0x1", "0x2", "0x4", "0x8", "0x10", "0x7f"};
  for (int f = 0; f < 8; f++) {
    o(" | %s", filters[f]);
    pid_t c = fork();
    if (c == 0) {
      int w = open("/proc/self/coredump_filter", O_WRONLY);
      if (write(w, filters[f], strlen(filters[f])) < 0) o(" write:%s", en(errno));
      signal(SIGABRT, SIG_DFL);
      abort();
    }
    waitpid(c, 0, 0);
    int core = open("core", O_RDONLY);
    Elf64_Ehdr e;
    pread(core, &e, sizeof e, 0);
    for (int k = 0; k < 7; k++) {
      for (int i = 0; i < e.e_phnum; i++) {
        Elf64_Phdr p;
        pread(core, &p, sizeof p, e.e_phoff + i * sizeof p);
        char b[8] = "";
        if (p.p_type != PT_LOAD || (unsigned long)kinds[k] < p.p_vaddr || (unsigned long)kinds[k] >= p.p_vaddr + p.p_memsz) continue;
        if (p.p_filesz > (unsigned long)kinds[k] - p.p_vaddr) pread(core, b, 7, p.p_offset + ((unsigned long)kinds[k] - p.p_vaddr)), o(" %s", b[0] ? b : "zero");
        else o(" -");
      }
    }
    close(core);
    clean();
  }
  int w = open("/proc/self/coredump_filter", O_WRONLY);
  V("bad", write(w, "x", 1));
}
CHECK(dontdump) {
  allow(RLIM_INFINITY);
  char *p = island(2, RW);
  strcpy(p, "secretxx");
  madvise(p, 2 * P, MADV_DONTDUMP);
  pid_t c = CHILD(signal(SIGABRT, SIG_DFL); abort());
  ended(c);
  describe("core", p);
  clean();
  madvise(p, 2 * P, MADV_DODUMP);
  c = CHILD(signal(SIGABRT, SIG_DFL); abort());
  ended(c);
  describe("core", p);
  clean();
  c = CHILD(prctl(PR_SET_DUMPABLE, 0); signal(SIGABRT, SIG_DFL); abort());
  ended(c);
  o(" undumpable:%d", access("core", F_OK) == 0);
}
CHECK(limits_and_names) {
  allow(100);
  pid_t c = CHILD(signal(SIGABRT, SIG_DFL); abort());
  ended(c);
  o(" tiny:%d", access("core", F_OK) == 0);
  allow(P * 8);
  c = CHILD(signal(SIGABRT, SIG_DFL); abort());
  ended(c);
  struct stat s;
  int r = stat("core", &s);
  o(" cut:%d small:%d", r == 0, r == 0 && s.st_size <= 64 * P);
  clean();
  allow(RLIM_INFINITY);
  int pat = open("/proc/sys/kernel/core_pattern", O_RDWR);
  char old[100] = "";
  read(pat, old, 99);
  o(" pattern=%.4s", old);
  pwrite(pat, "dump-%s-%e-%u-%%", 16, 0);
  c = CHILD(prctl(PR_SET_NAME, "na/me"); signal(SIGABRT, SIG_DFL); abort());
  ended(c);
  o(" named:%d", unlink("dump-6-na!me-0-%") == 0);
  pwrite(pat, "core", 4, 0);
  int uses = open("/proc/sys/kernel/core_uses_pid", O_RDWR);
  pwrite(uses, "1", 1, 0);
  c = CHILD(signal(SIGABRT, SIG_DFL); abort());
  ended(c);
  char name[40];
  snprintf(name, 40, "core.%d", c);
  o(" with-pid:%d", unlink(name) == 0);
  pwrite(uses, "0", 1, 0);
  symlink("elsewhere", "core");
  c = CHILD(signal(SIGABRT, SIG_DFL); abort());
  ended(c);
  unlink("core");
  mkdir("core", 0700);
  c = CHILD(signal(SIGABRT, SIG_DFL); abort());
  ended(c);
  rmdir("core");
  close(open("core", O_RDWR | O_CREAT, 0644));
  link("core", "second");
  c = CHILD(signal(SIGABRT, SIG_DFL); abort());
  ended(c);
  unlink("second");
  c = CHILD(signal(SIGABRT, SIG_DFL); abort());
  ended(c);
  stat("core", &s);
  o(" mode=%o", s.st_mode & 0777);
  chmod(".", 0755);
  clean();
  c = CHILD(drop(); prctl(PR_SET_DUMPABLE, 1); signal(SIGABRT, SIG_DFL); abort());
  ended(c);
  o(" unwritable:%d", access("core", F_OK) == 0);
}
static pthread_barrier_t barrier;
static void *thread(void *arg) {
  pthread_barrier_wait(&barrier);
  for (;;) pause();
}
CHECK(threads) {
  allow(RLIM_INFINITY);
  pid_t c = fork();
  if (c == 0) {
    pthread_t t;
    pthread_barrier_init(&barrier, 0, 3);
    pthread_create(&t, 0, thread, 0);
    pthread_create(&t, 0, thread, 0);
    pthread_barrier_wait(&barrier);
    signal(SIGSEGV, SIG_DFL);
    *(volatile char *)0 = 1;
  }
  ended(c);
  describe("core", 0);
}
static void aborting(int s) { abort(); }
CHECK(from_handler) {
  allow(RLIM_INFINITY);
  pid_t c = CHILD(signal(SIGABRT, SIG_DFL); signal(SIGSEGV, aborting); *(volatile char *)0 = 1);
  ended(c);
  clean();
  c = CHILD(sigset_t all; sigfillset(&all); sigprocmask(SIG_SETMASK, &all, 0); signal(SIGSEGV, aborting); *(volatile char *)0 = 1);
  ended(c);
  clean();
  c = CHILD(struct rlimit r = {64 << 10, 64 << 10}; setrlimit(RLIMIT_STACK, &r); signal(SIGSEGV, aborting); char *sp = __builtin_frame_address(0); for (long i = 0; i < 1 << 20; i += P) *(volatile char *)(sp - i) = 1);
  ended(c);
}

static const Check checks[] = {
#define C(name) {#name, name}
  C(default_limit), C(each_signal), C(contents), C(filter), C(dontdump), C(limits_and_names), C(threads), C(from_handler), {0},
};
int main(int argc, char **argv) {
  mkdtemp(dir);
  chmod(dir, 0777);
  chdir(dir);
  return run_checks(checks, argc, argv);
}
