#!/bin/bash
# Removes what install.sh put on this board, as root. Captures, configuration and the user that owns them stay.
set -euo pipefail

root=''
case ${1:-} in
'') ;;
--root) root=${2:?--root needs a folder} root=${root%/} ;;
*)
    echo "usage: systemd/uninstall.sh [--root DIR]" >&2
    exit 1
    ;;
esac

if [ -z "$root" ]; then
    [ "$(id -u)" = 0 ] || {
        echo "focusgate uninstall: must be run as root: sudo make uninstall" >&2
        exit 1
    }
    if [ -d /run/systemd/system ]; then
        systemctl stop focusgate.service focusgate-guard.service 2>/dev/null || true
    fi
    systemctl disable --quiet focusgate.service focusgate-guard.service focusgate-recover.service 2>/dev/null || true
fi

rm -f "$root"/etc/systemd/system/{focusgate,focusgate-guard,focusgate-recover}.service "$root/etc/systemd/system/focusgate.service.d/back-off.conf" \
    "$root"/etc/systemd/system/multi-user.target.wants/{focusgate,focusgate-guard,focusgate-recover}.service \
    "$root/etc/sysusers.d/focusgate.conf" "$root/etc/tmpfiles.d/focusgate.conf" \
    "$root/etc/udev/rules.d/60-focusgate.rules" "$root/etc/systemd/system.conf.d/focusgate-watchdog.conf"
rmdir "$root/etc/systemd/system/focusgate.service.d" 2>/dev/null || true
if [ "$(readlink "$root/usr/local/bin/focusgate")" = /opt/focusgate/venv/bin/focusgate ]; then
    rm -f "$root/usr/local/bin/focusgate"
fi
rm -rf "$root/opt/focusgate"

if [ -z "$root" ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    udevadm control --reload 2>/dev/null || true # no udev in a container
fi
echo "focusgate uninstall: done. Kept: the captures in /var/lib/focusgate, the configuration in /etc/focusgate, the user focusgate."
echo "focusgate uninstall: to remove these too: rm -r /var/lib/focusgate /etc/focusgate; userdel focusgate"
