//! What the generator itself uses: a result is only as good as the machine that measured it.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// The generator's own use of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ProcessUsage {
    /// CPU time used so far, user and system, in seconds.
    pub cpu_seconds: f64,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// The most it ever was, in bytes.
    pub peak_resident_bytes: u64,
}

/// Reads this process's usage; zero for what the system does not tell.
pub fn usage() -> ProcessUsage {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return ProcessUsage::default();
    };
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    // Linux counts in KiB, macOS in bytes (getrusage(2)).
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let peak = u64::try_from(usage.max_rss()).unwrap_or(0) * unit;
    ProcessUsage {
        cpu_seconds: micros as f64 / 1e6,
        resident_bytes: resident().unwrap_or(peak),
        peak_resident_bytes: peak,
    }
}

/// Resident memory now, in bytes, where the system has `/proc`: the peak stands in for it elsewhere.
#[cfg(target_os = "linux")]
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(not(target_os = "linux"))]
fn resident() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_running_process_uses_something() {
        let usage = super::usage();
        assert!(
            usage.resident_bytes > 100_000 && usage.peak_resident_bytes > 100_000,
            "{usage:?}"
        );
    }
}
