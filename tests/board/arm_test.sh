#!/bin/bash
# The board's aarch64 wheels at work, under emulation: the shipped model's golden vectors and its outputs beside this
# machine's own, and the tests of all that a board runs, on a Cortex-A72 (Raspberry Pi 4) and an A76 (Pi 5); and
# the instructions of one frame on both. Tables on standard output, and in BOARD_DIR/out/arm.jsonl.
#   arm_test.sh            all of it
#   arm_test.sh --short    model and instructions alone
# Exit code 0: every check passed; 77: it cannot run on this machine, and says why.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck disable=SC1091
. "$here/common.sh"
form=${1:---full}
PYTHON=${PYTHON:-$REPO/.venv/bin/python}
GROUP_LIMIT_S=${GROUP_LIMIT_S:-3600} # of a busy machine
MODEL=$REPO/models/weights/focus-s.onnx
OUT=$BOARD_DIR/out ARM_OUT=${ARM_ROOT:-$BOARD_DIR/arm64}/tests-out
RESULTS=$OUT/arm.jsonl
[ -x "$PYTHON" ] || cannot "$PYTHON is missing; make test makes it, or set PYTHON"

# What a board runs. Training, its figures and the checks of the checkout itself are for other machines.
MODELS="tests/models --ignore=tests/models/training --ignore=tests/models/evaluation --ignore=tests/models/baselines"
PINS="tests/device/pins tests/device/camera tests/device/aperture tests/contract"
GATE="tests/device/test_gate.py tests/device/test_gate_properties.py tests/device/test_debounce.py tests/device/test_decision.py"
GATE+=" tests/device/test_lease_lamp.py tests/device/test_guard_state.py tests/device/test_guard_loop.py tests/device/test_frame_mailbox.py"
GATE+=" tests/device/test_config.py tests/device/test_notify.py tests/device/test_status_file.py"
STORE="tests/device/store tests/device/test_recorder.py"
# Without a run of the whole device: emulated, each of its full frames takes so long that the rest would wait for it.
RUN="tests/device/test_service.py tests/device/supervision tests/calibration/test_profile.py tests/calibration/test_profile_file.py"

[ "$(id -u)" = 0 ] || cannot "root is needed (mount, chroot); sudo make …"
"$here/arm64.sh" make
exec 9>"$BOARD_DIR/lock" # for all that follows: tests run on both processors at once
flock -n 9 || cannot "another run uses $BOARD_DIR; wait for it, or set BOARD_DIR"
export BOARD_LOCKED=yes
mkdir -p "$OUT"
rm -f "$RESULTS"
began=$(date +%s)
record() { "$PYTHON" "$here/results.py" --record "$RESULTS" "$@"; }

record version "model focus-s.onnx" "$(sha256sum "$MODEL" | cut -c1-64)"
while read -r name version; do record version "$name" "$version"; done < <(
    "$here/arm64.sh" run /usr/bin/python3 -c 'import importlib.metadata as m, platform
print("Python", platform.python_version())
for name in "onnxruntime", "opencv-python-headless", "numpy", "pydantic", "cryptography", "pillow": print(name, m.version(name))'
)
record version qemu-user "$(qemu-aarch64-static --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p')"

say "model beside this machine's"
OMP_NUM_THREADS=1 PYTHONPATH=$REPO "$PYTHON" "$here/try_model.py" save "$ARM_OUT/host.npz"
for cpu in cortex-a72 cortex-a76; do
    started=$(date +%s)
    if said=$(QEMU_CPU=$cpu timeout "$GROUP_LIMIT_S" "$here/arm64.sh" run /usr/bin/python3 tests/board/try_model.py compare /tests-out/host.npz 2>&1); then
        record model "model on $cpu" "$(tail -n 1 <<<"$said")" $(($(date +%s) - started))
    else
        record check "model on $cpu" failed "$(tail -n 1 <<<"$said")" $(($(date +%s) - started))
    fi
done

say "instructions"
while read -r cpu counts; do record count "$cpu" "$counts"; done < <("$here/count_instructions.sh" "$MODEL")

group() { # NAME PYTEST-ARGUMENTS …; on both processors at once
    say "tests: $1"
    on cortex-a76 "$@" &
    on cortex-a72 "$@"
    wait $!
}

on() { # CPU NAME PYTEST-ARGUMENTS …
    local cpu=$1 name=$2 started said
    shift 2
    started=$(date +%s)
    said=$(QEMU_CPU=$cpu timeout "$GROUP_LIMIT_S" "$here/arm64.sh" run /usr/bin/python3 -m pytest -p no:cacheprovider -p tests.board.few \
        --hypothesis-profile=few -o timeout=600 -o console_output_style=classic --tb=short "$@" 2>&1) && result=passed || result=failed
    echo "$said" >"$OUT/arm-${cpu#cortex-}-${name// /-}.log"
    record check "tests on $cpu: $name" "$result" "$(tail -n 1 <<<"$said")" $(($(date +%s) - started))
}
if [ "$form" = --full ]; then
    # shellcheck disable=SC2086
    {
        group models $MODELS
        group gate $GATE
        group "pins, camera, aperture" $PINS
        group store $STORE
        group "service, supervision, profile" $RUN
    }
fi
record run "arm-test, ${form#--} form" "$(git -C "$REPO" describe --always --dirty)" $(($(date +%s) - began))
"$PYTHON" "$here/results.py" "$RESULTS"
