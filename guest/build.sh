#!/bin/sh
# Builds the guest programs of the bundled root into OUT (default: guest/root) with Debian's riscv64 cross compiler.
#   sh guest/build.sh [OUT]      needs: gcc-riscv64-linux-gnu (Debian 12's gcc 12.2.0 reproduces the committed files)
set -eu
here=$(cd "$(dirname "$0")" && pwd); out=${1:-$here/root}; cc=${CC:-riscv64-linux-gnu-gcc}
mkdir -p "$out/bin" "$out/lib"; cd "$here"
flags="-O2 -Wall -Wextra -Werror -ffreestanding -nostdlib -fno-stack-protector -fno-tree-loop-distribute-patterns -march=rv64gc -mabi=lp64d -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--hash-style=sysv -Wl,-z,norelro -g0 -s"
for name in hello truths; do $cc $flags -static -o "$out/bin/$name" demo/$name.c lib/sys.c lib/mem.c; done
$cc $flags -static -o "$out/bin/pages" demo/pages.c demo/pages-look.c lib/sys.c lib/mem.c
$cc $flags -static-pie -fPIE -o "$out/lib/ld-story.so.1" ld/ld.c lib/mem.c
$cc $flags -fPIC -shared -Wl,-soname,libstory.so -o "$out/lib/libstory.so" demo/libstory.c
$cc $flags -fPIE -pie -Wl,-z,now -Wl,--dynamic-linker=/lib/ld-story.so.1 -o "$out/bin/sharer" demo/sharer.c lib/sys.c lib/mem.c "$out/lib/libstory.so"
