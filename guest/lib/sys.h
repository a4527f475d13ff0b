/* The smallest base our guest programs need: raw riscv64 Linux system calls and a little text output. No libc. */
#ifndef FAULTLINE_SYS_H
#define FAULTLINE_SYS_H

typedef unsigned long ulong;
typedef unsigned char uchar;

#define PAGE 4096UL
#define PROT_NONE 0
#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20
#define AT_FDCWD (-100)
#define O_RDONLY 0
#define O_RDWR 2
#define O_CREAT 0100
#define O_TRUNC 01000
#define O_WRONLY 1
#define SIGBUS 7
#define SIGSEGV 11
#define SIGCHLD 17

#define SYS_openat 56
#define SYS_close 57
#define SYS_pipe2 59
#define SYS_lseek 62
#define SYS_read 63
#define SYS_write 64
#define SYS_pread64 67
#define SYS_pwrite64 68
#define SYS_exit_group 94
#define SYS_ftruncate 46
#define SYS_rt_sigaction 134
#define SYS_getpid 172
#define SYS_brk 214
#define SYS_munmap 215
#define SYS_clone 220
#define SYS_execve 221
#define SYS_mmap 222
#define SYS_mprotect 226
#define SYS_msync 227
#define SYS_mincore 232
#define SYS_madvise 233
#define SYS_wait4 260
#define SYS_getrusage 165

static inline long syscall6(long n, long a, long b, long c, long d, long e, long f) {
  register long a0 __asm__("a0") = a;
  register long a1 __asm__("a1") = b;
  register long a2 __asm__("a2") = c;
  register long a3 __asm__("a3") = d;
  register long a4 __asm__("a4") = e;
  register long a5 __asm__("a5") = f;
  register long a7 __asm__("a7") = n;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
  return a0;
}
#define syscall3(n, a, b, c) syscall6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)

static inline void *map(void *at, ulong length, int prot, int flags, int fd, ulong offset) {
  return (void *)syscall6(SYS_mmap, (long)at, length, prot, flags, fd, offset);
}
static inline int failed(const void *p) { return (ulong)p > -4096UL; }
static inline long fork_process(void) { return syscall6(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0); }
static inline long wait_for(long pid, int *status) { return syscall6(SYS_wait4, pid, (long)status, 0, 0, 0, 0); }
__attribute__((noreturn)) static inline void leave(int code) {
  for (;;) syscall3(SYS_exit_group, code, 0, 0);
}

void *memset(void *to, int value, ulong length);
void *memcpy(void *to, const void *from, ulong length);
ulong text_length(const char *s);
int text_equal(const char *a, const char *b);
ulong parse_number(const char *s);
/* Prints its arguments to fd 1: %s text, %d signed long, %u unsigned long, %x hexadecimal, %% percent. One write per call. */
void say(const char *format, ...);
/* Prints "@name" and waits for a line on standard input: the moment at which an observer looks at the machine. */
void moment(const char *name);
/* Minor and major faults of this process so far (getrusage). */
void fault_counts(long *minor, long *major);

int main(int argc, char **argv, char **envp);
#endif
