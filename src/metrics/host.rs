//! What a probe reads from a machine: the data type that probes write and that windows, outputs and reports read.
//!
//! It lives below all of them so that none needs to know how the numbers were got: the same sample comes from the local
//! `/proc` (`run --demo`) and from a target over SSH. Rates are already taken: a probe keeps the previous reading.

use std::sync::Arc;

/// One reading of one machine. Fractions are 0–1, sizes are bytes, `at` is nanoseconds since the run's epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct HostSample {
    /// When it was read, in nanoseconds since the run's epoch.
    pub at: u64,
    /// The machine, as the user calls it: `localhost`, or the host of the tunnel.
    pub host: Arc<str>,
    /// Share of all cores that was busy since the previous reading, 0–1. A probe reads once before its first sample.
    pub cpu_busy: f64,
    /// Share that the hypervisor gave to others since the previous reading, 0–1. It is neither busy nor idle.
    pub cpu_steal: f64,
    /// Share spent waiting for block I/O since the previous reading, 0–1. It counts as idle.
    pub cpu_iowait: f64,
    /// Cores that are online.
    pub cores: u32,
    /// Memory of the machine, in bytes.
    pub mem_total: u64,
    /// Memory that could be given to a new process without swapping (`MemAvailable`), in bytes.
    pub mem_available: u64,
    /// Load averages over 1, 5 and 15 minutes; `None` where the machine does not tell.
    pub load: Option<[f64; 3]>,
    /// TCP sockets; `None` where the machine does not tell.
    pub sockets: Option<SocketCounts>,
    /// The processes that were asked for and are alive, in the order in which they were asked for.
    pub processes: Vec<ProcessSample>,
}

impl HostSample {
    /// Share of the machine's memory that is in use, 0–1; 0 where the total is unknown.
    pub fn mem_used_ratio(&self) -> f64 {
        if self.mem_total == 0 {
            return 0.0;
        }
        let used = self.mem_total.saturating_sub(self.mem_available);
        used as f64 / self.mem_total as f64
    }

    /// CPU of all sampled processes, in cores: 1.0 is one core kept fully busy.
    pub fn processes_cpu_cores(&self) -> f64 {
        self.processes.iter().map(|process| process.cpu_cores).sum()
    }

    /// Resident memory of all sampled processes, in bytes. Pages that they share count once for each.
    pub fn processes_rss(&self) -> u64 {
        self.processes.iter().map(|process| process.rss).sum()
    }
}

/// TCP sockets of a machine, as `/proc/net/sockstat` counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketCounts {
    /// Sockets in any state but `TIME_WAIT`.
    pub in_use: u64,
    /// Sockets in `TIME_WAIT`: they hold local ports after a connection closed.
    pub time_wait: u64,
    /// Sockets that no process owns any more but whose connection still closes.
    pub orphaned: u64,
}

/// One reading of one process, its children included when the probe was asked to.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessSample {
    /// How the process is called in outputs: the name it was asked for with.
    pub name: Arc<str>,
    /// Its process id (the parent's, where children are included).
    pub pid: u32,
    /// CPU used since the previous reading, in cores: 1.0 is one core kept fully busy.
    pub cpu_cores: f64,
    /// Resident memory, in bytes.
    pub rss: u64,
    /// Threads.
    pub threads: u32,
    /// Open file descriptors; `None` where they may not be counted (another user's process).
    pub fds: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(cpu_cores: f64, rss: u64) -> ProcessSample {
        ProcessSample {
            name: "p".into(),
            pid: 1,
            cpu_cores,
            rss,
            threads: 1,
            fds: None,
        }
    }

    fn host(mem_total: u64, mem_available: u64) -> HostSample {
        HostSample {
            at: 0,
            host: "localhost".into(),
            cpu_busy: 0.0,
            cpu_steal: 0.0,
            cpu_iowait: 0.0,
            cores: 2,
            mem_total,
            mem_available,
            load: None,
            sockets: None,
            processes: vec![process(0.5, 100), process(1.25, 50)],
        }
    }

    #[test]
    fn memory_in_use_is_a_share_and_survives_odd_totals() {
        assert!((host(1000, 250).mem_used_ratio() - 0.75).abs() < 1e-12);
        assert!(
            host(0, 0).mem_used_ratio().abs() < f64::EPSILON,
            "an unknown total is not full"
        );
        assert!(
            host(100, 200).mem_used_ratio().abs() < f64::EPSILON,
            "more available than total is not negative"
        );
    }

    #[test]
    fn processes_add_up() {
        let sample = host(1, 1);
        assert!((sample.processes_cpu_cores() - 1.75).abs() < 1e-12);
        assert_eq!(sample.processes_rss(), 150);
    }
}
