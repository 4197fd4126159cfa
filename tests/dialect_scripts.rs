//! Every script of `tests/dialect/` is run unmodified against rooms of our own, for HTTP and for gRPC, and a real Redis. Comments at its head say what is expected:
//!
//! `// args: …` more arguments, in which `$BASE` and its like are the peers; `// exit: N`; `// COUNTER: N` the count of a metric, such as `http_reqs`; `// checks: N` that
//! many pass and none fails, or `N and M` for both; `// says: TEXT` a message. A script that says nothing else must end with 0 and without an error.
#![allow(clippy::unwrap_used)]

mod dialect_support;
mod grpc_support;
mod redis_support;
mod run_support;
mod tls_support;

use std::path::{Path, PathBuf};

use dialect_support::room::{room, tls_room};
use grpc_support::Room;
use redis_support::Redis;
use run_support::loadgen;
use serde_json::Value;
use tls_support::{pki, server_config};

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialect");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.is_file() && matches!(path.extension().and_then(|e| e.to_str()), Some("js" | "ts"))
        })
        .collect();
    found.sort();
    found
}

/// The comments at the head, as pairs.
fn expectations(text: &str) -> Vec<(String, String)> {
    let comments = text.lines().map_while(|line| line.strip_prefix("// "));
    let pairs = comments.filter_map(|comment| comment.split_once(": "));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// What went otherwise than the script's head says.
fn faults(script: &Path, peers: &[String]) -> Vec<String> {
    let text = std::fs::read_to_string(script).unwrap();
    let expected = expectations(&text);
    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("summary.json");
    let mut arguments = vec![
        "run".to_owned(),
        "--metrics-addr=off".to_owned(),
        "--quiet".to_owned(),
    ];
    arguments.push(format!("--summary-export={}", export.display()));
    arguments.extend(peers.iter().map(|peer| format!("--env={peer}")));
    let more = expected.iter().filter(|(name, _)| name == "args");
    let filled = |argument: &str| {
        peers.iter().fold(argument.to_owned(), |argument, peer| {
            let (name, value) = peer.split_once('=').unwrap();
            argument.replace(&format!("${name}"), value)
        })
    };
    arguments.extend(more.flat_map(|(_, value)| value.split_whitespace().map(filled)));
    arguments.push(script.display().to_string());
    let borrowed: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = loadgen(&borrowed).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut faults = Vec::new();
    let mut exit = 0;
    let mut may_complain = false;
    let summary: Value = std::fs::read(&export)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    for (name, value) in &expected {
        match name.as_str() {
            "args" => {}
            "exit" => exit = value.parse().unwrap(),
            "says" => {
                may_complain = true;
                if !said.contains(value) {
                    faults.push(format!("`{value}` is not said"));
                }
            }
            "checks" => {
                let count = |what: &str| summary["metrics"]["checks"][what].as_u64().unwrap_or(0);
                let (passes, fails) = (count("passes"), count("fails"));
                let (pass, fail) = value.split_once(" and ").unwrap_or((value, "0"));
                if (passes.to_string(), fails.to_string()) != (pass.to_owned(), fail.to_owned()) {
                    faults.push(format!(
                        "checks: {passes} pass and {fails} fail, expected {value}"
                    ));
                }
            }
            metric => {
                let count = summary["metrics"][metric]["count"].as_u64();
                if count.map(|count| count.to_string()).as_ref() != Some(value) {
                    faults.push(format!("{metric}: {count:?}, expected {value}"));
                }
            }
        }
    }
    if output.status.code() != Some(exit) {
        faults.push(format!("exit code {:?}, expected {exit}", output.status.code()));
    }
    let complaint = said
        .lines()
        .any(|line| line.starts_with("ERRO") || line.starts_with("error:"));
    if complaint && !may_complain {
        faults.push("there are errors".to_owned());
    }
    if !faults.is_empty() {
        faults.push(said);
    }
    faults
}

#[test]
fn every_script_gives_what_its_head_says() {
    let redis = Redis::start();
    let peers = [
        format!("BASE=http://{}", room()),
        format!("TLS=https://{}", tls_room(server_config(&pki(), &[], false))),
        format!("GRPC={}", Room::start().leave()),
        format!("REDIS=127.0.0.1:{}", redis.port),
    ];
    let only = std::env::var("DIALECT_SCRIPT").unwrap_or_default();
    let mut failed = Vec::new();
    let scripts = scripts();
    assert!(scripts.len() > 5, "{scripts:?}");
    for script in scripts
        .iter()
        .filter(|script| script.to_string_lossy().contains(&only))
    {
        let faults = faults(script, &peers);
        if !faults.is_empty() {
            failed.push(format!("== {}\n{}", script.display(), faults.join("\n")));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
