# What holds of every source: includes go one way, from a room to those that it may use; files stay short; the
# formatting is clang-format's.
# usage: sources_test.sh SOURCE_DIRECTORY
set -eu
cd "$1"
status=0
complain() {
    echo "$*"
    status=1
}

# As fs/README.md, "Rooms", has it.
may_use() {
    case $1 in
        base) echo base ;;
        content | mhl | spool | catalog) echo "base $1" ;;
        proof) echo "base catalog proof" ;;
        uploader) echo "base spool catalog uploader" ;;
        filesystem) echo "base content spool catalog uploader filesystem" ;;
        fleet) echo "base spool uploader filesystem fleet" ;;
        hooks) echo "base catalog uploader hooks" ;;
        control) echo "base mhl spool catalog proof uploader hooks filesystem fleet control" ;;
        metrics) echo "base filesystem control metrics" ;;
        options) echo "base spool uploader hooks filesystem options" ;;
        fuse) echo "base filesystem fuse" ;;
        import) echo "base import" ;;
        keeper) echo "base control fuse keeper" ;;
        program) echo "base content spool catalog proof uploader filesystem control metrics hooks fleet options fuse import keeper program" ;;
        *) complain "fs/$1 is no room that this test knows" ;;
    esac
}
for room in fs/*/; do
    room=$(basename "$room")
    allowed=" $(may_use "$room") "
    for used in $(grep -hoE '^#include "[a-z_]+/' "fs/$room"/*.cc "fs/$room"/*.h | sed 's/.*"//; s#/##' | sort -u); do
        case $allowed in
            *" $used "*) ;;
            *) complain "fs/$room may not use $used: $(grep -lE "^#include \"$used/" "fs/$room"/* | tr '\n' ' ')" ;;
        esac
    done
done
for file in $(grep -rlE '#include [<"](fuse|lmdb|CLI|nlohmann|toml)' tusclient/src tusclient/include || true); do
    complain "$file: the library alone includes what is the mount's"
done

# What is read from the catalog was assigned there.
if grep -rnE --include='*.cc' --include='*.h' '(->|\.)(content|phase) = ' fs | grep -vE '^fs/catalog/life\.cc:|= ReadEnum<'; then
    complain "only fs/catalog/life.cc assigns the state of a file or of an upload"
fi

# What is uploaded has a proof (fs/catalog/proofs.h).
if grep -rnE --include='*.cc' ' MarkUploaded\(' fs | grep -vE '^fs/(catalog/(kept|proofs)|filesystem/rebuild)\.cc:'; then
    complain "only fs/catalog/proofs.cc makes files uploaded, and whoever rebuilds a catalog"
fi

sources=$(find fs tusclient tests -name '*.cc' -o -name '*.h' | grep -v '/corpus/')
for file in $sources; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 600 ] || complain "$file has $lines lines: 600 are the most"
done

# Other versions format otherwise.
clang_format=$(command -v clang-format-14 || true)
if [ -z "$clang_format" ]; then
    echo "SKIPPED: the formatting: there is no clang-format-14"
    [ $status != 0 ] || status=77
else
    # shellcheck disable=SC2086 # a list of files
    "$clang_format" --dry-run -Werror $sources 2>&1 | grep -E 'error:' | head -20 >"${TMPDIR:-/tmp}/format.$$" || true
    [ ! -s "${TMPDIR:-/tmp}/format.$$" ] || complain "not as clang-format-14 has it: $(cat "${TMPDIR:-/tmp}/format.$$")"
    rm -f "${TMPDIR:-/tmp}/format.$$"
fi
exit $status
