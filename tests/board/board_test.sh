#!/bin/bash
# Boots the virtual board under plain emulation, lets it check itself (guest/checks.py), and prints what it found.
# All checks are shared out between two boards that run at once, some 15 minutes on two cores.
#   board_test.sh                 tables on standard output; in BOARD_DIR/out results.jsonl, *-console.log, *-journal.log
#   board_test.sh --short         what a change is most likely to break: install, scene, capture, a killed gate
#   board_test.sh --no-build      the image as it is, with the checks as they are now
#   ONLY=camera board_test.sh     those whose names hold this (_ for a blank, * for anything, several with commas)
# Exit code 0: every check passed; 77: it cannot run on this machine, and says why.
set -euo pipefail
# shellcheck disable=SC1091
. "$(dirname "$0")/common.sh"
need qemu-system-x86_64:qemu-system-x86 mmdebstrap:mmdebstrap mke2fs:e2fsprogs
LIMIT_S=${LIMIT_S:-3600} # of a machine that is busy with other things; on an idle one it takes a quarter of that
FAULTS='open_is_saved,absent,wrong,forbidden,missing,read-only,disk_full,silent,chip_vanishes,hung,works,reboots'
USE='chip_with,bus,reaches,guard,camera_at,units,scene,press,override,gate_*,stalls,camera_vanishes,again,doctor,journal'
form=${1:-}
[ "$form" != --short ] || ONLY=scene,open_is_saved,gate_killed
DUE=${DUE:-38} # checks that must have run; three of them on both boards
[ -z "${ONLY:-}" ] || DUE=1
# The board's clock goes by its own instructions, 2^SHIFT ns each, and not by this machine's clock: a busy machine makes
# the run longer, but no latency. 500 million a second on one core is a fraction of what the four of a Pi 4 do.
SHIFT=${SHIFT:-1}

out=$BOARD_DIR/out
if [ "$form" != --no-build ]; then
    "$HERE/build_image.sh"
else
    for each in "$HERE"/guest/*.py "$HERE/guest/rig.sh"; do
        place=/opt/rig
        [ "${each##*/}" != picamera2_rig.py ] || place=/usr/local/lib/python3.13/dist-packages
        printf 'rm %s/%s\nwrite %s %s/%s\n' "$place" "${each##*/}" "$each" "$place" "${each##*/}"
    done | debugfs -w -f - "$out/rootfs.img" >/dev/null 2>&1
fi
# guest NAME ONLY: one board with the checks that ONLY picks; leaves NAME-results.jsonl and the like in out
guest() {
    local name=$1 only=$2
    timeout "$LIMIT_S" nice -n "${NICE:-19}" qemu-system-x86_64 -accel tcg -icount "shift=$SHIFT,sleep=on" -rtc clock=vm -machine q35 -cpu max,la57=off -smp 1 -m 1536 -display none \
        -nodefaults -no-user-config -kernel "$out/vmlinuz" -initrd "$out/initrd.img" \
        -append "root=/dev/vda rw console=ttyS0 quiet mitigations=off nokaslr audit=0 systemd.show_status=0 net.ifnames=0 rig.only=$only" \
        -drive "file=$out/rootfs.img,if=virtio,format=raw,snapshot=on" -device i6300esb -action watchdog=reset -device virtio-rng-pci \
        -device virtio-serial-pci -chardev "file,id=results,path=$out/$name-results.jsonl" -device virtserialport,chardev=results,name=results \
        -chardev "file,id=journal,path=$out/$name-journal.log" -device virtserialport,chardev=journal,name=journal \
        -serial "file:$out/$name-console.log" -monitor none
}

rm -f "$out"/*results.jsonl "$out"/*console.log "$out"/*journal.log
say "booting (at most $LIMIT_S s)"
began=$(date +%s)
status=0
if [ -n "${ONLY:-}" ]; then
    guest board "$ONLY" || status=$?
else
    guest faults "$FAULTS" & # a board has one core, so two boards take no longer than one where there are two
    guest use "$USE" || status=$?
    wait $! || status=$?
fi
[ "$status" != 124 ] || say "stopped after $LIMIT_S s: what follows is incomplete"
say "finished"
[ ! -e "$out/faults-results.jsonl" ] || sed -i '/"kind": "version"/d' "$out/faults-results.jsonl" # the same twice
cat "$out"/*-results.jsonl >"$out/results.jsonl"
record() { python3 "$HERE/results.py" --record "$out/results.jsonl" "$@"; }
record version "host's qemu" "$(qemu-system-x86_64 --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p')"
times >"$out/times" # second line: of what this script has run, "4m38.120s 0m9.550s"
record version "processor time of the run" "$(sed -n '2s/m.*/ min/p' "$out/times"), with the image"
record run "board-test${ONLY:+, only $ONLY}" "$(cat "$out/commit")" $(($(date +%s) - began))
grep -q '"check"' "$out/results.jsonl" || { echo "the board told nothing; see $out/*-console.log" >&2; exit 1; }
python3 "$HERE/results.py" "$out/results.jsonl" --checks "$DUE" && [ "$status" = 0 ]
