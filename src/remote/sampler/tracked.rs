//! What is watched under one name: who belongs to it now, and what they used since the reading before.
//!
//! A process is its id together with its start: an id alone may have been given to another one. Children are followed
//! from reading to reading; the whole table of processes is only read to find somebody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::metrics::{ProcessSample, Used};
use crate::remote::parse::table::Entry;
use crate::remote::procfs::{ProcessStat, TICKS_PER_SECOND};
use crate::remote::watch::{Wanted, Watch};

/// What a reading tells of one process.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// `None` when it is gone.
    pub(super) stat: Option<ProcessStat>,
    pub(super) children: Vec<u32>,
    /// `None` when they may not be counted, or were not this time.
    pub(super) fds: Option<u32>,
    /// How many files it may have open; 0 without a limit, `None` when it was not asked for or not told.
    pub(super) most_fds: Option<u64>,
}

/// A process of ours.
#[derive(Debug, Clone, Default)]
struct Member {
    /// `None` for a child that has not been read yet.
    start: Option<u64>,
    ticks: u64,
    /// One that was asked for itself, not a child.
    root: bool,
    fds: Option<u32>,
    most_fds: Option<u64>,
    /// The reading in which it was asked for its limits.
    limits_at: Option<u64>,
}

/// So many readings a limit is taken to be as it was: it hardly ever changes while a process runs.
const LIMITS_HOLD: u64 = 300;
/// So many processes are followed under one name: each costs the host some time.
const MOST: usize = 200;
/// The most readings between two looks for somebody who is not there.
const LONGEST_WAIT: u64 = 15;

/// What is watched under one name.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) watch: Watch,
    pub(super) name: Arc<str>,
    members: BTreeMap<u32, Member>,
    restarts: u32,
    /// Whether anybody was ever there.
    found_once: bool,
    /// Readings until the next look, and how long the wait after it is; `None` while nobody is looked for.
    look: Option<(u64, u64)>,
    /// The last numbers, for readings that leave processes out.
    last: Option<ProcessSample>,
}

impl Tracked {
    pub(super) fn new(watch: Watch) -> Tracked {
        let name = watch
            .name
            .clone()
            .unwrap_or_else(|| watch.wanted.to_string().into());
        Tracked {
            watch,
            name,
            members: BTreeMap::new(),
            restarts: 0,
            found_once: false,
            look: None,
            last: None,
        }
    }

    /// Who is to be read.
    pub(super) fn pids(&self) -> impl Iterator<Item = u32> {
        self.members.keys().copied()
    }

    /// At most `count` of those whose limits are not known, or were read long ago; they are taken to be asked for now.
    pub(super) fn unsure(&mut self, count: usize, turn: u64) -> Vec<u32> {
        let old = |at: u64| turn.saturating_sub(at) >= LIMITS_HOLD;
        let due = self
            .members
            .iter_mut()
            .filter(|(_, member)| member.limits_at.is_none_or(old))
            .take(count);
        due.map(|(pid, member)| {
            member.limits_at = Some(turn);
            *pid
        })
        .collect()
    }

    /// Whether somebody is to be looked for now. To be asked once a reading.
    pub(super) fn is_due(&mut self) -> bool {
        match &mut self.look {
            None => false,
            Some((0, wait)) => {
                // Twice as long from time to time: to look is dear.
                self.look = Some((*wait, (*wait * 2).min(LONGEST_WAIT)));
                true
            }
            Some((left, _)) => {
                *left -= 1;
                false
            }
        }
    }

    /// Starts to look for somebody who is not there.
    pub(super) fn search(&mut self) {
        self.look.get_or_insert((0, 1));
    }

    /// Takes in who was found: `roots` and all their descendants in `table`. What they have used so far does not count.
    /// Whether there is anybody new.
    pub(super) fn found(&mut self, roots: &[u32], table: &[Entry]) -> bool {
        let mut new = false;
        let mut queue: Vec<(u32, bool)> = roots.iter().map(|pid| (*pid, true)).collect();
        while let Some((pid, root)) = queue.pop() {
            let Some(entry) = table.iter().find(|entry| entry.stat.pid == pid) else {
                continue;
            };
            let stat = &entry.stat;
            let known = self
                .members
                .get(&pid)
                .is_some_and(|member| member.start == Some(stat.start));
            if stat.is_zombie() || self.members.len() >= MOST {
                continue;
            }
            if known {
                if let Some(member) = self.members.get_mut(&pid) {
                    member.root |= root;
                }
            } else {
                new |= root;
                self.members.insert(
                    pid,
                    Member {
                        start: Some(stat.start),
                        ticks: stat.cpu_ticks,
                        root,
                        ..Member::default()
                    },
                );
            }
            if root || !known {
                let children = table.iter().filter(|entry| entry.stat.parent == pid);
                queue.extend(children.map(|child| (child.stat.pid, false)));
            }
        }
        if new {
            if self.watch.name.is_none() && !self.found_once {
                self.name = self.name_of(roots, table);
            }
            self.restarts += u32::from(self.found_once);
            self.found_once = true;
            self.look = None;
        } else if self.has_root() {
            self.look = None;
        }
        new
    }

    /// `redis-server` as it was asked for; `node :3001` for a port, `node (812)` for an id.
    fn name_of(&self, roots: &[u32], table: &[Entry]) -> Arc<str> {
        let first = roots
            .iter()
            .find_map(|pid| table.iter().find(|entry| entry.stat.pid == *pid));
        match (&self.watch.wanted, first) {
            (Wanted::Port(port), Some(entry)) => format!("{} :{port}", entry.program()).into(),
            (Wanted::Pid(pid), Some(entry)) => format!("{} ({pid})", entry.program()).into(),
            (wanted, _) => wanted.to_string().into(),
        }
    }

    /// Whether one that was asked for itself is alive.
    pub(super) fn has_root(&self) -> bool {
        self.members.values().any(|member| member.root)
    }

    /// The sum of all members over `elapsed` seconds, from what was told of each; `None` when nobody is left. Members that
    /// ended leave; children that are new join. The second value: whether one that was asked for itself has ended. `counted`
    /// are those that stand under an earlier name already; ours join them.
    pub(super) fn sample(
        &mut self,
        told: &BTreeMap<u32, Told>,
        elapsed: f64,
        page: u64,
        counted: &mut BTreeSet<u32>,
    ) -> (Option<ProcessSample>, bool) {
        let mut sum = ProcessSample {
            name: self.name.clone(),
            members: 0,
            threads: 0,
            restarts: self.restarts,
            ..ProcessSample::default()
        };
        let (mut lost, mut ticks, mut fds, mut children) = (false, 0_u64, Some(0_u32), Vec::new());
        let mut repeated_ticks = 0_u64;
        self.members.retain(|pid, member| {
            let Some(told) = told.get(pid) else {
                // A child that joined after the question was sent.
                return member.start.is_none();
            };
            let alive = told.stat.as_ref().filter(|stat| !stat.is_zombie());
            let same = |stat: &&ProcessStat| member.start.is_none_or(|start| start == stat.start);
            let Some(stat) = alive.filter(same) else {
                lost |= member.root;
                return false;
            };
            let used = stat.cpu_ticks.saturating_sub(member.ticks);
            let resident = stat.resident_pages.saturating_mul(page);
            ticks = ticks.saturating_add(used);
            if !counted.insert(*pid) {
                repeated_ticks = repeated_ticks.saturating_add(used);
                sum.repeated.rss = sum.repeated.rss.saturating_add(resident);
            }
            (member.start, member.ticks) = (Some(stat.start), stat.cpu_ticks);
            member.fds = told.fds.or(member.fds);
            fds = fds.zip(member.fds).map(|(sum, more)| sum.saturating_add(more));
            member.most_fds = told.most_fds.or(member.most_fds);
            if let (Some(open), Some(max)) = (member.fds, member.most_fds) {
                let own = Used {
                    used: open.into(),
                    max,
                };
                let nearer = sum.files.is_none_or(|files| own.ratio() > files.ratio());
                sum.files = if nearer { Some(own) } else { sum.files };
            }
            sum.members += 1;
            sum.rss = sum.rss.saturating_add(resident);
            sum.threads = sum.threads.saturating_add(stat.threads);
            if member.root && (sum.pid == 0 || *pid < sum.pid) {
                sum.pid = *pid;
            }
            children.extend_from_slice(&told.children);
            true
        });
        for child in children {
            if self.members.len() < MOST {
                self.members.entry(child).or_default();
            }
        }
        if sum.members == 0 {
            self.last = None;
            return (None, lost);
        }
        if sum.pid == 0 {
            // Only children are left.
            sum.pid = self.members.keys().next().copied().unwrap_or(0);
        }
        sum.fds = fds;
        let cores = |ticks: u64| {
            if elapsed > 0.0 {
                ticks as f64 / TICKS_PER_SECOND / elapsed
            } else {
                0.0
            }
        };
        sum.cpu_cores = cores(ticks);
        sum.repeated.cpu_cores = cores(repeated_ticks);
        self.last = Some(sum.clone());
        (Some(sum), lost)
    }

    /// The numbers of the reading before.
    pub(super) fn last(&self) -> Option<ProcessSample> {
        self.last.clone()
    }
}
