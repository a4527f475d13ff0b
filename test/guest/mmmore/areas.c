// Areas: how mmap, mprotect, mremap and munmap split, merge and refuse; flags and limits.
#include "more.h"

CHECK(mmap_flag_words) {
  int fd = shmfile(4);
  int flags[] = {0, MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE, 4, 5, 6, 7, 8, 0xf};
  for (int i = 0; i < 10; i++) {
    char name[8];
    snprintf(name, 8, "f%x", flags[i]);
    if (flags[i] != 8) E(name, mmap(0, P, PROT_READ, flags[i], fd, 0));
    snprintf(name, 8, "a%x", flags[i]);
    if (flags[i] != 8) E(name, mmap(0, P, PROT_READ, flags[i] | MAP_ANONYMOUS, -1, 0));
  }
}
CHECK(mmap_extra_flags) {
  int fd = shmfile(2);
  struct { const char *n; int f; } all[] = {{"denywrite", MAP_DENYWRITE}, {"exec", MAP_EXECUTABLE}, {"locked", MAP_LOCKED}, {"noreserve", MAP_NORESERVE}, {"populate", MAP_POPULATE}, {"nonblock", MAP_NONBLOCK}, {"stack", MAP_STACK}, {"sync", MAP_SYNC}, {"growsdown", MAP_GROWSDOWN}, {"uninit", 0x4000000}, {"bit30", 1 << 30}, {"bit21", 1 << 21}, {"hugetlb", MAP_HUGETLB}};
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
    o(" | %s", all[i].n);
    E("ps", mmap(0, P, RW, MAP_PRIVATE | all[i].f, fd, 0));
    E("sh", mmap(0, P, RW, MAP_SHARED | all[i].f, fd, 0));
    E("sv", mmap(0, P, RW, MAP_SHARED_VALIDATE | all[i].f, fd, 0));
    E("an", mmap(0, P, RW, AP | all[i].f, -1, 0));
    E("as", mmap(0, P, RW, AS | all[i].f, -1, 0));
    E("av", mmap(0, P, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS | all[i].f, -1, 0));
  }
}
CHECK(error_order) {
  int ro = open("/proc/self/exe", O_RDONLY), wo = memfd("w", P, 0), dir = open("/", O_RDONLY), path = open("/", O_PATH);
  int wonly = open("/dev/null", O_WRONLY);
  E("badfd+len0", mmap(0, 0, PROT_READ, MAP_SHARED, 99, 0));
  E("badfd+unaligned", mmap(0, P, PROT_READ, MAP_SHARED, 99, 1));
  E("badfd+notype", mmap(0, P, PROT_READ, 0, 99, 0));
  E("notype+ro", mmap(0, P, RW, 0, ro, 0));
  E("opath", mmap(0, P, PROT_READ, MAP_SHARED, path, 0));
  E("dir-rw", mmap(0, P, RW, MAP_SHARED, dir, 0));
  E("dir-r", mmap(0, P, PROT_READ, MAP_SHARED, dir, 0));
  E("dir-p", mmap(0, P, RW, MAP_PRIVATE, dir, 0));
  E("null-wo", mmap(0, P, PROT_WRITE, MAP_SHARED, wonly, 0));
  int nul = open("/dev/null", O_RDWR);
  E("null", mmap(0, P, PROT_READ, MAP_SHARED, nul, 0));
  E("anon+badfd", mmap(0, P, PROT_READ, AP, 99, 0));
  E("anon+off", mmap(0, P, PROT_READ, AP, -1, P));
  E("anon+unaligned-off", mmap(0, P, PROT_READ, AP, -1, 5));
  E("hugelen", mmap(0, ~0UL, PROT_READ, AP, -1, 0));
  E("hugelen-page", mmap(0, -P, PROT_READ, AP, -1, 0));
  E("offmax", mmap(0, P, PROT_READ, MAP_SHARED, wo, -P));
  E("offbig", mmap(0, P, PROT_READ, MAP_SHARED, wo, 0x7ffffffffffff000));
  E("offbig2", mmap(0, 2 * P, PROT_READ, MAP_SHARED, wo, 0x7fffffffffffe000));
  E("fixed0len", mmap((void *)(1L << 37), 0, PROT_READ, AP | MAP_FIXED, -1, 0));
  E("fixedlast", mmap((void *)((1L << 38) - P), P, PROT_READ, AP | MAP_FIXED, -1, 0));
  E("noreplace-unaligned", mmap((void *)(1L << 30) + 1, P, PROT_READ, AP | MAP_FIXED_NOREPLACE, -1, 0));
}
CHECK(prot_words) {
  for (int prot = 0; prot < 8; prot++) {
    char name[16];
    snprintf(name, 16, "m%d", prot);
    char *p = (char *)E(name, mmap(0, P, prot, AP, -1, 0));
    o("%d%d", rd(p), wr(p, 1));
  }
  E("bit3", mmap(0, P, 8, AP, -1, 0));
  E("bit4", mmap(0, P, 0x10, AP, -1, 0));
  char *p = (char *)E("garbage", mmap(0, P, 0xf0000003, AP, -1, 0));
  E("mp8", mprotect(p, P, 8 | PROT_READ));
  E("mp10", mprotect(p, P, 0x10));
  E("mpneg", mprotect(p, P, -1));
  E("growsup", mprotect(p, P, PROT_READ | PROT_GROWSUP));
  E("both", mprotect(p, P, PROT_READ | PROT_GROWSUP | PROT_GROWSDOWN));
  E("wrap", mprotect(p, -P, PROT_READ));
  E("wrap2", mprotect(p, ~0UL, PROT_READ));
  E("high", mprotect((void *)(1UL << 62), P, PROT_READ));
  E("highbad", mprotect((void *)(1UL << 62), P, 0x10));
  E("len0bad", mprotect(p, 0, 0x10));
  E("unaligned0", mprotect(p + 1, 0, PROT_READ));
}
CHECK(merge_rules) {
  char *p = island(8, PROT_NONE);
  for (int i = 0; i < 8; i++) mprotect(p + i * P, P, RW), p[i * P] = 1, i == 3 ? areas(p, 8) : (void)0;
  areas(p, 8);
  mprotect(p, 8 * P, PROT_READ);
  areas(p, 8);
  // Written apart, then joined.
  p = island(8, PROT_NONE);
  mprotect(p, P, RW), p[0] = 1;
  mprotect(p + 2 * P, P, RW), p[2 * P] = 1;
  mprotect(p + P, P, RW);
  areas(p, 8);
  p[P] = 1;
  areas(p, 8);
  // A hole filled between two written ones.
  p = island(8, RW);
  p[0] = p[7 * P] = 1;
  munmap(p + 3 * P, 2 * P);
  mmap(p + 3 * P, P, RW, AP | MAP_FIXED, -1, 0);
  areas(p, 8);
  mmap(p + 4 * P, P, RW, AP | MAP_FIXED, -1, 0);
  areas(p, 8);
  mmap(p + 2 * P, 3 * P, RW, AP | MAP_FIXED | MAP_NORESERVE, -1, 0);
  areas(p, 8);
}
CHECK(merge_after_fork) {
  char *p = island(6, RW);
  memset(p, 1, 6 * P);
  pid_t c = CHILD({
    mprotect(p + P, P, PROT_READ);
    areas(p, 6);
    mprotect(p + P, P, RW);
    areas(p, 6);
    munmap(p + 3 * P, P);
    mmap(p + 3 * P, P, RW, AP | MAP_FIXED, -1, 0);
    areas(p, 6);
    char *q = mmap(p + 6 * P, 2 * P, RW, AP | MAP_FIXED, -1, 0);
    areas(p, 8);
    *q = 1;
    areas(p, 8);
  });
  ended(c);
}
CHECK(merge_files) {
  int a = shmfile(16), b = shmfile(16), again = dup(a);
  char link[40];
  snprintf(link, 40, "/proc/self/fd/%d", a);
  int reopened = open(link, O_RDWR);
  char *p = island(12, PROT_NONE);
  mmap(p, P, PROT_READ, MAP_SHARED | MAP_FIXED, a, 0);
  mmap(p + P, P, PROT_READ, MAP_SHARED | MAP_FIXED, a, P);
  mmap(p + 2 * P, P, PROT_READ, MAP_SHARED | MAP_FIXED, again, 2 * P);
  mmap(p + 3 * P, P, PROT_READ, MAP_SHARED | MAP_FIXED, reopened, 3 * P);
  mmap(p + 4 * P, P, PROT_READ, MAP_SHARED | MAP_FIXED, b, 4 * P);
  mmap(p + 5 * P, P, PROT_READ, MAP_PRIVATE | MAP_FIXED, b, 5 * P);
  mmap(p + 6 * P, P, PROT_READ, MAP_PRIVATE | MAP_FIXED, b, 6 * P);
  areas(p, 12);
  mprotect(p + 5 * P, 2 * P, RW);
  p[5 * P] = 1;
  areas(p, 12);
  mprotect(p + 6 * P, P, PROT_READ);
  mprotect(p + 6 * P, P, RW);
  areas(p, 12);
  p[6 * P] = 1;
  mprotect(p + 6 * P, P, PROT_READ);
  mprotect(p + 6 * P, P, RW);
  areas(p, 12);
}
CHECK(advice_merges) {
  char *p = island(6, RW);
  int advice[] = {MADV_RANDOM, MADV_SEQUENTIAL, MADV_DONTFORK, MADV_WIPEONFORK, MADV_DONTDUMP, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE};
  int undo[] = {MADV_NORMAL, MADV_NORMAL, MADV_DOFORK, MADV_KEEPONFORK, MADV_DODUMP, MADV_NOHUGEPAGE, MADV_HUGEPAGE, MADV_UNMERGEABLE};
  for (int i = 0; i < 8; i++) {
    E("do", madvise(p + 2 * P, P, advice[i]));
    smaps(p + 2 * P, "VmFlags");
    areas(p, 6);
    E("undo", madvise(p + 2 * P, P, undo[i]));
    areas(p, 6);
  }
}
CHECK(munmap_corners) {
  char *p = island(4, RW);
  E("zero", munmap(p, 0));
  E("odd", munmap(p, 1));
  areas(p, 4);
  E("unal", munmap(p + P + 1, P));
  E("top", munmap((void *)((1UL << 38) - P), P));
  E("low", munmap(0, P));
  areas(p, 4);
}
CHECK(mremap_more) {
  char *p = island(8, RW);
  for (int i = 0; i < 8; i++) p[i * P] = 'a' + i;
  char *q = (char *)E("move-part", mremap(p + 2 * P, 2 * P, 3 * P, MREMAP_MAYMOVE));
  o("%c%c%d", q[0], q[P], q[2 * P]);
  areas(p, 8);
  E("old0-shared-zero", mremap(p, 0, P, MREMAP_MAYMOVE));
  E("new0", mremap(p, P, 0, MREMAP_MAYMOVE));
  E("fixed-unaligned", mremap(p, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, p + 1));
  E("fixed-same", mremap(p, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, p));
  E("fixed-shrink-onto-tail", mremap(p, 2 * P, P, MREMAP_MAYMOVE | MREMAP_FIXED, p + P));
  E("fixed-neg", mremap(p, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)-P));
  E("flag8", mremap(p, P, P, 8));
  E("dontunmap-fixed-only", mremap(p, P, P, MREMAP_DONTUNMAP | MREMAP_FIXED, p));
  E("dontunmap-grow", mremap(p, P, 2 * P, MREMAP_DONTUNMAP | MREMAP_MAYMOVE));
  E("wrap-new", mremap(p, P, ~0UL, MREMAP_MAYMOVE));
  E("past-end", mremap(p + 6 * P, 4 * P, 5 * P, MREMAP_MAYMOVE));
  E("past-end-same", mremap(p + 6 * P, 4 * P, 4 * P, MREMAP_MAYMOVE));
  E("past-end-shrink", mremap(p + 6 * P, 4 * P, 2 * P, MREMAP_MAYMOVE));
  areas(p, 8);
}
CHECK(mremap_kinds) {
  char *p = mmap(0, 4 * P, RW, AS, -1, 0);
  p[0] = 's';
  char *q = (char *)E("grow-shared-anon", mremap(p, 4 * P, 6 * P, MREMAP_MAYMOVE));
  o("%c", rd(q));
  rd(q + 5 * P);
  q = (char *)E("dup", mremap(q, 0, 4 * P, MREMAP_MAYMOVE));
  o("%c", rd(q));
  E("dontunmap-shared", mremap(q, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP));
  o("%c", rd(q));
  int fd = shmfile(4);
  p = mmap(0, 2 * P, RW, MAP_PRIVATE, fd, 0);
  p[0] = 'P';
  q = (char *)E("private-file-move", mremap(p, 2 * P, 4 * P, MREMAP_MAYMOVE));
  o("%c%c%c", rd(q), rd(q + P), rd(q + 3 * P));
  char *r = (char *)E("dontunmap-file", mremap(q, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP));
  o("%c%c %c%c", rd(r), rd(r + P), rd(q), rd(q + P));
  areas(q, 4);
  p = island(4, RW);
  mlock(p, 2 * P);
  memset(p, 1, 4 * P);
  q = (char *)E("locked-grow", mremap(p, 2 * P, 6 * P, MREMAP_MAYMOVE));
  smaps(q, "VmFlags");
  mc(q, 6);
  o(" lck=%ld", field("/proc/self/status", "VmLck:"));
}
CHECK(mremap_growsdown_and_none) {
  char *p = island(4, PROT_NONE);
  E("none-grow", mremap(p, 4 * P, 8 * P, 0));
  areas(p, 8);
  char *g = mmap(p + 12 * P, 2 * P, RW, AP | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
  E("gd-grow", mremap(g, 2 * P, 3 * P, 0));
  smaps(g, "VmFlags");
  char *q = (char *)E("gd-move", mremap(g, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, p + 30 * P));
  smaps(q, "VmFlags");
}
CHECK(fixed_over_everything) {
  int fd = shmfile(4);
  char *p = island(10, RW);
  memset(p, 1, 10 * P);
  mmap(p + P, P, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
  mlock(p + 4 * P, P);
  mprotect(p + 7 * P, P, PROT_NONE);
  areas(p, 10);
  E("over", mmap(p + P, 8 * P, RW, AP | MAP_FIXED, -1, 0));
  areas(p, 10);
  o(" %d%d%d lck=%ld", p[0], p[P], p[9 * P], field("/proc/self/status", "VmLck:"));
  E("fail-keeps", mmap(p, 10 * P, RW, MAP_SHARED | MAP_FIXED, 99, 0));
  o(" %d", p[0]);
  struct rlimit r = {0, 0};
  getrlimit(RLIMIT_AS, &r);
  r.rlim_cur = (field("/proc/self/status", "VmSize:") + 8) << 10;
  setrlimit(RLIMIT_AS, &r);
  E("fail-as", mmap(p, 20 * P, RW, AP | MAP_FIXED, -1, 0));
  o(" %d", p[0]);
  areas(p, 10);
}
CHECK(hints) {
  char *base = anon(64, PROT_NONE);
  munmap(base, 64 * P);
  char *p = mmap(base + 8 * P, 2 * P, RW, AP, -1, 0);
  o(" %d", p == base + 8 * P);
  char *q = mmap(base + 7 * P, 2 * P, RW, AP, -1, 0);
  o("%d", q == base + 7 * P);
  q = mmap(base + 6 * P, 2 * P, RW, AP, -1, 0);
  o("%d", q == base + 6 * P);
  q = mmap(base + 20 * P + 5, P, RW, AP, -1, 0);
  o("%d", q == base + 20 * P);
  q = mmap((void *)-P, P, RW, AP, -1, 0);
  o("%d", q != MAP_FAILED);
  q = mmap((void *)1, P, RW, AP, -1, 0);
  o("%d", q != MAP_FAILED && q != (char *)65536);
  q = mmap((void *)4096, P, RW, AP, -1, 0);
  o("%d", q == (char *)65536);
  char *g = mmap(base + 40 * P, P, RW, AP | MAP_GROWSDOWN, -1, 0);
  q = mmap(base + 38 * P, P, RW, AP, -1, 0);
  o("%d%d", g == base + 40 * P, q == base + 38 * P);
  drop();
  q = mmap((void *)4096, P, RW, AP, -1, 0);
  o("%d", q == (char *)65536);
  E("low", mmap((void *)(65536 - P), P, RW, AP | MAP_FIXED, -1, 0));
}
CHECK(growsdown_rules) {
  char *p = island(700, PROT_NONE);
  munmap(p, 700 * P);
  char *g = mmap(p + 600 * P, P, RW, AP | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
  wr(g - 1, 1);
  wr(g - 40 * P, 1);
  areas(p, 700);
  char *below = mmap(p + 250 * P, P, RW, AP | MAP_FIXED, -1, 0);
  wr(g - 95 * P, 1);
  wr(g - 93 * P, 1);
  areas(p, 700);
  munmap(below, P);
  mmap(below, P, PROT_NONE, AP | MAP_FIXED, -1, 0);
  wr(g - 200 * P, 1);
  areas(p, 700);
  E("mp", mprotect(g, P, PROT_READ));
  areas(p, 700);
  E("mpg", mprotect(g, P, PROT_READ | PROT_GROWSDOWN));
  E("mpg2", mprotect(g - P, P, RW | PROT_GROWSDOWN));
  areas(p, 700);
  char byte = 1;
  int pipes[2];
  pipe(pipes);
  write(pipes[1], &byte, 1);
  char *h = mmap(p + 680 * P, P, RW, AP | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
  E("read-grows", read(pipes[0], h - 3 * P, 1));
  areas(p + 670 * P, 30);
  E("ro-growsdown", mmap(p + 640 * P, P, PROT_READ, AP | MAP_FIXED | MAP_GROWSDOWN, -1, 0));
  o(" %d", rd(p + 639 * P));
}
CHECK(brk_more) {
  char *start = sbrk(0);
  char *aligned = (char *)(((unsigned long)start + P - 1) & -P);
  V("up", (long)syscall(SYS_brk, aligned + 4 * P) - (long)(aligned + 4 * P));
  memset(aligned, 7, 4 * P);
  V("odd", (long)syscall(SYS_brk, aligned + 5) - (long)(aligned + 5));
  rd(aligned + P - 1);
  rd(aligned + P);
  V("regrow", (long)syscall(SYS_brk, aligned + 2 * P) - (long)(aligned + 2 * P));
  o(" %d %d", aligned[6], aligned[P]);
  V("below", (long)syscall(SYS_brk, 4096) - (long)(aligned + 2 * P));
  V("huge", (long)syscall(SYS_brk, 1UL << 38) - (long)(aligned + 2 * P));
  mlockall(MCL_FUTURE);
  syscall(SYS_brk, aligned + 6 * P);
  mc(aligned + 2 * P, 4);
  smaps(aligned + 3 * P, "VmFlags");
  munlockall();
  mprotect(aligned + 3 * P, P, PROT_READ);
  E("shrink-over-split", syscall(SYS_brk, aligned + P));
  rd(aligned + 3 * P);
  mmap(aligned + 8 * P, P, PROT_NONE, AP | MAP_FIXED, -1, 0);
  V("into-guard", (long)syscall(SYS_brk, aligned + 8 * P) - (long)(aligned + 8 * P));
  V("over", (long)syscall(SYS_brk, aligned + 9 * P) - (long)(aligned + 8 * P));
}
CHECK(map_droppable) {
  char *p = (char *)E("map", mmap(0, 4 * P, RW, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0));
  if (p == MAP_FAILED) return;
  memset(p, 3, 4 * P);
  smaps(p, "VmFlags");
  o(" anon=%ld", smaps(p, "Anonymous"));
  E("mlock", mlock(p, P));
  E("keeponfork", madvise(p, P, MADV_KEEPONFORK));
  E("wipe", madvise(p, P, MADV_WIPEONFORK));
  pid_t c = CHILD(o(" child:%d", p[0]));
  ended(c);
  E("file", mmap(0, P, RW, MAP_DROPPABLE, memfd("x", P, 0), 0));
  E("locked", mmap(0, P, RW, MAP_DROPPABLE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
  E("growsdown", mmap(0, P, RW, MAP_DROPPABLE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
  E("free", madvise(p, P, MADV_FREE));
  E("dontneed", madvise(p, P, MADV_DONTNEED));
  o(" %d", p[0]);
  mlockall(MCL_FUTURE);
  char *q = (char *)E("future", mmap(0, P, RW, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0));
  smaps(q, "VmFlags");
  E("remap", mremap(p, 4 * P, 8 * P, MREMAP_MAYMOVE));
}
CHECK(mseal_rules) {
  long nr = 462;
  char *p = island(8, RW);
  memset(p, 5, 8 * P);
  E("flags", syscall(nr, p, P, 1));
  E("unal", syscall(nr, p + 1, P, 0));
  E("len0", syscall(nr, p, 0, 0));
  E("wrap", syscall(nr, p, -P, 0));
  E("hole", syscall(nr, p + 7 * P, 2 * P, 0));
  E("seal", syscall(nr, p + 2 * P, 2 * P, 0));
  E("again", syscall(nr, p + 2 * P, 2 * P, 0));
  areas(p, 8);
  smaps(p + 2 * P, "VmFlags");
  E("munmap", munmap(p + 3 * P, P));
  E("munmap-over", munmap(p, 8 * P));
  E("mprotect", mprotect(p + 3 * P, P, PROT_READ));
  E("mprotect-over", mprotect(p, 8 * P, PROT_READ));
  areas(p, 8);
  E("mremap", mremap(p + 2 * P, P, 2 * P, MREMAP_MAYMOVE));
  E("mremap-to", mremap(p + 6 * P, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, p + 2 * P));
  E("shrink", mremap(p + 2 * P, 2 * P, P, 0));
  E("fixed", mmap(p + 2 * P, P, RW, AP | MAP_FIXED, -1, 0));
  E("dontneed", madvise(p + 2 * P, P, MADV_DONTNEED));
  o(" %d", p[2 * P]);
  char *r = island(2, PROT_READ);
  syscall(nr, r, P, 0);
  E("ro-dontneed", madvise(r, P, MADV_DONTNEED));
  E("ro-dontneed-locked", madvise(r, P, 24));
  E("ro-free", madvise(r, P, MADV_FREE));
  E("ro-wipe", madvise(r, P, MADV_WIPEONFORK));
  E("ro-dontfork", madvise(r, P, MADV_DONTFORK));
  E("ro-cold", madvise(r, P, MADV_COLD));
  E("ro-random", madvise(r, P, MADV_RANDOM));
  E("mlock", mlock(p + 2 * P, P));
  E("setprot-same", mprotect(p + 2 * P, P, RW));
  E("shm-dt", shmdt(p + 2 * P));
  pid_t c = CHILD(E("child-munmap", munmap(p + 2 * P, P)));
  ended(c);
}
CHECK(max_map_count) {
  long limit = field("/proc/sys/vm/max_map_count", "");
  o(" %ld", limit);
  char *p = mmap(0, 2 * limit * P, PROT_NONE, AP | MAP_NORESERVE, -1, 0);
  long i = 0;
  while (i < 2 * limit && !mprotect(p + i * P, P, PROT_READ)) i += 2;
  o(" stopped:%s", en(errno));
  E("mmap", mmap(0, P, PROT_READ, AS, -1, 0));
  E("brk-split", munmap(p + (2 * limit - 3) * P, P));
  E("mlock-split", mlock(p + (2 * limit - 9) * P, P));
  E("madvise-split", madvise(p + (2 * limit - 9) * P, P, MADV_RANDOM));
  E("mremap", mremap(p + P, P, P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP));
  E("whole", munmap(p, P));
  E("after", mprotect(p + (2 * limit - 9) * P, P, PROT_READ));
}
CHECK(limits_exact) {
  struct rlimit r;
  long size = field("/proc/self/status", "VmSize:") / 4;
  r.rlim_cur = r.rlim_max = (size + 4) * P + 100;
  setrlimit(RLIMIT_AS, &r);
  char *p = (char *)E("4", mmap(0, 4 * P, RW, AP, -1, 0));
  E("5", mmap(0, P, PROT_NONE, AP, -1, 0));
  E("mp", mprotect(p, P, PROT_READ));
  munmap(p, 4 * P);
  E("5at-once", mmap(0, 5 * P, RW, AP, -1, 0));
  p = (char *)E("2", mmap(0, 2 * P, RW, AP, -1, 0));
  E("grow3", mremap(p, 2 * P, 5 * P, MREMAP_MAYMOVE));
  E("grow2", mremap(p, 2 * P, 4 * P, MREMAP_MAYMOVE));
  pid_t c = fork();
  if (c == 0) _exit(3);
  ended(c);
}
CHECK(limit_data) {
  struct rlimit r;
  r.rlim_cur = r.rlim_max = (field("/proc/self/status", "VmData:") / 4 + 4) * P;
  setrlimit(RLIMIT_DATA, &r);
  E("shared", mmap(0, 64 * P, RW, AS, -1, 0));
  E("stack", mmap(0, 64 * P, RW, AP | MAP_GROWSDOWN, -1, 0));
  E("file-ro", mmap(0, 64 * P, PROT_READ, MAP_PRIVATE, shmfile(1), 0));
  E("file-rw", mmap(0, 64 * P, RW, MAP_PRIVATE, shmfile(1), 0));
  char *p = (char *)E("4", mmap(0, 4 * P, RW, AP, -1, 0));
  E("1", mmap(0, P, RW, AP, -1, 0));
  E("ro", mmap(0, P, PROT_READ, AP, -1, 0));
  E("x", mmap(0, P, PROT_READ | PROT_EXEC, AP, -1, 0));
  E("mp-ro", mprotect(p, P, PROT_READ));
  E("now1", mmap(0, P, RW, AP, -1, 0));
  E("mp-back", mprotect(p, P, RW));
  E("mremap", mremap(p + P, P, 3 * P, MREMAP_MAYMOVE));
  E("dontunmap", mremap(p + P, P, P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP));
}
CHECK(limit_memlock) {
  struct rlimit r = {8 * P, 8 * P};
  setrlimit(RLIMIT_MEMLOCK, &r);
  drop();
  char *p = island(16, RW);
  E("8", mlock(p, 8 * P));
  E("same", mlock(p, 8 * P));
  E("overlap", mlock(p + 4 * P, 4 * P));
  E("9", mlock(p, 9 * P));
  E("grow", mremap(p, 8 * P, 20 * P, MREMAP_MAYMOVE));
  E("mmap-locked", mmap(0, P, RW, AP | MAP_LOCKED, -1, 0));
  E("all", mlockall(MCL_CURRENT));
  E("future", mlockall(MCL_FUTURE));
  E("then-map", mmap(0, P, RW, AP, -1, 0));
  E("then-none", mmap(0, P, PROT_NONE, AP, -1, 0));
  char *b = sbrk(0);
  o(" brk=%d", (char *)syscall(SYS_brk, b + 4 * P) == b + 4 * P);
  E("mlock0", mlock(p, 0));
  munlockall();
  E("odd", mlock(p + 5, P));
  o(" lck=%ld", field("/proc/self/status", "VmLck:"));
  E("shm", shmget(IPC_PRIVATE, P, 0600));
  E("onfault", syscall(SYS_mlock2, p, 8 * P, MLOCK_ONFAULT));
  E("badflag", syscall(SYS_mlock2, p, 8 * P, 2));
}

static const Check checks[] = {
#define C(name) {#name, name}
  C(mmap_flag_words), C(mmap_extra_flags), C(error_order), C(prot_words), C(merge_rules), C(merge_after_fork), C(merge_files), C(advice_merges), C(munmap_corners),
  C(mremap_more), C(mremap_kinds), C(mremap_growsdown_and_none), C(fixed_over_everything), C(hints), C(growsdown_rules), C(brk_more), C(map_droppable), C(mseal_rules),
  C(max_map_count), C(limits_exact), C(limit_data), C(limit_memlock), {0},
};
int main(int argc, char **argv) { return run_checks(checks, argc, argv); }
