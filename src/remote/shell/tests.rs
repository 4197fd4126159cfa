//! Real shells: what they answer, what they cost, and what is said of those that cannot.

use std::time::Duration;

use super::*;
use crate::remote::{LocalPipe, LocalSource, Sampler, Watch};

const PATIENCE: Duration = Duration::from_secs(20);
/// The shells that a server has: Debian's, Alpine's, and one of the large ones.
const SHELLS: [&[&str]; 4] = [&["dash"], &["busybox", "sh"], &["bash"], &["bash", "--posix"]];

fn open(command: &[&str]) -> Result<ShellSource, ProbeError> {
    let pipe = LocalPipe::open(command, PATIENCE).expect("it starts");
    ShellSource::open(Box::new(pipe), "here")
}

/// A shell that was told something before the script.
fn after(prelude: &str) -> Result<ShellSource, ProbeError> {
    let mut pipe = LocalPipe::open(&["sh"], PATIENCE).expect("sh");
    pipe.send(&format!("{prelude}\n")).expect("sent");
    ShellSource::open(Box::new(pipe), "here")
}

fn ask(files: Vec<File>, folders: &[&str]) -> Ask {
    Ask {
        files,
        folders: folders.iter().map(|&folder| folder.to_owned()).collect(),
    }
}

#[test]
fn files_are_read_as_they_are() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("a"), "  one \\n *\ntwo\tb\nskip me\nthree\nlast\nafter\n").expect("file");
    std::fs::write(path("open"), "1 2 3").expect("file");
    std::fs::write(path("empty"), "").expect("file");
    for shell in SHELLS {
        let mut source = open(shell).expect("a shell");
        let answer = source
            .read(&ask(
                vec![
                    File::whole(path("a")),
                    File::lines(path("a"), 1),
                    File {
                        last: "last",
                        skip: "skip",
                        ..File::whole(path("a"))
                    },
                    File::whole(path("none")),
                    File::whole(path("open")),
                    File::whole(path("empty")),
                ],
                &[&folder.path().display().to_string(), "/nowhere"],
            ))
            .expect("an answer");
        let texts: Vec<Option<&str>> = answer.files.iter().map(Option::as_deref).collect();
        assert_eq!(
            texts,
            [
                Some("one \\n *\ntwo\tb\nskip me\nthree\nlast\nafter"),
                Some("one \\n *"),
                Some("one \\n *\ntwo\tb\nthree\nlast"),
                None,
                Some("1 2 3"),
                Some(""),
            ],
            "{shell:?}"
        );
        assert_eq!(answer.folders, [Some(3), None], "{shell:?}");
        assert!(answer.round_trip.is_some());
    }
}

#[test]
fn files_that_answer_one_read_only_are_read_whole() {
    let whole = std::fs::read_to_string("/proc/sys/kernel/pid_max").expect("Linux");
    for shell in SHELLS {
        let mut source = open(shell).expect("a shell");
        let wanted = vec![
            File::whole("/proc/sys/kernel/pid_max"),
            File::whole("/proc/sys/kernel/none"),
        ];
        let answer = source.read(&ask(wanted, &[])).expect("an answer");
        assert_eq!(answer.files, [Some(whole.trim().to_owned()), None], "{shell:?}");
    }
}

#[test]
fn every_shell_samples_this_machine_as_its_files_say() {
    let epoch = Instant::now();
    let watch = || {
        vec![
            format!("pid:{}", std::process::id())
                .parse::<Watch>()
                .expect("a process"),
        ]
    };
    let mut direct =
        Sampler::open(Box::new(LocalSource::new().expect("Linux")), epoch, watch()).expect("local");
    let expected = direct.read().expect("sample");
    for shell in SHELLS {
        let mut sampler =
            Sampler::open(Box::new(open(shell).expect("a shell")), epoch, watch()).expect("sampler");
        std::thread::sleep(Duration::from_millis(50));
        sampler.whole();
        let sample = sampler.read().expect("sample");
        assert_eq!(
            (sample.cores, sample.mem_total),
            (expected.cores, expected.mem_total),
            "{shell:?}"
        );
        let told = |sample: &crate::metrics::HostSample| {
            (
                sample.pressure.is_some(),
                sample.disk.is_some(),
                sample.network.is_some(),
                sample.sockets.is_some(),
                sample.listen.is_some(),
                sample.files.is_some(),
                sample.conntrack.is_some(),
                sample.oom_kills.is_some(),
                sample.load.is_some(),
                sample.group.is_some(),
                sample.swap.is_some(),
            )
        };
        assert_eq!(told(&sample), told(&expected), "{shell:?}");
        let (one, other) = (
            sample.counters.expect("counters"),
            expected.counters.clone().expect("counters"),
        );
        assert_eq!(one.uname, other.uname, "{shell:?}");
        let names = |counters: &crate::metrics::HostCounters| {
            let names = counters.memory.iter().map(|field| field.name.clone());
            names.collect::<Vec<_>>()
        };
        assert_eq!(names(&one), names(&other), "{shell:?}");
        // Readings that leave out what changes little keep what was there.
        for _ in 0..2 {
            let later = sampler.read().expect("sample").counters.expect("counters");
            assert_eq!(names(&later), names(&other), "{shell:?}");
        }
        let devices = |counters: &crate::metrics::HostCounters| {
            let disks = counters
                .disks
                .iter()
                .map(|disk| (disk.device.clone(), disk.columns.len()));
            disks.collect::<Vec<_>>()
        };
        assert_eq!(devices(&one), devices(&other), "{shell:?}");
        let process = &sample.processes[0];
        assert_eq!(process.pid, std::process::id(), "{shell:?}");
        assert!(
            process.rss > 100_000 && process.fds.is_some_and(|fds| fds >= 3),
            "{process:?}"
        );
        assert!(sample.cost.is_some_and(|cost| cost > 0.0) && sample.round_trip.is_some());
    }
}

#[test]
fn a_reading_costs_a_shell_little() {
    // Wide enough for a machine that is busy with other tests; benches/sampler.rs measures it alone.
    for shell in [SHELLS[0], SHELLS[1]] {
        let mut sampler = Sampler::open(
            Box::new(open(shell).expect("a shell")),
            Instant::now(),
            Vec::new(),
        )
        .expect("sampler");
        let costs: Vec<f64> = (0..40)
            .map(|_| sampler.read().expect("sample").cost.expect("cost"))
            .collect();
        let mean = costs.iter().sum::<f64>() / costs.len() as f64;
        assert!(mean < 0.008, "{shell:?}: {mean} s of CPU");
    }
}

#[test]
fn listeners_and_the_table_are_found_with_and_without_ss() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let own = std::process::id();
    let mut local = LocalSource::new().expect("Linux");
    assert_eq!(local.listener(port).expect("a listener").pids, [own]);
    for shell in SHELLS {
        let mut source = open(shell).expect("a shell");
        for ss in [None, Some(false)] {
            source.ss = ss;
            let found = source.listener(port).expect("a listener");
            assert_eq!(
                (found.bound, found.pids.as_slice()),
                (true, [own].as_slice()),
                "{shell:?} {ss:?}"
            );
        }
        let table = source.table().expect("a table");
        let entry = table
            .iter()
            .find(|entry| entry.stat.pid == own)
            .expect("this process");
        assert!(entry.command.contains(entry.program()), "{entry:?}");
        assert!(table.iter().any(|entry| entry.stat.pid == 1), "{shell:?}");
        drop(source);
    }
    drop(listener);
    let mut source = open(SHELLS[0]).expect("a shell");
    assert!(!source.listener(port).expect("an answer").bound);
}

#[test]
fn banners_and_start_up_files_are_no_answers() {
    for noise in [
        "echo Welcome; echo '@loadgen-sampler is what we run'; printf 'no newline'",
        "PS1='$ '; set -u; alias r='echo no'; alias read='echo no'; export LC_ALL=C.UTF-8; IFS=:",
        "(sleep 0.05; i=0; while [ $i -lt 300 ]; do echo '@9 noise'; i=$((i+1)); done) &",
    ] {
        let mut sampler =
            Sampler::open(Box::new(after(noise).expect(noise)), Instant::now(), Vec::new()).expect(noise);
        for _ in 0..20 {
            assert!(sampler.read().expect(noise).cores > 0, "{noise}");
        }
    }
}

#[test]
fn what_is_no_shell_is_said_with_its_own_words() {
    let refused = |command: &[&str]| open(command).err().expect("no shell").to_string();
    let nologin = refused(&[
        "sh",
        "-c",
        "echo 'This account is currently not available.'; exit 1",
    ]);
    assert!(
        nologin.contains("This account is currently not available."),
        "{nologin}"
    );
    assert!(nologin.starts_with("here gave no shell"), "{nologin}");
    let errors = refused(&[
        "sh",
        "-c",
        "printf 'rbash: exec: restricted\\033[2J' >&2; echo >&2; exec cat >/dev/null <&-",
    ]);
    assert!(
        errors.contains("rbash: exec: restricted") && !errors.contains('\u{1b}'),
        "{errors}"
    );
    let mirror = refused(&["cat"]);
    assert!(mirror.contains("no shell"), "{mirror}");
}

#[test]
fn a_shell_that_goes_away_is_an_error_and_not_a_hang() {
    let mut source = open(SHELLS[0]).expect("a shell");
    source.pipe.send("1 x kill -9 $$\n").expect("sent");
    let error = source
        .read(&ask(vec![File::whole("/proc/uptime")], &[]))
        .expect_err("it is gone");
    assert!(
        error.loses_the_way() && error.to_string().contains("does not answer"),
        "{error}"
    );
}
