//! What a machine ran out of, and when: limits that readings touched, the first one first.

use std::fmt;
use std::time::Duration;

use crate::metrics::{HostSample, Used};
use crate::report::limits;

/// A limit that was touched.
#[derive(Debug, Clone, PartialEq)]
pub struct Shortage {
    /// Of what.
    pub what: &'static str,
    /// Since the test began: the first reading that showed it.
    pub first: Duration,
    /// Time that it lasted, all together; `None` for what happens at once.
    pub lasted: Option<Duration>,
    /// The greatest share, 0–1, or the count of what happened.
    pub peak: f64,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.first.as_secs_f64();
        match self.lasted {
            Some(lasted) => write!(
                f,
                "{} from {first:.0}s on, for {:.0}s, up to {:.0}%",
                self.what,
                lasted.as_secs_f64(),
                self.peak * 100.0
            ),
            None => write!(f, "{} from {first:.0}s on: {:.0}", self.what, self.peak),
        }
    }
}

type Share = fn(&HostSample) -> Option<f64>;

/// From which share on a resource counts as full.
const FULL: [(&str, f64, Share); 16] = [
    ("CPU", limits::CPU, |host| Some(host.cpu_utilization())),
    ("one core (work that is not spread)", limits::ONE_CORE, |host| {
        host.busiest_core()
            .filter(|_| host.cpu_utilization() < limits::SPARE)
    }),
    ("CPU quota of the container", limits::THROTTLED, |host| {
        host.group.as_ref()?.throttled
    }),
    ("CPU that the hypervisor gave to others", limits::STEAL, |host| {
        Some(host.cpu_steal)
    }),
    ("memory", limits::MEMORY, |host| Some(host.memory_utilization())),
    ("memory (work waits for it)", limits::MEMORY_WAIT, |host| {
        Some(host.pressure?.memory)
    }),
    ("swap", limits::SWAP, |host| Some(host.swap?.ratio())),
    ("disk", limits::DISK, |host| Some(host.disk.as_ref()?.busy)),
    ("disk (work waits for it)", limits::DISK_WAIT, |host| {
        Some(host.pressure?.io)
    }),
    ("open files of the machine", limits::FILES, |host| {
        Some(host.files?.ratio())
    }),
    ("open files of a watched process", limits::FILES, |host| {
        let shares = host.processes.iter().filter_map(|process| process.files);
        shares.map(Used::ratio).reduce(f64::max)
    }),
    ("tracked connections", limits::CONNTRACK, |host| {
        Some(host.conntrack?.ratio())
    }),
    ("a network link", limits::NETWORK, |host| {
        host.network?.utilization
    }),
    ("network (packets lost)", limits::LOSS, |host| {
        let network = host.network.filter(|network| network.lost >= limits::LOST)?;
        Some(network.loss)
    }),
    (
        "CPU (tasks wait for a core)",
        limits::RUN_QUEUE,
        HostSample::run_queue,
    ),
    ("CPU (work waits for it)", limits::CPU_WAIT, |host| {
        Some(host.pressure?.cpu)
    }),
];

/// What is a failure whenever it happens.
const EVENTS: [(&str, Share); 2] = [
    ("accept queue: connections dropped", |host| {
        Some(host.listen?.drops as f64)
    }),
    ("memory: processes killed for want of it", |host| {
        Some(host.oom_kills? as f64)
    }),
];

/// A reading alone may be an accident of its second.
const IN_A_ROW: usize = 2;

/// What readings of one machine, oldest first, show it to have run out of.
pub fn shortages<'a>(samples: impl IntoIterator<Item = &'a HostSample>, begun: Duration) -> Vec<Shortage> {
    let samples: Vec<&HostSample> = samples.into_iter().collect();
    let since = |sample: &HostSample| Duration::from_nanos(sample.at).saturating_sub(begun);
    let mut found: Vec<Shortage> = Vec::new();
    for (what, least, share) in FULL {
        let full: Vec<Option<f64>> = samples
            .iter()
            .map(|sample| share(sample).filter(|share| *share >= least))
            .collect();
        let mut shortage: Option<Shortage> = None;
        let mut at = 0;
        while at < full.len() {
            let row = full[at..].iter().take_while(|share| share.is_some()).count();
            if row >= IN_A_ROW.min(samples.len()) {
                let shortage = shortage.get_or_insert(Shortage {
                    what,
                    first: since(samples[at]),
                    lasted: Some(Duration::ZERO),
                    peak: 0.0,
                });
                // A reading speaks of the time since the one before it.
                let from = if at == 0 {
                    Duration::ZERO
                } else {
                    since(samples[at - 1])
                };
                let lasted = since(samples[at + row - 1]).saturating_sub(from);
                shortage.lasted = shortage.lasted.map(|before| before + lasted);
                let peak = full[at..at + row].iter().flatten().copied().fold(0.0, f64::max);
                shortage.peak = shortage.peak.max(peak);
            }
            at += row.max(1);
        }
        found.extend(shortage);
    }
    for (what, count) in EVENTS {
        // Counted since sampling began, which was before the test.
        let counts: Vec<f64> = samples.iter().filter_map(|sample| count(sample)).collect();
        let (Some(before), Some(after)) = (counts.first(), counts.last()) else {
            continue;
        };
        let start = if samples.len() == 1 { 0.0 } else { *before };
        let first = samples
            .iter()
            .find(|sample| count(sample).is_some_and(|count| count > start));
        if let Some(first) = first {
            found.push(Shortage {
                what,
                first: since(first),
                lasted: None,
                peak: after - start,
            });
        }
    }
    found.sort_by_key(|shortage| shortage.first);
    found
}
