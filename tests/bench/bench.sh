#!/bin/sh
# What a mount costs, as ratios to the same disk without it. By hand, after tests/run.sh or a build:
#   sh tests/bench/bench.sh [DIRECTORY]
# DIRECTORY (default /var/tmp) is on the disk to measure: spool and plain copies lie there. Sources
# lie in memory. Mount and disk take turns; the first round warms up and is discarded.
#   BENCH_ROUNDS  rounds that count (default 5)
#   BENCH_MIB     size of the large file (default 2048)
#   BENCH_FILES   how many small files (default 5000)
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/bench/common.sh"
mib=${BENCH_MIB:-2048}
files=${BENCH_FILES:-5000}
tusfs=${TUSFS_BIN:-$root/build/fs/tusfs}
tusfsctl=${TUSFSCTL_BIN:-$root/build/fs/tusfsctl}
server=$root/build/tests/testing/tus-fixture-server
disk=$(mktemp -d "${1:-/var/tmp}/tusfs-bench-XXXXXX") || {
  rm -rf "$memory"
  exit 1
}

clean_up_at_the_end

now() { date +%s%N; }

# timed COMMAND…: microseconds
timed() {
  begin=$(now)
  "$@" || die "failed: $*"
  echo $((($(now) - begin) / 1000))
}

# Nothing of one round may run into the next: uploads done, dirty pages on disk.
settle() {
  [ -z "$server_pid" ] || "$tusfsctl" wait "$disk/mnt" >/dev/null || die "the uploads did not finish"
  sync -f "$disk"
  warm_memory "$warm"
}

# measure NAME SOURCE MIB: copies SOURCE (file or directory) into mount and disk by turns, each with
# that much warm memory
measure() {
  name=$1
  source=$2
  warm=$3
  rm -f "$memory/mount" "$memory/disk"
  round=0
  while [ "$round" -le "$rounds" ]; do
    settle
    a=$(timed cp -r "$source" "$disk/mnt/$name-$round") || exit 1
    settle
    b=$(timed cp -r "$source" "$plain/$name-$round") || exit 1
    if [ "$round" -gt 0 ]; then
      echo "$a" >>"$memory/mount"
      echo "$b" >>"$memory/disk"
    fi
    settle
    # Trees stay until the end: after thousands of unlinks ext4 creates slowly for a while.
    [ -d "$source" ] || rm -f "$disk/mnt/$name-$round" "$plain/$name-$round"
    round=$((round + 1))
  done
  on_mount=$(median "$memory/mount")
  on_disk=$(median "$memory/disk")
}

row() { printf '%-34s %14s %14s %8s\n' "$@"; }
ratio() { awk "BEGIN { printf \"%.2f\", $on_mount / $on_disk }"; }

# table WHAT URL
table() {
  tables=$((${tables:-0} + 1))
  plain=$disk/plain-$tables
  mkdir -p "$disk/mnt" "$plain"
  "$tusfs" "$2" "$disk/mnt" --state-dir "$disk/state-$tables" --settle 0.2 2>"$memory/log" ||
    die "$(cat "$memory/log")"
  row "$1" mount disk ratio
  measure large "$memory/large" $((mib * 3 / 2))
  row "cp of $mib MiB, ms" "$((on_mount / 1000))" "$((on_disk / 1000))" "$(ratio)"
  measure small "$memory/small" 512
  row "cp -r of $files x 4 KiB, µs a file" "$((on_mount / files))" "$((on_disk / files))" "$(ratio)"
  unmount
}

for program in "$tusfs" "$tusfsctl" "$server"; do
  [ -x "$program" ] || die "there is no $program: build first"
done
echo "sources: $mib MiB and $files files of 4 KiB; medians of $rounds"
head -c $((mib * 1024 * 1024)) /dev/urandom >"$memory/large"
mkdir "$memory/small"
head -c $((files * 4096)) /dev/urandom |
  (cd "$memory/small" && split -a 5 -d -b 4096 - file-)

start_server "$server" --discard
table "uploading meanwhile" "$url"
stop_server
table "server away" "$url"
