/* What a program finds when it starts: auxiliary vector, zeroed bss, stack, environment, argument limits, errors of execve, and the
 * vDSO. Prints facts only. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
extern char __bss_start[], _end[], _edata[];
extern void _start(void);

/* Data that ends in the middle of a page, and bss behind it. */
static char initialised[100] = {1, 2, 3};
static char zeroed[3 * 4096];

static const char *last_part(const char *path) { return strrchr(path, '/') ? strrchr(path, '/') + 1 : path; }

static const char *name_of(int error) {
  switch (error) {
    case 0: return "OK";
    case E2BIG: return "E2BIG";
    case EACCES: return "EACCES";
    case EFAULT: return "EFAULT";
    case EINVAL: return "EINVAL";
    case EISDIR: return "EISDIR";
    case ELIBBAD: return "ELIBBAD";
    case ELOOP: return "ELOOP";
    case ENAMETOOLONG: return "ENAMETOOLONG";
    case ENOENT: return "ENOENT";
    case ENOEXEC: return "ENOEXEC";
    case ENOTDIR: return "ENOTDIR";
    case ETXTBSY: return "ETXTBSY";
    default: return strerror(error);
  }
}

static void auxiliary(void) {
  ElfW(Phdr) *headers = (void *)getauxval(AT_PHDR);
  unsigned char *random = (void *)getauxval(AT_RANDOM);
  int ones = 0;
  for (int i = 0; i < 16; i++) ones += __builtin_popcount(random[i]);
  const ElfW(Ehdr) *file = (void *)((char *)headers - sizeof(ElfW(Ehdr)));
  printf("pagesz %lu phent %lu phnum %s entry %s base %lu flags %lu\n", getauxval(AT_PAGESZ), getauxval(AT_PHENT),
         getauxval(AT_PHNUM) == file->e_phnum ? "right" : "wrong", getauxval(AT_ENTRY) == (unsigned long)_start ? "right" : "wrong",
         getauxval(AT_BASE), getauxval(AT_FLAGS));
  printf("uid %lu %lu %lu %lu secure %lu clktck %lu\n", getauxval(AT_UID), getauxval(AT_EUID), getauxval(AT_GID), getauxval(AT_EGID),
         getauxval(AT_SECURE), getauxval(AT_CLKTCK));
  unsigned long hwcap = getauxval(AT_HWCAP);
  printf("hwcap");
  for (const char *c = "IMAFDC"; *c; c++) printf(" %c%d", *c, (int)(hwcap >> (*c - 'A') & 1));
  printf("\nrandom %s execfn %s platform %s\n", ones > 20 && ones < 108 ? "looks so" : "no", last_part((char *)getauxval(AT_EXECFN)),
         getauxval(AT_PLATFORM) ? (char *)getauxval(AT_PLATFORM) : "none");
  printf("stack pointer aligned to 16: %s\n", ((unsigned long)__builtin_frame_address(0) & 15) == 0 ? "yes" : "no");
}

static void memory_image(char **argv) {
  int bad = 0;
  for (char *p = __bss_start; p < _end; p++)
    if (p >= zeroed && p < zeroed + sizeof zeroed) bad += *p != 0;
  /* To the end of the last page: zeros nobody named. */
  char *end = (char *)(((unsigned long)_end + 4095) & -4096UL);
  int tail = 0;
  for (char *p = _end; p < end; p++) tail += *p != 0;
  printf("bss: %d bytes not zero; behind it %d; data %d\n", bad, tail, initialised[0] + initialised[1] + initialised[2] + initialised[99]);
  char line[512], permissions[8], name[256];
  int stacks = 0, heap = 0, executable_and_writable = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps)) {
    name[0] = 0;
    sscanf(line, "%*s %7s %*s %*s %*s %255s", permissions, name);
    if (!strcmp(name, "[stack]")) stacks += 1 + 10 * !strcmp(permissions, "rw-p");
    if (!strcmp(name, "[heap]")) heap = !strcmp(permissions, "rw-p");
    if (permissions[1] == 'w' && permissions[2] == 'x') executable_and_writable++;
  }
  fclose(maps);
  printf("one stack, not executable: %s; heap %s; writable code: %d\n", stacks == 11 ? "yes" : "no", heap ? "rw-p" : "none", executable_and_writable);
  /* Strings of argv and environ lie one behind the other, the program's name at the very end. */
  int order = 1;
  char *at = argv[0];
  for (int i = 0; argv[i]; at += strlen(at) + 1, i++) order &= argv[i] == at;
  for (int i = 0; environ[i]; at += strlen(at) + 1, i++) order &= environ[i] == at;
  order &= (char *)getauxval(AT_EXECFN) == at;
  at += strlen(at) + 1;
  printf("strings in a row: %s; then %lu bytes to the end of the page\n", order ? "yes" : "no", -(unsigned long)at & 4095);
}

static int try_exec(const char *path, char **argv, char **envp) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    execve(path, argv, envp);
    _exit(errno);
  }
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void put(const char *path, const void *bytes, long length, int mode) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);
  write(fd, bytes, length);
  fchmod(fd, mode);
  close(fd);
}

static char *self;

static void errors_of_exec(void) {
  char *args[] = {"x", "child", 0};
  char *no_env[] = {0};
  chdir("/tmp");
  put("text", "hello\n", 6, 0755);
  put("empty", "", 0, 0755);
  put("closed", "\177ELF", 4, 0644);
  put("short", "\177ELF\2\1\1", 7, 0755);
  put("nointerp", "#!/no/such/thing\n", 17, 0755);
  put("blank", "#!\n", 3, 0755);
  put("spaces", "#!   \t \n", 8, 0755);
  char line[600] = "#!/";
  memset(line + 3, 'a', 400);
  strcpy(line + 403, "\n");
  put("long", line, 404, 0755);
  put("loop", "#!/tmp/loop\n", 12, 0755);
  mkdir("folder", 0755);
  symlink("around", "around");
  const char *names[] = {"text", "empty", "closed", "short", "nointerp", "blank", "spaces", "long", "loop", "folder", "around", "none", "text/x", "", 0};
  for (int i = 0; names[i]; i++) printf("execve %s: %s\n", *names[i] ? names[i] : "nothing", name_of(try_exec(names[i], args, no_env)));
  char name[300];
  memset(name, 'n', 299), name[299] = 0;
  printf("execve name of 299: %s\n", name_of(try_exec(name, args, no_env)));
  int fd = open("busy", O_RDWR | O_CREAT, 0755);
  write(fd, "#!/bin/sh\n", 10);
  printf("execve open for writing: %s\n", name_of(try_exec("/tmp/busy", args, no_env)));
  close(fd);
  printf("execve with a bad pointer: %s\n", name_of(try_exec((char *)16, args, no_env)));
  printf("execve with bad arguments: %s\n", name_of(try_exec(self, (char **)16, no_env)));
  char *bad[] = {"x", (char *)16, 0};
  printf("execve with a bad argument: %s\n", name_of(try_exec(self, bad, no_env)));
}

static void limits_of_arguments(void) {
  char *no_env[] = {0};
  long most = 131072;
  for (int over = 0; over <= 1; over++) {
    char *text = malloc(most + 1);
    memset(text, 'a', most - 1 + over);
    text[most - 1 + over] = 0;
    char *args[] = {"x", "count", text, 0};
    printf("one argument of %ld bytes: %s\n", most + over, name_of(try_exec(self, args, no_env)));
  }
  struct rlimit stack;
  getrlimit(RLIMIT_STACK, &stack);
  for (int limit = 0; limit < 2; limit++) {
    stack.rlim_cur = limit ? 1 << 20 : 8 << 20;
    setrlimit(RLIMIT_STACK, &stack);
    /* A quarter of the stack limit, in strings of 1024 bytes that cost 8 more for their pointer. */
    char *text = malloc(1024);
    memset(text, 'b', 1023), text[1023] = 0;
    long lowest = 0, highest = 4096;
    while (highest - lowest > 1) {
      long middle = (lowest + highest) / 2;
      char **args = calloc(middle + 3, sizeof *args);
      args[0] = "x", args[1] = "count";
      for (long i = 0; i < middle; i++) args[2 + i] = text;
      int result = try_exec(self, args, no_env);
      if (result == 0) lowest = middle;
      else highest = middle;
      free(args);
    }
    printf("stack limit %ld KiB: %ld arguments of 1 KiB\n", (long)stack.rlim_cur >> 10, lowest);
  }
  char *none[] = {0};
  printf("no arguments at all: argc %d\n", try_exec(self, none, (char *[]){"ARGC=1", 0}));
}

static void scripts(void) {
  char line[300];
  put("script1", line, sprintf(line, "#!%s echo  two  words \nignored\n", self), 0755);
  char *args[] = {"name", "first", "second", 0};
  fflush(stdout);
  printf("script: status %d\n", try_exec("/tmp/script1", args, environ));
  put("script2", line, sprintf(line, "#!/tmp/script1"), 0755);
  fflush(stdout);
  printf("script of a script: status %d\n", try_exec("/tmp/script2", args, environ));
  for (int depth = 3; depth <= 8; depth++) {
    char path[32];
    sprintf(path, "script%d", depth);
    put(path, line, sprintf(line, "#!/tmp/script%d", depth - 1), 0755);
    fflush(stdout);
    int result = try_exec(path, args, environ);
    if (result) {
      printf("scripts of depth %d: %s\n", depth, name_of(result));
      break;
    }
  }
}

static void *vdso_symbol(const char *wanted, const char *version) {
  char *base = (char *)getauxval(AT_SYSINFO_EHDR);
  ElfW(Ehdr) *header = (void *)base;
  ElfW(Phdr) *programs = (void *)(base + header->e_phoff);
  ElfW(Dyn) *dynamic = 0;
  unsigned long load = 0;
  for (int i = 0; i < header->e_phnum; i++) {
    if (programs[i].p_type == PT_LOAD) load = (unsigned long)base + programs[i].p_offset - programs[i].p_vaddr;
    if (programs[i].p_type == PT_DYNAMIC) dynamic = (void *)(base + programs[i].p_offset);
  }
  ElfW(Sym) *symbols = 0;
  char *strings = 0;
  unsigned *hash = 0, *gnu = 0;
  for (; dynamic && dynamic->d_tag; dynamic++) {
    if (dynamic->d_tag == DT_SYMTAB) symbols = (void *)(load + dynamic->d_un.d_ptr);
    if (dynamic->d_tag == DT_STRTAB) strings = (void *)(load + dynamic->d_un.d_ptr);
    if (dynamic->d_tag == DT_HASH) hash = (void *)(load + dynamic->d_un.d_ptr);
    if (dynamic->d_tag == DT_GNU_HASH) gnu = (void *)(load + dynamic->d_un.d_ptr);
  }
  unsigned count = hash ? hash[1] : 0;
  if (!hash && gnu) {
    unsigned *buckets = (unsigned *)((unsigned long *)(gnu + 4) + gnu[2]), *chain = buckets + gnu[0];
    for (unsigned i = 0; i < gnu[0]; i++) {
      unsigned s = buckets[i];
      if (s < gnu[1]) continue;
      while (!(chain[s - gnu[1]] & 1)) s++;
      if (s + 1 > count) count = s + 1;
    }
  }
  for (unsigned i = 0; symbols && i < count; i++)
    if (symbols[i].st_shndx && !strcmp(strings + symbols[i].st_name, wanted)) return (void *)(load + symbols[i].st_value);
  return 0;
}

static void vdso(void) {
  unsigned char *base = (void *)getauxval(AT_SYSINFO_EHDR);
  printf("vdso: %s\n", base && !memcmp(base, "\177ELF\2\1\1", 7) ? "an ELF file" : "none");
  if (!base) return;
  const char *names[] = {"__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_clock_getres", "__vdso_getcpu", "__vdso_flush_icache", "__vdso_rt_sigreturn", 0};
  for (int i = 0; names[i]; i++) printf("%s: %s\n", names[i], vdso_symbol(names[i], "") ? "there" : "missing");
  int (*gettime)(int, struct timespec *) = vdso_symbol("__vdso_clock_gettime", "");
  int ids[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_MONOTONIC_COARSE};
  for (int i = 0; i < 4; i++) {
    struct timespec a, b, c;
    syscall(SYS_clock_gettime, ids[i], &a);
    int r = gettime(ids[i], &b);
    syscall(SYS_clock_gettime, ids[i], &c);
    long x = a.tv_sec * 1000000000 + a.tv_nsec, y = b.tv_sec * 1000000000 + b.tv_nsec, z = c.tv_sec * 1000000000 + c.tv_nsec;
    printf("clock %d: %d, %s\n", ids[i], r, x <= y && y <= z ? "between two system calls" : "elsewhere");
  }
  struct timespec t;
  printf("clock 99: %d\n", gettime(99, &t));
  char line[512], permissions[8] = "", name[256];
  unsigned long start, end;
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps)) {
    name[0] = 0;
    sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &start, &end, permissions, name);
    if (name[0] == '[' && name[1] == 'v') printf("%s %s, base inside: %d\n", name, permissions, (unsigned long)base == start);
  }
  fclose(maps);
  printf("a store into it: ");
  fflush(stdout);
  pid_t child = fork();
  int status;
  if (child == 0) {
    *(volatile char *)base = 1;
    _exit(0);
  }
  waitpid(child, &status, 0);
  printf("signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

int main(int argc, char **argv) {
  if (getenv("ARGC")) return argc;
  if (argc > 1 && !strcmp(argv[1], "count")) return 0;
  if (argc > 1 && !strncmp(argv[1], "echo", 4)) {
    printf("argc %d:", argc);
    for (int i = 0; i < argc; i++) printf(" <%s>", i == 0 ? "" : argv[i]);
    printf(" execfn %s\n", (char *)getauxval(AT_EXECFN));
    return 0;
  }
  self = realpath(argv[0], 0);
  setvbuf(stdout, 0, _IOLBF, 0);
  auxiliary();
  memory_image(argv);
  vdso();
  errors_of_exec();
  scripts();
  limits_of_arguments();
  return 0;
}
