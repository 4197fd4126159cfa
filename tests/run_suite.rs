//! `loadgen suite`: the scenarios of a system one after another, and the server that it starts and stops.
#![allow(clippy::unwrap_used)]

mod run_support;

use std::path::Path;
use std::time::Duration;

use run_support::{Ended, Running, Server, alive, eventually, free_port, loadgen};

/// A folder with a system of three scenarios: one that passes, one whose threshold fails, one that throws at once.
fn systems() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join("scenarios/shop").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "a-good.js",
        "import http from 'k6/http'; import { check } from 'k6';
         export const options = { iterations: 2 };
         export default function () { if (__ENV.BASE_URL) check(http.get(__ENV.BASE_URL), { fine: (r) => r.status === 200 }); }",
    );
    write(
        "b-slow.js",
        "export const options = { iterations: 1, thresholds: { iterations: ['count>5'] } }; export default function () {}",
    );
    write("c-broken.js", "throw new Error('no');");
    folder
}

fn suite(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = loadgen(&[&["suite"], arguments].concat());
    command.current_dir(folder).output().unwrap().into()
}

const MORE: [&str; 3] = ["--", "--metrics-addr=off", "-q"];

#[test]
fn every_scenario_runs_and_the_gravest_code_is_the_suites() {
    let folder = systems();
    let server = Server::start();
    let base = format!("BASE_URL={}", server.url("/"));
    let ended = suite(
        folder.path(),
        &[
            &[
                "shop",
                "-e",
                &base,
                "--save-dir",
                "out",
                "--markdown",
                "summary.md",
            ],
            &MORE[..],
        ]
        .concat(),
    );
    let ended = ended.expect(107);
    let table = &ended.stdout[ended.stdout.rfind("scenario  ").unwrap()..];
    let line = |name: &str| {
        table
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    assert!(line("shop/a-good").contains("passed"), "{table}");
    assert!(
        line("shop/a-good").contains("2/2") && line("shop/a-good").ends_with('0'),
        "{table}"
    );
    assert!(
        line("shop/b-slow").contains("failed: thresholds") && line("shop/b-slow").ends_with("99"),
        "{table}"
    );
    assert!(line("shop/c-broken").contains("did not start"), "{table}");
    assert!(folder.path().join("out/shop-a-good.json").is_file());
    let markdown = std::fs::read_to_string(folder.path().join("summary.md")).unwrap();
    assert!(
        markdown.contains("## shop") && markdown.contains("| shop/b-slow | failed: thresholds |"),
        "{markdown}"
    );
}

#[test]
fn only_skip_and_fail_fast_choose() {
    let folder = systems();
    let ended = suite(
        folder.path(),
        &[&["shop", "--only", "a-good"], &MORE[..]].concat(),
    )
    .expect(0);
    assert!(!ended.stdout.contains("b-slow"));
    let ended = suite(
        folder.path(),
        &[&["shop", "--skip", "c-broken", "--fail-fast"], &MORE[..]].concat(),
    );
    ended.expect(99);
    let ended = suite(
        folder.path(),
        &[&["shop", "--skip", "a-good", "--fail-fast"], &MORE[..]].concat(),
    )
    .expect(99);
    assert!(ended.stdout.contains("not run"), "{}", ended.stdout);
}

#[test]
fn what_does_not_exist_is_named_with_what_does() {
    let folder = systems();
    suite(folder.path(), &["nope"])
        .expect(104)
        .says(&["no system `nope`", "prim", "shop"]);
    suite(folder.path(), &["shop", "--only", "nope"])
        .expect(104)
        .says(&["shop has no scenario `nope`", "a-good, b-slow, c-broken"]);
    suite(folder.path(), &["shop", "--serve", "true"])
        .expect(104)
        .says(&["--health-url"]);
    suite(
        folder.path(),
        &[&["shop", "--profile", "nope", "--only", "a-good"], &MORE[..]].concat(),
    )
    .expect(104)
    .says(&["there is no profile `nope`"]);
}

/// A command that serves the demo on a free port and writes down its process id.
fn server(folder: &Path) -> (String, String) {
    let port = free_port();
    let program = env!("CARGO_BIN_EXE_loadgen");
    let pid = folder.join("pid").display().to_string();
    // The shell stays, so that it is the group that has to end and not one process.
    let command = format!("'{program}' demo --ports {port},0,0,0,0,0 & echo $! > '{pid}'; wait");
    (command, format!("http://127.0.0.1:{port}/"))
}

fn pid(folder: &Path) -> u32 {
    std::fs::read_to_string(folder.join("pid"))
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

#[test]
fn a_server_is_started_and_stopped_also_when_a_run_fails() {
    let folder = systems();
    let (command, url) = server(folder.path());
    let base = format!("BASE_URL={url}");
    for (only, code) in [("a-good", 0), ("b-slow", 99)] {
        let arguments = [
            "shop",
            "--only",
            only,
            "--serve",
            &command,
            "--health-url",
            &url,
            "-e",
            &base,
        ];
        let ended = suite(folder.path(), &[&arguments, &MORE[..]].concat()).expect(code);
        assert!(!ended.stdout.contains("1.00%"), "{}", ended.stdout);
        eventually(Duration::from_secs(5), "the server has ended", || {
            (!alive(pid(folder.path()))).then_some(())
        });
    }
}

#[test]
fn a_server_that_is_there_already_is_left_alone() {
    let folder = systems();
    let server = Server::start();
    let url = server.url("/");
    let arguments = [
        "shop",
        "--only",
        "a-good",
        "--serve",
        "touch started",
        "--health-url",
        &url,
    ];
    suite(folder.path(), &[&arguments, &MORE[..]].concat()).expect(0);
    assert!(!folder.path().join("started").exists());
}

#[test]
fn a_server_that_does_not_come_up_says_why() {
    let folder = systems();
    let url = format!("http://127.0.0.1:{}/", free_port());
    let with = |more: &[&str]| suite(folder.path(), &[&["shop", "--health-url", &url], more].concat());
    with(&[]).expect(104).says(&[&url, "--serve"]);
    with(&["--serve", "echo no config >&2; exit 7"])
        .expect(104)
        .says(&["ended (exit status: 7)", "no config", &url]);
    with(&["--serve", "echo started; sleep 60", "--serve-timeout", "1s"])
        .expect(104)
        .says(&["did not answer within 1 s", "started"]);
    suite(
        folder.path(),
        &["shop", "--serve", "true", "--health-url", "ftp://x"],
    )
    .expect(104)
    .says(&["ftp://x"]);
}

#[test]
fn a_signal_ends_the_run_and_the_server() {
    let folder = systems();
    std::fs::write(
        folder.path().join("scenarios/shop/a-good.js"),
        "import { sleep } from 'k6'; export const options = { duration: '60s', vus: 1 };
         export default function () { sleep(0.1); }",
    )
    .unwrap();
    let (command, url) = server(folder.path());
    let mut process = loadgen(&[
        "suite",
        "shop",
        "--serve",
        &command,
        "--health-url",
        &url,
        "--",
        "--metrics-addr=off",
    ]);
    let mut running = Running(Some(process.current_dir(folder.path()).spawn().unwrap()));
    running.until_said("running");
    running.signal("TERM");
    let ended = running.wait().expect(105);
    assert!(ended.stdout.contains("not run"), "{}", ended.stdout);
    eventually(Duration::from_secs(5), "the server has ended", || {
        (!alive(pid(folder.path()))).then_some(())
    });
}

#[test]
fn a_signal_while_the_server_comes_up_leaves_nothing_behind() {
    let folder = systems();
    let url = format!("http://127.0.0.1:{}/", free_port());
    let noted = folder.path().join("pid");
    // It never answers, and does not end by itself.
    let command = format!("echo $$ > '{}'; exec sleep 600", noted.display());
    for signal in ["TERM", "INT"] {
        let _ = std::fs::remove_file(&noted);
        let mut process = loadgen(&["suite", "shop", "--serve", &command, "--health-url", &url]);
        let running = Running(Some(process.current_dir(folder.path()).spawn().unwrap()));
        eventually(Duration::from_secs(30), "the server has begun", || {
            std::fs::read_to_string(&noted)
                .ok()
                .filter(|text| text.ends_with('\n'))
        });
        running.signal(signal);
        running.wait().expect(104).says(&["before the server was ready"]);
        eventually(Duration::from_secs(5), "the server has ended", || {
            (!alive(pid(folder.path()))).then_some(())
        });
    }
}

#[test]
fn what_the_server_has_started_ends_with_it_however_deaf() {
    let folder = systems();
    let (command, url) = server(folder.path());
    let noted = folder.path().join("deaf");
    // The first process ends at once when it is told to; its child does not listen.
    let deaf = format!(
        "(trap '' TERM; echo started > '{0}'; while :; do sleep 1; done) & ",
        noted.display()
    );
    let ended = suite(
        folder.path(),
        &[
            "shop",
            "--only",
            "a-good",
            "--serve",
            &format!("{deaf}{command}"),
            "--health-url",
            &url,
            "--",
            "--metrics-addr=off",
            "-q",
        ],
    );
    assert!(noted.exists(), "{}", ended.stderr);
    let listed = std::process::Command::new("pgrep")
        .args(["-f", noted.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(
        listed.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&listed.stdout)
    );
}

#[test]
fn a_system_runs_against_the_demo() {
    let folder = tempfile::tempdir().unwrap();
    let more = [
        "--",
        "--metrics-addr=off",
        "-q",
        "--vus",
        "2",
        "--duration",
        "1s",
        "--no-thresholds",
    ];
    let ended = suite(
        folder.path(),
        &[&["tachikoma", "--demo", "--only", "health"], &more[..]].concat(),
    )
    .expect(0);
    assert!(ended.stdout.contains("tachikoma/health"), "{}", ended.stdout);
}

/// Where each system is ready is known: only the address is given, and the suite waits for the right service.
#[test]
fn every_system_is_waited_for_at_its_own_health_check() {
    let program = env!("CARGO_BIN_EXE_loadgen");
    for (system, only, variable, service) in [
        ("prim", "health", "WALLET_URL", 0),
        ("tachikoma", "health", "BASE_URL", 3),
        ("sequencer", "query", "SEQUENCER_BASE_URL", 4),
        ("flux-gate", "flash-sale", "BASE_URL", 3),
        ("happy", "health", "BASE_URL", 5),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let ports: Vec<String> = (0..6)
            .map(|at| {
                if at == service {
                    port.to_string()
                } else {
                    "0".to_owned()
                }
            })
            .collect();
        let serve = format!("exec '{program}' demo --ports {}", ports.join(","));
        let address = format!("{variable}=http://127.0.0.1:{port}");
        let load = [
            "--",
            "--metrics-addr=off",
            "-q",
            "--vus",
            "1",
            "--iterations",
            "2",
            "--no-thresholds",
        ];
        let arguments = [system, "--only", only, "--serve", &serve, "-e", &address];
        let ended = suite(folder.path(), &[&arguments[..], &load].concat()).expect(0);
        assert!(ended.stdout.contains("passed"), "{system}: {}", ended.stdout);
    }
}
