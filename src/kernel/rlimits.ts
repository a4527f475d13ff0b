// Resource limits of a process: soft and hard values, Infinity for RLIM_INFINITY. Enforcement is where the resource is.
import {
  RLIM_NLIMITS,
  RLIMIT_CORE,
  RLIMIT_MEMLOCK,
  RLIMIT_MSGQUEUE,
  RLIMIT_NICE,
  RLIMIT_NOFILE,
  RLIMIT_NPROC,
  RLIMIT_RTPRIO,
  RLIMIT_SIGPENDING,
  RLIMIT_STACK,
} from "../abi/resource.ts";

export class RLimits {
  readonly soft: Float64Array;
  readonly hard: Float64Array;

  constructor(soft = new Float64Array(RLIM_NLIMITS), hard = new Float64Array(RLIM_NLIMITS)) {
    this.soft = soft;
    this.hard = hard;
  }

  /** INIT_RLIMITS of Linux; process and signal counts follow the size of memory as fork_init() has it. */
  static initial(maxThreads: number): RLimits {
    const limits = new RLimits();
    limits.soft.fill(Number.POSITIVE_INFINITY);
    limits.hard.fill(Number.POSITIVE_INFINITY);
    limits.put(RLIMIT_STACK, 8 << 20, Number.POSITIVE_INFINITY);
    limits.put(RLIMIT_CORE, 0, Number.POSITIVE_INFINITY);
    limits.put(RLIMIT_NPROC, Math.floor(maxThreads / 2), Math.floor(maxThreads / 2));
    limits.put(RLIMIT_NOFILE, 1024, 4096);
    limits.put(RLIMIT_MEMLOCK, 8 << 20, 8 << 20);
    limits.put(RLIMIT_SIGPENDING, Math.floor(maxThreads / 2), Math.floor(maxThreads / 2));
    limits.put(RLIMIT_MSGQUEUE, 819200, 819200);
    limits.put(RLIMIT_NICE, 0, 0);
    limits.put(RLIMIT_RTPRIO, 0, 0);
    return limits;
  }

  put(resource: number, soft: number, hard: number): void {
    this.soft[resource] = soft;
    this.hard[resource] = hard;
  }

  clone(): RLimits {
    return new RLimits(this.soft.slice(), this.hard.slice());
  }
}
