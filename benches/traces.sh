#!/usr/bin/env bash
# Client CPU per request with traces and without, scraped and not, against nginx on this machine. `just bench-traces`
#
#   benches/traces.sh
#   ROUNDS=9 DURATION=10 CONNECTIONS=100 LOADGEN=target/release/loadgen BEFORE=loadgen-of-another-commit benches/traces.sh
#   OTLP=http://127.0.0.1:4317 benches/traces.sh
#
# Needs nginx (Debian: apt-get install nginx-light), which is also the collector: over HTTP it takes any spans. OTLP names
# another one. Every round runs each in turn for the same time. What counts is user and system time of the whole process, the
# exporter's thread included. Whatever else the machine does only adds to it, so the ratio is of the least of all rounds to the least
# of `off`; the median shows how quiet the machine was. Exits 1 if a ratio is past a target:
#
#   before  BEFORE, a program without traces: off must be at most 1.05 of it, so it at least 0.952 of off
#   header  --traceparent                                             no target
#   some    --otlp, ratio 0.01                                        1.10
#   most    --otlp, ratio 1 and the usual limit                       1.60
#   all     --otlp, ratio 1 without a limit: two spans a request      no target
#   scraped off, and /metrics is read every second                    1.02
set -euo pipefail
cd "$(dirname "$0")/.."
source benches/measure.sh

rounds=${ROUNDS:-5}
duration=${DURATION:-5}
connections=${CONNECTIONS:-50}
kinds=(off header some most all scraped)
[[ -n ${BEFORE:-} ]] && kinds=(before "${kinds[@]}")

needs nginx-light nginx

begin
scraper=
at_end() {
    [[ -z $scraper ]] || kill "$scraper" 2>/dev/null || true
}
find_loadgen

# Reads the page every second, in the format that the shipped Prometheus asks for: with native histograms, protobuf.
proto=application/vnd.google.protobuf
scrape() {
    local accept="$proto;proto=io.prometheus.client.MetricFamily;encoding=delimited"
    accept+=',application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
    while sleep 1; do
        {
            exec 3<>"/dev/tcp/127.0.0.1/$1"
            printf 'GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: %s\r\nConnection: close\r\n\r\n' "$accept" >&3
            cat <&3
            exec 3>&-
        } 2>/dev/null || true
    done
}

# A port for /metrics that nobody listens on.
free_port() {
    local port
    for _ in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 10000))
        answers "$port" || break
    done
    echo "$port"
}

start_nginx 'location = /v1/traces { default_type application/x-protobuf; return 200 ""; }'
url=http://127.0.0.1:$port/
otlp=${OTLP:-http://127.0.0.1:$port}

fail() {
    echo "$1: not every request was answered, or a span was lost, so the numbers mean nothing:" >&2
    cat "$work/$1.out" "$work/$1.err" >&2
    exit 1
}

# Runs one kind and leaves CPU and memory where `measure` does, and the requests in `requests`.
run() {
    local name=$1 program=$loadgen export=$work/$1.json flags=() metrics
    metrics=$(free_port)
    case $name in
        before) program=$BEFORE ;;
        off) ;;
        header) flags=(--traceparent) ;;
        some) flags=("--otlp=$otlp" --trace-sample 0.01) ;;
        most) flags=("--otlp=$otlp") ;;
        all) flags=("--otlp=$otlp" --trace-limit 0) ;;
        scraped)
            scrape "$metrics" >"$work/pages" &
            scraper=$!
            ;;
    esac
    measure "$name" "$program" hit "$url" -u "$connections" -d "${duration}s" -q \
        --metrics-addr "127.0.0.1:$metrics" --summary-export "$export" "${flags[@]}"
    if [[ -n $scraper ]]; then
        kill "$scraper"
        wait "$scraper" 2>/dev/null || true
        scraper=
        # The end waits for one more.
        (($(grep -aoi "content-type: $proto" "$work/pages" | wc -l) >= duration - 1)) || fail "$name"
    fi
    requests=$(awk '/"http_reqs"/ { found = 1 } found && /"count"/ { gsub(/[^0-9]/, ""); print; exit }' "$export")
    awk '/"http_req_failed"/ { found = 1 } found && /"value"/ { gsub(/[^0-9.]/, ""); exit !($0 == 0) }' "$export" ||
        fail "$name"
    ! grep -q 'traces:' "$work/$name.err" || fail "$name"
    ((${requests:-0} > 0)) || fail "$name"
}

machine
echo "nginx with one worker on $url, spans to $otlp, $connections connections, $rounds rounds of $duration s"
for round in $(seq "$rounds"); do
    for kind in "${kinds[@]}"; do
        run "$kind"
        echo "$round $kind $requests $cpu_us $peak_kib" >>"$work/results"
    done
    awk -v round="$round" '
        $1 == round { names[++n] = $2; cost[$2] = $4 / $3 }
        END {
            printf "round %d:", round
            for (i = 1; i <= n; i++) printf "  %s %.2f us (%.2f)", names[i], cost[names[i]], cost[names[i]] / cost["off"]
            print ""
        }' "$work/results"
done

awk -v duration="$duration" "$median"'
    {
        if ($1 > rounds) rounds = $1
        if (!($2 in peak)) names[++n] = $2
        cost[$1, $2] = $4 / $3; rate[$1, $2] = $3 / duration
        if ($5 >= peak[$2]) peak[$2] = $5
    }
    END {
        most["some"] = 1.1; most["most"] = 1.6; most["scraped"] = 1.02
        for (i = 1; i <= n; i++)
            for (r = 1; r <= rounds; r++)
                if (!(names[i] in least) || cost[r, names[i]] < least[names[i]]) least[names[i]] = cost[r, names[i]]
        printf "\n%-8s  %12s  %8s  %8s  %8s  %12s  %10s\n", "traces", "CPU us/req", "median", "to off", "target", "requests/s", "peak MB"
        for (i = 1; i <= n; i++) {
            name = names[i]
            for (r = 1; r <= rounds; r++) { a[r] = cost[r, name]; c[r] = rate[r, name] }
            ratio = least[name] / least["off"]
            target = name in most ? sprintf("<= %.2f", most[name]) : name == "before" ? sprintf(">= %.3f", 1 / 1.05) : "-"
            memory = peak[name] ? sprintf("%.1f", peak[name] * 1024 / 1e6) : "-"
            printf "%-8s  %12.2f  %8.2f  %8.2f  %8s  %12.0f  %10s\n", name, least[name], median(a, rounds), ratio, target, median(c, rounds), memory
            if (name in most && ratio > most[name]) missed = 1
            if (name == "before" && 1 / ratio > 1.05) missed = 1
        }
        if (missed) print "a target was missed" > "/dev/stderr"
        exit missed
    }' "$work/results"
