# What the tests of this directory share: a disk that can be copied in an instant (an image in a
# filesystem with reflinks), mounts in a namespace of their own, and a server that comes and goes.
# Sourced with the test's arguments: TUSFS TUSFSCTL FIXTURE_SERVER.
skip() { echo "SKIPPED: $*"; exit 77; }
[ "$(id -u)" -eq 0 ] || skip "a power cut needs root"
command -v mkfs.xfs >/dev/null || skip "a power cut needs mkfs.xfs (xfsprogs)"
[ -c /dev/fuse ] || skip "there is no /dev/fuse"
# A mount namespace of its own: the boot id is replaced in it, and all mounts go with it.
[ "${POWER_CUT_INSIDE:-}" ] || exec env POWER_CUT_INSIDE=1 unshare --mount sh "$0" "$@"

tusfs=$1 tusfsctl=$2 server=$3
work=$(mktemp -d /var/tmp/tusfs-power-XXXXXX)
export TUSFS_RUNTIME_DIR="$work/run"
server_pid=
clean_up() {
    [ -z "$server_pid" ] || kill "$server_pid" 2>/dev/null || true
    umount -l "$work/after" "$work/before" "$work/cut" "$work/disk" "$work/outer" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT
fail() { echo "FAILED: $*"; exit 1; }

cd "$work"
mkdir outer disk cut before after store
truncate -s 1G outer.img
mkfs.xfs -q -m reflink=1 outer.img && mount -o loop outer.img outer || skip "no XFS with reflink here"
truncate -s 300M outer/disk.img
mkfs.ext4 -q outer/disk.img && mount -o loop outer/disk.img disk || skip "no loop devices here"

# A port that is free now, for the server that comes back after the cut.
"$server" --dir store >server.url &
server_pid=$!
until [ -s server.url ]; do kill -0 "$server_pid"; sleep 0.05; done
url=$(head -n 1 server.url)
port=${url##*:} port=${port%%/*}
kill "$server_pid" && wait "$server_pid" || true

# The disk as it is at this moment.
copy_disk() { cp --reflink=always outer/disk.img outer/cut.img; }

# The machine boots from the copy, mounted at cut, and the server is there.
boot_from_copy() {
    mount -o loop outer/cut.img cut
    cat /proc/sys/kernel/random/uuid >boot_id
    mount --bind boot_id /proc/sys/kernel/random/boot_id
    "$server" --dir store --port "$port" >server.url &
    server_pid=$!
}
