// Objects that are mapped: memfd and its seals, SysV and POSIX shared memory, pipes of pages, limits and overcommit; and answers of
// calls about keys, policies and secrets.
#include "more.h"
#include <sys/sem.h>
#include <sys/statfs.h>
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8
#define MFD_EXEC 16
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 32
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 16
#endif

CHECK(memfd_flags) {
  struct stat s;
  int fd = E("plain", memfd_create("a", 0));
  fstat(fd, &s);
  o(" mode=%o nlink=%ld seals=%x", s.st_mode, (long)s.st_nlink, fcntl(fd, F_GET_SEALS));
  fd = E("exec", memfd_create("a", MFD_EXEC));
  fstat(fd, &s);
  o(" mode=%o seals=%x", s.st_mode, fcntl(fd, F_GET_SEALS));
  fd = E("noexec", memfd_create("a", MFD_NOEXEC_SEAL));
  fstat(fd, &s);
  o(" mode=%o seals=%x", s.st_mode, fcntl(fd, F_GET_SEALS));
  E("chmod-x", fchmod(fd, 0777));
  E("chmod", fchmod(fd, 0600));
  E("both", memfd_create("a", MFD_NOEXEC_SEAL | MFD_EXEC));
  fd = E("sealing", memfd_create("a", MFD_ALLOW_SEALING));
  o(" seals=%x", fcntl(fd, F_GET_SEALS));
  E("seal-exec", fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC));
  o(" seals=%x", fcntl(fd, F_GET_SEALS));
  E("chmod-x", fchmod(fd, 0666));
  E("chmod-same", fchmod(fd, 0777));
  E("badseal", fcntl(fd, F_ADD_SEALS, 64));
  char name[260];
  memset(name, 'n', 259);
  name[249] = 0;
  E("name249", memfd_create(name, 0));
  name[249] = 'n', name[250] = 0;
  E("name250", memfd_create(name, 0));
  E("nullname", syscall(SYS_memfd_create, 0, 0));
  E("emptyname", memfd_create("", 0));
  E("flag32", memfd_create("a", 32));
  o(" noexec-sysctl=%ld", field("/proc/sys/vm/memfd_noexec", ""));
}
CHECK(seal_rules) {
  int fd = memfd_create("s", MFD_ALLOW_SEALING);
  ftruncate(fd, 2 * P);
  char *ro = mmap(0, P, PROT_READ, MAP_SHARED, fd, 0), *pr = mmap(0, P, RW, MAP_PRIVATE, fd, 0);
  E("write-with-ro-map", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  munmap(ro, P);
  E("write-with-private", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  E("write", pwrite(fd, "x", 1, 0));
  E("punch", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, P));
  E("grow", ftruncate(fd, 3 * P));
  E("shrink", ftruncate(fd, P));
  E("map-ro", mmap(0, P, PROT_READ, MAP_SHARED, fd, 0));
  o(" private-write:%d", wr(pr, 1));
  fd = memfd_create("s", MFD_ALLOW_SEALING);
  ftruncate(fd, 2 * P);
  E("grow-seal", fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
  V("write-past", pwrite(fd, "xxxx", 4, 2 * P - 2));
  V("write-in", pwrite(fd, "xxxx", 4, 0));
  E("alloc", fallocate(fd, 0, 0, 3 * P));
  E("alloc-keep", fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 3 * P));
  E("alloc-in", fallocate(fd, 0, 0, P));
  E("same", ftruncate(fd, 2 * P));
  E("future", fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
  V("write-after", pwrite(fd, "x", 1, 0));
  E("map-rw", mmap(0, P, RW, MAP_SHARED, fd, 0));
  char *m = (char *)E("map-r", mmap(0, P, PROT_READ, MAP_SHARED, fd, 0));
  E("mprotect", mprotect(m, P, RW));
  smaps(m, "VmFlags");
  E("map-p", mmap(0, P, RW, MAP_PRIVATE, fd, 0));
  char path[40];
  snprintf(path, 40, "/proc/self/fd/%d", fd);
  int ro_fd = open(path, O_RDONLY);
  E("ro-add", fcntl(ro_fd, F_ADD_SEALS, F_SEAL_SHRINK));
  V("ro-get", fcntl(ro_fd, F_GET_SEALS));
  E("reopen-trunc", open(path, O_RDWR | O_TRUNC));
  E("seal-seal", fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
  E("after", fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
  int file = open("/dev/shm/sealfile", O_RDWR | O_CREAT, 0600);
  unlink("/dev/shm/sealfile");
  V("tmpfs-get", fcntl(file, F_GET_SEALS));
  E("tmpfs-add", fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK));
  V("pipe-get", fcntl(open("/dev/null", O_RDWR), F_GET_SEALS));
}
CHECK(sysv_more) {
  int id = V("get0", shmget(IPC_PRIVATE, 0, 0600)) >= 0;
  E("huge", shmget(IPC_PRIVATE, 1UL << 62, 0600));
  id = shmget(0x1234, 3 * P, IPC_CREAT | 0600);
  E("excl", shmget(0x1234, P, IPC_CREAT | IPC_EXCL | 0600));
  E("larger", shmget(0x1234, 4 * P, 0600));
  E("smaller", shmget(0x1234, P, 0600));
  E("nokey", shmget(0x4321, P, 0600));
  E("hugetlb", shmget(IPC_PRIVATE, P, 0600 | SHM_HUGETLB));
  char *p = shmat(id, 0, 0);
  strcpy(p, "seg");
  areas(p, 3);
  smaps(p, "VmFlags");
  E("mprotect", mprotect(p + P, P, PROT_READ));
  E("munmap-mid", munmap(p + P, P));
  areas(p, 3);
  struct shmid_ds ds;
  shmctl(id, IPC_STAT, &ds);
  o(" natt=%ld size=%ld mode=%o", (long)ds.shm_nattch, (long)ds.shm_segsz, ds.shm_perm.mode);
  E("dt", shmdt(p));
  areas(p, 3);
  shmctl(id, IPC_STAT, &ds);
  o(" natt=%ld", (long)ds.shm_nattch);
  p = shmat(id, 0, SHM_RDONLY);
  o(" %.3s", p);
  wr(p, 1);
  E("mprotect-w", mprotect(p, P, RW));
  char *x = (char *)E("exec", shmat(id, 0, SHM_EXEC));
  smaps(x, "VmFlags");
  E("remap0", shmat(id, 0, SHM_REMAP));
  E("at-taken", shmat(id, p, 0));
  E("at-remap", shmat(id, p, SHM_REMAP));
  smaps(p, "VmFlags");
  E("unal", shmat(id, p + 1, SHM_REMAP));
  E("rnd-remap", shmat(id, p + 1, SHM_REMAP | SHM_RND));
  char *grown = (char *)E("mremap", mremap(p, 3 * P, 5 * P, MREMAP_MAYMOVE));
  rd(grown + 2 * P);
  rd(grown + 3 * P);
  shmctl(id, IPC_STAT, &ds);
  o(" natt=%ld", (long)ds.shm_nattch);
  E("lock", shmctl(id, SHM_LOCK, 0));
  shmctl(id, IPC_STAT, &ds);
  o(" mode=%o", ds.shm_perm.mode);
  E("unlock", shmctl(id, SHM_UNLOCK, 0));
  pid_t c = CHILD({
    drop();
    E("child-at", shmat(id, 0, 0));
    E("child-rm", shmctl(id, IPC_RMID, 0));
    E("child-stat", shmctl(id, IPC_STAT, &ds));
  });
  ended(c);
  E("rm", shmctl(id, IPC_RMID, 0));
  shmctl(id, IPC_STAT, &ds);
  o(" mode=%o key=%x natt=%ld", ds.shm_perm.mode, ds.shm_perm.__key, (long)ds.shm_nattch);
  E("get-dead", shmget(0x1234, P, 0600));
  E("rm-again", shmctl(id, IPC_RMID, 0));
  E("at-dead", shmat(id, 0, 0));
  E("badid", shmat(999999, 0, 0));
  E("badcmd", shmctl(id, 99, &ds));
  E("dt-mid", shmdt(grown + P));
}
CHECK(posix_shm) {
  int fd = shm_open("/more-test", O_RDWR | O_CREAT | O_EXCL, 0600);
  E("again", shm_open("/more-test", O_RDWR | O_CREAT | O_EXCL, 0600));
  struct stat s;
  ftruncate(fd, 3 * P);
  fstat(fd, &s);
  o(" size=%ld blocks=%ld", (long)s.st_size, (long)s.st_blocks);
  char *p = mmap(0, 3 * P, RW, MAP_SHARED, fd, 0);
  rd(p), wr(p + P, 1);
  fstat(fd, &s);
  o(" blocks=%ld", (long)s.st_blocks);
  int again = shm_open("/more-test", O_RDONLY, 0);
  E("ro-write-map", mmap(0, P, RW, MAP_SHARED, again, 0));
  shm_unlink("/more-test");
  E("gone", shm_open("/more-test", O_RDWR, 0));
  p[2 * P] = 'k';
  char b;
  V("still", pread(again, &b, 1, 2 * P));
  o(" %c", b);
  E("slash", shm_open("/a/b", O_RDWR | O_CREAT, 0600));
  E("trunc-neg", ftruncate(fd, -1));
}
CHECK(tmpfs_full) {
  mkdir("/dev/shm/small", 0700);
  E("mount", syscall(SYS_mount, "t", "/dev/shm/small", "tmpfs", 0, "size=16k"));
  int fd = open("/dev/shm/small/f", O_RDWR | O_CREAT, 0600);
  ftruncate(fd, 10 * P);
  char *p = mmap(0, 10 * P, RW, MAP_SHARED, fd, 0);
  for (int i = 0; i < 6; i++) o(" %d", wr(p + i * P, 1));
  o(" %d", rd(p + 8 * P));
  V("write", pwrite(fd, p, P, 6 * P));
  char *q = mmap(0, 10 * P, RW, MAP_PRIVATE, fd, 0);
  o(" %d", wr(q, 2));
  o(" %d", wr(q + 7 * P, 2));
  E("alloc", fallocate(fd, 0, 0, 6 * P));
  V("pread-hole", pread(fd, q, P, 7 * P));
  struct statfs sf;
  statfs("/dev/shm/small", &sf);
  o(" blocks=%ld free=%ld", (long)sf.f_blocks, (long)sf.f_bfree);
  fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, P);
  o(" %d", wr(p + 5 * P, 1));
}
CHECK(overcommit) {
  long total = field("/proc/meminfo", "MemTotal:"), limit = field("/proc/meminfo", "CommitLimit:"), ratio = field("/proc/sys/vm/overcommit_ratio", "");
  o(" ratio=%ld limit-ok:%d", ratio, limit >= total * ratio / 100 - 8 && limit <= total * ratio / 100 + 8);
  o(" mode=%ld", field("/proc/sys/vm/overcommit_memory", ""));
  E("heuristic-big", mmap(0, 1UL << 34, RW, AP, -1, 0));
  E("heuristic-noreserve", mmap(0, 1UL << 34, RW, AP | MAP_NORESERVE, -1, 0));
  E("ro-big", mmap(0, 1UL << 34, PROT_READ, AP, -1, 0));
  E("shared-big", mmap(0, 1UL << 34, RW, AS, -1, 0));
  E("shared-noreserve", mmap(0, 1UL << 34, RW, AS | MAP_NORESERVE, -1, 0));
  int fd = open("/proc/sys/vm/overcommit_memory", O_RDWR);
  V("set1", write(fd, "1", 1));
  E("always-big", mmap(0, 1UL << 34, RW, AP, -1, 0));
  long before = field("/proc/meminfo", "Committed_AS:");
  char *p = mmap(0, 256 * P, RW, AP, -1, 0);
  o(" +%ld", field("/proc/meminfo", "Committed_AS:") - before);
  mprotect(p, 64 * P, PROT_READ);
  o(" ro%+ld", field("/proc/meminfo", "Committed_AS:") - before);
  mprotect(p, 64 * P, RW);
  p[P] = 1;
  mprotect(p, 64 * P, PROT_READ);
  o(" written-ro%+ld", field("/proc/meminfo", "Committed_AS:") - before);
  munmap(p, 256 * P);
  o(" un%+ld", field("/proc/meminfo", "Committed_AS:") - before);
  mmap(0, 256 * P, RW, AS, -1, 0);
  o(" shared%+ld", field("/proc/meminfo", "Committed_AS:") - before);
  mmap(0, 256 * P, RW, AP | MAP_NORESERVE, -1, 0);
  mmap(0, 256 * P, PROT_READ, AP, -1, 0);
  o(" none%+ld", field("/proc/meminfo", "Committed_AS:") - before);
  mmap(0, 256 * P, RW, MAP_PRIVATE, shmfile(1), 0);
  o(" file%+ld", field("/proc/meminfo", "Committed_AS:") - before);
  char *b = sbrk(0);
  sbrk(64 * P);
  o(" brk%+ld", field("/proc/meminfo", "Committed_AS:") - before);
}
CHECK(overcommit_never) {
  int fd = open("/proc/sys/vm/overcommit_memory", O_RDWR);
  int rfd = open("/proc/sys/vm/overcommit_kbytes", O_RDWR);
  char text[32];
  V("mode", write(fd, "2", 1));
  E("noreserve", mmap(0, 1UL << 34, RW, AP | MAP_NORESERVE, -1, 0));
  E("ro", mmap(0, 1UL << 34, PROT_READ, AP, -1, 0));
  char *p = (char *)E("none", mmap(0, 1UL << 34, PROT_NONE, AP, -1, 0));
  E("mprotect", mprotect(p, 1UL << 33, RW));
  E("shared", mmap(0, 1UL << 34, RW, AS, -1, 0));
  E("memfd", memfd("x", 1L << 34, 0));
  o(" kbytes=%ld", field("/proc/sys/vm/overcommit_kbytes", ""));
  E("small", mmap(0, 16 * P, RW, AP, -1, 0));
  write(fd, "0", 1);
}
CHECK(keys_and_secrets) {
  V("pkey_alloc", syscall(SYS_pkey_alloc, 0, 0));
  V("pkey_alloc-bad", syscall(SYS_pkey_alloc, 1, 0));
  V("pkey_free", syscall(SYS_pkey_free, 1));
  char *p = anon(1, RW);
  V("pkey_mprotect", syscall(SYS_pkey_mprotect, p, P, PROT_READ, -1));
  wr(p, 1);
  V("pkey_mprotect1", syscall(SYS_pkey_mprotect, p, P, PROT_READ, 1));
  V("pkey_mprotect0", syscall(SYS_pkey_mprotect, p, P, PROT_READ, 0));
  V("shadow", syscall(453, 0, P, 0));
}
CHECK(policies) {
  int mode = 9;
  unsigned long mask = 1;
  char *p = anon(4, RW);
  V("get", syscall(SYS_get_mempolicy, &mode, 0, 0, 0, 0));
  o(" mode=%d", mode);
  V("get-mask", syscall(SYS_get_mempolicy, &mode, &mask, 64, 0, 0));
  o(" mask=%lx", mask);
  V("get-allowed", syscall(SYS_get_mempolicy, 0, &mask, 64, 0, 4));
  o(" mask=%lx", mask);
  V("get-badflag", syscall(SYS_get_mempolicy, &mode, 0, 0, 0, 8));
  V("get-addr-noflag", syscall(SYS_get_mempolicy, &mode, 0, 0, p, 0));
  V("get-addr", syscall(SYS_get_mempolicy, &mode, 0, 0, p, 2));
  p[0] = 1;
  V("get-node", syscall(SYS_get_mempolicy, &mode, 0, 0, p, 3));
  o(" node=%d", mode);
  V("get-hole", syscall(SYS_get_mempolicy, &mode, 0, 0, 4096, 2));
  V("set-default", syscall(SYS_set_mempolicy, 0, 0, 0));
  mask = 1;
  V("set-bind", syscall(SYS_set_mempolicy, 2, &mask, 64));
  syscall(SYS_get_mempolicy, &mode, &mask, 64, 0, 0);
  o(" mode=%d mask=%lx", mode, mask);
  mask = 2;
  V("set-absent", syscall(SYS_set_mempolicy, 2, &mask, 64));
  mask = 0;
  V("set-empty", syscall(SYS_set_mempolicy, 2, &mask, 64));
  V("set-bad", syscall(SYS_set_mempolicy, 99, &mask, 64));
  V("set-fault", syscall(SYS_set_mempolicy, 2, 1, 64));
  V("set-local", syscall(SYS_set_mempolicy, 4, 0, 0));
  V("set-pref", syscall(SYS_set_mempolicy, 1, 0, 0));
  mask = 1;
  V("mbind", syscall(SYS_mbind, p, 4 * P, 2, &mask, 64, 0));
  V("mbind-unal", syscall(SYS_mbind, p + 1, P, 2, &mask, 64, 0));
  V("mbind-flag", syscall(SYS_mbind, p, P, 2, &mask, 64, 64));
  V("mbind-hole", syscall(SYS_mbind, 4096, P, 2, &mask, 64, 0));
  V("mbind-default", syscall(SYS_mbind, p, 4 * P, 0, 0, 0, 0));
  areas(p, 4);
  void *pages[2] = {p, p + P};
  int status[2] = {7, 7}, nodes[2] = {0, 0};
  V("move-query", syscall(SYS_move_pages, 0, 2, pages, 0, status, 0));
  o(" %d,%d", status[0], status[1]);
  V("move", syscall(SYS_move_pages, 0, 1, pages, nodes, status, 2));
  o(" %d", status[0]);
  nodes[0] = 5;
  V("move-bad", syscall(SYS_move_pages, 0, 1, pages, nodes, status, 2));
  V("move-flag", syscall(SYS_move_pages, 0, 1, pages, nodes, status, 1));
  mask = 1;
  V("migrate", syscall(SYS_migrate_pages, 0, 64, &mask, &mask));
  V("home", syscall(450, p, P, 0, 0));
}
CHECK(splice_pages) {
  int pipes[2], fd = shmfile(4);
  pipe(pipes);
  char *p = island(2, RW), b[2 * P];
  memset(p, 'v', 2 * P);
  struct iovec v = {p, 2 * P};
  V("vmsplice", vmsplice(pipes[1], &v, 1, 0));
  V("read", read(pipes[0], b, 2 * P));
  o(" %c%c", b[0], b[P]);
  long off = P;
  V("splice-in", splice(fd, &off, pipes[1], 0, P + 10, 0));
  o(" off=%ld", off);
  V("tee-self", tee(pipes[0], pipes[1], P, 0));
  int other[2];
  pipe(other);
  V("tee", tee(pipes[0], other[1], P, 0));
  V("read", read(pipes[0], b, 2 * P));
  V("read-tee", read(other[0], b, 2 * P));
  o(" %c", b[0]);
  int out = shmfile(1);
  off = 0;
  splice(fd, &off, pipes[1], 0, P, 0);
  V("splice-out", splice(pipes[0], 0, out, 0, P, 0));
  pread(out, b, 1, 0);
  o(" %c", b[0]);
  V("both-files", splice(fd, 0, out, 0, P, 0));
  V("bad-flag", splice(fd, 0, pipes[1], 0, P, 64));
  V("pipe-off", splice(pipes[0], &off, out, 0, P, 0));
  v.iov_base = (void *)1;
  V("vmsplice-bad", vmsplice(pipes[1], &v, 1, 0));
  V("vmsplice-file", vmsplice(fd, &v, 1, 0));
  V("empty-nonblock", splice(pipes[0], 0, out, 0, P, SPLICE_F_NONBLOCK));
}
CHECK(direct_io) {
  char path[] = "/dev/shm/directXXXXXX";
  close(mkstemp(path));
  int fd = open(path, O_RDWR | O_DIRECT);
  E("open", fd);
  unlink(path);
  if (fd < 0) return;
  char *p = island(2, RW);
  V("write", write(fd, p, P));
  V("odd", write(fd, p + 1, 100));
}
CHECK(fsize_and_core_limits) {
  struct rlimit r = {2 * P, 2 * P};
  setrlimit(RLIMIT_FSIZE, &r);
  signal(SIGXFSZ, SIG_IGN);
  int fd = shmfile(1), m = memfd_create("x", 0);
  V("partial", pwrite(fd, anon(3, RW), 3 * P, 0));
  V("at", pwrite(fd, "x", 1, 2 * P));
  E("trunc", ftruncate(fd, 3 * P));
  E("memfd", ftruncate(m, 3 * P));
  E("alloc", fallocate(fd, 0, 0, 3 * P));
  signal(SIGXFSZ, SIG_DFL);
  pid_t c = CHILD(pwrite(fd, "x", 1, 2 * P));
  ended(c);
  struct rlimit back;
  r.rlim_cur = 3, r.rlim_max = 2;
  E("cur>max", setrlimit(RLIMIT_FSIZE, &r));
  E("badres", getrlimit(99, &back));
  drop();
  r.rlim_cur = r.rlim_max = 3 * P;
  E("raise", setrlimit(RLIMIT_FSIZE, &r));
}

static const Check checks[] = {
#define C(name) {#name, name}
  C(memfd_flags), C(seal_rules), C(sysv_more), C(posix_shm), C(tmpfs_full), C(overcommit), C(overcommit_never), C(keys_and_secrets), C(policies),
  C(splice_pages), C(direct_io), C(fsize_and_core_limits), {0},
};
int main(int argc, char **argv) { return run_checks(checks, argc, argv); }
