/* Start-up and text output of our freestanding guest programs (see sys.h). */
#include "sys.h"
#include <stdarg.h>

__asm__(".globl _start\n_start:\n  .option push\n  .option norelax\n  lla gp, __global_pointer$\n  .option pop\n"
        "  mv a0, sp\n  andi sp, sp, -16\n  call start_c\n");

__attribute__((used, noreturn)) void start_c(long *stack) {
  int argc = (int)stack[0];
  char **argv = (char **)(stack + 1);
  leave(main(argc, argv, argv + argc + 1));
}

ulong text_length(const char *s) {
  ulong n = 0;
  while (s[n]) n++;
  return n;
}

int text_equal(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

ulong parse_number(const char *s) {
  ulong v = 0;
  while (*s >= '0' && *s <= '9') v = v * 10 + (ulong)(*s++ - '0');
  return v;
}

static char *put_number(char *at, ulong v, ulong base) {
  char digits[24];
  int n = 0;
  do digits[n++] = "0123456789abcdef"[v % base]; while (v /= base);
  while (n) *at++ = digits[--n];
  return at;
}

void say(const char *format, ...) {
  char line[512], *at = line;
  va_list arguments;
  va_start(arguments, format);
  for (; *format && at < line + 400; format++) {
    if (*format != '%') {
      *at++ = *format;
      continue;
    }
    switch (*++format) {
      case 's':
        for (const char *s = va_arg(arguments, const char *); *s && at < line + 480;) *at++ = *s++;
        break;
      case 'd': {
        long v = va_arg(arguments, long);
        if (v < 0) *at++ = '-', v = -v;
        at = put_number(at, (ulong)v, 10);
        break;
      }
      case 'u': at = put_number(at, va_arg(arguments, ulong), 10); break;
      case 'x': at = put_number(at, va_arg(arguments, ulong), 16); break;
      default: *at++ = *format;
    }
  }
  va_end(arguments);
  syscall3(SYS_write, 1, line, at - line);
}

void moment(const char *name) {
  char answer;
  say("@%s\n", name);
  while (syscall3(SYS_read, 0, &answer, 1) == 1 && answer != '\n') {}
}

void fault_counts(long *minor, long *major) {
  long usage[18];
  syscall3(SYS_getrusage, 0, usage, 0);
  *minor = usage[8]; /* ru_minflt: after two timevals (4 words) and maxrss ixrss idrss isrss */
  *major = usage[9];
}
