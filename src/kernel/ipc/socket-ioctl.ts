// The interface requests that every socket answers (SIOCGIF*), about lo, the only interface (net/core/dev_ioctl.c).
import { EADDRNOTAVAIL, EINVAL, ENODEV, ENOTTY } from "../../abi/errno.ts";
import * as S from "../../abi/socket.ts";
import type { Task } from "../task.ts";
import { ARPHRD_LOOPBACK, LOOPBACK_FLAGS, LOOPBACK_INDEX, LOOPBACK_MTU } from "./netlink-route.ts";
import { fetchBytes, get64, storeBytes, viewOf } from "./user-memory.ts";

/** sizeof(struct ifreq), sizeof(struct ifconf), IFNAMSIZ. */
const IFREQ_BYTES = 40;
const IFCONF_BYTES = 16;
const NAME_BYTES = 16;

export function interfaceIoctl(t: Task, command: number, argument: number): number {
  if (command === S.SIOCGIFCONF) return listInterfaces(t, argument);
  if (command === S.SIOCGIFNAME) {
    const request = fetchBytes(t, argument, IFREQ_BYTES);
    if (viewOf(request).getInt32(NAME_BYTES, true) !== LOOPBACK_INDEX) return -ENODEV;
    request.fill(0, 0, NAME_BYTES);
    request.set([0x6c, 0x6f]);
    storeBytes(t, argument, request);
    return 0;
  }
  if (!ANSWERED.has(command)) return command >= 0x8900 && command < 0x8a00 ? -EINVAL : -ENOTTY;
  const request = fetchBytes(t, argument, IFREQ_BYTES);
  if (request[0] !== 0x6c || request[1] !== 0x6f || request[2] !== 0) return -ENODEV;
  request.fill(0, NAME_BYTES);
  const view = viewOf(request);
  switch (command) {
    case S.SIOCGIFFLAGS:
      view.setInt16(NAME_BYTES, LOOPBACK_FLAGS, true);
      break;
    case S.SIOCGIFADDR:
      request.set([S.AF_INET, 0, 0, 0, 127, 0, 0, 1], NAME_BYTES);
      break;
    case S.SIOCGIFNETMASK:
      request.set([S.AF_INET, 0, 0, 0, 255, 0, 0, 0], NAME_BYTES);
      break;
    case S.SIOCGIFBRDADDR:
      return -EADDRNOTAVAIL;
    case S.SIOCGIFMTU:
      view.setInt32(NAME_BYTES, LOOPBACK_MTU, true);
      break;
    case S.SIOCGIFINDEX:
      view.setInt32(NAME_BYTES, LOOPBACK_INDEX, true);
      break;
    case S.SIOCGIFHWADDR:
      view.setUint16(NAME_BYTES, ARPHRD_LOOPBACK, true);
      break;
    case S.SIOCGIFTXQLEN:
      view.setInt32(NAME_BYTES, 1000, true);
      break;
  }
  storeBytes(t, argument, request);
  return 0;
}

const ANSWERED = new Set<number>([
  S.SIOCGIFFLAGS,
  S.SIOCGIFADDR,
  S.SIOCGIFNETMASK,
  S.SIOCGIFBRDADDR,
  S.SIOCGIFMETRIC,
  S.SIOCGIFMTU,
  S.SIOCGIFINDEX,
  S.SIOCGIFHWADDR,
  S.SIOCGIFTXQLEN,
]);

/** dev_ifconf: { int length; pad; struct ifreq *buffer }. Without a buffer only the length needed is told. */
function listInterfaces(t: Task, address: number): number {
  const conf = fetchBytes(t, address, IFCONF_BYTES);
  const view = viewOf(conf);
  const room = view.getInt32(0, true);
  const buffer = get64(view, 8);
  let length = IFREQ_BYTES;
  if (buffer !== 0) {
    length = 0;
    if (room >= IFREQ_BYTES) {
      const request = new Uint8Array(IFREQ_BYTES);
      request.set([0x6c, 0x6f]);
      request.set([S.AF_INET, 0, 0, 0, 127, 0, 0, 1], NAME_BYTES);
      storeBytes(t, buffer, request);
      length = IFREQ_BYTES;
    }
  }
  view.setInt32(0, length, true);
  storeBytes(t, address, conf);
  return 0;
}
