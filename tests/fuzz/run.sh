#!/bin/sh
# Builds the fuzz targets with clang and runs them one after the other, each for SECONDS (default:
# 60); on Debian 12 it installs what that needs (root or sudo). It begins with what broke a promise
# before, and with the seeds in tests/fuzz/corpus. In build-fuzz/fuzz it leaves new inputs (corpus),
# those that broke a promise (crashes) and what the targets printed (*.log).
#   tests/fuzz/run.sh [SECONDS]
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/dependencies.sh

seconds=${1:-60}
case $seconds in
'' | *[!0-9]* | 0)
  echo "usage: $0 [SECONDS]" >&2
  exit 2
  ;;
esac

# shellcheck disable=SC2086 # a list of words
need_packages $BUILD_PACKAGES clang libclang-rt-14-dev || exit 1
configure build-fuzz -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_C_COMPILER=clang \
  -DTUSFS_WERROR=ON -DTUSFS_FUZZ=ON || exit 1
cmake --build build-fuzz --target fuzz_targets -j "${TUSFS_JOBS:-$(nproc)}" || exit 1

# The catalogs and spools of the targets lie in memory, where a sync costs nothing.
scratch=$(mktemp -d /dev/shm/tusfs-fuzz-XXXXXX) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

passed=0
failed=0
for source in tests/fuzz/*_fuzz.cc; do
  target=$(basename "$source" .cc)
  kept=build-fuzz/fuzz
  mkdir -p "$kept/corpus/$target" "$kept/crashes/$target"
  # The first folder is where new inputs go.
  if TMPDIR=$scratch UBSAN_OPTIONS=print_stacktrace=1 "build-fuzz/tests/fuzz/$target" \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -dict=tests/fuzz/tus.dict -artifact_prefix="$kept/crashes/$target/" \
    "$kept/corpus/$target" "$kept/crashes/$target" "tests/fuzz/corpus/$target" \
    >"$kept/$target.log" 2>&1; then
    passed=$((passed + 1))
    echo "ok $target: $(grep -a 'DONE' "$kept/$target.log" | tr -s '\t ' ' ')"
  else
    failed=$((failed + 1))
    echo "FAILED $target:"
    grep -a -A 2 -e 'broken promise' -e 'runtime error' -e 'ERROR:' -e 'written to' "$kept/$target.log"
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
