//! `--ui full` on a terminal of its own: the run on one time axis, what the script says above it, the summary after it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod run_support;

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use nix::pty::{Winsize, openpty};
use run_support::{Scripted, Server, loadgen, run};

/// What a run says on a terminal of 100 columns and 40 rows, and its exit code.
fn on_terminal(arguments: &[&str]) -> (String, i32) {
    let size = Winsize {
        ws_row: 40,
        ws_col: 100,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let terminal = openpty(&size, None).unwrap();
    let slave = |fd: &OwnedFd| fd.try_clone().unwrap();
    let mut command = loadgen(arguments);
    command
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .stdout(slave(&terminal.slave))
        .stderr(slave(&terminal.slave));
    let mut child = command.spawn().unwrap();
    // Its copies of the terminal's other side: reading ends when the program does.
    drop((command, terminal.slave));
    let mut shown = Vec::new();
    // Some kernels call the end an error.
    let _ = File::from(terminal.master).read_to_end(&mut shown);
    let status = child.wait().unwrap();
    (
        String::from_utf8_lossy(&shown).into_owned(),
        status.code().unwrap_or(-1),
    )
}

fn steady(server: &Server) -> Scripted {
    Scripted::new(&format!(
        "import http from 'k6/http';
        export const options = {{
            scenarios: {{ open: {{ executor: 'constant-arrival-rate', rate: 20, duration: '7s', preAllocatedVUs: 3 }} }},
            thresholds: {{ http_reqs: ['count>1000'], http_req_failed: ['rate<0.5'] }} }};
        export default function (data) {{
            if (__ITER === 3) console.log('from the script');
            http.get('{}');
        }}",
        server.url("/")
    ))
}

#[test]
fn the_run_is_drawn_over_time_and_left_standing() {
    let (server, flags) = (
        Server::start(),
        [
            "--ui",
            "full",
            "--no-color",
            "--sample-local",
            "--metrics-addr",
            "off",
        ],
    );
    let script = steady(&server);
    let (shown, code) = on_terminal(&[&["run", script.path()][..], &flags].concat());
    assert_eq!(code, 99, "{shown}");
    // The last drawing is whole, and what follows is the summary.
    let last = shown.rfind("running (").unwrap();
    let end = &shown[last..];
    for part in [
        "open ✓ [ 100% ]",
        "p95 latency",
        "requests/s",
        "virtual users",
        "target CPU",
        "target memory",
        "✗ http_reqs: count>1000  now 140",
        "✓ http_req_failed: rate<0.5  now 0",
        "THRESHOLDS",
    ] {
        assert!(end.contains(part), "no {part} in {end}");
    }
    assert!(!end.contains("errors     ▁") && end.contains('█'), "{end}");
    assert_eq!(shown.matches("from the script").count(), 3, "{shown}");
    // Redrawn each second, and without colours.
    assert!(shown.matches("running (").count() >= 5, "{shown}");
    assert!(!shown.contains("\x1b[0;3"), "{shown}");
}

#[test]
fn findings_appear_while_the_run_goes_on() {
    // A target that lets 20 a second through, and turns away what comes on top of it.
    let script = Scripted::new(
        "import http from 'k6/http';
        export const options = { scenarios: { ramp: { executor: 'ramping-arrival-rate', startRate: 10, timeUnit: '1s',
          preAllocatedVUs: 40, maxVUs: 40, stages: [{ target: 80, duration: '8s' }, { target: 80, duration: '12s' }] } } };
        export default function () { http.get(`${__ENV.BASE_URL}/health`); }",
    );
    let (shown, code) = on_terminal(&[
        "run",
        script.path(),
        "--ui",
        "full",
        "--no-color",
        "--metrics-addr",
        "off",
        "--demo-args",
        "--capacity 20 --queue 5 --cpu-cost 0s",
    ]);
    assert_eq!(code, 0, "{shown}");
    // Before the last drawing, so while it went on; and not in the first, before there was anything to find.
    let drawn: Vec<usize> = shown.match_indices("running (").map(|(at, _)| at).collect();
    let (first, last) = (drawn[1], drawn[drawn.len() - 1]);
    let found = shown.find("errors exceeded 1 % at ").expect(&shown);
    assert!(first < found && found < last, "{first} {found} {last}: {shown}");
    let line = shown[found..].lines().next().unwrap();
    assert!(line.contains("iterations/s"), "{line}");
    assert!(shown[last..].contains("FINDINGS"), "{shown}");
}

#[test]
fn without_a_terminal_it_says_so_and_shows_plain_lines() {
    let server = Server::start();
    let script = steady(&server);
    let ended = run(&[
        "run",
        script.path(),
        "--ui",
        "full",
        "--no-thresholds",
        "--metrics-addr",
        "off",
    ])
    .expect(0);
    for part in ["--ui full needs a terminal", "running (", "req/s  p95"] {
        assert!(ended.stderr.contains(part), "no {part} in {}", ended.stderr);
    }
    let wrong = run(&["run", script.path(), "--ui", "fancy"]);
    assert!(wrong.stderr.contains("compact, full, plain"), "{}", wrong.stderr);
}
