# Completion of tusfsctl for bash. tests/install/completions_test.sh holds it against --help.
_tusfsctl() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local commands="status watch metrics page list mounts wait publish retry accept prioritize discard pause resume limit log-level drain umount restart reload doctor report-bug report verify mhl fleet rescue"
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$word")
        return
    fi
    local options=
    case ${COMP_WORDS[1]} in
        status) options="--json --all --check --max-age --help" ;;
        watch) options="--help" ;;
        metrics) options="--file --help" ;;
        page) options="--help" ;;
        list) options="--json --urls --stuck --help" ;;
        mounts) options="--json --help" ;;
        wait) options="--timeout --strict --help" ;;
        publish) options="--json --rest --help" ;;
        retry) options="--json --help" ;;
        accept) options="--json --help" ;;
        prioritize) options="--json --normal --help" ;;
        discard) options="--json --help" ;;
        pause) options="--help" ;;
        resume) options="--help" ;;
        limit) options="--help" ;;
        log-level) options="--help" ;;
        drain) options="--timeout --help" ;;
        umount) options="--drain --timeout --help" ;;
        restart) options="--help" ;;
        reload) options="--keeper --help" ;;
        doctor) options="--json --help" ;;
        report-bug) options="--with-names --help" ;;
        report) options="--since --until --state --missing --totals --csv --json --state-dir --help" ;;
        verify) options="--json --map --mhl --receipt --jobs --strict --state-dir --help" ;;
        mhl) options="--hash --read --out --state-dir --help" ;;
        fleet) options="--html --json --help" ;;
        rescue) options="--json --help" ;;
    esac
    # What stands behind an option, or is a word of its own.
    local words=
    case $before in
        --timeout | --max-age | --keeper | --since | --until | --map | --jobs) return ;;
        --hash) words="xxh64 xxh3 xxh128 md5 sha1 c4" ;;
        --state) words="uploaded accepted unconfirmed refused discarded dropped removed" ;;
        --rest) words="take drop" ;;
    esac
    case $COMP_CWORD:${COMP_WORDS[1]} in
        2:log-level) words="debug info warn error" ;;
        2:limit) words="none" ;;
    esac
    if [[ $word == -* ]]; then
        words=$options
    elif [ -z "$words" ]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _tusfsctl tusfsctl
