#!/bin/bash
# The short forms of board_test.sh and arm_test.sh, for a build machine: some ten minutes. One on which their tools are
# not and cannot be installed says so, which is no failure; nor is one that is too slow for them: each has BUDGET_S seconds,
# the making of its tree among them. Exit code 1: a check failed.
set -uo pipefail
BUDGET_S=${BUDGET_S:-420}
here=$(cd "$(dirname "$0")" && pwd)
failed=0
for test in board_test.sh arm_test.sh; do
    timeout --kill-after=20 "$BUDGET_S" "$here/$test" --short
    case $? in
    0) ;;
    124 | 137) echo "$test: not finished within $BUDGET_S s; nothing is known of what did not run" ;;
    77) echo "$test: not run, this machine cannot" ;;
    *) failed=1 ;;
    esac
done
exit $failed
