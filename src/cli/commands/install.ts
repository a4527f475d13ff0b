// `faultline install`: command line of the package installer; the work is done in host/node/install.
import type { Command } from "commander";
import type { InstallEnvironment, InstallOptions, InstallSummary } from "../../host/node/install/installer.ts";
import { formatBytes } from "../../host/node/install/progress.ts";
import { CliError } from "../cli-error.ts";
import { HELP_WIDTH } from "../help-width.ts";

const DEFAULT_ROOT = "faultline-root";
const DEFAULT_SUITE = "trixie";

const EPILOGUE = `
The mirror is --mirror, then FAULTLINE_MIRROR, then the Debian source of the host's apt. The index is checked by its
signature with the host's Debian archive keyring, --keyring or FAULTLINE_KEYRING; each package by its SHA-256.
Downloads are kept in XDG_CACHE_HOME/faultline. An interrupted install goes on when it is started again.
`;

interface CommandValues {
  root: string;
  mirror?: string;
  suite: string;
  lock?: string;
  writeLock?: string;
  keyring?: string;
  recommends?: boolean;
  essential?: boolean;
}

export function addInstallCommand(
  program: Command,
  environment: () => InstallEnvironment,
  print: (text: string) => void,
  finished: (status: number) => void,
): void {
  program
    .command("install")
    .summary("put Debian riscv64 packages and what they depend on into a root folder")
    .description("Puts Debian riscv64 packages and what they depend on into a root folder, for run --root.")
    .usage("[options] PACKAGE...")
    .argument("[packages...]", "NAME or NAME=VERSION; none with --lock: all packages of the lock file")
    .option("--root <DIR>", "the folder; made if it is not there", DEFAULT_ROOT)
    .option("--mirror <URL>", "Debian mirror: http, https or file")
    .option("--suite <NAME>", "Debian suite that has riscv64", DEFAULT_SUITE)
    .option("--lock <FILE>", "install exactly what this lock file says, without any index")
    .option("--write-lock <FILE>", "write a lock file of the packages and their dependencies")
    .option("--keyring <FILE>", "OpenPGP keys that may sign the index")
    .option("--essential", "also every package Debian marks as essential (a shell, coreutils, dpkg, ...)")
    .option("--recommends", "also what packages recommend")
    .configureHelp({ helpWidth: HELP_WIDTH, optionTerm: (option) => option.flags.replace(/<([^>]+)>/, "$1") })
    .addHelpText("after", EPILOGUE)
    .action(async (packages: string[], values: CommandValues) => {
      // Loaded when needed: it brings the network with it.
      const { install } = await import("../../host/node/install/installer.ts");
      const summary = await install(optionsFrom(packages, values), environment());
      print(`${describe(summary)}\n`);
      finished(0);
    });
}

function optionsFrom(packages: readonly string[], values: CommandValues): InstallOptions {
  for (const [name, value] of Object.entries(values)) {
    if (value === "") throw new CliError(`--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} needs a value`);
  }
  if (!/^[A-Za-z0-9][A-Za-z0-9._/-]*$/.test(values.suite) || values.suite.includes("..")) {
    throw new CliError(`--suite "${values.suite}" is no suite name`);
  }
  if (values.lock !== undefined && (values.essential || values.recommends)) {
    throw new CliError("--essential and --recommends need an index; --lock installs what the lock file says");
  }
  return {
    root: values.root,
    mirror: values.mirror ?? null,
    suite: values.suite,
    lock: values.lock ?? null,
    writeLock: values.writeLock ?? null,
    keyring: values.keyring ?? null,
    recommends: values.recommends ?? false,
    essential: values.essential ?? false,
    packages,
  };
}

function describe(summary: InstallSummary): string {
  const { installed, alreadyThere, root } = summary;
  const count = installed.length;
  const there = alreadyThere > 0 ? `, ${alreadyThere} already there` : "";
  const volume =
    count > 0
      ? ` (${formatBytes(summary.downloadedBytes)} downloaded, ${formatBytes(summary.unpackedBytes)} unpacked)`
      : "";
  const what = count === 1 ? installed[0] : `${count} packages`;
  return `${count === 0 ? "nothing new" : what} in ${root}${there}${volume}\n${summary.verification}`;
}
