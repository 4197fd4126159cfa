# What there is to do in this repository. `just` alone lists it.

default:
    @just --list --unsorted

# Build the program: target/release/loadgen
build:
    cargo build --release --locked

# Run all tests, with cargo-nextest where it is installed
test *ARGS:
    @if cargo nextest --version >/dev/null 2>&1; then cargo nextest run {{ ARGS }}; else cargo test {{ ARGS }}; fi
    @if cargo nextest --version >/dev/null 2>&1; then cargo test --doc; fi

# The conformance suite: scripts in tests/dialect/, all of them or (DIALECT_SCRIPT) some
dialect:
    cargo test --test dialect_scripts

# Formatting, and clippy without a single warning
lint:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings

# Licences, duplicate crates, sources, known vulnerabilities
deny:
    @command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
    cargo deny check advisories bans licenses sources

# The dashboards against Grafana's own types (needs npm)
check-dashboards:
    grafana/check-types.sh

# docker-compose.yml brought up for real without a registry (Debian, as root; some 5 GB in /var/tmp)
compose-test *ARGS:
    deploy/compose/stand-in.sh {{ ARGS }}

# Micro-benchmarks: CPU and allocations per request
bench *ARGS:
    cargo bench --bench net_get {{ ARGS }}

# Client CPU per request and peak memory, next to oha and wrk (ROUNDS, DURATION, CONNECTIONS)
bench-peers:
    benches/peers.sh

# CPU per iteration of scripts heavy with JSON, strings and cryptography (ROUNDS, DURATION, CONNECTIONS)
bench-scripts:
    benches/scripts.sh

# Client CPU per request with traces and without (ROUNDS, DURATION, CONNECTIONS, OTLP, BEFORE)
bench-traces:
    benches/traces.sh

# Peak memory and start-up time of 1000 and 5000 virtual users
bench-memory:
    benches/memory.sh

# CPU that sampling takes on the host that is sampled
bench-sampler:
    cargo bench --bench sampler

# `loadgen tunnel` next to `ssh -L`, with a real sshd and nginx (ROUNDS, SECONDS)
bench-tunnel: build
    LOADGEN="$PWD/target/release/loadgen" cargo bench --bench tunnel

# How `compare` judges real runs of a minute, of the same target and of one 10 % slower (TRIALS; a quiet machine, a quarter of an hour)
compare-check: build
    cargo test --release --test run_compare -- --ignored --nocapture

# BASELINE.md from full runs of health, store-crud and spike against the demo target: some six minutes
baseline: build
    mkdir -p target/baseline
    target/release/loadgen run --demo --metrics-addr off --save target/baseline/health.json health || [ $? -eq 99 ]
    target/release/loadgen run --demo --metrics-addr off --save target/baseline/store-crud.json store-crud || [ $? -eq 99 ]
    target/release/loadgen run --demo --metrics-addr off --save target/baseline/spike.json spike || [ $? -eq 99 ]
    target/release/loadgen baseline target/baseline/health.json target/baseline/store-crud.json target/baseline/spike.json --output BASELINE.md

# Whether `loadgen breakpoint` finds the limits of the demo target: an hour, on a quiet machine of two cores
breakpoint:
    cargo test --release --test run_breakpoint -- --ignored --nocapture --test-threads 1

# What the continuous integration runs
ci:
    .ci/run
