//! How runs end: exit codes, what is still done, what is said.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; counts are whole numbers"
)]

mod run_support;

use std::time::{Duration, Instant};

use run_support::{Ended, Running, Scripted, Server, run};

fn ended(text: &str, arguments: &[&str]) -> (Scripted, Ended) {
    let script = Scripted::new(text);
    let mut all = vec!["run", script.path(), "--metrics-addr", "off", "-q"];
    all.extend(arguments);
    let ended = run(&all);
    (script, ended)
}

#[test]
fn a_run_that_does_what_it_should_ends_with_0() {
    let (_, ended) = ended("export default function () {}", &["-i", "3"]);
    let ended = ended.expect(0);
    assert_eq!(ended.shown("iterations"), "3");
}

#[test]
fn a_failed_threshold_is_99_and_none_with_no_thresholds() {
    let text = "export const options = { thresholds: { iterations: ['count>100'] } };
        export default function () {}";
    let (_, failed) = ended(text, &["-i", "3"]);
    let failed = failed.expect(99).says(&["thresholds have failed"]);
    assert!(
        failed.stdout.contains("✗ 'count>100' count=3"),
        "{}",
        failed.stdout
    );
    ended(text, &["-i", "3", "--no-thresholds"]).1.expect(0);
}

#[test]
fn abort_on_fail_stops_early() {
    let text = "import { sleep } from 'k6';
        import { Rate } from 'k6/metrics';
        const good = new Rate('good');
        export const options = { vus: 1, duration: '50s',
            thresholds: { good: [{ threshold: 'rate>0.9', abortOnFail: true }] } };
        export default function () { good.add(false); sleep(0.1); }";
    let begin = Instant::now();
    ended(text, &[]).1.expect(99).says(&["good: rate>0.9"]);
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[test]
fn setup_that_throws_is_107_and_neither_load_nor_teardown_runs() {
    let text = "export function setup() { throw new Error('no token'); }
        export default function () { console.log('iterating'); }
        export function teardown() { console.log('tearing down'); }";
    let ended = ended(text, &["-i", "3"])
        .1
        .expect(107)
        .says(&["setup(): Error: no token", "script.js:1"]);
    assert!(
        !ended.stderr.contains("iterating") && !ended.stderr.contains("tearing down"),
        "{}",
        ended.stderr
    );
}

#[test]
fn timeouts_of_setup_and_teardown_have_their_codes() {
    let slow = |function: &str| {
        format!(
            "import {{ sleep }} from 'k6';
            export const options = {{ {function}Timeout: '1s' }};
            export function {function}() {{ sleep(60); }}
            export default function () {{}}"
        )
    };
    ended(&slow("setup"), &[])
        .1
        .expect(100)
        .says(&["setup() took longer than 1 s"]);
    ended(&slow("teardown"), &[])
        .1
        .expect(101)
        .says(&["teardown() took longer than 1 s"]);
}

#[test]
fn a_script_that_does_not_load_is_107_with_the_place_and_the_line() {
    ended("const a = 1;\nnowhere();\nexport default function () {}", &[])
        .1
        .expect(107)
        .says(&[
            "ReferenceError: nowhere is not defined",
            "script.js:2:",
            "2 | nowhere();",
        ]);
    ended("export default function () { const = 1; }", &[])
        .1
        .expect(107)
        .says(&["SyntaxError", "script.js:1:"]);
}

#[test]
fn an_exception_ends_its_iteration_and_not_the_run() {
    let text = "function f() {\n  throw new TypeError('odd one');\n}\nexport default function () {\n  if (__ITER === 1) f();\n}";
    let ended = ended(text, &["-i", "5"]).1.expect(0).says(&[
        "TypeError: odd one",
        "script.js:2:",
        "throw new TypeError",
    ]);
    assert_eq!(ended.shown("iterations"), "5");
}

#[test]
fn what_setup_returns_reaches_iterations_and_teardown() {
    let text = "export function setup() { return { token: 'abc' }; }
        export default function (data) { if (data.token !== 'abc') throw new Error('iteration'); data.token = 'changed'; }
        export function teardown(data) { console.log('teardown got ' + data.token); }";
    let ended = ended(text, &["-i", "1"]).1.expect(0).says(&["teardown got abc"]);
    assert!(!ended.stderr.contains("ERRO"), "{}", ended.stderr);
}

#[test]
fn requests_of_setup_and_teardown_count() {
    let server = Server::start();
    let text = format!(
        "import http from 'k6/http';
        export function setup() {{ http.get('{0}'); }}
        export default function () {{ http.get('{0}'); }}
        export function teardown() {{ http.get('{0}'); }}",
        server.url("/")
    );
    let (_, ended) = ended(&text, &["-i", "2"]);
    let ended = ended.expect(0);
    assert_eq!(server.count(), 4);
    assert_eq!(ended.shown("http_reqs"), "4");
}

#[test]
fn handle_summary_writes_what_it_returns() {
    let text = "export default function () {}
        export function handleSummary(data) {
            return { stdout: 'iterations: ' + data.metrics.iterations.values.count + '\\n', 'FILE': JSON.stringify(data) };
        }";
    let script = Scripted::new("");
    let out = script.file("summary.json");
    let (_, ended) = ended(&text.replace("FILE", &out), &["-i", "4"]);
    assert_eq!(ended.expect(0).stdout, "iterations: 4\n");
    let data: serde_json::Value = serde_json::from_str(&script.read("summary.json")).unwrap();
    assert_eq!(data["metrics"]["iterations"]["values"]["count"], 4);
}

#[test]
fn handle_summary_that_throws_gives_the_usual_summary() {
    let text = "export default function () {}
        export function handleSummary() { throw new Error('my mistake'); }";
    let ended = ended(text, &["-i", "1"])
        .1
        .expect(0)
        .says(&["handleSummary(): Error: my mistake"]);
    assert!(ended.stdout.contains("TOTAL RESULTS"), "{}", ended.stdout);
}

const LONG: &str = "import { sleep } from 'k6';
    export const options = { vus: 2, duration: '60s' };
    export default function () { sleep(1.5); }
    export function teardown() { console.log('tearing down'); }";

#[test]
fn a_signal_stops_gracefully_and_still_reports() {
    for signal in ["INT", "TERM"] {
        let script = Scripted::new(LONG);
        let running = Running::start(&["run", script.path(), "--metrics-addr", "off", "-q"]);
        std::thread::sleep(Duration::from_secs(1));
        running.signal(signal);
        let ended = running
            .wait()
            .expect(105)
            .says(&["stopping gracefully", "tearing down"]);
        assert_eq!(ended.shown("iterations"), "2");
    }
}

#[test]
fn a_second_signal_stops_now() {
    let script = Scripted::new(&LONG.replace("1.5", "50"));
    let running = Running::start(&["run", script.path(), "--metrics-addr", "off", "-q"]);
    std::thread::sleep(Duration::from_secs(1));
    let begin = Instant::now();
    running.signal("INT");
    std::thread::sleep(Duration::from_millis(500));
    running.signal("INT");
    let ended = running.wait().expect(105).says(&["stopping now"]);
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(ended.stdout.contains("TOTAL RESULTS"), "{}", ended.stdout);
}

#[test]
fn a_script_can_come_from_standard_input() {
    use std::io::Write;
    let mut child = run_support::loadgen(&["run", "-", "-q", "--metrics-addr", "off", "-i", "2"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"export default function () {}")
        .unwrap();
    let ended = Ended::from(child.wait_with_output().unwrap()).expect(0);
    assert_eq!(ended.shown("iterations"), "2");
}
