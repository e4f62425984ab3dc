# Sourced by the scripts of the virtual board. Nothing heavy lies in the repository: it goes to BOARD_DIR.
# shellcheck shell=bash
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034  # used by the scripts that source this
REPO=$(cd "$HERE/../.." && pwd)
BOARD_DIR=${BOARD_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/focusgate-board}
CANNOT=77 # exit status: nothing was tested because this machine lacks something, which is not a failure

cannot() {
    echo "cannot run here: $*"
    exit "$CANNOT"
}

# need PROGRAM:DEBIAN-PACKAGE ... and root
need() {
    local pair
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || cannot "${pair%%:*} is missing; apt-get install ${pair#*:}"
    done
    [ "$(id -u)" = 0 ] || cannot "root is needed (mount, chroot); sudo make …"
    [ -r "$KEYRING" ] || cannot "$KEYRING is missing; apt-get install debian-archive-keyring"
    mkdir -p "$BOARD_DIR"
    [ -z "${BOARD_LOCKED:-}" ] || return 0 # by the script that called this one
    exec 9>"$BOARD_DIR/lock"
    flock -n 9 || cannot "another run uses $BOARD_DIR; wait for it, or set BOARD_DIR"
    export BOARD_LOCKED=yes
}

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
# The mirror that a Debian host uses itself; on other hosts Debian's own.
mirror() {
    local found=''
    if grep -q '^ID=debian' /etc/os-release; then
        # shellcheck disable=SC2016  # apt's own syntax
        found=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -v security | sort -u | sed -n 1p)
    fi
    echo "${DEBIAN_MIRROR:-${found:-http://deb.debian.org/debian}}"
}

# debian_tree FOLDER PACKAGES [mmdebstrap options]: Debian trixie without documentation
debian_tree() {
    local folder=$1 packages=$2
    shift 2
    nice -n 19 mmdebstrap --quiet --mode=root --variant=minbase --aptopt='APT::Install-Recommends "0"' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' --include="$packages" "$@" \
        trixie "$folder" "deb [signed-by=$KEYRING] $(mirror) trixie main" || cannot "no Debian tree can be made: no mirror, or none that answers (DEBIAN_MIRROR)"
}

say() { echo "[$(date +%T)] $*"; }
