#!/bin/sh
# Files that are larger than the spool, through a mount to a server of limited rate. By hand, after
# tests/run.sh or a build:
#   sh tests/bench/space.sh [DIRECTORY]
# DIRECTORY (default /var/tmp) has room for the whole on its disk: that is where the server keeps it.
#   BENCH_MIB    size of the one large file (default 20480)
#   BENCH_SPOOL  size of the spool in MiB (default 1024)
#   BENCH_RATE   of the server in bytes per second (default 200000000)
# Prints of each run: seconds, peaks of spool and memory, and whether the server's bytes are right.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/bench/common.sh"
mib=${BENCH_MIB:-20480}
spool=${BENCH_SPOOL:-1024}
rate=${BENCH_RATE:-200000000}
tusfs=${TUSFS_BIN:-$root/build/fs/tusfs}
tusfsctl=${TUSFSCTL_BIN:-$root/build/fs/tusfsctl}
disk=$(mktemp -d "${1:-/var/tmp}/tusfs-bench-XXXXXX") || exit 1

clean_up_at_the_end

# The same bytes for the same name, as many MiB as are wanted, without a hole.
content() { # NAME MIB
  openssl enc -aes-128-ctr -pass "pass:$1" -nosalt -pbkdf2 -iter 1 -in /dev/zero 2>/dev/null |
    head -c $(($2 * 1024 * 1024))
}

kib_of() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$2/status" 2>/dev/null; }

# Until the file $disk/over is there: the peaks of spool and memory, in MiB, into $disk/peaks.
watch_peaks() {
  most_spool=0
  most_memory=0
  while [ ! -e "$disk/over" ]; do
    taken=$(du -sk "$disk/state/spool" 2>/dev/null | cut -f 1)
    anonymous=$(kib_of RssAnon "$1")
    shared=$(kib_of RssShmem "$1")
    memory_now=$((${anonymous:-0} + ${shared:-0}))
    [ "${taken:-0}" -le "$most_spool" ] || most_spool=$taken
    [ "$memory_now" -le "$most_memory" ] || most_memory=$memory_now
    sleep 0.2
  done
  echo "$((most_spool / 1024)) $((most_memory / 1024))" >"$disk/peaks"
}

# A run: NAME FILES MIB OPTIONS…
run() {
  name=$1
  count=$2
  size=$3
  shift 3
  rm -rf "$disk/state" "$disk/server" "$disk/over"
  mkdir -p "$disk/mnt"
  start_server "$root/build/tests/testing/tus-fixture-server" --port 0 --dir "$disk/server" --rate "$rate"
  "$tusfs" --state-dir "$disk/state" --volatile --spool-size "${spool}MiB" --settle 0.5 "$@" "$url" "$disk/mnt" ||
    die "cannot mount"
  daemon=$(daemon_pid)
  watch_peaks "$daemon" &
  watcher=$!
  start=$(date +%s)
  writers=
  for i in $(seq "$count"); do
    { content "$name $i" "$size" | dd of="$disk/mnt/$i" bs=1M iflag=fullblock status=none || touch "$disk/failed"; } &
    writers="$writers $!"
  done
  wait $writers
  "$tusfsctl" wait --timeout 3600 "$disk/mnt" >/dev/null || touch "$disk/failed"
  seconds=$(($(date +%s) - start))
  touch "$disk/over"
  wait "$watcher"
  rss=$(kib_of VmRSS "$daemon")
  right=yes
  [ ! -e "$disk/failed" ] || right=no
  for i in $(seq "$count"); do
    expected=$(content "$name $i" "$size" | sha256sum | cut -c 1-64)
    found=no
    for file in "$disk"/server/*; do
      [ "$(sha256sum <"$file" | cut -c 1-64)" != "$expected" ] || found=yes
    done
    [ "$found" = yes ] || right=no
  done
  read -r most_spool most_memory <"$disk/peaks"
  echo "$name: $count x $size MiB, $seconds s, spool at most $most_spool of $spool MiB, memory at most $most_memory MiB (RSS at the end $((rss / 1024)) MiB), right: $right"
  unmount
  stop_server
}

run "larger than the spool (--trim confirmed)" 1 "$mib" --trim confirmed
run "eight, each larger than its share" 8 $((spool / 4))
