# Cuts the power while what lies in the mount point is taken in: the disk that both the originals and the state directory
# are on is copied at several moments, and after each of them another boot must have every file, once and whole, publish
# it, and leave nothing beneath the mount.
# usage: import_cut_test.sh TUSFS TUSFSCTL FIXTURE_SERVER
set -eu

. "$(dirname "$0")/disks.sh"

files=24
mkdir sources disk/mount
for number in $(seq $files); do
    head -c $((number * 40000)) /dev/urandom >sources/f$number
done
cp sources/* disk/mount
sync
"$tusfs" --import "$url" disk/mount --state-dir disk/state --settle 0.2 2>/dev/null
for there in 1 6 12 18 $files; do
    until [ "$(ls disk/mount | wc -l)" -ge "$there" ]; do :; done
    copy_disk # the power is cut
    mv outer/cut.img "outer/cut-$there.img"
done
until umount disk/mount 2>/dev/null; do sleep 0.05; done # the last of them is being compared

taken=
for there in 1 6 12 18 $files; do
    mv "outer/cut-$there.img" outer/cut.img
    [ "$taken" ] || boot_from_copy
    [ -z "$taken" ] || mount -o loop outer/cut.img cut
    beneath=$(ls cut/mount | wc -l)
    taken="$taken $((files - beneath))"
    "$tusfs" --import "$url" cut/mount --state-dir cut/state --settle 0.2 2>/dev/null
    until ! "$tusfsctl" status cut/mount | grep -q 'import' ||
        "$tusfsctl" status cut/mount | grep -q "import .* taken in$"; do sleep 0.05; done
    [ "$beneath" -eq 0 ] || until "$tusfsctl" status cut/mount | grep -q import; do sleep 0.05; done
    "$tusfsctl" wait --timeout 30 cut/mount || fail "cut at $there: $("$tusfsctl" list cut/mount)"
    diff -r sources cut/mount || fail "cut at $there: not every file is there once and as it was"
    until umount cut/mount 2>/dev/null; do sleep 0.05; done
    [ -z "$(ls -A cut/mount)" ] || fail "cut at $there: beneath the mount is $(ls -A cut/mount)"
    until umount cut 2>/dev/null; do sleep 0.05; done # its daemon ends
done
echo "power cuts with$taken of $files originals gone: all files arrived, once"
