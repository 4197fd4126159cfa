# Sourced by the benchmarks next to it. `measure` needs nothing but bash, and knows peak memory where there is a /proc.

# measure NAME COMMAND…: runs COMMAND and sets
#   cpu_us   user and system time of the whole process, in microseconds
#   peak_kib the largest resident set that was seen in tenths of a second, in KiB; 0 if there is no /proc
# What it printed is in $work/NAME.out and $work/NAME.err. Fails as the command fails.
measure() {
    local name=$1 pid watcher status=0
    shift
    rm -f "$work/$name.pid"
    : >"$work/$name.peak"
    watch_memory "$name" &
    watcher=$!
    # The time of the subshell's children is that of the command alone: `sh` becomes it. The watcher is not one of them.
    (
        TIMEFORMAT='%3U %3S'
        time sh -c 'echo $$ >"$0"; exec "$@"' "$work/$name.pid" "$@" >"$work/$name.out" 2>"$work/$name.err"
    ) 2>"$work/$name.cpu" || status=$?
    wait "$watcher" || true
    if ((status)); then
        echo "$name ended with status $status:" >&2
        tail -n 5 "$work/$name.err" "$work/$name.out" >&2
        return "$status"
    fi
    cpu_us=$(awk 'END { printf "%d", ($1 + $2) * 1000000 }' "$work/$name.cpu")
    peak_kib=$(sort -n "$work/$name.peak" | tail -n 1)
    peak_kib=${peak_kib:-0}
}

# Notes the peak resident set of the process whose number appears in $work/NAME.pid, until it has ended.
watch_memory() {
    local name=$1 pid
    until [[ -s $work/$name.pid ]]; do sleep 0.02; done
    read -r pid <"$work/$name.pid"
    while kill -0 "$pid" 2>/dev/null; do
        awk '/^VmHWM:/ { print $2 }' "/proc/$pid/status" >>"$work/$name.peak" 2>/dev/null || true
        sleep 0.1
    done
}

# begin: a folder, $work, that others can read too, and a server, $server, both gone at the end, after what at_end does.
begin() {
    work=$(mktemp -d)
    chmod 755 "$work"
    server=
    trap finish EXIT
}
finish() {
    at_end
    if [[ -n $server ]]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
}
at_end() { :; }

# needs PACKAGES COMMAND…: ends if one of the commands is not there, and says which of Debian's packages bring them.
needs() {
    local packages=$1 command
    for command in "${@:2}"; do
        if ! command -v "$command" >/dev/null; then
            echo "missing: $command. On Debian, as root: apt-get install $packages" >&2
            exit 1
        fi
    done
}

# A function of awk for the tables.
median='
    function median(list, n,    i, j, t) {
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && list[j - 1] > list[j]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
        return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    }
'

# The program under measurement: $LOADGEN, or a release build of this tree.
find_loadgen() {
    if [[ -n ${LOADGEN:-} ]]; then
        loadgen=$LOADGEN
    else
        cargo build --release --locked
        loadgen=${CARGO_TARGET_DIR:-target}/release/loadgen
    fi
    "$loadgen" --version >/dev/null
}

# The machine, in one line.
machine() {
    local model=unknown
    [[ -r /proc/cpuinfo ]] && model=$(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)
    echo "$(uname -sm), $(getconf _NPROCESSORS_ONLN) cores, $model"
}

# Whether something listens on port $1 of this machine.
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# start_nginx [LOCATION]: a server that costs little and answers the same small body to everything, and what LOCATION adds
# (more of nginx's configuration). Sets port and server, its process.
start_nginx() {
    local attempt
    for attempt in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 10000))
        answers "$port" && continue
        cat >"$work/nginx.conf" <<NGINX
daemon off;
worker_processes 1;
pid $work/nginx.pid;
error_log $work/nginx.log;
events { worker_connections 8192; }
http {
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    client_max_body_size 16m;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    server {
        listen 127.0.0.1:$port reuseport backlog=8192;
        location / { default_type text/plain; return 200 "ok"; }
        ${1:-}
    }
}
NGINX
        nginx -p "$work" -e "$work/nginx.log" -c "$work/nginx.conf" &
        server=$!
        for _ in {1..100}; do
            if answers "$port"; then return; fi
            kill -0 "$server" 2>/dev/null || break
            sleep 0.05
        done
        kill "$server" 2>/dev/null || true
        server=
    done
    echo 'nginx does not start:' >&2
    cat "$work/nginx.log" >&2
    exit 1
}
