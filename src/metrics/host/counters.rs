//! A machine's counters as they are, since its boot: what host dashboards are made of. Rates for reports are taken from
//! them by whoever reads them, and live in [`HostSample`](super::HostSample).

/// What was read last. A list that is empty was not told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostCounters {
    /// Seconds since boot.
    pub uptime: Option<f64>,
    /// Seconds since 1970 at boot.
    pub boot: Option<u64>,
    /// What the system calls itself.
    pub uname: Option<Uname>,
    /// Each core.
    pub cpus: Vec<CpuCounters>,
    /// Tasks that run or wait to run, and that wait for I/O.
    pub running: Option<u64>,
    pub blocked: Option<u64>,
    /// Processes and threads made, and switches from one to another.
    pub forks: Option<u64>,
    pub switches: Option<u64>,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Fields of `/proc/meminfo`.
    pub memory: Vec<MemoryField>,
    pub cpu_pressure: Option<PressureCounters>,
    pub memory_pressure: Option<PressureCounters>,
    pub io_pressure: Option<PressureCounters>,
    pub disks: Vec<DiskCounters>,
    /// Interfaces with the 16 columns of `/proc/net/dev`: 8 received, 8 sent.
    pub interfaces: Vec<(String, [u64; 16])>,
    /// Protocol, field and number of `/proc/net/sockstat` and `sockstat6`.
    pub sockets: Vec<(String, String, u64)>,
    /// `ListenOverflows` and `ListenDrops`.
    pub listen: Option<(u64, u64)>,
    /// Open files and their limit.
    pub files: Option<(u64, u64)>,
    /// Tracked connections and their limit.
    pub conntrack: Option<(u64, u64)>,
    /// Fields of `/proc/vmstat`.
    pub vm: Vec<(String, u64)>,
    /// CPU seconds that the sampler itself has used.
    pub sampler_cpu: Option<f64>,
}

/// A field of `/proc/meminfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryField {
    pub name: String,
    pub value: u64,
    /// Whether it is in bytes, and not a plain count.
    pub bytes: bool,
}

/// `uname(2)`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uname {
    pub system: String,
    pub node: String,
    pub release: String,
    pub version: String,
    pub machine: String,
    pub domain: String,
}

/// Seconds that a core spent in each mode.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CpuCounters {
    /// The machine's number of the core.
    pub cpu: u32,
    pub user: f64,
    pub nice: f64,
    pub system: f64,
    pub idle: f64,
    pub iowait: f64,
    pub irq: f64,
    pub softirq: f64,
    pub steal: f64,
    /// Part of `user`.
    pub guest: f64,
    /// Part of `nice`.
    pub guest_nice: f64,
}

/// Seconds in which tasks waited for a resource.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PressureCounters {
    /// At least one did.
    pub some: f64,
    /// All did, so that nothing was done.
    pub full: Option<f64>,
}

/// The columns of `/proc/diskstats`; those that the kernel is too old for are missing at the end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DiskCounters {
    pub device: String,
    /// From `reads completed` on: 11 columns, 15 from Linux 4.18, 17 from 5.5.
    pub columns: Vec<u64>,
}

/// A sector of `/proc/diskstats` is this long whatever the device's own are.
const SECTOR: u64 = 512;

impl DiskCounters {
    fn column(&self, index: usize) -> u64 {
        self.columns.get(index).copied().unwrap_or(0)
    }

    /// Bytes read since boot.
    pub fn read_bytes(&self) -> u64 {
        self.column(2).saturating_mul(SECTOR)
    }

    /// Bytes written since boot.
    pub fn written_bytes(&self) -> u64 {
        self.column(6).saturating_mul(SECTOR)
    }

    /// Milliseconds since boot in which there was something to do. 32 bits wide before Linux 5.0: it wraps.
    pub fn busy_ms(&self) -> u64 {
        self.column(9)
    }
}
