# An evening: files are copied, the mount is ended by umount or by SIGTERM, and the machine is switched
# off the moment that the daemon has ended, without a sync. The next boot must publish every file.
# usage: orderly_reboot_test.sh TUSFS TUSFSCTL FIXTURE_SERVER
set -eu

. "$(dirname "$0")/disks.sh"

mkdir card
for i in $(seq 1 40); do head -c $((i * 10000)) /dev/urandom >card/$i; done
: >card/empty
head -c 20000000 /dev/urandom >card/large

# Ends the mount at before: the daemon has ended when nobody has its lock.
end_mount() {
    case $1 in
        umount) umount before ;;
        SIGTERM) kill -TERM "$("$tusfsctl" status --json before | sed 's/.*"keeper_pid":\([0-9]*\).*/\1/')" ;;
    esac
    flock --wait 60 disk/state/lock true || fail "the daemon does not end"
}

# By umount, before anything has settled; and once more, on the state that this leaves, by SIGTERM.
for how in umount SIGTERM; do
    "$tusfs" "$url" before --state-dir disk/state --settle 3600 2>/dev/null
    cp -r card before/$how
    cp card/large before/$how.part
    end_mount $how
done
copy_disk

boot_from_copy
"$tusfs" "$url" after --state-dir cut/state --settle 0.2 2>/dev/null
for how in umount SIGTERM; do
    "$tusfsctl" wait --timeout 60 after/$how || fail "not everything arrives after $how"
    diff -r card after/$how || fail "files have other bytes after $how"
    "$tusfsctl" list after/$how.part | grep -q '^settling .*final name' || fail "$how.part does not wait"
    cmp card/large after/$how.part || fail "$how.part has other bytes"
done
umount after
echo "orderly reboot: every file of two copies arrived"
