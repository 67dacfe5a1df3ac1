#!/bin/sh
# What a mount costs that remembers many uploaded files whose bytes are gone. By hand, after a build
# (target make-names, too):
#   sh tests/bench/names.sh [DIRECTORY]
# DIRECTORY (default /var/tmp) is on the disk to measure: catalogs and plain files lie there. The
# server is away. For each count of names: ms from the start of tusfs to its return (the mount is
# live then) and to the first answer of stat; memory of daemon and keeper, in MiB, once the work of
# a start is over: anonymous and shared is what they need, file is what is mapped of programs and
# of the catalog, which the kernel drops when it wants. Then, medians: listings of a directory of
# (at most) 100,000 names on the mount and on the disk, the first on a mount and again, and
# tusfsctl status.
#   BENCH_ROUNDS  rounds (default 5)
#   BENCH_NAMES   counts of names (default "1000 10000 100000 1000000")
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/bench/common.sh"
counts=${BENCH_NAMES:-1000 10000 100000 1000000}
tusfs=${TUSFS_BIN:-$root/build/fs/tusfs}
tusfsctl=${TUSFSCTL_BIN:-$root/build/fs/tusfsctl}
make_names=$root/build/tests/bench/make-names
disk=$(mktemp -d "${1:-/var/tmp}/tusfs-bench-XXXXXX") || {
  rm -rf "$memory"
  exit 1
}
mount=$disk/mnt

pid_of() { "$tusfsctl" status --json "$mount" | sed -n "s/.*\"$1_pid\": *\([0-9]*\).*/\1/p"; }

unmount() {
  grep -q " $mount " /proc/self/mountinfo || return
  daemon=$(pid_of daemon)
  umount "$mount"
  while [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null; do sleep 0.1; done
}

clean_up() {
  trap - EXIT INT TERM
  unmount
  rm -rf "$memory" "$disk"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

now() { date +%s%N; }

# timed FILE COMMAND…: adds its microseconds to FILE
timed() {
  into=$1
  shift
  begin=$(now)
  "$@" >"$memory/out" || die "failed: $*"
  echo $((($(now) - begin) / 1000)) >>"$into"
}

start() {
  begin=$(now)
  "$tusfs" http://127.0.0.1:9/files/ "$mount" --state-dir "$state" --volatile 2>"$memory/log" ||
    die "$(cat "$memory/log")"
  echo $((($(now) - begin) / 1000)) >>"$memory/live"
  stat "$mount/day-0" >/dev/null || die "no answer"
  echo $((($(now) - begin) / 1000)) >>"$memory/stat"
}

# Whatever a start does in the background is over when the daemon needs no more time.
rest() {
  used=
  while [ "$used" != "$(cut -d ' ' -f 14,15 "/proc/$1/stat")" ]; do
    used=$(cut -d ' ' -f 14,15 "/proc/$1/stat")
    sleep 1
  done
}

# memory_of PID: "anonymous+shared file", MiB
memory_of() {
  awk '/^RssAnon|^RssShmem/ { own += $2 } /^RssFile/ { file = $2 }
    END { printf "%.1f %.1f\n", own / 1024, file / 1024 }' "/proc/$1/status"
}

ms() { awk "BEGIN { printf \"%.1f\", $(median "$1") / 1000 }"; }
ratio() { awk "BEGIN { printf \"%.2f\", $(median "$1") / $(median "$2") }"; }
row() { printf '%-38s %12s %12s %8s\n' "$@"; }

# lists NAME COMMAND…: that command in a directory on the mount and on the disk, by turns: the first
# time on a mount, and again
lists() {
  name=$1
  shift
  rm -f "$memory/first" "$memory/again" "$memory/plain"
  (cd "$plain" && "$@" >/dev/null)
  round=0
  while [ "$round" -lt "$rounds" ]; do
    unmount
    start
    cd "$mount/day-0" || die "no directory"
    timed "$memory/first" "$@"
    timed "$memory/again" "$@"
    [ "$(wc -l <"$memory/out")" -ge "$here" ] || die "names are missing"
    cd "$plain" || die "no directory"
    timed "$memory/plain" "$@"
    cd /
    round=$((round + 1))
  done
  row "$name, ms: first" "$(ms "$memory/first")" "$(ms "$memory/plain")" \
    "$(ratio "$memory/first" "$memory/plain")"
  row "$name, ms: again" "$(ms "$memory/again")" "$(ms "$memory/plain")" \
    "$(ratio "$memory/again" "$memory/plain")"
}

for program in "$tusfs" "$tusfsctl" "$make_names"; do
  [ -x "$program" ] || die "there is no $program: build first"
done
mkdir "$mount"
for count in $counts; do
  state=$disk/state
  plain=$disk/plain
  rm -rf "$state" "$plain" "$memory/live" "$memory/stat"
  "$make_names" "$state" "$count" || exit 1
  here=$((count < 100000 ? count : 100000))
  mkdir "$plain"
  (cd "$plain" && seq -f 'clip-%.0f.mov' 10000000 $((9999999 + here)) | xargs touch)
  sync -f "$disk"
  row "$count names" mount disk ratio
  start
  daemon=$(pid_of daemon)
  keeper=$(pid_of keeper)
  row "  right after the start" "own MiB" "file MiB" ""
  # shellcheck disable=SC2046 # two words
  row "  daemon" $(memory_of "$daemon") ""
  rest "$daemon"
  # shellcheck disable=SC2046
  row "  daemon at rest" $(memory_of "$daemon") ""
  # shellcheck disable=SC2046
  row "  keeper" $(memory_of "$keeper") ""
  rm -f "$memory/status"
  round=0
  while [ "$round" -lt "$rounds" ]; do
    timed "$memory/status" "$tusfsctl" status --json "$mount"
    round=$((round + 1))
  done
  row "  tusfsctl status, ms" "$(ms "$memory/status")" "" ""
  # shellcheck disable=SC2046
  row "  daemon after it" $(memory_of "$daemon") ""
  lists "  ls -f" ls -f
  lists "  ls -l" ls -l
  # shellcheck disable=SC2046
  row "  daemon after the last list" $(memory_of "$(pid_of daemon)") ""
  unmount
  row "  live, ms" "$(ms "$memory/live")" "" ""
  row "  first stat, ms" "$(ms "$memory/stat")" "" ""
done
