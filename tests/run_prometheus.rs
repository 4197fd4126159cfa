//! A real Prometheus reads a short run, and ends with exactly the summary's count.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; counts are whole numbers"
)]

mod run_support;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use run_support::{Running, Scripted, Server, eventually, free_port, get};
use serde_json::Value;

struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn installed(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        eprintln!("{program} is not installed: this test needs it (Debian: apt-get install prometheus)");
    }
    found
}

#[test]
fn a_run_of_six_seconds_is_counted_exactly() {
    let count = "sum(last_over_time(loadgen_http_requests_total[5m]))";
    let buckets = "sum(last_over_time(loadgen_http_request_duration_seconds_bucket{le=\"+Inf\"}[5m]))";
    counted_exactly(&[], &[(count, &vector), (buckets, &vector)]);
}

#[test]
fn and_so_it_is_with_native_histograms() {
    // Functions over time do not know them yet in every release, so the samples themselves are asked for.
    let last = |series: &Value| {
        let histogram = &series["histograms"].as_array().unwrap().last().unwrap()[1];
        let number = |text: &Value| text.as_str().unwrap().parse::<u64>().unwrap();
        let within: u64 = histogram["buckets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|bucket| number(&bucket[3]))
            .sum();
        assert_eq!(within, number(&histogram["count"]), "the buckets hold all");
        within
    };
    let histograms = |answer: &Value| {
        let series = answer["data"]["result"].as_array()?.iter();
        // One was there before the first request, without a name or values.
        Some(
            series
                .filter(|series| series["metric"]["name"].is_string())
                .map(last)
                .sum(),
        )
    };
    counted_exactly(
        &["--enable-feature=native-histograms"],
        &[
            ("sum(last_over_time(loadgen_http_requests_total[5m]))", &vector),
            ("loadgen_http_request_duration_seconds[5m]", &histograms),
        ],
    );
}

/// What reads a number from an answer.
type Read<'a> = &'a dyn Fn(&Value) -> Option<u64>;

/// The number of an answer with one.
fn vector(answer: &Value) -> Option<u64> {
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

/// Runs for six seconds beside a Prometheus with these flags; each query has to give the number of requests.
fn counted_exactly(flags: &[&str], queries: &[(&str, Read)]) {
    assert!(installed("prometheus"), "apt-get install prometheus");
    let server = Server::start();
    let script = Scripted::new(&format!(
        "import http from 'k6/http';
        import {{ sleep }} from 'k6';
        export const options = {{ vus: 4, duration: '6s' }};
        export default function () {{ http.get('{}'); sleep(0.02); }}",
        server.url("/")
    ));
    let (target, own) = (free_port(), free_port());
    let config = script.file("prometheus.yml");
    let text = format!(
        "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
         scrape_configs: [{{ job_name: loadgen, static_configs: [{{ targets: ['127.0.0.1:{target}'] }}] }}]\n"
    );
    std::fs::write(&config, text).unwrap();
    let _prometheus = Prometheus(
        Command::new("prometheus")
            .arg(format!("--config.file={config}"))
            .arg(format!("--storage.tsdb.path={}", script.file("data")))
            .arg(format!("--web.listen-address=127.0.0.1:{own}"))
            .args(flags)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let own = format!("127.0.0.1:{own}");
    eventually(Duration::from_secs(30), "Prometheus", || {
        get(&own, "/-/ready").ok().filter(|text| text.contains("Ready"))
    });

    let address = format!("127.0.0.1:{target}");
    let export = script.file("export.json");
    let running = Running::start(&[
        "run",
        script.path(),
        "-q",
        "--metrics-addr",
        &address,
        "--linger=20s",
        "--summary-export",
        &export,
    ]);
    running
        .wait()
        .expect(0)
        .says(&["waiting up to 20 s for a last scrape"]);

    let export: Value = serde_json::from_str(&script.read("export.json")).unwrap();
    let count = export["metrics"]["http_reqs"]["count"].as_u64().unwrap();
    assert_eq!(count, server.count());
    // What was scraped is there for queries a moment after the page was sent.
    for (query, read) in queries {
        let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let query_path = format!("/api/v1/query?query={encoded}");
        let mut told = None;
        eventually(Duration::from_secs(15), query, || {
            let answer: Value = serde_json::from_str(&body(&get(&own, &query_path).ok()?)).ok()?;
            told = read(&answer);
            (told == Some(count)).then_some(())
        });
    }
}

/// The JSON of a body that may be sent in chunks.
fn body(text: &str) -> String {
    let (from, to) = (text.find('{').unwrap(), text.rfind('}').unwrap());
    text[from..=to].to_owned()
}

#[test]
fn promtool_has_nothing_to_say_about_a_page_during_a_run() {
    assert!(installed("promtool"), "apt-get install prometheus");
    let address = format!("127.0.0.1:{}", free_port());
    let arguments = [
        "run",
        "--demo",
        "store-crud",
        "-q",
        "-u",
        "5",
        "-d",
        "4s",
        "--metrics-addr",
        &address,
    ];
    let running = Running::start(&arguments);
    let page = eventually(Duration::from_secs(15), "a page with samples", || {
        let page = get(&address, "/metrics").ok()?;
        (run_support::sum(&page, "loadgen_http_requests_total", &[]) > 0.0).then_some(page)
    });
    assert!(
        (run_support::sum(&page, "loadgen_scenario_offered_vus", &[]) - 5.0).abs() < 0.1,
        "{page}"
    );
    // Each user keeps its connections to the three services, at most.
    let opened = run_support::sum(&page, "loadgen_connections_opened_total", &[]);
    assert!((1.0..=15.0).contains(&opened), "{page}");
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut promtool.stdin.take().unwrap(), page.as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    let said =
        String::from_utf8_lossy(&checked.stderr).into_owned() + &String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success() && said.trim().is_empty(), "{said}");
    running.wait().expect(0);
}
