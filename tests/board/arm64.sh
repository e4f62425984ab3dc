#!/bin/bash
# The board's processor without a board: Debian trixie's arm64 tree with the wheels that the board installs, run by
# qemu-user as a Cortex-A72 (Raspberry Pi 4) or A76 (Pi 5). Right results and instruction counts; its times mean nothing.
#   arm64.sh make            make the tree (once, some minutes)
#   arm64.sh run COMMAND …   run in the tree; the repository is /src (read-only), its parts importable
#   arm64.sh count COMMAND … the same with instructions counted by insn.c, from outside the tree (paths are the host's)
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/common.sh"
need mmdebstrap:mmdebstrap qemu-aarch64-static:qemu-user-static qemu-aarch64:qemu-user arch-test:arch-test gcc:gcc pip3:python3-pip
TREE=${ARM_ROOT:-$BOARD_DIR/arm64}
LOCK=$REPO/systemd/requirements/requirements-board-3.13.lock
PLATFORMS=(manylinux2014 manylinux_2_17 manylinux_2_26 manylinux_2_27 manylinux_2_28)

binfmt() { # for the maintainer scripts of packages, which start each other
    local folder=/proc/sys/fs/binfmt_misc
    [ -e $folder/register ] || mount -t binfmt_misc binfmt_misc $folder || cannot "binfmt_misc cannot be mounted"
    [ -e $folder/qemu-aarch64 ] || cat /usr/lib/binfmt.d/qemu-aarch64.conf >$folder/register
}

wheels() { # FOLDER REQUIREMENTS [pip options]: the host's pip does it; under emulation it would take minutes
    local target=$TREE/$1 list=$2 stamp platforms=() each
    shift 2
    stamp=$(sha256sum "$list" | cut -c1-16)
    [ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ] && return
    say "wheels of $(basename "$list")"
    rm -rf "$target"
    for each in "${PLATFORMS[@]}"; do platforms+=(--platform "${each}_aarch64"); done
    pip3 install --quiet --no-warn-conflicts --disable-pip-version-check --root-user-action ignore --target "$target" --no-compile --implementation cp \
        --python-version 313 --only-binary :all: "${platforms[@]}" "$@" -r "$list"
    echo "$stamp" >"$target/stamp"
}

plugin() { # the interface's number differs between QEMU's versions: take the first that this one accepts
    local version
    [ -e "$BOARD_DIR/insn.so" ] && [ "$BOARD_DIR/insn.so" -nt "$HERE/insn.c" ] && return
    for version in 1 2 3 4 5 6; do
        gcc -O2 -Wall -Werror -shared -fPIC -DVERSION=$version -o "$BOARD_DIR/insn.so" "$HERE/insn.c"
        if qemu-aarch64 -plugin "$BOARD_DIR/insn.so" -L "$TREE" "$TREE/usr/bin/true" 2>/dev/null; then return; fi
    done
    rm -f "$BOARD_DIR/insn.so"
    cannot "this qemu-aarch64 takes no plugins"
}

make_tree() {
    if [ ! -e "$TREE/complete" ]; then
        say "arm64 tree"
        binfmt
        rm -rf "$TREE"
        debian_tree "$TREE" python3,libgomp1 --architectures=arm64
        mkdir -p "$TREE"/{src,tests-out}
        touch "$TREE/complete"
    fi
    wheels packages "$LOCK" --require-hashes
    wheels tools "$HERE/arm-tools.txt"
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$REPO/pyproject.toml") # of the repository's own, which is not installed
    mkdir -p "$TREE/packages/focusgate.dist-info"
    printf 'Metadata-Version: 2.1\nName: focusgate\nVersion: %s\n' "$version" >"$TREE/packages/focusgate.dist-info/METADATA"
    plugin
}

# What ONNX Runtime, OpenCV and rpi-lgpio ask about the processor: with the host's x86 answers ONNX Runtime crashes.
fake_board() {
    local part=0xd08 features="fp asimd evtstrm crc32 cpuid" core
    if [ "$QEMU_CPU" = cortex-a76 ]; then
        part=0xd0b features="fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
    fi
    mkdir -p "$TREE/sys/devices/system/cpu"
    echo 0-3 | tee "$TREE/sys/devices/system/cpu/possible" >"$TREE/sys/devices/system/cpu/present"
    for core in 0 1 2 3; do
        printf 'processor\t: %d\nBogoMIPS\t: 108.00\nFeatures\t: %s\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: %s\nCPU revision\t: 3\n\n' \
            $core "$features" $part
    done >"$TREE/cpuinfo.$QEMU_CPU"
}

action=${1:?make, run or count}
shift
export QEMU_CPU=${QEMU_CPU:-cortex-a72}
case $action in
make) make_tree ;;
run)
    make_tree
    fake_board
    # shellcheck disable=SC2016  # expanded inside
    exec unshare --mount bash -c '
        tree=$1 repo=$2; shift 2
        mount -t proc proc "$tree/proc"; mount --bind "$tree/cpuinfo.$QEMU_CPU" "$tree/proc/cpuinfo"; mount --rbind /dev "$tree/dev"
        mount --bind "$repo" "$tree/src"; mount -o remount,bind,ro "$tree/src"; mount -t tmpfs tmpfs "$tree/tmp"
        exec chroot "$tree" /usr/bin/env -i HOME=/tmp LC_ALL=C.UTF-8 QEMU_CPU="$QEMU_CPU" PATH=/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 \
            OMP_NUM_THREADS=1 HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis PYTHONPATH=/src:/packages:/tools sh -c "cd /src && exec nice -n 19 \"\$@\"" x "$@"
    ' x "$TREE" "$REPO" "$@"
    ;;
count)
    make_tree
    fake_board
    # shellcheck disable=SC2016
    exec unshare --mount bash -c '
        tree=$1 repo=$2 plugin=$3 program=$4; shift 4
        mount --bind "$tree/cpuinfo.$QEMU_CPU" /proc/cpuinfo; mount --bind "$tree/sys" /sys
        exec nice -n 19 qemu-aarch64 -cpu "$QEMU_CPU" -L "$tree" -plugin "$plugin" -E PYTHONHOME="$tree/usr" -E PYTHONDONTWRITEBYTECODE=1 \
            -E OMP_NUM_THREADS=1 -E PYTHONPATH="$repo:$tree/packages" "$tree$program" "$@"
    ' x "$TREE" "$REPO" "$BOARD_DIR/insn.so" "$@"
    ;;
*) cannot "unknown action $action" ;;
esac
