#!/bin/sh
# The part of the test that this pod runs: number JOB_COMPLETION_INDEX, from 0, of GENERATORS equal ones.
set -eu
index=${JOB_COMPLETION_INDEX:?is set by an Indexed Job, from 0}
count=${GENERATORS:?says how many generators there are, as completions of the Job do}
for number in "$index" "$count"; do
    case $number in
    '' | *[!0-9]*)
        echo "JOB_COMPLETION_INDEX=$index, GENERATORS=$count: these must be whole numbers" >&2
        exit 104
        ;;
    esac
done
if [ "$index" -ge "$count" ]; then
    echo "JOB_COMPLETION_INDEX=$index is not one of $count generators: GENERATORS must be the Job's completions" >&2
    exit 104
fi
echo "$index/$count:$((index + 1))/$count"
