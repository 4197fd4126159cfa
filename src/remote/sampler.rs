//! The sampler of a host: what is asked of it each time, and who is watched there.
//!
//! Each reading asks for a handful of small files at once. What is dear is asked less often, what is very dear (the table
//! of processes, who listens on a port) only when somebody is looked for. When the host says that its part takes longer
//! than it should, more is asked less often.

mod find;
mod meter;
mod parts;
mod tracked;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use self::meter::Meter;
use self::parts::{Part, Plan};
use self::tracked::{Told, Tracked};
use super::ProbeError;
use super::machine;
use super::parse::{group, small};
use super::procfs;
use super::source::{Answer, Ask, File, Source};
use super::watch::{Wanted, Watch};
use crate::metrics::machine::{Limits, Machine};
use crate::metrics::{HostSample, Uname};

/// What a reading may cost the host in seconds of CPU, on average; then less is asked.
const ALLOWED: f64 = 0.001_8;
/// So many readings the average is of.
const JUDGED: u32 = 5;
/// What is not dear is read at least every so many times.
const MOST_STRETCH: u64 = 10;
/// Of so many processes a shell reads the limits in one reading.
const LIMITS: usize = 2;
/// Among so many lines of `/proc/cpuinfo` is the name of the first processor, where there is one.
const CPUINFO: usize = 12;
/// A page where nothing tells how long it is.
const PAGE: u64 = 4096;

/// Samples a host. Rates are taken since the previous reading, so it keeps what it read last.
pub struct Sampler {
    source: Box<dyn Source>,
    epoch: Instant,
    plan: Plan,
    meter: Meter,
    tracked: Vec<Tracked>,
    /// What the system and the processor call themselves.
    os: Option<String>,
    cpu_model: Option<String>,
    /// Bytes in a page of memory.
    page: u64,
    /// The host's clock at the last reading that had processes.
    processes_at: f64,
    /// CPU seconds that the last readings cost, and how many they were.
    spent: (f64, u32),
}

impl Sampler {
    /// Begins to sample a host and processes there. Samples count time from `epoch`, the zero of the run.
    ///
    /// Takes a first reading, so that the rates of the first sample are already those since this call.
    ///
    /// # Errors
    /// The host is not one that can be read, or a process that is required is not there.
    pub fn open(source: Box<dyn Source>, epoch: Instant, watches: Vec<Watch>) -> Result<Sampler, ProbeError> {
        let plan = Plan {
            turn: 0,
            whole: true,
            stretch: 1,
            missing: Vec::new(),
            cores: 0,
            thrifty: true,
            cpu: None,
            memory: None,
            own: source.own_time(),
        };
        let mut sampler = Sampler {
            source,
            epoch,
            plan,
            meter: Meter::default(),
            tracked: watches.into_iter().map(Tracked::new).collect(),
            os: None,
            cpu_model: None,
            page: PAGE,
            processes_at: 0.0,
            spent: (0.0, 0),
        };
        sampler.meter.sample.host = sampler.source.host();
        sampler.acquaint()?;
        sampler.read_all()?;
        sampler.find_required()?;
        sampler.read_all()?;
        Ok(sampler)
    }

    /// Goes on over a new way to the same host. What happened there meanwhile counts, unless the host was restarted.
    ///
    /// # Errors
    /// The host cannot be read.
    pub fn resume(&mut self, source: Box<dyn Source>) -> Result<(), ProbeError> {
        self.source = source;
        // Another shell reads now, which has used nothing yet.
        self.meter.counters.sampler_cpu = None;
        self.plan.whole = true;
        self.acquaint()
    }

    /// How the user calls the host.
    pub fn host(&self) -> Arc<str> {
        self.meter.sample.host.clone()
    }

    /// What the host is.
    pub fn machine(&self) -> Machine {
        let sample = &self.meter.sample;
        let uname = self.meter.counters.uname.clone().unwrap_or_default();
        let group = sample.group.as_ref();
        Machine {
            host: uname.node,
            os: self.os.clone().unwrap_or_else(|| uname.system.clone()),
            kernel: format!("{} {}", uname.system, uname.release).trim().to_owned(),
            architecture: uname.machine,
            cores: sample.cores,
            cpu_model: self.cpu_model.clone(),
            memory: (sample.mem_total > 0).then_some(sample.mem_total),
            limits: group.map(|group| Limits {
                cgroup: group.version,
                cpus: group.cpu_limit,
                memory: group.memory_limit,
            }),
        }
    }

    /// Whether a process of the watch at this place is there.
    pub fn is_there(&self, watch: usize) -> bool {
        self.tracked.get(watch).is_some_and(Tracked::has_root)
    }

    /// Takes one reading. Blocks for as long as the host takes to answer.
    ///
    /// # Errors
    /// The host told nothing this time. The next reading may succeed, unless [`ProbeError::loses_the_way`].
    pub fn read(&mut self) -> Result<HostSample, ProbeError> {
        self.search()?;
        self.reading()
    }

    /// Has the next reading leave nothing out, also what is usually read less often.
    pub fn whole(&mut self) {
        self.plan.whole = true;
    }

    /// Asks once for what does not change.
    fn acquaint(&mut self) -> Result<(), ProbeError> {
        const KERNEL: [&str; 5] = ["ostype", "hostname", "osrelease", "version", "domainname"];
        let names = KERNEL.map(|name| File::lines(format!("/proc/sys/kernel/{name}"), 1));
        let mut files = names.to_vec();
        files.push(File {
            last: "PRETTY_NAME=",
            ..File::whole("/etc/os-release")
        });
        files.push(File {
            last: "model name",
            ..File::lines("/proc/cpuinfo", CPUINFO)
        });
        files.push(File::whole("/proc/1/cgroup"));
        files.push(File::whole("/proc/self/stat"));
        files.push(File {
            last: "VmRSS",
            ..File::whole("/proc/self/status")
        });
        let answer = self.source.read(&Ask {
            files,
            folders: Vec::new(),
        })?;
        self.plan.thrifty = answer.round_trip.is_some();
        let mut texts = answer.files.into_iter();
        let mut next = || texts.next().flatten();
        let [system, node, release, version, domain] =
            KERNEL.map(|_| next().map(|text| text.trim().to_owned()));
        let (os, processor) = (next(), next());
        self.os = os.as_deref().and_then(machine::os_name);
        let processor = processor.unwrap_or_default();
        self.cpu_model = processor
            .lines()
            .find_map(|line| machine::field(line, "model name"));
        let (groups, stat, status) = (next(), next(), next());
        if let (Some(system), Some(node), Some(release)) = (system, node, release) {
            self.meter.counters.uname = Some(Uname {
                system,
                node,
                release,
                version: version.unwrap_or_default(),
                machine: self.source.machine().unwrap_or_default(),
                domain: domain.unwrap_or_default(),
            });
        }
        self.page = page(stat.as_deref(), status.as_deref()).unwrap_or(PAGE);
        self.find_group(&groups.unwrap_or_default())
    }

    /// The control group that limits the host, if there is one.
    fn find_group(&mut self, groups: &str) -> Result<(), ProbeError> {
        let (cpu, memory) = group::candidates(groups);
        let limits = cpu.iter().map(|files| &files.limit);
        let files: Vec<File> = limits
            .chain(memory.iter().map(|files| &files.limit))
            .map(|path| File::lines(path, 1))
            .collect();
        let answer = self.source.read(&Ask {
            files,
            folders: Vec::new(),
        })?;
        let there: Vec<bool> = answer.files.iter().map(Option::is_some).collect();
        let (for_cpu, for_memory) = there.split_at(cpu.len());
        self.plan.cpu = cpu
            .into_iter()
            .zip(for_cpu)
            .find_map(|(files, there)| there.then_some(files));
        self.plan.memory = memory
            .into_iter()
            .zip(for_memory)
            .find_map(|(files, there)| there.then_some(files));
        let version = self.plan.cpu.as_ref().map(|files| files.version);
        self.meter
            .set_group_version(version.or(self.plan.memory.as_ref().map(|files| files.version)));
        Ok(())
    }

    /// A reading with everything, from which the next one counts.
    fn read_all(&mut self) -> Result<(), ProbeError> {
        self.plan.whole = true;
        self.reading().map(drop)
    }

    fn reading(&mut self) -> Result<HostSample, ProbeError> {
        let parts = self.plan.parts();
        let with_processes = self.plan.is_usual();
        let mut pids: Vec<u32> = Vec::new();
        let mut unsure: Vec<u32> = Vec::new();
        if with_processes {
            pids = self.tracked.iter().flat_map(Tracked::pids).collect();
            pids.sort_unstable();
            pids.dedup();
            let count = if self.plan.thrifty { LIMITS } else { usize::MAX };
            for tracked in &mut self.tracked {
                unsure.extend(tracked.unsure(count - unsure.len(), self.plan.turn));
            }
        }
        let links = if self.plan.is_whole() {
            parts::links(&self.meter.counters.interfaces)
        } else {
            Vec::new()
        };
        let mut ask = Ask::default();
        // Own time comes last, so that it counts what the others cost.
        let own = parts.last().map(|(_, file)| file.clone());
        ask.files.extend(parts.iter().map(|(_, file)| file.clone()));
        ask.files.pop();
        for pid in &pids {
            ask.files.push(File::whole(format!("/proc/{pid}/stat")));
            ask.files
                .push(File::whole(format!("/proc/{pid}/task/{pid}/children")));
            ask.folders.push(format!("/proc/{pid}/fd"));
        }
        ask.files.extend(unsure.iter().map(|pid| parts::limits(*pid)));
        ask.files
            .extend(links.iter().flat_map(|(_, files)| files.clone()));
        ask.files.extend(own);
        let answer = self.source.read(&ask)?;
        let clock = self.take(&parts, &answer)?;
        let mut texts = answer.files.iter().skip(parts.len() - 1).map(Option::as_deref);
        let mut next = || texts.next().flatten();
        let mut told = told(&pids, &answer.folders, &mut next);
        for pid in &unsure {
            let most = next().and_then(small::most_open_files);
            told.entry(*pid).or_default().most_fds = most;
        }
        for (name, _) in &links {
            let (device, speed) = (next(), next());
            self.meter.set_speed(name, device, speed);
        }
        let sample = &mut self.meter.sample;
        sample.at = u64::try_from(answer.at.duration_since(self.epoch).as_nanos()).unwrap_or(u64::MAX);
        sample.round_trip = answer.round_trip.map(|time| time.as_secs_f64());
        sample.processes.clear();
        if with_processes {
            self.processes(&told, clock);
        } else {
            self.meter.sample.processes = self.tracked.iter().filter_map(Tracked::last).collect();
        }
        self.spend();
        self.plan.turn += 1;
        self.plan.whole = false;
        Ok(HostSample {
            counters: Some(Arc::new(self.meter.counters.clone())),
            ..self.meter.sample.clone()
        })
    }

    /// Gives the parts to the meter, from the first file on. The host's clock, in seconds.
    fn take(&mut self, parts: &[(Part, File)], answer: &Answer) -> Result<f64, ProbeError> {
        let texts = answer.files.iter();
        // Own time stands at the end, behind the processes.
        let own = answer.files.last().cloned().flatten();
        let clock = |text: &Option<String>| small::uptime(text.as_deref()?);
        let first = parts.first().filter(|(part, _)| *part == Part::Uptime);
        let told = first.and_then(|_| clock(answer.files.first()?));
        let now = told.unwrap_or_else(|| answer.at.duration_since(self.epoch).as_secs_f64());
        if self
            .meter
            .counters
            .uptime
            .is_some_and(|before| told.is_some_and(|now| now < before))
        {
            tracing::warn!(
                "{} was restarted: its counters begin anew",
                self.meter.sample.host
            );
            self.meter.restart();
        }
        let whole = self.plan.is_whole();
        if whole {
            self.plan.missing.clear();
        }
        for ((part, file), text) in parts.iter().zip(texts) {
            let text = if *part == Part::Own {
                own.as_deref()
            } else {
                text.as_deref()
            };
            let taken = text.is_some_and(|text| self.meter.take(*part, text, now));
            if !taken && matches!(part, Part::Stat | Part::Memory) {
                return Err(self.unreadable(&file.path, text.is_some()));
            }
            // Own time stays the last part, told or not.
            if !taken && whole && *part != Part::Own {
                self.plan.missing.push(*part);
            }
        }
        self.plan.cores = self.meter.sample.core_busy.len();
        Ok(now)
    }

    /// Why there is no sample without this file.
    fn unreadable(&mut self, path: &str, there: bool) -> ProbeError {
        let host = self.meter.sample.host.to_string();
        if there {
            ProbeError::Malformed {
                host,
                path: path.to_owned(),
            }
        } else {
            ProbeError::Missing {
                host,
                path: path.to_owned(),
            }
        }
    }

    /// Sums what is watched, and looks for who has gone.
    fn processes(&mut self, told: &BTreeMap<u32, Told>, clock: f64) {
        let elapsed = clock - self.processes_at;
        self.processes_at = clock;
        let mut counted = BTreeSet::new();
        for tracked in &mut self.tracked {
            let (sample, lost) = tracked.sample(told, elapsed, self.page, &mut counted);
            self.meter.sample.processes.extend(sample);
            let replaceable = !matches!(tracked.watch.wanted, Wanted::Pid(_));
            if lost {
                let then = if replaceable { ": looking for it" } else { "" };
                tracing::warn!(
                    "{}: a process of {} has ended{then}",
                    self.meter.sample.host,
                    tracked.name
                );
            }
            if replaceable && (lost || !tracked.has_root()) {
                tracked.search();
            }
        }
    }

    /// Keeps the cost within what is allowed.
    fn spend(&mut self) {
        let Some(cost) = self.meter.sample.cost.filter(|_| !self.plan.whole) else {
            return;
        };
        self.spent = (self.spent.0 + cost, self.spent.1 + 1);
        if self.spent.1 >= JUDGED {
            let mean = self.spent.0 / f64::from(self.spent.1);
            if mean > ALLOWED && self.plan.stretch < MOST_STRETCH {
                self.plan.stretch += 1;
            }
            self.spent = (0.0, 0);
        }
    }
}

/// What was told of each process: two texts each.
fn told<'a>(
    pids: &[u32],
    folders: &[Option<u32>],
    next: &mut impl FnMut() -> Option<&'a str>,
) -> BTreeMap<u32, Told> {
    let one = |(index, pid): (usize, &u32)| {
        let (stat, children) = (next(), next());
        let children = children.unwrap_or_default().split_ascii_whitespace();
        let told = Told {
            stat: stat.and_then(procfs::process_stat),
            children: children.filter_map(|pid| pid.parse().ok()).collect(),
            fds: folders.get(index).copied().flatten(),
            most_fds: None,
        };
        (*pid, told)
    };
    pids.iter().enumerate().map(one).collect()
}

/// Bytes in a page, which nothing in `/proc` says: from the memory of one process in pages and in kilobytes. The two are
/// read one after the other, so the nearest size that there is is meant.
fn page(stat: Option<&str>, status: Option<&str>) -> Option<u64> {
    let pages = procfs::process_stat(stat?)?.resident_pages;
    let bytes = procfs::resident_bytes(status?)?;
    let ratio = bytes as f64 / (pages > 0).then_some(pages)? as f64;
    [4096_u64, 16_384, 65_536].into_iter().min_by(|a, b| {
        (*a as f64 / ratio)
            .ln()
            .abs()
            .total_cmp(&(*b as f64 / ratio).ln().abs())
    })
}

#[cfg(test)]
#[path = "sampler/tests.rs"]
mod tests;
