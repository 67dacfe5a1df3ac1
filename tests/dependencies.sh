# Sourced by run.sh and demo.sh: the packages of Debian 12 that they need, installed where missing,
# and the configuration of a build tree. Works as root or with sudo. Touches apt only when something is missing.
# By itself (sh tests/dependencies.sh) it installs what a build wants.

BUILD_PACKAGES="g++ cmake ninja-build pkg-config libfuse3-dev fuse3 libcurl4-openssl-dev libidn2-dev libunistring-dev libexpat1-dev
  liblmdb-dev
  libspdlog-dev libcli11-dev libexpected-dev libtomlplusplus-dev nlohmann-json3-dev libxxhash-dev
  libssl-dev libsystemd-dev libgtest-dev libgmock-dev libboost-dev libcpp-httplib-dev prometheus-cpp-dev
  zlib1g-dev
  scdoc media-types dpkg-dev file"

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "this needs root: run it as root or install sudo" >&2
    return 1
  fi
}

is_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# apt is heard only when it fails.
apt_quietly() {
  apt_said=$(as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" 2>&1 </dev/null) || {
    echo "$apt_said" >&2
    return 1
  }
}

# need_packages NAME…
need_packages() {
  missing=
  for package in "$@"; do
    is_installed "$package" || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  echo "== installing:$missing"
  for attempt in 1 2 3; do
    # shellcheck disable=SC2086 # a list of words
    apt_quietly update && apt_quietly install --no-install-recommends $missing && return 0
    echo "apt failed (attempt $attempt of 3)" >&2
    sleep 5
  done
  echo "could not install:$missing" >&2
  return 1
}

# configure DIRECTORY OPTION…: with ccache where there is one; the sources of a room are compiled as
# few, which takes half the time where all are compiled
configure() {
  directory=$1
  shift
  set -- -DCMAKE_UNITY_BUILD=ON "$@"
  if command -v ccache >/dev/null; then
    set -- "$@" -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
  fi
  mkdir -p "$directory"
  cmake -S . -B "$directory" -G Ninja "$@" >"$directory/configure.log" 2>&1 || {
    cat "$directory/configure.log" >&2
    return 1
  }
}

case $0 in
  */dependencies.sh | dependencies.sh)
    # shellcheck disable=SC2086 # a list of words
    need_packages $BUILD_PACKAGES
    ;;
esac
