# Reads files for a sampler that sits elsewhere: one line of requests in, one line of answers out, nothing in between.
# Only what a POSIX shell has built in, so that a reading costs no process. Nothing is left when the input ends.
unalias -a
set +eu
LC_ALL=C
export LC_ALL
IFS=$(printf ' \t')
F=$(printf '\036') L=$(printf '\037') N='
'
# r FILE MOST LAST SKIP: at most so many lines (0: all), up to one that begins with LAST, without those that begin with SKIP.
r() {
    [ -r "$1" ] || { o=$o$F-; return; }
    o=$o$F+ i=$2 x=
    while read -r x || [ -n "$x" ]; do
        case $x in "$4"*) ;; *) o=$o$L$x ;; esac
        case $x in "$3"*) return ;; esac
        i=$((i - 1))
        [ $i = 0 ] && return
        x=
    done <"$1"
}
# b FILE: all of a file that answers its first read only, which no built-in makes large enough.
b() {
    if [ -r "$1" ]; then o=$o$F+$L$(cat "$1"); else o=$o$F-; fi
}
# n FOLDER: how many names are in it; - if that may not be seen.
n() {
    set +f
    set -- "$1"/*
    set -f
    [ -e "$1" ] || [ -h "$1" ] && o=$o$F+$L$# || o=$o$F-
}
# x COMMAND: what it prints.
x() {
    o=$o$F+ s=$IFS IFS=$N
    for x in $(set +f; IFS=$s; eval "$1" 2>/dev/null </dev/null); do o=$o$L$x; done
    IFS=$s
}
set -f
printf '\n%s%s\n' '@loadgen-' 'sampler'
while read -r k q; do
    o=
    case $q in
    'x '*) x "${q#x }" ;;
    *)
        set -- $q
        while [ $# -gt 0 ]; do
            case $1 in
            r) r "$2" "$3" "$4" "$5"; shift 5 ;;
            b) b "$2"; shift 2 ;;
            n) n "$2"; shift 2 ;;
            *) shift ;;
            esac
        done 2>/dev/null
        ;;
    esac
    printf '%s\n' "@$k$o"
done
