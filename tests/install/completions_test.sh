# Holds the completions of tusfsctl against its --help: the commands, and the options of each. bash is asked as it asks;
# zsh and fish are, where they are here, and their files are read anyway.
# usage: completions_test.sh TUSFSCTL COMPLETIONS_DIRECTORY
set -eu
tusfsctl=$1
files=$2
status=0

# same NAME EXPECTED GOT: both are words, in any order
same() {
    expected=$(printf '%s\n' $2 | sort -u)
    got=$(printf '%s\n' $3 | sort -u)
    [ "$expected" = "$got" ] || { echo "$1: --help has: $(echo $expected); completed are: $(echo $got)"; status=1; }
}
commands=$("$tusfsctl" --help | sed -n '/^Subcommands:/,$s/^  \([a-z][a-z-]*\) .*/\1/p')
[ "$commands" ] || { echo "no commands in the help"; exit 1; }
options_of() { "$tusfsctl" "$1" --help | grep -oE '^  (-[a-z],)?--[a-z][a-z-]+' | grep -oE -- '--[a-z-]+'; }

# in_bash WORD…: what is completed of the last one
in_bash() {
    bash -c '
        source "$1"
        shift
        compopt() { :; }
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _tusfsctl
        printf "%s\n" "${COMPREPLY[@]}"' in_bash "$files/tusfsctl.bash" "$@"
}
in_zsh() { sed -n "/^        $1)\$/,/;;/p" "$files/_tusfsctl" | grep -oE "'--[a-z-]+" | tr -d "'"; }
in_fish() {
    echo --help
    sed -n "s/.*seen_subcommand_from $1' -l \\([a-z-]*\\).*/--\\1/p" "$files/tusfsctl.fish"
}

same "bash: commands" "$commands --help --version" "$(in_bash tusfsctl '')"
same "zsh: commands" "$commands" "$(sed -n "s/^        '\\([a-z-]*\\):.*/\\1/p" "$files/_tusfsctl")"
same "fish: commands" "$commands" "$(sed -n 's/.*use_subcommand -a \([a-z-]*\) .*/\1/p' "$files/tusfsctl.fish")"
for command in $commands; do
    options=$(options_of "$command")
    same "bash: $command" "$options" "$(in_bash tusfsctl "$command" -)"
    same "zsh: $command" "$options" "$(in_zsh "$command")"
    same "fish: $command" "$options" "$(in_fish "$command")"
done
same "bash: levels" "debug info warn error" "$(in_bash tusfsctl log-level '')"
same "bash: a beginning" "publish" "$(in_bash tusfsctl publi)"
same "bash: the rest of a file" "take" "$(in_bash tusfsctl publish --rest t)"

for shell in zsh fish; do
    file=$files/tusfsctl.fish
    [ $shell = fish ] || file=$files/_tusfsctl
    if command -v $shell >/dev/null; then
        $shell -n "$file" || { echo "$shell does not take its file"; status=1; }
    else
        echo "not tried in $shell itself, which is not here"
    fi
done
exit $status
