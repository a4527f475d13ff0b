/* The steps of `pages` that touch memory and look at it: accesses that may fault, and what /proc says about an area. */
#include "pages.h"

#define CODE_ADDRESS_ERROR 2 /* BUS_ADRERR */
#define UCONTEXT_PC 22       /* word of the program counter in riscv's ucontext */

static char text[1 << 16];
static volatile int signal_number, signal_code;

/* The access that faulted is one instruction of 4 bytes: go on behind it. */
static void on_signal(int number, int *info, ulong *context) {
  signal_number = number;
  signal_code = info[2];
  context[UCONTEXT_PC] += 4;
}

static uchar load(const uchar *at) {
  ulong value = 0;
  __asm__ volatile(".option push\n.option norvc\nlbu %0, 0(%1)\n.option pop" : "+r"(value) : "r"(at) : "memory");
  return (uchar)value;
}

static void store(uchar *at, uchar value) {
  __asm__ volatile(".option push\n.option norvc\nsb %0, 0(%1)\n.option pop" : : "r"(value), "r"(at) : "memory");
}

void catch_faults(void) {
  struct { void (*handler)(int, int *, ulong *); ulong flags; ulong mask; } action = {on_signal, 4 /* SA_SIGINFO */, 0};
  syscall6(SYS_rt_sigaction, SIGSEGV, (long)&action, 0, 8, 0, 0);
  syscall6(SYS_rt_sigaction, SIGBUS, (long)&action, 0, 8, 0, 0);
  load((const uchar *)16); /* once here, so that the pages of signal delivery are touched before anything is counted */
}

static const char *signal_name(void) {
  if (signal_number == SIGBUS) return signal_code == CODE_ADDRESS_ERROR ? "SIGBUS (beyond the end of the file)" : "SIGBUS";
  return signal_code == 1 ? "SIGSEGV (no area there)" : "SIGSEGV (the area does not allow it)";
}

void touch(const struct area *area, struct range range, const char *pages, char letter) {
  long minor, major, minor_after, major_after;
  signal_number = 0;
  fault_counts(&minor, &major);
  ulong i = range.first;
  for (; i <= range.last && signal_number == 0; i += range.step)
    if (letter) store(area->start + i * PAGE, (uchar)letter);
    else load(area->start + i * PAGE);
  fault_counts(&minor_after, &major_after);
  say("%s%s %s %s: %d minor faults, %d major", speaker, letter ? "write" : "read", area->name, *pages ? pages : "all",
      minor_after - minor, major_after - major);
  if (signal_number) say(", page %u: %s\n", i - range.step, signal_name());
  else say("\n");
}

void show_letters(const struct area *area, struct range range) {
  ulong n = 0;
  signal_number = 0;
  for (ulong i = range.first; i <= range.last && n < 400; i += range.step) {
    uchar c = load(area->start + i * PAGE);
    text[n++] = signal_number ? '!' : c == 0 ? '0' : c > 32 && c < 127 ? (char)c : '?';
    signal_number = 0;
  }
  text[n] = 0;
  say("%sshow %s: %s\n", speaker, area->name, text);
}

static ulong pagemap_entry(long fd, const uchar *at) {
  ulong entry = 0;
  syscall6(SYS_pread64, fd, (long)&entry, 8, (long)((ulong)at / PAGE * 8), 0, 0);
  return entry;
}

/* Bits of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst). */
void show_state(const struct area *area, struct range range) {
  static uchar *zero;
  long fd = syscall6(SYS_openat, AT_FDCWD, (long)"/proc/self/pagemap", O_RDONLY, 0, 0, 0);
  if (zero == 0) zero = map(0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  load(zero);
  ulong zero_entry = pagemap_entry(fd, zero), n = 0;
  for (ulong i = range.first; i <= range.last && n < 400; i += range.step) {
    ulong entry = pagemap_entry(fd, area->start + i * PAGE);
    ulong frame = entry & ((1UL << 55) - 1);
    char state = '.';
    if (entry >> 62 & 1) state = 's';
    else if (entry >> 63) {
      if (entry >> 61 & 1) state = 'f';
      else if (frame == (zero_entry & ((1UL << 55) - 1)) && frame) state = 'z';
      else state = entry >> 56 & 1 ? 'a' : 'A';
    }
    text[n++] = state;
  }
  text[n] = 0;
  syscall3(SYS_close, fd, 0, 0);
  say("%sstate %s: %s\n", speaker, area->name, text);
}

/* A whole file of /proc into `text`. */
static void slurp(const char *path) {
  long fd = syscall6(SYS_openat, AT_FDCWD, (long)path, O_RDONLY, 0, 0, 0), got;
  ulong n = 0;
  while (n < sizeof text - 1 && (got = syscall3(SYS_read, fd, text + n, sizeof text - 1 - n)) > 0) n += (ulong)got;
  text[n] = 0;
  syscall3(SYS_close, fd, 0, 0);
}

static ulong parse_hex(const char **at) {
  ulong v = 0;
  for (;; (*at)++) {
    char c = **at;
    if (c >= '0' && c <= '9') v = v * 16 + (ulong)(c - '0');
    else if (c >= 'a' && c <= 'f') v = v * 16 + (ulong)(c - 'a' + 10);
    else return v;
  }
}

static const char *next_line(const char *line) {
  while (*line && *line != '\n') line++;
  return *line ? line + 1 : line;
}

static int starts_with(const char *line, const char *word) {
  while (*word && *line == *word) line++, word++;
  return *word == 0;
}

void show_areas(const struct area *area) {
  ulong start = (ulong)area->start, end = start + area->pages * PAGE;
  slurp("/proc/self/maps");
  for (const char *line = text; *line; line = next_line(line)) {
    const char *at = line;
    ulong from = parse_hex(&at), to = (at++, parse_hex(&at));
    if (to <= start || from >= end) continue;
    char permissions[5] = {at[1], at[2], at[3], at[4], 0};
    ulong first = from < start ? 0 : (from - start) / PAGE, last = ((to > end ? end : to) - start) / PAGE - 1;
    say("%sarea %s %u-%u %s\n", speaker, area->name, first, last, permissions);
  }
}

/* Value in KiB of a line "Name:   12 kB" in `text` from `line` up to the next area. */
static ulong figure(const char *line, const char *name) {
  for (; *line; line = next_line(line))
    if (starts_with(line, name)) {
      while (*line && (*line < '0' || *line > '9')) line++;
      return parse_number(line);
    }
  return 0;
}

void show_usage(const struct area *area) {
  ulong start = (ulong)area->start, end = start + area->pages * PAGE;
  ulong rss = 0, pss = 0, own = 0, swap = 0;
  slurp("/proc/self/smaps");
  for (const char *line = text; *line; line = next_line(line)) {
    const char *at = line;
    ulong from = parse_hex(&at);
    if (*at != '-') continue;
    at++;
    ulong to = parse_hex(&at);
    if (to <= start || from >= end) continue;
    rss += figure(line, "Rss:"), pss += figure(line, "Pss:"), swap += figure(line, "Swap:");
    own += figure(line, "Private_Clean:") + figure(line, "Private_Dirty:");
  }
  say("%susage %s: RSS %u KiB, PSS %u KiB, USS %u KiB, swap %u KiB\n", speaker, area->name, rss, pss, own, swap);
}

void show_process(void) {
  slurp("/proc/self/status");
  say("%susage: VSZ %u KiB, RSS %u KiB, swap %u KiB, page tables %u KiB\n", speaker, figure(text, "VmSize:"), figure(text, "VmRSS:"),
      figure(text, "VmSwap:"), figure(text, "VmPTE:"));
}

/* Clean pages of files leave memory: the next touch is a major fault. */
void drop_caches(const char *step) {
  long fd = syscall6(SYS_openat, AT_FDCWD, (long)"/proc/sys/vm/drop_caches", O_WRONLY, 0, 0, 0);
  if (fd < 0 || syscall3(SYS_write, fd, "1", 1) != 1) fail(step, "needs root and /proc/sys/vm/drop_caches");
  syscall3(SYS_close, fd, 0, 0);
}

int advice(const char *step, const char *name) {
  static const struct { const char *name; int number; } known[] = {
      {"dontneed", 4}, {"free", 8}, {"willneed", 3}, {"random", 1}, {"cold", 20}, {"pageout", 21}, {"dontfork", 10}};
  for (ulong i = 0; i < sizeof known / sizeof *known; i++)
    if (text_equal(known[i].name, name)) return known[i].number;
  fail(step, "advice is dontneed, free, willneed, random, cold, pageout or dontfork");
}
