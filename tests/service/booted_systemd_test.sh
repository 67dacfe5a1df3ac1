# Boots systemd in a container and lets it run the installed unit: every process of the service may be
# killed, the mount and the programs in it go on (points.sh, which runs inside).
# The root tree comes from run.sh (TUSFS_BOOTED_TREE, else BUILD_DIRECTORY/booted) and is not written to.
# usage: booted_systemd_test.sh CMAKE BUILD_DIRECTORY FIXTURE_SERVER
set -eu

skip() { echo "SKIPPED: $*"; exit 77; }
tree=${TUSFS_BOOTED_TREE:-$2/booted}
[ "$(id -u)" -eq 0 ] || skip "booting systemd needs root"
command -v systemd-nspawn >/dev/null || skip "booting systemd needs systemd-nspawn (systemd-container)"
[ -c /dev/fuse ] || skip "there is no /dev/fuse"
[ -x "$tree/usr/lib/systemd/systemd" ] || skip "there is no tree to boot systemd from at $tree"
unshare --mount --pid --fork true 2>/dev/null || skip "no namespaces can be made here"

# Namespaces of its own: the machine and all mounts go with them. What else is left is cleared here.
if [ -z "${BOOTED_WORK:-}" ]; then
    BOOTED_WORK=$(mktemp -d /var/tmp/tusfs-service-XXXXXX)
    export BOOTED_WORK
    clean_up() {
        [ ! -d "/proc/$inside" ] || kill -KILL "$inside"
        wait "$inside" || true
        for _ in 1 2 3 4 5; do
            find /sys/fs/cgroup -depth -path "*/${BOOTED_WORK##*/}*" -type d -exec rmdir {} + 2>/dev/null &&
                break
            sleep 0.2
        done
        rm -rf "$BOOTED_WORK"
    }
    unshare --mount --pid --fork --kill-child --mount-proc sh "$0" "$@" &
    inside=$!
    trap clean_up EXIT
    trap 'exit 1' INT TERM
    wait "$inside" && exit 0 || exit $?
fi

cmake=$1 build=$2 server=$3
here=$(dirname "$0")
work=$BOOTED_WORK
mkdir "$work/stage" "$work/layer" "$work/root" "$work/shared" "$work/shared/store" \
    "$work/shared/recorders"
chmod 777 "$work/shared/recorders"
shared=$work/shared stage=$work/stage

# The installed files, the test's own and, above both, a layer in memory.
DESTDIR="$stage" "$cmake" --install "$build" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
mkdir -p "$stage/usr/bin" && cp "$server" "$stage/usr/bin/tus-fixture-server"
cp -R "$here/root/." "$stage"
# mount(8) looks nowhere else.
mkdir -p "$stage/usr/sbin"
[ -e "$stage/usr/sbin/mount.tusfs" ] || ln -s "$(cd "$stage" && find . -path '*/bin/tusfs' | head -n 1 | cut -c2-)" "$stage/usr/sbin/mount.tusfs"
cp "$here/points.sh" "$here/recorder.pl" "$shared"

# Two packages of one program, of which dpkg takes the second for the newer one.
cpack=$(dirname "$(command -v "$cmake")")/cpack
if "$cpack" --config "$build/CPackConfig.cmake" -B "$work/packages" >"$work/cpack.log" 2>&1; then
    cp "$work"/packages/tusfs_*.deb "$shared/old.deb"
    dpkg-deb -R "$shared/old.deb" "$work/packages/new"
    sed -i '/^Version: /s/$/+next/' "$work/packages/new/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$work/packages/new" "$shared/new.deb" >/dev/null
fi
mkdir "$stage/etc/systemd/system/multi-user.target.wants"
ln -s ../points.service "$stage/etc/systemd/system/multi-user.target.wants"
mount -t tmpfs tmpfs "$work/layer"
mkdir "$work/layer/changes" "$work/layer/work"
mount -t overlay overlay "$work/root" \
    -o "lowerdir=$stage:$tree,upperdir=$work/layer/changes,workdir=$work/layer/work" ||
    skip "no overlay filesystem here"

for program in tusfs tusfsctl tus-fixture-server; do
    missing=$(chroot "$work/root" sh -c "ldd \$(command -v $program)" | grep 'not found' || true)
    [ -z "$missing" ] || { echo "FAILED: in $tree $program misses$missing"; exit 1; }
done
head -c 200000000 /dev/urandom >"$shared/source"

# A control group of its own in the hierarchies that systemd looks at: two machines in one would
# kill each other's services.
while IFS=: read -r _ controllers path; do
    case $controllers in
        "") type=cgroup2 ;;
        name=systemd) type=cgroup ;;
        *) continue ;;
    esac
    place=$(awk -v type="$type" '$3 == type && (type == "cgroup2" || $4 ~ /name=systemd/) { print $2; exit }' \
        /proc/self/mounts)
    [ "$place" ] || continue
    group=$place${path%/}/${work##*/}
    mkdir "$group" 2>/dev/null || skip "no control groups can be made here"
    echo $$ >"$group/cgroup.procs"
done </proc/self/cgroup

# The host's systemd, where there is one, is not to be asked for anything.
mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd
autofs=
[ ! -c /dev/autofs ] || autofs=--bind=/dev/autofs
status=0
timeout --kill-after=10 400 systemd-nspawn --quiet --directory="$work/root" --boot --register=no \
    --keep-unit --private-network --capability=CAP_IPC_LOCK --bind=/dev/fuse $autofs \
    --bind="$shared:/test" --console=read-only systemd.unified_cgroup_hierarchy=1 \
    </dev/null >"$work/console" 2>&1 || status=$?

[ -s "$shared/result" ] || {
    tail -n 20 "$work/console"
    skip "systemd cannot be booted here"
}
cat "$shared/result"
grep -qx 'done 0' "$shared/result" || {
    grep -q '^done' "$shared/result" || { tail -n 20 "$work/console"; echo "FAILED: the machine did not get through"; }
    exit 1
}
[ "$status" -eq 0 ] || {
    tail -n 40 "$work/console"
    echo "FAILED: the machine did not power off orderly with a live mount: status $status"
    exit 1
}
echo "ok the machine powers off with a live mount"
[ "$(cat "$shared/recorders/ordered" 2>/dev/null)" = "ended in the mount" ] || {
    tail -n 40 "$work/console"
    echo "FAILED: the recorder did not end before its mount: $(cat "$shared/recorders/ordered" 2>&1)"
    exit 1
}
echo "ok what records into a mount ends before it, also when the machine does"
