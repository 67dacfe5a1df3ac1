# A server that others wrote gets what is copied into a mount: small files and an empty one; a large
# one during which the server is killed at 40 % and the daemon at 70 %; another one during which the
# server is killed and loses all that it had. Each has to be there once, with the same SHA-256.
# usage: arrives_test.sh TUSFS TUSFSCTL COUNTING_RELAY SERVER [PROXY]
#   TUSFS_SERVERS       where tests/run.sh has put the servers
#   TUSFS_LONG          1: 200 small files and 300 MiB, instead of 50 and 32 MiB
#   TUSFS_SERVER_TABLE  a line is added to this file
#   TUSFS_KEEP          1: the directory of the run stays
#
# SERVER.sh beside this file says how that server is run, PROXY.sh what stands in front of it; what
# they may define is below, with its defaults.
set -eu

tusfs=$1 tusfsctl=$2 relay=$3 server=$4 proxy=${5:-}
here=$(cd "$(dirname "$0")" && pwd)
servers=${TUSFS_SERVERS:-$(cd "$(dirname "$relay")/../../servers" && pwd)}
name=$server${proxy:+ behind $proxy}

skip() { echo "SKIPPED: tests against $name: $*"; exit 77; }
[ -c /dev/fuse ] || skip "there is no /dev/fuse"
for program in curl openssl; do
    command -v "$program" >/dev/null || skip "there is no $program"
done

if [ "${TUSFS_LONG:-0}" = 1 ]; then
    count=200 mib=300 rate=40 patience=280
else
    count=50 mib=32 rate=16 patience=100
fi
size=$((mib * 1048576))

work=$(mktemp -d /var/tmp/tusfs-servers-XXXXXX)
store=$work/store
export TUSFS_RUNTIME_DIR="$work/run"
# Below the ports that the kernel gives away, so that a server that is started again gets its own.
server_port=$((20000 + $$ * 4 % 10000))
proxy_port=$((server_port + 1)) helper_port=$((server_port + 2))

# Of a server.
missing() { :; }     # says what it lacks on this machine, if anything
prepare() { :; }     # once, before it is started
run_server() { :; }  # becomes the server at 127.0.0.1:$server_port, whose files are in $store
wipe() { rm -rf "$store" && mkdir "$store"; }  # all that it had is lost; it does not run
held() { :; }        # what it has: SHA-256 and name of each file, or - where it keeps no name
# with_records EXTENSION: held(), for a store that keeps a record of that extension beside each file.
with_records() {
    for record in "$store"/*."$1"; do
        [ -f "${record%."$1"}" ] || continue
        path=$(sed -n 's/.*"relativePath": *"\([^"]*\)".*/\1/p' "$record")
        echo "$(sha256sum <"${record%."$1"}" | cut -c 1-64) ${path:--}"
    done
}
more() { :; }        # at the end: what else is to be seen of it
clean_up_server() { :; }
endpoint=files/ options=
keeps_empty=1        # 0: it loses files without a byte
kill_signal=KILL     # TERM: it is asked to end instead, where a kill is more than it survives
at_most=1.2          # bytes sent for the large file, by its size
# Of a proxy.
proxy_missing() { :; }
run_proxy() { :; }   # becomes the proxy at 127.0.0.1:$proxy_port, in front of $server_port
scheme=http proxy_options=

. "$here/$server.sh"
[ -z "$proxy" ] || . "$here/$proxy.sh"

server_pid= proxy_pid= relay_pid= keeper_pid=
clean_up() {
    trap - EXIT INT TERM
    unmount 2>/dev/null || umount -l "$work/mnt" 2>/dev/null || true
    [ -z "$keeper_pid" ] || wait_for_end "$keeper_pid"
    for pid in $proxy_pid $relay_pid $server_pid; do kill -9 "$pid" 2>/dev/null || true; done
    clean_up_server
    if [ "${TUSFS_KEEP:-0}" = 1 ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
unmount() { fusermount3 -u "$work/mnt"; }
wait_for_end() {
    for _ in $(seq 100); do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -9 "$1" 2>/dev/null || true
}
fail() {
    echo "FAILED: $name: $*"
    "$tusfsctl" status "$work/mnt" || true
    "$tusfsctl" list "$work/mnt" | grep -v '^uploaded' | head -n 20 || true
    for log in tusfs server proxy; do
        [ ! -s "$work/$log.log" ] || { echo "-- $log.log"; tail -n 25 "$work/$log.log"; }
    done
    exit 1
}

why=$(missing | head -n 1)
[ -z "$why" ] || { rm -rf "$work"; skip "$why"; }
why=$(proxy_missing | head -n 1)
[ -z "$why" ] || { rm -rf "$work"; skip "$why"; }
trap clean_up EXIT
trap 'exit 1' INT TERM

# until_up PORT PID
until_up() {
    for _ in $(seq 300); do
        case $(curl --silent --output /dev/null --max-time 5 "http://127.0.0.1:$1/" && echo 0 || echo $?) in
            7) ;;  # nobody listens yet
            *) return 0 ;;
        esac
        kill -0 "$2" 2>/dev/null || break
        sleep 0.1
    done
    fail "the server does not start"
}
start_server() {
    run_server >>"$work/server.log" 2>&1 &
    server_pid=$!
    until_up "$server_port" "$server_pid"
}
# kill_server SIGNAL
kill_server() {
    kill -s "$1" "$server_pid"
    wait "$server_pid" 2>/dev/null || true
    server_pid=
}
start_proxy() {
    run_proxy >>"$work/proxy.log" 2>&1 &
    proxy_pid=$!
    until_up "$proxy_port" "$proxy_pid"
}
kill_proxy() {
    kill -9 "$proxy_pid"
    wait "$proxy_pid" 2>/dev/null || true
    proxy_pid=
}

sent() { cat "$work/sent"; }
# until_sent BASE BYTES
until_sent() {
    for _ in $(seq $((patience * 20))); do
        [ $(($(sent) - $1)) -lt "$2" ] || return 0
        sleep 0.05
    done
    fail "of $2 bytes $(($(sent) - $1)) are sent after $patience seconds"
}
ratio() { awk "BEGIN { printf \"%.2f\", ($(sent) - $1) / $2 }"; }

# until_arrived PATH…: and each is there as it is at the source, once.
until_arrived() {
    (cd "$work/mnt" && "$tusfsctl" wait --strict --timeout "$patience" "$@") ||
        fail "tusfsctl wait ends with status $?"
    (cd "$work/source" && find "$@" -type f -exec sha256sum {} +) >"$work/wanted"
    [ "$keeps_empty" = 1 ] || sed -i '/^e3b0c44298fc1c14/d' "$work/wanted"
    # Some move a file to its place behind their answer.
    for _ in $(seq 40); do
        held_as_wanted >"$work/differences" && break
        sleep 0.25
    done
    held_as_wanted >"$work/differences" || {
        cat "$work/differences"
        fail "the server has other files"
    }
    "$tusfsctl" list "$work/mnt" | grep -v '^uploaded' && fail "not everything is uploaded"
    return 0
}
# Writes how many files are beside those that are wanted to $work/others.
held_as_wanted() {
    held >"$work/held"
    awk 'FNR == NR { want[$1] = $2; next }
         ($1 in want) && ($2 == "-" || $2 == want[$1]) { got[$1]++; next }
         { others++ }
         END { for (digest in want) if (got[digest] != 1) {
                   printf "%s is there %d times\n", want[digest], got[digest]; bad = 1 }
               print others + 0 > "/dev/stderr"; exit bad }' "$work/wanted" "$work/held" 2>"$work/others"
}
say() { printf '%4d s  %s\n' $(($(date +%s) - began)) "$*"; }

began=$(date +%s)
mkdir "$store" "$work/mnt" "$work/source" "$work/source/small"
for i in $(seq "$count"); do
    head -c $((i * 7919 % 40000 + 1)) /dev/urandom >"$work/source/small/file-$i.bin"
done
: >"$work/source/small/empty.bin"
head -c "$size" /dev/urandom >"$work/source/killed.bin"
head -c $((size / 2)) /dev/urandom >"$work/source/wiped.bin"

prepare
start_server
port=$server_port
if [ -n "$proxy" ]; then
    start_proxy
    port=$proxy_port
fi
"$relay" --backend "$port" --rate $((rate * 1048576)) --count "$work/sent" >"$work/relay.port" &
relay_pid=$!
until [ -s "$work/relay.port" ] && [ -s "$work/sent" ]; do kill -0 "$relay_pid"; sleep 0.05; done
url=$scheme://127.0.0.1:$(cat "$work/relay.port")/$endpoint

# shellcheck disable=SC2086 # options in words
"$tusfs" "$url" "$work/mnt" --state-dir "$work/state" --volatile --settle 0.2 --log-level debug --foreground \
    $options $proxy_options 2>"$work/tusfs.log" &
keeper_pid=$!
until grep -q " $work/mnt " /proc/self/mountinfo; do
    kill -0 "$keeper_pid" 2>/dev/null || fail "it does not mount"
    sleep 0.05
done
daemon_pid() { "$tusfsctl" status --json "$work/mnt" | sed -n 's/.*"daemon_pid": *\([0-9]*\).*/\1/p'; }
say "$name mounted"

base=$(sent)
cp -R "$work/source/small" "$work/mnt"
until_arrived small
small_ratio=$(ratio "$base" "$(cat "$work"/source/small/* | wc -c)")
say "$count small files and an empty one are there: bytes / size $small_ratio"

base=$(sent)
cp "$work/source/killed.bin" "$work/mnt" &
copy_pid=$!
until_sent "$base" $((size * 4 / 10))
kill_server "$kill_signal"
say "killed: the server"
sleep 1
start_server
until_sent "$base" $((size * 7 / 10))
kill -9 "$(daemon_pid)"
if [ -n "$proxy" ]; then
    kill_proxy
    start_proxy
fi
say "killed: the daemon${proxy:+ and $proxy}"
wait "$copy_pid" || fail "cp has failed"
until_arrived small killed.bin
killed_ratio=$(ratio "$base" "$size")
others=$(cat "$work/others")
say "the large file is there: bytes / size $killed_ratio, $others other files"

base=$(sent)
cp "$work/source/wiped.bin" "$work/mnt"
until_sent "$base" $((size / 2 * 4 / 10))
kill_server KILL
wipe
say "the server is empty"
start_server
until_arrived wiped.bin
wiped_ratio=$(ratio "$base" $((size / 2)))
say "the last file is there: bytes / size $wiped_ratio"

more
"$tusfsctl" status "$work/mnt" | grep -q '^  files .*uploaded' || fail "status"
unmount
wait "$keeper_pid" || fail "tusfs ends with status $?"
keeper_pid=
awk "BEGIN { exit !($killed_ratio <= $at_most) }" ||
    fail "bytes / size of the killed file are $killed_ratio, not at most $at_most"
[ -z "${TUSFS_SERVER_TABLE:-}" ] ||
    printf '%-34s | %3d + 1 | %3d MiB | %5s | %5s | %5s | %d | %d s\n' "$name" "$count" "$mib" \
        "$small_ratio" "$killed_ratio" "$wiped_ratio" "$others" $(($(date +%s) - began)) >>"$TUSFS_SERVER_TABLE"
