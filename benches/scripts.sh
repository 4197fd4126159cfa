#!/usr/bin/env bash
# CPU of scripts that do more than send requests, against nginx on this machine. `just bench-scripts`
#
#   benches/scripts.sh
#   ROUNDS=5 DURATION=10 CONNECTIONS=100 LOADGEN=target/release/loadgen benches/scripts.sh
#
# Needs nginx (Debian: apt-get install nginx-light). The scripts are in benches/scripts/: a plain request with a check, one heavy
# with JSON, one with strings and one with cryptography. Every round runs each in turn. What counts is user and system time of the
# whole process per iteration and per request: requests per second would depend on the server too. There is no target; the numbers
# are for comparison with other versions, and say what a script's own work costs next to a request.
set -euo pipefail
cd "$(dirname "$0")/.."
source benches/measure.sh

rounds=${ROUNDS:-3}
duration=${DURATION:-5}
connections=${CONNECTIONS:-20}
scripts=(plain json text crypto)

needs nginx-light nginx

begin
find_loadgen

# A catalogue of 150 articles, some 20 KB.
awk 'BEGIN {
    printf "{\"items\":["
    for (i = 1; i <= 150; i++)
        printf "%s{\"id\":%d,\"name\":\"item %d\",\"price\":%d.5,\"stock\":%d,\"tags\":[\"a%d\",\"b\",\"c\"],\"text\":\"%s\"}",
            (i > 1 ? "," : ""), i, i, i * 3, i % 9, i % 5, "words about an article, and some more"
    print "]}"
}' >"$work/catalog.json"
start_nginx "location = /catalog.json { default_type application/json; root $work; }"
url=http://127.0.0.1:$port/

# The count of a metric in the export of a run.
count() {
    awk -v metric="\"$1\"" 'index($0, metric) { found = 1 } found && /"count"/ { gsub(/[^0-9]/, ""); print; exit }' "$2"
}

# The number of checks that failed.
failed() {
    awk '/"checks": \{/ { found = 1 } found && /"fails"/ { gsub(/[^0-9]/, ""); print; exit }' "$1"
}

machine
echo "nginx with one worker on $url, $connections virtual users, $rounds rounds of $duration s"
for round in $(seq "$rounds"); do
    for script in "${scripts[@]}"; do
        export=$work/$script.json
        measure "$script" "$loadgen" run -u "$connections" -d "${duration}s" -q --metrics-addr 127.0.0.1:0 \
            --summary-export "$export" -e "TARGET=$url" "benches/scripts/$script.js"
        iterations=$(count iterations "$export")
        requests=$(count http_reqs "$export")
        if [[ ${iterations:-0} -eq 0 || $(failed "$export") != 0 ]]; then
            echo "$script: checks failed, so the numbers mean nothing:" >&2
            cat "$work/$script.out" "$work/$script.err" >&2
            exit 1
        fi
        echo "$round $script $iterations $requests $cpu_us $peak_kib" >>"$work/results"
    done
done

awk -v duration="$duration" "$median"'
    {
        if ($1 > rounds) rounds = $1
        each[$1, $2] = $5 / $3; request[$1, $2] = $5 / $4; rate[$1, $2] = $3 / duration
        if ($6 > peak[$2]) peak[$2] = $6
    }
    END {
        printf "\n%-8s  %18s  %16s  %14s  %10s\n", "script", "CPU us/iteration", "CPU us/request", "iterations/s", "peak MB"
        n = split("plain json text crypto", names, " ")
        for (i = 1; i <= n; i++) {
            name = names[i]
            for (r = 1; r <= rounds; r++) { a[r] = each[r, name]; b[r] = request[r, name]; c[r] = rate[r, name] }
            memory = peak[name] ? sprintf("%.1f", peak[name] * 1024 / 1e6) : "-"
            printf "%-8s  %18.1f  %16.1f  %14.0f  %10s\n", name, median(a, rounds), median(b, rounds), median(c, rounds), memory
        }
    }' "$work/results"
