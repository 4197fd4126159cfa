#!/usr/bin/env bash
# What idle virtual users cost: peak memory, and the time until all of them are ready. `just bench-memory`
#
#   benches/memory.sh
#   DURATION=30 LOADGEN=target/release/loadgen benches/memory.sh
#
# 1000 and then 5000 virtual users sleep a second at a time. They are ready when `setup()` is called, which the dialect
# does once every virtual user is initialised; the time counts from the start of the process. Exits 1 past a target.
set -euo pipefail
cd "$(dirname "$0")/.."
source benches/measure.sh

duration=${DURATION:-10}
# VUs, MB at the most, milliseconds to be ready at the most (- = no target)
targets=("1000 220 1000" "5000 1050 -")

begin
find_loadgen

cat >"$work/sleep.js" <<'JS'
import { sleep } from 'k6';
export function setup() {
  console.log(`ready ${Date.now()}`);
}
export default function () {
  sleep(1);
}
JS

machine
printf '%8s  %10s  %10s  %10s  %12s\n' VUs 'peak MB' 'target MB' 'KB per VU' 'ready in ms'
missed=0
for target in "${targets[@]}"; do
    read -r vus most_mb most_ms <<<"$target"
    began=$(date +%s%3N)
    measure "vus-$vus" "$loadgen" run -q -u "$vus" -d "${duration}s" --metrics-addr 127.0.0.1:0 "$work/sleep.js"
    ready=$(sed -n 's/.*ready \([0-9]\{13\}\).*/\1/p' "$work/vus-$vus.err" "$work/vus-$vus.out" | head -n 1)
    ready_ms=$((ready - began))
    mb=$((peak_kib * 1024 / 1000000))
    printf '%8d  %10d  %10d  %10d  %12d\n' "$vus" "$mb" "$most_mb" $((peak_kib * 1024 / 1000 / vus)) "$ready_ms"
    if ((mb > most_mb)); then missed=1; fi
    if [[ $most_ms != - ]] && ((ready_ms > most_ms)); then missed=1; fi
done
if ((missed)); then echo 'a target was missed' >&2; fi
exit "$missed"
