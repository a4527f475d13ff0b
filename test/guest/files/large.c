/* Large things: a sparse file beyond 4 GiB through every call and mapping, a folder of thousands of names changed while it is listed,
 * and several processes that append to one file and count in one under locks of each kind. Runs in an empty folder. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define G (1L << 30)
static void say(const char *what, long result) {
  if (result < 0) printf("%s: %s\n", what, strerrorname_np(errno));
  else printf("%s: %ld\n", what, result);
  fflush(stdout);
}
#define T(call) say(#call, (long)(call))

static void sparse(void) {
  char b[64] = {0};
  struct stat s;
  int fd = open("big", O_RDWR | O_CREAT | O_TRUNC, 0600), other = open("other", O_RDWR | O_CREAT, 0600);
  T(pwrite(fd, "at five", 7, 5 * G + 100));
  T(lseek(fd, 0, SEEK_END));
  T(ftruncate(fd, 9 * G + 5));
  T(pread(fd, b, 7, 5 * G + 100));
  puts(b);
  char *m = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 8 * G - 4096);
  m[4096] = 'x', m[4095] = 'w';
  T(msync(m, 8192, MS_SYNC));
  T(pread(fd, b, 2, 8 * G - 1));
  printf("%.2s\n", b);
  /* The same page of four GiB less and more is another page. */
  T(pread(fd, b, 2, 4 * G - 1));
  printf("%d %d\n", b[0], b[1]);
  char *q = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 5 * G);
  puts(q + 100);
  q[100] = 'P';
  T(pread(fd, b, 1, 5 * G + 100));
  printf("%c\n", b[0]);
  fstat(fd, &s);
  printf("size %ld, sparse %d\n", (long)s.st_size, s.st_blocks < 2048);
  T(fsync(fd));
  fstat(fd, &s);
  printf("size %ld, sparse %d\n", (long)s.st_size, s.st_blocks < 2048);
  T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8 * G - 4096, 4096));
  printf("%d %c\n", m[4095], m[4096]);
  T(pwrite(fd, "end", 3, 9 * G + 2));
  off_t from = 9 * G, to = 6 * G;
  T(copy_file_range(fd, &from, other, &to, 5, 0));
  from = 9 * G + 2;
  T(lseek(other, 7 * G, SEEK_SET));
  T(sendfile(other, fd, &from, 3));
  T(lseek(other, 0, SEEK_END));
  T(pread(other, b, 5, 6 * G));
  printf("%d%d%.3s\n", b[0], b[1], b + 2);
  T(pread(other, b, 3, 7 * G));
  printf("%.3s\n", b);
  T(ftruncate(fd, 5 * G + 103));
  T(ftruncate(fd, 8 * G + 1));
  T(pread(fd, b, 7, 5 * G + 100));
  printf("%.3s%d%d\n", b, b[3], b[6]);
  printf("%d\n", m[4096]);
  T(pwrite(fd, "z", 1, 1L << 62));
  T(unlink("big"));
  T(pread(fd, b, 3, 5 * G + 100));
  close(fd), close(other), unlink("other"), munmap(m, 8192), munmap(q, 4096);
}

static int names(void) {
  int count = 0;
  DIR *all = opendir("many");
  while (readdir(all)) count++;
  closedir(all);
  return count;
}

static void many(void) {
  char name[64];
  mkdir("many", 0700);
  for (int i = 0; i < 3000; i++) {
    snprintf(name, sizeof name, "many/a-rather-long-name-%d", i);
    close(open(name, O_WRONLY | O_CREAT, 0600));
  }
  printf("%d names\n", names());
  int removed = 0, at = 0;
  DIR *all = opendir("many");
  for (struct dirent *e; (e = readdir(all)); at++)
    if (at % 2 && e->d_name[0] != '.') removed += unlinkat(dirfd(all), e->d_name, 0) == 0;
  closedir(all);
  printf("%d left of %d\n", names() + removed, 3002);
  T(rmdir("many"));
  for (int i = 0; i < 3000; i++) snprintf(name, sizeof name, "many/a-rather-long-name-%d", i), unlink(name);
  T(rmdir("many"));
}

#define EACH 150
static void worker(int who) {
  int log = open("log", O_WRONLY | O_APPEND), number = open("number", O_RDWR);
  char line[32];
  for (int i = 0; i < EACH; i++) {
    memset(line, 'a' + who, 20 + who), line[20 + who] = '\n';
    if (write(log, line, 21 + who) != 21 + who) _exit(1);
    for (int kind = 0; kind < 3; kind++) {
      struct flock lock = {.l_type = F_WRLCK, .l_start = kind * 8, .l_len = 8};
      long value;
      if (kind == 2 ? flock(number, LOCK_EX) : fcntl(number, kind ? F_OFD_SETLKW : F_SETLKW, &lock)) _exit(2);
      pread(number, &value, 8, kind * 8), value++;
      if (i % 16 == who) usleep(1); /* let the others in, if they can */
      pwrite(number, &value, 8, kind * 8);
      lock.l_type = F_UNLCK;
      kind == 2 ? flock(number, LOCK_UN) : fcntl(number, kind ? F_OFD_SETLK : F_SETLK, &lock);
    }
  }
  _exit(0);
}

static void together(void) {
  long numbers[3] = {0};
  int fd = open("number", O_RDWR | O_CREAT, 0600);
  write(fd, numbers, sizeof numbers);
  close(open("log", O_WRONLY | O_CREAT, 0600));
  for (int i = 0; i < 4; i++)
    if (fork() == 0) worker(i);
  int status, bad = 0, lines = 0, broken = 0;
  while (wait(&status) > 0) bad += status != 0;
  pread(fd, numbers, sizeof numbers, 0);
  printf("counted %ld, %ld, %ld; %d failed\n", numbers[0], numbers[1], numbers[2], bad);
  FILE *log = fopen("log", "r");
  char line[64];
  for (; fgets(line, 64, log); lines++) {
    int length = strspn(line, (char[]){line[0], 0});
    broken += length != 20 + line[0] - 'a' || line[length] != '\n';
  }
  printf("%d lines, %d broken\n", lines, broken);
  unlink("log"), unlink("number");
}

int main(void) {
  sparse();
  many();
  together();
  return 0;
}
