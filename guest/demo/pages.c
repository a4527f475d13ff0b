/* A small language for memory mapping, one step an argument, for `faultline quiz`, the guide and anybody's experiments. Every step that
 * touches memory says how many faults that took. Page numbers count from the start of the area. It runs on any riscv64 Linux.
 *
 *   pages file:/tmp/f:4 map:f:4:private:rw:/tmp/f read:f:all write:f:2 state:f fork write:f:0 state:f end state:f
 */
#include "pages.h"

struct area areas[AREAS];
int area_count;
/* "child " in a child, so that lines of both can be told apart. */
const char *speaker = "";

__attribute__((noreturn)) void fail(const char *step, const char *why) {
  say("pages: %s: %s\n", step, why);
  leave(2);
}

struct area *find_area(const char *step, const char *name) {
  for (int i = 0; i < area_count; i++)
    if (text_equal(areas[i].name, name)) return &areas[i];
  fail(step, "no area of that name was mapped");
}

/* Splits a step at its colons, in place. */
static int split(char *text, char **words) {
  int count = 1;
  words[0] = text;
  for (; *text; text++)
    if (*text == ':' && count < WORDS) *text = 0, words[count++] = text + 1;
  for (int i = count; i < WORDS; i++) words[i] = "";
  return count;
}

/* "all", "3", "0-7", "0-62/2". */
struct range parse_range(const char *step, const struct area *area, const char *text) {
  struct range range = {0, area->pages - 1, 1};
  if (text_equal(text, "all") || !*text) return range;
  range.first = range.last = parse_number(text);
  for (; *text && *text != '/'; text++)
    if (*text == '-') range.last = parse_number(text + 1);
  if (*text == '/') range.step = parse_number(text + 1);
  if (range.step == 0 || range.first > range.last || range.last >= area->pages) fail(step, "no such pages in that area");
  return range;
}

static int protection(const char *step, const char *text) {
  int prot = PROT_NONE;
  if (text_equal(text, "none")) return prot;
  for (; *text; text++) {
    if (*text == 'r') prot |= PROT_READ;
    else if (*text == 'w') prot |= PROT_WRITE;
    else if (*text == 'x') prot |= PROT_EXEC;
    else fail(step, "a protection is none, or letters of r, w and x");
  }
  return prot;
}

/* file:PATH:PAGES[:BYTES]: page i is full of the letter 'A' + i; BYTES more follow the last whole page. */
static void make_file(const char *step, char **word) {
  static char page[PAGE];
  ulong pages = parse_number(word[2]), tail = parse_number(word[3]);
  long fd = syscall6(SYS_openat, AT_FDCWD, (long)word[1], O_RDWR | O_CREAT | O_TRUNC, 0600, 0, 0);
  if (fd < 0) fail(step, "cannot make that file");
  for (ulong i = 0; i < pages + (tail > 0); i++) {
    memset(page, 'A' + (int)(i % 26), PAGE);
    if (syscall6(SYS_pwrite64, fd, (long)page, i < pages ? PAGE : tail, (long)(i * PAGE), 0, 0) < 0) fail(step, "cannot write");
  }
  syscall3(SYS_close, fd, 0, 0);
}

static struct area *new_area(const char *step, const char *name, ulong pages) {
  if (area_count == AREAS) fail(step, "too many areas");
  if (pages == 0 || pages > MOST_PAGES) fail(step, "an area has 1 to 65536 pages");
  struct area *area = &areas[area_count++];
  area->name = name;
  area->pages = pages;
  return area;
}

/* map:NAME:PAGES[:private|shared[:PROTECTION[:PATH[:FIRST PAGE]]]] */
static void map_area(const char *step, char **word) {
  struct area *area = new_area(step, word[1], parse_number(word[2]));
  int flags = text_equal(word[3], "shared") ? MAP_SHARED : MAP_PRIVATE;
  int prot = *word[4] ? protection(step, word[4]) : PROT_READ | PROT_WRITE;
  long fd = -1;
  if (*word[5]) {
    fd = syscall6(SYS_openat, AT_FDCWD, (long)word[5], flags == MAP_SHARED && (prot & PROT_WRITE) ? O_RDWR : O_RDONLY, 0, 0, 0);
    if (fd < 0) fail(step, "cannot open that file");
  } else flags |= MAP_ANONYMOUS;
  area->start = map(0, area->pages * PAGE, prot, flags, (int)fd, parse_number(word[6]) * PAGE);
  if (fd >= 0) syscall3(SYS_close, fd, 0, 0);
  if (!failed(area->start)) return;
  say("%smap %s: refused, error %d\n", speaker, area->name, -(long)area->start);
  area_count--;
}

/* brk:NAME:PAGES: the heap grows by that much. */
static void grow_heap(const char *step, char **word) {
  struct area *area = new_area(step, word[1], parse_number(word[2]));
  ulong end = (syscall3(SYS_brk, 0, 0, 0) + PAGE - 1) & -PAGE;
  if ((ulong)syscall3(SYS_brk, end + area->pages * PAGE, 0, 0) != end + area->pages * PAGE) fail(step, "the heap cannot grow that far");
  area->start = (void *)end;
}

static void report(const char *verb, const char *name, const char *pages, long result) {
  if (result < 0) say("%s%s %s %s: error %d\n", speaker, verb, name, pages, -result);
}

/* Everything a step of this program itself may touch is made resident, so that the counts speak of the areas alone. */
static void touch_own_pages(void) {
  extern char __executable_start[], _end[], __DATA_BEGIN__[];
  for (volatile char *at = __executable_start; at < _end; at += PAGE) (void)*at;
  for (volatile char *at = (char *)((ulong)__DATA_BEGIN__ & -PAGE); at < _end; at += PAGE)
    if (at >= __DATA_BEGIN__) *at = *at;
  volatile char *stack = __builtin_frame_address(0);
  for (ulong i = 0; i < 4; i++) stack[-(long)(i * PAGE)] = stack[-(long)(i * PAGE)];
}

static int run(char **step, char **environment);

/* fork STEPS end: the child does the steps and stays until the parent ends. */
static int forked(char **step, char **environment) {
  int ready[2], done[2];
  char byte = 0;
  syscall3(SYS_pipe2, ready, 0, 0);
  syscall3(SYS_pipe2, done, 0, 0);
  long child = fork_process();
  if (child < 0) fail("fork", "refused");
  if (child == 0) {
    speaker = "child ";
    touch_own_pages();
    run(step + 1, environment);
    syscall3(SYS_write, ready[1], &byte, 1);
    syscall3(SYS_close, done[1], 0, 0);
    syscall3(SYS_read, done[0], &byte, 1);
    leave(0);
  }
  syscall3(SYS_close, ready[1], 0, 0);
  syscall3(SYS_read, ready[0], &byte, 1);
  touch_own_pages();
  int count = 1;
  while (step[count] && !text_equal(step[count], "end")) count++;
  return count;
}

/* wait: until Enter is pressed (or input ends), so that somebody can look. */
static void wait_for_enter(void) {
  char byte;
  say("Enter goes on\n");
  while (syscall3(SYS_read, 0, &byte, 1) == 1 && byte != '\n') {}
}

static void one(const char *step, char **word) {
  if (text_equal(word[0], "wait")) return wait_for_enter();
  if (text_equal(word[0], "file")) return make_file(step, word);
  if (text_equal(word[0], "map")) return map_area(step, word);
  if (text_equal(word[0], "brk")) return grow_heap(step, word);
  if (text_equal(word[0], "drop")) return drop_caches(step);
  if (text_equal(word[0], "usage") && !*word[1]) return show_process();
  struct area *area = find_area(step, word[1]);
  struct range range = parse_range(step, area, word[2]);
  uchar *at = area->start + range.first * PAGE;
  ulong length = (range.last + 1 - range.first) * PAGE;
  if (text_equal(word[0], "read")) touch(area, range, word[2], 0);
  else if (text_equal(word[0], "write")) touch(area, range, word[2], *word[3] ? word[3][0] : '*');
  else if (text_equal(word[0], "show")) show_letters(area, range);
  else if (text_equal(word[0], "state")) show_state(area, range);
  else if (text_equal(word[0], "areas")) show_areas(area);
  else if (text_equal(word[0], "usage")) show_usage(area);
  else if (text_equal(word[0], "where")) say("%swhere %s: %x\n", speaker, area->name, (ulong)area->start);
  else if (text_equal(word[0], "protect")) report("protect", word[1], word[2], syscall3(SYS_mprotect, at, length, protection(step, word[3])));
  else if (text_equal(word[0], "unmap")) report("unmap", word[1], word[2], syscall3(SYS_munmap, at, length, 0));
  else if (text_equal(word[0], "sync")) report("sync", word[1], word[2], syscall3(SYS_msync, at, length, 4 /* MS_SYNC */));
  else if (text_equal(word[0], "advise")) report("advise", word[1], word[2], syscall3(SYS_madvise, at, length, advice(step, word[3])));
  else fail(step, "not a step; run pages without arguments for the list");
}

/* Runs steps up to the end or "end". Returns how many. */
static int run(char **step, char **environment) {
  static char copy[CHILD_DEPTH][256];
  static int depth;
  char *word[WORDS], *text = copy[depth++ % CHILD_DEPTH];
  int at = 0;
  for (; step[at] && !text_equal(step[at], "end"); at++) {
    if (text_equal(step[at], "fork")) {
      at += forked(step + at, environment);
      if (!step[at]) break;
      continue;
    }
    if (text_equal(step[at], "exec")) {
      step[at] = "pages";
      syscall3(SYS_execve, "/proc/self/exe", step + at, environment);
      fail("exec", "refused");
    }
    ulong length = text_length(step[at]);
    if (length >= 256) fail("a step", "longer than 255 characters");
    memcpy(text, step[at], length + 1);
    split(text, word);
    if (text_equal(word[0], "map") || text_equal(word[0], "brk")) split(step[at], word); /* names are kept */
    one(step[at], word);
  }
  return at;
}

int main(int argc, char **argv, char **envp) {
  if (argc < 2) {
    say("usage: pages STEP...\n  file:PATH:PAGES[:BYTES]   map:NAME:PAGES[:private|shared[:PROT[:PATH[:FIRST]]]]   brk:NAME:PAGES\n");
    say("  read:NAME:RANGE   write:NAME:RANGE[:LETTER]   show:NAME:RANGE   protect:NAME:RANGE:PROT   unmap:NAME:RANGE\n");
    say("  advise:NAME:RANGE:dontneed|free|willneed|pageout|cold   sync:NAME   drop   wait   fork STEP... end   exec STEP...\n");
    say("  state:NAME   areas:NAME   where:NAME   usage[:NAME]        RANGE: all, 3, 0-7, 0-62/2   PROT: none, r, rw, rx\n");
    say("state: . not here  z page of zeros  a anonymous  A anonymous, shared  f page of a file or shared memory  s swapped out\n");
    return 2;
  }
  catch_faults();
  touch_own_pages();
  run(argv + 1, envp);
  return 0;
}
