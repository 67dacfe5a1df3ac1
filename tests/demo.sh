#!/bin/sh
# What tusfs is for, in one go: copies 256 MiB into a mount and kills the daemon with SIGKILL while cp
# is running; then kills all of tusfs when half is on the server, mounts again, waits, and compares. On Debian 12 it installs what it needs.
#   TUSFS_DEMO_URL  a tus endpoint to use instead of our own server on loopback
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/dependencies.sh

mib=256
size=$((mib * 1024 * 1024))
tmp=
server_pid=
keeper=

say() { printf '== %s\n' "$*"; }
die() {
  echo "demo failed: $*" >&2
  [ -z "$tmp" ] || tail -n 20 "$tmp"/*.log >&2
  exit 1
}
ctl() { build/fs/tusfsctl "$@"; }

clean_up() {
  trap - EXIT INT TERM
  [ -n "$tmp" ] || return
  if grep -q " $tmp/mnt " /proc/self/mountinfo; then
    fusermount3 -u "$tmp/mnt" 2>/dev/null || as_root umount "$tmp/mnt" 2>/dev/null ||
      as_root umount -l "$tmp/mnt"
  fi
  # umount returns before tusfs has finished; its files must not be pulled away under it.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    { [ -n "$keeper" ] && kill -0 "$keeper" 2>/dev/null; } || break
    sleep 0.5
  done
  [ -z "$server_pid" ] || kill "$server_pid" 2>/dev/null
  rm -rf "$tmp"
}

start_tusfs() {
  build/fs/tusfs "$url" "$tmp/mnt" --state-dir "$tmp/state" --volatile 2>>"$tmp/tusfs.log" ||
    die "tusfs did not mount"
  keeper=$(ctl status --json "$tmp/mnt" | jq -r .keeper_pid)
}

daemon_of() { ctl status --json "$tmp/mnt" | jq -r .daemon_pid; }

kill_9() { kill -9 "$@" 2>/dev/null || as_root kill -9 "$@" || die "cannot kill tusfs"; }

# What the server has confirmed, in bytes.
offset() {
  ctl list --json "$tmp/mnt" | jq -r '[.files[] | select(.path == "demo.bin") | .offset][0] // 0'
}

show() { # OFFSET WHAT
  [ "$1" = "${shown:-}" ] ||
    printf '   %3d of %d MiB on the server, %s\n' "$(($1 / 1048576))" "$mib" "$2"
  shown=$1
}

started=$(date +%s)
say "packages"
# shellcheck disable=SC2086 # a list of words
need_packages $BUILD_PACKAGES jq curl || exit 1
say "build"
configure build || die "cmake"
cmake --build build -j "${TUSFS_JOBS:-$(nproc)}" --target tusfs tusfsctl tus-fixture-server \
  >build/demo.log 2>&1 || {
  tail -n 30 build/demo.log >&2
  die "the build; all of it is in build/demo.log"
}

trap clean_up EXIT
trap 'exit 130' INT TERM
tmp=$(mktemp -d)
mkdir "$tmp/mnt"

url=${TUSFS_DEMO_URL:-}
if [ -z "$url" ]; then
  build/tests/testing/tus-fixture-server --rate 100000000 --dir "$tmp/server" \
    >"$tmp/url" 2>"$tmp/server.log" &
  server_pid=$!
  while [ ! -s "$tmp/url" ]; do
    kill -0 "$server_pid" 2>/dev/null || die "the server did not start"
    sleep 0.1
  done
  url=$(cat "$tmp/url")
fi
say "server: $url"
say "a file of $mib MiB from /dev/urandom"
head -c "$size" /dev/urandom >"$tmp/demo.bin" || die "no room for the file"

say "mount, and cp"
start_tusfs
cp "$tmp/demo.bin" "$tmp/mnt/" 2>"$tmp/cp.log" &
copy=$!
daemon=$(daemon_of)
until [ "$(stat -c %s "$tmp/mnt/demo.bin" 2>/dev/null || echo 0)" -gt $((size / 16)) ]; do
  kill -0 "$copy" 2>/dev/null || break
done
kill_9 "$daemon"
if kill -0 "$copy" 2>/dev/null; then
  say "kill -9 $daemon, the daemon, while cp is running"
else
  say "kill -9 $daemon, the daemon; cp was faster than this script"
fi
wait "$copy" || die "cp: $(cat "$tmp/cp.log")"
say "cp has ended with status 0; the daemon is now $(daemon_of)"
while :; do
  at=$(offset)
  show "$at" "uploading"
  [ "$at" -ge $((size / 2)) ] && break
  sleep 0.2
done
daemon=$(daemon_of)
say "kill -9 $keeper $daemon, all of tusfs, with $((at / 1048576)) MiB on the server"
kill_9 "$keeper" "$daemon"
while kill -0 "$keeper" 2>/dev/null || kill -0 "$daemon" 2>/dev/null; do sleep 0.1; done

say "mount again, and wait"
start_tusfs
ctl wait --timeout 240 "$tmp/mnt" >"$tmp/wait.log" 2>&1 &
waiting=$!
while kill -0 "$waiting" 2>/dev/null; do
  show "$(offset)" "waiting"
  sleep 0.2
done
wait "$waiting" || die "tusfsctl wait returned $?"
show "$(offset)" "tusfsctl wait returned 0"

here=$(sha256sum <"$tmp/demo.bin")
there=
if [ -n "$server_pid" ]; then
  base=${url%files/}
  stats=$(curl -sS --noproxy '*' "${base}stats") || die "the server's counters"
  id=$(echo "$stats" | jq -r '[.uploads[] | select(.filename == "demo.bin" and .complete)][-1].id')
  there=$(curl -sS --noproxy '*' "$url$id" | sha256sum)
  sent=$(echo "$stats" | jq .received_bytes)
  published=$(echo "$stats" | jq .published)
  say "the server received $sent bytes for a file of $size, and published $published upload"
else
  upload=$(ctl list --json --urls "$tmp/mnt" | jq -r '.files[0].url')
  there=$(curl -sS -f "$upload" | sha256sum)
  ctl status --json "$tmp/mnt" | jq -r '"== \(.bytes.sent) bytes went over the wire, of these \(.bytes.resent) again"'
fi
say "SHA-256 here:          ${here%% *}"
if [ -z "$there" ] || [ "$there" = "$(printf '' | sha256sum)" ]; then
  say "SHA-256 on the server: it does not give the file back, so this cannot be compared"
else
  say "SHA-256 on the server: ${there%% *}"
  [ "$here" = "$there" ] || die "they differ"
  say "equal"
fi
say "done in $(($(date +%s) - started)) s"
