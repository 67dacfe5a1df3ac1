# Makes the packages, and looks at what a machine gets from them.
# usage: package_test.sh CPACK BUILD_DIRECTORY
set -eu
command -v dpkg-deb >/dev/null || { echo "SKIPPED: no dpkg-deb here"; exit 77; }
command -v dpkg-shlibdeps >/dev/null || { echo "SKIPPED: no dpkg-shlibdeps (dpkg-dev) here"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

"$1" --config "$2/CPackConfig.cmake" -B "$work" >"$work/cpack.log" 2>&1 || { cat "$work/cpack.log"; exit 1; }
program=$(echo "$work"/tusfs_*.deb) library=$(echo "$work"/libtusclient-dev_*.deb)
symbols=$(echo "$work"/tusfs-dbgsym_*.ddeb)
for package in "$program" "$library" "$symbols"; do
    [ -s "$package" ] || fail "not made: $package"
done

needs=$(dpkg-deb -f "$program" Depends)
for name in fuse3 media-types libfuse3-3 libcurl4 liblmdb0 libsystemd0 libc6; do
    case ", $needs," in *", $name,"* | *", $name "*) ;; *) fail "tusfs does not depend on $name: $needs" ;; esac
done

dpkg-deb -x "$program" "$work/root"
for file in bin/tusfs bin/tusfsctl bin/tus-upload share/man/man1/tusfs.1.gz share/man/man7/tusfs-semantics.7.gz \
    share/doc/tusfs/copyright share/doc/tusfs/changelog.gz lib/systemd/system/tusfs@.service; do
    [ -s "$work/root/usr/$file" ] || fail "tusfs has no /usr/$file"
done
[ ! -e "$work/root/usr/include" ] || fail "tusfs has headers"
grep -q '^ExecStart=/usr/bin/tusfs ' "$work/root/usr/lib/systemd/system/tusfs@.service" ||
    fail "the unit does not name /usr/bin/tusfs"
readelf -SW "$work/root/usr/bin/tusfs" >"$work/sections"
! grep -q ' \.debug_' "$work/sections" || fail "tusfs is not stripped"
dpkg-deb -c "$symbols" >"$work/symbols"
grep -q '/usr/lib/debug/.build-id/' "$work/symbols" || fail "tusfs-dbgsym has no symbols"

dpkg-deb -x "$library" "$work/library"
[ -s "$work/library/usr/include/tusclient/client.h" ] || fail "libtusclient-dev has no headers"
[ ! -e "$work/library/usr/bin" ] || fail "libtusclient-dev has programs"

dpkg-deb -e "$program" "$work/control"
for script in postinst prerm postrm; do
    [ -x "$work/control/$script" ] || fail "no $script"
    sh -n "$work/control/$script" || fail "$script"
done

command -v lintian >/dev/null || { echo "lintian is not here: not asked"; exit 0; }
lintian --allow-root --fail-on error "$program" "$library" || fail "lintian"
