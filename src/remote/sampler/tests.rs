//! Readings of hosts that are made of text: several kernels as they are, processes that come and go.

#![allow(clippy::float_cmp, reason = "what is exact is compared exactly")]

#[path = "tests/golden.rs"]
mod golden;
#[path = "tests/watched.rs"]
mod watched;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::*;
use crate::remote::parse::listen::Listener;
use crate::remote::parse::table::Entry;

/// A host of texts that a test can change while it is sampled.
#[derive(Clone, Default)]
struct Host(Arc<Mutex<Texts>>);

#[derive(Default)]
struct Texts {
    files: HashMap<String, String>,
    folders: HashMap<String, u32>,
    table: Vec<Entry>,
    listeners: HashMap<u16, Listener>,
    /// How often the table was asked for.
    looks: u32,
    /// Paths of the last reading.
    asked: Vec<String>,
    /// Files of the last reading that were to end at a line.
    cut: Vec<(String, &'static str)>,
    /// Nanoseconds that each reading costs, where they are told.
    cost: u64,
}

impl Host {
    fn change<T>(&self, change: impl FnOnce(&mut Texts) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, path: &str, text: &str) {
        self.change(|texts| texts.files.insert(path.to_owned(), text.to_owned()));
    }

    fn open(&self, watches: &[&str]) -> Result<Sampler, ProbeError> {
        let watches = watches.iter().map(|text| text.parse().expect(text)).collect();
        Sampler::open(Box::new(self.clone()), Instant::now(), watches)
    }
}

impl Source for Host {
    fn host(&self) -> Arc<str> {
        "vps".into()
    }

    fn own_time(&self) -> &'static str {
        "/proc/self/schedstat"
    }

    fn read(&mut self, ask: &Ask) -> Result<Answer, ProbeError> {
        self.change(|texts| {
            if texts.cost > 0 {
                let before = texts
                    .files
                    .get("/proc/self/schedstat")
                    .map_or(0, |text| text.parse().unwrap());
                texts.files.insert(
                    "/proc/self/schedstat".to_owned(),
                    (before + texts.cost).to_string(),
                );
            }
            texts.asked = ask.files.iter().map(|file| file.path.clone()).collect();
            let cut = ask.files.iter().filter(|file| !file.last.is_empty());
            texts.cut = cut.map(|file| (file.path.clone(), file.last)).collect();
            let text = |file: &File| {
                let text = texts.files.get(&file.path)?;
                let is_last = |line: &str| !file.last.is_empty() && line.starts_with(file.last);
                let lines = text.split_inclusive('\n');
                let mut told: String = lines.take_while(|line| !is_last(line)).collect();
                // The one that the others end with is told, too.
                told += text[told.len()..]
                    .split_inclusive('\n')
                    .next()
                    .unwrap_or_default();
                Some(told)
            };
            Ok(Answer {
                files: ask.files.iter().map(text).collect(),
                folders: ask
                    .folders
                    .iter()
                    .map(|path| texts.folders.get(path).copied())
                    .collect(),
                at: Instant::now(),
                round_trip: Some(std::time::Duration::from_millis(1)),
            })
        })
    }

    fn table(&mut self) -> Result<Vec<Entry>, ProbeError> {
        self.change(|texts| {
            texts.looks += 1;
            Ok(texts.table.clone())
        })
    }

    fn listener(&mut self, port: u16) -> Result<Listener, ProbeError> {
        self.change(|texts| Ok(texts.listeners.get(&port).cloned().unwrap_or_default()))
    }

    fn machine(&mut self) -> Option<String> {
        Some("x86_64".to_owned())
    }
}

/// A host with what every reading needs, at a second of its own clock.
fn plain() -> Host {
    let host = Host::default();
    host.write("/proc/stat", "cpu  0 0 0 0\ncpu0 0 0 0 0\n");
    host.write("/proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 400 kB\n");
    host.write("/proc/uptime", "100.00 1.0\n");
    host
}

#[test]
fn all_of_meminfo_is_known_though_a_shell_seldom_reads_its_end() {
    let host = plain();
    let text = |slab: u64| {
        format!(
            "MemTotal: 1000 kB\nMemAvailable: 400 kB\nSReclaimable: {slab} kB\nSUnreclaim: {slab} kB\nHugePages_Total: {slab}\n"
        )
    };
    host.write("/proc/meminfo", &text(1));
    let mut sampler = host.open(&[]).expect("it can be sampled");
    let mut whole = 0;
    for slab in 2..32 {
        host.write("/proc/meminfo", &text(slab));
        let sample = sampler.read().expect("a sample");
        let fields = &sample.counters.expect("counters").memory;
        let of = |name: &str| fields.iter().find(|field| field.name == name).expect("a field");
        assert_eq!(fields.len(), 5);
        assert_eq!(of("SReclaimable").value, slab * 1024);
        assert!(of("SUnreclaim").bytes && !of("HugePages_Total").bytes);
        let cut = host.change(|texts| texts.cut.iter().any(|(path, _)| path == "/proc/meminfo"));
        if !cut {
            whole += 1;
            assert_eq!(
                (of("SUnreclaim").value, of("HugePages_Total").value),
                (slab * 1024, slab)
            );
        }
    }
    assert!((5..=8).contains(&whole), "each fifth one: {whole} of 30");
}
