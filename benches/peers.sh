#!/usr/bin/env bash
# Client CPU per request next to other load generators, against nginx on this machine. `just bench-peers`
#
#   benches/peers.sh
#   ROUNDS=9 DURATION=10 CONNECTIONS=100 LOADGEN=target/release/loadgen benches/peers.sh
#
# Needs nginx and wrk (Debian: apt-get install nginx-light wrk); installs oha with cargo if it is missing. Every round runs
# each client in turn for the same time over the same number of connections, all with their default threads. What counts is
# user and system time of the client's whole process, divided by the requests it reports: unlike requests per second, it
# does not depend on how fast the server is. Exits 1 if the median ratio to oha is past a target:
#
#   hit     loadgen hit URL                                     1.0
#   script  loadgen run, http.get and one check per iteration   1.6
#
# Both with every metric recorded and /metrics served. The ratio of a round is to oha in that round.
set -euo pipefail
cd "$(dirname "$0")/.."
source benches/measure.sh

rounds=${ROUNDS:-5}
duration=${DURATION:-5}
connections=${CONNECTIONS:-50}
clients=(hit script oha wrk)

needs "nginx-light wrk" nginx wrk
command -v oha >/dev/null || cargo install --locked oha

begin
find_loadgen

start_nginx
url=http://127.0.0.1:$port/

cat >"$work/script.js" <<'JS'
import http from 'k6/http';
import { check } from 'k6';
export default function () {
  const response = http.get(__ENV.TARGET);
  check(response, { 'status is 200': (r) => r.status === 200 });
}
JS

# Runs one client and leaves CPU and memory where `measure` does, and the requests in `requests`.
run() {
    local name=$1 export=$work/$1.json
    local ours=(-u "$connections" -d "${duration}s" -q --metrics-addr 127.0.0.1:0 --summary-export "$export")
    case $name in
        hit) measure hit "$loadgen" hit "$url" "${ours[@]}" ;;
        script) measure script "$loadgen" run "${ours[@]}" -e "TARGET=$url" "$work/script.js" ;;
        oha) measure oha oha -c "$connections" -z "${duration}s" --no-tui "$url" ;;
        wrk) measure wrk wrk -c "$connections" -t 2 -d "${duration}s" "$url" ;;
    esac
    case $name in
        # In the export `value` of a rate is the share of failed requests.
        hit | script)
            requests=$(awk '/"http_reqs"/ { found = 1 } found && /"count"/ { gsub(/[^0-9]/, ""); print; exit }' "$export")
            awk '/"http_req_failed"/ { found = 1 } found && /"value"/ { gsub(/[^0-9.]/, ""); exit !($0 == 0) }' "$export" ||
                fail "$name"
            ;;
        oha)
            requests=$(sed -n 's/.*\[200\] \([0-9]*\) responses.*/\1/p' "$work/oha.out")
            ;;
        wrk)
            requests=$(awk '/ requests in / { print $1 }' "$work/wrk.out")
            ! grep -q 'Socket errors\|Non-2xx' "$work/wrk.out" || fail wrk
            ;;
    esac
    ((${requests:-0} > 0)) || fail "$name"
}

fail() {
    echo "$1: not every request was answered, so the numbers mean nothing:" >&2
    cat "$work/$1.out" "$work/$1.err" >&2
    exit 1
}

machine
echo "nginx with one worker on $url, $connections connections, $rounds rounds of $duration s"
for round in $(seq "$rounds"); do
    for client in "${clients[@]}"; do
        run "$client"
        echo "$round $client $requests $cpu_us $peak_kib" >>"$work/results"
    done
    # The round's line, as soon as it is known.
    awk -v round="$round" -v duration="$duration" '
        $1 == round { cost[$2] = $4 / $3; rate[$2] = $3 / duration }
        END {
            printf "round %d:", round
            n = split("hit script oha wrk", names, " ")
            for (i = 1; i <= n; i++)
                printf "  %s %.2f us (%.2f, %.0f/s)", names[i], cost[names[i]], cost[names[i]] / cost["oha"], rate[names[i]]
            print ""
        }' "$work/results"
done

awk -v duration="$duration" "$median"'
    { if ($1 > rounds) rounds = $1; cost[$1, $2] = $4 / $3; rate[$1, $2] = $3 / duration; if ($5 > peak[$2]) peak[$2] = $5 }
    END {
        most["hit"] = 1.0; most["script"] = 1.6
        printf "\n%-8s  %12s  %8s  %8s  %12s  %10s\n", "client", "CPU us/req", "to oha", "target", "requests/s", "peak MB"
        n = split("hit script oha wrk", names, " ")
        for (i = 1; i <= n; i++) {
            name = names[i]
            for (r = 1; r <= rounds; r++) { a[r] = cost[r, name]; b[r] = cost[r, name] / cost[r, "oha"]; c[r] = rate[r, name] }
            ratio = median(b, rounds)
            target = name in most ? sprintf("%.1f", most[name]) : "-"
            memory = peak[name] ? sprintf("%.1f", peak[name] * 1024 / 1e6) : "-"
            printf "%-8s  %12.2f  %8.2f  %8s  %12.0f  %10s\n", name, median(a, rounds), ratio, target, median(c, rounds), memory
            if (name in most && ratio > most[name]) missed = 1
        }
        if (missed) print "a target was missed" > "/dev/stderr"
        exit missed
    }' "$work/results"
