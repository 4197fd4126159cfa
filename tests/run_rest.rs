//! The REST API of a run and the commands that speak to it: status, pause, resume, scale, stop, metrics, groups, setup and
//! teardown.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod run_support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use run_support::{Ended, Points, Running, Scripted, eventually, free_port, get, loadgen, run};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_mins(1);

struct Steered {
    running: Running,
    address: String,
}

impl Steered {
    fn start(script: &Scripted, arguments: &[&str]) -> Steered {
        let address = format!("127.0.0.1:{}", free_port());
        let mut all = vec!["run", "--quiet", "--address", &address];
        if !arguments.contains(&"--metrics-addr") {
            all.extend(["--metrics-addr", "off"]);
        }
        all.extend(arguments);
        all.push(script.path());
        let running = Running::start(&all);
        let steered = Steered {
            running,
            address: address.clone(),
        };
        eventually(PATIENCE, "the API", || steered.get("/v1/status"));
        steered
    }

    fn get(&self, path: &str) -> Option<Value> {
        serde_json::from_str(&get(&self.address, path).ok()?).ok()
    }

    fn attribute(&self, name: &str) -> Value {
        self.get("/v1/status")
            .map_or(Value::Null, |status| status["data"]["attributes"][name].clone())
    }

    /// Status code and body of a PATCH with these attributes.
    fn patch(&self, attributes: &Value) -> (u16, Value) {
        let body =
            json!({ "data": { "type": "status", "id": "default", "attributes": attributes } }).to_string();
        self.send("PATCH", "/v1/status", &body)
    }

    fn send(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        let body = text.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn until(&self, what: &str, mut holds: impl FnMut(&Steered) -> bool) {
        eventually(PATIENCE, what, || holds(self).then_some(()));
    }

    fn command(&self, arguments: &[&str]) -> Ended {
        let output = loadgen(arguments)
            .args(["--address", &self.address])
            .output()
            .unwrap();
        output.into()
    }

    fn iterations(&self) -> f64 {
        let metric = self.get("/v1/metrics/iterations").unwrap_or_default();
        metric["data"]["attributes"]["sample"]["count"]
            .as_f64()
            .unwrap_or(0.0)
    }
}

#[test]
fn a_run_is_paused_resumed_and_stopped() {
    let script = Scripted::new(
        "import { sleep, check, group } from 'k6';
export const options = { vus: 3, duration: '1h', thresholds: { checks: ['rate>0.5'] } };
export function setup() { return { answer: 42 }; }
export default function () { group('outer', () => { group('inner', () => check(1, { one: (n) => n === 1 })); }); sleep(0.02); }",
    );
    let metrics = format!("127.0.0.1:{}", free_port());
    let steered = Steered::start(&script, &["--metrics-addr", &metrics]);
    steered.until("iterations", |run| run.iterations() > 5.0);
    assert_eq!(steered.attribute("status"), 7);
    assert_eq!(
        (steered.attribute("vus"), steered.attribute("vus-max")),
        (3.into(), 3.into())
    );
    assert_eq!(
        (steered.attribute("running"), steered.attribute("stopped")),
        (true.into(), false.into())
    );

    let paused = steered.command(&["pause"]).expect(0);
    assert!(paused.stdout.contains("paused: true"), "{}", paused.stdout);
    let page = |address: &str| get(address, "/metrics").unwrap();
    steered.until("the page to say so", |_| {
        page(&metrics).contains("state=\"paused\"} 1")
    });
    steered.until("users that rest", |run| run.attribute("vus") == 0);
    // Numbers are a second old at the most.
    std::thread::sleep(Duration::from_secs(2));
    let before = steered.iterations();
    std::thread::sleep(Duration::from_secs(2));
    assert!((steered.iterations() - before).abs() < 0.5, "nothing begins");

    let resumed = steered.command(&["resume"]).expect(0);
    assert!(resumed.stdout.contains("paused: false"), "{}", resumed.stdout);
    steered.until("more iterations", |run| run.iterations() > before);
    assert!(page(&metrics).contains("state=\"running\"} 1"));

    let metric = steered.get("/v1/metrics/checks").unwrap();
    assert_eq!(metric["data"]["type"], "metrics");
    assert_eq!(
        (
            &metric["data"]["attributes"]["type"],
            &metric["data"]["attributes"]["tainted"]
        ),
        (&json!("rate"), &json!(false))
    );
    assert_eq!(metric["data"]["attributes"]["sample"]["rate"], 1);
    let groups = steered.get("/v1/groups").unwrap();
    let paths: Vec<&str> = groups["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["attributes"]["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["", "::outer", "::outer::inner"]);
    let inner = groups["data"][2]["id"].as_str().unwrap();
    let inner = steered.get(&format!("/v1/groups/{inner}")).unwrap();
    assert_eq!(inner["data"]["attributes"]["checks"][0]["name"], "one");
    assert_eq!(
        inner["data"]["relationships"]["parent"]["data"]["id"],
        groups["data"][1]["id"]
    );
    assert_eq!(
        steered.get("/v1/setup").unwrap()["data"]["attributes"]["data"]["answer"],
        42
    );
    let stats = steered.command(&["stats"]).expect(0);
    assert!(
        stats.stdout.contains("iterations:\n  type: counter\n"),
        "{}",
        stats.stdout
    );

    let (status, answer) = steered.patch(&json!({ "vus": 5 }));
    assert_eq!(status, 400);
    assert!(
        answer["errors"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("externally-controlled"),
        "{answer}"
    );
    for (method, path, body, code) in [
        ("PATCH", "/v1/status", "{", 400),
        ("PATCH", "/v1/status", "{}", 400),
        (
            "PATCH",
            "/v1/status",
            "{\"data\":{\"attributes\":{\"paused\":5}}}",
            400,
        ),
        ("POST", "/v1/status", "", 405),
        ("DELETE", "/v1/setup", "", 405),
        ("PUT", "/v1/setup", "{", 400),
        ("GET", "/v1/teardown", "", 405),
        ("GET", "/v1/metrics/nonsense", "", 404),
        ("GET", "/v2", "", 404),
    ] {
        let (status, answer) = steered.send(method, path, body);
        assert_eq!(status, code, "{method} {path} {body}");
        assert_eq!(answer["errors"][0]["status"], code.to_string(), "{answer}");
    }

    let (status, answer) = steered.patch(&json!({ "stopped": true }));
    assert_eq!(
        (status, &answer["data"]["attributes"]["stopped"]),
        (200, &json!(true))
    );
    steered
        .running
        .wait()
        .expect(103)
        .says(&["stopped over the REST API"]);
}

#[test]
fn a_run_that_begins_paused_sends_nothing_until_it_is_resumed() {
    let script = Scripted::new(
        "export const options = { vus: 1, iterations: 3 };
export function setup() { console.log('in setup'); }
export default function () { console.log('in iteration'); }",
    );
    let console = script.file("console.log");
    let steered = Steered::start(&script, &["--paused", "--console-output", &console]);
    steered.until("all to be ready", |run| run.attribute("status") == 4);
    assert_eq!(steered.attribute("paused"), true);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(steered.attribute("status"), 4);
    assert_eq!(script.read("console.log"), "");
    steered.command(&["resume"]).expect(0);
    let ended = steered.running.wait().expect(0);
    assert_eq!(ended.shown("iterations"), "3");
    let said = script.read("console.log");
    assert_eq!(
        said.matches("msg=\"in iteration\" source=console").count(),
        3,
        "{said}"
    );
    assert!(
        said.contains("level=info msg=\"in setup\" source=console"),
        "{said}"
    );
    assert!(!ended.stderr.contains("in iteration"), "{}", ended.stderr);
}

/// What a request about `setup()` is answered with.
fn setup_data(steered: &Steered, method: &str, body: &str) -> Value {
    let (status, answer) = steered.send(method, "/v1/setup", body);
    assert_eq!(status, 200, "{method} {body}: {answer}");
    assert_eq!(
        (&answer["data"]["type"], &answer["data"]["id"]),
        (&json!("setupData"), &json!("default"))
    );
    answer["data"]["attributes"].clone()
}

#[test]
fn setup_and_teardown_are_called_when_somebody_asks() {
    let script = Scripted::new(
        "import { Counter } from 'k6/metrics';
const calls = new Counter('calls');
export const options = { vus: 2, iterations: 4 };
export function setup() { calls.add(1); console.log('in setup'); return { v: 1 }; }
export default function (data) { console.log(`iteration ${data.v}`); }
export function teardown(data) { calls.add(1); console.log(`teardown ${data.v}`); }",
    );
    let console = script.file("console.log");
    let order = [
        "--paused",
        "--no-setup",
        "--no-teardown",
        "--console-output",
        &console,
    ];
    let steered = Steered::start(&script, &order);
    steered.until("all to be ready", |run| run.attribute("status") == 4);
    assert_eq!(setup_data(&steered, "GET", ""), json!({}));
    assert_eq!(setup_data(&steered, "POST", ""), json!({ "data": { "v": 1 } }));
    assert_eq!(setup_data(&steered, "GET", ""), json!({ "data": { "v": 1 } }));
    assert_eq!(
        setup_data(&steered, "PUT", r#"{"v":2, "more":"m"}"#),
        json!({ "data": { "v": 2, "more": "m" } })
    );
    assert_eq!(setup_data(&steered, "PUT", ""), json!({}));
    assert_eq!(setup_data(&steered, "PUT", "null"), json!({ "data": null }));
    assert_eq!(
        setup_data(&steered, "PUT", r#"{"v":3}"#),
        json!({ "data": { "v": 3 } })
    );
    assert_eq!(steered.send("POST", "/v1/teardown", ""), (200, Value::Null));
    steered.command(&["resume"]).expect(0);
    let ended = steered.running.wait().expect(0);
    // What they measure counts.
    assert_eq!((ended.shown("calls"), ended.shown("iterations")), ("2", "4"));
    let said = script.read("console.log");
    for (text, times) in [
        ("in setup", 1),
        ("teardown 3", 1),
        ("iteration 3", 4),
        ("msg=", 6),
    ] {
        assert_eq!(said.matches(text).count(), times, "{text}: {said}");
    }
}

#[test]
fn a_call_that_fails_is_answered_and_costs_the_run_nothing() {
    let script = Scripted::new(
        "export const options = { iterations: 1, teardownTimeout: '300ms' };
export function setup() { throw new Error('not today'); }
export default function (data) { if (data !== undefined) throw new Error('data'); }
export function teardown() { for (;;) {} }",
    );
    let steered = Steered::start(&script, &["--paused", "--no-setup", "--no-teardown"]);
    for (path, part) in [
        ("/v1/setup", "setup(): Error: not today"),
        ("/v1/teardown", "raise teardownTimeout"),
    ] {
        let (status, answer) = steered.send("POST", path, "");
        let detail = answer["errors"][0]["detail"].as_str().unwrap_or_default();
        assert!(status == 500 && detail.contains(part), "{status} {answer}");
    }
    steered.command(&["resume"]).expect(0);
    steered.running.wait().expect(0);

    // The run calls them itself as well, and a script need not have any.
    let script = Scripted::new(
        "import { sleep } from 'k6';
export const options = { vus: 1, duration: '1h' };
export default function () { sleep(0.02); }",
    );
    let steered = Steered::start(&script, &[]);
    steered.until("iterations", |run| run.iterations() > 0.0);
    assert_eq!(setup_data(&steered, "POST", ""), json!({}));
    assert_eq!(steered.send("POST", "/v1/teardown", "").0, 200);
    steered.patch(&json!({ "stopped": true }));
    steered.running.wait().expect(103);
}

#[test]
fn a_paused_run_can_be_stopped() {
    let script = Scripted::new("export const options = { iterations: 3 };\nexport default function () {}");
    let steered = Steered::start(&script, &["--paused"]);
    steered.until("all to be ready", |run| run.attribute("status") == 4);
    let (status, _) = steered.patch(&json!({ "stopped": true }));
    assert_eq!(status, 200);
    steered.running.wait().expect(103);

    let ended = run(&["run", "--metrics-addr", "off", "--paused", script.path()]);
    ended.expect(104).says(&["--address"]);
}

#[test]
fn a_number_of_users_comes_from_outside() {
    let script = Scripted::new(
        "import { sleep } from 'k6';
export const options = { scenarios: { steered: { executor: 'externally-controlled', vus: 1, maxVUs: 6, duration: '0' } } };
export default function () { sleep(0.02); }",
    );
    let samples = script.file("samples.json");
    let steered = Steered::start(&script, &["--out", &format!("json={samples}")]);
    steered.until("the first", |run| {
        run.attribute("vus") == 1 && run.attribute("vus-max") == 6
    });
    let scaled = steered.command(&["scale", "--vus", "4"]).expect(0);
    assert!(scaled.stdout.contains("vus-max: 6"), "{}", scaled.stdout);
    steered.until("four", |run| run.attribute("vus") == 4);
    let (status, answer) = steered.patch(&json!({ "vus": 7 }));
    assert!(
        status == 400 && answer["errors"][0]["detail"].as_str().unwrap().contains("maxVUs"),
        "{answer}"
    );
    steered.command(&["scale", "--vus", "0"]).expect(0);
    steered.until("none", |run| run.attribute("vus") == 0);
    steered.command(&["scale"]).expect(104);
    steered.patch(&json!({ "stopped": true }));
    steered.running.wait().expect(103);
    assert!(Points::read(&samples).count("iterations") > 0);
}

#[test]
fn a_port_that_is_taken_has_an_exit_code_of_its_own() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let script = Scripted::new("export default function () {}");
    let ended = run(&[
        "run",
        "--metrics-addr",
        "off",
        "--address",
        &address,
        script.path(),
    ]);
    ended.expect(106).says(&["the REST API", "--address"]);
    run(&[
        "run",
        "--metrics-addr",
        "off",
        "--address",
        "nowhere",
        script.path(),
    ])
    .expect(104)
    .says(&["HOST:PORT"]);
    run(&["status", "--address", &format!("127.0.0.1:{}", free_port())])
        .expect(104)
        .says(&["no run answers"]);
}
