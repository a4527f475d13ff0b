// A process of the host that swaps a folder and a file below argv[2] for symbolic links to argv[3], as fast as it can, until it is killed.
import * as fs from "node:fs";

const [, , folder, outside] = process.argv;
const quietly = (operation) => {
  try {
    operation();
  } catch {
    // The guest was faster.
  }
};
process.stdout.write("swapping\n");
for (let i = 0; ; i++) {
  quietly(() => fs.renameSync(`${folder}/swap`, `${folder}/away${i % 2}`));
  quietly(() => fs.symlinkSync(outside, `${folder}/swap`));
  quietly(() => fs.unlinkSync(`${folder}/one`));
  quietly(() => fs.symlinkSync(`${outside}/file`, `${folder}/one`));
  quietly(() => fs.unlinkSync(`${folder}/swap`));
  quietly(() => fs.renameSync(`${folder}/away${i % 2}`, `${folder}/swap`));
  quietly(() => fs.unlinkSync(`${folder}/one`));
  quietly(() => fs.writeFileSync(`${folder}/one`, "inside, not out"));
  if (!fs.existsSync(`${folder}/swap`)) quietly(() => fs.mkdirSync(`${folder}/swap`));
  if (!fs.existsSync(`${folder}/swap/file`)) quietly(() => fs.writeFileSync(`${folder}/swap/file`, "inside too"));
}
