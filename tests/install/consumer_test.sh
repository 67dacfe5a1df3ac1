# Builds and installs tusclient alone, then a program that uses it, by CMake and by pkg-config; each
# uploads a few bytes to the fixture server.
# usage: consumer_test.sh CMAKE SOURCE_DIRECTORY FIXTURE_SERVER CXX [COMPILER_LAUNCHER]
set -eu
cmake=$1 source=$2 server=$3 cxx=$4 launcher=${5:-}
here=$(dirname "$0")
dir=$(mktemp -d)
server_pid=
trap '[ -z "$server_pid" ] || kill "$server_pid"; rm -rf "$dir"' EXIT

fail() { echo "$*"; exit 1; }
quietly() { "$@" >"$dir/log" 2>&1 || { cat "$dir/log"; fail "failed: $*"; }; }
build() { # SOURCE BUILD OPTION…
    from=$1 to=$2
    shift 2
    quietly "$cmake" -S "$from" -B "$to" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER="$cxx" \
        -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher" "$@"
    quietly "$cmake" --build "$to"
}

# The library alone, without what tusfs needs besides, and moved after it was installed.
build "$source/tusclient" "$dir/library" -DCMAKE_INSTALL_PREFIX=/opt/tusclient -DCMAKE_INSTALL_LIBDIR=lib
for needless in fuse lmdb xxhash systemd; do
    grep -qi "^[^:]*$needless[^:]*:" "$dir/library/CMakeCache.txt" && fail "the library alone looks for $needless"
done
DESTDIR="$dir/staged" quietly "$cmake" --install "$dir/library"
prefix=$dir/elsewhere
mv "$dir/staged/opt/tusclient" "$prefix"

build "$here/consumer" "$dir/by-cmake" -DCMAKE_PREFIX_PATH="$prefix"
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
# shellcheck disable=SC2046 # a list of options
quietly "$cxx" -std=c++20 "$here/consumer/main.cc" -o "$dir/by-pkg-config" \
    $(pkg-config --cflags --libs tusclient)

version=$(cat "$source/tusclient/VERSION")
[ "$(pkg-config --modversion tusclient)" = "$version" ] || fail "tusclient.pc has another version than $version"
[ "$("$prefix/bin/tus-upload" --version)" = "tus-upload $version" ] || fail "tus-upload has another version than $version"

"$server" --dir "$dir/uploads" >"$dir/url" &
server_pid=$!
for _ in $(seq 100); do
    [ ! -s "$dir/url" ] || break
    sleep 0.1
done
[ -s "$dir/url" ] || fail "the fixture server did not start"
url=$(cat "$dir/url")

check() { # PROGRAM TEXT
    [ "$("$1" "$url" "$2")" = "${#2} bytes" ] || fail "$1 did not upload"
    # The server numbers its uploads.
    newest=$(find "$dir/uploads" -type f | sort | tail -n 1)
    [ "$(cat "$newest")" = "$2" ] || fail "$1: the server has other bytes"
}
check "$dir/by-cmake/consumer" "hello from CMake"
check "$dir/by-pkg-config" "hello from pkg-config"
printf 'hello from a shell' | "$prefix/bin/tus-upload" --quiet --state-dir "$dir/state" "$url" -
[ "$(cat "$(find "$dir/uploads" -type f | sort | tail -n 1)")" = "hello from a shell" ] ||
    fail "tus-upload: the server has other bytes"
