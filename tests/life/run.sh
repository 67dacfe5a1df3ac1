#!/bin/sh
# Lives COUNT lives from SEED on, with what is built in BUILD (default: build). Each that fails is printed.
# usage: sh tests/life/run.sh [COUNT [SEED]]
#   TUSFS_LIFE_PARTS  so many more of larger files, which go in parts (default: 60)
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build}
cmake --build "$build" --target life_test >/dev/null
TUSFS_LIFE_SEEDS="${1:-10000}" TUSFS_LIFE_SEED="${2:-1}" TUSFS_LIFE_FAILURES="${TUSFS_LIFE_FAILURES:-10}" \
  exec "$build/tests/life/life_test"
