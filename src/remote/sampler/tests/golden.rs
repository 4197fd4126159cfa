//! Hosts as their kernels show them, read twice.

use super::*;
use crate::metrics::{GroupUse, ListenDrops, Used};

/// A file of `=== before PATH` and `=== after PATH`, each followed by the text there.
fn read(golden: &str) -> (Sampler, HostSample) {
    let host = Host::default();
    let parts = |phase: &str| -> Vec<(String, String)> {
        let parts = golden.split("=== ").filter_map(|part| {
            let (path, text) = part.strip_prefix(phase)?.split_once('\n')?;
            Some((path.trim().to_owned(), text.to_owned()))
        });
        parts.collect()
    };
    for (path, text) in &parts("before ") {
        host.write(path, text);
    }
    let mut sampler = host.open(&[]).expect("it can be sampled");
    for (path, text) in &parts("after ") {
        host.write(path, text);
    }
    sampler.whole();
    let sample = sampler.read().expect("a sample");
    (sampler, sample)
}

fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
}

#[test]
fn linux_4_4() {
    let (sampler, sample) = read(include_str!("../golden/4.4.txt"));
    // 200 ticks: 100 user, 40 system, 50 idle, 10 iowait.
    near(sample.cpu_busy, 0.7);
    near(sample.cpu_user, 0.5);
    near(sample.cpu_system, 0.2);
    near(sample.cpu_iowait, 0.05);
    assert_eq!((sample.cores, sample.core_busy.len()), (1, 1));
    assert_eq!(
        (sample.mem_total, sample.mem_available),
        (1_014_508 << 10, 512_300 << 10)
    );
    let swap = sample.swap.expect("swap");
    assert_eq!(
        (swap.used, swap.max),
        ((1_048_572 - 917_500) << 10, 1_048_572 << 10)
    );
    assert_eq!(sample.load, Some([0.61, 0.30, 0.25]));
    assert_eq!(
        (sample.pressure, sample.conntrack, sample.oom_kills),
        (None, None, None),
        "too old"
    );
    // 4096 sectors read and 8192 written in 2 s, 1 s of it busy; partitions and optical drives apart.
    let disk = sample.disk.clone().expect("disk");
    near(disk.read, 1_048_576.0);
    near(disk.written, 2_097_152.0);
    near(disk.busy, 0.5);
    assert_eq!(&*disk.busiest, "vda");
    let network = sample.network.expect("network");
    near(network.received, 100_000.0);
    near(network.sent, 300_000.0);
    // 100 packets of 1000 in 2 s; of a link of a gigabit, in the direction that has more to do.
    near(network.lost, 50.0);
    near(network.loss, 0.1);
    near(network.utilization.expect("a speed"), 300_000.0 / 125e6);
    assert_eq!(sample.runnable, Some(1), "two, one of them who read it");
    assert_eq!(
        sample.listen,
        Some(ListenDrops {
            overflows: 0,
            drops: 12
        })
    );
    assert_eq!(
        sample.files,
        Some(Used {
            used: 1248,
            max: 98_874
        })
    );
    assert_eq!(sample.sockets.expect("sockets").time_wait, 14);
    assert_eq!(sample.group, None, "no limit is no container");
    assert_eq!(sample.cost, None, "a kernel without schedstat");
    assert_eq!(sampler.page, 4096);
    let counters = sample.counters.expect("counters");
    assert_eq!(counters.running, Some(2));
    assert_eq!(counters.disks[0].columns.len(), 11);
    assert_eq!(
        (counters.boot, counters.forks),
        (Some(1_618_900_000), Some(45_120))
    );
    assert_eq!(
        counters.uname.as_ref().expect("uname").release,
        "4.4.0-210-generic"
    );
    assert!(
        counters
            .memory
            .iter()
            .any(|field| field.name == "Cached" && field.bytes && field.value == 402_100 << 10)
    );
    assert!(counters.sockets.iter().any(|(protocol, ..)| protocol == "TCP6"));
}

#[test]
fn linux_5_10() {
    let (_, sample) = read(include_str!("../golden/5.10.txt"));
    // The first core had 100 ticks, all of them user, 90 of those for a guest. The second 25 user, 25 system, 30 idle, 10
    // iowait, 10 stolen.
    near(f64::from(sample.core_busy[0]), 1.0);
    near(f64::from(sample.core_busy[1]), 0.5);
    near(sample.cpu_busy, 0.75);
    near(sample.cpu_steal, 0.05);
    let pressure = sample.pressure.expect("pressure");
    near(pressure.cpu, 0.25);
    near(pressure.memory, 0.01);
    near(pressure.io, 0.9);
    assert_eq!((sample.swap, sample.group), (None, None));
    assert_eq!(
        sample.conntrack,
        Some(Used {
            used: 16_384,
            max: 65_536
        })
    );
    near(sample.cost.expect("cost"), 0.000_4);
    assert_eq!(sample.oom_kills, Some(0), "the one kill was before");
    assert_eq!(&*sample.disk.expect("disk").busiest, "sda");
    let counters = sample.counters.expect("counters");
    let devices: Vec<_> = counters.disks.iter().map(|disk| &*disk.device).collect();
    assert_eq!(devices, ["sda", "dm-0", "nvme0n1"]);
    assert_eq!(counters.disks[0].columns.len(), 17);
    assert_eq!(counters.cpu_pressure.expect("pressure").full, None);
    near(counters.cpus[0].guest, 3.9);
}

#[test]
fn linux_6_1_in_a_container_of_version_2() {
    let (sampler, sample) = read(include_str!("../golden/6.1-container-v2.txt"));
    let group = sample.group.expect("limits");
    let expected = GroupUse {
        version: 2,
        cpu_limit: Some(1.5),
        // 2.7 s of CPU in 2 s.
        cpu_cores: Some(1.35),
        // 15 of 20 periods.
        throttled: Some(0.75),
        memory_limit: Some(512 << 20),
        memory_used: Some(500_000_000 - (30 << 20)),
    };
    near(group.cpu_cores.expect("use"), 1.35);
    assert_eq!(
        GroupUse {
            cpu_cores: expected.cpu_cores,
            ..group
        },
        expected
    );
    near(sample.cpu_busy, 0.25);
    near(sample.cpu_utilization(), 0.9);
    near(
        sample.memory_utilization(),
        (500_000_000.0 - 31_457_280.0) / 536_870_912.0,
    );
    assert_eq!(
        sample.oom_kills,
        Some(1),
        "the container's own, not the machine's"
    );
    assert_eq!(sampler.page, 16_384, "1508 kB in 94 pages");
}

#[test]
fn linux_4_19_in_a_container_of_version_1() {
    let (_, sample) = read(include_str!("../golden/4.19-container-v1.txt"));
    let group = sample.group.expect("limits");
    assert_eq!(
        (group.version, group.cpu_limit),
        (1, Some(2.0)),
        "a set of two cores of four"
    );
    near(group.cpu_cores.expect("use"), 1.5);
    near(sample.cpu_utilization(), 0.75);
    assert_eq!(
        (group.memory_limit, group.memory_used),
        (Some(1 << 30), Some(512 << 20))
    );
    assert_eq!(
        (sample.disk, sample.network, sample.sockets),
        (None, None, None),
        "hidden files are no error"
    );
}

#[test]
fn linux_6_8_with_fields_of_the_future_and_counters_that_went_backwards() {
    let (sampler, sample) = read(include_str!("../golden/6.8.txt"));
    // 50 ticks user, 50 idle; iowait went back and is nothing.
    near(sample.cpu_busy, 0.5);
    near(sample.cpu_iowait, 0.0);
    assert_eq!((sample.cores, sample.core_busy.len()), (2, 2));
    let counters = sample.counters.as_ref().expect("counters");
    assert_eq!(
        counters.cpus.iter().map(|cpu| cpu.cpu).collect::<Vec<_>>(),
        [0, 3]
    );
    // eth0 received less than before, eth1 is gone, veth9 is new: none of that is traffic.
    let network = sample.network.expect("network");
    near(network.received, 0.0);
    near(network.sent, 2000.0);
    near(network.loss, 0.0);
    assert_eq!(
        network.utilization, None,
        "a driver that does not know its speed, and a pair of virtual links"
    );
    assert_eq!(sample.runnable, Some(0), "nobody but who read it");
    assert_eq!(sample.sockets, None);
    assert_eq!(counters.disks[0].columns.len(), 17);
    assert_eq!(sampler.page, 65_536);
}

#[test]
fn a_host_that_was_restarted_counts_anew() {
    let host = plain();
    host.write("/proc/vmstat", "oom_kill 5\n");
    let mut sampler = host.open(&[]).expect("sampler");
    host.write("/proc/uptime", "3.00 1.0\n");
    host.write("/proc/stat", "cpu  7 0 0 3\ncpu0 7 0 0 3\n");
    host.write("/proc/vmstat", "oom_kill 1\n");
    sampler.whole();
    let sample = sampler.read().expect("sample");
    assert_eq!((sample.cpu_busy, sample.oom_kills), (0.0, Some(0)));
    host.write("/proc/uptime", "4.00 1.0\n");
    host.write("/proc/stat", "cpu  17 0 0 3\ncpu0 17 0 0 3\n");
    near(sampler.read().expect("sample").cpu_busy, 1.0);
}

#[test]
fn what_is_dear_is_asked_less_often_and_all_of_it_when_told_so() {
    let host = plain();
    for path in ["/proc/net/netstat", "/proc/vmstat", "/proc/diskstats"] {
        host.write(
            path,
            "oom_kill 1\nTcpExt: ListenOverflows ListenDrops\nTcpExt: 1 1\n",
        );
    }
    let mut sampler = host.open(&[]).expect("sampler");
    let mut asked = Vec::new();
    for _ in 0..10 {
        sampler.read().expect("sample");
        asked.extend(host.change(|texts| texts.asked.clone()));
    }
    let count = |path: &str| asked.iter().filter(|asked| *asked == path).count();
    assert_eq!((count("/proc/stat"), count("/proc/diskstats")), (10, 10));
    assert_eq!((count("/proc/net/netstat"), count("/proc/vmstat")), (2, 2));
    assert_eq!(count("/proc/pressure/cpu"), 0, "it was not there");
    sampler.whole();
    sampler.read().expect("sample");
    let all = host.change(|texts| texts.asked.clone());
    assert!(
        all.iter().any(|path| path == "/proc/pressure/cpu") && all.iter().any(|path| path == "/proc/vmstat")
    );
}

#[test]
fn links_are_asked_for_their_speed_in_whole_readings_only() {
    let host = plain();
    let columns = "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0";
    host.write(
        "/proc/net/dev",
        &format!("lo: {columns}\neth0: {columns}\nveth1: {columns}\na/b: {columns}\n"),
    );
    host.write("/sys/class/net/eth0/device/uevent", "DRIVER=x\n");
    host.write("/sys/class/net/eth0/speed", "100\n");
    let mut sampler = host.open(&[]).expect("sampler");
    let mut second = 100;
    let mut asked = |sampler: &mut Sampler| {
        second += 1;
        host.write("/proc/uptime", &format!("{second}.00 1.0\n"));
        let sample = sampler.read().expect("sample");
        let asked = host.change(|texts| texts.asked.clone());
        let of_links = asked.into_iter().filter(|path| path.starts_with("/sys/class"));
        (of_links.collect::<Vec<_>>(), sample.network.expect("network"))
    };
    let (paths, network) = asked(&mut sampler);
    assert!(paths.is_empty() && network.utilization == Some(0.0), "{paths:?}");
    sampler.whole();
    let (paths, _) = asked(&mut sampler);
    assert_eq!(
        paths,
        ["/sys/class/net/eth0/device/uevent", "/sys/class/net/eth0/speed"]
    );
    // The driver went, and with it what it said.
    host.change(|texts| texts.files.remove("/sys/class/net/eth0/speed"));
    sampler.whole();
    asked(&mut sampler);
    assert_eq!(asked(&mut sampler).1.utilization, None);
}

#[test]
fn a_host_that_takes_too_long_is_asked_for_less() {
    for (cost, expected) in [(1_000_000, 10), (3_000_000, 2)] {
        let host = plain();
        host.write("/proc/diskstats", "");
        host.write("/proc/self/schedstat", "0");
        host.change(|texts| texts.cost = cost);
        let mut sampler = host.open(&[]).expect("sampler");
        let mut disks = 0;
        for turn in 0..60 {
            sampler.read().expect("sample");
            let asked = host.change(|texts| texts.asked.clone());
            disks +=
                usize::from((45..55).contains(&turn) && asked.iter().any(|path| path == "/proc/diskstats"));
        }
        assert!(
            disks <= expected && disks > 0,
            "{disks} of 10 readings at {cost} ns"
        );
    }
}

#[test]
fn what_cannot_be_sampled_is_said() {
    let host = Host::default();
    let missing = host.open(&[]).err().expect("no files").to_string();
    assert!(missing.contains("vps has no /proc/stat"), "{missing}");
    let host = plain();
    host.write("/proc/meminfo", "nonsense");
    let malformed = host.open(&[]).err().expect("nonsense").to_string();
    assert!(malformed.contains("/proc/meminfo of vps"), "{malformed}");
}
