// The sys file system, as far as programs ask it about processors, memory nodes and page sizes. There is no device behind it.
import type { Kernel } from "../kernel.ts";
import { FileSystem } from "./inode.ts";
import { directory, type NodeMaker, ProcDirectory, text } from "./procfs/nodes.ts";

const SYSFS_MAGIC = 0x62656572;

const constant = (value: string): NodeMaker => text(() => `${value}\n`);

/** One hart, number 0, always there. */
function processors(): Record<string, NodeMaker> {
  return {
    kernel_max: constant("0"),
    offline: constant(""),
    online: constant("0"),
    possible: constant("0"),
    present: constant("0"),
    cpu0: directory({
      topology: directory({
        core_cpus: constant("1"),
        core_cpus_list: constant("0"),
        core_id: constant("0"),
        core_siblings: constant("1"),
        core_siblings_list: constant("0"),
        package_cpus: constant("1"),
        package_cpus_list: constant("0"),
        physical_package_id: constant("0"),
        thread_siblings: constant("1"),
        thread_siblings_list: constant("0"),
      }),
    }),
  };
}

export class SysFileSystem extends FileSystem {
  readonly type = "sysfs";
  readonly magic = SYSFS_MAGIC;
  readonly root: ProcDirectory;

  constructor(kernel: Kernel) {
    super(kernel.vfs, "sysfs");
    this.root = new ProcDirectory(this, {
      block: directory({}),
      bus: directory({}),
      class: directory({}),
      devices: directory({
        system: directory({
          cpu: directory(processors()),
          node: directory({
            online: constant("0"),
            possible: constant("0"),
            node0: directory({ cpulist: constant("0"), cpumap: constant("1") }),
          }),
        }),
      }),
      fs: directory({ cgroup: directory({}) }),
      kernel: directory({
        mm: directory({
          transparent_hugepage: directory({ enabled: constant("always madvise [never]") }),
        }),
      }),
    });
  }
}
