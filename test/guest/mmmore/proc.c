// /proc about memory: which fields there are and how they add up, maps as a file, PROCMAP_QUERY, PAGEMAP_SCAN, limits of access.
#include "more.h"
#include <elf.h>

static char text[1 << 18];
/** First words of all lines. */
static void keys(const char *path) {
  slurp(path, text, sizeof text);
  for (char *line = text, *end; *line; line = end + 1) {
    end = strchr(line, '\n');
    if (!end) break;
    *end = 0;
    char *stop = strpbrk(line, ":");
    if (stop) *stop = 0;
    o(" %s", line);
  }
}
/** Digits become 9, runs of blanks one. */
static void shape(const char *line) {
  char out[400];
  int n = 0;
  for (const char *c = line; *c && *c != '\n' && n < 390; c++) {
    char d = *c >= '0' && *c <= '9' ? '9' : *c;
    if (n && d == out[n - 1] && (d == '9' || d == ' ')) continue;
    out[n++] = d;
  }
  out[n] = 0;
  o(" <%s>", out);
}

CHECK(status_keys) { keys("/proc/self/status"); }
CHECK(smaps_keys) {
  slurp("/proc/self/smaps", text, sizeof text);
  char *line = strchr(text, '\n') + 1;
  for (int i = 0; i < 24; i++) {
    char *end = strchr(line, '\n');
    *end = 0;
    shape(line);
    line = end + 1;
  }
}
CHECK(rollup_keys) {
  slurp("/proc/self/smaps_rollup", text, sizeof text);
  char *line = strchr(text, '\n') + 1;
  while (*line) {
    char *end = strchr(line, '\n');
    *end = 0;
    shape(line);
    line = end + 1;
  }
}
CHECK(meminfo_keys) { keys("/proc/meminfo"); }
CHECK(io_keys) { keys("/proc/self/io"); }
CHECK(limits_text) {
  slurp("/proc/self/limits", text, sizeof text);
  char *line = text;
  for (int i = 0; i < 17 && *line; i++) {
    char *end = strchr(line, '\n');
    if (!end) break;
    *end = 0;
    if (!strstr(line, "processes") && !strstr(line, "pending signals") && !strstr(line, "open files") && !strstr(line, "locked")) o(" <%s>", line);
    line = end + 1;
  }
}
CHECK(line_formats) {
  char *p = island(2, RW);
  int fd = memfd("name with space", P, 0), nl = memfd("new\nline", P, 0);
  char *q = mmap(0, P, PROT_READ, MAP_SHARED, fd, 0), *r = mmap(0, P, PROT_READ, MAP_SHARED, nl, 0);
  slurp("/proc/self/maps", text, sizeof text);
  for (char *line = text; *line; line = strchr(line, '\n') + 1) {
    unsigned long low = strtoul(line, 0, 16);
    if (low == (unsigned long)p || low == (unsigned long)q || low == (unsigned long)r) {
      char *end = strchr(line, '\n'), *name = line;
      for (int k = 0; k < 5; k++) name = strchr(name, ' ') + 1;
      name += strspn(name, " ");
      if (name >= end) o(" none ends-blank:%d", end[-1] == ' ');
      else o(" column=%ld '%.*s'", (long)(name - line), (int)(end - name), name);
    }
  }
  slurp("/proc/self/statm", text, sizeof text);
  shape(text);
  slurp("/proc/self/oom_score_adj", text, sizeof text);
  shape(text);
  slurp("/proc/self/oom_adj", text, sizeof text);
  shape(text);
  slurp("/proc/self/coredump_filter", text, sizeof text);
  o(" %s", text);
}
CHECK(stat_fields) {
  long n = slurp("/proc/self/stat", text, sizeof text);
  int fields = 1;
  for (long i = 0; i < n; i++) fields += text[i] == ' ';
  o(" fields=%d", fields);
  char *after = strrchr(text, ')') + 2;
  unsigned long f[60];
  for (int i = 0; i < 50; i++) f[i + 3] = strtoul(after, &after, 10), after += *after == ' ' ? 1 : 0, i == 0 ? (after = strrchr(text, ')') + 4, 0) : 0;
  o(" threads=%lu vsize=%d rss=%d", f[20], f[23] / 1024 == (unsigned long)field("/proc/self/status", "VmSize:"), f[24] > 20);
  o(" code:%d stack:%d data:%d brk:%d arg<env:%d", f[26] < f[27], f[28] > f[27], f[45] <= f[46], f[47] > 0, f[48] <= f[49] && f[49] <= f[50]);
}
CHECK(status_sums) {
  char *p = island(64, RW);
  memset(p, 1, 32 * P);
  char *s = mmap(0, 16 * P, RW, AS, -1, 0);
  memset(s, 1, 16 * P);
  const char *f = "/proc/self/status";
  o(" rss=sum:%d", field(f, "VmRSS:") == field(f, "RssAnon:") + field(f, "RssFile:") + field(f, "RssShmem:"));
  long before = field(f, "RssShmem:"), anon_before = field(f, "RssAnon:"), size = field(f, "VmSize:"), data = field(f, "VmData:"), pte = field(f, "VmPTE:");
  memset(p + 32 * P, 1, 8 * P);
  char *t = mmap(0, 16 * P, RW, AS, -1, 0);
  memset(t, 1, 4 * P);
  o(" anon%+ld shmem%+ld size%+ld data%+ld", field(f, "RssAnon:") - anon_before, field(f, "RssShmem:") - before, field(f, "VmSize:") - size, field(f, "VmData:") - data);
  char *far = mmap((void *)(1UL << 33), P, RW, AP, -1, 0);
  *far = 1;
  o(" pte%+ld", field(f, "VmPTE:") - pte);
  long stk = field(f, "VmStk:");
  mmap(0, 8 * P, RW, AP | MAP_GROWSDOWN, -1, 0);
  o(" stk%+ld", field(f, "VmStk:") - stk);
  long exe = field(f, "VmLib:");
  mmap(0, 8 * P, PROT_READ | PROT_EXEC, AP, -1, 0);
  o(" lib%+ld", field(f, "VmLib:") - exe);
  slurp("/proc/self/statm", text, sizeof text);
  long v[7];
  sscanf(text, "%ld %ld %ld %ld %ld %ld %ld", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6);
  o(" statm:%d%d%d%d", v[0] * 4 == field(f, "VmSize:"), v[2] * 4 == field(f, "RssFile:") + field(f, "RssShmem:"), v[3] * 4 == field(f, "VmExe:"), v[5] * 4 == field(f, "VmData:") + field(f, "VmStk:"));
}
CHECK(rollup_sums) {
  char *p = island(16, RW);
  memset(p, 1, 16 * P);
  const char *names[] = {"Rss:", "Shared_Clean:", "Shared_Dirty:", "Private_Clean:", "Private_Dirty:", "Anonymous:", "Referenced:", "Swap:"};
  pid_t c = fork();
  if (c == 0) pause(), _exit(0);
  for (int i = 0; i < 8; i++) {
    long total = 0;
    slurp("/proc/self/smaps", text, sizeof text);
    for (char *line = text; *line; line = strchr(line, '\n') + 1)
      if (!strncmp(line, names[i], strlen(names[i]))) total += atol(line + strlen(names[i]));
    long roll = field("/proc/self/smaps_rollup", names[i]);
    o(" %s%d", names[i], total - roll <= 200 && roll - total <= 200);
  }
  char path[64];
  snprintf(path, 64, "/proc/%d/smaps_rollup", c);
  o(" child:%d", field(path, "Rss:") > 0);
  kill(c, SIGKILL);
  waitpid(c, 0, 0);
}
CHECK(oom_score) {
  int fd = open("/proc/self/oom_score_adj", O_RDWR);
  V("500", pwrite(fd, "500", 3, 0));
  V("1001", pwrite(fd, "1001", 4, 0));
  V("-1000", pwrite(fd, "-1000", 5, 0));
  o(" adj=%ld score=%ld", field("/proc/self/oom_score_adj", ""), field("/proc/self/oom_score", ""));
  V("1000", pwrite(fd, "1000", 4, 0));
  o(" score>=1000:%d", field("/proc/self/oom_score", "") >= 1000);
  V("text", pwrite(fd, "abc", 3, 0));
  pid_t c = CHILD(o(" child=%ld", field("/proc/self/oom_score_adj", "")));
  ended(c);
  c = CHILD({
    drop();
    int mine = open("/proc/self/oom_score_adj", O_RDWR);
    E("open", mine);
  });
  ended(c);
  V("0", pwrite(fd, "0", 1, 0));
  o(" score=%d", field("/proc/self/oom_score", "") > 600 && field("/proc/self/oom_score", "") < 700);
}
CHECK(mem_of_others) {
  char *p = island(1, RW);
  strcpy(p, "mine");
  pid_t c = CHILD(pause());
  char path[64], b[8] = "";
  snprintf(path, 64, "/proc/%d/mem", c);
  int fd = open(path, O_RDWR);
  V("read", pread(fd, b, 4, (long)p));
  V("write", pwrite(fd, "MINE", 4, (long)p));
  o(" %s %s", b, p);
  snprintf(path, 64, "/proc/%d/maps", c);
  o(" maps:%d", slurp(path, text, sizeof text) > 0);
  snprintf(path, 64, "/proc/%d/pagemap", c);
  int pmfd = open(path, O_RDONLY);
  uint64_t e = 0;
  V("pagemap", pread(pmfd, &e, 8, (long)p / P * 8));
  o(" present:%d exclusive:%d", (int)(e >> 63), (int)(e >> 56 & 1));
  kill(c, SIGKILL);
  waitpid(c, 0, 0);
  V("dead-read", pread(fd, b, 4, (long)p));
  V("dead-write", pwrite(fd, b, 4, (long)p));
  V("dead-pagemap", pread(pmfd, &e, 8, (long)p / P * 8));
  E("dead-open", open(path, O_RDONLY));
  pid_t init = getppid();
  drop();
  snprintf(path, 64, "/proc/%d/maps", init);
  E("foreign-maps", open(path, O_RDONLY));
  snprintf(path, 64, "/proc/%d/mem", init);
  E("foreign-mem", open(path, O_RDONLY));
  E("own-mem", open("/proc/self/mem", O_RDONLY));
}
CHECK(map_files) {
  int fd = shmfile(2);
  char *p = mmap(0, 2 * P, RW, MAP_SHARED, fd, 0), path[100], name[100] = "";
  snprintf(path, 100, "/proc/self/map_files/%lx-%lx", (long)p, (long)p + 2 * P);
  V("link", readlink(path, name, 99) > 0);
  o(" %.13s", name);
  int again = open(path, O_RDONLY);
  E("open", again);
  char b = 0;
  V("read", pread(again, &b, 1, P));
  o(" %c", b);
  snprintf(path, 100, "/proc/self/map_files/%lx-%lx", (long)p, (long)p + P);
  E("wrong", readlink(path, name, 99));
  char *a = island(1, RW);
  snprintf(path, 100, "/proc/self/map_files/%lx-%lx", (long)a, (long)a + P);
  E("anon", readlink(path, name, 99));
}
struct scan_arg { uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted, category_mask, category_anyof_mask, return_mask; };
struct region { uint64_t start, end, categories; };
CHECK(pagemap_scan) {
  char *p = island(8, RW);
  for (int i = 0; i < 3; i++) p[i * P] = 1;
  rd(p + 5 * P);
  struct region r[8];
  int fd = open("/proc/self/pagemap", O_RDONLY);
  struct scan_arg a = {.size = sizeof a, .start = (long)p, .end = (long)p + 8 * P, .vec = (long)r, .vec_len = 8, .category_mask = 8, .return_mask = 0xff};
  long n = V("present", ioctl(fd, 0xc0606610, &a));
  for (long i = 0; i < n; i++) o(" %ld-%ld:%lx", (long)(r[i].start - (long)p) / P, (long)(r[i].end - (long)p) / P, r[i].categories);
  o(" walk=%ld", (long)(a.walk_end - (long)p) / P);
  a.category_mask = 0, a.category_anyof_mask = 0x28, a.return_mask = 0x28;
  n = V("any", ioctl(fd, 0xc0606610, &a));
  for (long i = 0; i < n; i++) o(" %ld-%ld:%lx", (long)(r[i].start - (long)p) / P, (long)(r[i].end - (long)p) / P, r[i].categories);
  a.max_pages = 2;
  n = V("max2", ioctl(fd, 0xc0606610, &a));
  o(" walk=%ld", (long)(a.walk_end - (long)p) / P);
  a.size = 8;
  V("size", ioctl(fd, 0xc0606610, &a));
  a.size = sizeof a, a.start++;
  V("unal", ioctl(fd, 0xc0606610, &a));
  a.start--, a.flags = 8;
  V("flags", ioctl(fd, 0xc0606610, &a));
  V("unknown", ioctl(fd, 0x6611, &a));
}
struct query { uint64_t size, query_flags, query_addr, vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode; uint32_t dev_major, dev_minor, vma_name_size, build_id_size; uint64_t vma_name_addr, build_id_addr; };
CHECK(procmap_query) {
  int fd = shmfile(4), maps = open("/proc/self/maps", O_RDONLY);
  char *p = island(8, PROT_NONE), name[100];
  mmap(p + 2 * P, 2 * P, RW, MAP_SHARED | MAP_FIXED, fd, P);
  munmap(p + 5 * P, P);
  struct query q = {.size = sizeof q, .query_addr = (long)p + 3 * P + 7, .vma_name_size = 100, .vma_name_addr = (long)name};
  V("file", ioctl(maps, 0xc0686611, &q));
  o(" +%ld*%ld flags=%lx page=%ld off=%ld ino:%d name=%.13s/%u", (long)(q.vma_start - (long)p) / P, (long)(q.vma_end - q.vma_start) / P, q.vma_flags, (long)q.vma_page_size, (long)q.vma_offset, q.inode != 0, name, q.vma_name_size > 10);
  q = (struct query){.size = sizeof q, .query_addr = (long)p, .query_flags = 0};
  V("anon", ioctl(maps, 0xc0686611, &q));
  o(" flags=%lx", q.vma_flags);
  q = (struct query){.size = sizeof q, .query_addr = (long)p + 5 * P};
  V("hole", ioctl(maps, 0xc0686611, &q));
  q.query_flags = 0x10;
  V("next", ioctl(maps, 0xc0686611, &q));
  o(" +%ld", (long)(q.vma_start - (long)p) / P);
  q = (struct query){.size = sizeof q, .query_addr = (long)p, .query_flags = 0x10 | 2};
  V("next-writable", ioctl(maps, 0xc0686611, &q));
  o(" +%ld", (long)(q.vma_start - (long)p) / P);
  q = (struct query){.size = sizeof q, .query_addr = (long)p, .query_flags = 0x10 | 0x20};
  V("next-file", ioctl(maps, 0xc0686611, &q));
  o(" +%ld", (long)(q.vma_start - (long)p) / P);
  q = (struct query){.size = sizeof q, .query_addr = (long)p, .query_flags = 2};
  V("not-writable", ioctl(maps, 0xc0686611, &q));
  q = (struct query){.size = sizeof q, .query_addr = (long)p, .query_flags = 0x40};
  V("badflag", ioctl(maps, 0xc0686611, &q));
  q = (struct query){.size = 8, .query_addr = (long)p};
  V("small", ioctl(maps, 0xc0686611, &q));
  q = (struct query){.size = sizeof q, .query_addr = (long)p, .vma_name_size = 10};
  V("name-noaddr", ioctl(maps, 0xc0686611, &q));
  q = (struct query){.size = sizeof q, .query_addr = (long)p + 2 * P, .vma_name_size = 3, .vma_name_addr = (long)name};
  V("name-short", ioctl(maps, 0xc0686611, &q));
}
CHECK(maps_as_file) {
  int fd = open("/proc/self/maps", O_RDONLY);
  char a[200], b[200];
  long n = pread(fd, a, 100, 0);
  V("seek", lseek(fd, 10, SEEK_SET));
  V("read", read(fd, b, 90));
  o(" same:%d", !memcmp(a + 10, b, 90));
  V("end", lseek(fd, 0, SEEK_END));
  E("open-w", open("/proc/self/maps", O_WRONLY));
  struct stat s;
  fstat(fd, &s);
  o(" size=%ld mode=%o", (long)s.st_size, s.st_mode);
  const char *files[] = {"smaps", "smaps_rollup", "pagemap", "mem", "status", "statm", "stat", "clear_refs", "oom_score", "oom_score_adj", "oom_adj", "auxv", "environ", "limits", "io", "numa_maps", "coredump_filter", "mountinfo", "map_files", "cmdline", "comm", "wchan", "syscall", "stack", "personality"};
  for (int i = 0; i < 25; i++) {
    snprintf(a, 200, "/proc/self/%s", files[i]);
    if (stat(a, &s)) o(" %s:%s", files[i], en(errno));
    else o(" %s:%o", files[i], s.st_mode & 07777);
  }
}
CHECK(sysctls) {
  const char *names[] = {"overcommit_memory", "overcommit_ratio", "overcommit_kbytes", "max_map_count", "mmap_min_addr", "swappiness", "page-cluster", "dirty_ratio", "dirty_background_ratio", "dirty_bytes", "dirty_background_bytes", "dirty_expire_centisecs", "dirty_writeback_centisecs", "dirtytime_expire_seconds", "vfs_cache_pressure", "panic_on_oom", "oom_kill_allocating_task", "oom_dump_tasks", "nr_hugepages", "legacy_va_layout", "stat_interval", "watermark_scale_factor", "watermark_boost_factor", "extfrag_threshold", "compaction_proactiveness", "memfd_noexec", "unprivileged_userfaultfd", "min_slab_ratio", "zone_reclaim_mode", "laptop_mode", "numa_stat", "hugetlb_shm_group", "percpu_pagelist_high_fraction", "memory_failure_recovery"};
  for (int i = 0; i < 34; i++) {
    char path[100], value[100] = "";
    struct stat s;
    snprintf(path, 100, "/proc/sys/vm/%s", names[i]);
    if (stat(path, &s)) {
      o(" %s:%s", names[i], en(errno));
      continue;
    }
    if (slurp(path, value, 100) > 0) value[strcspn(value, "\n")] = 0;
    o(" %s:%o=%s", names[i], s.st_mode & 0777, strcmp(names[i], "lowmem_reserve_ratio") ? value : "");
  }
  V("max_map_count", pwrite(open("/proc/sys/vm/max_map_count", O_RDWR), "100000", 6, 0));
  o("=%ld", field("/proc/sys/vm/max_map_count", ""));
  pwrite(open("/proc/sys/vm/max_map_count", O_RDWR), "65530", 5, 0);
  V("drop0", pwrite(open("/proc/sys/vm/drop_caches", O_WRONLY), "0", 1, 0));
  V("drop3", pwrite(open("/proc/sys/vm/drop_caches", O_WRONLY), "3", 1, 0));
}
CHECK(auxv) {
  long n = slurp("/proc/self/auxv", text, sizeof text);
  unsigned long *v = (void *)text;
  for (int i = 0; i < n / 16; i++) o(" %lu", v[i * 2]);
  for (int i = 0; i < n / 16; i++) {
    if (v[2 * i] == AT_PAGESZ || v[2 * i] == AT_CLKTCK || v[2 * i] == AT_FLAGS || v[2 * i] == AT_SECURE || v[2 * i] == AT_UID || v[2 * i] == AT_PHENT || v[2 * i] == AT_BASE || v[2 * i] == 51)
      o(" [%lu]=%lu", v[2 * i], v[2 * i + 1]);
  }
}

static const Check checks[] = {
#define C(name) {#name, name}
  C(status_keys), C(smaps_keys), C(rollup_keys), C(meminfo_keys), C(io_keys), C(limits_text), C(line_formats), C(stat_fields), C(status_sums), C(rollup_sums),
  C(oom_score), C(mem_of_others), C(map_files), C(pagemap_scan), C(procmap_query), C(maps_as_file), C(sysctls), C(auxv), {0},
};
int main(int argc, char **argv) { return run_checks(checks, argc, argv); }
