//! Every query of every dashboard, asked of a real Prometheus that has scraped real runs; each has to give data, with the
//! labels that its legend shows. And every metric that a query or a rule names is one that a run tells.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod grafana_support;
mod grpc_support;
mod run_support;
mod ssh_support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::time::Duration;

use grafana_support::queries::{Variables, ask, asked, shows};
use grafana_support::{Prometheus, dashboards, list, metrics, read, text, yaml};
use grpc_support::Room;
use run_support::{Running, Scripted, eventually, free_port, get, loadgen};
use serde_json::Value;
use ssh_support::{Home, Sshd};

/// A spike in small, with something for every panel: a rate and a number of users, requests that fail, iterations that
/// are dropped, a WebSocket, gRPC, a threshold that does not hold.
const SPIKE: &str = "
    import http from 'k6/http';
    import ws from 'k6/ws';
    import grpc from 'k6/net/grpc';
    import { check, group, sleep } from 'k6';
    const room = new grpc.Client();
    const seconds = Number(__ENV.SECONDS);
    export const options = {
      scenarios: {
        spike: {
          executor: 'ramping-arrival-rate', startRate: 20, preAllocatedVUs: 2, maxVUs: 4,
          stages: [{ target: 400, duration: '2s' }, { target: 400, duration: `${seconds - 2}s` }],
        },
        users: { executor: 'constant-vus', vus: 2, duration: `${seconds}s` },
        listener: { executor: 'constant-vus', vus: 1, duration: `${seconds}s`, exec: 'listen', gracefulStop: '2s' },
        caller: { executor: 'constant-vus', vus: 1, duration: `${seconds}s`, exec: 'call', gracefulStop: '2s' },
      },
      thresholds: { http_req_failed: ['rate<0.0001'], http_req_duration: ['p(95)<60000'] },
    };
    export default function () {
      group('spike', () => check(http.get(`${__ENV.WALLET_URL}/`), { answered: (r) => r.status === 200 }));
      http.get(`${__ENV.STORE_URL}/nowhere`);
    }
    export function listen() {
      ws.connect(`${__ENV.WS_URL}?token=test-api-key`, (socket) => {
        socket.on('open', () => { socket.ping(); socket.send('{\"type\":\"ping\"}'); });
        socket.setTimeout(() => socket.close(), 500);
      });
    }
    export function call() {
      if (__ITER === 0) room.connect(__ENV.GRPC, { plaintext: true, reflect: true });
      room.invoke('room.v1.Room/Greet', 'a');
      const numbers = new grpc.Stream(room, 'room.v1.Room/Count');
      numbers.write({ first: 1, last: 3 });
      sleep(0.1);
    }";

/// What the pages of a run have told: the names of its metrics.
fn told(pages: &[String]) -> BTreeSet<String> {
    let types = pages.iter().flat_map(|page| page.lines());
    types
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect()
}

/// A target that breaks, on a server behind a real sshd.
struct Target {
    sshd: Sshd,
    home: Home,
    /// Ports of its services wallet, store and app.
    ports: [u64; 3],
    _demo: Running,
}

const LIMITS: [&str; 6] = ["--capacity", "150", "--queue", "3", "--workers", "1"];

impl Target {
    fn start() -> Target {
        let sshd = Sshd::start();
        let all = [&["demo", "--port", "0", "--print-ports"], &LIMITS[..]].concat();
        let mut demo = Running(Some(loadgen(&all).spawn().unwrap()));
        let mut line = String::new();
        let stdout = demo.0.as_mut().unwrap().stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let ports: Value = serde_json::from_str(&line).unwrap();
        let port = |name: &str| {
            let address = text(&ports["services"], name);
            let port = address.rsplit_once(':').map(|(_, port)| port.parse().unwrap());
            port.unwrap_or_else(|| panic!("{name} in {line}"))
        };
        Target {
            home: Home::of(&sshd),
            sshd,
            ports: ["wallet", "store", "app"].map(port),
            _demo: demo,
        }
    }

    /// Arguments and environment of a run through its tunnel.
    fn command(&self, arguments: &[&str]) -> Running {
        let mut all: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        all.extend(["--tunnel".to_owned(), self.sshd.to("tester")]);
        let urls = [
            ("WALLET_URL", "http", ""),
            ("STORE_URL", "http", ""),
            ("WS_URL", "ws", "/ws"),
        ];
        for (port, (variable, scheme, path)) in self.ports.iter().zip(urls) {
            let here = free_port();
            all.extend(["--forward".to_owned(), format!("{here}:127.0.0.1:{port}")]);
            all.extend([
                "--env".to_owned(),
                format!("{variable}={scheme}://127.0.0.1:{here}{path}"),
            ]);
        }
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        Running(Some(self.home.command(&all).spawn().unwrap()))
    }
}

/// Runs the spike for so many seconds, against a target of its own or this one; its pages while it ran.
fn run(address: &str, seconds: u32, target: Option<&Target>) -> [String; 2] {
    let (script, room) = (Scripted::new(SPIKE), Room::start());
    let grpc = format!("GRPC={}", room.address);
    let samples = format!("json={}", script.file("samples.json"));
    let variable = format!("SECONDS={seconds}");
    let limits = LIMITS.join(" ");
    let mut arguments = vec![
        "run",
        script.path(),
        "-q",
        "--env",
        &variable,
        "--env",
        &grpc,
        "--metrics-addr",
        address,
        "--linger=20s",
        "--out",
        &samples,
        "--sample-interval",
        "500ms",
    ];
    let running = if let Some(target) = target {
        target.command(&arguments)
    } else {
        arguments.extend(["--demo-args", &limits]);
        Running::start(&arguments)
    };
    let pages = eventually(Duration::from_secs(30), "pages of a run with samples", || {
        let [page, target] = ["/metrics", "/metrics/remote"].map(|path| get(address, path));
        let (page, target) = (page.ok()?, target.ok()?);
        let sampled = run_support::sum(&target, "loadgen_remote_samples_total", &[]) > 3.0;
        let failed = run_support::sum(&page, "loadgen_http_requests_failed_total", &[]) > 0.0;
        let judged = page.contains("# TYPE loadgen_threshold_value");
        (sampled && failed && judged).then_some([page, target])
    });
    running.wait().expect(99);
    pages
}

#[test]
fn every_query_of_every_dashboard_gives_data() {
    let generator = format!("127.0.0.1:{}", free_port());
    // Nobody is told of alerts here. The first run has processes that are watched: a user of the server who is not theirs
    // cannot see whose port it is. The second has the tunnel.
    let prometheus = Prometheus::start(&generator, &format!("127.0.0.1:{}", free_port()));
    let begin = now();
    let mut pages = run(&generator, 6, None).to_vec();
    let target = Target::start();
    let between = now();
    // Long enough for an alert on its threshold.
    pages.extend(run(&generator, 25, Some(&target)));
    let end = now();
    let range = (end - begin).ceil() as u32 + 1;

    let mut count = 0;
    let mut wrong = Vec::new();
    let mut named = BTreeSet::new();
    for board in dashboards() {
        let variables = Variables::of(&board, &prometheus, range);
        if board.uid() == "loadgen-compare" {
            assert_ne!(
                variables.0["base"], variables.0["run"],
                "the oldest run and the newest"
            );
            assert!(
                variables.0["shift"].parse::<f64>().unwrap() > 6.0,
                "{}",
                variables.0["shift"]
            );
        }
        for (title, target) in asked(&board) {
            count += 1;
            named.extend(metrics(text(target, "expr")));
            let complaint = ask(&prometheus, target, &variables, (begin, end));
            wrong.extend(complaint.map(|it| format!("{}: {title}: {it}", board.file)));
        }
        // Any dashboard's variables do: these have none.
        for query in from_spans().iter().filter(|_| board.uid() == "loadgen-trace") {
            named.extend(metrics(query));
            let target = serde_json::json!({ "expr": query });
            let complaint = ask(&prometheus, &target, &variables, (begin, end));
            wrong.extend(complaint.map(|it| format!("from a span: {it}")));
        }
    }
    assert!(count > 150, "{count} queries");
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );

    // When the second goes on, and rates over some seconds know nothing of the first.
    let second = (between + 6.0, end);
    only_what_is_chosen(&prometheus, &pages, range, second);

    // Whatever the rules read is there too.
    named.extend(metrics(&read("prometheus/rules/loadgen.yml")));
    let told = told(&pages);
    let missing: Vec<&String> = named.iter().filter(|name| !known(name, &told)).collect();
    assert!(missing.is_empty(), "no run tells {missing:?}");
}

/// A panel that asks for a target shows nothing of another one, and alerts are those of the chosen run. While the second run goes
/// on, there is nothing of the first to be seen.
fn only_what_is_chosen(prometheus: &Prometheus, pages: &[String], range: u32, second: (f64, f64)) {
    let hosts = prometheus.api(
        "label/host/values",
        &[("match[]", "loadgen_target_cpu_utilization_ratio")],
    );
    let hosts = hosts.unwrap();
    let hosts: Vec<&str> = list(&hosts).iter().filter_map(Value::as_str).collect();
    let [here, there] = hosts[..] else {
        panic!("a target here, and one behind the tunnel: {hosts:?}");
    };
    assert!(here == "localhost" && there.contains('@'), "{hosts:?}");
    let id = |page: &String| {
        let rest = page.split("run_id=\"").nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let runs = [id(&pages[0]), id(&pages[2])];
    let (mut of_nodes, mut of_alerts) = (0, 0);
    for board in dashboards() {
        let variables = Variables::of(&board, prometheus, range);
        let shown = |target: &Value, name: &str, value: &str| {
            shows(prometheus, target, &variables.choosing(name, value), second)
        };
        for (title, target) in asked(&board) {
            let query = text(target, "expr");
            if query.contains("$target") {
                assert!(!shown(target, "target", here), "{}: {title}: {query}", board.file);
                of_nodes += u32::from(query.contains("node_") && shown(target, "target", there));
            }
            if query.contains("ALERTS") {
                assert!(
                    !shown(target, "run_id", &runs[0]),
                    "{}: {title}: {query}",
                    board.file
                );
                of_alerts += u32::from(shown(target, "run_id", &runs[1]));
            }
        }
    }
    assert!(of_nodes > 10, "{of_nodes} queries of the machine have data");
    assert_eq!(of_alerts, 2, "the panel and the lines");
}

/// What a span leads to, as Grafana would ask it of one of the spike's.
fn from_spans() -> Vec<String> {
    let file = yaml("grafana/provisioning/datasources/loadgen.yml");
    let sources = file["datasources"].as_vec().unwrap();
    let links: Vec<_> = sources
        .iter()
        .map(|source| &source["jsonData"]["tracesToMetrics"])
        .collect();
    let link = links.into_iter().find(|link| !link.is_badvalue()).unwrap();
    let label = link["tags"][0]["value"].as_str().unwrap();
    let queries = link["queries"].as_vec().unwrap().iter();
    queries
        .map(|query| {
            let query = query["query"].as_str().unwrap();
            query
                .replace("$$__tags", &format!("{label}=\"spike\""))
                .replace("$$__rate_interval", "4s")
        })
        .collect()
}

/// Whether a run tells this metric: on its pages, or as the sources show where it takes another machine.
fn known(name: &str, told: &BTreeSet<String>) -> bool {
    let family = ["_bucket", "_sum", "_count"]
        .iter()
        .find_map(|end| name.strip_suffix(end));
    let elsewhere = match name {
        "loadgen_target_cpu_throttled_ratio" => "src/output/remote.rs",
        // Only where something is pushed.
        name if name.starts_with("loadgen_remote_write_") || name.starts_with("loadgen_otlp_metric_") => {
            "src/output/prometheus.rs"
        }
        name if name.starts_with("loadgen:") => "prometheus/rules/loadgen.yml",
        name if name.starts_with("node_memory_Swap") || name.contains("conntrack") => return true,
        name => return told.contains(name) || family.is_some_and(|family| told.contains(family)),
    };
    read(elsewhere).contains(family.unwrap_or(name))
}

fn now() -> f64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}
