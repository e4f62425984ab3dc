#!/bin/bash
# Builds the virtual board in BOARD_DIR: Debian trixie with its stock kernel and systemd, a simulated GPIO chip with a
# Pi 4's 54 lines, an I²C stub, libcamera's virtual camera and picamera2; then a release of this project in it, not yet
# installed. About 5 min the first time, half a minute again. Needs root; mounts live in a namespace of their own.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/common.sh"
need mmdebstrap:mmdebstrap mke2fs:e2fsprogs git:git pip3:python3-pip
[ -n "${BOARD_NAMESPACE:-}" ] || exec env BOARD_NAMESPACE=1 unshare --mount "$0" "$@"

BASE=$BOARD_DIR/base TREE=$BOARD_DIR/tree OUT=$BOARD_DIR/out
PACKAGES=systemd,systemd-sysv,udev,dbus,kmod,linux-image-amd64,initramfs-tools,zstd,ca-certificates,procps,make,gpiod,i2c-tools
PACKAGES+=,python3,python3-pip,python3-venv,python3-libcamera,libcamera-tools,libcamera-ipa,python3-prctl,python3-av,python3-numpy,python3-pil
BUILD_PACKAGES="linux-source python3-dev gcc make libcap-dev xz-utils swig"

enter() { # enter TREE COMMAND …: with what a chroot needs, until this script ends
    local tree=$1 each
    shift
    for each in proc sys dev; do
        mountpoint -q "$tree/$each" || mount --rbind "/$each" "$tree/$each"
        mount --make-rslave "$tree/$each"
    done
    nice -n 19 chroot "$tree" /usr/bin/env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
}
leave() { for each in dev sys proc; do umount --recursive --lazy "$1/$each"; done; }

layer() { # layer LOWER MOUNTPOINT: a throw-away copy of LOWER at MOUNTPOINT
    mountpoint -q "$2" && umount --recursive --lazy "$2"
    rm -rf "$BOARD_DIR/upper" "$BOARD_DIR/work"
    mkdir -p "$BOARD_DIR/upper" "$BOARD_DIR/work" "$2"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$BOARD_DIR/upper,workdir=$BOARD_DIR/work" "$2"
}

build_base() { # kernel modules and Python packages that stand for those of Raspberry Pi OS
    say "Debian tree"
    rm -rf "$BASE"
    debian_tree "$BASE" "$PACKAGES"
    local kernel
    kernel=$(basename "$BASE"/lib/modules/*)
    say "kernel modules and Python packages of the board, kernel $kernel"
    layer "$BASE" "$TREE"
    cp -L /etc/resolv.conf /etc/hosts "$TREE/etc/"
    cp -L --remove-destination /etc/ssl/certs/ca-certificates.crt "$TREE/etc/ssl/certs/" # a host behind a proxy has its own
    mkdir -p "$TREE/root/rig"
    cp "$HERE/guest/build_in_chroot.sh" "$TREE/root/rig/"
    enter "$TREE" apt-get update -qq
    # shellcheck disable=SC2086
    enter "$TREE" apt-get install -y -qq --no-install-recommends "linux-headers-$kernel" $BUILD_PACKAGES >/dev/null
    enter "$TREE" /bin/bash /root/rig/build_in_chroot.sh "$kernel"
    mkdir -p "$BASE/lib/modules/$kernel/updates" "$BASE/wheels-board"
    cp "$TREE"/root/rig/made/*.ko "$BASE/lib/modules/$kernel/updates/"
    cp "$TREE"/root/rig/made/*.whl "$BASE/wheels-board/"
    leave "$TREE"
    enter "$BASE" /bin/sh -c 'pip3 install --quiet --root-user-action ignore --break-system-packages --no-index --no-deps /wheels-board/*.whl && rm -r /wheels-board'
    enter "$BASE" depmod "$kernel"
    printf 'virtio_pci\nvirtio_blk\next4\ncrc32c\n' >"$BASE/etc/initramfs-tools/modules"
    sed -i 's/^MODULES=.*/MODULES=list/; s/^COMPRESS=.*/COMPRESS=lz4/' "$BASE/etc/initramfs-tools/initramfs.conf"
    enter "$BASE" update-initramfs -u -k "$kernel" >/dev/null
    leave "$BASE"
}

wheels() { # for Python packages of the project, by the host's pip: the board has no network
    local target=$BOARD_DIR/wheels list platforms=() each
    for each in manylinux2014 manylinux_2_17 manylinux_2_26 manylinux_2_27 manylinux_2_28; do platforms+=(--platform "${each}_x86_64"); done
    mkdir -p "$target"
    for list in requirements-board-3.13.lock requirements-build.lock; do
        cmp -s "$REPO/systemd/requirements/$list" "$target/$list" && continue
        say "wheels of $list"
        pip3 download --quiet --disable-pip-version-check --dest "$target" --require-hashes --only-binary :all: --implementation cp \
            --python-version 313 "${platforms[@]}" -r "$REPO/systemd/requirements/$list"
        cp "$REPO/systemd/requirements/$list" "$target/"
    done
}

put_project() { # the sources as they are, and a release that is built but not installed: pip needs minutes in the guest
    local kernel unit
    layer "$BASE" "$TREE"
    mkdir -p "$TREE/src" "$TREE/wheels" "$TREE/opt/rig" "$TREE/srv/scene" "$TREE/srv/full" "$TREE/usr/share/libcamera/pipeline/virtual"
    git -C "$REPO" ls-files --cached --others --exclude-standard -z -- device models calibration systemd docs pyproject.toml Makefile README.md LICENSE |
        tar -C "$REPO" --null --ignore-failed-read -T - -c | tar -C "$TREE/src" -x --no-same-owner
    mount --bind "$BOARD_DIR/wheels" "$TREE/wheels"
    mkdir -p "$TREE/etc/focusgate"
    echo '[gate]' >"$TREE/etc/focusgate/focusgate.toml" # the checks write the real one
    enter "$TREE" /src/systemd/install.sh --no-start --no-packages --wheels /wheels
    mv "$TREE/opt/focusgate/releases" "$TREE/opt/releases"
    enter "$TREE" /src/systemd/uninstall.sh >/dev/null
    mkdir -p "$TREE/opt/focusgate"
    mv "$TREE/opt/releases" "$TREE/opt/focusgate/releases"
    rm -rf "$TREE/etc/focusgate"
    umount "$TREE/wheels"

    cp -r "$HERE/guest/." "$TREE/opt/rig/"
    cp "$HERE"/guest/*.service "$TREE/etc/systemd/system/"
    cp "$HERE/guest/virtual.yaml" "$TREE/usr/share/libcamera/pipeline/virtual/"
    cp "$HERE/guest/pykms.py" "$HERE/guest/picamera2_rig.py" "$TREE/usr/local/lib/python3.13/dist-packages/"
    printf '\nimport picamera2_rig  # adapters to the virtual camera\n' >>"$TREE/usr/local/lib/python3.13/dist-packages/picamera2/__init__.py"
    enter "$TREE" python3 /opt/rig/make_scene.py /srv
    leave "$TREE"

    echo board >"$TREE/etc/hostname"
    : >"$TREE/etc/fstab"
    sed -i 's/^root:[^:]*/root:/' "$TREE/etc/shadow"
    echo i6300esb >"$TREE/etc/modules-load.d/rig.conf"
    mkdir -p "$TREE/etc/systemd/system/multi-user.target.wants" "$TREE/etc/systemd/system/graphical.target.wants"
    ln -sf /etc/systemd/system/rig.service "$TREE/etc/systemd/system/multi-user.target.wants/"
    ln -sf /etc/systemd/system/board-test.service "$TREE/etc/systemd/system/graphical.target.wants/"
    for unit in apt-daily.timer apt-daily-upgrade.timer systemd-timesyncd.service dpkg-db-backup.timer getty@tty1.service ldconfig.service \
        serial-getty@ttyS0.service systemd-networkd-wait-online.service; do ln -sf /dev/null "$TREE/etc/systemd/system/$unit"; done
    kernel=$(basename "$TREE"/lib/modules/*)
    mkdir -p "$OUT"
    git -C "$REPO" describe --always --dirty >"$OUT/commit"
    cp "$TREE/boot/vmlinuz-$kernel" "$OUT/vmlinuz"
    cp "$TREE/boot/initrd.img-$kernel" "$OUT/initrd.img"
}

key=$(cat "$HERE/guest/build_in_chroot.sh" - <<<"$PACKAGES" | sha256sum)
if [ "$(cat "$BOARD_DIR/base.key" 2>/dev/null)" != "$key" ]; then
    build_base
    echo "$key" >"$BOARD_DIR/base.key"
fi
wheels
say "project"
put_project
say "image"
rm -f "$OUT/rootfs.img"
truncate -s 4000M "$OUT/rootfs.img" # sparse; room for more than the 100 captures below which the lamp says that it is low
nice -n 19 mke2fs -q -t ext4 -m 0 -d "$TREE" "$OUT/rootfs.img"
umount "$TREE"
say "image of $(du -h "$OUT/rootfs.img" | cut -f1) in $OUT"
