// The ioctls of /proc/PID/pagemap and /proc/PID/maps: PAGEMAP_SCAN and PROCMAP_QUERY (Linux fs/proc/task_mmu.c).
import { EFAULT, EINVAL, ENAMETOOLONG, ENOENT, ENOTTY, EPERM } from "../../../abi/errno.ts";
import { PAGE_SIZE, USER_VPN_END } from "../../../arch/sv39.ts";
import type { AddressSpace } from "../../../mm/address-space.ts";
import type { Vma } from "../../../mm/vma.ts";
import { VM_EXEC, VM_MAYSHARE, VM_READ, VM_WRITE } from "../../../mm/vma.ts";
import { encodeUtf8 } from "../../../util/utf8.ts";
import { fetchBytes, get64, set64, storeBytes, storeU64, viewOf } from "../../ipc/user-memory.ts";
import type { Task } from "../../task.ts";
import { areaName } from "./maps.ts";

export const PAGEMAP_SCAN = 0xc0606610;
const SCAN_BYTES = 96;
const SCAN_FLAGS = 3;
const SCAN_CHECK_WPASYNC = 2;
const CATEGORIES = 0xff;
const IS_WRITTEN = 2;
const IS_FILE = 4;
const IS_PRESENT = 8;
const IS_SWAPPED = 16;
const IS_PFNZERO = 32;

interface Scan {
  vector: number;
  room: number;
  maxPages: number;
  inverted: number;
  all: number;
  any: number;
  shown: number;
}

/** PAGEMAP_SCAN: regions of pages whose categories fit, into the caller's vector. Returns how many regions. */
export function scanPagemap(t: Task, space: AddressSpace, argument: number): number {
  const view = viewOf(fetchBytes(t, argument, SCAN_BYTES));
  const [flags, start, rawEnd] = [get64(view, 8), get64(view, 16), get64(view, 24)];
  const masks = [72, 80, 88, 64].map((at) => get64(view, at));
  if (get64(view, 0) !== SCAN_BYTES || flags < 0 || flags > SCAN_FLAGS) return -EINVAL;
  if (masks.some((mask) => mask < 0 || mask > CATEGORIES) || start % PAGE_SIZE !== 0) return -EINVAL;
  if (start < 0 || rawEnd < start) return -EFAULT;
  const [vector, room, maxPages] = [get64(view, 40), get64(view, 48), get64(view, 56)];
  if (vector === 0 && room !== 0) return -EINVAL;
  if (flags & SCAN_CHECK_WPASYNC) return -EPERM;
  const [all, any, shown, inverted] = masks;
  const scan: Scan = {
    vector,
    room,
    maxPages: maxPages === 0 ? Number.POSITIVE_INFINITY : maxPages,
    inverted,
    all,
    any,
    shown,
  };
  const end = Math.min(Math.ceil(rawEnd / PAGE_SIZE), USER_VPN_END);
  const result = new Scanner(t, space, scan).run(start / PAGE_SIZE, end, Math.ceil(rawEnd / PAGE_SIZE));
  if (result.failed < 0) return result.failed;
  storeU64(t, argument + 32, result.walkEnd * PAGE_SIZE);
  return result.regions;
}

class Scanner {
  private readonly t: Task;
  private readonly space: AddressSpace;
  private readonly scan: Scan;
  private readonly entry = new Uint32Array(2);
  private regions = 0;
  private first = 0;
  private last = 0;
  private categories = -1;

  constructor(t: Task, space: AddressSpace, scan: Scan) {
    this.t = t;
    this.space = space;
    this.scan = scan;
  }

  run(firstVpn: number, endVpn: number, whole: number): { regions: number; walkEnd: number; failed: number } {
    const { scan } = this;
    let found = 0;
    for (let vpn = firstVpn; vpn < endVpn; vpn++) {
      const area = this.space.areas.findPageOrAbove(vpn);
      if (area === null || area.startVpn >= endVpn) break;
      vpn = Math.max(vpn, area.startVpn);
      const raw = this.categoriesOf(vpn);
      const wanted = raw ^ scan.inverted;
      if ((wanted & scan.all) !== scan.all || (scan.any !== 0 && (wanted & scan.any) === 0)) continue;
      if (!this.add(vpn, raw & scan.shown)) return this.end(vpn);
      if (++found === scan.maxPages) return this.end(vpn + 1);
    }
    return this.end(whole);
  }

  private categoriesOf(vpn: number): number {
    this.space.pagemapEntry(vpn, this.entry);
    const [low, high] = this.entry;
    const file = high & (1 << 29) ? IS_FILE : 0;
    if (high >>> 31) return IS_PRESENT | IS_WRITTEN | file | (low === this.space.mm.zeroPfn ? IS_PFNZERO : 0);
    return high & (1 << 30) ? IS_SWAPPED | IS_WRITTEN | file : 0;
  }

  /** False: the vector is full. */
  private add(vpn: number, categories: number): boolean {
    if (this.scan.vector === 0) return true;
    if (this.categories === categories && this.last === vpn) {
      this.last++;
      return true;
    }
    if (this.categories >= 0 && !this.flush()) return false;
    if (this.regions === this.scan.room) return false;
    this.categories = categories;
    this.first = vpn;
    this.last = vpn + 1;
    return true;
  }

  private flush(): boolean {
    if (this.regions === this.scan.room) return false;
    const bytes = new Uint8Array(24);
    const view = viewOf(bytes);
    set64(view, 0, this.first * PAGE_SIZE);
    set64(view, 8, this.last * PAGE_SIZE);
    set64(view, 16, this.categories);
    storeBytes(this.t, this.scan.vector + this.regions * 24, bytes);
    this.regions++;
    this.categories = -1;
    return true;
  }

  private end(walkEnd: number): { regions: number; walkEnd: number; failed: number } {
    if (this.categories >= 0) this.flush();
    return { regions: this.regions, walkEnd, failed: 0 };
  }
}

export const PROCMAP_QUERY = 0xc0686611;
const QUERY_BYTES = 104;
const QUERY_LEAST_BYTES = 24;
const QUERY_NEXT = 0x10;
const QUERY_FILE = 0x20;
const QUERY_KNOWN = 0x3f;

/** VM_ flags as PROCMAP_QUERY_VMA_*. */
function queryFlags(area: Vma): number {
  const { flags } = area;
  return (
    (flags & VM_READ ? 1 : 0) | (flags & VM_WRITE ? 2 : 0) | (flags & VM_EXEC ? 4 : 0) | (flags & VM_MAYSHARE ? 8 : 0)
  );
}

function findArea(space: AddressSpace, address: number, flags: number): Vma | null {
  const permissions = flags & 0xf;
  let area = address < 0 ? null : space.areas.findPageOrAbove(Math.floor(address / PAGE_SIZE));
  for (; area !== null; area = area.next) {
    const covers = area.start <= address;
    const fits = (flags & QUERY_FILE) === 0 || area.file !== null;
    if ((covers || flags & QUERY_NEXT) && fits && (queryFlags(area) & permissions) === permissions) return area;
    if ((flags & QUERY_NEXT) === 0) return null;
  }
  return null;
}

export function queryMaps(t: Task, space: AddressSpace, request: number, argument: number): number {
  if (request !== PROCMAP_QUERY) return -ENOTTY;
  const size = get64(viewOf(fetchBytes(t, argument, 8)), 0);
  if (size < QUERY_LEAST_BYTES || size > PAGE_SIZE) return -EINVAL;
  const bytes = new Uint8Array(QUERY_BYTES);
  bytes.set(fetchBytes(t, argument, Math.min(size, QUERY_BYTES)));
  const view = viewOf(bytes);
  const [flags, address, nameAt, idAt] = [get64(view, 8), get64(view, 16), get64(view, 88), get64(view, 96)];
  const nameRoom = view.getUint32(80, true);
  if (flags < 0 || flags & ~QUERY_KNOWN || (nameRoom !== 0) !== (nameAt !== 0)) return -EINVAL;
  if ((view.getUint32(84, true) !== 0) !== (idAt !== 0)) return -EINVAL;
  const area = findArea(space, address, flags);
  if (area === null) return -ENOENT;
  const name = encodeUtf8(`${areaName(space, area)}\0`);
  set64(view, 24, area.start);
  set64(view, 32, area.end);
  set64(view, 40, queryFlags(area));
  set64(view, 48, PAGE_SIZE);
  set64(view, 56, area.file === null ? 0 : area.pageOffset * PAGE_SIZE);
  set64(view, 64, area.file?.ino ?? 0);
  view.setUint32(72, Math.floor((area.file?.dev ?? 0) / 256), true);
  view.setUint32(76, (area.file?.dev ?? 0) & 0xff, true);
  view.setUint32(84, 0, true);
  if (nameRoom !== 0) {
    const isNamed = name.length > 1;
    if (isNamed && name.length > nameRoom) return -ENAMETOOLONG;
    view.setUint32(80, isNamed ? name.length : 0, true);
    if (isNamed) storeBytes(t, nameAt, name);
  }
  storeBytes(t, argument, bytes.subarray(0, Math.min(size, QUERY_BYTES)));
  return 0;
}
