// Eviction policy CLOCK-Pro (Jiang, Chen and Zhang, USENIX 2005): LIRS's idea with reference bits only. One circle of hot pages, cold
// pages and evicted cold pages still in their test period, and three hands.
//
//   cold hand   cold and used: in its test period it becomes hot, else it gets one; cold and unused: the victim
//   hot hand    hot and unused: becomes cold; ends the test periods it passes
//   test hand   ends test periods while there are more evicted pages than frames
//
// A page that comes back in its test period becomes hot, and cold pages get more frames; a test period that ends unused takes one away.
import type { Pfn } from "../../util/brand.ts";
import type { ReclaimPolicy } from "../contracts.ts";
import type { FrameTable } from "../frame-table.ts";

const COLD = 0;
const HOT = 1;
/** Evicted, known by its key. */
const GONE = 2;

class Page {
  pfn = 0;
  key = 0;
  state: 0 | 1 | 2 = COLD;
  used = false;
  inTest = true;
  next: Page = this;
  prev: Page = this;
}

export class ClockProPolicy implements ReclaimPolicy {
  readonly name = "clock-pro";
  private readonly pages: (Page | undefined)[];
  private readonly capacity: number;
  private readonly gone = new Map<number, Page>();
  private hotHand: Page | null = null;
  private coldHand: Page | null = null;
  private testHand: Page | null = null;
  private hotCount = 0;
  private coldCount = 0;
  /** Frames that cold pages should have (mc). */
  private coldTarget = 1;

  constructor(frames: FrameTable) {
    this.capacity = frames.frameCount - 1;
    this.pages = new Array(frames.frameCount);
  }

  inserted(pfn: Pfn, key = 0): void {
    const page = new Page();
    const before = this.gone.get(key);
    if (before !== undefined) {
      this.forget(before);
      this.coldTarget = Math.min(this.coldTarget + 1, Math.max(1, this.capacity - 1));
      page.state = HOT;
      page.inTest = false;
    }
    page.pfn = pfn;
    this.pages[pfn] = page;
    if (page.state === HOT) this.hotCount++;
    else this.coldCount++;
    this.link(page);
  }

  removed(pfn: Pfn, key = 0, evicted = false): void {
    const page = this.pages[pfn]!;
    this.pages[pfn] = undefined;
    if (page.state === HOT) this.hotCount--;
    else this.coldCount--;
    page.pfn = 0;
    if (!evicted || key === 0 || page.state === HOT || !page.inTest) {
      this.unlink(page);
      return;
    }
    const stale = this.gone.get(key);
    if (stale !== undefined) this.forget(stale);
    page.state = GONE;
    page.key = key;
    this.gone.set(key, page);
    while (this.gone.size > this.capacity) this.moveTestHand();
  }

  activated(pfn: Pfn): void {
    this.pages[pfn]!.used = true;
  }

  referenced(pfn: Pfn): void {
    this.pages[pfn]!.used = true;
  }

  victim(accessed: (pfn: Pfn) => boolean): Pfn | 0 {
    const resident = this.hotCount + this.coldCount;
    if (resident === 0) return 0;
    for (let left = 4 * (resident + this.gone.size); left > 0; left--) {
      while (this.hotCount > 0 && (this.coldCount === 0 || this.hotCount > this.capacity - this.coldTarget)) {
        this.moveHotHand(accessed);
      }
      const page = this.coldHand!;
      if (page.state === COLD && !this.take(page, accessed)) return page.pfn as Pfn;
      this.coldHand = page.next;
      if (page.state !== COLD || !page.used) continue;
      page.used = false;
      if (page.inTest) {
        page.state = HOT;
        page.inTest = false;
        this.coldCount--;
        this.hotCount++;
      } else {
        page.inTest = true;
      }
      this.unlink(page);
      this.link(page);
    }
    return this.anyResident();
  }

  /** Whether the page was used, by its own mark or A bits; the mark is set then. */
  private take(page: Page, accessed: (pfn: Pfn) => boolean): boolean {
    if (accessed(page.pfn as Pfn)) page.used = true;
    return page.used;
  }

  private moveHotHand(accessed: (pfn: Pfn) => boolean): void {
    const page = this.hotHand!;
    this.hotHand = page.next;
    if (page.state === HOT) {
      if (this.take(page, accessed)) {
        page.used = false;
        return;
      }
      page.state = COLD;
      page.inTest = false;
      this.hotCount--;
      this.coldCount++;
    } else this.endTest(page);
  }

  private moveTestHand(): void {
    const page = this.testHand!;
    this.testHand = page.next;
    if (page.state !== HOT) this.endTest(page);
  }

  private endTest(page: Page): void {
    if (!page.inTest || page.used) return;
    page.inTest = false;
    this.coldTarget = Math.max(1, this.coldTarget - 1);
    if (page.state === GONE) this.forget(page);
  }

  private forget(page: Page): void {
    this.gone.delete(page.key);
    this.unlink(page);
  }

  /** At the list's head: right behind the hot hand, the last that it will come to. */
  private link(page: Page): void {
    const at = this.hotHand;
    if (at === null) {
      page.next = page;
      page.prev = page;
      this.hotHand = page;
      this.coldHand = page;
      this.testHand = page;
      return;
    }
    page.next = at;
    page.prev = at.prev;
    at.prev.next = page;
    at.prev = page;
  }

  private unlink(page: Page): void {
    const next = page.next === page ? null : page.next;
    if (this.hotHand === page) this.hotHand = next;
    if (this.coldHand === page) this.coldHand = next;
    if (this.testHand === page) this.testHand = next;
    page.prev.next = page.next;
    page.next.prev = page.prev;
  }

  private anyResident(): Pfn | 0 {
    for (let page = this.coldHand!; ; page = page.next) if (page.state !== GONE) return page.pfn as Pfn;
  }
}
