/* Opens, reads, writes, creates, renames, lists and links below /mnt/swap while someone on the host swaps that folder, and files in it,
 * for symbolic links to places outside. Guest processes swap names among themselves, too. Ends after argv[1] milliseconds. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int escaped;
static void look(const char *way, const char *text) {
  if (strstr(text, "OUTSIDE")) printf("escaped: %s\n", way), fflush(stdout), escaped = 1;
}

static void read_file(const char *way, int fd) {
  char text[64] = "";
  if (fd < 0) return;
  read(fd, text, 63);
  look(way, text);
  char *m = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);
  struct stat s;
  if (m != MAP_FAILED && fstat(fd, &s) == 0 && s.st_size > 8 && s.st_size < 4096) {
    /* The file may be cut meanwhile: only copies by the kernel are safe. */
    int pipes[2];
    pipe(pipes);
    if (write(pipes[1], m, 8) == 8) memset(text, 0, 64), read(pipes[0], text, 8), look("mapping", text);
    close(pipes[0]), close(pipes[1]);
  }
  if (m != MAP_FAILED) munmap(m, 4096);
  close(fd);
}

static void write_file(int fd) {
  if (fd < 0) return;
  write(fd, "guest", 5), ftruncate(fd, 5), fchmod(fd, 0666), fsync(fd);
  struct timespec times[2] = {{1, 0}, {2, 0}};
  futimens(fd, times);
  close(fd);
}

int main(int argc, char **argv) {
  long end = now() + atoi(argv[1]);
  long rounds = 0;
  pid_t other = fork();
  if (other == 0) {
    while (now() < end) {
      symlink("swap", "/mnt/alias"), rename("/mnt/alias", "/mnt/through");
      mkdir("/mnt/folder", 0755), rename("/mnt/folder", "/mnt/through");
      syscall(SYS_renameat2, AT_FDCWD, "/mnt/through", AT_FDCWD, "/mnt/kept", 2);
      rmdir("/mnt/kept"), unlink("/mnt/kept");
    }
    _exit(0);
  }
  for (; now() < end; rounds++) {
    read_file("open", open("/mnt/swap/file", O_RDONLY));
    read_file("through a link", open("/mnt/through/file", O_RDONLY));
    int folder = open("/mnt/swap", O_RDONLY | O_DIRECTORY);
    read_file("openat", openat(folder, "file", O_RDWR));
    read_file("openat up", openat(folder, "../outside/file", O_RDONLY));
    read_file("openat up twice", openat(folder, "../../outside/file", O_RDONLY));
    DIR *listing = folder < 0 ? 0 : fdopendir(folder);
    for (struct dirent *e; listing && (e = readdir(listing));)
      if (!strcmp(e->d_name, "canary")) printf("escaped: listing\n"), escaped = 1;
    if (listing) closedir(listing);
    write_file(open("/mnt/swap/file", O_RDWR));
    write_file(open("/mnt/swap/file", O_WRONLY | O_TRUNC));
    write_file(open("/mnt/swap/new", O_WRONLY | O_CREAT, 0644));
    write_file(open("/mnt/one", O_RDWR));
    truncate("/mnt/one", 3), chmod("/mnt/one", 0600), chown("/mnt/one", 5, 5), utimensat(AT_FDCWD, "/mnt/one", 0, 0);
    char text[64] = "";
    read_file("one", open("/mnt/one", O_RDONLY));
    link("/mnt/one", "/mnt/hard"), read_file("hard", open("/mnt/hard", O_RDONLY)), unlink("/mnt/hard");
    mkdir("/mnt/swap/made", 0755), rename("/mnt/swap/made", "/mnt/swap/moved"), rmdir("/mnt/swap/moved");
    rename("/mnt/swap/canary", "/mnt/stolen"), read_file("stolen", open("/mnt/stolen", O_RDONLY));
    unlink("/mnt/swap/canary"), unlink("/mnt/swap/new"), symlink("x", "/mnt/swap/sym"), unlink("/mnt/swap/sym");
    chmod("/mnt/swap", 0700);
  }
  waitpid(other, 0, 0);
  printf("%s, %d\n", rounds > 20 ? "many rounds" : "few rounds", escaped);
  return escaped;
}
