# Installs into an empty root and looks at what is there.
# usage: install_test.sh CMAKE BUILD_DIRECTORY PREFIX
set -eu
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
DESTDIR="$root" "$1" --install "$2" >"$root/install.log" || { cat "$root/install.log"; exit 1; }

for file in bin/tusfs bin/tusfsctl bin/tus-upload share/man/man1/tusfs.1 share/man/man1/tusfsctl.1 \
    share/man/man1/tus-upload.1 share/man/man7/tusfs-semantics.7 share/man/man5/tusfs.toml.5 \
    share/bash-completion/completions/tusfsctl share/zsh/site-functions/_tusfsctl \
    share/fish/vendor_completions.d/tusfsctl.fish \
    include/tusclient/client.h lib/systemd/system/tusfs@.service lib/systemd/system/tusfs-credentials@.service \
    lib/systemd/user/tusfs@.service; do
    [ -s "$root$3/$file" ] || { echo "not installed: $3/$file"; exit 1; }
done
[ "$(readlink -f "$root$3/sbin/mount.tusfs")" = "$(readlink -f "$root$3/bin/tusfs")" ] ||
    { echo "mount.tusfs is no link to tusfs"; exit 1; }
[ "$(readlink -f "$root$3/lib/systemd/system-generators/tusfs-generator")" = "$(readlink -f "$root$3/bin/tusfs")" ] ||
    { echo "tusfs-generator is no link to tusfs"; exit 1; }
find "$root$3" -name tusclient-config.cmake | grep -q . || { echo "no CMake package"; exit 1; }

# To another prefix than it was configured for, all of it, and the unit knows.
"$1" --install "$2" --prefix "$root/elsewhere" >"$root/install.log" || { cat "$root/install.log"; exit 1; }
unit=$root/elsewhere/lib/systemd/system/tusfs@.service
grep -q "^ExecStart=$root/elsewhere/bin/tusfs " "$unit" || { echo "the unit does not name its prefix:"; cat "$unit"; exit 1; }

command -v systemd-analyze >/dev/null || { echo "SKIPPED: no systemd-analyze here"; exit 77; }
# The unit names the program where it would be; here that is beneath the new root.
sed "s#^\(Exec[A-Za-z]*=\)\([^/]*/\)#\1$root\2#" "$root$3/lib/systemd/system/tusfs@.service" >"$root/tusfs@rig.service"
said=$(systemd-analyze verify --man=no "$root/tusfs@rig.service" 2>&1) || { echo "$said"; exit 1; }
said=$(printf '%s\n' "$said" | grep -F tusfs@ || true)
[ -z "$said" ] || { echo "systemd-analyze: $said"; exit 1; }
sed "s#^\(Exec[A-Za-z]*=\)\([^/]*/\)#\1$root\2#" "$root$3/lib/systemd/user/tusfs@.service" >"$root/tusfs@own.service"
said=$(systemd-analyze --user verify --man=no "$root/tusfs@own.service" 2>&1 | grep -F tusfs@ || true)
[ -z "$said" ] || { echo "systemd-analyze --user: $said"; exit 1; }
cp "$root$3/lib/systemd/system/tusfs-credentials@.service" "$root/tusfs-credentials@rig.service"
said=$(systemd-analyze verify --man=no "$root/tusfs-credentials@rig.service" 2>&1 | grep -F credentials@ || true)
[ -z "$said" ] || { echo "systemd-analyze: $said"; exit 1; }
# What a service may do that makes a mount for others: the unit has the reasons. Tenths.
# exposed UNIT TENTHS [DROP-IN…]
exposed() {
    unit=$1 most=$2
    shift 2
    # Each section may come again; without a look at the machine there are no drop-ins.
    cat "$unit" "$@" >"$root/exposed@rig.service"
    said=$(systemd-analyze security --offline=true --no-pager --threshold="$most" "$root/exposed@rig.service" 2>&1) ||
        { echo "$unit $*"; printf '%s\n' "$said" | tail -n 3; exit 1; }
}
examples=$root$3/share/doc/tusfs/examples
exposed "$root/tusfs@rig.service" 45
exposed "$root/tusfs@rig.service" 42 "$examples/own-user.conf"
exposed "$root/tusfs@rig.service" 40 "$examples/own-user.conf" "$examples/linux-6.15.conf"
exposed "$root/tusfs-credentials@rig.service" 15
