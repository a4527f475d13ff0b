// File system calls as a program sees them: every line says what was asked and what Linux answered. Runs in an empty folder.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static void say(const char *what, long result) {
  if (result < 0) printf("%s: %s\n", what, strerrorname_np(errno));
  else printf("%s: %ld\n", what, result);
  fflush(stdout);
}
#define T(call) say(#call, (long)(call))

static long put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0) return -1;
  long n = write(fd, text, strlen(text));
  close(fd);
  return n;
}

static const char *cat(const char *path) {
  static char text[256];
  int fd = open(path, O_RDONLY);
  if (fd < 0) return strerrorname_np(errno);
  long n = read(fd, text, 255);
  close(fd);
  if (n < 0) return strerrorname_np(errno);
  text[n] = 0;
  return text;
}

static void show(const char *path) {
  struct stat s;
  if (lstat(path, &s) < 0) printf("%s: %s\n", path, strerrorname_np(errno));
  else printf("%s: mode %o links %ld size %ld\n", path, s.st_mode, (long)s.st_nlink, S_ISDIR(s.st_mode) ? 0 : (long)s.st_size);
  fflush(stdout);
}

static void opening(void) {
  puts("-- opening");
  umask(027);
  T(open("f", O_RDONLY));
  int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0666);
  say("create", fd);
  show("f");
  T(open("f", O_RDWR | O_CREAT | O_EXCL, 0666));
  printf("flags %o\n", fcntl(fd, F_GETFL) & ~O_LARGEFILE);
  T(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_RDONLY));
  printf("flags %o\n", fcntl(fd, F_GETFL) & ~O_LARGEFILE);
  T(write(fd, "abc", 3));
  T(lseek(fd, 0, SEEK_SET));
  T(write(fd, "def", 3));
  T(pwrite(fd, "ghi", 3, 0));
  printf("%s\n", cat("f"));
  T(fcntl(fd, F_GETFD));
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 40);
  say("dup", copy);
  T(fcntl(copy, F_GETFD));
  T(lseek(copy, 0, SEEK_CUR));
  T(close(copy));
  T(close(copy));
  T(dup2(fd, fd));
  T(dup3(fd, fd, 0));
  T(dup2(77, 5));
  T(openat(fd, "x", O_RDONLY));
  T(mkdir("d", 0777));
  show("d");
  T(open("d", O_RDWR));
  T(open("d/", O_RDONLY | O_CREAT, 0600));
  T(open("f", O_RDONLY | O_DIRECTORY));
  T(symlink("f", "link"));
  T(open("link", O_RDONLY | O_NOFOLLOW));
  int path = open("link", O_PATH | O_NOFOLLOW);
  char target[10];
  T(readlinkat(path, "", target, 10));
  T(read(path, target, 1));
  T(fchmod(path, 0600));
  T(close(path));
  int hidden = open(".", O_TMPFILE | O_RDWR, 0600);
  T(write(hidden, "hidden", 6));
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", hidden);
  T(linkat(AT_FDCWD, name, AT_FDCWD, "shown", AT_SYMLINK_FOLLOW));
  printf("%s\n", cat("shown"));
  close(hidden);
  struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH};
  T(syscall(SYS_openat2, AT_FDCWD, "../x", &how, sizeof how));
  T(syscall(SYS_openat2, AT_FDCWD, "/etc", &how, sizeof how));
  how.resolve = RESOLVE_NO_SYMLINKS;
  T(syscall(SYS_openat2, AT_FDCWD, "link", &how, sizeof how));
  how.mode = 1;
  T(syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof how));
  close(fd);
  T(close_range(3, 100, 0));
}

static void data(void) {
  puts("-- data");
  static char buffer[70000];
  int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0644);
  memset(buffer, 'a', sizeof buffer);
  T(write(fd, buffer, 70000));
  T(ftruncate(fd, 100));
  T(ftruncate(fd, 5000));
  T(pread(fd, buffer, 300, 50));
  printf("%d %d\n", buffer[49], buffer[50]);
  struct iovec v[3] = {{buffer, 10}, {0, 0}, {buffer + 100, 20}};
  T(readv(fd, v, 3));
  T(preadv(fd, v, 3, 4990));
  T(writev(fd, v, -1));
  T(writev(fd, v, 2000));
  T(readv(fd, v, 0));
  T(preadv(fd, v, 1, -1));
  T(pread(fd, buffer, 1, -1));
  T(lseek(fd, -1, SEEK_SET));
  T(lseek(fd, 10, SEEK_END));
  T(lseek(fd, 5000, SEEK_DATA));
  T(lseek(fd, 0, SEEK_HOLE) > 0);
  T(lseek(fd, 0, 77));
  T(lseek(fd, 6000, SEEK_SET));
  T(read(fd, (void *)8, 10));
  T(lseek(fd, 0, SEEK_SET));
  T(read(fd, (void *)8, 10));
  T(write(fd, (void *)8, 10));
  T(fallocate(fd, 0, 0, 20000));
  show("data");
  T(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4096));
  T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
  T(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 90000));
  T(fallocate(fd, 0, -1, 1));
  T(fallocate(fd, 0, 0, 0));
  T(posix_fallocate(fd, 0, 30000));
  show("data");
  T(lseek(fd, 1L << 33, SEEK_SET));
  T(write(fd, "z", 1));
  show("data");
  T(ftruncate(fd, -1));
  T(truncate("d", 0));
  T(truncate("none", 0));
  int pipes[2];
  T(pipe(pipes));
  T(ftruncate(pipes[1], 0));
  T(lseek(pipes[0], 0, SEEK_CUR));
  T(pread(pipes[0], buffer, 1, 0));
  T(fallocate(pipes[1], 0, 0, 1));
  T(fsync(pipes[1]));
  T(posix_fadvise(pipes[0], 0, 0, 0));
  T(posix_fadvise(fd, 0, 0, 9));
  T(fsync(fd));
  T(fdatasync(fd));
  T(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
  T(sync_file_range(fd, 0, 0, 99));
  int n = -1;
  T(lseek(fd, 100, SEEK_SET));
  T(ftruncate(fd, 150));
  T(ioctl(fd, FIONREAD, &n));
  printf("%d\n", n);
  T(ioctl(fd, TCGETS, buffer));
  close(fd);
  struct rlimit old, limit = {1000, 1000};
  getrlimit(RLIMIT_FSIZE, &old);
  limit.rlim_max = old.rlim_max;
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
  fd = open("limited", O_RDWR | O_CREAT, 0644);
  T(write(fd, buffer, 2000));
  T(write(fd, buffer, 1));
  T(ftruncate(fd, 1001));
  setrlimit(RLIMIT_FSIZE, &old);
  close(fd);
}

static void copying(void) {
  puts("-- copying");
  put("from", "0123456789");
  int in = open("from", O_RDONLY), out = open("to", O_RDWR | O_CREAT | O_TRUNC, 0644);
  off_t offset = 3;
  T(sendfile(out, in, &offset, 4));
  printf("offset %ld position %ld\n", (long)offset, (long)lseek(in, 0, SEEK_CUR));
  T(sendfile(out, in, 0, 100));
  T(sendfile(out, in, 0, 100));
  printf("%s\n", cat("to"));
  off_t a = 1, b = 0;
  T(copy_file_range(in, &a, out, &b, 5, 0));
  printf("%s %ld %ld\n", cat("to"), (long)a, (long)b);
  T(copy_file_range(in, 0, in, 0, 5, 0));
  T(copy_file_range(in, 0, out, 0, 5, 1));
  int pipes[2];
  T(pipe(pipes));
  lseek(in, 0, SEEK_SET);
  T(splice(in, 0, pipes[1], 0, 6, 0));
  offset = 0;
  T(splice(pipes[0], 0, out, &offset, 100, 0));
  printf("%s\n", cat("to"));
  T(splice(in, 0, out, 0, 6, 0));
  T(splice(in, &offset, pipes[1], &offset, 6, 0));
  T(sendfile(pipes[1], in, 0, 3));
  char text[10];
  T(read(pipes[0], text, 10));
  close(in), close(out), close(pipes[0]), close(pipes[1]);
}

static void names(void) {
  puts("-- names");
  T(mkdir("d", 0777));
  T(mkdir("dir", 0777));
  T(rename("from", "dir/moved"));
  T(rename("dir", "dir/sub"));
  T(rename("dir", "to"));
  T(rename("to", "dir"));
  T(link("to", "to2"));
  show("to");
  T(rename("to", "to2"));
  show("to");
  T(link("dir", "dir2"));
  T(renameat2(AT_FDCWD, "to", AT_FDCWD, "to2", RENAME_NOREPLACE));
  T(renameat2(AT_FDCWD, "to", AT_FDCWD, "dir", RENAME_EXCHANGE));
  show("to");
  T(renameat2(AT_FDCWD, "to", AT_FDCWD, "dir", RENAME_EXCHANGE | RENAME_NOREPLACE));
  T(unlink("to"));
  T(rmdir("to"));
  T(unlink("to/moved"));
  T(rmdir("to"));
  T(rmdir("."));
  T(rmdir(".."));
  T(unlink("."));
  T(symlink("", "empty"));
  T(symlink("nowhere", "dangling"));
  T(open("dangling", O_RDONLY));
  T(access("dangling", F_OK));
  T(faccessat(AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
  T(mkdir("dangling", 0777));
  T(open("dangling", O_CREAT | O_WRONLY, 0600) > 0);
  show("nowhere");
  char path[300];
  memset(path, 'n', sizeof path);
  path[255] = 0;
  T(mkdir(path, 0700));
  path[255] = 'n', path[256] = 0;
  T(mkdir(path, 0700));
  T(mknod("fifo", S_IFIFO | 0666, 0));
  show("fifo");
  T(open("fifo", O_WRONLY | O_NONBLOCK));
  int fifo = open("fifo", O_RDWR);
  T(write(fifo, "p", 1));
  T(read(fifo, path, 10));
  T(getcwd(path, 2) == 0 ? -1 : 0);
  T(mkdir("gone", 0777));
  T(chdir("gone"));
  T(rmdir("../gone"));
  T(getcwd(path, 300) == 0 ? -1 : 0);
  T(mkdir("x", 0777));
  T(chdir(".."));
}

static void attributes(void) {
  puts("-- attributes");
  T(chmod("to2", 06755));
  show("to2");
  T(fchmodat(AT_FDCWD, "dangling", 0600, AT_SYMLINK_NOFOLLOW));
  struct timespec times[2] = {{100, 5}, {200, 999999999}};
  T(utimensat(AT_FDCWD, "to2", times, 0));
  struct stat s;
  stat("to2", &s);
  printf("%ld %ld %ld %ld\n", s.st_atim.tv_sec, s.st_atim.tv_nsec, s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
  times[0].tv_nsec = UTIME_OMIT, times[1].tv_sec = 7, times[1].tv_nsec = 0;
  T(utimensat(AT_FDCWD, "to2", times, 0));
  stat("to2", &s);
  printf("%ld %ld\n", s.st_atim.tv_sec, s.st_mtim.tv_sec);
  times[1].tv_nsec = -4;
  T(utimensat(AT_FDCWD, "to2", times, 0));
  int fd = open("to2", O_RDONLY);
  times[1].tv_nsec = 1, times[0].tv_nsec = 1;
  T(futimens(fd, times));
  T(setxattr("to2", "user.one", "1234", 4, 0));
  T(setxattr("to2", "user.one", "1234", 4, XATTR_CREATE));
  T(setxattr("to2", "user.two", "1234", 4, XATTR_REPLACE));
  char value[100];
  T(getxattr("to2", "user.one", value, 100));
  T(getxattr("to2", "user.one", value, 1));
  T(getxattr("to2", "user.two", value, 100));
  T(getxattr("to2", "nothing", value, 100));
  T(listxattr("to2", value, 100));
  T(removexattr("to2", "user.one"));
  T(removexattr("to2", "user.one"));
  struct statx x;
  T(statx(AT_FDCWD, "to2", 0, STATX_BASIC_STATS, &x));
  printf("%o %d %lld\n", x.stx_mode, x.stx_nlink, (long long)x.stx_size);
  T(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x));
  T(statx(AT_FDCWD, "to2", 0x40000000, STATX_BASIC_STATS, &x));
  T(fstatat(fd, "", &s, 0));
  struct statfs f;
  T(statfs(".", &f));
  printf("%ld\n", (long)f.f_namelen);
  close(fd);
}

static void locks(void) {
  puts("-- locks");
  put("lock", "0123456789");
  int fd = open("lock", O_RDWR);
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 4};
  T(fcntl(fd, F_SETLK, &l));
  l.l_start = -1;
  T(fcntl(fd, F_SETLK, &l));
  fflush(stdout);
  if (fork() == 0) {
    struct flock q = {.l_type = F_RDLCK, .l_whence = SEEK_END, .l_start = -10, .l_len = 0};
    T(fcntl(fd, F_GETLK, &q));
    printf("%d %ld %ld %d\n", q.l_type, (long)q.l_start, (long)q.l_len, q.l_pid == getppid());
    q = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 3};
    T(fcntl(fd, F_SETLK, &q));
    q.l_len = 2;
    T(fcntl(fd, F_SETLK, &q));
    q = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = -2};
    T(fcntl(fd, F_SETLK, &q));
    q.l_type = F_RDLCK, q.l_start = 2, q.l_len = 1;
    alarm(5);
    T(fcntl(fd, F_SETLKW, &q));
    q.l_pid = 0;
    T(fcntl(fd, F_OFD_SETLK, &q));
    q.l_pid = 1;
    T(fcntl(fd, F_OFD_SETLK, &q));
    _exit(0);
  }
  usleep(200000);
  close(open("lock", O_RDONLY)); // drops every record lock of this process
  wait(0);
  T(flock(fd, LOCK_EX));
  int other = open("lock", O_RDONLY);
  T(flock(other, LOCK_SH | LOCK_NB));
  T(flock(fd, LOCK_SH));
  T(flock(other, LOCK_SH | LOCK_NB));
  T(flock(other, LOCK_UN));
  T(flock(fd, 0));
  T(fcntl(fd, F_SETLEASE, F_RDLCK) < 0 ? 0 : 0);
  T(fcntl(fd, F_GET_SEALS));
  T(fcntl(fd, F_GETPIPE_SZ));
  T(fcntl(fd, 12345));
  close(other);
  close(fd);
}

static void mapping(void) {
  puts("-- mapping");
  int fd = open("map", O_RDWR | O_CREAT | O_TRUNC, 0644);
  T(ftruncate(fd, 5000));
  char *m = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  memcpy(m, "mapped", 6);
  m[5000] = 'x'; // behind the end: never in the file
  printf("%.6s\n", cat("map"));
  T(pwrite(fd, "WR", 2, 1));
  printf("%.6s\n", m);
  T(ftruncate(fd, 6000));
  printf("%d\n", m[5000]);
  struct stat before, after;
  struct timespec old[2] = {{1, 0}, {1, 0}};
  T(msync(m, 8192, MS_SYNC));
  futimens(fd, old);
  fstat(fd, &before);
  m[0] = 'M';
  T(msync(m, 8192, MS_SYNC));
  fstat(fd, &after);
  printf("mtime moved %d\n", after.st_mtim.tv_sec > before.st_mtim.tv_sec);
  T(unlink("map"));
  T(close(fd));
  printf("%.6s\n", m);
  munmap(m, 8192);
  fd = open("/dev/zero", O_RDWR);
  m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  m[0] = 1;
  printf("%d %d\n", m[0], m[1]);
  m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  fflush(stdout);
  if (fork() == 0) m[0] = 5, _exit(0);
  wait(0);
  printf("%d\n", m[0]);
  T(mmap(0, 4096, PROT_READ, MAP_PRIVATE, open("/dev/null", O_RDONLY), 0) == MAP_FAILED ? -1 : 0);
  T(mmap(0, 4096, PROT_READ, MAP_PRIVATE, open(".", O_RDONLY), 0) == MAP_FAILED ? -1 : 0);
  T(mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, open("lock", O_RDONLY), 0) == MAP_FAILED ? -1 : 0);
}

static void directories(void) {
  puts("-- directories");
  T(mkdir("many", 0777));
  char name[32];
  for (int i = 0; i < 300; i++) {
    snprintf(name, sizeof name, "many/%d", i);
    close(open(name, O_CREAT | O_WRONLY, 0600));
  }
  DIR *dir = opendir("many");
  int count = 0;
  long middle = 0;
  struct dirent *e;
  char after_middle[32] = "";
  while ((e = readdir(dir))) {
    if (count == 150) strcpy(after_middle, e->d_name);
    count++;
    if (count == 150) middle = telldir(dir);
  }
  printf("%d\n", count);
  seekdir(dir, middle);
  e = readdir(dir);
  printf("same %d\n", e && !strcmp(e->d_name, after_middle));
  rewinddir(dir);
  int removed = 0;
  while ((e = readdir(dir)))
    if (e->d_name[0] != '.') removed += unlinkat(dirfd(dir), e->d_name, 0) == 0;
  printf("%d\n", removed);
  T(rmdir("many"));
  T(syscall(SYS_getdents64, dirfd(dir), name, 32));
  closedir(dir);
  int fd = open(".", O_RDONLY);
  T(syscall(SYS_getdents64, fd, name, 4));
  T(syscall(SYS_getdents64, open("lock", O_RDONLY), name, 32));
  char link[64], path[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  T(readlink(link, path, 64) > 0);
  T(fchdir(fd));
  T(fchdir(open("lock", O_RDONLY)));
  T(fsync(fd));
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  opening();
  data();
  copying();
  names();
  attributes();
  locks();
  mapping();
  directories();
  return 0;
}
