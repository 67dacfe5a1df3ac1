# What the documents of the tree name is there: links, files and folders, functions, tests, sections. And no source
# names a document, or a section of one, that is not.
# usage: documents_test.sh SOURCE_DIRECTORY
set -euf
cd "$1"
documents="README.md CONTRIBUTING.md fs/README.md tusclient/README.md"
status=0
complain() {
    echo "$*"
    status=1
}
# there DOCUMENT PATH: beside the document, or from the root of the tree on
there() { [ -e "$(dirname "$1")/$2" ] || [ -e "$2" ]; }

sources=$(find CMakeLists.txt CHANGELOG.md fs tusclient tests man systemd -type f \
    ! -path 'tests/fuzz/corpus/*' ! -path tests/install/documents_test.sh \
    \( -name '*.cc' -o -name '*.h' -o -name '*.sh' -o -name '*.txt' -o -name '*.scd' -o -name '*.md' \
    -o -name '*.in' -o -name '*.py' -o -name '*.mjs' \))
declared=$(
    grep -rhoE '^TEST(_F|_P)?\([A-Za-z0-9]+, [A-Za-z0-9]+' tests | sed 's/^TEST[_FP]*(//; s/, /./'
    grep -rhoE --include=CMakeLists.txt 'NAME [A-Za-z]+\.[A-Za-z0-9]+' tests | sed 's/^NAME //'
    sed -n 's/^tusfs_add_server_test(\([A-Za-z0-9]*\) .*/Arrives.At\1/p' tests/servers/CMakeLists.txt
)
suites=$(printf '%s\n' "$declared" | sed 's/\..*//' | sort -u)
# is_test NAME: a test, or a suite of tests
is_test() {
    case $1 in
        *.*) printf '%s\n' "$declared" | grep -qxF -- "$1" ;;
        *) printf '%s\n' "$suites" | grep -qxF -- "$1" ;;
    esac
}

for document in $documents; do
    [ -s "$document" ] || complain "there is no $document"
    for link in $(grep -oE '\]\([^)]+\)' "$document" | sed 's/^](//; s/)$//; s/#.*//'); do
        case $link in *://*) continue ;; esac
        [ -e "$(dirname "$document")/$link" ] || complain "$document: a link leads nowhere: $link"
    done
    # In backquotes, with a slash; what a build makes is not in the tree.
    for word in $(grep -oE '`[^`]+`' "$document" | tr -d '`'); do
        case $word in
            *://* | /* | -* | build/*) ;;
            */*) there "$document" "$word" || complain "$document: there is no $word" ;;
        esac
    done
    # `NAME` in `FILE`
    for pair in $(grep -oE '`[A-Za-z_]+` in `[^`]+`' "$document" | sed 's/^`\(.*\)` in `\(.*\)`$/\1:\2/'); do
        file=${pair#*:}
        [ ! -e "$(dirname "$document")/$file" ] || file=$(dirname "$document")/$file
        [ ! -f "$file" ] || grep -qw -- "${pair%%:*}" "$file" || complain "$document: there is no ${pair%%:*} in $file"
    done
    # TYPE::MEMBER, wherever it stands
    for name in $(grep -oE '\b[A-Z][A-Za-z]+::[A-Za-z_]+' "$document" | sort -u); do
        headers=$(grep -rlE --include='*.h' "(class|struct) .*\b${name%%::*}\b" fs tusclient || true)
        [ "$headers" ] && grep -qw -- "${name##*::}" $headers || complain "$document: there is no $name"
    done
    for name in $(grep -oE '\b[A-Z][A-Za-z0-9]+\.[A-Z][A-Za-z0-9]+\b' "$document" | grep '[a-z]' | sort -u); do
        is_test "$name" || complain "$document: no such test: $name"
    done
    # Each row of a table whose last column is "Shown by" names tests there.
    rows=$(awk -F ' *[|] *' '
        !/^[|]/ { shown = 0; next }
        $(NF - 1) == "Shown by" { shown = 1; next }
        shown && !/^[|]-/ { gsub(/[ `]/, "", $(NF - 1)); print FNR ":" ($(NF - 1) == "" ? "nothing" : $(NF - 1)) }
        ' "$document")
    for row in $rows; do
        for name in $(printf '%s\n' "${row#*:}" | tr ',' ' '); do
            is_test "$name" || complain "$document:${row%%:*}: no such test: $name"
        done
    done
done

# Text of FILE… in one line, without the marks of comments.
in_one_line() { sed -E 's,^ *(//+|#) ?,,; s/[`*]//g' "$@" | tr -s '\n ' '  '; }

old=$(grep -nE 'DESIGN|§' $sources $documents | head -n 20 || true)
[ -z "$old" ] || complain "a document that is not in the tree is named: $old"
for source in $(grep -lE '\.md\b' $sources); do
    for name in $(grep -ohE '[A-Za-z0-9_/.-]+\.md\b' "$source" | sort -u); do
        there "$source" "$name" || complain "$source: there is no $name"
    done
done
# DOCUMENT, "SECTION" and PAGE(N), "SECTION"
cited=$(in_one_line $sources $documents | grep -oE '([a-z/]*README\.md|tus[a-z-]*\([0-9]\)), "[^"]+"' | sort -u | tr ' ' '~')
for cite in $cited; do
    section=$(printf '%s\n' "${cite#*,~}" | tr '~' ' ' | tr -d '"')
    document=${cite%%,*}
    case $document in *\)) document=man/$(printf '%s' "$document" | sed 's/(\(.\))/.\1.scd/') ;; esac
    [ -e "$document" ] && grep -qxE -- "#+ $section" "$document" || complain "there is no section \"$section\" in $document"
done
for page in $(in_one_line $sources $documents | grep -oE '\btus[a-z-]*\([0-9]\)' | sort -u); do
    [ -e "man/$(printf '%s' "$page" | sed 's/(\(.\))/.\1.scd/')" ] || complain "there is no manual page $page"
done
exit $status
