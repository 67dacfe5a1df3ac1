#!/bin/sh
# Whether the daemon's memory stays flat over many small files that are copied and uploaded. By hand,
# after tests/run.sh or a build:
#   sh tests/bench/memory.sh [DIRECTORY]
# DIRECTORY (default /var/tmp) is where the mount keeps its state; the server keeps nothing.
#   BENCH_BATCHES  batches (default 5)
#   BENCH_FILES    files a batch, each batch into a directory of its own (default 2000)
#   BENCH_KIB      size of a file in KiB (default 4)
# Prints, before the first batch and after each one is uploaded: private memory of the daemon in KiB
# (RssAnon, and Private_Dirty of smaps_rollup), what of it is heap, and its threads.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/bench/common.sh"
batches=${BENCH_BATCHES:-5}
files=${BENCH_FILES:-2000}
kib=${BENCH_KIB:-4}
tusfs=${TUSFS_BIN:-$root/build/fs/tusfs}
tusfsctl=${TUSFSCTL_BIN:-$root/build/fs/tusfsctl}
disk=$(mktemp -d "${1:-/var/tmp}/tusfs-bench-XXXXXX") || {
  rm -rf "$memory"
  exit 1
}

clean_up_at_the_end

row() { printf '%-16s %10s %14s %10s %8s\n' "$@"; }

kib_of() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$daemon/$1"; }

# What malloc has of the kernel: [heap], and the arenas of threads, which have no name.
heap() {
  awk '/^[0-9a-f]+-[0-9a-f]+ / { counts = $6 == "[heap]" || $6 == "" }
    counts && $1 == "Private_Dirty:" { sum += $2 } END { print sum + 0 }' "/proc/$daemon/smaps"
}

measure() { # NAME
  row "$1" "$(kib_of status RssAnon)" "$(kib_of smaps_rollup Private_Dirty)" "$(heap)" \
    "$(kib_of status Threads)"
}

# Each file has bytes of its own: the same would be adopted, and not sent.
mkdir -p "$memory/source" "$disk/mnt"
start_server "$root/build/tests/testing/tus-fixture-server" --port 0 --discard
"$tusfs" --state-dir "$disk/state" --volatile --settle 0.5 "$url" "$disk/mnt" || die "cannot mount"
daemon=$(daemon_pid)
row "" RssAnon Private_Dirty heap threads
measure "mounted"
for batch in $(seq "$batches"); do
  rm -rf "$memory/source" && mkdir "$memory/source"
  (cd "$memory/source" && head -c $((files * kib * 1024)) /dev/urandom |
    split -b "${kib}k" -a 5 -d - clip-) || die "no files to copy"
  cp -r "$memory/source" "$disk/mnt/day-$batch" || die "cannot copy"
  "$tusfsctl" wait --timeout 1800 "$disk/mnt" || die "not uploaded"
  measure "$((batch * files)) files"
done
sleep 5 # what is done in the background
measure "at rest"
