#!/bin/sh
# What a pod does: its part of the test, saved where all results go.
set -eu
segment=$(sh "${0%/*}/segment.sh")
results=${RESULTS:-/results}
mkdir -p "$results"
code=0
# shellcheck disable=SC2086 # Arguments are split at blanks.
loadgen run \
    --execution-segment "$segment" \
    --start-at "${START_AT:?says when all generators begin}" \
    --metrics-addr 0.0.0.0:9464 \
    --env "BASE_URL=${BASE_URL:?is the target}" \
    --save "$results/$JOB_COMPLETION_INDEX.json.gz" \
    ${LOADGEN_ARGUMENTS:-} \
    "${0%/*}/test.js" || code=$?
# Thresholds are judged on the sum of all parts, by `loadgen merge`: that of one part fails no pod.
if [ "$code" -eq 99 ]; then
    code=0
fi
exit "$code"
