// Pages: residency, advice, copy-on-write, locking, truncation, and what /proc tells about them.
#include "more.h"

CHECK(madvise_table) {
  int fd = shmfile(2);
  char *kinds[6];
  const char *names[] = {"anon", "none", "shanon", "shfile", "prfile", "rofile"};
  int advices[] = {0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24, 25, 26, 5, 6, 7, 102, 103, -1};
  for (unsigned a = 0; a < sizeof advices / sizeof *advices; a++) {
    kinds[0] = island(1, RW);
    kinds[1] = island(1, PROT_NONE);
    kinds[2] = mmap(0, P, RW, AS, -1, 0);
    kinds[3] = mmap(0, P, RW, MAP_SHARED, fd, 0);
    kinds[4] = mmap(0, P, RW, MAP_PRIVATE, fd, 0);
    kinds[5] = mmap(0, P, PROT_READ, MAP_SHARED, fd, 0);
    o(" %d", advices[a]);
    for (int k = 0; k < 6; k++) o("%c%s", k ? ',' : ':', madvise(kinds[k], P, advices[a]) ? en(errno) : "OK");
  }
}
CHECK(madvise_special) {
  unsigned long vdso = 0, vvar = 0, stack = 0, low, high;
  static char text[1 << 16];
  char name[64];
  slurp("/proc/self/maps", text, sizeof text);
  for (char *l = text; *l; l = strchr(l, '\n') + 1) {
    name[0] = 0;
    sscanf(l, "%lx-%lx %*s %*s %*s %*s %63[^\n]", &low, &high, name);
    if (!strcmp(name, "[vdso]")) vdso = low;
    if (!strcmp(name, "[vvar]")) vvar = low;
    if (!strcmp(name, "[stack]")) stack = low;
  }
  o(" vvar:%d", vvar != 0);
  unsigned long at[] = {vdso, vvar, stack};
  int advices[] = {4, 8, 9, 10, 11, 14, 16, 17, 18, 20, 22, 23};
  for (int k = 0; k < 2; k++) {
    smaps((void *)at[k], "VmFlags");
    for (int a = 0; a < 12; a++) o(" %d=%s", advices[a], madvise((void *)at[k], P, advices[a]) ? en(errno) : "OK");
    E("mlock", mlock((void *)at[k], P));
    E("mprotect", mprotect((void *)at[k], P, RW));
    E("mremap-grow", mremap((void *)at[k], P, 64 * P, MREMAP_MAYMOVE));
  }
  smaps((void *)stack, "VmFlags");
}
CHECK(madvise_partial) {
  char *p = island(8, RW);
  memset(p, 1, 8 * P);
  munmap(p + 3 * P, P);
  mlock(p + 6 * P, P);
  E("dontneed", madvise(p, 8 * P, MADV_DONTNEED));
  mc(p, 3), mc(p + 4 * P, 4);
  E("free", madvise(p + 7 * P, P, MADV_FREE));
  E("cold", madvise(p, 8 * P, MADV_COLD));
  E("random", madvise(p, 8 * P, MADV_RANDOM));
  areas(p, 8);
  E("badlen", madvise(p, -P, MADV_RANDOM));
  E("neg", madvise((void *)-P, P, MADV_RANDOM));
  E("dontneed-locked", madvise(p + 6 * P, P, 24));
  mc(p + 4 * P, 4);
  E("populate-hole", madvise(p, 8 * P, MADV_POPULATE_WRITE));
  mc(p, 3), mc(p + 4 * P, 4);
}
CHECK(wipe_and_dont) {
  char *p = island(4, RW);
  memset(p, 1, 4 * P);
  madvise(p, P, MADV_WIPEONFORK);
  madvise(p + P, P, MADV_DONTFORK);
  mlock(p + 2 * P, P);
  pid_t c = CHILD({
    areas(p, 4);
    o(" %d", rd(p)), rd(p + P), o(" %d", rd(p + 2 * P));
    smaps(p, "VmFlags"), smaps(p + 2 * P, "VmFlags");
    pid_t g = CHILD(o(" g:%d", rd(p)));
    p[0] = 9;
    ended(g);
    g = CHILD(o(" g:%d", rd(p)));
    ended(g);
  });
  ended(c);
}
CHECK(zero_page) {
  char *p = island(8, RW);
  long f = minflt();
  for (int i = 0; i < 4; i++) rd(p + i * P);
  o(" faults=%ld rss=%ld", minflt() - f, smaps(p, "Rss"));
  pm(p, 8);
  wr(p, 1);
  pm(p, 8);
  o(" rss=%ld", smaps(p, "Rss"));
  mprotect(p, 2 * P, PROT_READ);
  mprotect(p, 2 * P, RW);
  f = minflt();
  wr(p, 2), wr(p + P, 2);
  o(" faults=%ld", minflt() - f);
  mlock(p, 8 * P);
  pm(p, 8);
  munlock(p, 8 * P);
  char *r = island(4, PROT_READ);
  mlock(r, 4 * P);
  pm(r, 4);
  o(" rss=%ld locked=%ld", smaps(r, "Rss"), smaps(r, "Locked"));
}
CHECK(cow_counts) {
  char *p = island(8, RW);
  memset(p, 1, 8 * P);
  int pipes[2], back[2];
  pipe(pipes), pipe(back);
  char go;
  pid_t c = fork();
  if (c == 0) {
    read(pipes[0], &go, 1);
    long f = minflt();
    for (int i = 0; i < 8; i++) rd(p + i * P);
    o(" child-read=%ld", minflt() - f);
    f = minflt();
    for (int i = 0; i < 2; i++) wr(p + i * P, 2);
    o(" child-write=%ld", minflt() - f);
    pm(p, 8);
    write(back[1], &go, 1);
    read(pipes[0], &go, 1);
    _exit(0);
  }
  pm(p, 8);
  write(pipes[1], &go, 1);
  read(back[0], &go, 1);
  o(" | parent");
  pm(p, 8);
  long f = minflt();
  for (int i = 0; i < 4; i++) wr(p + i * P, 3);
  o(" write=%ld", minflt() - f);
  pm(p, 8);
  write(pipes[1], &go, 1);
  ended(c);
  pm(p, 8);
  f = minflt();
  for (int i = 0; i < 8; i++) wr(p + i * P, 3);
  o(" write=%ld", minflt() - f);
}
CHECK(cow_private_file) {
  int fd = shmfile(8);
  char *p = mmap(0, 8 * P, RW, MAP_PRIVATE, fd, 0);
  rd(p);
  pm(p, 8);
  wr(p + P, 1);
  wr(p + 2 * P, 1);
  pm(p, 8);
  o(" anon=%ld rss=%ld pd=%ld", smaps(p, "Anonymous"), smaps(p, "Rss"), smaps(p, "Private_Dirty"));
  madvise(p + P, P, MADV_DONTNEED);
  o(" %c", rd(p + P));
  ftruncate(fd, 2 * P);
  pm(p, 8);
  rd(p + 2 * P);
  ftruncate(fd, 8 * P);
  o(" %d", rd(p + 2 * P));
  fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4 * P);
  wr(p + 3 * P, 1);
  fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4 * P);
  o(" %d %d", rd(p), rd(p + 3 * P));
  pm(p, 8);
}
CHECK(shared_write_tracking) {
  int fd = shmfile(4);
  char *p = mmap(0, 4 * P, RW, MAP_SHARED, fd, 0);
  long f = minflt();
  rd(p);
  o(" read=%ld", minflt() - f);
  f = minflt();
  for (int i = 0; i < 4; i++) wr(p + i * P, 1);
  o(" write=%ld", minflt() - f);
  o(" sd=%ld pd=%ld pc=%ld", smaps(p, "Shared_Dirty"), smaps(p, "Private_Dirty"), smaps(p, "Private_Clean"));
  E("msync", msync(p, 4 * P, MS_SYNC));
  o(" pd=%ld", smaps(p, "Private_Dirty"));
  char *q = mmap(0, 4 * P, PROT_READ, MAP_SHARED, fd, 0);
  rd(q);
  o(" sd=%ld pss=%ld", smaps(p, "Shared_Dirty"), smaps(q, "Pss"));
  pm(q, 4);
  munmap(p, 4 * P);
  pm(q, 4);
  o(" pd=%ld", smaps(q, "Private_Dirty"));
}
CHECK(truncate_races) {
  int fd = memfd("t", 4 * P, 0);
  char *p = mmap(0, 4 * P, RW, MAP_SHARED, fd, 0);
  memset(p, 'x', 4 * P);
  ftruncate(fd, 100);
  o(" %d %d", rd(p + 99), rd(p + 100));
  wr(p + 200, 'y');
  rd(p + P);
  ftruncate(fd, 2 * P);
  o(" %d %d %d", rd(p + 99), rd(p + 200), rd(p + P));
  char b[4] = {0};
  V("pread", pread(fd, b, 4, 199));
  o(" %d", b[1]);
  ftruncate(fd, 50);
  pwrite(fd, "z", 1, 300);
  o(" %d %d", rd(p + 60), rd(p + 300));
  struct stat s;
  fstat(fd, &s);
  o(" size=%ld blocks=%ld", (long)s.st_size, (long)s.st_blocks);
  E("fallocate", fallocate(fd, 0, 0, 3 * P));
  fstat(fd, &s);
  o(" size=%ld blocks=%ld", (long)s.st_size, (long)s.st_blocks);
  E("keep", fallocate(fd, FALLOC_FL_KEEP_SIZE, 8 * P, P));
  fstat(fd, &s);
  o(" size=%ld blocks=%ld", (long)s.st_size, (long)s.st_blocks);
  E("collapse", fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, P));
  E("zero", fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, P));
  E("punch-nokeep", fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, P));
  E("len0", fallocate(fd, 0, 0, 0));
  E("neg", fallocate(fd, 0, -1, P));
  V("data", lseek(fd, 0, SEEK_DATA));
  V("data-past", lseek(fd, 1 << 20, SEEK_DATA));
}
CHECK(write_from_own_page) {
  int fd = shmfile(3);
  char *p = mmap(0, 3 * P, RW, MAP_SHARED, fd, 0);
  V("same", pwrite(fd, p + 10, 100, 0));
  o(" %c", p[0]);
  V("shift", pwrite(fd, p, P + 100, 50));
  V("into-self", pread(fd, p + P, P, 0));
  o(" %c%c", p[P], p[2 * P]);
  V("grow", pwrite(fd, p, P, 3 * P));
  char *q = mmap(0, 8 * P, RW, MAP_SHARED, fd, 0);
  V("own-future", pwrite(fd, q + 4 * P - 10, 20, 4 * P));
  struct stat s;
  fstat(fd, &s);
  o(" size=%ld", (long)s.st_size);
  V("none", pwrite(fd, anon(1, PROT_NONE), P, 0));
  char *half = island(2, RW);
  
  V("null0", pwrite(fd, 0, 0, 0));
  V("bad0", pwrite(fd, (void *)-1, 0, 0));
  V("neg", pwrite(fd, half, -1, 0));
  V("negoff", pwrite(fd, half, 1, -1));
}
CHECK(mincore_more) {
  int fd = shmfile(4);
  char *p = mmap(0, 6 * P, PROT_READ, MAP_SHARED, fd, 0);
  mc(p, 6);
  char *q = island(4, RW);
  wr(q, 1);
  pid_t c = CHILD(mc(q, 4); wr(q + P, 1); mc(q, 4));
  ended(c);
  mc(q, 4);
  char *w = mmap(0, 4 * P, RW, MAP_PRIVATE, fd, 0);
  mc(w, 4);
  ftruncate(fd, P);
  mc(p, 6), mc(w, 4);
  char *none = mmap(0, 4 * P, PROT_NONE, AP, -1, 0);
  mc(none, 4);
  E("vec-ro", mincore(q, P, (void *)"x"));
  E("len-huge", mincore(q, 1UL << 60, (void *)q));
  E("wrap", mincore(q, -1, (void *)q));
  E("kernel", mincore((void *)-P, P, (void *)q));
  drop();
  int own = open("/proc/self/exe", O_RDONLY);
  char *x = mmap(0, P, PROT_READ, MAP_PRIVATE, own, 0);
  mc(x, 1);
}
CHECK(mlock_more) {
  char *p = island(6, RW);
  E("onfault", mlock2(p, 2 * P, MLOCK_ONFAULT));
  mc(p, 2);
  smaps(p, "VmFlags");
  wr(p, 1);
  mc(p, 2);
  E("then-mlock", mlock(p, 2 * P));
  mc(p, 2);
  smaps(p, "VmFlags");
  o(" lck=%ld", field("/proc/self/status", "VmLck:"));
  E("mlockall-onfault", mlockall(MCL_CURRENT | MCL_ONFAULT));
  smaps(p + 4 * P, "VmFlags");
  mc(p + 2 * P, 4);
  char *n = mmap(0, 2 * P, RW, AP, -1, 0);
  smaps(n, "VmFlags");
  E("future-onfault", mlockall(MCL_FUTURE | MCL_ONFAULT));
  n = mmap(0, 2 * P, RW, AP, -1, 0);
  smaps(n, "VmFlags");
  mc(n, 2);
  munlockall();
  E("none", mlock(island(2, PROT_NONE), 2 * P));
  int fd = shmfile(1);
  char *f = mmap(0, 3 * P, RW, MAP_SHARED, fd, 0);
  E("past-eof", mlock(f, 3 * P));
  mc(f, 3);
  o(" lck=%ld", field("/proc/self/status", "VmLck:"));
  E("wrap", mlock(p, -P));
  E("munlock-hole", munlock(p, 64 * P));
  char *w = island(1, PROT_READ);
  E("ro", mlock(w, P));
  pm(w, 1);
  E("mprot", mprotect(w, P, RW));
  pm(w, 1);
  long before = minflt();
  wr(w, 1);
  o(" faults=%ld", minflt() - before);
}
CHECK(populate_flags) {
  int fd = shmfile(4);
  char *p = mmap(0, 4 * P, RW, AP | MAP_POPULATE, -1, 0);
  pm(p, 4);
  p = mmap(0, 4 * P, PROT_READ, AP | MAP_POPULATE, -1, 0);
  pm(p, 4);
  p = mmap(0, 4 * P, PROT_NONE, AP | MAP_POPULATE, -1, 0);
  pm(p, 4);
  p = mmap(0, 6 * P, RW, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  pm(p, 6);
  p = mmap(0, 6 * P, RW, MAP_SHARED | MAP_POPULATE, fd, 0);
  pm(p, 6);
  p = mmap(0, 4 * P, RW, AP | MAP_POPULATE | MAP_NONBLOCK, -1, 0);
  pm(p, 4);
  p = mmap(0, 4 * P, RW, AP | MAP_LOCKED, -1, 0);
  pm(p, 4);
  p = island(4, PROT_READ);
  E("pop-read", madvise(p, 4 * P, MADV_POPULATE_READ));
  pm(p, 4);
  p = island(4, PROT_EXEC);
  E("pop-exec", madvise(p, 4 * P, MADV_POPULATE_READ));
  p = mmap(0, 6 * P, RW, MAP_PRIVATE, fd, 0);
  E("pop-write", madvise(p, 4 * P, MADV_POPULATE_WRITE));
  pm(p, 6);
  E("past", madvise(p, 6 * P, MADV_POPULATE_READ));
  E("len0", madvise(p, 0, MADV_POPULATE_READ));
}
CHECK(remap_file_pages_more) {
  int fd = shmfile(8);
  char *p = mmap(0, 8 * P, RW, MAP_SHARED, fd, 0);
  E("one", remap_file_pages(p, P, 0, 5, 0));
  E("prot", remap_file_pages(p, P, PROT_READ, 5, 0));
  E("off", remap_file_pages(p + 4 * P, 4 * P, 0, 0, 0));
  E("past", remap_file_pages(p + P, P, 0, 100, 0));
  rd(p + P);
  E("huge", remap_file_pages(p + P, P, 0, ~0UL, 0));
  E("nonlinear", remap_file_pages(p, 8 * P, 0, 2, 0));
  areas(p, 8);
  o(" %c%c%c", p[0], p[2 * P], p[4 * P]);
  E("anon", remap_file_pages(island(1, RW), P, 0, 0, 0));
  E("shanon", remap_file_pages(mmap(0, 4 * P, RW, AS, -1, 0), P, 0, 2, 0));
  E("ro", remap_file_pages(mmap(0, P, PROT_READ, MAP_SHARED, fd, 0), P, 0, 1, 0));
  E("zero", remap_file_pages(p, 0, 0, 1, 0));
  E("nonblock", remap_file_pages(p, P, 0, 1, MAP_NONBLOCK));
}
CHECK(msync_more) {
  int fd = shmfile(4);
  char *p = mmap(0, 4 * P, RW, MAP_SHARED, fd, 0);
  munmap(p + 2 * P, P);
  E("hole", msync(p, 4 * P, MS_SYNC));
  E("async", msync(p, 2 * P, MS_ASYNC));
  E("none", msync(p, 2 * P, 0));
  E("bad", msync(p, P, 8));
  E("wrap", msync(p, -P, MS_SYNC));
  E("private", msync(island(1, RW), P, MS_SYNC));
  E("high", msync((void *)(1UL << 60), P, MS_SYNC));
  mlock(p, P);
  E("inv-locked", msync(p, P, MS_INVALIDATE | MS_SYNC));
  E("inv-part", msync(p + P, P, MS_INVALIDATE));
  E("inv-async", msync(p, 2 * P, MS_INVALIDATE | MS_ASYNC));
}
CHECK(cachestat_call) {
  int fd = shmfile(6);
  struct { uint64_t off, len; } range = {0, 0};
  uint64_t out[5];
  V("all", syscall(451, fd, &range, out, 0));
  o(" %lu,%lu,%lu,%lu", out[0], out[1], out[2], out[3]);
  range.off = P + 5, range.len = P;
  V("part", syscall(451, fd, &range, out, 0));
  o(" %lu", out[0]);
  E("flags", syscall(451, fd, &range, out, 1));
  E("badfd", syscall(451, 99, &range, out, 0));
  E("fault", syscall(451, fd, 0, out, 0));
  E("fault2", syscall(451, fd, &range, 0, 0));
  int pipes[2];
  pipe(pipes);
  E("pipe", syscall(451, pipes[0], &range, out, 0));
  E("dir", syscall(451, open("/dev/shm", O_RDONLY), &range, out, 0));
}
CHECK(pagemap_access) {
  char *p = island(4, RW);
  memset(p, 1, 4 * P);
  int fd = open("/proc/self/pagemap", O_RDONLY);
  uint64_t e[4];
  V("unal", pread(fd, e, 8, 4));
  V("len4", pread(fd, e, 4, 0));
  V("past", pread(fd, e, 8, (1UL << 56) / P * 8));
  V("many", pread(fd, e, 32, (unsigned long)p / P * 8));
  o(" pfn:%d", (e[0] & ((1UL << 55) - 1)) != 0);
  V("write", pwrite(fd, e, 8, 0));
  drop();
  V("user", pread(fd, e, 8, (unsigned long)p / P * 8));
  o(" pfn:%d present:%d", (e[0] & ((1UL << 55) - 1)) != 0, (int)(e[0] >> 63));
  int again = open("/proc/self/pagemap", O_RDONLY);
  E("open", again);
}
CHECK(clear_refs_more) {
  char *p = island(4, RW);
  memset(p, 1, 4 * P);
  int fd = open("/proc/self/clear_refs", O_WRONLY);
  o(" ref=%ld", smaps(p, "Referenced"));
  V("1", write(fd, "1", 1));
  o(" ref=%ld", smaps(p, "Referenced"));
  rd(p);
  o(" ref=%ld", smaps(p, "Referenced"));
  V("2", write(fd, "2\n", 2));
  o(" ref=%ld", smaps(p, "Referenced"));
  V("3", write(fd, "3", 1));
  V("4", write(fd, "4", 1));
  V("0", write(fd, "0", 1));
  V("6", write(fd, "6", 1));
  V("x", write(fd, "x", 1));
  V("empty", write(fd, "", 0));
  E("read", open("/proc/self/clear_refs", O_RDONLY));
  wr(p, 1);
  long hwm = field("/proc/self/status", "VmHWM:");
  char *big = anon(512, RW);
  memset(big, 1, 512 * P);
  munmap(big, 512 * P);
  long now = field("/proc/self/status", "VmHWM:");
  V("5", write(fd, "5", 1));
  o(" grew:%d reset:%d", now >= hwm + 2000, field("/proc/self/status", "VmHWM:") < now - 1500);
}
CHECK(proc_mem) {
  char *p = island(4, RW), b[3 * P];
  memset(p, 'm', 2 * P);
  mprotect(p, P, PROT_READ);
  mprotect(p + P, P, PROT_NONE);
  int fd = open("/proc/self/mem", O_RDWR);
  V("ro-write", pwrite(fd, "abc", 3, (long)p));
  o(" %c", p[0]);
  V("none-read", pread(fd, b, 3, (long)p + P));
  V("none-write", pwrite(fd, "abc", 3, (long)p + P));
  munmap(p + 3 * P, P);
  V("over-end", pread(fd, b, 3 * P, (long)p + 2 * P));
  V("hole", pread(fd, b, 1, (long)p + 3 * P));
  V("null", pread(fd, b, 1, 0));
  V("high", pread(fd, b, 1, -1L));
  V("len0", pread(fd, b, 0, 0));
  int sh = open("/proc/self/exe", O_RDONLY);
  char *x = mmap(0, P, PROT_READ, MAP_SHARED, sh, 0);
  V("ro-shared", pwrite(fd, "abc", 3, (long)x));
  char *y = mmap(0, P, PROT_READ, MAP_PRIVATE, sh, 0);
  V("ro-private", pwrite(fd, "abc", 3, (long)y));
  o(" %c", y[0]);
  V("seek", lseek(fd, (long)p, SEEK_SET) == (long)p);
  V("read", read(fd, b, 4));
  V("seek-end", lseek(fd, 0, SEEK_END));
  V("bad-buffer", pread(fd, (void *)1, 8, (long)p));
  pid_t c = CHILD({
    int m = open("/proc/self/mem", O_RDONLY);
    V("dead-child-open", m >= 0);
  });
  ended(c);
}
CHECK(process_vm) {
  char *p = island(4, RW), b[P];
  strcpy(p, "remote");
  struct iovec l[2] = {{b, 4}, {b + 10, 10}}, r[2] = {{p, 3}, {p + 3, 4}};
  V("split", process_vm_readv(getpid(), l, 2, r, 2, 0));
  o(" %.4s%.3s", b, b + 10);
  struct iovec bad[2] = {{p, 3}, {0, 4}};
  V("bad-second", process_vm_readv(getpid(), l, 2, bad, 2, 0));
  V("bad-local", process_vm_readv(getpid(), bad + 1, 1, r, 2, 0));
  V("flags", process_vm_readv(getpid(), l, 2, r, 2, 1));
  V("nopid", process_vm_readv(999999, l, 2, r, 2, 0));
  V("pid0", process_vm_readv(0, l, 2, r, 2, 0));
  V("neg", process_vm_readv(-1, l, 2, r, 2, 0));
  V("many", process_vm_readv(getpid(), l, 2000, r, 1, 0));
  V("zero", process_vm_readv(getpid(), l, 0, r, 1, 0));
  V("zero-r", process_vm_readv(getpid(), l, 1, r, 0, 0));
  mprotect(p, P, PROT_READ);
  V("write-ro", process_vm_writev(getpid(), l, 1, r, 1, 0));
  mprotect(p, P, PROT_NONE);
  V("read-none", process_vm_readv(getpid(), l, 1, r, 1, 0));
  int fd = shmfile(1);
  char *f = mmap(0, 2 * P, RW, MAP_SHARED, fd, 0);
  struct iovec e = {f + P - 2, 4}, le = {b, 4};
  V("past-eof", process_vm_readv(getpid(), &le, 1, &e, 1, 0));
  pid_t c = CHILD(pause());
  drop();
  V("foreign", process_vm_readv(c, l, 1, r, 1, 0));
  kill(c, SIGKILL);
}
CHECK(process_madvise_more) {
  char *p = island(4, RW);
  memset(p, 1, 4 * P);
  int self = syscall(SYS_pidfd_open, getpid(), 0);
  struct iovec v[2] = {{p, P}, {p + 2 * P, P}};
  V("cold", syscall(440, self, v, 2, MADV_COLD, 0));
  V("dontneed", syscall(440, self, v, 2, MADV_DONTNEED, 0));
  V("flags", syscall(440, self, v, 2, MADV_COLD, 1));
  V("bad", syscall(440, self, v, 2, 77, 0));
  v[1].iov_base = (void *)1;
  V("second-unal", syscall(440, self, v, 2, MADV_COLD, 0));
  v[1].iov_base = p + 8 * P;
  V("second-hole", syscall(440, self, v, 2, MADV_COLD, 0));
  V("badfd", syscall(440, 99, v, 1, MADV_COLD, 0));
  V("notpidfd", syscall(440, 1, v, 1, MADV_COLD, 0));
  V("none", syscall(440, self, v, 0, MADV_COLD, 0));
  V("fault", syscall(440, self, 1, 1, MADV_COLD, 0));
  pid_t c = CHILD(pause());
  int other = syscall(SYS_pidfd_open, c, 0);
  V("other-dontneed", syscall(440, other, v, 1, MADV_DONTNEED, 0));
  V("other-cold", syscall(440, other, v, 1, MADV_COLD, 0));
  V("other-pageout", syscall(440, other, v, 1, MADV_PAGEOUT, 0));
  V("other-collapse", syscall(440, other, v, 1, 25, 0));
  V("mrelease-alive", syscall(448, other, 0));
  V("mrelease-flags", syscall(448, other, 1));
  V("mrelease-bad", syscall(448, 99, 0));
  kill(c, SIGKILL);
  waitpid(c, 0, 0);
  V("dead", syscall(440, other, v, 1, MADV_COLD, 0));
  V("mrelease-dead", syscall(448, other, 0));
}

static const Check checks[] = {
#define C(name) {#name, name}
  C(madvise_table), C(madvise_special), C(madvise_partial), C(wipe_and_dont), C(zero_page), C(cow_counts), C(cow_private_file), C(shared_write_tracking),
  C(truncate_races), C(write_from_own_page), C(mincore_more), C(mlock_more), C(populate_flags), C(remap_file_pages_more), C(msync_more), C(cachestat_call),
  C(pagemap_access), C(clear_refs_more), C(proc_mem), C(process_vm), C(process_madvise_more), {0},
};
int main(int argc, char **argv) { return run_checks(checks, argc, argv); }
