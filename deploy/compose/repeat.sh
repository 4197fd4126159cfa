#!/bin/sh
# Runs loadgen again and again, so that whoever opens Grafana later sees a run that has ended and the next one coming.
#
#   repeat.sh PAUSE ARGUMENTS OF loadgen...     PAUSE in seconds
#   repeat.sh healthy
set -u
state=${REPEAT_STATE:-/tmp/state}

if [ "${1:-}" = healthy ]; then
    read -r last <"$state" || exit 1
    [ "$last" = well ]
    exit
fi

pause=$1
shift
child=
# A run that is told to stop ends gracefully, and its results are written.
stop() {
    trap '' TERM INT
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
    wait
    exit 0
}
trap stop TERM INT

echo well >"$state"
while :; do
    loadgen "$@" &
    child=$!
    wait "$child"
    code=$?
    case $code in
    # A threshold that failed (99) is what a spike is for. Anything else is a run that did not come about.
    0 | 99) echo well >"$state" ;;
    *) echo "exit code $code" >"$state" ;;
    esac
    echo "Ended with exit code $code. The next run begins in $pause s."
    sleep "$pause" &
    child=$!
    wait "$child"
done
