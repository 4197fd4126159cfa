//! What a user can give wrongly: one clear message that names the thing and the mend, and the documented exit code.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; counts are whole numbers"
)]

mod run_support;

use std::time::Duration;

use run_support::{Running, Scripted, Server, free_port, run};

const FINE: &str = "export default function () {}";

/// A script, more arguments, the exit code, and what is said.
type Case<'a> = (&'a str, &'a [&'a str], i32, &'a [&'a str]);

#[test]
fn wrong_options_are_told_and_nothing_runs() {
    let cases: &[Case] = &[
        (
            "export const options = { scenarios: { a: { executor: 'constant-vus', vus: 1, duration: '1s', gracefulStopp: '1s' } } };",
            &[],
            104,
            &["gracefulStopp", "gracefulStop"],
        ),
        (
            "export const options = { scenarios: { a: { executor: 'nope' } } };",
            &[],
            104,
            &["nope", "constant-vus"],
        ),
        (
            "export const options = { vus: 1, duration: '1s', iterations: 5, stages: [{ duration: '1s', target: 1 }] };",
            &[],
            104,
            &["stages"],
        ),
        ("", &["-d", "3 parsecs"], 104, &["--duration", "3 parsecs"]),
        ("", &["-u", "many"], 104, &["--vus", "many"]),
        ("", &["-s", "10s"], 104, &["--stage", "10s"]),
        ("", &["--tag", "novalue"], 104, &["tag", "novalue"]),
        ("", &["--env", "=x"], 104, &["--env"]),
        (
            "export const options = { thresholds: { http_reqs: ['p(95)<1'] } };",
            &[],
            104,
            &["http_reqs", "p(95)"],
        ),
        (
            "export const options = { thresholds: { http_reqs: ['count ~ 1'] } };",
            &[],
            104,
            &["count ~ 1"],
        ),
        (
            "export const options = { thresholds: { http_req_durations: ['avg<1'] } };",
            &[],
            104,
            &["http_req_duration"],
        ),
        (
            "export const options = { scenarios: { a: { executor: 'constant-vus', vus: 1, duration: '1s', exec: 'run' } } };",
            &[],
            104,
            &["run", "default"],
        ),
        ("", &["-o", "xml=file"], 104, &["xml", "json=FILE"]),
        (
            "",
            &["-o", "json=/no/such/folder/x.json"],
            104,
            &["/no/such/folder/x.json"],
        ),
        (
            "",
            &["--metrics-addr", "nowhere"],
            104,
            &["--metrics-addr", "127.0.0.1:9464"],
        ),
        (
            "",
            &["-c", "/no/such/options.json"],
            104,
            &["/no/such/options.json"],
        ),
        (
            "",
            &["--summary-mode", "tiny"],
            104,
            &["--summary-mode", "compact"],
        ),
        ("", &["--no-such-flag"], 104, &["--no-such-flag"]),
        ("import x from './missing.js';", &[], 107, &["missing.js"]),
        ("import x from 'k6/browser';", &[], 107, &["k6/browser"]),
        (
            "import x from 'https://example.com/x.js';",
            &[],
            107,
            &["https://example.com/x.js"],
        ),
        ("open('./nothing.csv');", &[], 107, &["nothing.csv"]),
    ];
    for (prefix, arguments, code, parts) in cases {
        let script = Scripted::new(&format!("{prefix}\n{FINE}"));
        let mut all = vec!["run", script.path(), "--metrics-addr", "off", "-q"];
        if arguments.contains(&"--metrics-addr") {
            all.truncate(2);
        }
        all.extend(*arguments);
        let ended = run(&all);
        assert_eq!(ended.code, *code, "{prefix} {arguments:?}\n{}", ended.stderr);
        assert!(
            ended.stdout.is_empty(),
            "{prefix} {arguments:?}\n{}",
            ended.stdout
        );
        ended.says(parts);
    }
}

#[test]
fn all_faults_come_together() {
    let script = Scripted::new(
        "export const options = { vus: -1, batch: 'x', thresholds: { checks: ['rate>>1'] } };\n",
    );
    run(&["run", script.path(), "-d", "soon", "--metrics-addr", "off"])
        .expect(104)
        .says(&["options.vus", "batch", "rate>>1", "--duration"]);
}

#[test]
fn what_does_not_exist_is_named_with_what_does() {
    run(&["run", "no-such-scenario"]).expect(104).says(&[
        "no-such-scenario",
        "health",
        "store-crud",
        "spike",
    ]);
    run(&["run", "./no/such/file.js"])
        .expect(104)
        .says(&["./no/such/file.js"]);
    run(&["rum"]).expect(104).says(&["rum", "run"]);
    run(&["hit", "ftp://127.0.0.1/"])
        .expect(104)
        .says(&["ftp://127.0.0.1/"]);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let port = taken.local_addr().unwrap().port().to_string();
    let script = Scripted::new(FINE);
    run(&["run", script.path(), "--metrics-addr", &address])
        .expect(104)
        .says(&[&port, "--metrics-addr", "in use"]);
    run(&["demo", "--ports", &format!("{port},0,0,0,0,0")])
        .expect(104)
        .says(&[&port]);
}

#[test]
fn a_full_disk_loses_samples_and_not_the_run() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let script = Scripted::new(FINE);
    let ended = run(&[
        "run",
        script.path(),
        "-q",
        "-i",
        "200",
        "--metrics-addr",
        "off",
        "-o",
        "json=/dev/full",
    ])
    .expect(0)
    .says(&["/dev/full", "lost", "No space left"]);
    assert_eq!(ended.shown("iterations"), "200");
}

#[test]
fn a_target_that_is_down_is_said_once_and_counted() {
    let url = format!("http://127.0.0.1:{}/", free_port());
    let text = format!("import http from 'k6/http';\n export default function () {{ http.get('{url}'); }}");
    let script = Scripted::new(&text);
    let ended = run(&[
        "run",
        script.path(),
        "-q",
        "-u",
        "4",
        "-i",
        "100",
        "--metrics-addr",
        "off",
    ])
    .expect(0);
    assert_eq!(
        ended.stderr.matches("connection refused").count(),
        1,
        "{}",
        ended.stderr
    );
    assert!(
        ended.stdout.contains("100 of 100 requests failed"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("connection refused"), "{}", ended.stdout);
    let thresholds =
        format!("export const options = {{ thresholds: {{ http_req_failed: ['rate<0.01'] }} }};\n{text}");
    let script = Scripted::new(&thresholds);
    run(&["run", script.path(), "-q", "-i", "5", "--metrics-addr", "off"]).expect(99);
    run(&["hit", &url, "-q", "-n", "10", "--metrics-addr", "off"])
        .expect(0)
        .says(&["connection refused"]);
}

#[test]
fn a_huge_response_that_is_discarded_takes_no_memory() {
    let server = Server::start();
    let script = Scripted::new(&format!(
        "import http from 'k6/http';
        export const options = {{ discardResponseBodies: true }};
        export default function () {{
            const res = http.get('{}');
            if (res.status !== 200 || res.body !== null) throw new Error('odd');
        }}",
        server.url("/big/400000000")
    ));
    let running = Running::start(&["run", script.path(), "-q", "-i", "1", "--metrics-addr", "off"]);
    let status = format!("/proc/{}/status", running.pid());
    let mut peak = 0;
    while let Ok(text) = std::fs::read_to_string(&status) {
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let Some(line) = line else { break };
        peak = line.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    let ended = running.wait().expect(0);
    assert!(!ended.stderr.contains("odd"), "{}", ended.stderr);
    assert_eq!(ended.shown("data_received"), "400");
    assert!(peak > 0 && peak < 120_000, "peak memory {peak} kB");
}
