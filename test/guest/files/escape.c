// Tries to get out of its root and of a host folder by every way it knows. Prints a line for each way that led outside.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int tried, escaped;

/** The host's secret holds "OUTSIDE". */
static void look(const char *way, int fd) {
  char text[16] = "";
  tried++;
  if (fd < 0) return;
  if (read(fd, text, 15) > 0 && strstr(text, "OUTSIDE")) {
    printf("escaped: %s\n", way);
    escaped++;
  }
  close(fd);
}

/** As a descriptor of an openat2 with every restriction and none, from every kind of folder. */
static void resolutions(const char *secret) {
  const char *from[] = {"/", "/mnt", "/mnt/folder", "/proc/self", "/proc/self/fd", "/dev", "/tmp"};
  const char *to[] = {"absolute", "relative", "folder/secret", "own", "loop", "loop/secret", "deep/absolute", "root", "cwd/../absolute"};
  unsigned long how[] = {0, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV, RESOLVE_NO_SYMLINKS};
  for (int i = 0; i < 7; i++)
    for (int j = 0; j < 6; j++) {
      int folder = open(from[i], O_PATH | O_DIRECTORY);
      struct open_how h = {.flags = O_RDONLY, .resolve = how[j]};
      char path[600];
      for (int k = 0; k < 9; k++) look("openat2 of a link", syscall(SYS_openat2, folder, to[k], &h, sizeof h));
      for (int ups = 0; ups < 12; ups += 3) {
        strcpy(path, "./");
        for (int k = 0; k < ups; k++) strcat(path, k % 2 ? "..//" : ".././");
        strcat(path, secret + 1);
        look("openat2 upwards", syscall(SYS_openat2, folder, path, &h, sizeof h));
      }
      close(folder);
    }
}

/** Names that mean nothing to a kernel but might to whoever passes them on. */
static void names(const char *secret) {
  static char name[5000];
  const char *odd[] = {"%2e%2e", "..%2f", "\xc0\xae\xc0\xae", "\xed\xa0\x80", "\xff\xfe", "a\\..\\..", "~root", "$HOME", "`id`", "..\n", " ..", "... "};
  for (int i = 0; i < 12; i++) {
    snprintf(name, sizeof name, "/mnt/%s/%s", odd[i], secret);
    look("odd name", open(name, O_RDONLY));
    snprintf(name, sizeof name, "/mnt/%s", odd[i]);
    mkdir(name, 0700);
    strcat(name, "/../../outside/secret");
    look("odd folder", open(name, O_RDONLY));
    snprintf(name, sizeof name, "/mnt/%s", odd[i]);
    rmdir(name);
  }
  memset(name, 0, sizeof name);
  for (int length = 250; length < 4300; length += length < 260 ? 1 : 800) {
    strcpy(name, "/mnt/");
    memset(name + 5, 'n', length);
    strcpy(name + 5 + length, "/../../outside/secret");
    look("long name", open(name, O_RDONLY));
    name[5 + length] = 0;
    int made = open(name, O_WRONLY | O_CREAT, 0600);
    if (made >= 0 && length > 255) printf("escaped: a name of %d bytes\n", length), escaped++;
    if (made >= 0) close(made), unlink(name);
  }
}

static void more(const char *secret) {
  char path[600];
  int top = open("/", O_RDONLY | O_DIRECTORY);
  /* Sockets and pipes that the host has in the mount. */
  int talk = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un name = {AF_UNIX, "/mnt/socket"};
  if (connect(talk, (void *)&name, sizeof name) == 0) write(talk, "guest", 5), look("the host's socket", talk);
  int pipe = open("/mnt/pipe", O_WRONLY | O_NONBLOCK);
  if (pipe >= 0) write(pipe, "guest", 5);
  /* What the host would run or read as more than text. */
  int tool = open("/mnt/tool", O_WRONLY | O_CREAT, 0755);
  fchown(tool, 0, 0), fchmod(tool, 06777), setxattr("/mnt/tool", "security.capability", "\1\0\0\2\377\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, 0);
  mkdir("/mnt/group", 02777), chmod("/mnt/group", 02777), mknod("/mnt/null", S_IFCHR | 0666, makedev(1, 3));
  symlink("loop", "/mnt/loop"), mkdir("/mnt/deep", 0700), symlink("../../../../outside/secret", "/mnt/deep/absolute");
  unlink("/mnt/own"), symlink(secret, "/mnt/own");
  resolutions(secret);
  names(secret);
  /* A chroot inside of the mount, left by a descriptor, twice. */
  for (int i = 0; i < 2; i++) {
    int out = open("..", O_RDONLY | O_DIRECTORY);
    mkdir("/mnt/deep/jail", 0700), chroot("/mnt/deep/jail"), chroot("jail"), fchdir(out);
    for (int k = 0; k < 50; k++) chdir(".."), chroot(".");
    look("double chroot", open(secret, O_RDONLY));
    look("double chroot, outside", open("outside/secret", O_RDONLY));
  }
  fchdir(top), chroot(".");
  /* Handles, pivoting, mounts that name the host. */
  look("open_by_handle_at", syscall(SYS_open_by_handle_at, open("/mnt", O_RDONLY), "\10\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0", O_RDONLY));
  look("pivot_root", (syscall(SYS_pivot_root, "/mnt", "/mnt/deep"), open("/deep/../../outside/secret", O_RDONLY)));
  mkdir("/tmp/x", 0700);
  snprintf(path, sizeof path, "lowerdir=%s,upperdir=/mnt,workdir=/mnt", secret);
  look("overlay", (mount("overlay", "/tmp/x", "overlay", 0, path), open("/tmp/x/secret", O_RDONLY)));
  look("bind of a host path", (mount(secret, "/tmp/x", 0, MS_BIND, 0), open("/tmp/x/secret", O_RDONLY)));
  look("9p", (mount("host", "/tmp/x", "9p", 0, "trans=virtio"), open("/tmp/x/secret", O_RDONLY)));
  for (int i = 1; i < 400; i++) {
    snprintf(path, sizeof path, "/proc/%d/root%s", i, secret), look("root of another", open(path, O_RDONLY));
    snprintf(path, sizeof path, "/proc/%d/cwd/outside/secret", i), look("cwd of another", open(path, O_RDONLY));
  }
}

int main(int argc, char **argv) {
  const char *secret = argv[1]; // the path on the host
  char path[600];
  look("absolute", open(secret, O_RDONLY));
  snprintf(path, sizeof path, "/../../../../../../..%s", secret);
  look("dotdot", open(path, O_RDONLY));
  snprintf(path, sizeof path, "/mnt/../../../../../../..%s", secret);
  look("dotdot from the mount", open(path, O_RDONLY));
  look("planted absolute link", open("/mnt/absolute", O_RDONLY));
  look("planted relative link", open("/mnt/relative", O_RDONLY));
  look("planted folder link", open("/mnt/folder/secret", O_RDONLY));
  look("planted link to the host's root", open("/mnt/slash/etc/hostname-of-host", O_RDONLY));
  unlink("/mnt/own");
  symlink(secret, "/mnt/own");
  look("own absolute link", open("/mnt/own", O_RDONLY));
  unlink("/mnt/own");
  symlink("../../../../../../../../../tmp", "/mnt/own");
  snprintf(path, sizeof path, "/mnt/own%s", strlen(secret) > 4 ? secret + 4 : secret);
  look("own relative link", open(path, O_RDONLY));
  look("hard link to a planted link", (link("/mnt/absolute", "/mnt/hard"), open("/mnt/hard", O_RDONLY)));
  linkat(AT_FDCWD, "/mnt/absolute", AT_FDCWD, "/mnt/hard2", AT_SYMLINK_FOLLOW);
  look("followed hard link", open("/mnt/hard2", O_RDONLY));
  const char *magic[] = {"/proc/self/root", "/proc/1/root", "/proc/self/cwd", "/proc/self/task/self/root", "/dev/fd"};
  for (int i = 0; i < 5; i++) {
    snprintf(path, sizeof path, "%s/../../../..%s", magic[i], secret);
    look(magic[i], open(path, O_RDONLY));
    snprintf(path, sizeof path, "%s%s", magic[i], secret);
    look(magic[i], open(path, O_RDONLY));
  }
  for (int fd = 0; fd < 20; fd++) {
    snprintf(path, sizeof path, "/proc/self/fd/%d%s", fd, secret);
    look("proc fd", open(path, O_RDONLY));
    snprintf(path, sizeof path, "/proc/self/fd/%d/../../..%s", fd, secret);
    look("proc fd dotdot", open(path, O_RDONLY));
  }
  int dir = open("/mnt", O_PATH | O_DIRECTORY);
  snprintf(path, sizeof path, "../../../..%s", secret);
  look("openat", openat(dir, path, O_RDONLY));
  struct open_how how = {.flags = O_RDONLY};
  look("openat2", syscall(SYS_openat2, dir, path, &how, sizeof how));
  // The old chroot breakout: stay outside of the new root, then walk up.
  mkdir("/tmp/jail", 0700);
  int top = open("/", O_RDONLY | O_DIRECTORY);
  chroot("/tmp/jail");
  fchdir(top);
  for (int i = 0; i < 30; i++) chdir("..");
  chroot(".");
  look("chroot breakout", open(secret, O_RDONLY));
  // Rename the working directory away while standing in it.
  mkdir("/mnt/a", 0700), mkdir("/mnt/a/b", 0700);
  chdir("/mnt/a/b");
  rename("/mnt/a/b", "/mnt/c");
  snprintf(path, sizeof path, "../../../../..%s", secret);
  look("renamed working directory", open(path, O_RDONLY));
  chdir("/");
  // Devices and mounts of the host.
  mknod("/tmp/disk", S_IFBLK | 0666, makedev(8, 0));
  mknod("/tmp/memory", S_IFCHR | 0666, makedev(1, 1));
  mknod("/mnt/disk", S_IFBLK | 0666, makedev(254, 0));
  look("block device", open("/tmp/disk", O_RDONLY));
  look("memory device", open("/tmp/memory", O_RDONLY));
  look("block device on the mount", open("/mnt/disk", O_RDONLY));
  look("planted pipe", open("/mnt/pipe", O_RDWR | O_NONBLOCK));
  mkdir("/tmp/m", 0700);
  look("bind", (mount("/", "/tmp/m", 0, MS_BIND | MS_REC, 0), chdir("/tmp/m/.."), open(path, O_RDONLY)));
  look("mount by type", (mount("/dev/vda", "/tmp/m", "ext4", 0, 0), open("/tmp/m/etc/hostname", O_RDONLY)));
  more(secret);
  look("unmount", (umount2("/mnt", MNT_DETACH), open("/mnt/../secret", O_RDONLY)));
  printf("%d ways tried, %d led outside\n", tried, escaped);
  return escaped != 0;
}
