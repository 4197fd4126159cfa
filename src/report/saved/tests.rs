//! Saved runs: nothing is lost between writing and reading, nothing secret is written, no two runs write one file.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::*;
use crate::metrics::machine::Machine;
use crate::metrics::{
    Collector, Contains, Epoch, HttpKey, HttpRecord, Kind, MethodTag, Proto, Recorder, Registry, Snapshot,
    SystemTags, TagSet, Timeline, TlsTag, builtin,
};

/// Requests to `names` names, some milliseconds each, over three seconds.
fn recorded(names: usize, each: usize) -> (std::sync::Arc<Snapshot>, Timeline) {
    let registry = Registry::new(SystemTags::default());
    let recorder = Recorder::new(registry.clone(), 0);
    let epoch = Epoch {
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_230_906),
        ..Epoch::now()
    };
    let mut collector = Collector::new(registry.clone(), epoch, Vec::new());
    let custom = registry.define("queue", Kind::Gauge, Contains::Default).unwrap();
    for name in 0..names {
        let tags = [
            ("scenario", "default"),
            ("service", "store"),
            ("n", &name.to_string()),
        ];
        let context = registry.intern(&TagSet::from_pairs(tags));
        for index in 0..each {
            let at = (index as u64 % 3) * 1_000_000_000 + 5;
            let key = HttpKey {
                context,
                name: recorder.name("GET /"),
                method: MethodTag::Get,
                status: 200,
                proto: Proto::Http11,
                tls: TlsTag::None,
                error_code: 0,
                expected: Some(true),
            };
            let duration = 1.0 + index as f32 / 8.0;
            let record = HttpRecord {
                at,
                duration,
                waiting: duration,
                ..HttpRecord::default()
            };
            recorder.http(key, record);
            recorder.add(
                builtin::CHECKS,
                recorder.context(context, &[("check", "ok")]),
                at,
                1.0,
            );
            recorder.add(custom, context, at, index as f64);
        }
    }
    collector.absorb(&recorder.drain());
    collector.close_window(Duration::from_secs(3));
    let snapshot = collector.finish(Duration::from_secs(3));
    (snapshot, collector.timeline().clone())
}

fn facts<'a>(
    scrubber: &'a Scrubber,
    machine: &'a Machine,
    variables: &'a BTreeMap<String, String>,
    options: &'a Value,
    command: &'a [String],
) -> Facts<'a> {
    Facts {
        id: "0123456789abcdef",
        name: "test.js",
        kind: "script",
        command,
        zero: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_230_906),
        begun: Duration::from_millis(250),
        load_start: Some(Duration::from_millis(260)),
        ending: SavedEnding {
            name: "passed".to_owned(),
            exit_code: 0,
            message: None,
        },
        verification: None,
        target: SavedTarget::default(),
        environment: machine,
        variables,
        options,
        workers: 2,
        cores: 2.0,
        cpu_seconds: 1.5,
        peak_memory: 1 << 20,
        scrubber,
        hints: &[],
        breakpoint: None,
    }
}

fn saved(names: usize, each: usize) -> SavedRun {
    let (snapshot, timeline) = recorded(names, each);
    let (scrubber, machine) = (Scrubber::default(), Machine::default());
    let (variables, options) = (BTreeMap::new(), json!({}));
    SavedRun::new(
        &snapshot,
        &timeline,
        &facts(&scrubber, &machine, &variables, &options, &[]),
    )
}

fn written(run: &SavedRun, path: &Path) {
    Destination::open(path).unwrap().write(run).unwrap();
}

#[test]
fn what_is_read_is_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let run = saved(3, 400);
    for name in ["run.json", "run.json.gz"] {
        let path = folder.path().join(name);
        written(&run, &path);
        assert_eq!(SavedRun::read(&path).unwrap(), run, "{name}");
    }
    let size = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().len();
    assert!(size("run.json.gz") * 3 < size("run.json"));
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        2,
        "no partial file is left"
    );
    assert_eq!(run.run.started, "2026-11-21T03:15:06.250Z");
    assert_eq!(run.timeline.start, [0.0, 1.0, 2.0]);
    assert_eq!(run.timeline.requests, [402, 399, 399]);
    assert_eq!(run.timeline.strands[0].requests, run.timeline.requests);
    assert_eq!(run.checks[0].passes, 1200);
}

#[test]
fn slices_that_overlap_an_outage_are_marked() {
    let (snapshot, timeline) = recorded(1, 1);
    let (scrubber, machine) = (Scrubber::default(), Machine::default());
    let (variables, options) = (BTreeMap::new(), json!({}));
    let mut facts = facts(&scrubber, &machine, &variables, &options, &[]);
    let outage = |from, until| SavedOutage {
        from,
        until,
        lane: 0,
        reason: "the server hung up".to_owned(),
    };
    // Two lanes at once count once, and one that never came back lasts to the end.
    facts.target.outages = vec![
        outage(2.5, None),
        outage(0.75, Some(1.25)),
        outage(0.5, Some(1.0)),
    ];
    let run = SavedRun::new(&snapshot, &timeline, &facts);
    assert_eq!(run.timeline.outage, [0.5, 0.25, 0.5]);
    assert!(saved(1, 1).timeline.outage.is_empty());
}

#[test]
fn totals_of_a_saved_run_are_those_of_the_run() {
    let (snapshot, _) = recorded(3, 400);
    let run = saved(3, 400);
    let durations = run.series("http_req_duration");
    let trend = query::trend(durations.total()).unwrap();
    let original = snapshot.trend(builtin::HTTP_REQ_DURATION).unwrap();
    assert_eq!(trend.parts(), original.parts());
    assert_eq!(query::trend(durations.of("n", "1")).unwrap().count(), 400);
    assert_eq!(
        query::count(run.series("http_reqs").total().as_ref()) as u64,
        1200
    );
    assert_eq!(
        query::rate(run.series("http_req_failed").total().as_ref()),
        (0, 1200)
    );
    assert!(run.series("nothing").total().is_none());
    assert!(run.values_of("n").contains("2"));
}

#[test]
fn a_file_is_bounded_whatever_a_run_has_had() {
    let folder = tempfile::tempdir().unwrap();
    let run = saved(3000, 1);
    let path = folder.path().join("run.json");
    written(&run, &path);
    let durations = &run.metrics.trends[0];
    assert_eq!((durations.series.len(), durations.folded), (500, 2501));
    assert_eq!(
        query::trend(run.series(&durations.name).total()).unwrap().count(),
        3000
    );
    assert!(std::fs::metadata(&path).unwrap().len() < 1 << 20);
}

#[test]
fn no_secret_is_written() {
    let (snapshot, timeline) = recorded(1, 1);
    let variables: BTreeMap<String, String> = [
        ("API_KEY", "secret-one"),
        ("BASE_URL", "http://user:secret-two@h/?token=secret-three"),
        ("OTHER", "has secret-one inside"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let command = ["run", "-e", "API_KEY=secret-one", "--env=DB_PASSWORD=secret-four"].map(str::to_owned);
    let options = json!({"tlsAuth": [{"key": "secret-five"}], "tags": {"who": "secret-one"}});
    let pairs = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let scrubber = Scrubber::new(pairs.chain([("cookie", "secret-six")]), []);
    let machine = Machine::default();
    let mut facts = facts(&scrubber, &machine, &variables, &options, &command);
    facts.ending.message = Some("GET http://u:secret-seven@h/ with Bearer secret-six".to_owned());
    let run = SavedRun::new(&snapshot, &timeline, &facts);
    let text = serde_json::to_string(&run).unwrap();
    assert!(!text.contains("secret-"), "{text}");
    assert!(
        text.contains("BASE_URL") && text.contains("http://h/?token=(hidden)"),
        "{text}"
    );
}

#[test]
fn two_runs_do_not_write_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    let run = saved(1, 10);
    let first = Destination::open(&path).unwrap();
    let refused = Destination::open(&path).unwrap_err();
    assert!(matches!(refused, SaveError::Busy(_)), "{refused}");
    first.write(&run).unwrap();
    // Another one after it is welcome, and until it is done the first one's file is whole.
    let second = Destination::open(&path).unwrap();
    assert_eq!(SavedRun::read(&path).unwrap(), run);
    drop(second);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    // What a crash has left is in nobody's way.
    std::fs::write(folder.path().join("run.json.partial"), "half a run").unwrap();
    written(&run, &path);
    assert_eq!(SavedRun::read(&path).unwrap(), run);
}

#[test]
fn a_place_that_cannot_be_written_is_found_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Destination::open(&folder.path().join("no/such/run.json")).unwrap_err();
    assert!(missing.to_string().contains("folder that exists"), "{missing}");
    let itself = Destination::open(folder.path()).unwrap_err();
    assert!(itself.to_string().contains("it is a folder"), "{itself}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error_of_the_end() {
    let full = Destination::open(Path::new("/dev/full")).unwrap();
    let error = full.write(&saved(1, 1)).unwrap_err();
    assert!(error.to_string().contains("No space left"), "{error}");
}

#[test]
fn a_file_that_is_no_saved_run_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let said = |text: &str| {
        std::fs::write(&path, text).unwrap();
        SavedRun::read(&path).unwrap_err().to_string()
    };
    let good = serde_json::to_string_pretty(&saved(1, 2)).unwrap();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_str(&good).unwrap();
        change(&mut value);
        value.to_string()
    };
    for (text, part) in [
        (String::new(), "is not a saved run: it is empty"),
        ("hello".to_owned(), "it is not a JSON object"),
        ("{hello".to_owned(), "it is not JSON"),
        (
            "{\"type\":\"Metric\"}\n{\"type\":\"Point\"}\n".to_owned(),
            "--out json=FILE",
        ),
        ("{\"metrics\":{}}".to_owned(), "summary export"),
        (good[..good.len() / 2].to_owned(), "malformed at line"),
        (with(&|run| run["version"] = 0.into()), "version 0"),
        (
            with(&|run| {
                run["version"] = 7.into();
                run["run"]["loadgen"] = "9.1.0".into();
                run["metrics"] = "quite different".into();
            }),
            "written by loadgen 9.1.0; this loadgen reads 1: update it",
        ),
        (
            with(&|run| run["thresholds"] = 5.into()),
            "malformed at line 1, column",
        ),
        (with(&|run| run["tags"] = json!([])), "contradicts itself"),
        (
            with(&|run| run["timeline"]["vus"] = json!([])),
            "not of one length",
        ),
        (
            with(&|run| run["metrics"]["trends"][0]["series"][0]["count"] = 9.into()),
            "of 9 values holds 2",
        ),
        (
            with(&|run| run["metrics"]["rates"][0]["series"][0]["passes"] = 9.into()),
            "9 passes of 2",
        ),
    ] {
        let said = said(&text);
        assert!(said.contains(part), "{part}:\n{said}");
    }
    assert!(
        SavedRun::read(&folder.path().join("none"))
            .unwrap_err()
            .to_string()
            .contains("cannot read")
    );
}
