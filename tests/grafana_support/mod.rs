//! The dashboards as data, and a real Prometheus that is asked what they would ask.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub mod queries;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use crate::run_support::{eventually, free_port};

/// A file of the repository.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

pub fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub fn yaml(name: &str) -> Yaml {
    let mut documents =
        YamlLoader::load_from_str(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(documents.len(), 1, "{name}");
    documents.remove(0)
}

/// A dashboard as it is in its file.
pub struct Dashboard {
    pub file: String,
    pub json: Value,
}

/// All that are provisioned.
pub fn dashboards() -> Vec<Dashboard> {
    let mut files: Vec<String> = fs::read_dir(path("grafana/dashboards"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let text = read(&format!("grafana/dashboards/{file}"));
            let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
            Dashboard { file, json }
        })
        .collect()
}

impl Dashboard {
    pub fn uid(&self) -> &str {
        text(&self.json, "uid")
    }

    pub fn panels(&self) -> &[Value] {
        list(&self.json["panels"])
    }

    pub fn variables(&self) -> &[Value] {
        list(&self.json["templating"]["list"])
    }

    pub fn annotations(&self) -> &[Value] {
        list(&self.json["annotations"]["list"])
    }
}

/// The text under a key, or nothing.
pub fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_default()
}

pub fn list(of: &Value) -> &[Value] {
    of.as_array().map_or(&[], Vec::as_slice)
}

/// Whether a panel asks a data source.
pub fn asks(panel: &Value) -> bool {
    !matches!(text(panel, "type"), "row" | "text")
}

/// The names of metrics in an expression: of the generator, of the machine, and recorded ones.
pub fn metrics(expression: &str) -> BTreeSet<String> {
    // What is quoted are values of labels.
    let unquoted: String = expression.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
    unquoted
        .split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
        .filter(|word| {
            ["loadgen_", "loadgen:", "node_"]
                .iter()
                .any(|prefix| word.starts_with(prefix))
        })
        .map(str::to_owned)
        .collect()
}

/// A server that ends with the test.
pub struct Daemon(Child);

impl Daemon {
    /// Starts a program that is to be installed.
    pub fn start(command: &mut Command) -> Daemon {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Daemon(child.unwrap_or_else(|error| panic!("{command:?}: {error}; see .ci/run for what to install")))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Prometheus with the repository's configuration and rules.
pub struct Prometheus {
    pub address: String,
    /// It and its folder, if it is ours.
    _own: Option<(Daemon, tempfile::TempDir)>,
}

impl Prometheus {
    /// One that runs already.
    pub fn at(address: String) -> Prometheus {
        Prometheus { address, _own: None }
    }

    /// One that scrapes this generator and tells this Alertmanager.
    pub fn start(generator: &str, alertmanager: &str) -> Prometheus {
        Prometheus::with("exemplar-storage", generator, alertmanager)
    }

    /// The same, with these features. With native histograms it asks for protobuf, and keeps no classic ones of what has both.
    pub fn with(features: &str, generator: &str, alertmanager: &str) -> Prometheus {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        fs::write(&config, configuration(generator, alertmanager)).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let daemon = Daemon::start(
            Command::new("prometheus")
                .arg(format!("--config.file={}", config.display()))
                .arg(format!(
                    "--storage.tsdb.path={}",
                    folder.path().join("data").display()
                ))
                .arg(format!("--web.listen-address={address}"))
                .arg(format!("--enable-feature={features}")),
        );
        let prometheus = Prometheus {
            address,
            _own: Some((daemon, folder)),
        };
        eventually(Duration::from_secs(30), "Prometheus", || {
            let answer = fetch(&prometheus.address, "/-/ready").ok()?;
            answer.contains("Ready").then_some(())
        });
        // It is ready some seconds before it knows what to scrape.
        eventually(Duration::from_secs(30), "a first scrape", || {
            let up = prometheus
                .api("query", &[("query", "up{job=\"loadgen\"}")])
                .ok()?;
            (!list(&up["result"]).is_empty()).then_some(())
        });
        prometheus
    }

    /// The result of a call of its API, or what it says is wrong.
    pub fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        let body = fetch(&self.address, &format!("/api/v1/{path}?{query}")).map_err(|e| e.to_string())?;
        let mut answer: Value = serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?;
        match text(&answer, "status") {
            "success" => Ok(answer["data"].take()),
            _ => Err(text(&answer, "error").to_owned()),
        }
    }
}

/// The repository's configuration, for a machine without containers. Debian's Prometheus does not know one of its
/// settings yet: there classic histograms are kept because native ones are off.
pub fn configuration(generator: &str, alertmanager: &str) -> String {
    let text = read("prometheus/prometheus.yml");
    let kept: String = text
        .lines()
        .filter(|line| !line.contains("always_scrape_classic_histograms"))
        .fold(String::new(), |all, line| all + line + "\n");
    kept.replace("generator:9464", generator)
        .replace("alertmanager:9093", alertmanager)
        .replace("evaluation_interval: 5s", "evaluation_interval: 1s")
        .replace("rules/*.yml", path("prometheus/rules/*.yml").to_str().unwrap())
}

/// GET in HTTP/1.0, so that the body comes in one piece.
pub fn fetch(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    body.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}
