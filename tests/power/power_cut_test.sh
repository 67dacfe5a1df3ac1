# Cuts the power under a mount: the disk of the state directory is copied in an instant (a reflink of
# the image that it lies in), and a mount on the copy, in what looks like another boot, must have
# what was synced, byte for byte, and publish nothing else.
# usage: power_cut_test.sh TUSFS TUSFSCTL FIXTURE_SERVER
set -eu

. "$(dirname "$0")/disks.sh"

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

copy_disk # the power is cut
exec 3>&-
umount before

boot_from_copy
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
