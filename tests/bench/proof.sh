#!/bin/sh
# What the ledger costs, and how fast it answers. By hand, after a build for release:
#   sh tests/bench/proof.sh [BUILD_DIRECTORY]
# A ledger of a million rows is asked; tusfsctl verify reads 100,000 files of 4 KB and BENCH_GIB GiB beside
# sha256sum and cat, which take turns with it. All of it lies in $TMPDIR (default /var/tmp).
#   BENCH_ROUNDS  rounds (default 3)
#   BENCH_GIB     GiB of large files (default 8)
set -eu
build=$(cd "${1:-build}" && pwd)
bench=$build/tests/bench/proof-bench
tusfsctl=$build/fs/tusfsctl
rounds=${BENCH_ROUNDS:-3}
disk=$(mktemp -d "${TMPDIR:-/var/tmp}/tusfs-bench-XXXXXX")
trap 'rm -rf "$disk"' EXIT INT TERM

# timed NAME COMMAND…: its seconds by the clock
timed() {
    name=$1
    shift
    begin=$(date +%s%N)
    "$@" >"$disk/said"
    end=$(date +%s%N)
    echo "$name: $(((end - begin) / 1000000)) ms"
}
in_turns() { # STATE_DIR SOURCE
    for _ in $(seq "$rounds"); do
        timed "verify" "$tusfsctl" verify --state-dir "$1" "$2"
        timed "sha256sum" sh -c 'find "$1" -type f -print0 | xargs -0 sha256sum' sh "$2"
        timed "cat" sh -c 'find "$1" -type f -print0 | xargs -0 cat | wc -c' sh "$2"
    done
}

echo "== digests of whole files"
"$bench" digest 4096
echo "== a file that becomes uploaded"
"$bench" keep "$disk/keep" 20000
echo "== a million rows"
mkdir "$disk/rows"
"$bench" ledger "$disk/rows" 1000000
for _ in $(seq "$rounds"); do
    timed "report --totals" "$tusfsctl" report --totals --state-dir "$disk/rows"
    timed "report --csv" "$tusfsctl" report --csv --state-dir "$disk/rows"
done
rm -rf "$disk/rows" "$disk/keep"

echo "== 100,000 files"
mkdir "$disk/small" "$disk/small-state"
(cd "$disk/small" && head -c 400000000 /dev/urandom | split -a 5 -b 4000 -)
"$bench" of "$disk/small-state" "$disk/small"
in_turns "$disk/small-state" "$disk/small"
rm -rf "$disk/small"

echo "== ${BENCH_GIB:-8} GiB"
mkdir "$disk/large" "$disk/large-state"
for i in $(seq "${BENCH_GIB:-8}"); do head -c 1G /dev/urandom >"$disk/large/$i"; done
"$bench" of "$disk/large-state" "$disk/large"
in_turns "$disk/large-state" "$disk/large"
