// Tries to get out of its root and of a host folder by every way it knows. Prints a line for each way that led outside.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
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
  look("unmount", (umount2("/mnt", MNT_DETACH), open("/mnt/../secret", O_RDONLY)));
  printf("%d ways tried, %d led outside\n", tried, escaped);
  return escaped != 0;
}
