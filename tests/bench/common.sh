# Sourced by the others: a directory in memory ($memory, the caller removes it), a server, a mount at
# $disk/mnt, medians.
rounds=${BENCH_ROUNDS:-5}
memory=$(mktemp -d /dev/shm/tusfs-bench-XXXXXX) || exit 1
server_pid=

die() {
  echo "bench: $*" >&2
  exit 1
}

# A virtual machine gives free memory back to its host, and the first touch of it again is many
# times slower than any copy: touch as much as the next step will need.
warm_memory() { # MIB
  head -c $(($1 * 1024 * 1024)) /dev/zero >"$memory/warm"
  rm -f "$memory/warm"
}

# The endpoint in what a server printed: a URL at the end of a line, or just its port.
endpoint_in() {
  sed -n -e 's|^\([0-9]\{1,\}\)$|http://127.0.0.1:\1/files/|p' \
    -e 's|.*\(http://127\.0\.0\.1:[0-9]*/files/\)$|\1|p' "$1" | head -n 1
}

# start_server COMMAND…: sets $server_pid and, as soon as it listens, $url
start_server() {
  : >"$memory/server.log" # of the one before, whose endpoint it is not
  "$@" >"$memory/server.log" 2>&1 &
  server_pid=$!
  while url=$(endpoint_in "$memory/server.log") && [ -z "$url" ]; do
    kill -0 "$server_pid" 2>/dev/null || die "the server did not start: $(cat "$memory/server.log")"
    sleep 0.1
  done
}

stop_server() {
  [ -n "$server_pid" ] || return 0
  kill "$server_pid"
  wait "$server_pid"
  server_pid=
}

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

daemon_pid() {
  "$tusfsctl" status --json "$disk/mnt" | sed -n 's/.*"daemon_pid": *\([0-9]*\).*/\1/p'
}

# Ends the mount at $disk/mnt, where there is one; its daemon is gone then.
unmount() {
  grep -q " $disk/mnt " /proc/self/mountinfo || return
  daemon=$(daemon_pid)
  umount "$disk/mnt"
  while [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null; do sleep 0.2; done
}

clean_up() {
  trap - EXIT INT TERM
  unmount
  stop_server
  rm -rf "$memory" "$disk"
}

clean_up_at_the_end() {
  trap clean_up EXIT
  trap 'exit 130' INT TERM
}
