#!/bin/sh
# How many bytes cross the wire when a file comes again, as a multiple of its size. By hand, after
# tests/run.sh or a build:
#   sh tests/bench/adoption.sh [DIRECTORY]
#   BENCH_MIB  size of the file (default 64)
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/bench/common.sh"
mib=${BENCH_MIB:-64}
size=$((mib * 1024 * 1024))
tusfs=${TUSFS_BIN:-$root/build/fs/tusfs}
tusfsctl=${TUSFSCTL_BIN:-$root/build/fs/tusfsctl}
disk=$(mktemp -d "${1:-/var/tmp}/tusfs-bench-XXXXXX") || exit 1

clean_up_at_the_end

received() {
  curl -s "${url%/files/}/stats" | sed -n 's/.*"received_bytes": *\([0-9]*\).*/\1/p'
}

begin() {
  mkdir -p "$disk/mnt"
  rm -rf "$disk/state" "$disk/server"
  head -c "$size" /dev/urandom >"$disk/source"
  touch -d '1 hour ago' "$disk/source"
  start_server "$root/build/tests/testing/tus-fixture-server" --port 0 --dir "$disk/server" --rate 60000000
  "$tusfs" --state-dir "$disk/state" --volatile --chunk-size 4MiB --settle 0.3 "$url" "$disk/mnt" || die "cannot mount"
}

# Copies until the server has half of it, then kills the copy.
copy_half() { # PROGRAM…
  "$@" &
  copy=$!
  while [ "$(received)" -lt $((size / 2)) ]; do sleep 0.05; done
  kill -KILL "$copy" 2>/dev/null
  wait "$copy" 2>/dev/null
}

# One byte of the source becomes another one.
change() { # OFFSET
  printf '\001' | dd of="$disk/source" bs=1 seek="$1" conv=notrunc status=none
  touch -d '1 hour ago' "$disk/source"
}

end() { # CASE
  "$tusfsctl" wait --timeout 120 "$disk/mnt" >/dev/null || echo "  not uploaded: $1"
  right=no
  for file in "$disk"/server/*; do cmp -s "$file" "$disk/source" && right=yes; done
  awk -v name="$1" -v got="$(received)" -v size="$size" -v right="$right" \
    'BEGIN { printf "%-62s %5.2f  right: %s\n", name, got / size, right }'
  unmount
  stop_server
}

echo "bytes received by the server / size, of a file of $mib MiB in chunks of 4 MiB"
begin
cp "$disk/source" "$disk/mnt/file"
end "copied once"

begin
copy_half cp "$disk/source" "$disk/mnt/file"
cp "$disk/source" "$disk/mnt/file"
end "cp killed at half, run again"

for where in 0 $((size / 4)) $((size * 3 / 4)) $((size - 1)); do
  begin
  copy_half cp "$disk/source" "$disk/mnt/file"
  change "$where"
  cp "$disk/source" "$disk/mnt/file"
  end "the same, with byte $where changed"
done

begin
cp "$disk/source" "$disk/mnt/file"
"$tusfsctl" wait "$disk/mnt" >/dev/null
cp "$disk/source" "$disk/mnt/file"
end "copied twice"

begin
cp "$disk/source" "$disk/mnt/file"
"$tusfsctl" wait "$disk/mnt" >/dev/null
mv "$disk/mnt/file" "$disk/mnt/other"
cp "$disk/source" "$disk/mnt/file"
end "uploaded, renamed, and copied again under the first name"

begin
cp "$disk/source" "$disk/mnt/file"
"$tusfsctl" wait "$disk/mnt" >/dev/null
rm "$disk/mnt/file"
cp "$disk/source" "$disk/mnt/file"
end "uploaded, removed and copied again"

if command -v rsync >/dev/null; then
  begin
  copy_half rsync -a "$disk/source" "$disk/mnt/file"
  rsync -a "$disk/source" "$disk/mnt/file"
  end "rsync killed at half, run again"

  begin
  rsync -a "$disk/source" "$disk/mnt/file" &
  rsync -a "$disk/source" "$disk/mnt/file"
  wait $!
  end "two rsyncs of one file at once"
fi

begin
copy_half cp "$disk/source" "$disk/mnt/file"
kill -KILL "$(daemon_pid)"
cp "$disk/source" "$disk/mnt/file"
end "cp and the daemon killed at half, run again"
