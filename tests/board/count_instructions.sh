#!/bin/bash
# count_instructions.sh MODEL.onnx …: instructions of one 2592×1944 frame on a Cortex-A72 and an A76, in about a minute.
# One JSON object a processor, in millions: memcpy, OpenCV's Laplacian in two forms, each model's bare call. The first
# use makes the arm64 tree, which takes some minutes more. A model takes one uint8 plane (height, width).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck disable=SC1091
. "$here/common.sh"
[ $# -gt 0 ] || {
    sed -n '2,4s/^# //p' "$0"
    exit 2
}
INSN_LOG=$(mktemp)
export INSN_LOG
trap 'rm -f "$INSN_LOG"' EXIT
for QEMU_CPU in ${CPUS:-cortex-a72 cortex-a76}; do
    export QEMU_CPU
    printf '%s ' "$QEMU_CPU"
    timeout 600 "$here/arm64.sh" count /usr/bin/python3 "$here/count_instructions.py" "$@"
done
