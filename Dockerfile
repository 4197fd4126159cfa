# The program as an image, and a small server to try it on. Needs no BuildKit, and is the same on amd64 and arm64.
#
#   docker build -t loadgen .
#   docker run --rm -i --network host loadgen run - <script.js
#   docker build -t loadgen-vps --target vps .
ARG RUST_IMAGE=rust:1.95.0-slim-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
# The image's own toolchain: rust-toolchain.toml also wants what only a developer needs.
ENV RUSTUP_TOOLCHAIN=1.95.0 CARGO_INCREMENTAL=0
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# Dependencies in a layer of their own, which a change of the sources leaves alone.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches/tunnel \
    && for main in src/main.rs benches/net_get.rs benches/sampler.rs benches/tunnel/main.rs; do \
        echo 'fn main() {}' >"$main"; \
    done \
    && touch src/lib.rs \
    && cargo build --release --locked \
    && rm -r src
COPY scenarios scenarios
COPY src src
# Cargo goes by the time of files, and these may be older than what was built of the empty ones.
RUN find src -name '*.rs' -exec touch {} + \
    && cargo build --release --locked \
    && strip target/release/loadgen

FROM ${DEBIAN_IMAGE} AS base
# The password is one that nobody has, but not a lock: sshd lets no key into an account that is locked.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --shell /bin/sh --password '*' loadgen \
    && install -d -o loadgen -g loadgen /keys /results /scripts
COPY --from=build /src/target/release/loadgen /usr/local/bin/loadgen

# The server of docker-compose.yml: sshd and the embedded target. Its keys are made when it starts.
FROM base AS vps
RUN apt-get update \
    && apt-get install -y --no-install-recommends openssh-server \
    && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_* \
    && install -d -o loadgen -g loadgen -m 700 /host
USER loadgen
WORKDIR /home/loadgen

FROM base AS loadgen
USER loadgen
WORKDIR /scripts
ENTRYPOINT ["loadgen"]
CMD ["--help"]
