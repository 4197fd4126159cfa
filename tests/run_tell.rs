//! A run tells a real Alertmanager of thresholds that fail, and Grafana of when load began and how it ended; and whoever is
//! away, refuses or hangs costs the load nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod alert_support;
mod grafana_support;
mod run_support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use alert_support::{Alertmanager, Webhook};
use grafana_support::{fetch, list, text};
use run_support::{
    Ended, Running, Scripted, Server, eventually, free_port, get, last_page, loadgen, run, sum,
};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_mins(1);

/// Requests that fail for as long as the server says so.
fn script(url: &str, more: &str) -> Scripted {
    Scripted::new(&format!(
        "import http from 'k6/http';
        import {{ sleep }} from 'k6';
        export const options = {{
          scenarios: {{ steady: {{ executor: 'constant-vus', vus: 2, duration: '5m', gracefulStop: '1s' }} }},
          thresholds: {{ http_req_failed: [{{ threshold: 'rate<0.5', over: '2s' }}], http_reqs: ['count>0'] }},
          {more}
        }};
        export default function () {{ http.get('{url}'); sleep(0.05); }}"
    ))
}

/// A target that answers with 500 until it is told to answer with 200.
fn moody() -> (String, Arc<Mutex<&'static str>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let status = Arc::new(Mutex::new("500 Error"));
    let mood = status.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let answer = format!(
                "HTTP/1.1 {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                mood.lock().unwrap()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url, status)
}

#[test]
fn a_threshold_that_fails_is_an_alert_until_it_holds_again() {
    let webhook = Webhook::start();
    let alertmanager = Alertmanager::start(&webhook);
    let (url, status) = moody();
    let (script, address) = (script(&url, ""), format!("127.0.0.1:{}", free_port()));
    let run = Running::start(&[
        "run",
        script.path(),
        "-q",
        "--metrics-addr",
        &address,
        "--alertmanager",
        &format!("http://{}/", alertmanager.address),
    ]);
    let heard = |status: &str| {
        let wanted = ("LoadgenThresholdFails".to_owned(), status.to_owned());
        webhook.heard().contains(&wanted).then_some(())
    };
    eventually(LIMIT, "the alert", || heard("firing"));
    // It names the threshold, the run and the generator, and says what the number is.
    let known = fetch(&alertmanager.address, "/api/v2/alerts").unwrap();
    let known: Value = serde_json::from_str(&known).unwrap();
    assert_eq!(list(&known).len(), 1, "{known}");
    let labels = &known[0]["labels"];
    for (name, value) in [
        ("metric", "http_req_failed"),
        ("threshold", "rate<0.5"),
        ("severity", "warning"),
        ("job", "loadgen"),
    ] {
        assert_eq!(labels[name], value, "{known}");
    }
    let page = get(&address, "/metrics").unwrap();
    assert!(
        page.contains(&format!("run_id=\"{}\"", text(labels, "run_id"))),
        "{page}"
    );
    let description = text(&known[0]["annotations"], "description");
    assert!(
        description.contains("is to be rate<0.5, and is 1, in "),
        "{description}"
    );
    assert!(
        sum(&page, "loadgen_alertmanager_posts_total", &["result=\"taken\""]) >= 1.0,
        "{page}"
    );
    assert!(sum(&page, "loadgen_alertmanager_posts_total", &["result=\"failed\""]) < 1.0);

    *status.lock().unwrap() = "200 OK";
    eventually(LIMIT, "that it is over", || heard("resolved"));
    run.signal("INT");
    let ended = run.wait().expect(105);
    assert!(!ended.stderr.contains("--alertmanager"), "{}", ended.stderr);
}

#[test]
fn what_still_fails_at_the_end_ends_with_the_run_but_not_before_it_is_told() {
    let webhook = Webhook::start();
    let alertmanager = Alertmanager::start(&webhook);
    let server = Server::start();
    let url = format!("http://{}", alertmanager.address);
    // Shorter than the first look: only the end knows of it.
    let ended = run(&[
        "hit",
        &server.url("/status/404"),
        "-n",
        "5",
        "-q",
        "--metrics-addr",
        "off",
        "--threshold",
        "http_req_failed=rate<0.5",
        "--alertmanager",
        &url,
    ]);
    ended.expect(99);
    let known = fetch(&alertmanager.address, "/api/v2/alerts").unwrap();
    let known: Value = serde_json::from_str(&known).unwrap();
    let (begins, ends) = (text(&known[0], "startsAt"), text(&known[0], "endsAt"));
    let moment = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
    let lasts = moment(ends) - moment(begins);
    assert!((55..=65).contains(&lasts), "it ends by itself: {known}");
    eventually(LIMIT, "the alert", || {
        let wanted = ("LoadgenThresholdFails".to_owned(), "firing".to_owned());
        webhook.heard().contains(&wanted).then_some(())
    });
}

/// Grafana's API for annotations, as its documentation has it; what it was sent.
struct Grafana {
    url: String,
    /// First line, `Authorization`, body.
    asked: Arc<Mutex<Vec<(String, String, Value)>>>,
}

impl Grafana {
    fn start() -> Grafana {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = Grafana::answer(&stream, &kept);
            }
        });
        Grafana { url, asked }
    }

    fn answer(mut stream: &TcpStream, kept: &Mutex<Vec<(String, String, Value)>>) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?);
        let (mut first, mut authorization, mut length) = (String::new(), String::new(), 0);
        lines.read_line(&mut first)?;
        loop {
            let mut line = String::new();
            lines.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(": ") else {
                break;
            };
            match name.to_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "authorization" => value.clone_into(&mut authorization),
                "content-type" => assert_eq!(value, "application/json"),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body)?;
        let first = first.trim().to_owned();
        let (status, answer) = match (first.split(' ').next().unwrap(), authorization.as_str()) {
            (_, token) if token != "Bearer glsa_secret" => {
                ("401 Unauthorized", json!({ "message": "Unauthorized" }))
            }
            ("POST", _) => ("200 OK", json!({ "message": "Annotation added", "id": 17 })),
            _ => ("200 OK", json!({ "message": "Annotation patched" })),
        };
        kept.lock()
            .unwrap()
            .push((first, authorization, serde_json::from_slice(&body).unwrap()));
        let answer = answer.to_string();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
            answer.len()
        )
    }

    /// A run that is to tell it, and logs in with this token.
    fn annotated_by(&self, script: &Scripted, token: &str) -> Running {
        let mut command = loadgen(&[
            "run",
            script.path(),
            "-q",
            "--metrics-addr",
            "off",
            "--grafana",
            &self.url,
        ]);
        Running(Some(command.env("LOADGEN_GRAFANA_TOKEN", token).spawn().unwrap()))
    }

    fn asked(&self) -> Vec<(String, String, Value)> {
        self.asked.lock().unwrap().clone()
    }
}

#[test]
fn a_run_is_a_region_in_grafana_with_its_verdict() {
    let (grafana, server) = (Grafana::start(), Server::start());
    let script = script(&server.url("/"), "");
    let before = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    let run = grafana.annotated_by(&script, "glsa_secret\n");
    eventually(LIMIT, "that it began", || {
        (!grafana.asked().is_empty()).then_some(())
    });
    run.signal("INT");
    let ended = run.wait().expect(105);
    assert!(!ended.stderr.contains("--grafana"), "{}", ended.stderr);

    let asked = grafana.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    let lines: Vec<&str> = asked.iter().map(|(line, ..)| line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "POST /api/annotations HTTP/1.1",
            "PATCH /api/annotations/17 HTTP/1.1"
        ]
    );
    let (begin, end) = (&asked[0].2, &asked[1].2);
    let time = begin["time"].as_u64().unwrap();
    assert!(time >= before && begin["timeEnd"].is_null(), "{begin}");
    assert_eq!(end["time"], time);
    assert!(end["timeEnd"].as_u64().unwrap() >= time, "{end}");
    let tags: Vec<&str> = list(&end["tags"])
        .iter()
        .map(|tag| tag.as_str().unwrap())
        .collect();
    assert_eq!(
        (tags[0], tags[2], tags[3]),
        ("loadgen", "scenario:steady", "verdict:signal"),
        "{end}"
    );
    assert!(tags[1].starts_with("run_id:") && tags.len() == 4, "{end}");
    assert!(text(end, "text").ends_with(": signal"), "{end}");
}

#[test]
fn a_token_that_is_missing_is_said_and_the_script_never_sees_one() {
    let (grafana, server) = (Grafana::start(), Server::start());
    let script = Scripted::new(&format!(
        "import http from 'k6/http';
        import {{ sleep }} from 'k6';
        if (Object.values(__ENV).some((value) => value.includes('glsa'))) throw new Error('a secret is seen');
        export default function () {{ http.get('{}'); sleep(2); }}",
        server.url("/")
    ));
    for (token, told) in [("", 0), ("glsa_wrong", 0), ("glsa_secret", 2)] {
        let before = grafana.asked().len();
        let ended = grafana.annotated_by(&script, token).wait().expect(0);
        let said = ended.stderr.matches("401 Unauthorized").count();
        assert_eq!(said, usize::from(told == 0), "once: {}", ended.stderr);
        if told == 0 {
            assert!(ended.stderr.contains("LOADGEN_GRAFANA_TOKEN"), "{}", ended.stderr);
        } else {
            assert_eq!(grafana.asked().len() - before, told);
        }
        assert!(!ended.stderr.contains("glsa"), "{}", ended.stderr);
    }
}

/// A server that answers each connection with this, or takes connections and never answers.
fn server(answer: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().flatten() {
            match answer {
                None => held.push(stream),
                Some(answer) => {
                    let _ = stream.read(&mut [0; 1 << 13]);
                    let _ = stream.write_all(answer.as_bytes());
                }
            }
        }
    });
    url
}

#[test]
fn whoever_is_away_refuses_or_hangs_costs_the_load_nothing_and_is_said_once() {
    let away = format!("http://127.0.0.1:{}", free_port());
    let refuses = server(Some(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\nConnection: close\r\n\r\nnot today",
    ));
    let hangs = server(None);
    for (url, why) in [
        (away, "connection refused"),
        (refuses, "503 Service Unavailable not today"),
        (hangs, "timeout"),
    ] {
        let target = Server::start();
        let script = Scripted::new(&format!(
            "import http from 'k6/http';
            export const options = {{
              scenarios: {{ s: {{ executor: 'constant-arrival-rate', rate: 50, duration: '7s', preAllocatedVUs: 350 }} }},
              thresholds: {{ http_req_failed: ['rate<0.1'] }},
            }};
            export default function () {{ http.get('{}'); }}",
            target.url("/status/500")
        ));
        let address = format!("127.0.0.1:{}", free_port());
        let run = Running::start(&[
            "run",
            script.path(),
            "-q",
            "--metrics-addr",
            &address,
            "--alertmanager",
            &url,
            "--grafana",
            &url,
            "--linger=20s",
        ]);
        let last = last_page(&address);
        // The end does not wait for ever either.
        let ended = run.wait().expect(99);
        // The load is what it would be without, to the iteration: there is a virtual user for each.
        assert_eq!(target.count(), 350);
        assert_eq!(
            sum(&last, "loadgen_dropped_iterations_total", &[]).to_string(),
            "0"
        );
        for name in ["alertmanager_posts", "grafana_annotations"] {
            let failed = sum(&last, &format!("loadgen_{name}_total"), &["result=\"failed\""]);
            assert!(failed > 0.0, "{name}: {last}");
        }
        for flag in ["--alertmanager", "--grafana"] {
            let said: Vec<&str> = ended
                .stderr
                .lines()
                .filter(|line| line.contains(&format!("{flag}: ")))
                .collect();
            assert_eq!(said.len(), 1, "{flag}, {url}: {}", ended.stderr);
            assert!(
                said[0].to_lowercase().contains(&why.to_lowercase()),
                "{}",
                said[0]
            );
        }
    }
}

#[test]
fn what_is_typed_wrongly_is_named_and_nothing_is_sent() {
    for (arguments, said) in [
        (["--alertmanager", "am:9093"], "--alertmanager am:9093"),
        (["--grafana", "grafana"], "such as http://localhost:3000"),
    ] {
        let all = [&["hit", "http://127.0.0.1:9/", "-n", "1"], &arguments[..]].concat();
        let ended = run(&all).expect(104);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    // So are variables, of what is pushed too.
    for (name, said) in [
        ("LOADGEN_ALERTMANAGER", "--alertmanager am: "),
        ("LOADGEN_GRAFANA", "--grafana am: "),
        ("LOADGEN_REMOTE_WRITE", "--remote-write am: "),
    ] {
        let mut command = loadgen(&["hit", "http://127.0.0.1:9/", "-n", "1"]);
        let ended: Ended = command.env(name, "am").output().unwrap().into();
        assert!(
            ended.code == 104 && ended.stderr.contains(said),
            "{}",
            ended.stderr
        );
    }
}
