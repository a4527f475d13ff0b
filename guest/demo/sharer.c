/* Uses libstory: reads all of its constants, shows itself, then writes its private data page and shows itself again. */
#include "../lib/sys.h"

extern unsigned long story_counter[];
unsigned long story_sum(void);

int main(int argc, char **argv, char **envp) {
  (void)argc, (void)argv, (void)envp;
  say("sum %u counter %u\n", story_sum(), story_counter[0]);
  moment("mapped");
  story_counter[0] = (ulong)syscall3(SYS_getpid, 0, 0, 0);
  moment("written");
  say("counter %u\n", story_counter[0]);
  return 0;
}
