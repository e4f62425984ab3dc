#!/bin/sh
# Makes the hash-locked requirements of the board anew: needs uv and a package index; run it after changing a .in file.
# The locks hold versions and hashes only, of every platform's files, so that a virtual board can be installed from them too.
set -eu
cd "$(dirname "$0")"
for python in 3.11 3.13; do
    uv pip compile --quiet --upgrade --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --no-annotate \
        --only-binary :all: --python-version "$python" --python-platform aarch64-manylinux_2_28 \
        "requirements-board-$python.in" --output-file "requirements-board-$python.lock"
done
printf 'setuptools==84.2.1\n' | uv pip compile --quiet --upgrade --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
    --no-annotate --only-binary :all: --python-version 3.11 --output-file requirements-build.lock -
