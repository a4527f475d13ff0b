// Time of the host as every JavaScript host has it: its clocks, and the sleep of an idle machine that something outside can end.

export const hostClock = {
  monotonicNs: () => performance.now() * 1e6,
  realtime: () => {
    const ms = performance.timeOrigin + performance.now();
    const seconds = Math.floor(ms / 1000);
    return { seconds, nanoseconds: Math.floor((ms - seconds * 1000) * 1e6) };
  },
};

export class Sleeper {
  /** Lets the event loop turn once. */
  private readonly breathe: () => Promise<void>;
  private finish: (() => void) | null = null;
  /** Woken while nobody slept: the next sleep is none. */
  private woken = false;

  constructor(breathe: () => Promise<void>) {
    this.breathe = breathe;
  }

  sleep(milliseconds: number): Promise<void> {
    if (this.woken) {
      this.woken = false;
      return this.breathe();
    }
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.finish = null;
        resolve();
      };
      const timer = setTimeout(finish, milliseconds);
      this.finish = finish;
    });
  }

  wakeUp(): void {
    if (this.finish) this.finish();
    else this.woken = true;
  }
}
