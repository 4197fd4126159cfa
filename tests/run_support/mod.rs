//! What end-to-end tests share: the program started as a child, and a small HTTP server that misbehaves on demand.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The program with these arguments, without variables that could change what it does.
pub fn loadgen(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, _) in std::env::vars() {
        if name.starts_with("K6_") || name.starts_with("LOADGEN_") || name.to_lowercase().ends_with("_proxy")
        {
            command.env_remove(name);
        }
    }
    command
}

/// What became of a run.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        let ended = Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        ended
    }
}

impl Ended {
    /// Fails unless the exit code is this one.
    pub fn expect(self, code: i32) -> Ended {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// The first value that the summary shows of a metric.
    pub fn shown(&self, metric: &str) -> &str {
        let of_metric = |line: &&str| {
            line.trim_start()
                .strip_prefix(metric)
                .is_some_and(|rest| rest.starts_with(['.', ':']))
        };
        let line = self.stdout.lines().find(of_metric);
        let line = line.unwrap_or_else(|| panic!("no {metric} in:\n{}", self.stdout));
        line.split(": ")
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap()
    }

    /// Fails unless the messages say all of this.
    pub fn says(self, parts: &[&str]) -> Ended {
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "`{part}` is not said:\n{}",
                self.stderr
            );
        }
        self
    }
}

/// Runs the program to its end.
pub fn run(arguments: &[&str]) -> Ended {
    loadgen(arguments).output().unwrap().into()
}

/// A program that is killed when the test is over.
pub struct Running(pub Option<Child>);

impl Running {
    pub fn start(arguments: &[&str]) -> Running {
        Running(Some(loadgen(arguments).spawn().unwrap()))
    }

    pub fn pid(&self) -> u32 {
        self.0.as_ref().unwrap().id()
    }

    /// Sends a signal, by its name for `kill`.
    pub fn signal(&self, name: &str) {
        let killed = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status();
        assert!(killed.unwrap().success());
    }

    pub fn wait(mut self) -> Ended {
        self.0.take().unwrap().wait_with_output().unwrap().into()
    }

    /// Lines of standard error, until one contains `part`; the rest is read on in the background.
    pub fn until_said(&mut self, part: &str) -> String {
        let mut lines = BufReader::new(self.0.as_mut().unwrap().stderr.take().unwrap());
        let mut said = String::new();
        loop {
            let mut line = String::new();
            assert!(
                lines.read_line(&mut line).unwrap() > 0,
                "`{part}` was never said:\n{said}"
            );
            said.push_str(&line);
            if line.contains(part) {
                thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
                return said;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A folder with a script in it.
pub struct Scripted {
    pub folder: tempfile::TempDir,
    path: PathBuf,
}

impl Scripted {
    pub fn new(text: &str) -> Scripted {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script.js");
        std::fs::write(&path, text).unwrap();
        Scripted { folder, path }
    }

    pub fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    pub fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }
}

/// The samples of `--out json`.
pub struct Points(Vec<serde_json::Value>);

impl Points {
    pub fn read(path: &str) -> Points {
        let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        Points(
            lines
                .filter(|line: &serde_json::Value| line["type"] == "Point")
                .collect(),
        )
    }

    fn of<'a>(&'a self, metric: &'a str) -> impl Iterator<Item = &'a serde_json::Value> {
        self.0.iter().filter(move |point| point["metric"] == metric)
    }

    pub fn count(&self, metric: &str) -> usize {
        self.of(metric).count()
    }

    pub fn sum(&self, metric: &str) -> f64 {
        self.of(metric)
            .map(|point| point["data"]["value"].as_f64().unwrap())
            .sum()
    }

    /// How many samples have this tag.
    pub fn tagged_count(&self, metric: &str, tag: &str, value: &str) -> usize {
        self.of(metric)
            .filter(|point| point["data"]["tags"][tag] == value)
            .count()
    }

    /// The sum of the samples with this tag.
    pub fn tagged(&self, metric: &str, tag: &str, value: &str) -> f64 {
        self.of(metric)
            .filter(|point| point["data"]["tags"][tag] == value)
            .map(|point| point["data"]["value"].as_f64().unwrap())
            .sum()
    }
}

/// A server that answers by path: `/status/N` with that status, `/stall` never, `/slow` after 100 ms, `/big/N` with N
/// bytes, else 200.
pub struct Server {
    pub address: SocketAddr,
    pub requests: Arc<AtomicU64>,
}

impl Server {
    pub fn start() -> Server {
        Server::with(|_| None)
    }

    /// One that asks first whether it knows a status for a path.
    pub fn with(known: impl Fn(&str) -> Option<u16> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicU64::new(0));
        let (counter, known) = (requests.clone(), Arc::new(known));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (counter, known) = (counter.clone(), known.clone());
                thread::spawn(move || answer(stream, &counter, &*known));
            }
        });
        Server { address, requests }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn count(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

fn answer(stream: TcpStream, counter: &AtomicU64, known: &dyn Fn(&str) -> Option<u16>) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if lines.read_line(&mut first).ok()? == 0 {
            return None;
        }
        let mut length = 0;
        loop {
            let mut line = String::new();
            lines.read_line(&mut line).ok()?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body).ok()?;
        counter.fetch_add(1, Ordering::SeqCst);
        let path = first.split(' ').nth(1)?.to_owned();
        if path.starts_with("/stall") {
            thread::sleep(Duration::from_mins(1));
            return None;
        }
        if path.starts_with("/slow") {
            thread::sleep(Duration::from_millis(100));
        }
        let size: usize = path.strip_prefix("/big/").map_or(2, |size| size.parse().unwrap());
        let known = known(&path).map(|status| status.to_string());
        let status = known
            .as_deref()
            .unwrap_or_else(|| path.strip_prefix("/status/").unwrap_or("200"));
        write!(writer, "HTTP/1.1 {status} X\r\ncontent-length: {size}\r\n\r\n").ok()?;
        let chunk = vec![b'x'; size.min(1 << 20)];
        let mut left = size;
        while left > 0 {
            let now = left.min(chunk.len());
            writer.write_all(&chunk[..now]).ok()?;
            left -= now;
        }
    }
}

/// GET over a connection of its own; the body.
pub fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text
        .split_once("\r\n\r\n")
        .map_or(String::new(), |(_, body)| body.to_owned()))
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Tries until it gets something, for at most this long.
pub fn eventually<T>(limit: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(begin.elapsed() < limit, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The last page of `/metrics` of a run that lingers until it is read.
pub fn last_page(address: &str) -> String {
    let mut last = String::new();
    eventually(Duration::from_mins(1), "the run's end", || {
        match get(address, "/metrics") {
            Ok(page) => {
                last = page;
                None
            }
            Err(_) => (!last.is_empty()).then_some(()),
        }
    });
    last
}

/// 100 requests a second for three seconds, none of them dropped, whatever else is told or in the way; and the last page.
pub fn planned_load(url: &str, flags: &[&str], variables: &[(&str, &str)]) -> (Ended, String) {
    let address = format!("127.0.0.1:{}", free_port());
    let fixed = [
        "hit",
        url,
        "-r",
        "100",
        "-d",
        "3s",
        "--max-vus",
        "300",
        "--metrics-addr",
        &address,
        "--linger=20s",
    ];
    let mut command = loadgen(&[&fixed[..], flags].concat());
    command.envs(variables.iter().copied());
    let running = Running(Some(command.spawn().unwrap()));
    let last = last_page(&address);
    let ended = running.wait().expect(0);
    assert_eq!(sum(&last, "loadgen_http_requests_total", &[]).to_string(), "300");
    let dropped = sum(&last, "loadgen_dropped_iterations_total", &[]);
    assert_eq!(dropped.to_string(), "0");
    (ended, last)
}

/// The sum of a metric's values on a `/metrics` page, over series with all of these labels.
pub fn sum(page: &str, metric: &str, labels: &[&str]) -> f64 {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let of_metric = lines.filter(|line| {
        line.strip_prefix(metric)
            .is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    });
    of_metric
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

/// Whether a process is alive, by its `/proc` entry.
pub fn alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}
