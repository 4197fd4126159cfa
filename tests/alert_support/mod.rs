//! A real Alertmanager, and a webhook that it tells.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::grafana_support::{Daemon, fetch, list, read, text};
use crate::run_support::{eventually, free_port};

/// Who is told: a server that keeps what Alertmanager posts.
pub struct Webhook {
    pub address: String,
    pub told: Arc<Mutex<Vec<Value>>>,
}

impl Webhook {
    pub fn start() -> Webhook {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let told = Arc::new(Mutex::new(Vec::new()));
        let kept = told.clone();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(stream.try_clone().unwrap());
                let (mut length, mut line) = (0, String::new());
                while lines.read_line(&mut line).is_ok_and(|size| size > 2) {
                    if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                lines.read_exact(&mut body).unwrap();
                kept.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        Webhook { address, told }
    }

    /// The names of alerts that were told of as firing, with their generator.
    pub fn firing(&self) -> BTreeSet<(String, String)> {
        let told = self.told.lock().unwrap();
        let alerts = told.iter().flat_map(|message| list(&message["alerts"]));
        alerts
            .filter(|alert| alert["status"] == "firing")
            .map(|alert| {
                let of = |label| text(&alert["labels"], label).to_owned();
                (of("alertname"), of("instance"))
            })
            .collect()
    }

    /// The names of alerts that were told of, with their status.
    pub fn heard(&self) -> Vec<(String, String)> {
        let told = self.told.lock().unwrap();
        let alerts = told.iter().flat_map(|message| list(&message["alerts"]));
        alerts
            .map(|alert| {
                (
                    text(&alert["labels"], "alertname").to_owned(),
                    text(alert, "status").to_owned(),
                )
            })
            .collect()
    }
}

/// Alertmanager with the repository's configuration.
pub struct Alertmanager {
    pub address: String,
    _daemon: Daemon,
    _folder: tempfile::TempDir,
}

impl Alertmanager {
    pub fn start(webhook: &Webhook) -> Alertmanager {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("alertmanager.yml");
        let text = read("prometheus/alertmanager.yml")
            .replace("webhook:8080", &webhook.address)
            // Tests do not wait for those that might come too.
            .replace("group_interval: 10s", "group_interval: 1s")
            .replace("group_wait: 2s", "group_wait: 1s");
        fs::write(&config, text).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let daemon = Daemon::start(
            Command::new("prometheus-alertmanager")
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.path={}", folder.path().join("data").display()))
                .arg(format!("--web.listen-address={address}"))
                .arg("--cluster.listen-address="),
        );
        eventually(Duration::from_secs(30), "Alertmanager", || {
            let answer = fetch(&address, "/-/ready").ok()?;
            answer.contains("OK").then_some(())
        });
        Alertmanager {
            address,
            _daemon: daemon,
            _folder: folder,
        }
    }

    /// Posts alerts as Prometheus does.
    pub fn post(&self, alerts: &[(&str, &str)]) {
        let body = json!(
            alerts
                .iter()
                .map(|(name, instance)| json!({ "labels": { "alertname": name, "instance": instance } }))
                .collect::<Vec<_>>()
        )
        .to_string();
        let mut stream = std::net::TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let head = "POST /api/v2/alerts HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length:";
        write!(stream, "{head} {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(" 200 "), "{answer}");
    }
}
