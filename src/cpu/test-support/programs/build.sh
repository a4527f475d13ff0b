#!/bin/sh
# Builds the kernels into $1 (default: the prebuilt folder beside this file) with riscv64-linux-gnu-gcc 12.
set -eu
cd "$(dirname "$0")"
out=${1:-prebuilt}
mkdir -p "$out"
for k in 1 2 3 4 5 6 7 8 9; do
  riscv64-linux-gnu-gcc -O2 -static -nostdlib -ffreestanding -fno-tree-loop-distribute-patterns -fno-pic -no-pie \
    -Wl,--build-id=none -Wl,-s -Wl,--no-warn-rwx-segments -DKERNEL=$k kernels.c -o "$out/kernel$k.elf"
done
