# Holds --help and the manual pages together: every long option of one is in the other.
# usage: manual_test.sh TUSFS TUSFSCTL TUS_UPLOAD MAN_DIRECTORY
set -eu

options_of_help() { "$@" --help | grep -oE -- '--[a-z][a-z0-9-]+' | sort -u; }
options_of_page() { sed 's/\\//g' "$1" | grep -oE -- '\*--[a-z][a-z0-9-]+\*' | tr -d '*' | sort -u; }

status=0
compare() { # NAME HELP PAGE
    missing=$(printf '%s\n' "$2" | grep -vxF -- "$3" || true)
    [ -z "$missing" ] || { echo "$1: not in the manual: $missing"; status=1; }
    extra=$(printf '%s\n' "$3" | grep -vxF -- "$2" || true)
    [ -z "$extra" ] || { echo "$1: in the manual only: $extra"; status=1; }
}

compare tusfs "$(options_of_help "$1")" "$(options_of_page "$4/tusfs.1.scd")"
all=$( { options_of_help "$2"; for c in status list mounts wait publish retry accept discard pause resume limit log-level drain umount restart doctor rescue; do options_of_help "$2" "$c"; done; } | sort -u)
compare tusfsctl "$all" "$(options_of_page "$4/tusfsctl.1.scd")"
compare tus-upload "$(options_of_help "$3")" "$(options_of_page "$4/tus-upload.1.scd")"
exit $status
