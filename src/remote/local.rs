//! A probe of the machine that loadgen runs on: its CPU and memory, and those of the processes that are watched.
//!
//! Everything is read from `/proc`, a handful of small files a reading (well under a millisecond). Where there is no
//! `/proc`, making the probe fails with an error that says so, and a run goes on without samples.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::procfs::{self, CpuTicks, ProcessStat, TICKS_PER_SECOND};
use super::{Probe, ProbeError};
use crate::metrics::{HostSample, ProcessSample, SocketCounts};

/// A process to sample.
#[derive(Debug, Clone)]
pub struct Watch {
    /// How it is called in outputs.
    pub name: Arc<str>,
    /// Its process id.
    pub pid: u32,
    /// Whether its children, theirs and so on are added to it.
    pub with_children: bool,
}

/// Samples this machine. See [`Probe`].
#[derive(Debug)]
pub struct LocalProbe {
    proc: PathBuf,
    epoch: Instant,
    host: Arc<str>,
    watched: Vec<Watched>,
    ticks: CpuTicks,
    read_at: Instant,
}

/// A watched process, and what it had used when it was last read.
#[derive(Debug)]
struct Watched {
    watch: Watch,
    /// Start of the process that was meant: another one with the same id is not it.
    start: u64,
    /// CPU ticks used, by process id and start, for itself and each descendant that was alive.
    used: HashMap<(u32, u64), u64>,
}

impl LocalProbe {
    /// A probe of this machine and of `watches`. Samples count time from `epoch`, the zero of the run.
    ///
    /// Takes a first reading, so that the rates of the first sample are already those since this call.
    /// Fails when a process to watch does not exist, or when this system has no `/proc` as Linux has it.
    pub fn new(epoch: Instant, watches: Vec<Watch>) -> Result<LocalProbe, ProbeError> {
        if cfg!(target_os = "linux") {
            LocalProbe::of(PathBuf::from("/proc"), epoch, watches)
        } else {
            Err(ProbeError::Unsupported {
                os: std::env::consts::OS,
            })
        }
    }

    /// As [`LocalProbe::new`], with the files under `proc` instead of `/proc`.
    fn of(proc: PathBuf, epoch: Instant, watches: Vec<Watch>) -> Result<LocalProbe, ProbeError> {
        let ticks = machine_cpu(&proc)?.ticks;
        let mut watched = Vec::with_capacity(watches.len());
        for watch in watches {
            let Some(stat) = process(&proc, watch.pid).filter(|stat| !stat.is_zombie()) else {
                return Err(ProbeError::NoSuchProcess {
                    pid: watch.pid,
                    name: watch.name.to_string(),
                });
            };
            watched.push(Watched {
                watch,
                start: stat.start,
                used: HashMap::new(),
            });
        }
        let mut probe = LocalProbe {
            proc,
            epoch,
            host: "localhost".into(),
            watched,
            ticks,
            read_at: Instant::now(),
        };
        let family = probe.family();
        for watched in &mut probe.watched {
            watched.used = used_by(&watched.alive(&probe.proc, family.as_ref()));
        }
        Ok(probe)
    }

    /// Every process of the machine by its parent; only where a watch asks for children, as it reads all of `/proc`.
    fn family(&self) -> Option<HashMap<u32, Vec<ProcessStat>>> {
        if !self.watched.iter().any(|watched| watched.watch.with_children) {
            return None;
        }
        let mut family: HashMap<u32, Vec<ProcessStat>> = HashMap::new();
        for entry in fs::read_dir(&self.proc).ok()?.flatten() {
            let pid = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok());
            if let Some(stat) = pid.and_then(|pid| process(&self.proc, pid)) {
                family.entry(stat.parent).or_default().push(stat);
            }
        }
        Some(family)
    }
}

impl Probe for LocalProbe {
    fn read(&mut self) -> Result<HostSample, ProbeError> {
        let cpu = machine_cpu(&self.proc)?;
        let meminfo = self.proc.join("meminfo");
        let memory = procfs::memory(&read(&meminfo)?).ok_or(ProbeError::Malformed { path: meminfo })?;
        let now = Instant::now();
        let elapsed = now.duration_since(self.read_at).as_secs_f64();
        let family = self.family();
        let mut processes = Vec::with_capacity(self.watched.len());
        for watched in &mut self.watched {
            processes.extend(watched.sample(&self.proc, family.as_ref(), elapsed));
        }
        let shares = cpu.ticks.shares_since(&self.ticks);
        self.ticks = cpu.ticks;
        self.read_at = now;
        Ok(HostSample {
            at: u64::try_from(now.duration_since(self.epoch).as_nanos()).unwrap_or(u64::MAX),
            host: Arc::clone(&self.host),
            cpu_busy: shares.busy,
            cpu_steal: shares.steal,
            cpu_iowait: shares.iowait,
            cores: cpu.cores,
            mem_total: memory.total,
            mem_available: memory.available,
            load: optional(&self.proc, "loadavg").and_then(|text| procfs::load_average(&text)),
            sockets: optional(&self.proc, "net/sockstat")
                .and_then(|text| procfs::tcp_sockets(&text))
                .map(|tcp| SocketCounts {
                    in_use: tcp.in_use,
                    time_wait: tcp.time_wait,
                    orphaned: tcp.orphaned,
                }),
            processes,
        })
    }
}

impl Watched {
    /// The process itself and, if asked for, its descendants; nothing once the process that was meant is gone.
    fn alive(&self, proc: &Path, family: Option<&HashMap<u32, Vec<ProcessStat>>>) -> Vec<ProcessStat> {
        let own = process(proc, self.watch.pid).filter(|stat| stat.start == self.start && !stat.is_zombie());
        let Some(own) = own else { return Vec::new() };
        let mut members = vec![own];
        if let Some(family) = family.filter(|_| self.watch.with_children) {
            let mut next = 0;
            while let Some(parent) = members.get(next).map(|member| member.pid) {
                // Each process has one parent, but the table is not read in one instant: never take one twice.
                for child in family.get(&parent).into_iter().flatten() {
                    if !child.is_zombie() && members.iter().all(|member| member.pid != child.pid) {
                        members.push(child.clone());
                    }
                }
                next += 1;
            }
        }
        members
    }

    fn sample(
        &mut self,
        proc: &Path,
        family: Option<&HashMap<u32, Vec<ProcessStat>>>,
        elapsed: f64,
    ) -> Option<ProcessSample> {
        let members = self.alive(proc, family);
        if members.is_empty() {
            return None;
        }
        let used = used_by(&members);
        // What a process used since the last reading; all it ever used if it was born since. What a child used between
        // the last reading and its end is not seen: at most one interval of it.
        let ticks: u64 = used
            .iter()
            .map(|(id, now)| now.saturating_sub(self.used.get(id).copied().unwrap_or(0)))
            .fold(0, u64::saturating_add);
        self.used = used;
        let seconds = ticks as f64 / TICKS_PER_SECOND;
        Some(ProcessSample {
            name: Arc::clone(&self.watch.name),
            pid: self.watch.pid,
            cpu_cores: if elapsed > 0.0 { seconds / elapsed } else { 0.0 },
            rss: members
                .iter()
                .map(|member| resident(proc, member.pid))
                .fold(0, u64::saturating_add),
            threads: members
                .iter()
                .map(|member| member.threads)
                .fold(0, u32::saturating_add),
            fds: members.iter().map(|member| open_files(proc, member.pid)).sum(),
        })
    }
}

fn used_by(members: &[ProcessStat]) -> HashMap<(u32, u64), u64> {
    members
        .iter()
        .map(|member| ((member.pid, member.start), member.cpu_ticks))
        .collect()
}

fn machine_cpu(proc: &Path) -> Result<procfs::CpuStat, ProbeError> {
    let path = proc.join("stat");
    procfs::cpu_stat(&read(&path)?).ok_or(ProbeError::Malformed { path })
}

/// A file without which there is no sample. Process names may be any bytes, so the text need not be UTF-8.
fn read(path: &Path) -> Result<String, ProbeError> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(source) => Err(ProbeError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// A file that not every machine has (a container may hide it), or that vanishes with its process.
fn optional(proc: &Path, file: &str) -> Option<String> {
    read(&proc.join(file)).ok()
}

fn process(proc: &Path, pid: u32) -> Option<ProcessStat> {
    procfs::process_stat(&optional(proc, &format!("{pid}/stat"))?)
}

fn resident(proc: &Path, pid: u32) -> u64 {
    optional(proc, &format!("{pid}/status"))
        .and_then(|text| procfs::resident_bytes(&text))
        .unwrap_or(0)
}

/// Open file descriptors; `None` where the process belongs to somebody else.
fn open_files(proc: &Path, pid: u32) -> Option<u32> {
    let entries: io::Result<fs::ReadDir> = fs::read_dir(proc.join(pid.to_string()).join("fd"));
    u32::try_from(entries.ok()?.count()).ok()
}

#[cfg(test)]
#[path = "local/tests.rs"]
mod tests;
