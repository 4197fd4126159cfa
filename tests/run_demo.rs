//! `run --demo`, `hit`, and the commands that only tell.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; counts are whole numbers"
)]

mod run_support;

use std::process::Command;
use std::time::Duration;

use run_support::{Running, Scripted, Server, alive, eventually, run};

/// The children of a process, by `/proc`.
fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

#[test]
fn health_against_the_demo_passes_and_samples_the_target() {
    let arguments = [
        "run",
        "--demo",
        "health",
        "--vus",
        "5",
        "--duration",
        "3s",
        "--metrics-addr",
        "off",
    ];
    let mut running = Running::start(&arguments);
    let said = running.until_said("* default: 5 looping VUs for 3s");
    assert!(said.contains("target: demo, wallet 127.0.0.1:"), "{said}");
    let demo = eventually(Duration::from_secs(5), "the demo", || {
        children(running.pid()).first().copied()
    });
    let ended = running.wait().expect(0);
    assert!(ended.shown("http_reqs").parse::<u64>().unwrap() > 100);
    assert_eq!(ended.shown("checks_succeeded"), "100.00%");
    for part in ["█ TARGET", "localhost cpu", "localhost memory", "\n    demo  "] {
        assert!(ended.stdout.contains(part), "{part}\n{}", ended.stdout);
    }
    assert!(!alive(demo), "the demo is still there");
}

#[test]
fn a_killed_run_leaves_no_demo_behind() {
    let running = Running::start(&[
        "run",
        "--demo",
        "health",
        "-q",
        "-d",
        "60s",
        "-u",
        "1",
        "--metrics-addr",
        "off",
    ]);
    let demo = eventually(Duration::from_secs(10), "the demo", || {
        children(running.pid()).first().copied()
    });
    std::thread::sleep(Duration::from_millis(500));
    running.signal("KILL");
    eventually(Duration::from_secs(5), "the demo's end", || {
        (!alive(demo)).then_some(())
    });
}

#[test]
fn a_failing_start_leaves_no_demo_behind() {
    let script = Scripted::new("throw new Error('no');");
    run(&["run", "--demo", script.path(), "--metrics-addr", "off"]).expect(107);
    let own = env!("CARGO_BIN_EXE_loadgen");
    let left = Command::new("pgrep")
        .args(["-P", "1", "-f", &format!("{own} demo")])
        .output();
    if let Ok(left) = left {
        assert!(
            left.stdout.is_empty(),
            "{}",
            String::from_utf8_lossy(&left.stdout)
        );
    }
}

#[test]
fn store_crud_shows_each_step() {
    let ended = run(&[
        "run",
        "--demo",
        "store-crud",
        "-u",
        "4",
        "-i",
        "40",
        "-q",
        "--metrics-addr",
        "off",
    ])
    .expect(0);
    let table = ended.stdout.split("█ BY NAME").nth(1).unwrap();
    for step in ["set", "get", "list", "delete"] {
        let row = table
            .lines()
            .find(|line| line.trim_start().starts_with(&format!("{step} ")))
            .unwrap();
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells[1..3], ["40", "0.00%"], "{row}");
        assert!(
            cells[3..].iter().all(|cell| cell.ends_with('s')) && cells.len() == 6,
            "{row}"
        );
    }
}

#[test]
fn a_small_target_under_a_spike_looks_overloaded() {
    let script = "import http from 'k6/http';
        export const options = { vus: 100, duration: '4s' };
        export default function () { http.get(__ENV.WALLET_URL + '/'); }";
    let script = Scripted::new(script);
    let arguments = [
        "run",
        script.path(),
        "-q",
        "--demo-capacity",
        "100",
        "--demo-args",
        "--queue 20",
        "--metrics-addr",
        "off",
    ];
    let ended = run(&arguments).expect(0);
    assert!(ended.stdout.contains("status 503"), "{}", ended.stdout);
    assert!(ended.stdout.contains("\n    demo  "), "{}", ended.stdout);
}

#[test]
fn variables_that_the_user_set_win_over_the_demos() {
    let server = Server::start();
    let script = Scripted::new(
        "import http from 'k6/http';
        export default function () { http.get(__ENV.WALLET_URL); http.get(__ENV.STORE_URL); }",
    );
    let wallet = format!("WALLET_URL={}", server.url("/"));
    let arguments = [
        "run",
        "--demo",
        script.path(),
        "-q",
        "-i",
        "5",
        "-e",
        &wallet,
        "--metrics-addr",
        "off",
    ];
    let ended = run(&arguments).expect(0);
    assert_eq!((ended.shown("http_reqs"), server.count()), ("10", 5));
}

#[test]
fn hit_sends_what_it_is_told_to() {
    let server = Server::start();
    let quiet = ["-q", "--metrics-addr", "off"];
    let hit = |url: &str, arguments: &[&str]| {
        let mut all = vec!["hit", url];
        all.extend(quiet);
        all.extend(arguments);
        run(&all)
    };
    let ok = hit(&server.url("/"), &["-n", "100", "-u", "7"]).expect(0);
    assert_eq!((ok.shown("http_reqs"), server.count()), ("100", 100));
    let rate = hit(&server.url("/"), &["-r", "50", "-d", "2s"]).expect(0);
    assert_eq!(rate.shown("http_reqs"), "100");
    let failed = hit(
        &server.url("/status/503"),
        &["-n", "10", "--threshold", "http_req_failed=rate<0.1"],
    )
    .expect(99);
    assert!(failed.stdout.contains("status 503"), "{}", failed.stdout);
    let expected = [
        "-n",
        "10",
        "--expect-status",
        "503",
        "--threshold",
        "http_req_failed=rate<0.1",
    ];
    hit(&server.url("/status/503"), &expected).expect(0);
    hit(
        &server.url("/"),
        &["-n", "3", "-X", "POST", "-H", "X-A: b", "-b", "{}"],
    )
    .expect(0);
}

#[test]
fn list_inspect_and_completions_tell() {
    let list = run(&["list"]).expect(0);
    for name in ["health", "spike", "store-crud"] {
        assert!(
            list.stdout
                .lines()
                .any(|line| line.split_whitespace().next() == Some(name)),
            "{}",
            list.stdout
        );
    }
    let list: serde_json::Value = serde_json::from_str(&run(&["list", "--json"]).expect(0).stdout).unwrap();
    assert!(
        list.as_array()
            .unwrap()
            .iter()
            .any(|entry| entry["name"] == "health")
    );
    let inspected = run(&["inspect", "health", "-u", "3", "-d", "5s"]).expect(0);
    let options: serde_json::Value = serde_json::from_str(&inspected.stdout).unwrap();
    assert_eq!(options["scenarios"]["default"]["vus"], 3);
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&["completions", shell]).expect(0).stdout.contains("loadgen"));
    }
}
