#!/usr/bin/env bash
# Brings docker-compose.yml up for real on a machine that no registry can be reached from, and tears it down again.
#
# Images that would be pulled are made here: debian with debootstrap, rust from that and this machine's toolchain,
# Prometheus and Alertmanager from Debian's packages. Grafana and Tempo are left out: Debian has neither. The images of
# loadgen are built by the Dockerfile as it is, and docker-compose.yml is used as it is but for what Debian's Prometheus,
# which is an old one, does not know. Then a test asks Prometheus what the spike dashboard would ask.
#
#   stand-in.sh           on Debian, as root
#   stand-in.sh --keep    leaves everything running, and says how to look at it and how to end it
#
# LOADGEN_STAND_IN is the folder for images and Docker's data, some 5 GB: kept, so that a second time takes a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."
keep=${1:-}
folder=${LOADGEN_STAND_IN:-/var/tmp/loadgen-stand-in}
suite=bookworm
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
mkdir -p "$folder"

say() { printf '== %s\n' "$*"; }

if [[ $(id -u) -ne 0 ]]; then
    echo "stand-in.sh: run it as root: it installs packages, and starts a Docker daemon" >&2
    exit 1
fi
missing=()
for package in docker.io docker-compose debootstrap iptables; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
if ((${#missing[@]})); then
    say "installing ${missing[*]}"
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

# A daemon of our own, whatever else runs here, with nothing in common with it but the bridges of the kernel.
export DOCKER_HOST="unix://$folder/docker.sock" DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0
compose=(docker-compose --project-name loadgen-stand-in --file docker-compose.yml --file "$folder/override.yml")
daemon=
clean_up() {
    local code=$?
    if [[ $keep == --keep && $code -eq 0 ]]; then
        say "left running. To look: DOCKER_HOST=$DOCKER_HOST ${compose[*]} logs -f"
        say "to end it: DOCKER_HOST=$DOCKER_HOST ${compose[*]} down -v; kill $daemon"
        return
    fi
    if [[ $code -ne 0 && -f $folder/override.yml ]]; then
        "${compose[@]}" ps || true
        "${compose[@]}" logs --tail 40 || true
    fi
    [[ ! -f $folder/override.yml ]] || "${compose[@]}" down --volumes --timeout 20 || true
    if [[ -n $daemon ]]; then
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
}
trap clean_up EXIT
if docker info >/dev/null 2>&1; then
    daemon=$(cat "$folder/docker.pid")
else
    say "starting a Docker daemon in $folder"
    dockerd --host "$DOCKER_HOST" --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/docker.pid" \
        >"$folder/dockerd.log" 2>&1 &
    daemon=$!
    for ((i = 0; i < 60; i++)); do
        ! docker info >/dev/null 2>&1 || break
        kill -0 "$daemon" 2>/dev/null || break
        sleep 1
    done
    docker info >/dev/null || { tail -20 "$folder/dockerd.log" >&2; exit 1; }
fi

has() { docker image inspect "$1" >/dev/null 2>&1; }

if ! has debian:bookworm-slim; then
    say "debian:bookworm-slim, by debootstrap"
    rm -rf "$folder/root"
    debootstrap --variant=minbase "$suite" "$folder/root" "$mirror"
    rm -rf "$folder"/root/var/cache/apt/archives/*.deb
    tar -C "$folder/root" -c . | docker import --change 'CMD ["bash"]' - debian:bookworm-slim
    rm -rf "$folder/root"
fi

# As the official one: a C compiler, and Cargo on the path. What Cargo would download was downloaded here.
rust=$(sed -n 's/^ARG RUST_IMAGE=//p' Dockerfile)
if ! has "$rust"; then
    say "$rust, of $(rustc --version)"
    rm -rf "$folder/rust"
    mkdir -p "$folder/rust/cargo"
    cargo fetch --locked
    cp -r "${CARGO_HOME:-$HOME/.cargo}/registry" "$folder/rust/cargo/registry"
    sysroot=$(rustc --print sysroot)
    mkdir "$folder/rust/toolchain"
    tar -C "$sysroot" -c --exclude ./share . | tar -C "$folder/rust/toolchain" -x
    cat >"$folder/rust/Dockerfile" <<'DOCKERFILE'
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY toolchain /usr/local/toolchain
COPY cargo /usr/local/cargo
ENV CARGO_HOME=/usr/local/cargo CARGO_NET_OFFLINE=true \
    PATH=/usr/local/toolchain/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
DOCKERFILE
    docker build --network host -t "$rust" "$folder/rust"
    rm -rf "$folder/rust"
fi

# Debian's, with the paths and the user of the official images, and with the wget that their health checks use.
if ! has stand-in-monitoring; then
    say "Prometheus and Alertmanager, of Debian"
    docker build --network host -t stand-in-monitoring - <<'DOCKERFILE'
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends prometheus prometheus-alertmanager wget \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s /usr/bin/prometheus /bin/prometheus-of-debian \
    && install -d -o nobody -g nogroup /prometheus /alertmanager
USER nobody
DOCKERFILE
    docker build -t stand-in-prometheus - <<'DOCKERFILE'
FROM stand-in-monitoring
WORKDIR /prometheus
ENTRYPOINT ["/usr/bin/prometheus"]
DOCKERFILE
    docker build -t stand-in-alertmanager - <<'DOCKERFILE'
FROM stand-in-monitoring
WORKDIR /alertmanager
ENTRYPOINT ["/usr/bin/prometheus-alertmanager"]
DOCKERFILE
fi

say "the images of loadgen, by the Dockerfile"
docker build --network host -t loadgen:stand-in .
docker build --network host -t loadgen-vps:stand-in --target vps .

say "loadgen run - <script.js"
docker run --rm -i --network host loadgen:stand-in run --vus 1 --iterations 3 --metrics-addr off - <<'SCRIPT'
import { check } from 'k6';
export const options = { thresholds: { checks: ['rate==1'] } };
export default () => check(1, { 'one is one': (n) => n === 1 });
SCRIPT
[[ $(docker run --rm --entrypoint id loadgen:stand-in -u) -ne 0 ]]
docker image ls --filter reference=loadgen*

# Debian's Prometheus does not know how to keep classic histograms beside native ones: here there are only classic ones.
export LOADGEN_IMAGE=loadgen:stand-in LOADGEN_VPS_IMAGE=loadgen-vps:stand-in
export PROMETHEUS_IMAGE=stand-in-prometheus ALERTMANAGER_IMAGE=stand-in-alertmanager
export PROMETHEUS_PORT=19090 ALERTMANAGER_PORT=19093 LOADGEN_PAUSE=5
sed '/always_scrape_classic_histograms/d' prometheus/prometheus.yml >"$folder/prometheus.yml"
chmod 644 "$folder/prometheus.yml"
cat >"$folder/override.yml" <<OVERRIDE
services:
  prometheus:
    command:
      - --config.file=/etc/prometheus/prometheus.yml
      - --storage.tsdb.path=/prometheus
      - --enable-feature=exemplar-storage
      - --web.enable-remote-write-receiver
    volumes:
      - $folder/prometheus.yml:/etc/prometheus/prometheus.yml:ro
OVERRIDE

services=(prometheus alertmanager webhook vps loadgen)
say "docker-compose up ${services[*]}"
"${compose[@]}" up --detach --no-build "${services[@]}"
keys() { "${compose[@]}" exec -T vps sh -c 'cat /keys/known_hosts /keys/id_ed25519.pub'; }
made=$(keys)

say "what Prometheus and the containers say"
LOADGEN_COMPOSE_PROMETHEUS=127.0.0.1:$PROMETHEUS_PORT LOADGEN_COMPOSE_ALERTMANAGER=127.0.0.1:$ALERTMANAGER_PORT \
    cargo test --test compose_up -- --ignored --nocapture

say "every container is well"
well() {
    local service
    for service in "${services[@]}"; do
        [[ $(docker inspect --format '{{.State.Health.Status}}' "$("${compose[@]}" ps -q "$service")") == healthy ]] || return 1
    done
}
for ((i = 0; i < 60; i++)); do
    ! well || break
    sleep 2
done
well
"${compose[@]}" ps

say "the limits of the small server, and what it was told by nobody but loadgen"
vps=$("${compose[@]}" ps -q vps)
[[ $(docker inspect --format '{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}}' "$vps") == "500000000 268435456" ]]
[[ $(docker inspect --format '{{len .NetworkSettings.Ports}}' "$vps") == 0 ]]

say "an alert gets to the webhook, and so does its end"
alert() {
    "${compose[@]}" exec -T alertmanager wget -q -O - --header 'Content-Type: application/json' --post-data \
        "[{\"labels\":{\"alertname\":\"StandIn\",\"severity\":\"warning\"},\"annotations\":{\"summary\":\"It is \\\"well\\\".\"}$1}]" \
        http://127.0.0.1:9093/api/v2/alerts
}
told() {
    for ((i = 0; i < 40; i++)); do
        ! "${compose[@]}" logs --no-color webhook | grep -q "$1 .*StandIn: It is" || return 0
        sleep 1
    done
    "${compose[@]}" logs --no-color webhook
    return 1
}
alert ''
told firing
alert ",\"endsAt\":\"$(date --utc --date '1 second ago' +%Y-%m-%dT%H:%M:%SZ)\""
told resolved

say "a second up changes nothing; down and up keep the keys; the server comes back under load"
"${compose[@]}" up --detach --no-build "${services[@]}"
[[ $(keys) == "$made" ]]
"${compose[@]}" stop --timeout 20 loadgen
"${compose[@]}" rm --force loadgen vps >/dev/null 2>&1 || true
"${compose[@]}" up --detach --no-build --force-recreate vps loadgen
[[ $(keys) == "$made" ]]
for ((i = 0; i < 60; i++)); do
    ! well || break
    sleep 2
done
well
"${compose[@]}" exec -T loadgen test -s /results/spike.json

say "down -v makes new keys"
"${compose[@]}" down --volumes --timeout 20
"${compose[@]}" up --detach --no-build vps
for ((i = 0; i < 60; i++)); do
    ! keys >/dev/null 2>&1 || break
    sleep 1
done
[[ $(keys) != "$made" ]]
say "all is well"
