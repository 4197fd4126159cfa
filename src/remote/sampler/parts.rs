//! What is read of a host, from which files, and how often: the dear parts less often than the cheap ones.

use crate::remote::parse::group::{CpuFiles, MemoryFiles};
use crate::remote::source::File;

/// A part of a reading: one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Uptime,
    Stat,
    Load,
    CpuPressure,
    MemoryPressure,
    IoPressure,
    GroupStat,
    GroupUsage,
    GroupMemory,
    Memory,
    Disks,
    Interfaces,
    Sockets,
    Files,
    Conntrack,
    Netstat,
    Vmstat,
    GroupMemoryStat,
    GroupEvents,
    Sockets6,
    ConntrackMax,
    GroupLimit,
    GroupPeriod,
    GroupSet,
    GroupMemoryLimit,
    /// Last, so that it counts the others.
    Own,
}

/// How often a part is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Often {
    /// Each time.
    Always,
    /// Each time, unless the host cannot afford it.
    Usually,
    /// Every fifth time, at this place of the five; what costs as much as all the others together.
    Seldom(u64),
    /// With a whole reading only: it does not change.
    Once,
}

/// A process's limits, as far as that of open files.
const LIMITS: usize = 9;
/// So many links are asked for their speed.
const LINKS: usize = 16;

/// What a process may have open, and other limits.
pub(super) fn limits(pid: u32) -> File {
    File::lines(format!("/proc/{pid}/limits"), LIMITS)
}

/// Of these interfaces, each that may be a link with a speed: what only a device has, and the speed. Without a device behind
/// it an interface has a number there that means nothing: a pair of virtual ones says 10 gigabits.
pub(super) fn links(interfaces: &[(String, [u64; 16])]) -> Vec<(String, [File; 2])> {
    // A name is a part of a path and of a line of words.
    let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    let may_be = |name: &&String| plain(name) && *name != "lo" && !name.starts_with("veth");
    interfaces
        .iter()
        .map(|(name, _)| name)
        .filter(may_be)
        .take(LINKS)
        .map(|name| {
            let folder = format!("/sys/class/net/{name}");
            let device = File::lines(format!("{folder}/device/uevent"), 1);
            (name.clone(), [device, File::lines(format!("{folder}/speed"), 1)])
        })
        .collect()
}

/// Every so many readings what was missing is asked for again, and what never changes read again.
const WHOLE: u64 = 60;
/// The rare parts take turns.
const TURNS: u64 = 5;
/// The place of the rest of the fields on memory: with one short line.
const MEMORY_REST: u64 = 0;

impl Part {
    pub(super) const ALL: [Part; 26] = [
        Part::Uptime,
        Part::Stat,
        Part::Load,
        Part::CpuPressure,
        Part::MemoryPressure,
        Part::IoPressure,
        Part::GroupStat,
        Part::GroupUsage,
        Part::GroupMemory,
        Part::Memory,
        Part::Disks,
        Part::Interfaces,
        Part::Sockets,
        Part::Files,
        Part::Conntrack,
        Part::Netstat,
        Part::Vmstat,
        Part::GroupMemoryStat,
        Part::GroupEvents,
        Part::Sockets6,
        Part::ConntrackMax,
        Part::GroupLimit,
        Part::GroupPeriod,
        Part::GroupSet,
        Part::GroupMemoryLimit,
        Part::Own,
    ];

    fn often(self) -> Often {
        match self {
            Part::Uptime
            | Part::Stat
            | Part::Load
            | Part::CpuPressure
            | Part::MemoryPressure
            | Part::IoPressure
            | Part::GroupStat
            | Part::GroupUsage
            | Part::GroupMemory
            | Part::Own => Often::Always,
            Part::Memory | Part::Disks | Part::Interfaces | Part::Sockets => Often::Usually,
            // The limits of the whole machine take a process to read.
            Part::Files => Often::Seldom(0),
            Part::Netstat => Often::Seldom(1),
            Part::Vmstat => Often::Seldom(2),
            Part::GroupMemoryStat | Part::Conntrack => Often::Seldom(3),
            Part::GroupEvents | Part::Sockets6 => Often::Seldom(4),
            Part::ConntrackMax
            | Part::GroupLimit
            | Part::GroupPeriod
            | Part::GroupSet
            | Part::GroupMemoryLimit => Often::Once,
        }
    }
}

/// Which parts the next reading has.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The next reading's number.
    pub(super) turn: u64,
    /// The next reading leaves nothing out.
    pub(super) whole: bool,
    /// What is not dear is read every so many times; 1 unless the host cannot afford it.
    pub(super) stretch: u64,
    /// Parts that the last whole reading did not get.
    pub(super) missing: Vec<Part>,
    /// Cores, so that the long lines after theirs need not be read.
    pub(super) cores: usize,
    /// Whether each reading is read by a shell, where each byte counts.
    pub(super) thrifty: bool,
    pub(super) cpu: Option<CpuFiles>,
    pub(super) memory: Option<MemoryFiles>,
    pub(super) own: &'static str,
}

impl Plan {
    /// Whether this is a reading of everything.
    pub(super) fn is_whole(&self) -> bool {
        self.whole || self.turn.is_multiple_of(WHOLE)
    }

    /// Whether what is usually read is read.
    pub(super) fn is_usual(&self) -> bool {
        self.is_whole() || self.turn.is_multiple_of(self.stretch)
    }

    /// Whether this is the one of so many readings that has the rare parts at this place.
    fn is_turn_of(&self, place: u64) -> bool {
        !self.thrifty || self.turn % (TURNS * self.stretch) == place
    }

    /// The parts of this reading.
    pub(super) fn parts(&self) -> Vec<(Part, File)> {
        let due = |part: Part| match part.often() {
            _ if self.is_whole() => true,
            _ if self.missing.contains(&part) => false,
            Often::Always => true,
            Often::Usually => self.is_usual(),
            Often::Seldom(place) => self.is_turn_of(place),
            Often::Once => false,
        };
        Part::ALL
            .into_iter()
            .filter(|part| due(*part))
            .filter_map(|part| Some((part, self.file(part)?)))
            .collect()
    }

    /// `None` for a part of a control group that is not limited.
    fn file(&self, part: Part) -> Option<File> {
        let (cpu, memory) = (self.cpu.as_ref(), self.memory.as_ref());
        Some(match part {
            Part::Uptime => File::lines("/proc/uptime", 1),
            Part::Stat => File {
                // The line of interrupts is longer than all others together.
                skip: "intr",
                most: if self.is_whole() || self.cores == 0 {
                    0
                } else {
                    self.cores + 1
                },
                last: "softirq",
                ..File::whole("/proc/stat")
            },
            Part::Load => File::lines("/proc/loadavg", 1),
            Part::CpuPressure => File::whole("/proc/pressure/cpu"),
            Part::MemoryPressure => File::whole("/proc/pressure/memory"),
            Part::IoPressure => File::whole("/proc/pressure/io"),
            Part::Memory => File {
                // What comes after it changes little, and is as much again.
                last: if self.is_whole() || self.is_turn_of(MEMORY_REST) {
                    ""
                } else {
                    "SReclaimable"
                },
                ..File::whole("/proc/meminfo")
            },
            Part::Disks => File::whole("/proc/diskstats"),
            Part::Interfaces => File::whole("/proc/net/dev"),
            Part::Sockets => File::whole("/proc/net/sockstat"),
            Part::Sockets6 => File::whole("/proc/net/sockstat6"),
            Part::Netstat => File::lines("/proc/net/netstat", 2),
            Part::Files => File::lines("/proc/sys/fs/file-nr", 1),
            Part::Conntrack => File::lines("/proc/sys/net/netfilter/nf_conntrack_count", 1),
            Part::ConntrackMax => File::lines("/proc/sys/net/netfilter/nf_conntrack_max", 1),
            Part::Vmstat => File {
                last: "oom_kill",
                ..File::whole("/proc/vmstat")
            },
            Part::GroupLimit => File::lines(&cpu?.limit, 1),
            Part::GroupPeriod => File::lines(cpu?.period.as_ref()?, 1),
            Part::GroupSet => File::lines(&cpu?.set, 1),
            Part::GroupStat => File::whole(&cpu?.stat),
            Part::GroupUsage => File::lines(cpu?.usage.as_ref()?, 1),
            Part::GroupMemory => File::lines(&memory?.current, 1),
            Part::GroupMemoryLimit => File::lines(&memory?.limit, 1),
            Part::GroupEvents => File::whole(&memory?.events),
            Part::GroupMemoryStat => File {
                last: if memory?.version == 1 {
                    "total_inactive_file"
                } else {
                    "inactive_file"
                },
                ..File::whole(&memory?.stat)
            },
            Part::Own => File::lines(self.own, 1),
        })
    }
}
