//! Who uses the tunnel: wrk, fresh connections, a burst of them, a download.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use crate::peers::Tunnel;

/// What one run of wrk said.
pub struct Wrk {
    /// Requests per second.
    pub rate: f64,
    pub p99_ms: f64,
    /// The tunnel's CPU per request.
    pub cpu_us: f64,
}

impl Wrk {
    pub fn run(tunnel: &Tunnel, connections: usize, seconds: u32) -> Wrk {
        let before = tunnel.cpu();
        let output = Command::new("wrk")
            .args(["--latency", "-t", if connections == 1 { "1" } else { "2" }])
            .args(["-c", &connections.to_string(), "-d", &format!("{seconds}s")])
            .arg(format!("http://127.0.0.1:{}/", tunnel.port))
            .output()
            .expect("wrk is missing: apt-get install wrk");
        let cpu = tunnel.cpu() - before;
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            !text.contains("Socket errors") && !text.contains("Non-2xx"),
            "not every request was answered: {text}"
        );
        let after = |mark: &str| -> &str {
            let line = text.lines().find(|line| line.trim_start().starts_with(mark));
            line.unwrap_or_else(|| panic!("no {mark} in {text}"))
                .split_whitespace()
                .nth(1)
                .unwrap()
        };
        let requests: f64 = text
            .lines()
            .find(|line| line.contains(" requests in "))
            .and_then(|line| line.split_whitespace().next())
            .unwrap()
            .parse()
            .unwrap();
        Wrk {
            rate: after("Requests/sec:").parse().unwrap(),
            p99_ms: milliseconds(after("99%")),
            cpu_us: cpu * 1e6 / requests,
        }
    }
}

/// `850.00us`, `1.20ms` or `2.00s` as wrk writes it.
fn milliseconds(text: &str) -> f64 {
    let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap();
    let (number, unit) = text.split_at(at);
    number.parse::<f64>().unwrap()
        * if unit == "us" {
            1e-3
        } else if unit == "ms" {
            1.0
        } else {
            1e3
        }
}

/// One request on a connection of its own; whether it was answered.
fn ask(port: u16) -> bool {
    let mut answer = String::new();
    let mut exchange = || -> std::io::Result<usize> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        stream.read_to_string(&mut answer)
    };
    let done = exchange();
    done.is_ok() && answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok")
}

/// So many requests, each on a connection of its own, `at_once` at a time. How many failed.
pub fn fresh(port: u16, requests: usize, at_once: usize) -> usize {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < requests {
                    if !ask(port) {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    failed.into_inner()
}

/// So many connections at the same moment, a request on each. How long until all were answered, and how many were not.
pub fn storm(port: u16, connections: usize) -> (Duration, usize) {
    let start = Arc::new(Barrier::new(connections + 1));
    let threads: Vec<_> = (0..connections)
        .map(|_| {
            let start = Arc::clone(&start);
            thread::spawn(move || {
                start.wait();
                ask(port)
            })
        })
        .collect();
    start.wait();
    let began = Instant::now();
    let failed = threads
        .into_iter()
        .filter_map(|thread| thread.join().ok())
        .filter(|answered| !answered)
        .count();
    (began.elapsed(), failed)
}

/// Bytes that do not repeat, the same each time: `SplitMix64` (Steele, Lea, Flood 2014), 8 bytes a step.
pub struct Noise(u64);

impl Noise {
    pub fn new() -> Noise {
        Noise(0)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Fills the buffer, whose length is a multiple of 8.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes());
        }
    }
}

/// Reads so many bytes of noise. How long it took, and whether each was right.
pub fn download(port: u16, length: u64) -> (Duration, bool) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut noise = Noise::new();
    let (mut got, mut expected) = (vec![0; 256 << 10], vec![0; 256 << 10]);
    let began = Instant::now();
    let mut left = length;
    while left > 0 {
        let count = got.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if stream.read_exact(&mut got[..count]).is_err() {
            return (began.elapsed(), false);
        }
        noise.fill(&mut expected);
        if got[..count] != expected[..count] {
            return (began.elapsed(), false);
        }
        left -= count as u64;
    }
    (began.elapsed(), true)
}
