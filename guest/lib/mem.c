/* What the compiler calls even in freestanding code. */
#include "sys.h"

void *memset(void *to, int value, ulong length) {
  uchar *at = to;
  while (length--) *at++ = (uchar)value;
  return to;
}

void *memcpy(void *to, const void *from, ulong length) {
  uchar *at = to;
  const uchar *source = from;
  while (length--) *at++ = *source++;
  return to;
}
