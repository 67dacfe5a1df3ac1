# Every test that tusfs-semantics(7) names is there.
# usage: semantics_test.sh MANUAL TESTS-DIRECTORY
set -eu
declared=$(
    grep -rhoE '^TEST(_F|_P)?\([A-Za-z]+, [A-Za-z0-9]+' "$2" | sed 's/^TEST[_FP]*(//; s/, /./'
    grep -rhoE --include=CMakeLists.txt 'NAME [A-Za-z]+\.[A-Za-z0-9]+' "$2" | sed 's/^NAME //'
)
suites=$(printf '%s\n' "$declared" | sed 's/\..*//' | sort -u)
# The last column of each row: names separated by commas, on the lines that end a row.
named=$(awk '/^[|]/ { if (last != "") print last; last = "" } /^:  / { last = substr($0, 4) } END { print last }' "$1" |
    tr ',' '\n' | tr -d ' ')
status=0
for name in $named; do
    case $name in
        *.*) printf '%s\n' "$declared" | grep -qxF -- "$name" ;;
        *) printf '%s\n' "$suites" | grep -qxF -- "$name" ;;
    esac || { echo "no such test: $name"; status=1; }
done
[ -n "$named" ] || status=1
exit $status
