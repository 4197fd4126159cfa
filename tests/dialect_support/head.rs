//! What the comments at the head of a script of `tests/dialect/` say: how it is run, and what is to come of it.
//!
//! How: `args: FLAGS`, `env: NAME=VALUE`, `config: JSON` (a file for `--config`), `variable: NAME=VALUE` (of the script's own).
//! In these, `{BASE}`, `{PORT}`, `{TLS}`, `{WS}`, `{GRPC}`, `{REDIS}` and `{FOLDER}` are the peers and a folder for files.
//!
//! What is to come: `exit: N`; `says: TEXT` and `silent: TEXT`, what messages have or have not; `shows: TEXT` on standard output;
//! `file NAME: TEXT` and `nofile: NAME`; `checks: N` that pass, none fails, or `N and M` for both; `METRIC: N` the count of a metric, `A + B: N` of several
//! together; `value METRIC.STAT: N` another value of it; `samples METRIC{tag:value,…}: N` how many samples of `--out json` have
//! these tags (an empty value: no such tag) and `sum METRIC{…}: N` what they add up to. A number may be `>=N`, `<=N` or `N..M`.
//! A script that says nothing else must end with 0 and without an error.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use super::run_support::loadgen;

/// One script's head.
pub struct Head(Vec<(String, String)>);

impl Head {
    /// The comments that a text begins with, as pairs. What comes after the name's first colon and blank is the value.
    pub fn read(text: &str) -> Head {
        let comments = text.lines().map_while(|line| line.strip_prefix("// "));
        let pairs = comments.filter_map(|comment| comment.split_once(": "));
        Head(
            pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// With the peers and the folder in the places that name them.
    fn filled(self, peers: &[String], folder: &Path) -> Head {
        let base = peers.iter().find_map(|peer| peer.strip_prefix("BASE="));
        let port = base.and_then(|base| base.rsplit(':').next()).unwrap_or("");
        let filled = |text: String| {
            let text = text.replace("{PORT}", port);
            let text = text.replace("{FOLDER}", folder.to_str().unwrap());
            peers.iter().fold(text, |text, peer| {
                let (name, value) = peer.split_once('=').unwrap();
                text.replace(&format!("{{{name}}}"), value)
            })
        };
        let pairs = self.0.into_iter();
        Head(pairs.map(|(name, value)| (filled(name), filled(value))).collect())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let pairs = self.0.iter().filter(move |(known, _)| known == name);
        pairs.map(|(_, value)| value.as_str())
    }

    fn wants_samples(&self) -> bool {
        let mut names = self.0.iter().map(|(name, _)| name);
        names.any(|name| name.starts_with("samples ") || name.starts_with("sum "))
    }
}

/// What a run has left.
struct Left {
    folder: PathBuf,
    output: Output,
    said: String,
    summary: Value,
    samples: Vec<Value>,
}

/// Runs a script, and tells what went otherwise than its head says.
pub fn faults(script: &Path, peers: &[String]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(script).unwrap();
    let head = Head::read(&text).filled(peers, folder.path());
    let left = run(script, &head, peers, folder.path());
    let mut faults: Vec<String> = head
        .0
        .iter()
        .filter_map(|(name, value)| fault(&left, name, value))
        .collect();
    let exit = head.all("exit").next().map_or(0, |code| code.parse().unwrap());
    if left.output.status.code() != Some(exit) {
        faults.push(format!(
            "exit code {:?}, expected {exit}",
            left.output.status.code()
        ));
    }
    let complaint = left
        .said
        .lines()
        .any(|line| line.starts_with("ERRO") || line.starts_with("error:"));
    if complaint && head.all("says").next().is_none() {
        faults.push("there are errors".to_owned());
    }
    if !faults.is_empty() {
        faults.push(left.said);
        faults.push(String::from_utf8_lossy(&left.output.stdout).into_owned());
    }
    faults
}

fn run(script: &Path, head: &Head, peers: &[String], folder: &Path) -> Left {
    let export = folder.join("summary.json");
    let points = folder.join("points.json");
    let mut arguments = vec!["run".to_owned(), "--metrics-addr=off".to_owned()];
    arguments.push("--quiet".to_owned());
    arguments.push(format!("--summary-export={}", export.display()));
    if head.wants_samples() {
        arguments.push(format!("--out=json={}", points.display()));
    }
    for config in head.all("config") {
        let path = folder.join("config.json");
        std::fs::write(&path, config).unwrap();
        arguments.push(format!("--config={}", path.display()));
    }
    arguments.extend(peers.iter().map(|peer| format!("--env={peer}")));
    arguments.extend(head.all("variable").map(|pair| format!("--env={pair}")));
    for words in head.all("args") {
        arguments.extend(words.split_whitespace().map(str::to_owned));
    }
    arguments.push(script.display().to_string());
    let borrowed: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = loadgen(&borrowed);
    for pair in head.all("env") {
        let (name, value) = pair.split_once('=').unwrap();
        command.env(name, value);
    }
    let output = command.current_dir(folder).output().unwrap();
    let text = std::fs::read_to_string(&points).unwrap_or_default();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    Left {
        folder: folder.to_owned(),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
        output,
        summary: std::fs::read(&export)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default(),
        samples: lines.filter(|line| line["type"] == "Point").collect(),
    }
}

/// Whether one line of the head holds.
fn fault(left: &Left, name: &str, value: &str) -> Option<String> {
    let (kind, rest) = name.split_once(' ').unwrap_or((name, ""));
    let metrics = &left.summary["metrics"];
    match kind {
        "args" | "env" | "config" | "variable" | "exit" => None,
        "says" => (!left.said.contains(value)).then(|| format!("`{value}` is not said")),
        "silent" => left.said.contains(value).then(|| format!("`{value}` is said")),
        "shows" => {
            let shown = String::from_utf8_lossy(&left.output.stdout).into_owned();
            (!shown.contains(value)).then(|| format!("`{value}` is not shown"))
        }
        "file" => {
            let text = std::fs::read_to_string(left.folder.join(rest)).unwrap_or_default();
            (!text.contains(value)).then(|| format!("`{value}` is not in {rest}: {text:.2000}"))
        }
        "nofile" => left
            .folder
            .join(value)
            .exists()
            .then(|| format!("{value} is there")),
        "checks" if rest.is_empty() => {
            let count = |what: &str| metrics["checks"][what].as_u64().unwrap_or(0);
            let (passes, fails) = (count("passes"), count("fails"));
            let (pass, fail) = value.split_once(" and ").unwrap_or((value, "0"));
            ((passes.to_string(), fails.to_string()) != (pass.to_owned(), fail.to_owned()))
                .then(|| format!("checks: {passes} pass and {fails} fail, expected {value}"))
        }
        "value" => {
            let (metric, stat) = rest.split_once('.').unwrap_or((rest, "value"));
            differs(name, metrics[metric][stat].as_f64(), value)
        }
        "samples" => differs(name, Some(tagged(left, rest).count() as f64), value),
        "sum" => {
            let values = tagged(left, rest).map(|point| point["data"]["value"].as_f64().unwrap());
            differs(name, Some(values.sum()), value)
        }
        _ => {
            let counts = name.split(" + ").map(|metric| metrics[metric]["count"].as_f64());
            let sum = counts.reduce(|a, b| match (a, b) {
                (None, None) => None,
                (a, b) => Some(a.unwrap_or(0.0) + b.unwrap_or(0.0)),
            });
            // What never happened is no metric of the summary.
            let none = (value == "0").then_some(0.0);
            differs(name, sum.flatten().or(none), value)
        }
    }
}

/// The samples of `metric{tag:value,…}`.
fn tagged<'a>(left: &'a Left, selector: &'a str) -> impl Iterator<Item = &'a Value> {
    let (metric, tags) = selector.split_once('{').unwrap_or((selector, "}"));
    let tags = tags.strip_suffix('}').unwrap_or(tags);
    let tags: Vec<(&str, &str)> = tags.split(',').filter_map(|pair| pair.split_once(':')).collect();
    left.samples.iter().filter(move |point| {
        point["metric"] == metric
            && tags.iter().all(|(tag, value)| {
                let data = &point["data"];
                // `vu` and `iter` are beside the tags.
                let found = data["tags"][tag].as_str().or(data["metadata"][tag].as_str());
                found.unwrap_or("") == *value
            })
    })
}

/// A number that is not as expected.
fn differs(name: &str, found: Option<f64>, expected: &str) -> Option<String> {
    let number = |text: &str| text.parse::<f64>().unwrap_or_else(|_| panic!("{name}: {text}"));
    let holds = found.is_some_and(|found| {
        if let Some(least) = expected.strip_prefix(">=") {
            found >= number(least)
        } else if let Some(most) = expected.strip_prefix("<=") {
            found <= number(most)
        } else if let Some((least, most)) = expected.split_once("..") {
            (number(least)..=number(most)).contains(&found)
        } else {
            (found - number(expected)).abs() < 1e-9
        }
    });
    (!holds).then(|| format!("{name}: {found:?}, expected {expected}"))
}
