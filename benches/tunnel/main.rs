//! `loadgen tunnel` next to `ssh -L`: throughput, latency, the client's CPU, fresh connections, a long link, a big download.
//!
//!     just bench-tunnel
//!     ROUNDS=9 SECONDS=3 LOADGEN=target/release/loadgen cargo bench --bench tunnel
//!     ONLY=throughput,churn,burst,download    # parts of it
//!
//! Needs sshd, ssh, nginx and wrk (Debian: apt-get install openssh-server nginx-light wrk), started here on free ports of
//! the loopback. Both ways go to the same sshd and the same nginx, with the same cipher, and take turns. CPU is user and
//! system time of the process that forwards, per request. Ends with 1 if a target is missed; the targets stand in the table.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends where it cannot go on"
)]

mod clients;
mod link;
mod peers;

use std::time::Duration;

use clients::{Wrk, download, fresh, storm};
use peers::{Place, Server, Tunnel, Way};

const CONNECTIONS: [usize; 3] = [1, 50, 200];
/// Connections one after another, and how often memory is looked at meanwhile.
const CHURN: usize = 20_000;
const LOOK: usize = 5_000;
/// What a link to another continent's near side has: there and back.
const ROUND_TRIP: Duration = Duration::from_millis(20);
const BURST: usize = 200;
const GIGABYTE: u64 = 1_000_000_000;

fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}

/// What was to be shown, and whether it was.
#[derive(Default)]
struct Verdict {
    missed: Vec<String>,
}

impl Verdict {
    fn expect(&mut self, held: bool, what: String) {
        println!("  {} {what}", if held { '✓' } else { '✗' });
        if !held {
            self.missed.push(what);
        }
    }
}

type Part = fn(&Place, &Server, &mut Verdict);

fn main() {
    // What `cargo test --benches` would start is not for a test.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let place = Place::new();
    let server = Server::start(&place);
    let mut verdict = Verdict::default();
    let parts: [(&str, Part); 4] = [
        ("throughput", throughput),
        ("churn", churn),
        ("burst", burst),
        ("download", big),
    ];
    let only = std::env::var("ONLY").unwrap_or_default();
    for (name, part) in parts {
        if only.is_empty() || only.split(',').any(|wanted| wanted == name) {
            part(&place, &server, &mut verdict);
        }
    }
    if !verdict.missed.is_empty() {
        println!("\nmissed: {}", verdict.missed.join("; "));
        drop((server, place));
        std::process::exit(1);
    }
}

/// wrk at three sizes, each way in turn. Ratios are within a round, as the machine may be another in the next; and each round
/// has tunnels of its own, as two of the same kind differ by some percent for as long as they are open.
fn throughput(place: &Place, server: &Server, verdict: &mut Verdict) {
    let (rounds, seconds) = (number("ROUNDS", 9), number("SECONDS", 3));
    println!("wrk against nginx, {rounds} rounds of {seconds} s each way; medians");
    println!("connections  way             requests/s       p99 ms   client CPU µs/request");
    let ways = [Way::OpenSsh, Way::Loadgen];
    // Channels are open before the measured phase, as `run --tunnel` opens one for each virtual user: wrk makes up for what
    // it calls omitted, so that 200 first requests that each wait for a channel would count as thousands.
    for connections in CONNECTIONS {
        let mut seen: [Vec<Wrk>; 2] = [Vec::new(), Vec::new()];
        for round in 0..rounds {
            let tunnels = ways.map(|way| Tunnel::warm(place, way, server.ssh, server.http, connections));
            // Neither is always the first.
            let first = usize::from(round % 2 == 1);
            for at in [first, 1 - first] {
                std::thread::sleep(Duration::from_secs(1));
                seen[at].push(Wrk::run(&tunnels[at], connections, seconds));
            }
        }
        for (way, seen) in ways.iter().zip(&seen) {
            let of = |field: fn(&Wrk) -> f64| median(seen.iter().map(field).collect());
            println!(
                "{connections:>11}  {way:<14} {:>11.0}  {:>11.2}  {:>22.2}",
                of(|it| it.rate),
                of(|it| it.p99_ms),
                of(|it| it.cpu_us)
            );
        }
        let ratio = |field: fn(&Wrk) -> f64| {
            median(
                seen[0]
                    .iter()
                    .zip(&seen[1])
                    .map(|(ssh, ours)| field(ours) / field(ssh))
                    .collect(),
            )
        };
        let (rate, p99, cpu) = (ratio(|it| it.rate), ratio(|it| it.p99_ms), ratio(|it| it.cpu_us));
        if connections == 1 {
            println!("    to ssh -L: throughput {rate:.2}, p99 {p99:.2}, CPU {cpu:.2}");
        } else {
            verdict.expect(
                rate >= 1.0,
                format!("c={connections}: throughput {rate:.2} × ssh -L, at least 1.0"),
            );
            verdict.expect(
                p99 <= 1.0,
                format!("c={connections}: p99 {p99:.2} × ssh -L, at most 1.0"),
            );
            verdict.expect(
                cpu <= 1.0,
                format!("c={connections}: CPU {cpu:.2} × ssh -L, at most 1.0"),
            );
        }
    }
}

/// A connection for each request: none fails, and nothing is left behind.
fn churn(place: &Place, server: &Server, verdict: &mut Verdict) {
    println!("\n{CHURN} fresh connections through loadgen, 50 at a time");
    let tunnel = Tunnel::open(place, Way::Loadgen, server.ssh, server.http);
    let mut failed = 0;
    let mut memory = Vec::new();
    for _ in 0..CHURN / LOOK {
        failed += fresh(tunnel.port, LOOK, 50);
        memory.push(tunnel.memory_mb());
    }
    println!("  memory after each {LOOK}: {memory:.1?} MB");
    verdict.expect(failed == 0, format!("{failed} of {CHURN} failed"));
    let grown = memory[memory.len() - 1] - memory[0];
    verdict.expect(
        grown <= 2.0,
        format!("memory grew by {grown:.1} MB after the first {LOOK}, at most 2"),
    );
    verdict.expect(
        tunnel.open_sockets() <= 50,
        format!("{} sockets are left open", tunnel.open_sockets()),
    );
}

/// A burst of new connections, where each one costs a round trip: several connections to sshd share the wait.
fn burst(place: &Place, server: &Server, verdict: &mut Verdict) {
    println!(
        "\n{BURST} new connections at once over a link of {} ms",
        ROUND_TRIP.as_millis()
    );
    let far = link::start(server.ssh, ROUND_TRIP / 2);
    let rounds = 5;
    let took = [Way::OpenSsh, Way::Loadgen].map(|way| {
        let tunnel = Tunnel::warm(place, way, far, server.http, BURST);
        let times = (0..rounds).map(|_| {
            // As before a measured phase: channels that are opened ahead, a round trip for each, have the time to be.
            std::thread::sleep(ROUND_TRIP * BURST as u32 + Duration::from_secs(1));
            let (time, failed) = storm(tunnel.port, BURST);
            assert_eq!(failed, 0, "{way}: all are answered");
            time.as_secs_f64() * 1e3
        });
        let time = median(times.collect());
        println!("  {way:<14} {time:.0} ms");
        time
    });
    let [ssh, ours] = took;
    let ratio = ours / ssh;
    verdict.expect(ratio <= 2.0, format!("burst: {ratio:.2} × ssh -L, at most 2.0"));
}

/// A download of a gigabyte arrives as it was sent.
fn big(place: &Place, server: &Server, verdict: &mut Verdict) {
    println!("\nA download of 1 GB");
    for way in [Way::OpenSsh, Way::Loadgen] {
        let tunnel = Tunnel::open(place, way, server.ssh, server.bytes);
        let before = tunnel.cpu();
        let (time, intact) = download(tunnel.port, GIGABYTE);
        let cpu = tunnel.cpu() - before;
        println!(
            "  {way:<14} {:.0} MB/s, {:.2} s of client CPU",
            1e3 / time.as_secs_f64(),
            cpu
        );
        verdict.expect(intact, format!("{way}: every byte is the one that was sent"));
    }
}
