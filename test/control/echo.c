// Reads lines and answers each; functions and system calls to stop at.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

__attribute__((noinline)) int answer(int number, const char *line, int length) {
  char text[200];
  int n = snprintf(text, sizeof text, "%d: %.*s", number, length, line);
  return write(1, text, n);
}

int main(void) {
  char line[100];
  int got, number = 0;
  while ((got = read(0, line, sizeof line)) > 0) answer(++number, line, got);
  return number;
}
