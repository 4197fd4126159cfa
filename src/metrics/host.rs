//! What a sampler reads from a machine: the data type that samplers write and that windows, outputs and reports read.
//!
//! It lives below all of them so that none needs to know how the numbers were got: the same sample comes from the local
//! `/proc` and from a target over SSH. Rates are already taken: a sampler keeps the previous reading. What a machine does
//! not tell is `None`, never zero.

mod counters;

use std::sync::Arc;

pub use counters::{CpuCounters, DiskCounters, HostCounters, MemoryField, PressureCounters, Uname};

/// One reading of one machine. Fractions are 0–1, sizes are bytes, `at` is nanoseconds since the run's epoch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostSample {
    /// When it was read, in nanoseconds since the run's epoch.
    pub at: u64,
    /// The machine, as the user calls it: `localhost`, or the host of the tunnel.
    pub host: Arc<str>,
    /// Share of all cores that was busy since the previous reading, 0–1. A sampler reads once before its first sample.
    pub cpu_busy: f64,
    /// Share in user mode, guests and low priority included. Part of `cpu_busy`.
    pub cpu_user: f64,
    /// Share in the kernel, interrupts included. Part of `cpu_busy`.
    pub cpu_system: f64,
    /// Share that the hypervisor gave to others since the previous reading, 0–1. It is neither busy nor idle.
    pub cpu_steal: f64,
    /// Share spent waiting for block I/O since the previous reading, 0–1. It counts as idle.
    pub cpu_iowait: f64,
    /// Share of each core that was busy, in the order of the machine's own numbers.
    pub core_busy: Arc<[f32]>,
    /// Cores that are online.
    pub cores: u32,
    /// Memory of the machine, in bytes.
    pub mem_total: u64,
    /// Memory that could be given to a new process without swapping (`MemAvailable`), in bytes.
    pub mem_available: u64,
    /// Swap space, where there is any.
    pub swap: Option<Used>,
    /// Load averages over 1, 5 and 15 minutes; `None` where the machine does not tell.
    pub load: Option<[f64; 3]>,
    /// Tasks that ran or waited for a core when it was read, without the one that read.
    pub runnable: Option<u32>,
    /// TCP sockets; `None` where the machine does not tell.
    pub sockets: Option<SocketCounts>,
    /// Pressure stall information; `None` before Linux 4.20 and where it is switched off.
    pub pressure: Option<Pressure>,
    /// Block devices.
    pub disk: Option<DiskUse>,
    /// Network interfaces but the loopback.
    pub network: Option<NetworkUse>,
    /// Connections that listening sockets could not take, since sampling began.
    pub listen: Option<ListenDrops>,
    /// Open files of the whole machine and their limit.
    pub files: Option<Used>,
    /// Tracked connections of the firewall and their limit.
    pub conntrack: Option<Used>,
    /// The limits of the container that the machine is, and how far they are used.
    pub group: Option<GroupUse>,
    /// Processes that the kernel has killed for want of memory since sampling began.
    pub oom_kills: Option<u64>,
    /// CPU time, in seconds, that this reading took on the machine itself.
    pub cost: Option<f64>,
    /// From asking to the answer, in seconds; `None` where nothing was asked.
    pub round_trip: Option<f64>,
    /// The processes that were asked for and are alive, in the order in which they were asked for.
    pub processes: Vec<ProcessSample>,
    /// The counters that all this was taken from. Only the newest sample of a machine has them.
    pub counters: Option<Arc<HostCounters>>,
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

    /// Share of the CPU time that there is, 0–1: of a container's limit if it has one that tells, else of all cores.
    pub fn cpu_utilization(&self) -> f64 {
        let limited = self.group.as_ref().and_then(GroupUse::cpu_ratio);
        limited.unwrap_or(self.cpu_busy)
    }

    /// Share of the memory that there is, 0–1: of a container's limit if it has one that tells, else of the machine's.
    pub fn memory_utilization(&self) -> f64 {
        let limited = self.group.as_ref().and_then(GroupUse::memory_ratio);
        limited.unwrap_or_else(|| self.mem_used_ratio())
    }

    /// CPU time that there is, in cores.
    pub fn cpu_limit(&self) -> f64 {
        let limit = self.group.as_ref().and_then(|group| group.cpu_limit);
        limit.unwrap_or_else(|| f64::from(self.cores))
    }

    /// Memory that there is, in bytes.
    pub fn memory_limit(&self) -> u64 {
        let limit = self.group.as_ref().and_then(|group| group.memory_limit);
        limit.unwrap_or(self.mem_total)
    }

    /// The busiest core's share, 0–1; `None` where cores are not told apart.
    pub fn busiest_core(&self) -> Option<f64> {
        self.core_busy.iter().copied().reduce(f32::max).map(f64::from)
    }

    /// Tasks that run or wait to run, for each core: from 1 on the cores have work, and what is more waits.
    pub fn run_queue(&self) -> Option<f64> {
        let tasks = self.runnable.filter(|_| self.cores > 0)?;
        Some(f64::from(tasks) / f64::from(self.cores))
    }

    /// CPU of all sampled processes, in cores: 1.0 is one core kept fully busy. A process under two names counts once.
    pub fn processes_cpu_cores(&self) -> f64 {
        let own = |process: &ProcessSample| process.cpu_cores - process.repeated.cpu_cores;
        self.processes.iter().map(own).sum::<f64>().max(0.0)
    }

    /// Resident memory of all sampled processes, in bytes. Pages that they share count once for each process.
    pub fn processes_rss(&self) -> u64 {
        let own = |process: &ProcessSample| process.rss.saturating_sub(process.repeated.rss);
        self.processes.iter().map(own).sum()
    }
}

/// So much of what there is at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    pub used: u64,
    /// The limit; 0 where there is none.
    pub max: u64,
}

impl Used {
    /// Share in use, 0–1 and beyond where a limit was lowered; 0 without a limit.
    pub fn ratio(self) -> f64 {
        if self.max == 0 {
            0.0
        } else {
            self.used as f64 / self.max as f64
        }
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

/// Share of the time since the previous reading in which at least one task waited for the resource (`some`), 0–1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pressure {
    pub cpu: f64,
    pub memory: f64,
    pub io: f64,
}

/// What block devices did since the previous reading. Partitions and what lies on other devices do not count twice.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DiskUse {
    /// Bytes per second.
    pub read: f64,
    /// Bytes per second.
    pub written: f64,
    /// Share of the time in which the busiest device had something to do, 0–1. A device that takes many requests at
    /// once is not full at 1.
    pub busy: f64,
    /// The busiest device.
    pub busiest: Arc<str>,
}

/// What network interfaces did since the previous reading, the loopback left out.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NetworkUse {
    /// Bytes per second.
    pub received: f64,
    /// Bytes per second.
    pub sent: f64,
    /// Packets in error or dropped, both ways, per second.
    pub lost: f64,
    /// They as a share of all packets, 0–1.
    pub loss: f64,
    /// Share of a link's speed that is used, in the direction that uses more, of the busiest link, 0–1; `None` where no
    /// link tells its speed, as most of virtual machines do not.
    pub utilization: Option<f64>,
}

/// Connections that listening sockets could not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListenDrops {
    /// The accept queue was full.
    pub overflows: u64,
    /// Dropped for any reason, overflows among them.
    pub drops: u64,
}

/// A control group: limits and use of the container that a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GroupUse {
    /// 1 or 2.
    pub version: u8,
    /// CPU time per time that it may use: 1.5 is one core and a half. `None` without a limit below the machine's.
    pub cpu_limit: Option<f64>,
    /// CPU time per time that it used since the previous reading.
    pub cpu_cores: Option<f64>,
    /// Share of the scheduler's periods since the previous reading in which it ran out of its quota, 0–1.
    pub throttled: Option<f64>,
    /// Bytes. `None` without a limit below the machine's.
    pub memory_limit: Option<u64>,
    /// Bytes in use, without the part of the file cache that could be given back at once.
    pub memory_used: Option<u64>,
}

impl GroupUse {
    /// Share of the CPU limit, 0–1 and a little beyond, as quotas are kept per period.
    pub fn cpu_ratio(&self) -> Option<f64> {
        let (limit, used) = (self.cpu_limit?, self.cpu_cores?);
        (limit > 0.0).then(|| used / limit)
    }

    /// Share of the memory limit, 0–1.
    pub fn memory_ratio(&self) -> Option<f64> {
        let (limit, used) = (self.memory_limit?, self.memory_used?);
        (limit > 0).then(|| used as f64 / limit as f64)
    }
}

/// One reading of what is watched under one name: one process, or several and their children together.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessSample {
    /// How the process is called in outputs: the name it was asked for with.
    pub name: Arc<str>,
    /// Its process id (the first one's, where there are several).
    pub pid: u32,
    /// How many processes this is.
    pub members: u32,
    /// CPU used since the previous reading, in cores: 1.0 is one core kept fully busy.
    pub cpu_cores: f64,
    /// Resident memory, in bytes.
    pub rss: u64,
    /// Threads.
    pub threads: u32,
    /// Open file descriptors; `None` where they may not be counted (another user's process).
    pub fds: Option<u32>,
    /// Of the process that is nearest to the number of files that it may have open (`ulimit -n`): how many it has, and
    /// that number. `None` where either is not told.
    pub files: Option<Used>,
    /// How often it had ended and was found again.
    pub restarts: u32,
    /// The part that is of processes which stand under an earlier name, too.
    pub repeated: Repeated,
}

/// What sums are not to count twice.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Repeated {
    pub cpu_cores: f64,
    pub rss: u64,
}

impl Default for ProcessSample {
    fn default() -> ProcessSample {
        ProcessSample {
            name: Arc::default(),
            pid: 0,
            members: 1,
            cpu_cores: 0.0,
            rss: 0,
            threads: 1,
            fds: None,
            files: None,
            restarts: 0,
            repeated: Repeated::default(),
        }
    }
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
            ..ProcessSample::default()
        }
    }

    fn host(mem_total: u64, mem_available: u64) -> HostSample {
        HostSample {
            host: "localhost".into(),
            cores: 2,
            mem_total,
            mem_available,
            processes: vec![process(0.5, 100), process(1.25, 50)],
            ..HostSample::default()
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

    #[test]
    fn a_run_queue_is_counted_by_core() {
        let mut sample = host(1, 1);
        assert_eq!(sample.run_queue(), None, "not told");
        sample.runnable = Some(3);
        assert_eq!(sample.run_queue(), Some(1.5));
        sample.cores = 0;
        assert_eq!(sample.run_queue(), None, "of an unknown number of cores");
    }

    #[test]
    fn a_container_is_full_when_its_own_limit_is() {
        let mut sample = host(1000, 900);
        sample.cpu_busy = 0.25;
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(sample.cpu_utilization(), 0.25) && near(sample.memory_utilization(), 0.1));
        sample.group = Some(GroupUse {
            version: 2,
            cpu_limit: Some(0.5),
            cpu_cores: Some(0.45),
            memory_limit: Some(200),
            memory_used: Some(150),
            ..GroupUse::default()
        });
        assert!(near(sample.cpu_utilization(), 0.9) && near(sample.memory_utilization(), 0.75));
        assert!(near(sample.cpu_limit(), 0.5) && sample.memory_limit() == 200);
        // A limit alone, without its use, tells nothing.
        sample.group = Some(GroupUse {
            cpu_limit: Some(0.5),
            ..GroupUse::default()
        });
        assert!(near(sample.cpu_utilization(), 0.25));
    }
}
