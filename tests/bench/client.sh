#!/bin/bash
# What uploading costs with tusclient, with tus-js-client, and with one PATCH by curl(1): the same
# file to the same servers, by turns. By hand, after tests/run.sh or a build:
#   bash tests/bench/client.sh
# File and uploads lie in memory. The first round warms up and is discarded. Speed is of the
# upload, from its first request to its last answer, without the start of the program; CPU is user
# and system time of the whole program. curl is measured without the POST that creates its upload,
# so tusclient is held against the bare transfer. No checksums are sent: only tusclient has them.
# The goals are to be never slower than tus-js-client, and to take at most 1.15 times the CPU of
# curl's PATCH.
#   BENCH_ROUNDS   rounds that count (default 5)
#   BENCH_MIB      size of the file (default 512)
#   TUSFS_SERVERS  where tests/run.sh puts the servers and tus-js-client (default build/servers)
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/bench/common.sh"
mib=${BENCH_MIB:-512}
servers=${TUSFS_SERVERS:-$root/build/servers}
bench=$root/build/tests/bench/client-bench
sink=$root/build/tests/testing/tus-fixture-server
driver=$root/tests/bench/tus_js_upload.mjs
file=$memory/file
uploads=$memory/uploads
bodies="1 8 32 0" # MiB; 0: unlimited

clean_up() {
  trap - EXIT INT TERM
  stop_server
  rm -rf "$memory"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

skip() { echo "SKIPPED: $*"; }

# create: prints the URL of a new upload
create() {
  curl --noproxy '*' -sS -f -o /dev/null -w '%header{location}' -X POST -H 'Tus-Resumable: 1.0.0' \
    -H "Upload-Length: $((mib * 1024 * 1024))" "$url"
}

# upload CLIENT BODY-MIB: adds "SECONDS CPU-SECONDS" to that client's results
upload() {
  case $1 in
    tusclient) command=("$bench" "$url" "$file" "$2") ;;
    js) command=(node "$driver" "$servers" "$url" "$file" "$2") ;;
    curl)
      location=$(create) || die "curl created no upload"
      command=(curl --noproxy '*' -sS -f -o /dev/null -w '%{time_total}\n' -X PATCH -T "$file"
        -H 'Tus-Resumable: 1.0.0' -H 'Upload-Offset: 0' -H 'Expect:'
        -H 'Content-Type: application/offset+octet-stream' "$location")
      ;;
  esac
  { time "${command[@]}" >"$memory/seconds" 2>"$memory/log"; } 2>"$memory/cpu" ||
    die "$1 failed: $(cat "$memory/log")"
  echo "$(cat "$memory/seconds") $(awk '{ print $1 + $2 }' "$memory/cpu")" >>"$memory/$1-$2"
  rm -rf "${uploads:?}"/*
}
TIMEFORMAT='%3U %3S'

# speed CLIENT BODY-MIB: MiB per second; nothing where it was not measured
speed() {
  [ -e "$memory/$1-$2" ] || return
  awk '{ print $1 }' "$memory/$1-$2" >"$memory/column"
  awk "BEGIN { printf \"%.0f\", $mib / $(median "$memory/column") }"
}

# cpu CLIENT BODY-MIB: CPU seconds per GiB
cpu() {
  [ -e "$memory/$1-$2" ] || return
  awk '{ print $2 }' "$memory/$1-$2" >"$memory/column"
  awk "BEGIN { printf \"%.2f\", $(median "$memory/column") * 1024 / $mib }"
}

# ratio COLUMN CLIENT BODY-MIB: the median of what the rounds say, tusclient's divided by the
# client's. The two of a round ran one after the other, so load from elsewhere was on both.
ratio() {
  [ -e "$memory/$2-$3" ] || return
  paste -d ' ' "$memory/tusclient-$3" "$memory/$2-$3" |
    awk -v column="$1" '{ print $column / $(column + 2) }' >"$memory/column"
  median "$memory/column"
}
speed_ratio() { ratio 1 "$@" | awk '{ printf "%.2f", 1 / $1 }'; }
cpu_ratio() { ratio 2 "$@" | awk '{ printf "%.2f", $1 }'; }

row() { printf '%-15s %7s %6s   %7s %6s %6s %6s   %7s %6s %6s %6s\n' "$@"; }
heading() { printf '%-15s %14s   %29s   %29s\n' "$@"; }

# check WHAT RATIO CONDITION: says so where a measured ratio misses a goal
check() {
  [ -z "$2" ] || awk "BEGIN { exit !($2 $3) }" || missed+=("$1 is $2, not $3")
}
missed=()

# measure NAME COMMAND…: all clients to the server that COMMAND starts
measure() {
  name=$1
  shift
  rm -f "$memory"/{tusclient,js,curl}-*
  mkdir -p "$uploads"
  start_server "$@"
  for ((round = 0; round <= rounds; ++round)); do
    [ "$round" -ne 1 ] || rm -f "$memory"/{tusclient,js,curl}-*
    # Who comes first changes, lest one always finds what the other left.
    turns="tusclient $others"
    [ $((round % 2)) -eq 0 ] || turns="$(echo "$others" | awk '{ print $2, $1 }') tusclient"
    for body in $bodies; do
      for client in $turns; do
        [ "$client" = curl ] && [ "$body" -ne 0 ] && continue
        [ "$name" = sink ] || warm_memory $((mib * 5 / 4))
        upload "$client" "$body"
      done
    done
  done
  stop_server
  echo
  heading "to $name," tusclient tus-js-client "curl, one PATCH"
  row "bodies of" MiB/s s/GiB MiB/s s/GiB speed CPU MiB/s s/GiB speed CPU
  for body in $bodies; do
    ours=$(speed tusclient "$body") our_cpu=$(cpu tusclient "$body")
    js=$(speed js "$body") js_cpu=$(cpu js "$body")
    curl=$(speed curl "$body") curl_cpu=$(cpu curl "$body")
    label="$body MiB"
    [ "$body" -ne 0 ] || label=unlimited
    to_js=$(speed_ratio js "$body") cpu_to_curl=$(cpu_ratio curl "$body")
    row "$label" "$ours" "$our_cpu" "$js" "$js_cpu" "$to_js" "$(cpu_ratio js "$body")" \
      "$curl" "$curl_cpu" "$(speed_ratio curl "$body")" "$cpu_to_curl"
    check "speed against tus-js-client, to $name, $label," "$to_js" ">= 1"
    check "CPU against curl, to $name, $label," "$cpu_to_curl" "<= 1.15"
  done
}

have_module() { command -v node >/dev/null && [ -e "$servers/node_modules/$1/package.json" ]; }

for program in "$bench" "$sink"; do
  [ -x "$program" ] || die "there is no $program: build first"
done
others=
if have_module tus-js-client; then
  others=js
else
  skip "tus-js-client: no node, or not in $servers (tests/run.sh puts it there)"
fi
if command -v curl >/dev/null; then
  others="$others curl"
else
  skip "curl: it is not installed"
fi

head -c $((mib * 1024 * 1024)) /dev/urandom >"$file"
echo "a file of $mib MiB, medians of $rounds; speed and CPU: tusclient divided by the other"
measure sink "$sink" --discard
if [ -x "$servers/tusd" ]; then
  measure tusd "$servers/tusd" -host 127.0.0.1 -port 0 -upload-dir "$uploads"
else
  skip "tusd: not in $servers (tests/run.sh builds it)"
fi
if have_module @tus/server; then
  measure @tus/server node "$servers/tus_server.mjs" "$uploads"
else
  skip "@tus/server: no node, or not in $servers (tests/run.sh puts it there)"
fi

echo
if [ "${#missed[@]}" -eq 0 ]; then
  echo "what was measured meets the goals"
else
  printf 'MISSED: %s\n' "${missed[@]}"
fi
