//! What a reading costs the host that is sampled: CPU time of the shell there, as the host itself counts it.
//!
//!     cargo bench --bench sampler
//!
//! Each shell is read `READINGS` (300) times, 20 ms apart, alone and with this process and its parent watched. Files and
//! processes are this machine's, so a server with many cores, disks or interfaces costs more.
#![allow(clippy::print_stdout, clippy::expect_used)]

use std::thread::sleep;
use std::time::{Duration, Instant};

use loadgen::remote::{LocalPipe, LocalSource, Sampler, ShellSource, Source, Watch};

/// What a reading may cost on average, in milliseconds.
const ALLOWED: f64 = 2.0;

fn main() {
    let readings: u32 = std::env::var("READINGS").map_or(300, |text| text.parse().expect("a number"));
    println!("CPU per reading in ms   mean   p95   max  round trip");
    let mut dear = false;
    for (name, command) in [
        ("dash", &["dash"][..]),
        ("busybox", &["busybox", "sh"]),
        ("bash", &["bash"]),
        ("files", &[]),
    ] {
        for watched in [0, 2] {
            let source: Box<dyn Source> = if command.is_empty() {
                Box::new(LocalSource::new().expect("Linux"))
            } else {
                let Ok(pipe) = LocalPipe::open(command, Duration::from_secs(10)) else {
                    println!("{name}: not installed");
                    continue;
                };
                Box::new(ShellSource::open(Box::new(pipe), name).expect("a shell"))
            };
            let pids = [
                std::process::id(),
                nix::unistd::getppid().as_raw().cast_unsigned(),
            ];
            let watches: Vec<Watch> = pids[..watched]
                .iter()
                .map(|pid| format!("pid:{pid}").parse().expect("a process"))
                .collect();
            let mut sampler = Sampler::open(source, Instant::now(), watches).expect("a sampler");
            let (mut costs, mut trips) = (Vec::new(), 0.0);
            for _ in 0..readings {
                sleep(Duration::from_millis(20));
                let sample = sampler.read().expect("a sample");
                costs.extend(sample.cost.map(|seconds| seconds * 1e3));
                trips += sample.round_trip.unwrap_or(0.0) * 1e3;
            }
            costs.sort_unstable_by(f64::total_cmp);
            let mean = costs.iter().sum::<f64>() / costs.len().max(1) as f64;
            let at = |share: f64| costs.get((costs.len() as f64 * share) as usize).copied();
            println!(
                "{:<22} {mean:>6.2} {:>5.2} {:>5.2} {:>11.2}",
                format!("{name}, {watched} watched"),
                at(0.95).unwrap_or(0.0),
                costs.last().copied().unwrap_or(0.0),
                trips / f64::from(readings),
            );
            dear |= mean > ALLOWED;
        }
    }
    assert!(!dear, "a reading costs more than {ALLOWED} ms");
}
