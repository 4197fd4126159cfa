//! Samples of a machine made of files, so that counters can be given, and of this very process.

use std::time::Duration;

use super::*;

/// A machine made of files: two cores, `processes` as (pid, parent, start, ticks, state).
fn machine(root: &Path, busy: u64, processes: &[(u32, u32, u64, u64, char)]) {
    let write = |file: &str, text: &str| {
        let path = root.join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
        fs::write(path, text).expect("file");
    };
    write(
        "stat",
        &format!("cpu {busy} 0 0 1000 0 0 0 0\ncpu0 0 0 0 0\ncpu1 0 0 0 0\n"),
    );
    write("meminfo", "MemTotal: 1000 kB\nMemAvailable: 400 kB\n");
    for (pid, parent, start, ticks, state) in processes {
        let stat =
            format!("{pid} (a) b) {state} {parent} 1 1 0 -1 0 0 0 0 0 {ticks} 0 0 0 20 0 3 0 {start} 0 0");
        write(&format!("{pid}/stat"), &stat);
        write(&format!("{pid}/status"), "Name:\ta\nVmRSS:\t10 kB\n");
    }
}

fn watch(pid: u32, with_children: bool) -> Watch {
    Watch {
        name: "target".into(),
        pid,
        with_children,
    }
}

fn probe(root: &Path, watches: Vec<Watch>) -> Result<LocalProbe, ProbeError> {
    LocalProbe::of(root.to_owned(), Instant::now(), watches)
}

#[test]
fn a_machine_and_its_processes() {
    let root = tempfile::tempdir().expect("directory");
    machine(root.path(), 100, &[(7, 1, 50, 200, 'S')]);
    let mut probe = probe(root.path(), vec![watch(7, false)]).expect("probe");
    machine(root.path(), 200, &[(7, 1, 50, 260, 'R')]);
    std::thread::sleep(Duration::from_millis(20));
    let sample = probe.read().expect("sample");
    assert!(
        (sample.cpu_busy - 1.0).abs() < 1e-9,
        "100 ticks passed, all of them busy: {}",
        sample.cpu_busy
    );
    assert_eq!(
        (sample.cores, sample.mem_total, sample.mem_available),
        (2, 1_024_000, 409_600)
    );
    assert_eq!(
        (sample.load, sample.sockets),
        (None, None),
        "files that are missing are no error"
    );
    let [process] = sample.processes.as_slice() else {
        panic!("one process: {sample:?}")
    };
    assert_eq!(
        (process.pid, process.rss, process.threads, process.fds),
        (7, 10_240, 3, None)
    );
    // 60 ticks are 0.6 s of CPU, in at least 20 ms.
    assert!(
        process.cpu_cores > 0.0 && process.cpu_cores <= 0.6 / 0.02,
        "{}",
        process.cpu_cores
    );
}

#[test]
fn children_are_added_and_the_newly_born_count_whole() {
    let root = tempfile::tempdir().expect("directory");
    machine(
        root.path(),
        100,
        &[(7, 1, 50, 0, 'S'), (8, 7, 51, 1000, 'S'), (9, 1, 52, 0, 'S')],
    );
    let mut with = probe(root.path(), vec![watch(7, true), watch(9, false)]).expect("probe");
    machine(
        root.path(),
        100,
        &[
            (7, 1, 50, 0, 'S'),
            (8, 7, 51, 1100, 'S'),
            (9, 1, 52, 0, 'S'),
            (10, 8, 90, 100, 'S'),
            (11, 7, 91, 900, 'Z'),
        ],
    );
    with.read_at = Instant::now()
        .checked_sub(Duration::from_secs(2))
        .expect("earlier");
    let sample = with.read().expect("sample");
    let [process, other] = sample.processes.as_slice() else {
        panic!("two processes: {sample:?}")
    };
    assert_eq!(
        (process.threads, process.rss),
        (9, 30_720),
        "itself, its child and its grandchild, but no zombie"
    );
    assert!(
        (process.cpu_cores - 1.0).abs() < 0.05,
        "2 s of CPU in 2 s: {}",
        process.cpu_cores
    );
    assert_eq!((other.threads, other.cpu_cores), (3, 0.0));
}

#[test]
fn another_process_with_the_same_id_is_not_the_one_that_was_meant() {
    let root = tempfile::tempdir().expect("directory");
    machine(root.path(), 100, &[(7, 1, 50, 200, 'S')]);
    let mut probe = probe(root.path(), vec![watch(7, false)]).expect("probe");
    assert_eq!(probe.read().expect("sample").processes.len(), 1);
    machine(root.path(), 100, &[(7, 1, 999, 5, 'S')]);
    assert!(probe.read().expect("sample").processes.is_empty());
}

#[test]
fn a_process_that_ends_leaves_the_sample() {
    let root = tempfile::tempdir().expect("directory");
    machine(root.path(), 100, &[(7, 1, 50, 200, 'S'), (8, 1, 51, 0, 'S')]);
    let mut probe = probe(root.path(), vec![watch(7, false), watch(8, false)]).expect("probe");
    machine(root.path(), 100, &[(8, 1, 51, 0, 'Z')]);
    fs::remove_dir_all(root.path().join("7")).expect("removed");
    assert!(
        probe.read().expect("sample").processes.is_empty(),
        "one is gone, one is a zombie"
    );
}

#[test]
fn what_cannot_be_sampled_is_said() {
    let root = tempfile::tempdir().expect("directory");
    let missing = probe(root.path(), vec![]).expect_err("no files");
    assert!(matches!(missing, ProbeError::Read { .. }), "{missing}");
    machine(root.path(), 100, &[]);
    let absent = probe(root.path(), vec![watch(7, false)]).expect_err("no process");
    assert!(absent.to_string().contains("no process 7 (target)"), "{absent}");
    let mut made = probe(root.path(), vec![]).expect("probe");
    fs::write(root.path().join("meminfo"), "nonsense").expect("file");
    let malformed = made.read().expect_err("nonsense");
    assert!(malformed.to_string().contains("meminfo"), "{malformed}");
    fs::write(root.path().join("stat"), [0xff, 0xfe, b'\n']).expect("file");
    assert!(matches!(made.read(), Err(ProbeError::Malformed { .. })));
}

#[cfg(target_os = "linux")]
#[test]
fn this_very_process() {
    let mut probe = LocalProbe::new(Instant::now(), vec![watch(std::process::id(), false)]).expect("probe");
    let until = Instant::now() + Duration::from_millis(300);
    let mut spins = 0_u64;
    while Instant::now() < until {
        spins = std::hint::black_box(spins.wrapping_add(1));
    }
    let sample = probe.read().expect("sample");
    assert!(
        sample.at >= 300_000_000 && sample.cores >= 1 && sample.cpu_busy > 0.0,
        "{sample:?}"
    );
    assert!(
        sample.mem_available > 0 && sample.mem_available <= sample.mem_total,
        "{sample:?}"
    );
    let [process] = sample.processes.as_slice() else {
        panic!("one process: {sample:?}")
    };
    assert!(process.cpu_cores > 0.05, "it spun for 300 ms: {process:?}");
    assert!(
        process.rss > 100_000 && process.threads >= 1 && process.fds.is_some_and(|fds| fds >= 3),
        "{process:?}"
    );
}
