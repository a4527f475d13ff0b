/* What the parts of the program `pages` share: areas by name, ranges of pages, and the steps that look at memory (pages-look.c). */
#ifndef PAGES_H
#define PAGES_H
#include "../lib/sys.h"

#define AREAS 16
#define WORDS 8
#define MOST_PAGES 65536
#define CHILD_DEPTH 4

struct area {
  const char *name;
  uchar *start;
  ulong pages;
};
struct range {
  ulong first, last, step;
};

extern const char *speaker;
__attribute__((noreturn)) void fail(const char *step, const char *why);

void catch_faults(void);
/* Loads (letter 0) or stores a byte in every page of the range, and prints the faults that took. */
void touch(const struct area *area, struct range range, const char *pages, char letter);
void show_letters(const struct area *area, struct range range);
void show_state(const struct area *area, struct range range);
void show_areas(const struct area *area);
void show_usage(const struct area *area);
void show_process(void);
void drop_caches(const char *step);
int advice(const char *step, const char *name);
#endif
