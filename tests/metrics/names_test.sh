# Holds the names of metrics together: what the daemon has is in the manual, and what the alerts and the
# dashboard ask for is there.
# usage: names_test.sh SOURCE_DIRECTORY
set -eu
cd "$1"
names() { grep -ohE 'tusfs_[a-z_]+' "$@" | sort -u; }
status=0
missing() { # WHAT NAMES
    [ -z "$2" ] || { echo "$1: $2"; status=1; }
}

there=$(grep -ohE '"tusfs_[a-z_]+"' fs/metrics/*.cc | tr -d '"' | sort -u)
told=$(sed -n '/^# METRICS/,/^# /p' man/tusfs.1.scd | sed 's/\\//g' | grep -ohE '_tusfs_[a-z_]+_' | sed 's/^_//; s/_$//' | sort -u)
missing "not in the manual" "$(printf '%s\n' "$there" | grep -vxF -- "$told" || true)"
missing "in the manual only" "$(printf '%s\n' "$told" | grep -vxF -- "$there" || true)"
asked=$(names systemd/prometheus/* | sed 's/_bucket$//')
missing "asked for, and not there" "$(printf '%s\n' "$asked" | grep -vxF -- "$there" || true)"

command -v promtool >/dev/null || { [ $status != 0 ] || echo "promtool is not here: the rules are not checked"; exit $status; }
promtool check rules systemd/prometheus/tusfs-alerts.yml || status=1
exit $status
