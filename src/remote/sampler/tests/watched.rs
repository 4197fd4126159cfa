//! Processes that are watched: their sums, their children, their ends, and those that take their ids.

use super::*;
use crate::metrics::Used;
use crate::remote::procfs::process_stat;

/// A process: id, parent, start, ticks, state, name.
type Process = (u32, u32, u64, u64, char, &'static str);

fn stat((pid, parent, start, ticks, state, name): Process) -> String {
    format!("{pid} ({name}) {state} {parent} 1 1 0 -1 0 0 0 0 0 {ticks} 0 0 0 20 0 3 0 {start} 1000 10 0")
}

/// The host has these processes from now on; each with 5 open files.
fn processes(host: &Host, list: &[Process]) {
    host.change(|texts| {
        texts
            .files
            .retain(|path, _| !path.ends_with("/stat") || path == "/proc/stat");
        texts.files.retain(|path, _| !path.ends_with("/children"));
        texts.table.clear();
        for process in list {
            let (pid, text) = (process.0, stat(*process));
            let children = list.iter().filter(|child| child.1 == pid);
            let children: Vec<String> = children.map(|child| child.0.to_string()).collect();
            let children = children.join(" ");
            texts.table.push(Entry {
                stat: process_stat(&text).expect("a process"),
                command: process.5.to_owned(),
            });
            texts.files.insert(format!("/proc/{pid}/stat"), text);
            texts
                .files
                .insert(format!("/proc/{pid}/task/{pid}/children"), children);
            texts.folders.insert(format!("/proc/{pid}/fd"), 5);
        }
    });
}

fn at(host: &Host, second: u32) {
    host.write("/proc/uptime", &format!("{second}.00 0.0\n"));
}

#[test]
fn a_name_is_all_its_processes_and_their_children() {
    let host = plain();
    processes(
        &host,
        &[
            (7, 1, 50, 100, 'S', "nginx"),
            (8, 7, 51, 1000, 'S', "nginx"),
            (9, 8, 52, 10, 'S', "cgi"),
            (20, 1, 53, 0, 'S', "other"),
        ],
    );
    let mut sampler = host.open(&["nginx"]).expect("sampler");
    at(&host, 102);
    processes(
        &host,
        &[
            (7, 1, 50, 120, 'S', "nginx"),
            (8, 7, 51, 1060, 'S', "nginx"),
            (9, 8, 52, 30, 'Z', "cgi"),
            (20, 1, 53, 999, 'R', "other"),
            (10, 8, 99, 40, 'S', "cgi"),
        ],
    );
    let sample = sampler.read().expect("sample");
    let process = &sample.processes[0];
    // 80 ticks in 2 s; the zombie is gone, the new child is known from the next reading on.
    assert_eq!((&*process.name, process.pid, process.members), ("nginx", 7, 2));
    assert_eq!(
        (process.cpu_cores, process.rss, process.threads),
        (0.4, 2 * 10 * 4096, 6)
    );
    assert_eq!(process.fds, Some(10));
    at(&host, 103);
    let process = sampler.read().expect("sample").processes[0].clone();
    assert_eq!(
        (process.members, process.cpu_cores),
        (3, 0.4),
        "a newborn counts from its birth"
    );
}

#[test]
fn a_process_under_two_names_counts_once_in_sums() {
    let host = plain();
    let list = |ticks: u64| {
        [
            (7, 1, 50, ticks, 'S', "nginx"),
            (8, 7, 51, 10 * ticks, 'S', "nginx"),
            (20, 1, 53, ticks, 'S', "other"),
        ]
    };
    processes(&host, &list(100));
    let mut sampler = host.open(&["nginx", "pid:8", "other"]).expect("sampler");
    at(&host, 102);
    processes(&host, &list(110));
    let sample = sampler.read().expect("sample");
    // Each under its name has what it uses: in 2 s nginx 110 ticks, its child alone 100, the other 10.
    let cores: Vec<f64> = sample.processes.iter().map(|process| process.cpu_cores).collect();
    assert_eq!(cores, [0.55, 0.5, 0.05]);
    let repeated: Vec<f64> = sample
        .processes
        .iter()
        .map(|process| process.repeated.cpu_cores)
        .collect();
    assert_eq!(repeated, [0.0, 0.5, 0.0]);
    assert!((sample.processes_cpu_cores() - 0.6).abs() < 1e-9);
    assert_eq!(sample.processes_rss(), 3 * 10 * 4096);
}

#[test]
fn another_process_with_the_same_id_is_not_the_one_that_was_meant() {
    let host = plain();
    processes(&host, &[(7, 1, 50, 200, 'S', "server")]);
    let mut sampler = host.open(&["pid:7"]).expect("sampler");
    let process = sampler.read().expect("sample").processes[0].clone();
    assert_eq!(&*process.name, "server (7)");
    processes(&host, &[(7, 1, 999, 5, 'S', "server")]);
    for _ in 0..20 {
        assert!(sampler.read().expect("sample").processes.is_empty());
    }
    assert_eq!(
        host.change(|texts| texts.looks),
        1,
        "an id is not looked for again"
    );
}

#[test]
fn who_listens_on_a_port_is_found_again_after_a_restart() {
    let host = plain();
    let listen = |pids: &[u32]| {
        let listener = Listener {
            bound: !pids.is_empty(),
            pids: pids.to_vec(),
        };
        host.change(|texts| texts.listeners.insert(3001, listener));
    };
    listen(&[7]);
    processes(&host, &[(7, 1, 50, 200, 'S', "wallet")]);
    let mut sampler = host.open(&["3001"]).expect("sampler");
    assert_eq!(
        &*sampler.read().expect("sample").processes[0].name,
        "wallet :3001"
    );
    processes(&host, &[]);
    listen(&[]);
    let before = host.change(|texts| texts.looks);
    for _ in 0..40 {
        assert!(sampler.read().expect("sample").processes.is_empty());
    }
    let looks = host.change(|texts| texts.looks) - before;
    assert!((4..10).contains(&looks), "looked {looks} times in 40 readings");
    processes(
        &host,
        &[(7, 1, 900, 3, 'S', "wallet"), (8, 7, 901, 3, 'S', "worker")],
    );
    listen(&[7]);
    let again = (0..20).find_map(|_| sampler.read().expect("sample").processes.first().cloned());
    let again = again.expect("it is back");
    assert_eq!(
        (&*again.name, again.restarts, again.members),
        ("wallet :3001", 1, 2)
    );
    assert_eq!(
        again.cpu_cores, 0.0,
        "what it used before it was found does not count"
    );
}

#[test]
fn a_number_is_a_port_if_somebody_listens_there_and_else_an_id() {
    let host = plain();
    processes(&host, &[(80, 1, 5, 0, 'S', "a"), (90, 1, 6, 0, 'S', "b")]);
    let name = |watch: &str| {
        let mut sampler = host.open(&[watch]).expect(watch);
        sampler.read().expect("sample").processes[0].name.to_string()
    };
    assert_eq!(name("80"), "a (80)");
    let listener = Listener {
        bound: true,
        pids: vec![90],
    };
    host.change(|texts| texts.listeners.insert(80, listener));
    assert_eq!(
        (name("80"), name("pid:80")),
        ("b :80".to_owned(), "a (80)".to_owned())
    );
}

#[test]
fn who_is_not_there_is_named_with_what_is() {
    let host = plain();
    processes(
        &host,
        &[(7, 1, 50, 0, 'S', "redis-server"), (8, 1, 50, 0, 'Z', "gone")],
    );
    host.change(|texts| {
        let hidden = Listener {
            bound: true,
            pids: vec![],
        };
        texts.listeners.insert(6379, hidden);
    });
    for (watch, expected) in [
        (
            "redis",
            "there is no process redis on vps to watch; there is redis-server",
        ),
        ("gone", "there is no process gone on vps to watch"),
        ("pid:9", "there is no process pid 9 on vps to watch"),
        (
            "9",
            "there is no process 9 on vps to watch, and nobody listens on a port of that number",
        ),
        (":81", "nobody listens on port 81 of vps"),
        (":6379", "port 6379 of vps belongs to a process of another user"),
        ("6379", "port 6379 of vps belongs to a process of another user"),
    ] {
        let error = host.open(&[watch]).err().expect(watch).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    // One that need not be there yet is found when it comes.
    let late = Watch {
        required: false,
        ..":81".parse().expect("a port")
    };
    let mut sampler = Sampler::open(Box::new(host.clone()), Instant::now(), vec![late]).expect("sampler");
    assert!(sampler.read().expect("sample").processes.is_empty());
    let listener = Listener {
        bound: true,
        pids: vec![7],
    };
    host.change(|texts| texts.listeners.insert(81, listener));
    let found = (0..5).find_map(|_| sampler.read().expect("sample").processes.first().cloned());
    assert_eq!(found.expect("it came").restarts, 0);
}

/// A process may have so many files open.
fn limit(host: &Host, pid: u32, most: &str) {
    let text = include_str!("../golden/limits.txt").replace("1024  ", &format!("{most:6}"));
    host.write(&format!("/proc/{pid}/limits"), &text);
}

#[test]
fn open_files_count_against_the_limit_of_the_process_that_is_nearest_to_its_own() {
    let host = plain();
    let all = [
        (7, 1, 50, 0, 'S', "a"),
        (8, 7, 50, 0, 'S', "a"),
        (9, 7, 50, 0, 'S', "a"),
        (10, 7, 50, 0, 'S', "a"),
    ];
    processes(&host, &all);
    for (pid, most) in [(7, "10"), (8, "unlimited"), (9, "20"), (10, "nonsense")] {
        limit(&host, pid, most);
    }
    host.change(|texts| texts.folders.insert("/proc/9/fd".to_owned(), 19));
    let mut sampler = host.open(&["a"]).expect("sampler");
    let mut asked = Vec::new();
    for turn in 0..400 {
        if turn == 200 {
            // It gave itself more: that shows when it is next asked.
            limit(&host, 9, "190");
        }
        let files = sampler.read().expect("sample").processes[0].files;
        let paths = host.change(|texts| texts.asked.clone());
        asked.push(paths.iter().filter(|path| path.ends_with("/limits")).count());
        let expected = match turn {
            // Two processes at a time.
            0 | 200..350 => continue,
            1..200 => (19, 20),
            _ => (5, 10),
        };
        let Used { used, max } = files.expect("files and limits");
        assert_eq!((used, max), expected, "reading {turn}");
    }
    assert!(asked.iter().all(|count| *count <= 2), "{asked:?}");
    assert!((4..=6).contains(&asked.iter().sum::<usize>()), "{asked:?}");
}

#[test]
fn open_files_that_may_not_be_counted_are_not_told() {
    let host = plain();
    processes(&host, &[(7, 1, 50, 0, 'S', "a")]);
    host.change(|texts| texts.folders.clear());
    let mut sampler = host.open(&["a"]).expect("sampler");
    let process = sampler.read().expect("sample").processes[0].clone();
    assert_eq!((process.fds, process.files), (None, None));
}
