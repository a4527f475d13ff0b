/* Bytes and strings: lengths, copies, comparisons, searches, word counts, sorting of words. */
#define NAME "string"
#define ROUNDS 1000
#include "base.h"

#define TEXT_BYTES 65536
#define WORDS 4096
static char text[TEXT_BYTES + 1], copy[TEXT_BYTES + 1];
static char *words[WORDS];

static u64 length(const char *s) {
  const char *end = s;
  while (*end) end++;
  return (u64)(end - s);
}

static int compare(const char *a, const char *b) {
  while (*a && *a == *b) {
    a++;
    b++;
  }
  return (u8)*a - (u8)*b;
}

static u64 count_of(const char *haystack, const char *needle) {
  u64 count = 0;
  for (; *haystack; haystack++) {
    const char *h = haystack, *n = needle;
    while (*n && *h == *n) {
      h++;
      n++;
    }
    count += *n == 0;
  }
  return count;
}

static void fill(void) {
  for (u32 i = 0; i < TEXT_BYTES; i++) {
    u32 x = (u32)(next_random() >> 33) % 32;
    text[i] = x < 26 ? (char)('a' + x) : x < 31 ? ' ' : '\n';
  }
}

static void sort(char **from, char **to) {
  while (to - from > 1) {
    char **low = from, **high = to - 1, *pivot = from[(to - from) / 2];
    while (low <= high) {
      while (compare(*low, pivot) < 0) low++;
      while (compare(*high, pivot) > 0) high--;
      if (low <= high) {
        char *t = *low;
        *low++ = *high;
        *high-- = t;
      }
    }
    sort(from, high + 1);
    from = low;
  }
}

static u64 split_and_sort(void) {
  u32 count = 0;
  u64 sum = 0;
  for (u32 i = 0; i < TEXT_BYTES && count < WORDS; i++) {
    copy[i] = text[i] <= ' ' ? 0 : text[i];
    if (copy[i] && (i == 0 || copy[i - 1] == 0)) words[count++] = &copy[i];
  }
  copy[TEXT_BYTES] = 0;
  sort(words, words + count);
  for (u32 i = 0; i < count; i++) sum = sum * 31 + (u8)words[i][0] + length(words[i]);
  return sum;
}

static u64 kernel(u64 rounds) {
  u64 sum = 0;
  for (u64 r = 0; r < rounds; r++) {
    fill();
    sum = sum * 1000003 + length(text);
    sum = sum * 1000003 + count_of(text, "ab");
    sum = sum * 1000003 + count_of(text, " a");
    for (u32 i = 0; i < TEXT_BYTES; i++) copy[i] = (char)(text[i] >= 'a' ? text[i] - 32 : text[i]);
    sum = sum * 1000003 + (u64)(compare(text, copy) + 256);
    sum = sum * 1000003 + split_and_sort();
  }
  return sum;
}
