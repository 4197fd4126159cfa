//! Where messages go and what they look like: `--log-output`, `--log-format`, `--console-output`, `--http-debug`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod alert_support;
mod grafana_support;
mod run_support;

use alert_support::Webhook;
use run_support::{Scripted, Server, free_port, loadgen, run};
use serde_json::json;

fn script() -> Scripted {
    Scripted::new(
        "import http from 'k6/http';
export default function () {
  console.log('hello');
  console.warn('two words');
  if (__ENV.URL) http.post(__ENV.URL, 'the body', { headers: { 'X-Own': 'v' } });
}",
    )
}

#[test]
fn messages_go_where_they_are_sent() {
    let script = script();
    let base = [
        "run",
        "--quiet",
        "--metrics-addr",
        "off",
        "--summary-mode",
        "disabled",
        script.path(),
    ];
    let with = |more: &[&str]| run(&[&base[..], more].concat());
    let ended = with(&[]).expect(0);
    assert!(
        ended.stderr.contains("INFO[0000] hello  source=console\n"),
        "{}",
        ended.stderr
    );
    let ended = with(&["--log-output", "stdout"]).expect(0);
    assert!(ended.stdout.contains("INFO[0000] hello  source=console\n") && ended.stderr.is_empty());
    let ended = with(&["--log-output", "none"]).expect(0);
    assert!(
        ended.stdout.is_empty() && ended.stderr.is_empty(),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
    let file = script.file("log.txt");
    let ended = with(&["--log-output", &format!("file={file},level=warning")]).expect(0);
    assert!(ended.stderr.is_empty(), "{}", ended.stderr);
    let said = script.read("log.txt");
    assert!(
        said.starts_with("time=\"20") && said.contains("level=warning msg=\"two words\" source=console\n"),
        "{said}"
    );
    assert!(!said.contains("hello"), "{said}");
    with(&["--log-output", "loki=http://127.0.0.1:1/,colour=red"])
        .expect(104)
        .says(&["\"colour=red\" is no setting of Loki"]);
    with(&["--log-output", "pigeon"])
        .expect(104)
        .says(&["--log-output pigeon", "file=PATH"]);
    with(&["--log-output", "file=/nowhere/log"])
        .expect(104)
        .says(&["--log-output", "/nowhere/log"]);
    let output = loadgen(&base).env("K6_LOG_FORMAT", "raw").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "hello\ntwo words\n");
}

#[test]
fn loki_gets_all_messages_and_its_troubles_cost_the_run_nothing() {
    let script = script();
    let loki = Webhook::start();
    let settings = format!(
        "loki=http://{}/loki/api/v1/push,label.team=a,header.X-Key=k,pushPeriod=50ms",
        loki.address
    );
    let ended = run(&[
        "run",
        "-q",
        "--metrics-addr",
        "off",
        "--log-output",
        &settings,
        script.path(),
    ])
    .expect(0);
    assert!(ended.stderr.is_empty(), "{}", ended.stderr);
    let pushed = loki.told.lock().unwrap();
    let streams: Vec<&serde_json::Value> = pushed
        .iter()
        .flat_map(|push| push["streams"].as_array().unwrap())
        .collect();
    let said = |level: &str, text: &str| {
        let labels = json!({ "level": level, "source": "console", "team": "a" });
        let mut lines = streams
            .iter()
            .filter(|stream| stream["stream"] == labels)
            .flat_map(|stream| stream["values"].as_array().unwrap());
        lines.any(|line| line[1] == text && line[0].as_str().unwrap().len() == 19)
    };
    assert!(
        said("info", "hello") && said("warning", "two words"),
        "{pushed:?}"
    );

    // Nobody listens there, and nobody waits for it.
    let nobody = format!("loki=http://127.0.0.1:{}/,pushPeriod=50ms", free_port());
    run(&[
        "run",
        "-q",
        "--metrics-addr",
        "off",
        "--log-output",
        &nobody,
        script.path(),
    ])
    .expect(0)
    .says(&["does not take messages (said once)", "messages were not taken"]);
}

#[test]
fn messages_have_the_form_that_was_asked_for() {
    let script = script();
    let with = |format: &str| {
        run(&[
            "run",
            "--quiet",
            "--metrics-addr",
            "off",
            "--summary-mode",
            "disabled",
            "--log-format",
            format,
            script.path(),
        ])
    };
    assert_eq!(with("raw").expect(0).stderr, "hello\ntwo words\n");
    let ended = with("json").expect(0);
    let lines: Vec<serde_json::Value> = ended
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&lines[0]["level"], &lines[0]["msg"], &lines[0]["source"]),
        (&"info".into(), &"hello".into(), &"console".into())
    );
    assert!(lines[1]["level"] == "warning" && lines[1]["time"].as_str().unwrap().ends_with('Z'));
    with("verse").expect(104).says(&["--log-format verse"]);
}

#[test]
fn the_console_has_a_file_of_its_own() {
    let script = script();
    let file = script.file("console.txt");
    let ended = run(&[
        "run",
        "--metrics-addr",
        "off",
        "--log-format",
        "raw",
        "--console-output",
        &file,
        script.path(),
    ]);
    assert!(!ended.expect(0).stderr.contains("hello"));
    assert_eq!(script.read("console.txt"), "hello\ntwo words\n");
    let ended = run(&[
        "run",
        "--metrics-addr",
        "off",
        "--console-output",
        "/nowhere/console",
        script.path(),
    ]);
    ended.expect(104).says(&["--console-output", "/nowhere/console"]);
}

#[test]
fn requests_and_responses_are_shown() {
    let server = Server::start();
    let script = script();
    let url = format!("URL={}", server.url("/big/3"));
    let with = |flag: &str| {
        run(&[
            "run",
            "--quiet",
            "--metrics-addr",
            "off",
            "-e",
            &url,
            flag,
            script.path(),
        ])
        .expect(0)
        .stderr
    };
    let headers = with("--http-debug");
    for part in [
        "Request:\nPOST /big/3 HTTP/1.1\r\n",
        "\r\nX-Own: v\r\n",
        "Response:\nHTTP/1.1 200",
        "Content-Length: 3",
        "source=http-debug",
    ] {
        assert!(headers.contains(part), "{part}\n{headers}");
    }
    assert!(
        !headers.contains("the body") && !headers.contains("xxx"),
        "{headers}"
    );
    let full = with("--http-debug=full");
    assert!(
        full.contains("\r\n\r\nthe body") && full.contains("\r\n\r\nxxx"),
        "{full}"
    );
    let failed = run(&[
        "run",
        "--quiet",
        "--metrics-addr",
        "off",
        "-e",
        "URL=http://127.0.0.1:1/",
        "--http-debug",
        script.path(),
    ]);
    assert!(failed.stderr.contains("Request error:\n"), "{}", failed.stderr);
}
