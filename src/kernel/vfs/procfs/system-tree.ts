// The machine-wide part of /proc: which names there are, what they show, and which can be written (vm.*, kernel.*).

import { EINVAL } from "../../../abi/errno.ts";
import { AF_INET, AF_INET6 } from "../../../abi/socket.ts";
import type { OvercommitMode } from "../../../mm/contracts.ts";
import { formatTcp, formatUdp, formatUnix } from "../../ipc/proc-net.ts";
import { formatMessageQueues } from "../../ipc/sysv-msg.ts";
import { formatSemaphores } from "../../ipc/sysv-sem.ts";
import { formatSegments } from "../../ipc/sysv-shm.ts";
import type { Kernel } from "../../kernel.ts";
import type { Task } from "../../task.ts";
import { directory, link, type NodeMaker, text } from "./nodes.ts";
import {
  renderCpuinfo,
  renderLoadavg,
  renderMeminfo,
  renderStat,
  renderSwaps,
  renderUptime,
  renderVmstat,
} from "./system-text.ts";

const OVERCOMMIT_MODES: readonly OvercommitMode[] = ["heuristic", "always", "never"];

const constant = (value: string | number): NodeMaker => text(() => `${value}\n`);
/** A setting that Faultline accepts and shows but that changes nothing here. */
const settable = (initial: string | number): NodeMaker => {
  const cell = { value: String(initial) };
  return text(
    () => `${cell.value}\n`,
    (_t, written) => {
      cell.value = written.trim();
      return 0;
    },
  );
};

function uuid(k: Kernel): string {
  const bytes = new Uint8Array(16);
  k.random(bytes);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Parses a whole number within [low, high]; null otherwise. */
function parseNumber(value: string, low: number, high: number): number | null {
  const number = Number(value.trim());
  return Number.isInteger(number) && number >= low && number <= high ? number : null;
}

function vmTree(k: Kernel): Record<string, NodeMaker> {
  return {
    overcommit_memory: text(
      () => `${OVERCOMMIT_MODES.indexOf(k.mm.overcommit)}\n`,
      (_t, value) => {
        const mode = parseNumber(value, 0, 2);
        if (mode === null) return -EINVAL;
        k.mm.overcommit = OVERCOMMIT_MODES[mode];
        return 0;
      },
    ),
    overcommit_ratio: text(
      () => `${k.mm.commit.ratio}\n`,
      (_t, value) => {
        const ratio = parseNumber(value, 0, 10000);
        if (ratio === null) return -EINVAL;
        k.mm.commit.ratio = ratio;
        return 0;
      },
    ),
    drop_caches: text(
      () => "0\n",
      (_t, value) => {
        const kind = parseNumber(value, 1, 4);
        if (kind === null) return -EINVAL;
        if (kind & 1) k.mm.dropCaches();
        return 0;
      },
    ),
    max_map_count: text(
      () => `${k.mm.maxMapCount}\n`,
      (_t, value) => {
        const count = parseNumber(value, 0, 0x7fffffff);
        if (count === null) return -EINVAL;
        k.mm.setMaxMapCount(count);
        return 0;
      },
    ),
    mmap_min_addr: settable(4096),
    overcommit_kbytes: settable(0),
    "page-cluster": settable(3),
    dirty_bytes: settable(0),
    dirty_background_bytes: settable(0),
    dirtytime_expire_seconds: settable(43200),
    oom_dump_tasks: settable(1),
    stat_interval: settable(1),
    watermark_scale_factor: settable(10),
    watermark_boost_factor: settable(15000),
    extfrag_threshold: settable(500),
    compaction_proactiveness: settable(20),
    memfd_noexec: settable(0),
    unprivileged_userfaultfd: settable(0),
    min_slab_ratio: settable(5),
    zone_reclaim_mode: settable(0),
    laptop_mode: settable(0),
    numa_stat: settable(1),
    hugetlb_shm_group: settable(0),
    percpu_pagelist_high_fraction: settable(0),
    swappiness: settable(60),
    min_free_kbytes: settable(1024),
    dirty_ratio: settable(20),
    dirty_background_ratio: settable(10),
    dirty_expire_centisecs: settable(3000),
    dirty_writeback_centisecs: settable(500),
    vfs_cache_pressure: settable(100),
    oom_kill_allocating_task: settable(0),
    panic_on_oom: settable(0),
    nr_hugepages: settable(0),
    legacy_va_layout: settable(0),
  };
}

function kernelTree(k: Kernel, boot: string): Record<string, NodeMaker> {
  return {
    hostname: text(
      () => `${k.hostname}\n`,
      (_t, value) => {
        k.hostname = value.trim().slice(0, 64);
        return 0;
      },
    ),
    domainname: text(() => `${k.domainName}\n`),
    ostype: constant("Linux"),
    osrelease: constant("6.12.0-faultline"),
    version: constant("#1 SMP Faultline"),
    pid_max: constant(32768),
    threads_max: constant(15642),
    ngroups_max: constant(65536),
    cap_last_cap: constant(40),
    randomize_va_space: constant(0),
    core_pattern: text(
      () => `${k.corePattern}\n`,
      (_t, value) => {
        k.corePattern = value.replace(/\n$/, "").slice(0, 127);
        return 0;
      },
    ),
    core_uses_pid: text(
      () => `${k.coreUsesPid ? 1 : 0}\n`,
      (_t, value) => {
        const uses = parseNumber(value, 0, 1);
        if (uses === null) return -EINVAL;
        k.coreUsesPid = uses === 1;
        return 0;
      },
    ),
    printk: settable("4\t4\t1\t7"),
    sem: constant("32000\t1024000000\t500\t32000"),
    shmmax: constant("18446744073692774399"),
    shmall: constant("18446744073692774399"),
    shmmni: constant(4096),
    msgmax: constant(8192),
    msgmnb: constant(16384),
    msgmni: constant(32000),
    random: directory({
      boot_id: constant(boot),
      uuid: text(() => `${uuid(k)}\n`),
      entropy_avail: constant(256),
      poolsize: constant(256),
    }),
    seccomp: directory({ actions_avail: constant("") }),
    yama: directory({ ptrace_scope: constant(0) }),
    perf_event_paranoid: constant(2),
  };
}

/** Entries of /proc besides the numbered directories. `self` and `thread-self` lead to the reader's own. */
export function systemEntries(k: Kernel): Record<string, NodeMaker> {
  return {
    buddyinfo: text(() => ""),
    cgroups: text(() => "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"),
    cmdline: constant("faultline"),
    cpuinfo: text(renderCpuinfo),
    devices: text(() => "Character devices:\n  1 mem\n  5 /dev/tty\n136 pts\n\nBlock devices:\n"),
    diskstats: text(() => ""),
    filesystems: text(() => "nodev\tproc\nnodev\ttmpfs\nnodev\tdevpts\nnodev\toverlay\nnodev\tsysfs\n"),
    interrupts: text(() => "           CPU0\n"),
    loadavg: text(() => renderLoadavg(k)),
    meminfo: text(() => renderMeminfo(k)),
    mounts: link((t: Task) => `${t.process.pid}/mounts`),
    net: directory({
      dev: text(
        () =>
          "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n",
      ),
      tcp: text(() => formatTcp(k, AF_INET)),
      tcp6: text(() => formatTcp(k, AF_INET6)),
      udp: text(() => formatUdp(k, AF_INET)),
      udp6: text(() => formatUdp(k, AF_INET6)),
      unix: text(() => formatUnix(k)),
      if_inet6: text(() => "00000000000000000000000000000001 01 80 10 80       lo\n"),
      route: text(() => "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"),
    }),
    partitions: text(() => "major minor  #blocks  name\n\n"),
    self: link((t: Task) => String(t.process.pid)),
    stat: text(() => renderStat(k)),
    swaps: text(() => renderSwaps(k)),
    sys: directory({
      vm: directory(vmTree(k)),
      kernel: directory(kernelTree(k, uuid(k))),
      fs: directory({
        "file-max": constant("9223372036854775807"),
        "file-nr": constant("0\t0\t9223372036854775807"),
        nr_open: constant(1048576),
        "pipe-max-size": constant(1048576),
        "aio-max-nr": constant(65536),
        inotify: directory({
          max_user_watches: constant(65536),
          max_user_instances: constant(128),
          max_queued_events: constant(16384),
        }),
        mqueue: directory({ msg_max: constant(10), msgsize_max: constant(8192), queues_max: constant(256) }),
      }),
      net: directory({
        core: directory({ somaxconn: constant(4096) }),
        ipv4: directory({ ip_local_port_range: constant("32768\t60999"), tcp_fin_timeout: constant(60) }),
        ipv6: directory({}),
      }),
    }),
    "thread-self": link((t: Task) => `${t.process.pid}/task/${t.tid}`),
    sysvipc: directory({
      msg: text(() => formatMessageQueues(k)),
      sem: text(() => formatSemaphores(k)),
      shm: text(() => formatSegments(k)),
    }),
    uptime: text(() => renderUptime(k)),
    version: constant("Linux version 6.12.0-faultline (faultline) #1 SMP"),
    vmstat: text(() => renderVmstat(k)),
    zoneinfo: text(() => ""),
  };
}
