#!/bin/sh
# Builds the benchmark kernels into OUT/riscv64 and, on x86-64, OUT/native.
#   sh guest/bench/build.sh OUT      needs: gcc-riscv64-linux-gnu, and gcc for the native ones
set -eu
here=$(cd "$(dirname "$0")" && pwd); out=${1:?usage: build.sh OUT}
flags="-O2 -Wall -Wextra -Werror -ffreestanding -nostdlib -static -fno-stack-protector -fno-tree-loop-distribute-patterns -ffp-contract=off -fno-math-errno -fno-pie -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -g0"
build() { # compiler, folder, more flags
  mkdir -p "$2"
  for name in integer float fused calls dispatch string hash; do $1 $flags $3 -o "$2/$name" "$here/$name.c"; done
  $1 $flags $3 -o "$2/chase-near" "$here/chase.c"
  $1 $flags $3 -DSPAN='(64<<20)' -DNAME='"chase-far"' -DROUNDS=10 -o "$2/chase-far" "$here/chase.c"
}
build "${CC:-riscv64-linux-gnu-gcc}" "$out/riscv64" "-march=rv64gc -mabi=lp64d"
if [ "$(uname -m)" = x86_64 ]; then build "${NATIVE_CC:-gcc}" "$out/native" "-mfma"; fi
