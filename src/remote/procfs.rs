//! Pure parsers of the text under Linux's `/proc`: text in, numbers out, no file is opened here.
//!
//! The same functions read the local machine and, over SSH, a remote one whose kernel we do not choose. So nothing is
//! taken for granted: fields that old kernels lack are zero, fields that new ones append are ignored, and text that
//! cannot be understood is `None`, never a panic. The formats are those of proc(5); where a field has a history, the
//! parser says from which kernel on it exists.

use crate::metrics::MemoryField;

/// Clock ticks per second in `/proc` (`USER_HZ`): part of Linux's user ABI, 100 on every architecture that Rust's
/// standard library supports, whatever the kernel's own `CONFIG_HZ` is (`include/asm-generic/param.h`).
pub const TICKS_PER_SECOND: f64 = 100.0;

/// The `cpu` line of `/proc/stat`: ticks since boot, summed over all cores.
///
/// `guest` and `guest_nice` are not kept: the kernel has already added them to `user` and `nice`
/// (`account_guest_time` in `kernel/sched/cputime.c`), so a total with them would count them twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTicks {
    /// Time in user mode.
    pub user: u64,
    /// Time in user mode at low priority.
    pub nice: u64,
    /// Time in the kernel.
    pub system: u64,
    /// Time with nothing to do.
    pub idle: u64,
    /// Time with nothing to do but waiting for block I/O (Linux 2.5.41). May *decrease*, says proc(5).
    pub iowait: u64,
    /// Time in interrupt handlers (Linux 2.6.0).
    pub irq: u64,
    /// Time in deferred interrupt work (Linux 2.6.0).
    pub softirq: u64,
    /// Time that the hypervisor gave to other guests (Linux 2.6.11).
    pub steal: u64,
}

/// What `/proc/stat` says about the CPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuStat {
    /// All cores together.
    pub ticks: CpuTicks,
    /// Cores that are online: the `cpuN` lines. At least 1.
    pub cores: u32,
    /// Each of them that tells its time.
    pub each: Vec<Core>,
}

/// One core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Core {
    /// The machine's number of it; numbers of cores that are offline are left out.
    pub cpu: u32,
    pub ticks: CpuTicks,
    /// Time for guests, part of `user` (Linux 2.6.24), and of `nice` (2.6.33).
    pub guest: [u64; 2],
}

/// Shares of the time between two readings, each 0–1 of all cores.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CpuShares {
    /// Neither idle nor stolen.
    pub busy: f64,
    /// In user mode, low priority and guests included; part of `busy`.
    pub user: f64,
    /// In the kernel, interrupts included; part of `busy`.
    pub system: f64,
    /// Waiting for block I/O; counts as idle.
    pub iowait: f64,
    /// Taken by the hypervisor; neither busy nor idle.
    pub steal: f64,
}

impl CpuTicks {
    /// How the time since `earlier` was spent: busy = 1 − Δ(idle + iowait + steal) / Δtotal.
    ///
    /// Each counter's difference is taken by itself and is at least zero, since `iowait` may go backwards and a
    /// machine may have been restored from a snapshot. No time between the two gives zeros.
    pub fn shares_since(&self, earlier: &CpuTicks) -> CpuShares {
        let delta = |now: u64, then: u64| now.saturating_sub(then) as f64;
        let idle = delta(self.idle, earlier.idle);
        let iowait = delta(self.iowait, earlier.iowait);
        let steal = delta(self.steal, earlier.steal);
        let user = delta(self.user, earlier.user) + delta(self.nice, earlier.nice);
        let system = delta(self.system, earlier.system)
            + delta(self.irq, earlier.irq)
            + delta(self.softirq, earlier.softirq);
        let total = user + system + idle + iowait + steal;
        if total <= 0.0 {
            return CpuShares::default();
        }
        CpuShares {
            busy: (1.0 - (idle + iowait + steal) / total).clamp(0.0, 1.0),
            user: (user / total).clamp(0.0, 1.0),
            system: (system / total).clamp(0.0, 1.0),
            iowait: (iowait / total).clamp(0.0, 1.0),
            steal: (steal / total).clamp(0.0, 1.0),
        }
    }
}

/// Parses `/proc/stat`. `None` without a `cpu` line of at least the four fields that every kernel has.
pub fn cpu_stat(text: &str) -> Option<CpuStat> {
    let mut ticks = None;
    let mut cores = 0_u32;
    let mut each = Vec::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("cpu") else {
            continue;
        };
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            cores = cores.saturating_add(1);
            each.extend(core(rest));
        } else if rest.starts_with([' ', '\t']) && ticks.is_none() {
            ticks = cpu_ticks(rest);
        }
    }
    Some(CpuStat {
        ticks: ticks?,
        cores: cores.max(1),
        each,
    })
}

/// The rest of a line `cpu12 1 2 3 4 …`.
fn core(rest: &str) -> Option<Core> {
    let (number, fields) = rest.split_once([' ', '\t'])?;
    let mut guest = fields
        .split_ascii_whitespace()
        .skip(8)
        .map(|field| field.parse().ok());
    Some(Core {
        cpu: number.parse().ok()?,
        ticks: cpu_ticks(fields)?,
        guest: [(); 2].map(|()| guest.next().flatten().unwrap_or(0)),
    })
}

/// The number of a line `name number` of `/proc/stat`, such as `btime`.
pub fn stat_field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        (key == name).then(|| value.trim().parse().ok()).flatten()
    })
}

fn cpu_ticks(fields: &str) -> Option<CpuTicks> {
    let mut fields = fields.split_ascii_whitespace();
    let mut required = || fields.next()?.parse().ok();
    let (user, nice, system, idle) = (required()?, required()?, required()?, required()?);
    let mut optional = || match fields.next() {
        None => Some(0),
        Some(field) => field.parse().ok(),
    };
    Some(CpuTicks {
        user,
        nice,
        system,
        idle,
        iowait: optional()?,
        irq: optional()?,
        softirq: optional()?,
        steal: optional()?,
    })
}

/// One process, from `/proc/PID/stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessStat {
    /// Field 1.
    pub pid: u32,
    /// Field 2 without its parentheses: the thread's name, at most 15 bytes, of any characters.
    pub comm: String,
    /// Field 3: `R` running, `S` sleeping, `Z` zombie, ….
    pub state: char,
    /// Field 4; 0 for the first process and for kernel threads' parent.
    pub parent: u32,
    /// Fields 14 and 15, in ticks: user and system time of all its threads.
    pub cpu_ticks: u64,
    /// Field 20 (a constant 0 before Linux 2.6).
    pub threads: u32,
    /// Field 22, in ticks since boot. A process id together with its start names a process for good; the id alone may
    /// have been given to another one.
    pub start: u64,
    /// Field 24: resident memory in pages. The kernel counts it in batches per thread, so it may be off by some pages.
    pub resident_pages: u64,
}

impl ProcessStat {
    /// Whether it has ended and only waits for its parent to notice.
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

/// Parses `/proc/PID/stat`.
///
/// The name in field 2 may itself hold spaces, parentheses and even newlines, so the fields are counted from the
/// *last* closing parenthesis: no later field can contain one.
pub fn process_stat(text: &str) -> Option<ProcessStat> {
    let (pid, rest) = text.split_once('(')?;
    let (comm, rest) = rest.rsplit_once(')')?;
    // The first of these is field 3.
    let mut fields = rest.split_ascii_whitespace();
    let mut field = |skip: usize| fields.nth(skip);
    let state = field(0)?.chars().next()?;
    let parent = field(0)?.parse().ok()?;
    // Fields 5 to 13 lie between the parent and the user time, 16 to 19 before the threads, 21 before the start.
    let user: u64 = field(9)?.parse().ok()?;
    let system: u64 = field(0)?.parse().ok()?;
    let threads = field(4)?.parse().ok()?;
    let start = field(1)?.parse().ok()?;
    // Kernels before 2.2 aside it is always there; it is a signed number that was negative in some.
    let resident_pages = field(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    Some(ProcessStat {
        pid: pid.trim().parse().ok()?,
        comm: comm.to_owned(),
        state,
        parent,
        cpu_ticks: user.saturating_add(system),
        threads,
        start,
        resident_pages,
    })
}

/// Resident memory from `/proc/PID/status`, in bytes. `None` for kernel threads and zombies, which have none.
///
/// `status` rather than `statm`, because it is in kilobytes: `statm` counts pages, and the page size of a machine at
/// the other end of an SSH session is not in `/proc`.
pub fn resident_bytes(status: &str) -> Option<u64> {
    kilobytes(status, "VmRSS")
}

/// Memory of a machine, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// `MemTotal`.
    pub total: u64,
    /// `MemAvailable` (Linux 3.14); before that `MemFree + Buffers + Cached`, which was the rule of thumb.
    pub available: u64,
}

/// Parses `/proc/meminfo`. `None` without a total, or without anything that tells what is available.
pub fn memory(text: &str) -> Option<Memory> {
    let total = kilobytes(text, "MemTotal")?;
    let available = kilobytes(text, "MemAvailable").or_else(|| {
        let free = kilobytes(text, "MemFree")?;
        let buffers = kilobytes(text, "Buffers").unwrap_or(0);
        let cached = kilobytes(text, "Cached").unwrap_or(0);
        Some(free.saturating_add(buffers).saturating_add(cached))
    })?;
    Some(Memory {
        total,
        available: available.min(total),
    })
}

/// Swap space in bytes, total and free; `None` where the machine has none or does not tell.
pub fn swap(text: &str) -> Option<(u64, u64)> {
    let total = kilobytes(text, "SwapTotal").filter(|total| *total > 0)?;
    Some((total, kilobytes(text, "SwapFree")?.min(total)))
}

/// Every field of `/proc/meminfo`.
pub fn memory_fields(text: &str) -> Vec<MemoryField> {
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let mut parts = value.split_ascii_whitespace();
        let number: u64 = parts.next()?.parse().ok()?;
        // `HugePages_Total` and its like are plain counts, without a unit.
        let unit = match parts.next() {
            Some("kB") => 1024,
            None => 1,
            Some(_) => return None,
        };
        Some(MemoryField {
            name: name.trim().to_owned(),
            value: number.checked_mul(unit)?,
            bytes: unit > 1,
        })
    };
    text.lines().filter_map(field).collect()
}

/// The value of a line `Name:   123 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        if key.trim() != name {
            return None;
        }
        let number: u64 = value.split_ascii_whitespace().next()?.parse().ok()?;
        number.checked_mul(1024)
    })
}

/// TCP sockets from `/proc/net/sockstat`. The fields are named, so their order does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpSockets {
    /// In any state but `TIME_WAIT`.
    pub in_use: u64,
    /// In `TIME_WAIT`.
    pub time_wait: u64,
    /// Closing, and owned by no process.
    pub orphaned: u64,
}

/// Parses `/proc/net/sockstat`. `None` without a `TCP:` line that counts the sockets in use.
pub fn tcp_sockets(text: &str) -> Option<TcpSockets> {
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let (mut in_use, mut time_wait, mut orphaned) = (None, 0, 0);
    let mut fields = line.split_ascii_whitespace();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        let Ok(value) = value.parse() else { continue };
        match name {
            "inuse" => in_use = Some(value),
            "tw" => time_wait = value,
            "orphan" => orphaned = value,
            _ => {}
        }
    }
    Some(TcpSockets {
        in_use: in_use?,
        time_wait,
        orphaned,
    })
}

/// The load averages over 1, 5 and 15 minutes, from `/proc/loadavg`.
pub fn load_average(text: &str) -> Option<[f64; 3]> {
    let mut fields = text.split_ascii_whitespace();
    let mut next = || {
        fields
            .next()?
            .parse()
            .ok()
            .filter(|load: &f64| load.is_finite() && *load >= 0.0)
    };
    Some([next()?, next()?, next()?])
}

/// Tasks that run or wait for a core, from the fourth field of `/proc/loadavg`, `running/all`. The one that reads the file
/// runs just then, and is among them. What waits for a disk is not, unlike in the load averages.
pub fn runnable(text: &str) -> Option<u32> {
    let (running, _) = text.split_ascii_whitespace().nth(3)?.split_once('/')?;
    running.parse().ok()
}

#[cfg(test)]
#[path = "procfs/tests.rs"]
mod tests;
