#!/bin/bash
# Installs focusgate on a board (docs/board.md), as root. Running it again mends or updates what is there; captures and
# configuration are never overwritten. A new version becomes the running one only after its own self-test.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: systemd/install.sh [--no-start] [--no-packages] [--wheels DIR] [--root DIR]

  --no-start      install and enable, but start nothing: for images, inside a chroot
  --no-packages   leave the system's packages alone: they are there, or there is no network
  --wheels DIR    take every Python package from DIR, nothing from the network (the hashes are checked all the same)
  --root DIR      put units, rules and configuration under DIR and stop there: nothing is run, built or started
TEXT
}

say() { echo "focusgate install: $*"; }
fail() {
    echo "focusgate install: $*" >&2
    exit 1
}

root='' start=yes packages=yes wheels=''
while [ $# -gt 0 ]; do
    case $1 in
    --no-start) start=no ;;
    --no-packages) packages=no ;;
    --root | --wheels)
        [ -n "${2:-}" ] || fail "$1 needs a folder"
        if [ "$1" = --root ]; then root=${2%/}; else wheels=$2; fi
        shift
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        fail "unknown option $1"
        ;;
    esac
    shift
done

here=$(cd "$(dirname "$0")" && pwd)
source=$(dirname "$here")
app=/opt/focusgate
config=/etc/focusgate/focusgate.toml

check_system() {
    [ "$(id -u)" = 0 ] || fail "must be run as root: sudo make install"
    [ "$(getconf LONG_BIT)" = 64 ] || fail "this is a 32-bit system, for which there are no wheels; install the 64-bit Raspberry Pi OS"
    command -v python3 >/dev/null || fail "python3 is missing; apt-get install python3 python3-venv"
    python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    lock=$here/requirements/requirements-board-$python.lock
    [ -f "$lock" ] || fail "Python $python is not supported; bookworm has 3.11 and trixie 3.13, both are"
}

install_packages() {
    command -v apt-get >/dev/null || {
        say "no apt-get here: see to picamera2, rpi-lgpio and gpiod yourself"
        return
    }
    apt-get update -qq || say "the package lists could not be renewed; going on with those that are there"
    local wanted=(python3-venv python3-picamera2 python3-rpi-lgpio gpiod i2c-tools) known=() package
    for package in "${wanted[@]}"; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            known+=("$package")
        else
            say "no package $package on this system: what needs it will not work ('focusgate doctor' says what)"
        fi
    done
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${known[@]}" >/dev/null
}

# A release is a venv named after all that it is made from; the same sources give the same name, and nothing is built.
build_release() {
    local name
    name=$(cd "$source" && {
        find device models calibration pyproject.toml "$lock" "$here/requirements/requirements-build.lock" -type f \
            ! -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 cat
        python3 -VV
    } | sha256sum | cut -c1-16)
    release=$app/releases/$name
    if [ -e "$release/complete" ]; then
        say "release $name is built already"
        return
    fi
    say "building release $name (some minutes on a board)"
    local from=() work
    [ -z "$wheels" ] || from=(--no-index --find-links "$wheels")
    work=$(mktemp -d)
    rm -rf "$release"
    mkdir -p "$release"
    python3 -m venv --system-site-packages "$release"
    python3 -m venv "$work/tools"
    mkdir "$work/source"
    local pip=(-m pip --quiet --disable-pip-version-check)
    "$work/tools/bin/python" "${pip[@]}" install "${from[@]}" --require-hashes --only-binary :all: -r "$here/requirements/requirements-build.lock"
    cp -r "$source/device" "$source/models" "$source/calibration" "$source/pyproject.toml" "$source/README.md" "$source/LICENSE" "$work/source/"
    "$work/tools/bin/python" "${pip[@]}" wheel --no-index --no-deps --no-build-isolation --wheel-dir "$work/wheel" "$work/source"
    "$release/bin/python" "${pip[@]}" install "${from[@]}" --require-hashes --only-binary :all: -r "$lock"
    "$release/bin/python" "${pip[@]}" install --no-index --no-deps "$work"/wheel/focusgate-*.whl
    rm -rf "$work"
    touch "$release/complete"
}

self_test() {
    PYTHONSAFEPATH=1 "$release/bin/focusgate" --version >/dev/null || fail "the new release does not start; the old one stays"
    PYTHONSAFEPATH=1 "$release/bin/python" -c 'from models.onnx_classifier import load_classifier; load_classifier()' ||
        fail "the new release's model fails its self-test; the old one stays"
    local checked=$here/focusgate.toml
    [ ! -e "$config" ] || checked=$config
    "$release/bin/focusgate" config check "$checked" >/dev/null || fail "mend $checked and run this again; the old release stays"
}

switch_release() {
    local new old each
    new=releases/$(basename "$release")
    old=$(readlink "$app/venv" || true)
    ln -sfn "$app/venv/bin/focusgate" /usr/local/bin/focusgate
    [ "$old" != "$new" ] || return 0
    sync # the release is on the card before anything points to it
    ln -sfn "$new" "$app/venv.new"
    mv -T "$app/venv.new" "$app/venv"
    [ -z "$old" ] || ln -sfn "$old" "$app/previous" # for 'focusgate update --roll-back'
    rm -f "$app/trial"
    sync "$app"
    for each in "$app"/releases/*; do # the one before stays, to go back to
        case releases/$(basename "$each") in "$new" | "$old") ;; *) rm -rf "$each" ;; esac
    done
}

put() { install -D -m 0644 "$1" "$root$2"; }
# Whole or not at all: a configuration that a power cut tore may still read as one, with defaults nobody chose.
put_new() {
    if [ -e "$root$2" ]; then say "$2 is there already and stays as it is"; return; fi
    put "$1" "$2.new"
    sync "$root$2.new"
    mv -f "$root$2.new" "$root$2"
}

put_files() {
    put "$here/focusgate.service" /etc/systemd/system/focusgate.service
    put "$here/focusgate-guard.service" /etc/systemd/system/focusgate-guard.service
    put "$here/focusgate-recover.service" /etc/systemd/system/focusgate-recover.service
    install -D -m 0755 "$here/recover.sh" "$root$app/recover.sh"
    put "$here/focusgate.sysusers" /etc/sysusers.d/focusgate.conf
    put "$here/focusgate.tmpfiles" /etc/tmpfiles.d/focusgate.conf
    put "$here/60-focusgate.rules" /etc/udev/rules.d/60-focusgate.rules
    put "$here/dropins/watchdog.conf" /etc/systemd/system.conf.d/focusgate-watchdog.conf
    put_new "$here/focusgate.toml" "$config"
    put_new "$here/board.env" /etc/focusgate/board.env
    put "$source/docs/board.md" "$app/doc/board.md"
    local picture
    for picture in wiring.svg wiring.png; do put "$source/docs/images/$picture" "$app/doc/images/$picture"; done
    if [ "$(systemd_version)" -ge 254 ]; then
        put "$here/dropins/back-off.conf" /etc/systemd/system/focusgate.service.d/back-off.conf
    fi
}

systemd_version() { systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p' | grep . || echo 0; }

make_users_and_folders() {
    systemd-sysusers /etc/sysusers.d/focusgate.conf
    systemd-tmpfiles --create /etc/tmpfiles.d/focusgate.conf
}

enable_and_start() {
    systemctl enable --quiet focusgate-recover.service focusgate-guard.service focusgate.service
    if [ ! -d /run/systemd/system ] || [ $start = no ]; then
        say "installed and enabled; it starts at the next boot"
        return
    fi
    if ! { udevadm control --reload && udevadm trigger --subsystem-match=dma_heap --subsystem-match=gpio --subsystem-match=i2c-dev; }; then
        say "the device rules could not be renewed; they hold from the next boot on"
    fi
    systemctl daemon-reload
    systemctl reset-failed focusgate.service focusgate-guard.service 2>/dev/null || true
    systemctl restart focusgate-guard.service
    if systemctl restart focusgate.service; then
        say "running; 'focusgate status' says what it sees, 'sudo focusgate doctor' checks the board"
    else
        say "installed, but the service did not reach READY: 'sudo focusgate doctor' and 'journalctl -u focusgate -e' say why"
    fi
}

if [ -n "$root" ]; then
    put_files
    say "files put under $root; to build an image, run this script inside it: chroot $root … --no-start"
    exit 0
fi
check_system
[ $packages = no ] || install_packages
python3 -c 'import venv, ensurepip' 2>/dev/null || fail "python3-venv is missing; apt-get install python3-venv"
build_release
self_test
put_files
make_users_and_folders
switch_release
enable_and_start
