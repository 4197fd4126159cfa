//! Control groups, versions 1 and 2: what the container that a host is may use, and how much of that it does.
//!
//! Whether a host is a container is not told anywhere. What counts is a limit: the group at the root of the mounted
//! hierarchy (which in a container is the container's own), and the group of process 1 (which is the container's where the
//! hierarchy shows the whole machine). A session's own group is not looked at: it is not the target's.

/// Files of the group that limits CPU time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuFiles {
    pub version: u8,
    /// `cpu.max`, or the quota.
    pub limit: String,
    /// Version 1: the period.
    pub period: Option<String>,
    /// Which cores may be used.
    pub set: String,
    /// `cpu.stat`: throttling, and in version 2 the CPU time used.
    pub stat: String,
    /// Version 1: the CPU time used.
    pub usage: Option<String>,
}

/// Files of the group that limits memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryFiles {
    pub version: u8,
    pub limit: String,
    pub current: String,
    pub stat: String,
    /// Where kills for want of memory are counted.
    pub events: String,
}

/// Groups that may be limited, by `/proc/1/cgroup`: those at the root first, then those of process 1.
pub fn candidates(groups: &str) -> (Vec<CpuFiles>, Vec<MemoryFiles>) {
    let (mut cpu, mut memory) = (vec![cpu_2("")], vec![memory_2("")]);
    let mut paths = Paths::default();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        // The path goes to a shell as one word.
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.:@\\".contains(c);
        let path = path.trim_end_matches('/');
        if !(path.is_empty() || path.starts_with('/')) || !path.chars().all(plain) || path.contains("..") {
            continue;
        }
        if controllers.is_empty() {
            if !path.is_empty() {
                cpu.push(cpu_2(path));
                memory.push(memory_2(path));
            }
            continue;
        }
        for controller in controllers.split(',') {
            let place = match controller {
                "cpu" => &mut paths.cpu,
                "cpuacct" => &mut paths.usage,
                "cpuset" => &mut paths.set,
                "memory" => &mut paths.memory,
                _ => continue,
            };
            // Controllers that are mounted together are one folder, called by both.
            *place = Some((format!("/sys/fs/cgroup/{controllers}"), path.to_owned()));
        }
    }
    let at = |place: &Option<(String, String)>, own: bool| {
        let (base, path) = place.as_ref()?;
        (!own || !path.is_empty()).then(|| {
            if own {
                format!("{base}{path}")
            } else {
                base.clone()
            }
        })
    };
    for own in [false, true] {
        if let Some(folder) = at(&paths.cpu, own) {
            let usage = at(&paths.usage, own).unwrap_or_else(|| folder.clone());
            let set = at(&paths.set, own).unwrap_or_else(|| "/sys/fs/cgroup/cpuset".to_owned());
            cpu.push(CpuFiles {
                version: 1,
                limit: format!("{folder}/cpu.cfs_quota_us"),
                period: Some(format!("{folder}/cpu.cfs_period_us")),
                set: format!("{set}/cpuset.effective_cpus"),
                stat: format!("{folder}/cpu.stat"),
                usage: Some(format!("{usage}/cpuacct.usage")),
            });
        }
        if let Some(folder) = at(&paths.memory, own) {
            memory.push(MemoryFiles {
                version: 1,
                limit: format!("{folder}/memory.limit_in_bytes"),
                current: format!("{folder}/memory.usage_in_bytes"),
                stat: format!("{folder}/memory.stat"),
                events: format!("{folder}/memory.oom_control"),
            });
        }
    }
    (cpu, memory)
}

/// Folder of the hierarchy and path in it, by controller of version 1.
#[derive(Default)]
struct Paths {
    cpu: Option<(String, String)>,
    usage: Option<(String, String)>,
    set: Option<(String, String)>,
    memory: Option<(String, String)>,
}

fn cpu_2(path: &str) -> CpuFiles {
    let folder = format!("/sys/fs/cgroup{path}");
    CpuFiles {
        version: 2,
        limit: format!("{folder}/cpu.max"),
        period: None,
        set: format!("{folder}/cpuset.cpus.effective"),
        stat: format!("{folder}/cpu.stat"),
        usage: None,
    }
}

fn memory_2(path: &str) -> MemoryFiles {
    let folder = format!("/sys/fs/cgroup{path}");
    MemoryFiles {
        version: 2,
        limit: format!("{folder}/memory.max"),
        current: format!("{folder}/memory.current"),
        stat: format!("{folder}/memory.stat"),
        events: format!("{folder}/memory.events"),
    }
}

/// Cores that a quota is worth: `150000 100000`, or quota and period by themselves. `None` without a limit.
pub fn quota(limit: &str, period: Option<&str>) -> Option<f64> {
    let mut words = limit.split_ascii_whitespace();
    // `max`, and -1 in version 1, are no limit.
    let quota: u64 = words.next()?.parse().ok()?;
    let period: u64 = match period {
        Some(period) => period.trim().parse().ok()?,
        None => words.next()?.parse().ok()?,
    };
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// How many cores a list such as `0-3,7` names. `None` for what is no such list, or an empty one.
pub fn core_count(list: &str) -> Option<u32> {
    let mut count: u32 = 0;
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        count = count.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    (count > 0).then_some(count)
}

/// The number of a line `name number`, as in `cpu.stat`, `memory.stat` and `memory.events`.
pub fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        (key == name).then(|| value.trim().parse().ok()).flatten()
    })
}

/// A memory limit; `None` for `max`, and for version 1's way to say it: the most pages that there can be.
pub fn memory_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|limit| *limit < 1 << 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_a_container_and_of_a_machine() {
        let (cpu, memory) = candidates("0::/\n");
        assert_eq!((cpu.len(), memory.len()), (1, 1));
        assert_eq!(cpu[0].limit, "/sys/fs/cgroup/cpu.max");
        let (cpu, _) = candidates("0::/init.scope\n");
        assert_eq!(cpu[1].limit, "/sys/fs/cgroup/init.scope/cpu.max");
        let (cpu, memory) = candidates(
            "11:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n2:cpuset:/\n1:name=systemd:/docker/abc\n",
        );
        assert_eq!((cpu.len(), memory.len()), (3, 3));
        assert_eq!(
            cpu[1].usage.as_deref(),
            Some("/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage")
        );
        assert_eq!(cpu[2].stat, "/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.stat");
        assert_eq!(
            memory[2].limit,
            "/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes"
        );
    }

    #[test]
    fn a_path_that_is_no_plain_word_is_not_followed() {
        for odd in [
            "0::/a b\n",
            "0::/$(reboot)\n",
            "0::/..\n",
            "0::/a'b\n",
            "0:\n",
            ":::::\n",
        ] {
            assert_eq!(candidates(odd).0.len(), 1, "{odd:?}");
        }
    }

    #[test]
    fn limits() {
        assert_eq!(quota("150000 100000\n", None), Some(1.5));
        assert_eq!(quota("50000\n", Some("100000\n")), Some(0.5));
        for none in [
            ("max 100000", None),
            ("-1", Some("100000")),
            ("5", None),
            ("5 0", None),
            ("", None),
        ] {
            assert_eq!(quota(none.0, none.1), None, "{none:?}");
        }
        assert_eq!(
            (core_count("0-3,7\n"), core_count("2"), core_count("")),
            (Some(5), Some(1), None)
        );
        for none in ["3-1", "x", "0-4294967295,1", "0,,1"] {
            assert_eq!(core_count(none), None, "{none}");
        }
        assert_eq!(memory_limit("536870912\n"), Some(536_870_912));
        assert_eq!(
            (memory_limit("max\n"), memory_limit("9223372036854771712\n")),
            (None, None)
        );
        assert_eq!(field("oom 1\noom_kill 2\n", "oom_kill"), Some(2));
        assert_eq!(field("oom_kill -2\n", "oom_kill"), None);
    }
}
