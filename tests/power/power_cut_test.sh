# Cuts the power under a mount: the disk of the state directory is copied in an instant (a reflink of
# the image that it lies in), and a mount on the copy, in what looks like another boot, must have
# what was synced, byte for byte, and publish nothing else.
# usage: power_cut_test.sh TUSFS TUSFSCTL FIXTURE_SERVER
set -eu

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

head -c 20000000 /dev/urandom >source
"$tusfs" "$url" before --state-dir disk/state --settle 0.2 2>/dev/null

# Finished: closed, settled and so on disk. It waits for the server.
cp source before/finished
until "$tusfsctl" list before | grep -q '^queued .*finished'; do sleep 0.1; done
# Being written: its first half is synced, the rest is not.
exec 3>before/growing
head -c 10000000 source >&3
dd if=/dev/null of=before/growing conv=notrunc,fsync 2>/dev/null
tail -c +10000001 source >&3
# Named long enough ago to be in a commit, never synced.
cp source before/unsynced
sync before # syncs the directory: the name, not the bytes

cp --reflink=always outer/disk.img outer/cut.img # the power is cut
exec 3>&-
umount before

mount -o loop outer/cut.img cut
cat /proc/sys/kernel/random/uuid >boot_id
mount --bind boot_id /proc/sys/kernel/random/boot_id
"$server" --dir store --port "$port" >server.url &
server_pid=$!
"$tusfs" "$url" after --state-dir cut/state --settle 0.2 2>/dev/null
"$tusfsctl" wait --timeout 30 after/finished || fail "the finished file does not arrive"
"$tusfsctl" list after
cmp source after/finished || fail "the finished file has other bytes"
"$tusfsctl" list after | grep -q '^interrupted .*growing' || fail "the growing file is not interrupted"
size=$(stat -c %s after/growing)
[ "$size" -ge 10000000 ] || fail "of 10000000 synced bytes $size are there"
cmp -n 10000000 source after/growing || fail "the synced bytes are other ones"
"$tusfsctl" list after | grep -q '^interrupted .*unsynced' || fail "the unsynced file is not interrupted"

# The writer comes back: what it writes again is published, and only now.
cp source after/growing
"$tusfsctl" wait --timeout 30 after/growing || fail "the rewritten file does not arrive"
cmp source after/growing || fail "the rewritten file has other bytes"
umount after
echo "power cut: the finished file arrived, $size of 20000000 bytes of the growing file were kept"
