/* Fills argv[2] KiB of the file argv[1] through a shared mapping, asks for write-back, and checks what it sees itself. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv) {
  long length = atol(argv[2]) << 10, wrong = 0;
  int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, length)) return perror(argv[1]), 3;
  char *p = mmap(0, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  for (long page = 0; page * 4096 < length; page++) memset(p + page * 4096, 'a' + page % 26, 4096);
  printf("msync: %s\n", msync(p, length, MS_SYNC) ? strerror(errno) : "ok");
  printf("fsync: %s\n", fsync(fd) ? strerror(errno) : "ok");
  for (long i = 0; i < length; i += 512) wrong += p[i] != 'a' + i / 4096 % 26;
  printf(wrong ? "%ld wrong\n" : "contents right\n", wrong);
  return wrong != 0;
}
