#!/bin/sh
# Before the services start: a trial of a new release that a power cut ended goes back to the release before it.
# Plain sh on purpose: it must work when the new release does not. ROOT is for tests.
set -eu
root=${1:-/opt/focusgate}
trial=$root/trial
[ -e "$trial" ] || exit 0
old=$(cat "$trial")
case $old in
*..* | */*/* | releases/) old= ;;
releases/*) ;;
*) old= ;;
esac
if [ -n "$old" ] && [ -e "$root/$old/complete" ]; then
    ln -sfn "$old" "$root/.venv.back"
    mv -T "$root/.venv.back" "$root/venv"
    sync "$root"
    echo "focusgate recover: an update was cut off; back to $old"
fi
rm -f "$trial"
sync "$root"
