// Event counts of the whole machine under the names of /proc/vmstat. Numbers only.
export class VmCounters {
  pgfault = 0;
  pgmajfault = 0;
  /** Pages read from and written to files. */
  pgpgin = 0;
  pgpgout = 0;
  pswpin = 0;
  pswpout = 0;
  /** Frames that the policy proposed, and of those the ones that were freed. */
  pgscan = 0;
  pgsteal = 0;
  /** Copies made by copy-on-write (not in Linux's vmstat). */
  pgcopy = 0;
  /** Times a request for frames found too few. */
  allocstall = 0;
  oom_kill = 0;
}
