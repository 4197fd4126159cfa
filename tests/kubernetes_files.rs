//! `deploy/kubernetes/`, as files: that they fit together, that the parts that pods take are the whole test, that what a pod
//! runs is a command line of ours, and that nothing there asks for a right in the cluster.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod grafana_support;
mod run_support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use clap::Parser;
use grafana_support::{path, read, yaml};
use loadgen::cli::Cli;
use loadgen::pace::Segment;
use yaml_rust2::Yaml;

const FOLDER: &str = "deploy/kubernetes";

fn file(name: &str) -> Yaml {
    yaml(&format!("{FOLDER}/{name}"))
}

fn texts(list: &Yaml) -> Vec<String> {
    let items = list.as_vec().into_iter().flatten();
    items.map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// What `segment.sh` says of this index of so many.
fn segment(index: &str, count: &str) -> Output {
    Command::new("sh")
        .arg(path(&format!("{FOLDER}/segment.sh")))
        .env("JOB_COMPLETION_INDEX", index)
        .env("GENERATORS", count)
        .output()
        .unwrap()
}

#[test]
fn the_parts_of_all_pods_are_the_whole() {
    for count in [1_u32, 2, 3, 7, 10] {
        let of = |index: u32| {
            let said = segment(&index.to_string(), &count.to_string());
            assert!(said.status.success(), "{said:?}");
            let text = String::from_utf8(said.stdout).unwrap();
            text.trim().parse::<Segment>().unwrap()
        };
        let segments: Vec<Segment> = (0..count).map(of).collect();
        assert_eq!(Segment::missing(&segments), [], "{count}");
        for (at, one) in segments.iter().enumerate() {
            assert!(
                segments[at + 1..].iter().all(|other| !one.overlaps(other)),
                "{count}"
            );
        }
    }
    for (index, text) in [
        ("0", "0/1000:1/1000"),
        ("499", "499/1000:500/1000"),
        ("999", "999/1000:1000/1000"),
    ] {
        let said = segment(index, "1000");
        assert_eq!(String::from_utf8(said.stdout).unwrap().trim(), text);
    }
}

#[test]
fn a_pod_that_is_none_of_them_says_so() {
    for (index, count, said) in [
        ("10", "10", "is not one of 10 generators"),
        ("", "10", "is set by an Indexed Job"),
        ("1", "", "how many generators there are"),
        ("a", "10", "must be whole numbers"),
        ("0", "-3", "must be whole numbers"),
        ("0", "0", "is not one of 0 generators"),
    ] {
        let found = segment(index, count);
        let error = String::from_utf8(found.stderr).unwrap();
        assert!(
            !found.status.success() && error.contains(said),
            "{index} {count}: {error}"
        );
        assert!(found.stdout.is_empty());
    }
}

/// A `loadgen` that writes down how it was called, and ends with a code.
fn stand_in(folder: &Path, code: i32) {
    let program = folder.join("loadgen");
    std::fs::write(
        &program,
        format!("#!/bin/sh\nprintf '%s\\n' loadgen \"$@\" >\"$CALLED\"\nexit {code}\n"),
    )
    .unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_pod_runs_its_part_and_saves_it() {
    let folder = tempfile::tempdir().unwrap();
    let (called, results) = (folder.path().join("called"), folder.path().join("results"));
    for (ends, expected) in [(0, 0), (99, 0), (104, 104), (107, 107)] {
        stand_in(folder.path(), ends);
        let old = std::env::var("PATH").unwrap();
        let ended = Command::new("sh")
            .arg(path(&format!("{FOLDER}/generate.sh")))
            .env("PATH", format!("{}:{old}", folder.path().display()))
            .env("CALLED", &called)
            .env("RESULTS", &results)
            .env("JOB_COMPLETION_INDEX", "3")
            .env("GENERATORS", "4")
            .env("START_AT", "2026-11-21T03:15:06Z")
            .env("BASE_URL", "http://target:8080")
            .env("LOADGEN_ARGUMENTS", "--tag team=blue --quiet")
            .output()
            .unwrap();
        // The verdict of one part's thresholds is none.
        assert_eq!(ended.status.code(), Some(expected), "{ended:?}");
        let words = std::fs::read_to_string(&called).unwrap();
        let words: Vec<&str> = words.lines().collect();
        Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
        let line = words.join(" ");
        let saved = format!("--save {}/3.json.gz", results.display());
        for part in [
            "--execution-segment 3/4:4/4",
            "--start-at 2026-11-21T03:15:06Z",
            "--tag team=blue --quiet",
            &saved,
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(results.is_dir());
    }
}

#[test]
fn the_job_fits_its_scripts() {
    let job = file("job.yaml");
    let spec = &job["spec"];
    assert_eq!(job["kind"].as_str(), Some("Job"));
    assert_eq!(spec["completionMode"].as_str(), Some("Indexed"));
    let pods = spec["completions"].as_i64().unwrap();
    assert_eq!(spec["parallelism"].as_i64(), Some(pods), "all at once");
    let pod = &spec["template"]["spec"];
    let container = &pod["containers"][0];
    let env = &container["env"][0];
    assert_eq!(env["name"].as_str(), Some("GENERATORS"));
    assert_eq!(
        env["value"].as_str(),
        Some(&*pods.to_string()),
        "as many as completions"
    );
    assert_eq!(pod["restartPolicy"].as_str(), Some("Never"));
    assert_eq!(
        spec["backoffLimitPerIndex"].as_i64(),
        Some(0),
        "no generator begins again in the middle"
    );
    assert_eq!(
        spec["maxFailedIndexes"].as_i64(),
        Some(pods),
        "one that fails does not stop the others"
    );

    // What is mounted is there, where the command looks for it.
    let whole = file("kustomization.yaml");
    let maps = whole["configMapGenerator"].as_vec().unwrap();
    let named = |name: &str| {
        maps.iter()
            .find(|map| map["name"].as_str() == Some(name))
            .unwrap()
    };
    let files = texts(&named("loadgen-test")["files"]);
    assert_eq!(texts(&container["command"]), ["sh", "/test/generate.sh"]);
    for name in ["generate.sh", "segment.sh", "test.js"] {
        assert!(files.contains(&name.to_owned()), "{name}");
        assert!(path(&format!("{FOLDER}/{name}")).is_file(), "{name}");
    }
    let mounts = container["volumeMounts"].as_vec().unwrap();
    let volumes = pod["volumes"].as_vec().unwrap();
    for (name, place) in [("test", "/test"), ("results", "/results"), ("tmp", "/tmp")] {
        let is = |item: &&Yaml| item["name"].as_str() == Some(name);
        assert_eq!(mounts.iter().find(is).unwrap()["mountPath"].as_str(), Some(place));
        assert!(volumes.iter().any(|item| is(&item)), "{name}");
    }
    let volume = |name: &str| {
        volumes
            .iter()
            .find(|item| item["name"].as_str() == Some(name))
            .unwrap()
    };
    assert_eq!(volume("test")["configMap"]["name"].as_str(), Some("loadgen-test"));
    let claim = file("results.yaml")["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        volume("results")["persistentVolumeClaim"]["claimName"].as_str(),
        Some(&*claim)
    );
    let merge = file("merge/job.yaml");
    let merged = &merge["spec"]["template"]["spec"]["volumes"][0];
    assert_eq!(
        merged["persistentVolumeClaim"]["claimName"].as_str(),
        Some(&*claim)
    );

    // Every variable that the scripts want comes from the settings.
    assert_eq!(
        container["envFrom"][0]["configMapRef"]["name"].as_str(),
        Some("loadgen-settings")
    );
    let settings = read(&format!("{FOLDER}/settings.env"));
    for name in ["START_AT=", "BASE_URL=", "LOADGEN_ARGUMENTS="] {
        assert!(settings.lines().any(|line| line.starts_with(name)), "{name}");
        assert!(
            read(&format!("{FOLDER}/generate.sh")).contains(&name[..name.len() - 1]),
            "{name}"
        );
    }

    // Prometheus finds the port that the command serves, by either way.
    let port = &container["ports"][0];
    let number = port["containerPort"].as_i64().unwrap().to_string();
    assert!(read(&format!("{FOLDER}/generate.sh")).contains(&format!("--metrics-addr 0.0.0.0:{number}")));
    let template = &spec["template"]["metadata"];
    assert_eq!(
        template["annotations"]["prometheus.io/port"].as_str(),
        Some(&*number)
    );
    let monitor = file("monitoring/podmonitor.yaml");
    assert_eq!(monitor["spec"]["podMetricsEndpoints"][0]["port"], port["name"]);
    let wanted = monitor["spec"]["selector"]["matchLabels"].as_hash().unwrap();
    for (label, value) in wanted {
        assert_eq!(&template["labels"][label.as_str().unwrap()], value);
    }
}

/// The fields that the operator's `PodMonitor` has, of `spec` and of `spec.podMetricsEndpoints[]`: `PodMonitorSpec` with
/// `NativeHistogramConfig`, and `PodMetricsEndpoint` (without TLS, logins and proxies, which are in `HTTPConfig`), in
/// `pkg/apis/monitoring/v1/podmonitor_types.go` and `types.go` of prometheus-operator/prometheus-operator. Another is refused.
const MONITOR: [&str; 21] = [
    "jobLabel",
    "podTargetLabels",
    "podMetricsEndpoints",
    "selector",
    "selectorMechanism",
    "namespaceSelector",
    "sampleLimit",
    "targetLimit",
    "scrapeProtocols",
    "fallbackScrapeProtocol",
    "labelLimit",
    "labelNameLengthLimit",
    "labelValueLengthLimit",
    "scrapeClassicHistograms",
    "nativeHistogramBucketLimit",
    "nativeHistogramMinBucketFactor",
    "convertClassicHistogramsToNHCB",
    "keepDroppedTargets",
    "attachMetadata",
    "scrapeClass",
    "bodySizeLimit",
];
const ENDPOINT: [&str; 14] = [
    "port",
    "portNumber",
    "targetPort",
    "path",
    "scheme",
    "params",
    "interval",
    "scrapeTimeout",
    "honorLabels",
    "honorTimestamps",
    "trackTimestampsStaleness",
    "metricRelabelings",
    "relabelings",
    "filterRunning",
];
/// Its `ScrapeProtocol`s.
const PROTOCOLS: [&str; 5] = [
    "PrometheusProto",
    "OpenMetricsText0.0.1",
    "OpenMetricsText1.0.0",
    "PrometheusText0.0.4",
    "PrometheusText1.0.0",
];

#[test]
fn the_operator_knows_every_field_of_the_monitor() {
    let monitor = file("monitoring/podmonitor.yaml");
    let top: Vec<String> = keys(&monitor);
    assert_eq!(top, ["apiVersion", "kind", "metadata", "spec"]);
    assert_eq!(monitor["apiVersion"].as_str(), Some("monitoring.coreos.com/v1"));
    let spec = &monitor["spec"];
    for field in keys(spec) {
        assert!(MONITOR.contains(&&*field), "spec.{field}");
    }
    let endpoints = spec["podMetricsEndpoints"].as_vec().unwrap();
    assert_eq!(endpoints.len(), 1);
    for field in keys(&endpoints[0]) {
        assert!(ENDPOINT.contains(&&*field), "spec.podMetricsEndpoints[].{field}");
    }
    let protocols = texts(&spec["scrapeProtocols"]);
    for protocol in &protocols {
        assert!(PROTOCOLS.contains(&&**protocol), "{protocol}");
    }
    // Native histograms, and the classic ones that the dashboards and rules read.
    assert_eq!(protocols[0], "PrometheusProto");
    assert_eq!(spec["scrapeClassicHistograms"].as_bool(), Some(true));
}

/// The keys of a map, in their order.
fn keys(of: &Yaml) -> Vec<String> {
    let map = of.as_hash().unwrap();
    map.keys().map(|key| key.as_str().unwrap().to_owned()).collect()
}

/// The lines in docs/scaling.md that wait for a Job of this name, as they are typed.
fn waits() -> String {
    let document = read("docs/scaling.md");
    let lines = document.lines().map(str::trim);
    let wait = lines.filter(|line| line.starts_with("ended()") || line.starts_with("ended "));
    wait.fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn waiting_for_a_job_ends_also_when_a_generator_or_a_threshold_failed() {
    let folder = tempfile::tempdir().unwrap();
    let old = std::env::var("PATH").unwrap();
    let path = format!("{}:{old}", folder.path().display());
    let conditions = |text: &str| {
        let program = folder.path().join("kubectl");
        let script = format!("#!/bin/sh\necho \"$*\" >>\"$CALLED\"\nprintf '%s' '{text}'\n");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let called = folder.path().join("called");
    let wait = |seconds: &str| {
        let mut command = Command::new("timeout");
        command.args([seconds, "sh", "-c", &waits()]);
        let ended = command.env("PATH", &path).env("CALLED", &called).status();
        ended.unwrap().code()
    };
    assert!(waits().lines().count() > 1, "{}", waits());
    for ended in ["Complete", "SuccessCriteriaMet Complete", "FailureTarget Failed"] {
        conditions(ended);
        assert_eq!(wait("60"), Some(0), "{ended}");
    }
    let asked = std::fs::read_to_string(&called).unwrap();
    assert!(
        asked.lines().all(|line| line.starts_with("get job loadgen")),
        "{asked}"
    );
    // One that goes on is waited for.
    for running in ["", "Suspended", "FailureTarget"] {
        conditions(running);
        assert_eq!(wait("1"), Some(124), "{running}");
    }
}

#[test]
fn what_is_merged_are_the_files_of_the_pods() {
    let merge = file("merge/job.yaml");
    let command = texts(&merge["spec"]["template"]["spec"]["containers"][0]["command"]);
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "0.json.gz",
        "11.json.gz",
        "merged.json.gz",
        "0.json.gz.checkpoint",
    ] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    stand_in(folder.path(), 99);
    let called = folder.path().join("called");
    let results = folder.path().display().to_string();
    let ended = Command::new(&command[0])
        .arg(&command[1])
        .arg(command[2].replace("/results", &results))
        .env("PATH", format!("{results}:{}", std::env::var("PATH").unwrap()))
        .env("CALLED", &called)
        .status()
        .unwrap();
    assert_eq!(ended.code(), Some(99), "the verdict on the sum is the Job's");
    let words = std::fs::read_to_string(&called).unwrap().replace(&results, "");
    let words: Vec<&str> = words.lines().collect();
    assert_eq!(
        words,
        [
            "loadgen",
            "merge",
            "/0.json.gz",
            "/11.json.gz",
            "-o",
            "/merged.json.gz"
        ]
    );
    Cli::try_parse_from(&words).unwrap();
}

#[test]
fn every_file_is_used_and_none_asks_for_rights() {
    let mut resources = Vec::new();
    for folder in ["", "merge/", "monitoring/"] {
        let list = file(&format!("{folder}kustomization.yaml"));
        resources.extend(
            texts(&list["resources"])
                .into_iter()
                .map(|name| format!("{folder}{name}")),
        );
    }
    resources.sort();
    assert_eq!(
        resources,
        [
            "job.yaml",
            "merge/job.yaml",
            "monitoring/podmonitor.yaml",
            "results.yaml"
        ]
    );
    for name in &resources {
        let found = file(name);
        let kind = found["kind"].as_str().unwrap();
        assert!(
            ["Job", "PersistentVolumeClaim", "PodMonitor"].contains(&kind),
            "{name}: {kind}"
        );
        if kind != "Job" {
            continue;
        }
        let pod = &found["spec"]["template"]["spec"];
        assert_eq!(
            pod["automountServiceAccountToken"].as_bool(),
            Some(false),
            "{name}"
        );
        assert!(pod["serviceAccountName"].is_badvalue(), "{name}");
        assert_eq!(
            pod["securityContext"]["runAsNonRoot"].as_bool(),
            Some(true),
            "{name}"
        );
        // The image's own user.
        let user = pod["securityContext"]["runAsUser"].as_i64().unwrap();
        assert!(read("Dockerfile").contains(&format!("--uid {user} ")), "{name}");
        let container = &pod["containers"][0]["securityContext"];
        assert_eq!(
            container["allowPrivilegeEscalation"].as_bool(),
            Some(false),
            "{name}"
        );
        assert_eq!(
            container["readOnlyRootFilesystem"].as_bool(),
            Some(true),
            "{name}"
        );
    }
}

#[test]
fn kustomize_builds_it_where_it_is_installed() {
    for folder in ["", "merge"] {
        let built = Command::new("kubectl")
            .arg("kustomize")
            .arg(path(FOLDER).join(folder))
            .output();
        let Ok(built) = built else { return };
        let said = String::from_utf8_lossy(&built.stderr);
        // One that knows no kustomize is none.
        if said.contains("unknown command") {
            return;
        }
        assert!(built.status.success(), "{said}");
        let text = String::from_utf8(built.stdout).unwrap();
        assert!(text.contains("image: loadgen:latest"), "{text}");
    }
}

#[test]
fn its_test_is_one_that_runs() {
    let script = path(&format!("{FOLDER}/test.js"));
    let script = script.to_str().unwrap();
    run_support::run(&["inspect", "--execution-segment", "3/10:4/10", script]).expect(0);
}
