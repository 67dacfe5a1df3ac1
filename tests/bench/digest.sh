#!/bin/sh
# What copying into a mount costs with one build of tusfs and with others, such as one from before
# digests were taken. By hand, after a build:
#   sh tests/bench/digest.sh OTHER-TUSFS...
# Beside each of the others lies its tusfsctl. The builds take turns; the source lies in memory,
# spools and a plain copy in $TMPDIR (default /var/tmp); the first round warms up and is discarded.
# CPU is user and system time of the daemon, from before the copy until it needs no more.
#   BENCH_ROUNDS  rounds that count (default 5)
#   BENCH_MIB     size of the file (default 1024)
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/bench/common.sh"
mib=${BENCH_MIB:-1024}
ours=${TUSFS_BIN:-$root/build/fs/tusfs}
server=$root/build/tests/testing/tus-fixture-server
disk=$(mktemp -d "${TMPDIR:-/var/tmp}/tusfs-bench-XXXXXX") || {
  rm -rf "$memory"
  exit 1
}
[ $# -gt 0 ] || die "usage: digest.sh OTHER-TUSFS..."
set -- "$ours" "$@"

daemon_of() {
  "$(dirname "$1")/tusfsctl" status --json "$2" | sed -n 's/.*"daemon_pid": *\([0-9]*\).*/\1/p'
}

unmount_all() {
  for mount in "$disk"/mnt-*; do
    grep -q " $mount " /proc/self/mountinfo || continue
    daemon=$(cat "$mount.daemon")
    umount "$mount"
    while kill -0 "$daemon" 2>/dev/null; do sleep 0.1; done
  done
}

clean_up() {
  trap - EXIT INT TERM
  unmount_all
  stop_server
  rm -rf "$memory" "$disk"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Of a process, in clock ticks.
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

rest() {
  seen=
  while [ "$seen" != "$(ticks "$1")" ]; do
    seen=$(ticks "$1")
    sleep 1
  done
}

# copy BUILD INTO: adds ms and CPU ms per GiB to that build's results. Each round has a name of its
# own, or its bytes would not be sent.
copy() {
  warm_memory $((mib * 3 / 2))
  sync -f "$disk"
  daemon=$(cat "$2.daemon")
  before=$(ticks "$daemon")
  begin=$(date +%s%N)
  cp "$memory/source" "$2/copy-$round" || die "cp failed"
  took=$((($(date +%s%N) - begin) / 1000000))
  [ -z "$server_pid" ] || "$(dirname "$1")/tusfsctl" wait "$2" >/dev/null || die "it did not finish"
  rest "$daemon"
  used=$((($(ticks "$daemon") - before) * 1000 / $(getconf CLK_TCK) * 1024 / mib))
  rm "$2/copy-$round"
  [ "$round" -eq 0 ] && return
  echo "$took" >>"$2.took"
  echo "$used" >>"$2.used"
}

row() { printf '%-52s %10s %14s\n' "$@"; }

# table WHAT URL BUILD…
table() {
  row "$1" "cp, ms" "CPU ms per GiB"
  url=$2
  shift 2
  rm -rf "$disk"/mnt-* "$disk"/state-*
  number=0
  for build; do
    number=$((number + 1))
    mount=$disk/mnt-$number
    mkdir "$mount"
    # Older builds neither know the option nor want it.
    volatile=
    "$build" --help | grep -q -e --volatile && volatile=--volatile
    # shellcheck disable=SC2086 # one word or none
    "$build" "$url" "$mount" --state-dir "$disk/state-$number" $volatile --settle 0.2 2>"$memory/log" ||
      die "$(cat "$memory/log")"
    daemon_of "$build" "$mount" >"$mount.daemon"
  done
  round=0
  while [ "$round" -le "$rounds" ]; do
    number=0
    for build; do
      number=$((number + 1))
      copy "$build" "$disk/mnt-$number"
    done
    round=$((round + 1))
  done
  number=0
  for build; do
    number=$((number + 1))
    row "  $build" "$(median "$disk/mnt-$number.took")" "$(median "$disk/mnt-$number.used")"
  done
  unmount_all
}

head -c $((mib * 1024 * 1024)) /dev/urandom >"$memory/source"
start_server "$server" --discard
table "uploading meanwhile" "$url" "$@"
stop_server
table "server away" "$url" "$@"
