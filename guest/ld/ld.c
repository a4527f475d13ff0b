/* A dynamic loader of one page of code: maps the libraries a program names (DT_NEEDED, in /lib), relocates, and jumps.
 * Enough for our own guest programs; Debian's programs bring their own ld.so. No lazy binding, no TLS, no search paths. */
#include "../lib/sys.h"

typedef struct { uchar ident[16]; unsigned short type, machine; unsigned version; ulong entry, phoff, shoff; unsigned flags;
  unsigned short ehsize, phentsize, phnum, shentsize, shnum, shstrndx; } Header;
typedef struct { unsigned type, flags; ulong offset, vaddr, paddr, filesz, memsz, align; } Segment;
typedef struct { long tag; ulong value; } Dynamic;
typedef struct { unsigned name; uchar info, other; unsigned short section; ulong value, size; } Symbol;
typedef struct { ulong offset, info; long addend; } Relocation;
typedef struct { ulong base; const Dynamic *dynamic; const char *strings; const Symbol *symbols; const unsigned *hash; } Module;

enum { PT_LOAD = 1, PT_DYNAMIC = 2, DT_NEEDED = 1, DT_HASH = 4, DT_STRTAB = 5, DT_SYMTAB = 6, DT_RELA = 7, DT_RELASZ = 8,
  DT_JMPREL = 23, DT_PLTRELSZ = 2, R_64 = 2, R_RELATIVE = 3, R_JUMP_SLOT = 5, AT_PHDR = 3, AT_PHNUM = 5, AT_ENTRY = 9 };

/* The stack pointer at entry is handed to boot(), which returns the program's entry point. */
__asm__(".globl _start\n_start:\n  mv s0, sp\n  mv a0, sp\n  andi sp, sp, -16\n  call boot\n  mv sp, s0\n  jr a0\n");

static Module modules[8];
static int module_count;

__attribute__((noreturn)) static void give_up(const char *what, const char *name) {
  char line[128], *at = line;
  for (const char *s = "ld: "; *s;) *at++ = *s++;
  for (; *what;) *at++ = *what++;
  for (; *name && at < line + 120;) *at++ = *name++;
  *at++ = '\n';
  syscall3(SYS_write, 2, line, at - line);
  leave(127);
}

static int same(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

static ulong value_of(const Module *m, long tag) {
  for (const Dynamic *d = m->dynamic; d->tag; d++)
    if (d->tag == tag) return d->value;
  return 0;
}

static Module *register_module(ulong base, const Segment *segments, int count) {
  if (module_count == 8) give_up("too many libraries", "");
  Module *m = &modules[module_count++];
  m->base = base;
  for (int i = 0; i < count; i++)
    if (segments[i].type == PT_DYNAMIC) m->dynamic = (const Dynamic *)(base + segments[i].vaddr);
  m->strings = (const char *)(base + value_of(m, DT_STRTAB));
  m->symbols = (const Symbol *)(base + value_of(m, DT_SYMTAB));
  m->hash = (const unsigned *)(base + value_of(m, DT_HASH));
  return m;
}

/* Maps every PT_LOAD of the library over one reservation, so that its segments keep their distances. */
static void load_library(const char *name) {
  char path[64] = "/lib/";
  uchar page[1024];
  int n = 5;
  while (*name && n < 60) path[n++] = *name++;
  path[n] = 0;
  long fd = syscall6(SYS_openat, AT_FDCWD, (long)path, O_RDONLY, 0, 0, 0);
  if (fd < 0 || syscall3(SYS_read, fd, page, sizeof page) < 64) give_up("cannot open ", path);
  const Header *header = (const Header *)page;
  const Segment *segments = (const Segment *)(page + header->phoff);
  ulong end = 0;
  for (int i = 0; i < header->phnum; i++)
    if (segments[i].type == PT_LOAD && segments[i].vaddr + segments[i].memsz > end) end = segments[i].vaddr + segments[i].memsz;
  ulong base = (ulong)map(0, end, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < header->phnum; i++) {
    const Segment *s = &segments[i];
    if (s->type != PT_LOAD) continue;
    ulong start = s->vaddr & -PAGE, lead = s->vaddr - start;
    int prot = (s->flags & 4 ? PROT_READ : 0) | (s->flags & 2 ? PROT_WRITE : 0) | (s->flags & 1 ? PROT_EXEC : 0);
    if (failed(map((void *)(base + start), s->filesz + lead, prot, MAP_PRIVATE | MAP_FIXED, (int)fd, s->offset - lead)))
      give_up("cannot map ", path);
    ulong file_end = base + s->vaddr + s->filesz, page_end = (file_end + PAGE - 1) & -PAGE, zero_end = base + s->vaddr + s->memsz;
    if (zero_end > file_end && (prot & PROT_WRITE))
      for (char *z = (char *)file_end; z < (char *)page_end; z++) *z = 0;
    if (zero_end > page_end) map((void *)page_end, zero_end - page_end, prot, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
  }
  syscall3(SYS_close, fd, 0, 0);
  register_module(base, (const Segment *)(base + header->phoff), header->phnum);
}

static ulong find_symbol(const char *name) {
  for (int i = 0; i < module_count; i++)
    for (unsigned k = 1; k < modules[i].hash[1]; k++) { /* nchain = number of symbols */
      const Symbol *s = &modules[i].symbols[k];
      if (s->section && same(modules[i].strings + s->name, name)) return modules[i].base + s->value;
    }
  give_up("no symbol ", name);
}

static void relocate(const Module *m, ulong table, ulong size) {
  for (ulong i = 0; i < size / sizeof(Relocation); i++) {
    const Relocation *r = (const Relocation *)(m->base + table) + i;
    ulong *where = (ulong *)(m->base + r->offset);
    unsigned type = (unsigned)r->info;
    if (type == R_RELATIVE) *where = m->base + (ulong)r->addend;
    else if (type == R_64 || type == R_JUMP_SLOT)
      *where = find_symbol(m->strings + m->symbols[r->info >> 32].name) + (type == R_64 ? (ulong)r->addend : 0);
    else give_up("unknown relocation", "");
  }
}

__attribute__((used)) ulong boot(ulong *stack) {
  ulong *at = stack + 1 + stack[0] + 1, entry = 0, count = 0;
  const Segment *segments = 0;
  while (*at++) {} /* environment */
  for (; at[0]; at += 2) {
    if (at[0] == AT_PHDR) segments = (const Segment *)at[1];
    if (at[0] == AT_PHNUM) count = at[1];
    if (at[0] == AT_ENTRY) entry = at[1];
  }
  /* A position-independent program's headers follow its ELF header, so the page of AT_PHDR is its base. */
  Module *program = register_module((ulong)segments & -PAGE, segments, (int)count);
  for (int i = 0; i < module_count; i++)
    for (const Dynamic *d = modules[i].dynamic; d->tag; d++)
      if (d->tag == DT_NEEDED) load_library(modules[i].strings + d->value);
  (void)program;
  for (int i = module_count - 1; i >= 0; i--) {
    relocate(&modules[i], value_of(&modules[i], DT_RELA), value_of(&modules[i], DT_RELASZ));
    relocate(&modules[i], value_of(&modules[i], DT_JMPREL), value_of(&modules[i], DT_PLTRELSZ));
  }
  return entry;
}
