/* Says hello. */
#include "../lib/sys.h"

int main(int argc, char **argv, char **envp) {
  (void)envp;
  say("hello from %s, process %d\n", argc > 1 ? argv[1] : "riscv64", syscall3(SYS_getpid, 0, 0, 0));
  return 0;
}
