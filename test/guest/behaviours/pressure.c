/* N processes, forked from one that has filled its memory, store and check at random in private, shared and file-backed
 * memory, M rounds; every word is checked against what that process wrote last. Says "all N agree", or what is wrong. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRIVATE_WORDS ((3UL << 20) / 8)
#define FILE_WORDS ((1UL << 20) / 8)
#define SHARED_WORDS ((1UL << 20) / 8)

static unsigned long *private_words, *file_words, *shared_words;
static unsigned long state;

static unsigned long next_random(void) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return state;
}

static unsigned long mix(unsigned long who, unsigned long round, unsigned long index) {
  return (who * 1000003 + round) * 0x9e3779b97f4a7c15UL + index;
}

static int child(int who, int of, int rounds, const char *name) {
  static unsigned char written[PRIVATE_WORDS];
  state = 88172645463325252UL + who;
  /* A file of its own, mapped shared, and a private view of the same file made before anything is stored. */
  char path[64];
  snprintf(path, sizeof path, "%s.%d", name, who);
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ftruncate(fd, FILE_WORDS * 8)) return 10;
  file_words = mmap(0, FILE_WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (file_words == MAP_FAILED) return 11;
  for (int round = 1; round <= rounds; round++) {
    for (int i = 0; i < 6000; i++) {
      unsigned long at = next_random() % PRIVATE_WORDS;
      unsigned long expected = written[at] ? mix(who, written[at], at) : mix(99, 0, at);
      if (private_words[at] != expected) return 20;
      private_words[at] = mix(who, round, at), written[at] = round;
    }
    for (unsigned long at = who; at < SHARED_WORDS; at += 16 * of) {
      if (round > 1 && shared_words[at] != mix(who, round - 1, at)) return 30;
      shared_words[at] = mix(who, round, at);
    }
    for (unsigned long at = 0; at < FILE_WORDS; at += 64) file_words[at] = mix(who, round, at);
    if (round == 2) msync(file_words, FILE_WORDS * 8, MS_SYNC);
    for (unsigned long at = 0; at < FILE_WORDS; at += 64) {
      unsigned long from_file = 0;
      if (pread(fd, &from_file, 8, at * 8) != 8 || from_file != mix(who, round, at)) return 40;
    }
  }
  for (unsigned long at = 0; at < PRIVATE_WORDS; at++) {
    unsigned long expected = written[at] ? mix(who, written[at], at) : mix(99, 0, at);
    if (private_words[at] != expected) return 50;
  }
  unlink(path);
  return 0;
}

int main(int argc, char **argv) {
  int processes = argc > 1 ? atoi(argv[1]) : 4, rounds = argc > 2 ? atoi(argv[2]) : 3, wrong = 0;
  private_words = mmap(0, PRIVATE_WORDS * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  shared_words = mmap(0, SHARED_WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (unsigned long at = 0; at < PRIVATE_WORDS; at++) private_words[at] = mix(99, 0, at);
  for (int i = 0; i < processes; i++)
    if (fork() == 0) _exit(child(i, processes, rounds, "/tmp/pressure"));
  for (int i = 0; i < processes; i++) {
    int status;
    wait(&status);
    if (status) wrong++, printf("a child ended with %x\n", status);
  }
  for (unsigned long at = 0; at < PRIVATE_WORDS; at++)
    if (private_words[at] != mix(99, 0, at)) return printf("the parent's memory changed\n"), 1;
  for (int who = 0; who < processes; who++)
    for (unsigned long at = who; at < SHARED_WORDS; at += 16 * processes)
      if (shared_words[at] != mix(who, rounds, at)) return printf("shared memory is wrong\n"), 1;
  if (!wrong) printf("all %d agree\n", processes);
  return wrong;
}
