/* A small database that is to survive a crash at any moment: three processes, each with its own way to make data durable, and a
 * fourth that takes the memory away. Every record is acknowledged on standard output after the call that promised it.
 *   log     appended records, fsync or fdatasync after each        "log N"
 *   table   slots of a growing file, stored through a mapping, msync(MS_SYNC)   "table N"
 *   state   written aside, fsync, renamed over the old one, fsync of the folder  "state N"
 * Started again in the same folder it recovers as a database does: it checks what is there and goes on behind it. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOT 320 /* divides no page: some slots lie on two */
#define GROWTH 128

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void acknowledge(const char *kind, unsigned number) {
  char line[40];
  int length = snprintf(line, sizeof line, "%s %u\n", kind, number);
  if (write(1, line, length) != length) fail("write");
}

/* Record `number`: its number, its length, then bytes that follow from both. */
static unsigned fill(unsigned char *into, unsigned number, unsigned length) {
  memcpy(into, &number, 4), memcpy(into + 4, &length, 4);
  for (unsigned i = 8; i < length; i++) into[i] = number * 31 + i * 7 + (number >> 8);
  return length;
}

static unsigned char record[20000], found[20000];

static int is_record(unsigned number, unsigned length) {
  fill(record, number, length);
  return memcmp(record, found, length) == 0;
}

static void keep_log(void) {
  int fd = open("log", O_RDWR | O_CREAT | O_APPEND, 0600);
  if (fd < 0) fail("log");
  unsigned number = 1;
  off_t end = 0;
  for (;; number++) {
    unsigned length = number % 7 ? 24 + number % 97 : 6000 + number % 9000;
    if (pread(fd, found, length, end) != length || !is_record(number, length)) break;
    end += length;
  }
  if (ftruncate(fd, end)) fail("ftruncate"); /* a torn record */
  for (;; number++) {
    unsigned length = fill(record, number, number % 7 ? 24 + number % 97 : 6000 + number % 9000);
    if (write(fd, record, length) != length) fail("append");
    if (number % 2 ? fsync(fd) : fdatasync(fd)) fail("fsync");
    acknowledge("log", number);
  }
}

static void keep_table(void) {
  int fd = open("table", O_RDWR | O_CREAT, 0600);
  if (fd < 0) fail("table");
  struct stat s;
  fstat(fd, &s);
  unsigned slots = s.st_size / SLOT, number = 1;
  for (; number <= slots; number++)
    if (pread(fd, found, SLOT, (off_t)(number - 1) * SLOT) != SLOT || !is_record(number, SLOT)) break;
  unsigned char *map = 0;
  for (;; number++) {
    if (number > slots || map == 0) {
      if (map) munmap(map, (size_t)slots * SLOT);
      while (slots < number) slots += GROWTH;
      if (ftruncate(fd, (off_t)slots * SLOT)) fail("ftruncate");
      map = mmap(0, (size_t)slots * SLOT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      if (map == MAP_FAILED) fail("mmap");
    }
    size_t at = (size_t)(number - 1) * SLOT, from = at & ~4095UL;
    fill(map + at, number, SLOT);
    /* Now and then many pages wait for one msync. */
    if (number % 16 > 12) continue;
    if (number % 16 == 0) from = 0;
    if (msync(map + from, at + SLOT - from, MS_SYNC)) fail("msync");
    if (number % 16 == 0 || number % 16 <= 12) acknowledge("table", number);
  }
}

static void keep_state(void) {
  unsigned number = 0;
  int fd = open("state", O_RDONLY);
  if (fd >= 0) {
    int length = read(fd, found, sizeof found);
    if (length < 4) fail("state is torn");
    memcpy(&number, found, 4);
    close(fd);
  }
  int folder = open(".", O_RDONLY | O_DIRECTORY);
  for (number++;; number++) {
    fd = open("state.new", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    unsigned length = fill(record, number, 3000 + number * 37 % 9000);
    if (fd < 0 || write(fd, record, length) != length || fsync(fd) || close(fd)) fail("state.new");
    if (rename("state.new", "state") || fsync(folder)) fail("rename");
    acknowledge("state", number);
  }
}

static void press(void) {
  volatile char *memory = mmap(0, 12 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (;;) {
    for (int at = 0; at < 12 << 20; at += 4096) memory[at]++;
    usleep(2000);
  }
}

int main(void) {
  void (*parts[])(void) = {keep_log, keep_table, keep_state, press};
  for (int i = 0; i < 4; i++)
    if (fork() == 0) parts[i](), _exit(0);
  int status;
  wait(&status); /* none ends but by an error */
  return 1;
}
