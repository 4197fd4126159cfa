//! A target that notes the `traceparent` of each request, and collectors: a real one, and some that misbehave.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::run_support::{eventually, free_port};

/// How the collector of the tests is installed, in the folder of all that is built.
const INSTALL: &str =
    "python3 -m venv rotel.new && rotel.new/bin/pip install --quiet rotel==0.0.1a15 && mv rotel.new rotel";

/// A request as the target saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    /// Empty without one.
    pub traceparent: String,
}

impl Seen {
    pub fn trace(&self) -> &str {
        self.traceparent.split('-').nth(1).unwrap_or_default()
    }

    pub fn span(&self) -> &str {
        self.traceparent.split('-').nth(2).unwrap_or_default()
    }

    pub fn flags(&self) -> &str {
        self.traceparent.split('-').nth(3).unwrap_or_default()
    }
}

/// Answers `/status/N` with that status, `/delay/MS` after that time, `/to/PATH` with a redirect, else 200.
pub struct Target {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Target {
    pub fn start() -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let book = seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let book = book.clone();
                thread::spawn(move || answer(stream, &book));
            }
        });
        Target { address, seen }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn answer(stream: TcpStream, book: &Mutex<Vec<Seen>>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut writer = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if lines.read_line(&mut first).ok()? == 0 {
            return None;
        }
        let mut traceparent = String::new();
        loop {
            let mut line = String::new();
            lines.read_line(&mut line).ok()?;
            match line.trim().split_once(": ") {
                None => break,
                Some((name, value)) if name.eq_ignore_ascii_case("traceparent") => {
                    assert!(traceparent.is_empty(), "one header");
                    value.clone_into(&mut traceparent);
                }
                Some(_) => {}
            }
        }
        let path = first.split(' ').nth(1)?.to_owned();
        let rest = |start: &str| path.strip_prefix(start).map(str::to_owned);
        let (status, location) = match (rest("/status/"), rest("/to")) {
            (Some(status), _) => (status, String::new()),
            (_, Some(to)) => ("302".to_owned(), format!("location: {to}\r\n")),
            _ => ("200".to_owned(), String::new()),
        };
        if let Some(delay) = rest("/delay/") {
            thread::sleep(Duration::from_millis(delay.parse().ok()?));
        }
        book.lock().unwrap().push(Seen { path, traceparent });
        let head = format!("HTTP/1.1 {status} X\r\n{location}content-length: 2\r\n\r\nok");
        writer.write_all(head.as_bytes()).ok()?;
    }
}

/// A span as the collector shows it.
#[derive(Clone, Debug, Default)]
pub struct Span {
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub name: String,
    pub kind: String,
    pub start: u64,
    pub end: u64,
    pub error: bool,
    pub attributes: BTreeMap<String, String>,
    pub resource: BTreeMap<String, String>,
    /// Trace and id of each.
    pub links: Vec<(String, String)>,
}

impl Span {
    pub fn get(&self, key: &str) -> &str {
        self.attributes.get(key).map(String::as_str).unwrap_or_default()
    }

    pub fn is_request(&self) -> bool {
        self.kind == "SPAN_KIND_CLIENT"
    }
}

/// Rotel, an OTLP collector by Streamfold, that writes down all that it takes.
pub struct Collector {
    child: Child,
    folder: tempfile::TempDir,
    grpc: u16,
    http: u16,
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where it is: in the folder of all that is built. `.ci/run` puts it there; without that it is fetched now, once.
fn rotel() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.join("rotel");
    if let Some(found) = installed(&folder) {
        return found;
    }
    let lock = std::fs::File::create(target.join("rotel.lock")).unwrap();
    lock.lock().unwrap();
    // Another test may have fetched it meanwhile.
    if installed(&folder).is_none() {
        let done = Command::new("sh")
            .args(["-c", INSTALL])
            .current_dir(target)
            .output();
        let done = done.unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(
            done.status.success(),
            "no OTLP collector in {}: {INSTALL}\n{said}",
            target.display()
        );
    }
    installed(&folder).unwrap_or_else(|| panic!("no rotel-agent below {}", folder.display()))
}

fn installed(folder: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(folder.join("lib")).ok()?.flatten();
    let mut found = versions.map(|version| version.path().join("site-packages/rotel/rotel-agent"));
    found.find(|path| path.exists())
}

impl Collector {
    /// One that shows spans.
    pub fn start() -> Collector {
        Collector::showing("traces")
    }

    /// One that shows `traces` or `metrics`.
    pub fn showing(signal: &str) -> Collector {
        let folder = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let (grpc, http) = (free_port(), free_port());
        let child = Command::new(rotel())
            .args(["start", "--exporter", "blackhole", "--debug-log", signal])
            .args(["--debug-log-verbosity", "detailed"])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}")])
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{http}")])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .unwrap();
        for port in [grpc, http] {
            eventually(Duration::from_secs(20), "the collector listens", || {
                TcpStream::connect(("127.0.0.1", port)).ok()
            });
        }
        Collector {
            child,
            folder,
            grpc,
            http,
        }
    }

    pub fn grpc(&self) -> String {
        format!("--otlp={}", self.grpc_url())
    }

    pub fn http(&self) -> String {
        format!("--otlp={}", self.http_url())
    }

    pub fn grpc_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.grpc)
    }

    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// What it has written down.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// All spans, once the run's own, the last one, is among them.
    pub fn spans(&self) -> Vec<Span> {
        eventually(Duration::from_secs(20), "the run's span", || {
            let spans = parse(&self.log());
            // Its line may be there before those below it.
            spans
                .iter()
                .any(|span| span.name.starts_with("run ") && span.end > 0)
                .then_some(spans)
        })
    }
}

fn parse(log: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut resource = BTreeMap::new();
    let mut part = "";
    for line in log.lines().map(str::trim) {
        if line.starts_with("ResourceSpans #") {
            (resource, part) = (BTreeMap::new(), "resource");
        } else if line.starts_with("Span #") {
            part = "span";
            let resource = resource.clone();
            spans.push(Span {
                resource,
                ..Span::default()
            });
        } else if line == "Attributes:" {
            part = "attributes";
        } else if line == "Links:" {
            part = "links";
        }
        let text = line.strip_prefix("-> ").unwrap_or(line);
        let Some((key, value)) = text.split_once(": ").or_else(|| text.split_once(':')) else {
            continue;
        };
        let (key, value) = (key.trim(), value.trim().to_owned());
        let plain = value
            .split_once('(')
            .and_then(|(_, value)| value.strip_suffix(')'))
            .unwrap_or(&value)
            .to_owned();
        match (part, key, spans.last_mut()) {
            ("resource", _, _) => drop(resource.insert(key.to_owned(), plain)),
            ("attributes", _, Some(span)) => drop(span.attributes.insert(key.to_owned(), plain)),
            ("links", "Trace ID", Some(span)) => span.links.push((value, String::new())),
            ("links", "ID", Some(span)) => span.links.last_mut().unwrap().1 = value,
            ("span", "Trace ID", Some(span)) => span.trace = value,
            ("span", "ID", Some(span)) => span.id = value,
            ("span", "Parent ID", Some(span)) => span.parent = value,
            ("span", "Name", Some(span)) => span.name = value,
            ("span", "Kind", Some(span)) => span.kind = value,
            ("span", "Start time", Some(span)) => span.start = value.parse().unwrap(),
            ("span", "End time", Some(span)) => span.end = value.parse().unwrap_or(0),
            ("span", "Status code", Some(span)) => span.error = value == "STATUS_CODE_ERROR",
            _ => {}
        }
    }
    spans
}

/// A collector that takes connections and never says anything.
pub fn hanging() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming().flatten() {
            held.push(stream);
        }
    });
    port
}

/// A collector over HTTP that answers everything with this, after this time; the sizes of what it was sent.
pub fn answering(answer: &'static str, delay: Duration) -> (u16, Arc<Mutex<Vec<usize>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let sizes = Arc::<Mutex<Vec<usize>>>::default();
    let book = sizes.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let book = book.clone();
            thread::spawn(move || take(stream, answer, delay, &book));
        }
    });
    (port, sizes)
}

fn take(stream: TcpStream, answer: &str, delay: Duration, book: &Mutex<Vec<usize>>) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body).ok()?;
        book.lock().unwrap().push(length);
        thread::sleep(delay);
        writer.write_all(answer.as_bytes()).ok()?;
    }
}

/// A point of a metric as the collector shows it.
#[derive(Clone, Debug, Default)]
pub struct Point {
    pub metric: String,
    pub unit: String,
    /// `Sum`, `Gauge`, `Histogram`, `ExponentialHistogram`.
    pub kind: String,
    pub temporality: String,
    pub monotonic: bool,
    pub attributes: BTreeMap<String, String>,
    pub resource: BTreeMap<String, String>,
    pub start: u64,
    pub at: u64,
    /// Of a number; `None` for the end of a series.
    pub value: Option<f64>,
    pub count: u64,
    pub sum: Option<f64>,
    /// Of a histogram: where each bucket ends, and how many are in it.
    pub buckets: Vec<(f64, u64)>,
}

/// All points that a collector has shown, in their order.
pub fn points(log: &str) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    let (mut resource, mut metric) = (BTreeMap::new(), Point::default());
    let mut part = "";
    for line in log.lines().map(str::trim) {
        if line.starts_with("ResourceMetrics #") {
            (resource, part) = (BTreeMap::new(), "resource");
        } else if line.starts_with("Metric #") {
            (metric, part) = (Point::default(), "metric");
        } else if line.contains("DataPoints #") {
            part = "point";
            metric.resource.clone_from(&resource);
            points.push(metric.clone());
        }
        let text = line.strip_prefix("-> ");
        let Some((key, value)) = text.unwrap_or(line).split_once(": ") else {
            continue;
        };
        let plain = value
            .split_once('(')
            .and_then(|(_, value)| value.strip_suffix(')'));
        let plain = plain.unwrap_or(value).to_owned();
        let point = points.last_mut();
        match (part, key, point) {
            ("resource", _, _) => drop(resource.insert(key.to_owned(), plain)),
            ("metric", "Name", _) => value.clone_into(&mut metric.metric),
            ("metric", "Unit", _) => value.clone_into(&mut metric.unit),
            ("metric", "DataType", _) => value.clone_into(&mut metric.kind),
            ("metric", "IsMonotonic", _) => metric.monotonic = value == "true",
            ("metric", "AggregationTemporality", _) => value.clone_into(&mut metric.temporality),
            ("point", _, Some(point)) if text.is_some() => {
                drop(point.attributes.insert(key.to_owned(), plain));
            }
            ("point", "StartTimestamp", Some(point)) => point.start = value.parse().unwrap(),
            ("point", "Timestamp", Some(point)) => point.at = value.parse().unwrap(),
            ("point", "Value", Some(point)) => point.value = value.parse().ok(),
            ("point", "Count", Some(point)) => point.count = value.parse().unwrap(),
            ("point", "Sum", Some(point)) => point.sum = value.parse().ok(),
            // Bucket (0.5, 1], Count: 3
            ("point", bounds, Some(point)) if bounds.starts_with("Bucket (") => {
                let end = bounds.split(", ").nth(1).unwrap_or_default();
                let end = end.trim_end_matches([']', ')']).parse().unwrap_or(f64::INFINITY);
                point.buckets.push((end, value.parse().unwrap()));
            }
            // ExplicitBounds #0: 0.5, then Buckets #0, Count: 3
            ("point", bound, Some(point)) if bound.starts_with("ExplicitBounds #") => {
                point.buckets.push((value.parse().unwrap(), 0));
            }
            ("point", bucket, Some(point)) if bucket.starts_with("Buckets #") => {
                let at: usize = bucket["Buckets #".len()..]
                    .split(',')
                    .next()
                    .unwrap()
                    .parse()
                    .unwrap();
                if at == point.buckets.len() {
                    point.buckets.push((f64::INFINITY, 0));
                }
                point.buckets[at].1 = value.parse().unwrap();
            }
            _ => {}
        }
    }
    points
}

/// A collector over gRPC that answers every call with this code.
pub fn refusing_grpc(code: &'static str) -> u16 {
    use bytes::Bytes;
    use http_body_util::Empty;
    use hyper::body::Incoming;
    use hyper::service::service_fn;
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = move |request: hyper::Request<Incoming>| async move {
        let calls = [
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        ];
        assert!(calls.contains(&request.uri().path()), "{request:?}");
        hyper::Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", code)
            .header("grpc-message", "not today")
            .body(Empty::<Bytes>::new())
    };
    let serve = async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    };
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(serve);
    });
    port
}
