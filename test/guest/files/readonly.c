/* Every call that changes a file system, on one that is mounted read-only: all must answer EROFS (what answers otherwise is printed, and
 * a count of those that did). Expects file, folder/, folder/inner, link -> file. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

static int refused;
static void must(const char *what, long result, int wanted) {
  if (result < 0 && errno == wanted) refused++;
  else printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "succeeded");
}
#define REFUSED(call) must(#call, (long)(call), EROFS)

int main(void) {
  struct timespec times[2] = {{1, 0}, {2, 0}};
  int fd = open("file", O_RDONLY), folder = open("folder", O_RDONLY | O_DIRECTORY);
  REFUSED(open("file", O_WRONLY));
  REFUSED(open("file", O_RDWR));
  REFUSED(open("file", O_RDONLY | O_TRUNC));
  REFUSED(open("link", O_WRONLY | O_APPEND));
  REFUSED(open("new", O_WRONLY | O_CREAT, 0644));
  REFUSED(open("new", O_RDONLY | O_CREAT, 0644));
  REFUSED(openat(folder, "new", O_RDWR | O_CREAT | O_EXCL, 0644));
  REFUSED(open("folder", O_RDWR | O_TMPFILE, 0600));
  REFUSED(open("/proc/self/fd/3", O_RDWR));
  REFUSED(truncate("file", 0));
  REFUSED(chmod("file", 0777));
  REFUSED(fchmod(fd, 0777));
  REFUSED(fchmodat(AT_FDCWD, "file", 04755, 0));
  REFUSED(chown("file", 1, 1));
  REFUSED(fchown(fd, 1, 1));
  REFUSED(lchown("link", 1, 1));
  REFUSED(utimensat(AT_FDCWD, "file", times, 0));
  REFUSED(futimens(fd, times));
  REFUSED(utimensat(AT_FDCWD, "link", times, AT_SYMLINK_NOFOLLOW));
  REFUSED(mkdir("new", 0755));
  REFUSED(mkdirat(folder, "new", 0755));
  REFUSED(rmdir("folder"));
  REFUSED(unlink("file"));
  REFUSED(unlink("link"));
  REFUSED(unlinkat(folder, "inner", 0));
  REFUSED(rename("file", "other"));
  REFUSED(rename("folder", "other"));
  REFUSED(syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, "link", 2));
  REFUSED(link("file", "hard"));
  REFUSED(symlink("file", "soft"));
  REFUSED(mknod("pipe", S_IFIFO | 0644, 0));
  REFUSED(mknod("null", S_IFCHR | 0644, makedev(1, 3)));
  REFUSED(setxattr("file", "user.x", "y", 1, 0));
  REFUSED(fsetxattr(fd, "user.x", "y", 1, 0));
  REFUSED(removexattr("file", "user.x"));
  REFUSED(access("file", W_OK));
  REFUSED(faccessat(folder, "inner", W_OK, AT_EACCESS));
  struct sockaddr_un name = {AF_UNIX, "socket"};
  REFUSED(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&name, sizeof name));
  must("shared writable mapping", (long)mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
  must("write", write(fd, "x", 1), EBADF);
  must("ftruncate", ftruncate(fd, 0), EINVAL);
  char *private = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  private[0] = '!';
  if (msync(private, 4096, MS_SYNC)) printf("msync of a private mapping\n");
  printf("%d refused\n", refused);
  return 0;
}
