//! What this machine is: names, cores, memory, and what its control group leaves of them.
//!
//! What cannot be read is left out: a saved run without the processor's name is still a saved run.

use std::fs;
use std::path::{Path, PathBuf};

use super::procfs;
use crate::metrics::machine::{Limits, Machine};

/// Reads this machine's make.
pub fn machine() -> Machine {
    let mut machine = of(Path::new("/"));
    if let Ok(name) = nix::sys::utsname::uname() {
        let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
        machine.host = text(name.nodename());
        machine.kernel = format!("{} {}", text(name.sysname()), text(name.release()));
    }
    machine
}

/// What the files under `root` tell.
fn of(root: &Path) -> Machine {
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let cpuinfo = read("proc/cpuinfo");
    let listed = cpuinfo
        .lines()
        .filter(|line| field(line, "processor").is_some())
        .count();
    let usable = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let os = os_name(&read("etc/os-release"));
    Machine {
        host: String::new(),
        os: os.unwrap_or_else(|| std::env::consts::OS.to_owned()),
        kernel: String::new(),
        architecture: std::env::consts::ARCH.to_owned(),
        cores: u32::try_from(if listed > 0 { listed } else { usable }).unwrap_or(u32::MAX),
        cpu_model: cpuinfo.lines().find_map(|line| field(line, "model name")),
        memory: procfs::memory(&read("proc/meminfo")).map(|memory| memory.total),
        limits: limits(root, &read("proc/self/cgroup")),
    }
}

/// The value of a line `name : value`.
pub(super) fn field(line: &str, name: &str) -> Option<String> {
    let (key, value) = line.split_once(':')?;
    (key.trim() == name).then(|| value.trim().to_owned())
}

/// `PRETTY_NAME` of os-release(5).
pub(super) fn os_name(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    let value = value.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

/// The least that the control groups of this process, from its own up to the root, allow.
fn limits(root: &Path, groups: &str) -> Option<Limits> {
    let base = root.join("sys/fs/cgroup");
    let mut found = Limits {
        cgroup: 2,
        cpus: None,
        memory: None,
    };
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let has = |name: &str| controllers.split(',').any(|controller| controller == name);
        if controllers.is_empty() {
            for group in upwards(&base, path) {
                found.cpus = least(found.cpus, cpu_max(&text(&group, "cpu.max")));
                found.memory = least(found.memory, number(&text(&group, "memory.max")));
            }
        } else if has("cpu") || has("memory") {
            for group in upwards(&base.join(controllers), path) {
                let quota = quota(
                    &text(&group, "cpu.cfs_quota_us"),
                    &text(&group, "cpu.cfs_period_us"),
                );
                let memory = number(&text(&group, "memory.limit_in_bytes")).filter(|limit| *limit < NO_LIMIT);
                if quota.is_some() || memory.is_some() {
                    found.cgroup = 1;
                }
                found.cpus = least(found.cpus, quota);
                found.memory = least(found.memory, memory);
            }
        }
    }
    (found.cpus.is_some() || found.memory.is_some()).then_some(found)
}

/// In version 1 no limit is the greatest number of pages, in bytes: far more than any machine has.
const NO_LIMIT: u64 = 1 << 60;

/// The folder of a group and those above it. In a container the path is often that of the host, and only the root is
/// there.
fn upwards(base: &Path, path: &str) -> Vec<PathBuf> {
    let path = Path::new(path.trim_start_matches('/'));
    path.ancestors().map(|part| base.join(part)).collect()
}

fn text(group: &Path, file: &str) -> String {
    fs::read_to_string(group.join(file)).unwrap_or_default()
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// `max 100000` or `150000 100000`.
fn cpu_max(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    self::quota(quota, period)
}

fn quota(quota: &str, period: &str) -> Option<f64> {
    // A quota of -1, or "max", is none.
    let (quota, period) = (number(quota)?, number(period)?);
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

fn least<T: PartialOrd>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other < one { other } else { one }),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn a_machine_is_read_from_its_files() {
        let root = root(&[
            (
                "etc/os-release",
                "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
            ),
            (
                "proc/cpuinfo",
                "processor\t: 0\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\nmodel name\t: AMD EPYC\n",
            ),
            (
                "proc/meminfo",
                "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 600 kB\n",
            ),
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/cpu.max", "150000 100000\n"),
            ("sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/a/b/memory.max", "5000000\n"),
        ]);
        let machine = of(root.path());
        assert_eq!(machine.os, "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(
            (machine.cores, machine.cpu_model.as_deref()),
            (2, Some("AMD EPYC"))
        );
        assert_eq!(machine.memory, Some(1_024_000));
        let limits = Limits {
            cgroup: 2,
            cpus: Some(1.5),
            memory: Some(5_000_000),
        };
        assert_eq!(machine.limits, Some(limits));
    }

    #[test]
    fn version_1_has_a_tree_for_each_controller() {
        let root = root(&[
            ("proc/self/cgroup", "4:memory:/not/here\n1:cpu,cpuacct:/\n0::/\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
        ]);
        let limits = Limits {
            cgroup: 1,
            cpus: Some(0.5),
            memory: None,
        };
        assert_eq!(of(root.path()).limits, Some(limits));
    }

    #[test]
    fn a_machine_that_tells_nothing_is_still_one() {
        let root = root(&[]);
        let machine = of(root.path());
        assert!(machine.cores >= 1 && machine.memory.is_none() && machine.limits.is_none());
        assert_eq!(machine.os, std::env::consts::OS);
    }

    #[test]
    fn this_machine_has_a_name_and_a_kernel() {
        let machine = machine();
        assert!(
            !machine.host.is_empty() && !machine.kernel.is_empty() && machine.cores >= 1,
            "{machine:?}"
        );
    }
}
