// Text of /proc/mounts and /proc/PID/mountinfo (Linux fs/proc_namespace.c).
import { MS_NOATIME, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY } from "../../../abi/fcntl.ts";
import { deviceMajor, deviceMinor } from "../../../abi/stat.ts";
import type { Kernel } from "../../kernel.ts";
import { type Mount, pathName } from "../path.ts";

/** Blanks and backslashes as octal escapes. */
function mangle(name: string): string {
  return name.replace(/[ \t\n\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

function flagsOf(mount: Mount): string {
  const { flags } = mount;
  return (
    (flags & MS_RDONLY ? "ro" : "rw") +
    (flags & MS_NOSUID ? ",nosuid" : "") +
    (flags & MS_NODEV ? ",nodev" : "") +
    (flags & MS_NOEXEC ? ",noexec" : "") +
    (flags & MS_NOATIME ? ",noatime" : ",relatime")
  );
}

const pointOf = (mount: Mount) => mangle(pathName({ mount, dentry: mount.root }));

export function renderMounts(k: Kernel): string {
  let out = "";
  for (const mount of k.vfs.mounts.all) {
    const options = mount.fs.mountOptions();
    out += `${mangle(mount.fs.source)} ${pointOf(mount)} ${mount.fs.type} ${flagsOf(mount)}${options ? `,${options}` : ""} 0 0\n`;
  }
  return out;
}

export function renderMountInfo(k: Kernel): string {
  let out = "";
  for (const mount of k.vfs.mounts.all) {
    const device = `${deviceMajor(mount.fs.dev)}:${deviceMinor(mount.fs.dev)}`;
    const options = mount.fs.mountOptions();
    out +=
      `${mount.id} ${mount.parent?.id ?? 0} ${device} / ${pointOf(mount)} ${flagsOf(mount)} - ` +
      `${mount.fs.type} ${mangle(mount.fs.source)} ${mount.fs.readOnly ? "ro" : "rw"}${options ? `,${options}` : ""}\n`;
  }
  return out;
}
