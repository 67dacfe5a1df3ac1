#!/bin/sh
# sh tests/run.sh [--quick]
# Builds tusfs and runs all its tests; on Debian 12 it installs what that needs (root or sudo).
# --quick: the tests of units, and the most telling of real mounts, in six minutes on two cores (build-quick).
#   TUSFS_JOBS        how much in parallel (default: all processors)
#   TUSFS_SANITIZERS  0: only the plain build and its tests
#   TUSFS_LONG        1: against rustus too, which builds for minutes; 300 MiB to each of tests/servers
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
jobs=${TUSFS_JOBS:-$(nproc)}
failed=
odd=
. tests/dependencies.sh

started=$(date +%s)
say() { printf '\n== %s (%d s)\n' "$*" $(($(date +%s) - started)); }
fail() {
  failed="$failed
  $*"
  echo "FAILED: $*" >&2
}
skip() { echo "SKIPPED: $*" | tee -a "$root/build/skipped.txt"; }

# The official Node server, pinned, from npm; and the client that tests/bench measures.
fetch_tus_node() {
  [ -e build/servers/node_modules/@tus/server/package.json ] && return
  if ! command -v npm >/dev/null; then
    skip "tests against @tus/server: there is no node and npm"
  elif ! node -e 'const [a, b] = process.versions.node.split(".").map(Number);
                  process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
    skip "tests against @tus/server: it needs node 20.19, here is $(node --version)"
  elif ! npm install --prefix build/servers --no-audit --no-fund --loglevel=error \
    @tus/server@2.4.5 @tus/file-store@2.1.1 tus-js-client@4.3.1; then
    skip "tests against @tus/server: npm could not fetch it"
  fi
}

# More servers for Node, pinned: an old one, another one, and the official one's store on S3.
fetch_more_node() {
  [ -e build/servers/more/node_modules/@tus/s3-store/package.json ] && return
  [ -e build/servers/node_modules/@tus/server/package.json ] || return # why is said above
  npm install --prefix build/servers/more --no-audit --no-fund --loglevel=error \
    tus-node-server@0.9.0 node-uploadx@4.1.2 @tus/s3-store@2.0.7 ||
    skip "tests against more servers for Node: npm could not fetch them"
}

# Servers for Python, pinned, and moto, which plays S3.
fetch_python_servers() {
  python=build/servers/python
  [ -e "$python/complete" ] && return
  rm -rf "$python"
  { python3 -m venv "$python" && "$python/bin/pip" install --disable-pip-version-check --no-compile \
    tuspyserver==4.4.3 fastapi==0.165.0 uvicorn==0.54.0 aiohttp-tus==1.1.0 aiohttp==3.14.5 \
    'moto[s3]==5.2.1' flask==3.1.3 flask-cors==6.0.5; } >build/servers/python.log 2>&1 || {
    tail -n 5 build/servers/python.log
    skip "tests against servers for Python: pip could not fetch them"
    return
  }
  touch "$python/complete"
}

# The reference implementation of ASC MHL, pinned.
fetch_ascmhl() {
  ascmhl=build/servers/ascmhl
  [ -e "$ascmhl/complete" ] && return
  rm -rf "$ascmhl"
  { python3 -m venv "$ascmhl" && "$ascmhl/bin/pip" install --disable-pip-version-check --no-compile ascmhl==1.2; } \
    >build/servers/ascmhl.log 2>&1 || {
    tail -n 5 build/servers/ascmhl.log
    skip "media hash lists beside ascmhl: pip could not fetch it"
    return
  }
  touch "$ascmhl/complete"
}

# Debian's nginx and HAProxy, with what they need besides tusfs: unpacked, for a package that is
# installed starts its service.
unpack_proxies() {
  [ -d build/servers/proxies ] && return
  rm -rf build/servers/proxies.new && mkdir -p build/servers/proxies.new/packages
  (cd build/servers/proxies.new/packages && apt_quietly update &&
    apt-get -q download nginx haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 &&
    for package in *.deb; do dpkg -x "$package" .. || exit 1; done) >build/servers/proxies.log 2>&1 || {
    tail -n 5 build/servers/proxies.log
    skip "tests behind nginx and HAProxy: apt could not fetch them"
    return
  }
  mv build/servers/proxies.new build/servers/proxies
}

# tusd, the reference server, from its sources.
build_tusd() {
  [ -x build/servers/tusd ] && return
  if ! command -v go >/dev/null; then
    skip "tests against tusd: there is no go"
    return
  fi
  version=$(go env GOVERSION | sed 's/^go1\.\([0-9]*\).*/\1/')
  if ! [ "$version" -ge 25 ] 2>/dev/null; then
    skip "tests against tusd: it needs go 1.25, here is $(go env GOVERSION)"
    return
  fi
  module=build/servers/tusd-module
  rm -rf "$module" && mkdir -p "$module"
  (cd "$module" && go mod init tusd.test && go get github.com/tus/tusd/v2/cmd/tusd@v2.10.0 &&
    go build -p "$jobs" -o ../tusd github.com/tus/tusd/v2/cmd/tusd) >build/servers/tusd.log 2>&1 ||
    { tail -5 build/servers/tusd.log; skip "tests against tusd: go could not build it"; }
}

# rustus, from its sources, with the checksums that its default build lacks.
build_rustus() {
  [ "${TUSFS_LONG:-0}" = 1 ] || return
  [ -x build/servers/rustus/bin/rustus ] && return
  if ! command -v cargo >/dev/null; then
    skip "tests against rustus: there is no cargo"
    return
  fi
  cargo install --quiet --root build/servers/rustus --version 0.5.10 --locked --features hashers rustus \
    >build/servers/rustus.log 2>&1 ||
    { tail -5 build/servers/rustus.log; skip "tests against rustus: cargo could not build it"; }
}

# What tusfs and the fixture server are linked to, and what the points of tests/service use.
BOOTED_PACKAGES="systemd,systemd-sysv,dbus,procps,fuse3,libfuse3-3,libcurl4,liblmdb0,libspdlog1.10,\
libfmt9,libxxhash0,libtomlplusplus3,libsystemd0,libcpp-httplib0.11,libprometheus-cpp-core1.0,\
media-types"

# A root tree of this Debian to boot systemd from, out of the archive that apt uses: a minute, 250 MiB.
make_booted_tree() {
  [ "$(cat build/booted/packages 2>/dev/null)" = "$BOOTED_PACKAGES" ] && return
  if [ "$(id -u)" -ne 0 ]; then
    skip "tests in a booted systemd: they need root"
    return
  fi
  need_packages debootstrap systemd-container || {
    skip "tests in a booted systemd: there is no debootstrap"
    return
  }
  release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
    "Codename: $release" 'Component: main' | head -n 1)
  rm -rf build/booted build/booted.new
  timeout --kill-after=10 400 debootstrap --variant=minbase --include="$BOOTED_PACKAGES" \
    "$release" build/booted.new "$archive" >build/booted.log 2>&1 || {
    tail -5 build/booted.log
    rm -rf build/booted.new
    skip "tests in a booted systemd: debootstrap cannot make its tree"
    return
  }
  rm -rf build/booted.new/var/cache/apt/archives
  echo "$BOOTED_PACKAGES" >build/booted.new/packages
  mv build/booted.new build/booted
}

# fail_tests DIRECTORY: of which ctest said that some failed: their names, and where they did, once more
# at the very end, for their output stands among that of thousands.
fail_tests() {
  fail "tests in $1:"
  awk -F '[: ]+' 'FNR == NR { failed[$2]; next }
       /^[0-9]+\/[0-9]+ Test: / { name = $3; count = 0 }
       (name in failed) && !(name in named) { named[name]; print "    " name }
       (name in failed) && /Failure$|^Expected|^  Actual|^Value of|^Which is|^terminate|Sanitizer/ && ++count <= 8 {
         print "      " substr($0, 1, 160)
       }' "$1/Testing/Temporary/LastTestsFailed.log" "$1/Testing/Temporary/LastTest.log" |
    head -n 60 >"$1/failures.txt"
  failed="$failed
$(cat "$1/failures.txt")"
}

# tests_not_ended DIRECTORY: of whose tests ctest had to be stopped.
tests_not_ended() {
  awk '/^ *Start +[0-9]+: / { number = $2; sub(/:/, "", number); begun[number] = $3; next }
       / Test +#[0-9]+: / { number = $0; sub(/.* Test +#/, "", number); sub(/:.*/, "", number); delete begun[number] }
       END { for (number in begun) print "    not ended: " begun[number] }' "$1/ctest.log"
}

# run_tests DIRECTORY SECONDS CTEST-OPTION…: nothing ends a program that waits for a mount which never answers: ctest is not waited for
# longer than that.
#   Some tests hold a time limit (cancelled within 100 ms), the machine may be shared, and the next
# build runs beside them: one more try tells noise from a fault. The first failure is printed all the same.
run_tests() {
  directory=$1
  seconds=$2
  shift 2
  {
    # shellcheck disable=SC2046 # a command in words
    timeout --kill-after=10 "$seconds" $(prefix_of "$directory") ctest --test-dir "$directory" \
      --output-on-failure -j "$jobs" --no-tests=error --repeat until-pass:2 "$@"
    echo $? >"$directory/ctest.status"
  } | tee "$directory/ctest.log"
  case $(cat "$directory/ctest.status") in
    0) ;;
    124 | 137) fail "tests in $directory, stopped after $seconds s:
$(tests_not_ended "$directory")" ;;
    *) fail_tests "$directory" ;;
  esac
}

# test_build DIRECTORY
test_build() {
  run_tests "$1" 2700
  grep -h '^SKIPPED: ' "$directory"/Testing/Temporary/LastTest.log* >>build/skipped.txt
}

# prefix_of DIRECTORY: of what runs programs of that build. The thread sanitizer does not start on
# kernels that randomise addresses widely.
prefix_of() {
  case $1 in
    build-tsan) if setarch -R true 2>/dev/null; then echo setarch -R; fi ;;
  esac
}

# begin_build DIRECTORY OPTION…: in the background, while the tests of another build run, which wait
# for most of their time. With clang, which takes a third less time, and checks the locks; each source
# by itself, so that none comes to need what another one includes.
begin_build() {
  directory=$1
  shift
  say "$directory is built meanwhile"
  {
    # shellcheck disable=SC2046 # a command in words
    configure "$directory" -DCMAKE_UNITY_BUILD=OFF -DTUSFS_WERROR=ON -DTUSFS_MOUNT_TESTS=OFF -DTUSCLIENT_PROGRAM=OFF \
      -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ "$@" &&
      nice -n 5 $(prefix_of "$directory") cmake --build "$directory" -j "$jobs"
  } >"build/$directory.log" 2>&1 &
  building=$!
}

# end_build DIRECTORY
end_build() {
  wait "$building" && return
  tail -60 "build/$1.log"
  fail "build of $1"
  return 1
}

# test_sanitized DIRECTORY: its unit tests, and short storms.
test_sanitized() {
  say "unit tests in $1"
  run_tests "$1" 900 -LE mount
  # shellcheck disable=SC2046
  storms "$1" $(prefix_of "$1")
}

# storm NAME:COUNT PREFIX…, of $directory; what its sanitizer finds goes to $reports.
storm() {
  program=$directory/tests/storm/storm_${1%:*}
  count=${1#*:}
  shift
  env TUSFS_STORM_COUNT="$count" \
    ASAN_OPTIONS="log_path=$reports/asan" UBSAN_OPTIONS="log_path=$reports/ubsan" \
    TSAN_OPTIONS="log_path=$reports/tsan" \
    LSAN_OPTIONS="suppressions=$root/tests/storm/known_leaks.txt:print_suppressions=0" \
    timeout 300 "$@" "$program" >"$directory/storm.log" 2>&1 || {
    echo "ended with $?" >>"$directory/storm.log"
    tail -50 "$directory/storm.log"
    return 1
  }
}

# storm_failures: what the last one says of itself, in short.
storm_failures() {
  grep -aE '^expected |Failure$|, seed |^ended with|what\(\)|terminate' "$directory/storm.log" |
    cut -c 1-300 | head -n 20 | sed 's/^/    /'
}

# storms DIRECTORY PREFIX…: short ones with the daemons of that build, whose sanitizer writes what it
# finds into files: a daemon that it ends is followed by another one. Not the storm of damage, in
# which it is right to die.
storms() {
  directory=$1
  shift
  reports=$root/$directory/reports
  rm -rf "$reports" && mkdir -p "$reports"
  say "short storms in $directory"
  for storm in daemon_kills:10 remounts:3 power:1 rewrites:10 network:1; do
    storm "$storm" "$@" && continue
    failures=$(storm_failures)
    # As with the other tests: one more try tells noise from a fault.
    if storm "$storm" "$@"; then
      odd="$odd
  storm ${storm%:*} in $directory, which passed in its second try:
$failures"
    else
      fail "storm ${storm%:*} in $directory, twice:
$failures
    and
$(storm_failures)"
    fi
  done
  for report in "$reports"/*; do
    [ -e "$report" ] || continue
    head -50 "$report"
    fail "a sanitizer's report, $report"
  done
}

quick() {
  say "packages"
  # shellcheck disable=SC2086 # a list of words
  need_packages $BUILD_PACKAGES clang curl jq openssl || exit 1
  say "build"
  configure build-quick -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DTUSFS_WERROR=ON -DTUSFS_QUICK_TESTS=ON -DTUSCLIENT_PROGRAM=OFF \
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG='-O0 -g0' &&
    cmake --build build-quick -j "$jobs" || exit 1
  say "tests"
  # Those of mounts wait for most of their time: beside the others. Without the longest.
  ctest --test-dir build-quick --output-on-failure -j "$((jobs * 2))" --no-tests=error \
    --repeat until-pass:2 -E 'FileOfOneGibibyte|NumbersNeverRepeat|Model.RandomOperations|NoMutationMakes' || exit 1
  say "passed"
  exit 0
}

case ${1:-} in
  --quick) quick ;;
  '') ;;
  *)
    sed -n '2,4p' "$0" | sed 's/^# //' >&2
    exit 2
    ;;
esac

say "packages"
# shellcheck disable=SC2086 # a list of words
need_packages $BUILD_PACKAGES clang libclang-rt-14-dev clang-format-14 fio rsync iproute2 systemd xfsprogs zip unzip ffmpeg \
  busybox wget aria2 p7zip-full libarchive-tools libglib2.0-bin perl \
  openssh-client openssh-sftp-server curl jq openssl python3-venv lintian || exit 1

mkdir -p build/servers
: >build/skipped.txt
need_packages chromium chromium-driver || skip "the page in a browser: chromium could not be installed"

say "build, and what npm, pip and apt have of servers meanwhile"
{
  fetch_tus_node
  fetch_more_node
  fetch_python_servers
  fetch_ascmhl
  unpack_proxies
} &
fetching=$!
configure build -DTUSFS_WERROR=ON && cmake --build build -j "$jobs"
built=$?
wait "$fetching"
[ $built = 0 ] || exit 1

say "servers"
build_tusd
build_rustus
make_booted_tree

say "tests"
export TUSFS_SERVERS="$root/build/servers"
[ ! -e build/servers/ascmhl/complete ] || export TUSFS_ASCMHL="$root/build/servers/ascmhl/bin/ascmhl"
export TUSFS_KILL_TABLE="$root/build/kill-table.txt"
export TUSFS_PROGRAM_TABLE="$root/build/program-table.txt"
export TUSFS_STORM_TABLE="$root/build/storm-table.txt"
export TUSFS_SERVER_TABLE="$root/build/server-table.txt"
rm -f "$TUSFS_KILL_TABLE" "$TUSFS_PROGRAM_TABLE" "$TUSFS_STORM_TABLE" "$TUSFS_SERVER_TABLE"
sanitizers=${TUSFS_SANITIZERS:-1}
[ "$sanitizers" = 0 ] || begin_build build-asan -DTUSFS_SANITIZE=address
test_build build

if [ "$sanitizers" != 0 ]; then
  has_asan=0
  end_build build-asan && has_asan=1
  begin_build build-tsan -DTUSFS_SANITIZE=thread
  [ $has_asan = 0 ] || test_sanitized build-asan
  end_build build-tsan && test_sanitized build-tsan
fi

if [ -s "$TUSFS_KILL_TABLE" ]; then
  say "killed with SIGKILL at"
  cat "$TUSFS_KILL_TABLE"
fi
if [ -s "$TUSFS_PROGRAM_TABLE" ]; then
  say "program | outcome | published | bytes sent / file size"
  cat "$TUSFS_PROGRAM_TABLE"
fi
if [ -s "$TUSFS_STORM_TABLE" ]; then
  say "storms"
  cat "$TUSFS_STORM_TABLE"
fi
if [ -s "$TUSFS_SERVER_TABLE" ]; then
  say "server | small files | large one | bytes sent / size: small, killed, server emptied | other files there"
  sort "$TUSFS_SERVER_TABLE"
fi
say "summary"
sort build/skipped.txt | uniq -c | sed 's/^ *\([0-9]*\) SKIPPED: /SKIPPED (\1×): /'
[ -z "$odd" ] || echo "passed, but:$odd"
if [ -n "$failed" ]; then
  echo "FAILED:$failed"
  exit 1
fi
echo "all passed"
