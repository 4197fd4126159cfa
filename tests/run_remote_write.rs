//! Metrics are pushed to a real Prometheus, and a receiver that is away, slow or refuses costs the load nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod run_support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use run_support::{Running, Scripted, Server, eventually, free_port, get, run};
use serde_json::Value;

struct Prometheus {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn start() -> Prometheus {
        let folder = tempfile::tempdir().unwrap();
        let (config, port) = (folder.path().join("prometheus.yml"), free_port());
        std::fs::write(&config, "global: { scrape_interval: 1m }\n").unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--web.enable-remote-write-receiver")
            .arg("--enable-feature=native-histograms")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Prometheus is installed (Debian: apt-get install prometheus)");
        let address = format!("127.0.0.1:{port}");
        eventually(Duration::from_secs(30), "Prometheus", || {
            get(&address, "/-/ready")
                .ok()
                .filter(|text| text.contains("Ready"))
        });
        Prometheus {
            child,
            address,
            _folder: folder,
        }
    }

    fn query(&self, query: &str) -> Value {
        let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let answer = get(&self.address, &format!("/api/v1/query?query={encoded}")).unwrap();
        let (from, to) = (answer.find('{').unwrap(), answer.rfind('}').unwrap());
        let answer: Value = serde_json::from_str(&answer[from..=to]).unwrap();
        answer["data"]["result"].clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn script(server: &Server, load: &str) -> Scripted {
    Scripted::new(&format!(
        "import http from 'k6/http';
        import {{ sleep }} from 'k6';
        export const options = {{ {load} }};
        export default function () {{ http.get('{}'); sleep(0.05); }}",
        server.url("/")
    ))
}

#[test]
fn a_real_receiver_has_every_request_and_sees_the_series_end() {
    let prometheus = Prometheus::start();
    let server = Server::start();
    let script = script(&server, "vus: 2, duration: '4s'");
    let url = format!("http://{}/api/v1/write", prometheus.address);
    let arguments = [
        "run",
        script.path(),
        "-q",
        "--metrics-addr",
        "off",
        "--remote-write",
        &url,
    ];
    let ended = Running::start(&[&arguments[..], &["--remote-write-interval", "1s"]].concat()).wait();
    let ended = ended.expect(0);
    assert!(!ended.stderr.contains("remote-write"), "{}", ended.stderr);

    let count = server.count().to_string();
    let total = prometheus.query("sum(last_over_time(loadgen_http_requests_total{job=\"loadgen\"}[5m]))");
    assert_eq!(total[0]["value"][1], *count, "{total}");
    let buckets = prometheus.query(
        "sum(last_over_time(loadgen_http_request_duration_seconds_bucket{le=\"+Inf\",instance!=\"\"}[5m]))",
    );
    assert_eq!(buckets[0]["value"][1], *count, "{buckets}");
    // Native ones too, before the end of the series.
    let native = prometheus.query("loadgen_http_request_duration_seconds{status=\"200\"}[5m]");
    let counts = native[0]["histograms"].as_array().unwrap();
    assert!(
        counts.iter().any(|histogram| histogram[1]["count"] == *count),
        "{native}"
    );
    // More than one page came, and now there is nothing any more.
    let pages = prometheus.query("count_over_time(loadgen_vus[5m])");
    let pages: f64 = pages[0]["value"][1].as_str().unwrap().parse().unwrap();
    assert!(pages >= 3.0, "{pages}");
    let now = prometheus.query("loadgen_http_requests_total");
    assert_eq!(now, serde_json::json!([]), "the series have ended");
}

/// A receiver that answers with this, or takes connections and never answers.
fn receiver(answer: Option<&'static str>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/write", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().flatten() {
            counter.fetch_add(1, Ordering::Relaxed);
            match answer {
                None => held.push(stream),
                Some(answer) => {
                    let mut buffer = [0; 1 << 13];
                    let _ = stream.read(&mut buffer);
                    let _ = stream.write_all(answer.as_bytes());
                }
            }
        }
    });
    (url, asked)
}

fn load_with(receiver: &str) -> (u64, run_support::Ended) {
    let server = Server::start();
    // A virtual user for each iteration: none is dropped, however busy the machine is.
    let load = "scenarios: { s: { executor: 'constant-arrival-rate', rate: 50, duration: '3s', preAllocatedVUs: 150 } }";
    let script = script(&server, load);
    let arguments = [
        "run",
        script.path(),
        "-q",
        "--metrics-addr",
        "off",
        "--remote-write",
        receiver,
    ];
    let often = ["--remote-write-interval", "1s", "--remote-write-timeout", "700ms"];
    let ended = Running::start(&[&arguments[..], &often].concat()).wait();
    (server.count(), ended.expect(0))
}

#[test]
fn a_receiver_that_refuses_is_named_once_and_the_load_is_the_same() {
    let (url, asked) = receiver(Some(
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 19\r\nConnection: close\r\n\r\nout of order sample",
    ));
    let (count, ended) = load_with(&url);
    assert_eq!(count, 150);
    assert!(asked.load(Ordering::Relaxed) >= 3, "each page is tried once");
    let said = ended
        .stderr
        .matches("refuses samples: 400 Bad Request out of order sample")
        .count();
    assert_eq!(said, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("samples were not taken"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_receiver_that_is_away_or_hangs_costs_the_load_nothing() {
    let nobody = format!("http://127.0.0.1:{}/write", free_port());
    let (silent, _) = receiver(None);
    for (url, why) in [(nobody, "connection refused"), (silent, "no answer within 0.7 s")] {
        let begun = std::time::Instant::now();
        let (count, ended) = load_with(&url);
        assert_eq!(count, 150);
        assert!(
            begun.elapsed() < Duration::from_mins(1),
            "the end does not wait for ever"
        );
        // Tried again and again, and said once.
        assert_eq!(ended.stderr.matches("WARN").count(), 1, "{}", ended.stderr);
        assert_eq!(ended.stderr.matches(why).count(), 1, "{}", ended.stderr);
        assert!(
            ended.stderr.contains("samples were not taken"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn what_is_typed_wrongly_is_named_and_nothing_is_sent() {
    for (arguments, said) in [
        (&["--remote-write", "prometheus"][..], "--remote-write prometheus"),
        (
            &["--remote-write", "http://x/", "--remote-write-header", "secret"],
            "write it as 'Name: value'",
        ),
        (
            &["--remote-write", "http://x/", "--remote-write-interval", "1ms"],
            "at least 1 s",
        ),
        (
            &["--remote-write", "http://x/", "--remote-write-timeout", "0s"],
            "--remote-write-timeout: it must be more than 0",
        ),
    ] {
        let all = [&["hit", "http://127.0.0.1:9/", "-n", "1"], arguments].concat();
        let ended = run(&all).expect(104);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}
