//! From the texts of a reading to a sample: counters are kept, and what happened since the reading before is taken from
//! them. A counter that went backwards says nothing about that time: 0, never a huge number.

use std::collections::HashMap;
use std::sync::Arc;

use super::parts::Part;
use crate::metrics::{
    CpuCounters, DiskCounters, DiskUse, GroupUse, HostCounters, HostSample, ListenDrops, NetworkUse,
    PressureCounters, SocketCounts, Used,
};
use crate::remote::parse::{disk, group, net, small};
use crate::remote::procfs::{self, CpuTicks, TICKS_PER_SECOND};

/// What was read, and what it was before.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// The newest values; parts that were not read this time keep theirs.
    pub(super) sample: HostSample,
    pub(super) counters: HostCounters,
    ticks: Option<CpuTicks>,
    cores: HashMap<u32, CpuTicks>,
    /// The host's clock when a part was last read.
    read_at: HashMap<Part, f64>,
    group: GroupState,
    /// The first reading of counts that are told since sampling began.
    first_listen: Option<(u64, u64)>,
    first_kills: HashMap<Part, u64>,
    /// Bytes per second that links carry each way, by interface, where they tell.
    speeds: HashMap<String, f64>,
}

#[derive(Debug, Default)]
struct GroupState {
    use_: GroupUse,
    quota: Option<String>,
    set: Option<u32>,
    /// Seconds of CPU, periods, throttled periods.
    used: Option<f64>,
    periods: Option<(u64, u64)>,
    cached: u64,
    current: Option<u64>,
}

impl Meter {
    /// Forgets what was before: the host was restarted, and its counters with it.
    pub(super) fn restart(&mut self) {
        *self = Meter {
            sample: self.sample.clone(),
            counters: HostCounters {
                uname: self.counters.uname.take(),
                ..HostCounters::default()
            },
            group: GroupState {
                use_: GroupUse {
                    version: self.group.use_.version,
                    ..GroupUse::default()
                },
                ..GroupState::default()
            },
            ..Meter::default()
        };
    }

    /// What an interface's device and its speed say; nothing, if there is no device.
    pub(super) fn set_speed(&mut self, interface: &str, device: Option<&str>, speed: Option<&str>) {
        match device.and(speed).and_then(net::link_speed) {
            Some(speed) => self.speeds.insert(interface.to_owned(), speed),
            None => self.speeds.remove(interface),
        };
    }

    /// Which version of control groups the host has.
    pub(super) fn set_group_version(&mut self, version: Option<u8>) {
        self.group.use_.version = version.unwrap_or(0);
    }

    /// Takes in one part, read when the host's clock stood at `now` (seconds). Whether it could be made sense of.
    pub(super) fn take(&mut self, part: Part, text: &str, now: f64) -> bool {
        let since = self.read_at.get(&part).map(|before| now - before);
        let taken = self.part(part, text, since.filter(|since| *since > 0.0));
        if taken.is_some() {
            self.read_at.insert(part, now);
        }
        taken.is_some()
    }

    fn part(&mut self, part: Part, text: &str, since: Option<f64>) -> Option<()> {
        let (sample, counters) = (&mut self.sample, &mut self.counters);
        match part {
            Part::Uptime => counters.uptime = Some(small::uptime(text)?),
            Part::Stat => self.cpu(text)?,
            Part::Load => {
                let load = procfs::load_average(text)?;
                (sample.load, counters.load) = (Some(load), Some(load));
                // Newer than what `/proc/stat` says, whose later lines are not always read.
                if let Some(running) = procfs::runnable(text) {
                    sample.runnable = Some(running.saturating_sub(1));
                    counters.running = Some(running.into());
                }
            }
            Part::CpuPressure | Part::MemoryPressure | Part::IoPressure => {
                self.pressure(part, text, since)?;
            }
            Part::Memory => {
                let memory = procfs::memory(text)?;
                (sample.mem_total, sample.mem_available) = (memory.total, memory.available);
                sample.swap = procfs::swap(text).map(|(total, free)| Used {
                    used: total - free,
                    max: total,
                });
                let told = procfs::memory_fields(text);
                // A reading may end before the last ones: those stay as they were.
                let rest = counters.memory.split_off(told.len().min(counters.memory.len()));
                counters.memory = told;
                counters.memory.extend(rest);
            }
            Part::Disks => self.disks(disk::disks(text), since),
            Part::Interfaces => self.interfaces(net::interfaces(text), since),
            Part::Sockets => {
                let tcp = procfs::tcp_sockets(text)?;
                sample.sockets = Some(SocketCounts {
                    in_use: tcp.in_use,
                    time_wait: tcp.time_wait,
                    orphaned: tcp.orphaned,
                });
                self.sockets(net::sockets(text), false);
            }
            Part::Sockets6 => self.sockets(net::sockets(text), true),
            Part::Netstat => {
                let now = net::listen_drops(text)?;
                let first = *self.first_listen.get_or_insert(now);
                counters.listen = Some(now);
                sample.listen = Some(ListenDrops {
                    overflows: now.0.saturating_sub(first.0),
                    drops: now.1.saturating_sub(first.1),
                });
            }
            Part::Files => {
                let (used, max) = small::files(text)?;
                (sample.files, counters.files) = (Some(Used { used, max }), Some((used, max)));
            }
            Part::Conntrack => {
                let used = small::number(text)?;
                let max = counters.conntrack.map_or(0, |(_, max)| max);
                counters.conntrack = Some((used, max));
                sample.conntrack = Some(Used { used, max });
            }
            Part::ConntrackMax => {
                let max = small::number(text)?;
                let used = counters.conntrack.map_or(0, |(used, _)| used);
                counters.conntrack = Some((used, max));
                sample.conntrack = Some(Used { used, max });
            }
            Part::Vmstat => {
                counters.vm = small::vmstat(text);
                let (_, kills) = counters.vm.iter().find(|(name, _)| name == "oom_kill")?;
                let kills = *kills;
                self.kills(part, kills);
            }
            Part::GroupEvents => {
                let kills = group::field(text, "oom_kill")?;
                self.kills(part, kills);
            }
            Part::Own => {
                let used = small::scheduled(text)?;
                let before = counters.sampler_cpu.replace(used);
                sample.cost = before.map(|before| (used - before).max(0.0));
            }
            Part::GroupLimit
            | Part::GroupPeriod
            | Part::GroupSet
            | Part::GroupStat
            | Part::GroupUsage
            | Part::GroupMemory
            | Part::GroupMemoryLimit
            | Part::GroupMemoryStat => self.group(part, text, since)?,
        }
        Some(())
    }

    fn cpu(&mut self, text: &str) -> Option<()> {
        let stat = procfs::cpu_stat(text)?;
        let (sample, counters) = (&mut self.sample, &mut self.counters);
        let shares = stat
            .ticks
            .shares_since(&self.ticks.replace(stat.ticks).unwrap_or(stat.ticks));
        sample.cpu_busy = shares.busy;
        (sample.cpu_user, sample.cpu_system) = (shares.user, shares.system);
        (sample.cpu_steal, sample.cpu_iowait) = (shares.steal, shares.iowait);
        sample.cores = stat.cores;
        let busy = |core: &procfs::Core| {
            let before = self.cores.get(&core.cpu).copied().unwrap_or(core.ticks);
            core.ticks.shares_since(&before).busy as f32
        };
        sample.core_busy = stat.each.iter().map(busy).collect();
        self.cores = stat.each.iter().map(|core| (core.cpu, core.ticks)).collect();
        counters.cpus = stat.each.iter().map(seconds).collect();
        for (field, name) in [
            (&mut counters.boot, "btime"),
            (&mut counters.running, "procs_running"),
            (&mut counters.blocked, "procs_blocked"),
            (&mut counters.forks, "processes"),
            (&mut counters.switches, "ctxt"),
        ] {
            // A short reading has the lines of the cores only; what is known of the others stays known.
            *field = procfs::stat_field(text, name).or(*field);
        }
        Some(())
    }

    fn pressure(&mut self, part: Part, text: &str, since: Option<f64>) -> Option<()> {
        let now = small::pressure(text)?;
        let sum = self.sample.pressure.get_or_insert_default();
        let (share, counter): (&mut f64, &mut Option<PressureCounters>) = match part {
            Part::CpuPressure => (&mut sum.cpu, &mut self.counters.cpu_pressure),
            Part::MemoryPressure => (&mut sum.memory, &mut self.counters.memory_pressure),
            _ => (&mut sum.io, &mut self.counters.io_pressure),
        };
        let before = counter.replace(now);
        *share = match (before, since) {
            (Some(before), Some(since)) => ((now.some - before.some) / since).clamp(0.0, 1.0),
            _ => 0.0,
        };
        Some(())
    }

    fn disks(&mut self, now: Vec<DiskCounters>, since: Option<f64>) {
        let before = std::mem::replace(&mut self.counters.disks, now);
        let mut sum = DiskUse::default();
        if let Some(since) = since {
            for disk in &self.counters.disks {
                let Some(old) = before.iter().find(|old| old.device == disk.device) else {
                    continue;
                };
                let per_second =
                    |of: fn(&DiskCounters) -> u64| of(disk).saturating_sub(of(old)) as f64 / since;
                if !disk::is_made_of_others(&disk.device) {
                    sum.read += per_second(DiskCounters::read_bytes);
                    sum.written += per_second(DiskCounters::written_bytes);
                }
                let busy = (per_second(DiskCounters::busy_ms) / 1e3).min(1.0);
                if busy > sum.busy || sum.busiest.is_empty() {
                    (sum.busy, sum.busiest) = (busy, Arc::from(&*disk.device));
                }
            }
        }
        self.sample.disk = (!self.counters.disks.is_empty()).then_some(sum);
    }

    fn interfaces(&mut self, now: Vec<(String, [u64; 16])>, since: Option<f64>) {
        let before = std::mem::replace(&mut self.counters.interfaces, now);
        let mut sum = NetworkUse::default();
        let mut packets = 0.0;
        for (name, columns) in &self.counters.interfaces {
            let old = before.iter().find(|(old, _)| old == name);
            if let (Some((_, old)), Some(since), false) = (old, since, name == "lo") {
                let per_second = |column: usize| columns[column].saturating_sub(old[column]) as f64 / since;
                let (received, sent) = (per_second(net::RECEIVED), per_second(net::SENT));
                sum.received += received;
                sum.sent += sent;
                sum.lost += net::LOST.into_iter().map(per_second).sum::<f64>();
                packets += net::PACKETS.into_iter().map(per_second).sum::<f64>();
                if let Some(speed) = self.speeds.get(name) {
                    let used = received.max(sent) / speed;
                    sum.utilization = Some(sum.utilization.map_or(used, |most| most.max(used)));
                }
            }
        }
        if sum.lost > 0.0 {
            sum.loss = sum.lost / (packets + sum.lost);
        }
        self.sample.network = (!self.counters.interfaces.is_empty()).then_some(sum);
    }

    /// The two files have different protocols, so that one is exchanged without the other.
    fn sockets(&mut self, now: Vec<(String, String, u64)>, six: bool) {
        let kept = &mut self.counters.sockets;
        kept.retain(|(protocol, ..)| protocol.ends_with('6') != six);
        kept.extend(
            now.into_iter()
                .filter(|(protocol, ..)| protocol.ends_with('6') == six),
        );
        kept.sort_unstable();
    }

    /// Kills that the container counts are those of the container: they win over the machine's.
    fn kills(&mut self, part: Part, kills: u64) {
        let first = *self.first_kills.entry(part).or_insert(kills);
        if part == Part::GroupEvents || !self.first_kills.contains_key(&Part::GroupEvents) {
            self.sample.oom_kills = Some(kills.saturating_sub(first));
        }
    }

    fn group(&mut self, part: Part, text: &str, since: Option<f64>) -> Option<()> {
        let cores = self.sample.cores;
        let state = &mut self.group;
        match part {
            Part::GroupLimit => {
                state.quota = Some(text.to_owned());
                state.use_.cpu_limit = group::quota(text, None);
            }
            // It comes after the quota.
            Part::GroupPeriod => state.use_.cpu_limit = group::quota(state.quota.as_ref()?, Some(text)),
            Part::GroupSet => state.set = Some(group::core_count(text)?),
            Part::GroupStat => {
                let field = |name| group::field(text, name);
                if let Some(micros) = field("usage_usec") {
                    state.used(micros as f64 / 1e6, since);
                }
                if let (Some(periods), Some(throttled)) = (field("nr_periods"), field("nr_throttled")) {
                    let before = state.periods.replace((periods, throttled));
                    state.use_.throttled = before.map(|before| {
                        let passed = periods.saturating_sub(before.0);
                        let share = throttled.saturating_sub(before.1) as f64 / passed.max(1) as f64;
                        share.min(1.0)
                    });
                }
            }
            Part::GroupUsage => state.used(small::number(text)? as f64 / 1e9, since),
            Part::GroupMemory => state.current = Some(small::number(text)?),
            Part::GroupMemoryLimit => {
                let total = self.sample.mem_total;
                let limit = group::memory_limit(text).filter(|limit| total == 0 || *limit < total);
                state.use_.memory_limit = limit;
            }
            Part::GroupMemoryStat => {
                let cached = group::field(text, "total_inactive_file");
                state.cached = cached.or_else(|| group::field(text, "inactive_file"))?;
            }
            _ => return None,
        }
        // Cores that may not be used are as good as not there.
        if let Some(set) = state.set.filter(|set| *set < cores) {
            let least = state
                .use_
                .cpu_limit
                .map_or(f64::from(set), |limit| limit.min(f64::from(set)));
            state.use_.cpu_limit = Some(least);
        }
        state.use_.memory_used = state.current.map(|current| current.saturating_sub(state.cached));
        let limited = state.use_.cpu_limit.is_some() || state.use_.memory_limit.is_some();
        self.sample.group = limited.then_some(state.use_);
        Some(())
    }
}

impl GroupState {
    fn used(&mut self, seconds: f64, since: Option<f64>) {
        let before = self.used.replace(seconds);
        if let (Some(before), Some(since)) = (before, since) {
            self.use_.cpu_cores = Some(((seconds - before) / since).max(0.0));
        }
    }
}

fn seconds(core: &procfs::Core) -> CpuCounters {
    let seconds = |ticks: u64| ticks as f64 / TICKS_PER_SECOND;
    let ticks = &core.ticks;
    CpuCounters {
        cpu: core.cpu,
        user: seconds(ticks.user),
        nice: seconds(ticks.nice),
        system: seconds(ticks.system),
        idle: seconds(ticks.idle),
        iowait: seconds(ticks.iowait),
        irq: seconds(ticks.irq),
        softirq: seconds(ticks.softirq),
        steal: seconds(ticks.steal),
        guest: seconds(core.guest[0]),
        guest_nice: seconds(core.guest[1]),
    }
}
