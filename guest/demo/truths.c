/* Scenes for `faultline demo`: each does one thing with memory and stops at named moments, so that the demo can look at
 * the machine from outside and print what it sees. Usage: truths SCENE [NUMBER] */
#include "../lib/sys.h"

static const char file_path[] = "/tmp/story.txt";
static uchar resident[1024];

static ulong resident_pages(void *at, ulong pages) {
  ulong n = 0;
  if (syscall3(SYS_mincore, at, pages * PAGE, resident) < 0) return (ulong)-1;
  for (ulong i = 0; i < pages; i++) n += resident[i] & 1;
  return n;
}

static int scene_restart(void) {
  volatile ulong *p = map(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  long minor0, minor1, minor2, major;
  moment("mapped");
  fault_counts(&minor0, &major);
  p[1] = 42;
  fault_counts(&minor1, &major);
  p[2] = p[1] + 1;
  fault_counts(&minor2, &major);
  say("area %x first-store-faults %d second-store-faults %d value %u\n", (ulong)p, minor1 - minor0, minor2 - minor1, p[2]);
  return 0;
}

/* A file of 2 pages and 100 bytes: piece i starts with the letter 'A' + i. */
static long make_file(void) {
  static char page[PAGE];
  long fd = syscall6(SYS_openat, AT_FDCWD, (long)file_path, O_RDWR | O_CREAT | O_TRUNC, 0600, 0, 0);
  for (int i = 0; i < 3; i++) {
    memset(page, 'A' + i, PAGE);
    syscall6(SYS_pwrite64, fd, (long)page, i == 2 ? 100 : PAGE, i * (long)PAGE, 0, 0);
  }
  return fd;
}

static void on_fault(int number, void *info) {
  say("signal %d address %x\n", (long)number, ((ulong *)info)[2]);
  leave(0);
}

static void catch_signal(int number) {
  struct { void (*handler)(int, void *); ulong flags; ulong mask; } action = {on_fault, 4 /* SA_SIGINFO */, 0};
  syscall6(SYS_rt_sigaction, number, (long)&action, 0, 8, 0, 0);
}

static int scene_file(void) {
  long fd = make_file();
  volatile char *p = map(0, 4 * PAGE, PROT_READ, MAP_PRIVATE, (int)fd, 0);
  say("area %x file %s bytes %u\n", (ulong)p, file_path, 2 * PAGE + 100);
  moment("mapped");
  char letters[4] = {p[0], p[PAGE], p[2 * PAGE], 0};
  moment("touched");
  say("pieces %s after-end %d beyond-last-page ", letters, (long)p[2 * PAGE + 100]);
  catch_signal(7);
  (void)p[3 * PAGE];
  say("no signal\n");
  return 1;
}

static int scene_zero(ulong pages) {
  volatile ulong *p = map(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ulong sum = 0, before = resident_pages((void *)p, pages);
  moment("mapped");
  for (ulong i = 0; i < pages; i++) sum += p[i * 512 + 7], p[i * 512] = i;
  moment("touched");
  say("pages %u resident-before %u resident-after %u sum-of-fresh-words %u\n", pages, before, resident_pages((void *)p, pages), sum);
  return 0;
}

/* Fills `mebibytes` with a pattern and checks it; the exit status says whether every byte came back. */
static int scene_fill(ulong mebibytes) {
  ulong words = mebibytes * (1UL << 20) / sizeof(ulong);
  ulong *p = map(0, words * sizeof(ulong), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (failed(p)) {
    say("mmap of %u MiB refused: error %d\n", mebibytes, (long)p);
    return 12;
  }
  for (ulong i = 0; i < words; i += 8) p[i] = i * 0x9e3779b97f4a7c15UL;
  moment("filled");
  for (ulong i = 0; i < words; i += 8)
    if (p[i] != i * 0x9e3779b97f4a7c15UL) {
      say("word %u is wrong\n", i);
      return 1;
    }
  say("%u MiB filled and checked\n", mebibytes);
  return 0;
}

static int scene_private(void) {
  volatile ulong *p = map(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  p[0] = 1;
  long child = fork_process();
  if (child == 0) {
    say("area %x\n", (ulong)p);
    moment("forked");
    p[0] = 2;
    moment("written");
    say("child sees %u\n", p[0]);
    leave(0);
  }
  wait_for(child, 0);
  say("parent sees %u\n", p[0]);
  child = fork_process();
  if (child == 0) {
    catch_signal(SIGSEGV);
    *(volatile ulong *)(1UL << 37) = 1;
    leave(1);
  }
  int status = 0;
  wait_for(child, &status);
  return status;
}

int main(int argc, char **argv, char **envp) {
  (void)envp;
  const char *scene = argc > 1 ? argv[1] : "";
  ulong number = argc > 2 ? parse_number(argv[2]) : 0;
  if (text_equal(scene, "restart")) return scene_restart();
  if (text_equal(scene, "file")) return scene_file();
  if (text_equal(scene, "zero")) return scene_zero(number ? number : 64);
  if (text_equal(scene, "fill")) return scene_fill(number ? number : 8);
  if (text_equal(scene, "private")) return scene_private();
  say("usage: truths restart | file | zero PAGES | fill MIB | private\n");
  return 2;
}
