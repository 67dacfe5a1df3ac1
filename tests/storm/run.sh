#!/bin/sh
# Runs a storm, of any size, on what is built in BUILD (default: build).
# usage: sh tests/storm/run.sh NAME [COUNT [SEED]]     NAME: daemon_kills, remounts, power, network, rewrites,
#                                                      trouble, pressure, damage
# TUSFS_STORM_PARTS=1 sends the files in parts, =0 in one stream; without it the seed says.
# It ends with one line: what was done how often, from which seed, with how many failures.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build}
if [ $# -lt 1 ]; then
  sed -n '2,6s/^# //p' "$0" >&2
  exit 2
fi
storm=$build/tests/storm/storm_$1
cmake --build "$build" --target "storm_$1" >/dev/null || exit 1
[ -z "${2:-}" ] || export TUSFS_STORM_COUNT="$2"
[ -z "${3:-}" ] || export TUSFS_STORM_SEED="$3"
exec "$storm"
