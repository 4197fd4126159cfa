//! The scripts of `deploy/compose/`, each run by itself: the loop around the runs, the webhook, the load.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod run_support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use run_support::{Running, eventually, free_port, run};

const LIMIT: Duration = Duration::from_mins(1);

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy/compose")
        .join(name);
    assert!(path.is_file(), "{}", path.display());
    path.to_str().unwrap().to_owned()
}

#[test]
fn their_syntax_is_right() {
    for (interpreter, flag, names) in [
        ("sh", "-n", &["vps.sh", "repeat.sh"][..]),
        ("bash", "-n", &["stand-in.sh"]),
        ("perl", "-c", &["webhook.pl"]),
    ] {
        for name in names {
            let status = Command::new(interpreter)
                .args([flag, &file(name)])
                .stderr(Stdio::null())
                .status();
            assert!(status.unwrap().success(), "{name}");
        }
    }
}

/// The loop, around a program that ends with the code that a file says, or waits for a signal.
struct Loop {
    folder: tempfile::TempDir,
    running: Running,
}

impl Loop {
    fn start(code: &str) -> Loop {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("loadgen");
        let text = "#!/bin/sh\nhere=$(dirname \"$0\")\necho \"$@\" >>\"$here/runs\"\ncode=$(cat \"$here/code\")\n\
                    if [ \"$code\" = wait ]; then\n  trap 'echo told >\"$here/told\"; exit 105' TERM\n  \
                    while :; do sleep 0.1; done\nfi\nexit \"$code\"\n";
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("code"), code).unwrap();
        let child = Loop::command(folder.path(), &["0.1", "run", "--quiet", "a b.js"]).spawn();
        Loop {
            running: Running(Some(child.unwrap())),
            folder,
        }
    }

    fn command(folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command
            .arg(file("repeat.sh"))
            .args(arguments)
            .env(
                "PATH",
                format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()),
            )
            .env("REPEAT_STATE", folder.join("state"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn is_well(&self) -> bool {
        Loop::command(self.folder.path(), &["healthy"])
            .status()
            .unwrap()
            .success()
    }

    fn runs(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("runs")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn the_spike_comes_again_and_a_failed_threshold_is_no_failure_of_it() {
    let mut looping = Loop::start("99");
    eventually(LIMIT, "a third run", || (looping.runs().len() > 2).then_some(()));
    assert!(looping.runs().iter().all(|line| line == "run --quiet a b.js"));
    assert!(looping.is_well());

    // Wrong options, a lost tunnel: the container says so, and goes on trying.
    fs::write(looping.path("code"), "114").unwrap();
    eventually(LIMIT, "that it is not well", || {
        (!looping.is_well()).then_some(())
    });
    fs::write(looping.path("code"), "0").unwrap();
    eventually(LIMIT, "that it is well again", || looping.is_well().then_some(()));

    looping.running.signal("TERM");
    let ended = looping.running.0.take().unwrap().wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(
        said.contains("Ended with exit code 99. The next run begins in 0.1 s."),
        "{said}"
    );
}

#[test]
fn a_run_that_is_told_to_stop_is_waited_for() {
    let mut looping = Loop::start("wait");
    eventually(LIMIT, "a run", || (!looping.runs().is_empty()).then_some(()));
    assert!(looping.is_well(), "while it runs");
    // The program has its trap before it can be told.
    std::thread::sleep(Duration::from_millis(300));
    looping.running.signal("TERM");
    let code = looping.running.0.take().unwrap().wait().unwrap().code();
    assert_eq!(code, Some(0));
    assert_eq!(fs::read_to_string(looping.path("told")).unwrap(), "told\n");
    assert_eq!(looping.runs().len(), 1);
}

/// The webhook on a port of its own, and what it prints.
struct Webhook {
    child: Child,
    port: u16,
}

impl Webhook {
    fn start() -> Webhook {
        let port = free_port();
        let child = Command::new("perl")
            .args([&file("webhook.pl"), &port.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let webhook = Webhook { child, port };
        eventually(LIMIT, "the webhook", || webhook.is_well().then_some(()));
        webhook
    }

    fn is_well(&self) -> bool {
        let mut command = Command::new("perl");
        command.args([&file("webhook.pl"), &self.port.to_string(), "healthy"]);
        command.status().unwrap().success()
    }

    fn post(&self, body: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "POST /alerts HTTP/1.1\r\nHost: webhook\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }

    fn end(mut self) -> Vec<String> {
        let _ = self.child.kill();
        let stdout = BufReader::new(self.child.stdout.take().unwrap());
        let _ = self.child.wait();
        stdout.lines().map(Result::unwrap).collect()
    }
}

#[test]
fn the_webhook_prints_a_line_for_each_alert() {
    let webhook = Webhook::start();
    // As Alertmanager writes it.
    let alert = |status: &str, name: &str, description: &str| {
        format!(
            r#"{{"status":"{status}","labels":{{"alertname":"{name}","instance":"generator:9464","severity":"critical"}},"annotations":{{"dashboard":"/d/loadgen-soak","description":"{description}","summary":"In short"}},"startsAt":"2026-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"a"}}"#
        )
    };
    let message = format!(
        r#"{{"receiver":"webhook","status":"firing","alerts":[{},{}],"groupLabels":{{}},"commonLabels":{{}},"version":"4"}}"#,
        alert(
            "firing",
            "LoadgenTargetMemoryLeak",
            "It will {be} \\\"full\\\", soon."
        ),
        alert("resolved", "LoadgenTunnelDown", "")
    );
    webhook.post(&message);
    webhook.post("{\"something\":\"else\"}");
    assert!(webhook.is_well());
    let lines = webhook.end();
    let told: Vec<&str> = lines[1..].iter().map(|line| &line[9..]).collect();
    assert_eq!(
        told,
        [
            "firing   critical LoadgenTargetMemoryLeak: It will {be} \\\"full\\\", soon.",
            "resolved critical LoadgenTunnelDown: In short",
            "{\"something\":\"else\"}",
        ]
    );
}

#[test]
fn the_soak_holds_its_thresholds_and_stores_what_it_is_to_forget() {
    let script = file("soak.js");
    let settings = ["--env", "SOAK_DURATION=3s", "--env", "SOAK_RATE=20"];
    let mut arguments = vec!["run", "--demo", "--metrics-addr", "off", "--quiet"];
    arguments.extend(settings);
    arguments.push(&script);
    let ended = run(&arguments).expect(0);
    assert!(ended.shown("checks_succeeded").starts_with("100"));
    assert!(ended.stdout.contains("stored"), "{}", ended.stdout);
    // Without the leak nothing is stored.
    arguments.splice(5..5, ["--env", "SOAK_LEAK=0"]);
    let ended = run(&arguments).expect(0);
    assert!(!ended.stdout.contains("stored"), "{}", ended.stdout);
}

#[test]
fn the_spike_is_two_and_a_half_times_what_the_server_bears() {
    let shown = run(&["inspect", &file("spike.js")]).expect(0).stdout;
    let options: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let spike = &options["scenarios"]["spike"];
    assert_eq!(spike["executor"], "ramping-arrival-rate");
    let stages = spike["stages"].as_array().unwrap();
    // Half a CPU at 2 ms a request, some of which goes into SSH.
    let most = stages.iter().filter_map(|stage| stage["target"].as_u64()).max();
    assert_eq!(most, Some(500));
    assert!(
        stages.last().unwrap()["target"].as_u64().unwrap() < 100,
        "and back"
    );
    // A spike for whoever looks: each scrape is a second.
    assert!(options["thresholds"]["http_req_duration"].is_array());
}
