//! What the tests of scenarios share: a scenario run to its end against the embedded target, and every sample of it.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;

use serde_json::Value;

use crate::run_support::{Ended, loadgen};

/// A run, and what it recorded.
pub struct Told {
    pub ended: Ended,
    samples: Vec<Sample>,
}

struct Sample {
    metric: String,
    value: f64,
    tags: BTreeMap<String, String>,
}

/// Runs a scenario, or a script's file, with `--demo` and these arguments.
pub fn play(scenario: &str, arguments: &[&str]) -> Told {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("samples.json");
    let out = format!("json={}", file.display());
    let mut all = vec![
        "run",
        "--demo",
        scenario,
        "-q",
        "--metrics-addr",
        "off",
        "--out",
        &out,
    ];
    all.extend(arguments);
    let mut command = loadgen(&all);
    // What the machine's own environment says to scripts is none of the test's.
    for name in ["PROFILE", "BASE_URL", "WS_URL", "API_KEY", "AUTH_TOKEN"] {
        command.env_remove(name);
    }
    let ended = Ended::from(command.output().unwrap());
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|e| panic!("{e}\nstdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr));
    let samples = text.lines().filter_map(sample).collect();
    Told { ended, samples }
}

fn sample(line: &str) -> Option<Sample> {
    let line: Value = serde_json::from_str(line).unwrap();
    (line["type"] == "Point").then(|| {
        let tags = line["data"]["tags"].as_object().into_iter().flatten();
        Sample {
            metric: line["metric"].as_str().unwrap().to_owned(),
            value: line["data"]["value"].as_f64().unwrap(),
            tags: tags
                .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect(),
        }
    })
}

impl Told {
    /// Fails unless the exit code is this one.
    pub fn expect(mut self, code: i32) -> Told {
        self.ended = self.ended.expect(code);
        self
    }

    fn of<'a>(&'a self, metric: &'a str, tags: &'a [(&str, &str)]) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            sample.metric == metric
                && tags
                    .iter()
                    .all(|(key, value)| sample.tags.get(*key).is_some_and(|it| it == value))
        })
    }

    /// How many samples a metric has, with all of these tags.
    pub fn count(&self, metric: &str, tags: &[(&str, &str)]) -> usize {
        self.of(metric, tags).count()
    }

    /// Their sum.
    pub fn sum(&self, metric: &str, tags: &[(&str, &str)]) -> f64 {
        self.of(metric, tags).map(|sample| sample.value).sum()
    }

    /// How many requests had this name.
    pub fn requests(&self, name: &str) -> usize {
        self.count("http_reqs", &[("name", name)])
    }

    /// Iterations that ended.
    pub fn iterations(&self) -> usize {
        self.count("iterations", &[])
    }

    /// Every request's name, with how many had it.
    pub fn names(&self) -> BTreeMap<&str, usize> {
        let mut names = BTreeMap::new();
        for sample in self.of("http_reqs", &[]) {
            *names.entry(sample.tags["name"].as_str()).or_default() += 1;
        }
        names
    }

    /// Fails unless there are these checks and no others, and all of them passed.
    pub fn passed_exactly(&self, checks: &[&str]) {
        let mut found: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for sample in self.of("checks", &[]) {
            let (passed, all) = found.entry(&sample.tags["check"]).or_default();
            *passed += usize::from(sample.value > 0.0);
            *all += 1;
        }
        let mut expected = checks.to_vec();
        expected.sort_unstable();
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), expected);
        assert!(
            found.values().all(|(passed, all)| passed == all),
            "{found:?}\n{}",
            self.ended.stdout
        );
    }

    /// Fails unless about this share of `n` is `count`: within 5.5 standard deviations, which chance leaves less than
    /// once in ten million runs.
    pub fn share(what: &str, count: usize, n: usize, share: f64) {
        let expected = n as f64 * share;
        let deviation = (expected * (1.0 - share)).sqrt();
        assert!(
            (count as f64 - expected).abs() <= 5.5 * deviation,
            "{what}: {count} of {n}, not {share} of them"
        );
    }
}
