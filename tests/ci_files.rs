//! What a CI service reads: the check of every push, the action, the nightly workflow and the script that both come down to. They
//! are parsed, every command line of ours in them is one that exists, and the script is run as a job runs it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod run_support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;
use loadgen::cli::Cli;
use run_support::Ended;
use yaml_rust2::{Yaml, YamlLoader};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Yaml {
    let mut documents =
        YamlLoader::load_from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(documents.len(), 1, "{path}");
    documents.remove(0)
}

fn keys(of: &Yaml) -> BTreeSet<String> {
    let map = of.as_hash().expect("a map");
    map.keys()
        .map(|key| key.as_str().expect("a text").to_owned())
        .collect()
}

fn text<'a>(of: &'a Yaml, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_default()
}

const WORKFLOW: &str = ".github/workflows/load-tests.yml";

const CHECK: &str = ".github/workflows/ci.yml";

fn check_steps() -> Vec<Yaml> {
    yaml(CHECK)["jobs"]["check"]["steps"].as_vec().unwrap().clone()
}

/// The steps of the action and of the workflows' jobs.
fn steps() -> Vec<Yaml> {
    let of_action = yaml("action.yml")["runs"]["steps"].as_vec().unwrap().clone();
    let of_job = yaml(WORKFLOW)["jobs"]["load"]["steps"].as_vec().unwrap().clone();
    let all = of_action.into_iter().chain(of_job);
    all.chain(check_steps()).collect()
}

#[test]
fn every_push_is_checked_as_a_person_would_and_the_reports_pictures_are_kept() {
    let check = yaml(CHECK);
    assert_eq!(
        keys(&check["on"]),
        BTreeSet::from(["push".into(), "pull_request".into()])
    );
    // The packages that the check installs have Debian's names.
    assert!(text(&check["jobs"]["check"], "container").starts_with("debian:"));
    let steps = check_steps();
    let place = |what: &str, of: &dyn Fn(&Yaml) -> bool| {
        let place = steps.iter().position(of);
        place.unwrap_or_else(|| panic!("no {what} in {CHECK}"))
    };
    let run = place(".ci/run", &|step| text(step, "run") == ".ci/run");
    assert!(root().join(".ci/run").is_file());
    let checkout = place("checkout", &|step| {
        text(step, "uses").starts_with("actions/checkout@")
    });
    let upload = place("upload", &|step| {
        text(step, "uses").starts_with("actions/upload-artifact@")
    });
    assert!(checkout < run && run < upload);
    // Also, and above all, when the check has failed; and from where the tests put them.
    assert_eq!(text(&steps[upload], "if"), "always()");
    let tests = read("tests/run_report.rs");
    assert!(tests.contains("Path::new(env!(\"CARGO_TARGET_TMPDIR\")).join(\"report\")"));
    assert_eq!(text(&steps[upload]["with"], "path"), "target/tmp/report");
}

/// What a person can choose for the workflow.
fn choices(input: &str) -> Vec<String> {
    let options = &yaml(WORKFLOW)["on"]["workflow_dispatch"]["inputs"][input]["options"];
    let options = options.as_vec().unwrap_or_else(|| panic!("{input} has options"));
    options
        .iter()
        .map(|option| option.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_workflow_runs_nightly_and_on_demand_and_the_action_is_given_what_it_takes() {
    let workflow = yaml(WORKFLOW);
    assert_eq!(
        keys(&workflow["on"]),
        BTreeSet::from(["schedule".into(), "workflow_dispatch".into()])
    );
    let cron = workflow["on"]["schedule"][0]["cron"].as_str().unwrap();
    assert_eq!(cron.split(' ').count(), 5, "{cron}");
    let action = yaml("action.yml");
    let inputs = keys(&action["inputs"]);
    for step in steps() {
        if step["uses"].as_str() == Some("./") {
            let given = keys(&step["with"]);
            assert!(given.is_subset(&inputs), "{given:?} of {inputs:?}");
            assert!(given.contains("system"));
        } else if let Some(uses) = step["uses"].as_str() {
            assert!(uses.starts_with("actions/") && uses.contains("@v"), "{uses}");
        }
    }
}

/// The check with npm, which `cargo test` does without: a change of a dashboard, or of Grafana's version, starts it.
#[test]
fn dashboards_are_checked_when_they_change() {
    let workflow = yaml(".github/workflows/dashboards.yml");
    for event in ["push", "pull_request"] {
        let paths = workflow["on"][event]["paths"].as_vec().unwrap();
        let paths: Vec<&str> = paths.iter().map(|path| path.as_str().unwrap()).collect();
        assert!(paths.contains(&"grafana/**") && paths.contains(&"docker-compose.yml"));
        for path in paths {
            let file = root().join(path.trim_end_matches("/**"));
            assert!(file.exists(), "{path}");
        }
    }
    let steps = workflow["jobs"]["types"]["steps"].as_vec().unwrap();
    let (mut runs, mut node) = (Vec::new(), false);
    for step in steps {
        match text(step, "uses") {
            "" => runs.push(text(step, "run")),
            uses => {
                assert!(uses.starts_with("actions/") && uses.contains("@v"), "{uses}");
                node |= uses.starts_with("actions/setup-node@");
            }
        }
    }
    // The same as the recipe's.
    assert!(node && runs == ["grafana/check-types.sh"], "{runs:?}");
    assert!(read("justfile").contains("check-dashboards:\n    grafana/check-types.sh\n"));
    assert!(read(runs[0]).contains("@grafana/schema@"));
}

#[test]
fn results_are_uploaded_also_after_a_failure_and_the_failure_is_said_last() {
    let all = yaml("action.yml")["runs"]["steps"].as_vec().unwrap().clone();
    let upload = all
        .iter()
        .position(|step| text(step, "uses").contains("upload-artifact"));
    let upload = upload.expect("an upload");
    assert_eq!(text(&all[upload], "if"), "always()");
    let last = all.last().unwrap();
    assert!(upload < all.len() - 1 && text(last, "run") == "exit \"$CODE\"");
    assert_eq!(text(&last["env"], "CODE"), "${{ steps.run.outputs.exit-code }}");
}

/// An input that is pasted into a shell script could be a shell script itself.
#[test]
fn no_input_is_pasted_into_a_script() {
    for step in steps() {
        assert!(!text(&step, "run").contains("${{"), "{step:?}");
    }
}

/// The settings of the script are those that the action sets from its inputs, and all of them are documented.
#[test]
fn the_script_reads_what_the_action_sets() {
    let script = read(".ci/load-tests");
    let is_setting = |word: &&str| word.starts_with("SUITE_") || *word == "LOADGEN";
    let words = |text: &str| -> BTreeSet<String> {
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(is_setting)
            .map(str::to_owned)
            .collect()
    };
    let comment: Vec<&str> = script.lines().filter(|line| line.starts_with('#')).collect();
    let code: Vec<&str> = script.lines().filter(|line| !line.starts_with('#')).collect();
    let used = words(&code.join("\n"));
    assert_eq!(words(&comment.join("\n")), used);
    let action = yaml("action.yml");
    let run = action["runs"]["steps"].as_vec().unwrap();
    let run = run.iter().find(|step| text(step, "id") == "run").unwrap();
    assert_eq!(keys(&run["env"]), used);
    for input in keys(&action["inputs"]) {
        let read = format!("${{{{ inputs.{input} }}}}");
        let env = run["env"].as_hash().unwrap();
        assert!(
            env.values().any(|value| value.as_str() == Some(&read)),
            "{input} is not used"
        );
    }
}

/// The command lines of a text, each in one line: those that begin with the program's name, also as a variable.
fn command_lines(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    joined
        .lines()
        .map(|line| line.trim().trim_start_matches("# "))
        .filter_map(|line| {
            let rest = line
                .strip_prefix("\"$loadgen\" ")
                .or_else(|| line.strip_prefix("loadgen "))?;
            let end = rest.find(" ||").unwrap_or(rest.len());
            let end = rest.find(" >>").unwrap_or(rest.len()).min(end);
            Some(rest[..end].to_owned())
        })
        .collect()
}

/// The words of a command line of the script, with something for each variable.
fn words(line: &str) -> Vec<String> {
    let given = line.split_whitespace().filter(|word| !word.contains("[@]"));
    given
        .map(|word| match word.trim_matches('"') {
            word if word.contains("TOLERANCE") => "20%".to_owned(),
            word if word.starts_with('$') => "x".to_owned(),
            word => word.to_owned(),
        })
        .collect()
}

#[test]
fn every_command_line_in_them_is_one_that_exists() {
    let mut seen = 0;
    for path in [".ci/load-tests", "action.yml", WORKFLOW] {
        for line in command_lines(&read(path)) {
            seen += 1;
            let arguments = std::iter::once("loadgen".to_owned()).chain(words(&line));
            if let Err(error) = Cli::try_parse_from(arguments) {
                panic!("{path}: loadgen {line}: {error}");
            }
        }
    }
    assert!(seen >= 3, "the suite and both comparisons");
    // What the script adds from its settings, and what goes to every run, which the suite does not look at.
    let more = nightly_arguments("prim");
    for line in [
        format!("run --quiet --out markdown {more} x"),
        "suite x --profile p --only a --skip b --env A=b --demo -- -q".to_owned(),
        "suite x --serve a --health-url http://x/".to_owned(),
    ] {
        Cli::try_parse_from(std::iter::once("loadgen").chain(line.split(' '))).unwrap();
    }
}

/// What the workflow gives every run of a system. Its expression is `${{ matrix.system == 'A' && 'X' || … || 'Z' }}`.
fn nightly_arguments(system: &str) -> String {
    let step = steps()
        .into_iter()
        .find(|step| step["uses"].as_str() == Some("./"))
        .unwrap();
    let given = text(&step["with"], "arguments").to_owned();
    let (front, expression) = given.split_once("${{").unwrap();
    let (expression, back) = expression.split_once("}}").unwrap();
    let chosen = expression
        .split("||")
        .find_map(|part| match part.split_once("&&") {
            Some((asked, value)) => asked.trim().ends_with(&format!("'{system}'")).then_some(value),
            None => Some(part),
        })
        .unwrap();
    format!("{front}{}{back}", chosen.trim().trim_matches('\''))
}

/// A job that can never pass is never accepted, and then finds no regression either.
#[test]
fn the_nightly_target_is_slower_than_no_promise_allows() {
    for (system, scenarios) in [
        ("prim", &["health", "store-crud"][..]),
        (
            "tachikoma",
            &["tachikoma/health", "tachikoma/missions", "tachikoma/specs"],
        ),
        (
            "sequencer",
            &["sequencer/ingest", "sequencer/query", "sequencer/mixed"],
        ),
        ("flux-gate", &["flux-gate/flash-sale"]),
        (
            "happy",
            &[
                "happy/health",
                "happy/sessions",
                "happy/websocket",
                "happy/full-api",
            ],
        ),
    ] {
        let arguments = nightly_arguments(system);
        let latency: f64 = arguments
            .strip_prefix("--demo-args=--latency=")
            .and_then(|latency| latency.strip_suffix("ms"))
            .unwrap()
            .parse()
            .unwrap();
        for scenario in scenarios {
            let ended = run_support::run(&["inspect", scenario]).expect(0);
            let options: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
            for (metric, list) in options["thresholds"].as_object().unwrap() {
                let durations = metric.contains("duration") || metric.contains("latency");
                for one in list.as_array().into_iter().flatten().filter(|_| durations) {
                    let threshold = one.as_str().or_else(|| one["threshold"].as_str()).unwrap();
                    let (what, limit) = threshold.split_once('<').unwrap();
                    let limit: f64 = limit.trim_start_matches('=').trim().parse().unwrap();
                    // Half of what is promised is left for the network and for chance.
                    assert!(
                        latency <= limit / 2.0,
                        "{system}: {scenario} {metric} {what}<{limit}, latency {latency} ms"
                    );
                }
            }
        }
    }
}

/// Every system and profile that can be chosen exists.
#[test]
fn what_can_be_chosen_exists() {
    let ended = run_support::run(&["list", "--json"]).expect(0);
    let listed: Vec<serde_json::Value> = serde_json::from_str(&ended.stdout).unwrap();
    let systems: BTreeSet<&str> = listed
        .iter()
        .map(|entry| {
            entry["name"]
                .as_str()
                .unwrap()
                .split_once('/')
                .map_or("prim", |(system, _)| system)
        })
        .collect();
    let offered = choices("system");
    let offered: BTreeSet<&str> = offered
        .iter()
        .map(String::as_str)
        .filter(|name| *name != "all")
        .collect();
    assert_eq!(offered, systems);
    let matrix = text(&yaml(WORKFLOW)["jobs"]["load"]["strategy"]["matrix"], "system").to_owned();
    for system in systems {
        assert!(matrix.contains(&format!("\"{system}\"")), "{matrix}");
    }
    for profile in choices("profile") {
        for entry in &listed {
            let profiles = entry["profiles"].as_array().unwrap();
            assert!(
                profiles.iter().any(|known| *known == profile.as_str()),
                "{profile}: {entry}"
            );
        }
    }
}

/// A job's folder: a system of one scenario, of whose hundred checks as many fail as `WRONG` says.
struct Job(tempfile::TempDir);

impl Job {
    fn new() -> Job {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("scenarios/shop")).unwrap();
        let script = "
            import { check } from 'k6';
            export const options = { vus: 1, iterations: 10 };
            export default function () {
              for (let i = 0; i < 100; i += 1) check(null, { fine: () => i >= Number(__ENV.WRONG || 0) });
            }
            export function setup() { if (__ENV.BROKEN) throw new Error('broken'); }";
        fs::write(folder.path().join("scenarios/shop/cart.js"), script).unwrap();
        Job(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, settings: &[(&str, &str)]) -> Ended {
        let mut command = Command::new(root().join(".ci/load-tests"));
        command
            .current_dir(self.0.path())
            .env("LOADGEN", env!("CARGO_BIN_EXE_loadgen"))
            .env("SUITE_SYSTEM", "shop")
            .env("SUITE_ARGUMENTS", "--metrics-addr off")
            .env("GITHUB_OUTPUT", self.path("output"))
            .env_remove("GITHUB_STEP_SUMMARY");
        let _ = fs::remove_file(self.path("output"));
        command.envs(settings.iter().copied()).output().unwrap().into()
    }

    fn summary(&self) -> String {
        fs::read_to_string(self.path("load-results/summary.md")).unwrap()
    }

    fn output(&self) -> String {
        fs::read_to_string(self.path("output")).unwrap_or_default()
    }
}

#[test]
fn a_job_fails_when_something_became_worse_until_it_is_accepted() {
    let job = Job::new();
    let first = job.run(&[]).expect(0);
    assert!(
        first.stdout.contains("shop-cart.json: accepted"),
        "{}",
        first.stdout
    );
    assert_eq!(job.output(), "accepted=true\n");
    assert!(job.path("accepted/shop-cart.json").is_file());
    assert!(
        job.summary().contains("nothing accepted to compare with yet"),
        "{}",
        job.summary()
    );

    job.run(&[]).expect(0);
    assert_eq!(job.output(), "", "the accepted one stays");

    let worse = [("SUITE_ENV", "OTHER=1\nWRONG=30")];
    let ended = job.run(&worse).expect(113);
    assert!(ended.stdout.contains("checks"), "{}", ended.stdout);
    assert_eq!(job.output(), "");
    assert!(
        job.path("load-results/shop-cart.json").is_file(),
        "results are kept"
    );

    job.run(&[worse[0], ("SUITE_ACCEPT", "true")]).expect(0);
    assert_eq!(job.output(), "accepted=true\n");
    job.run(&worse).expect(0);

    // What is committed wins, and only a commit changes it.
    fs::create_dir(job.path("committed")).unwrap();
    job.run(&[("SUITE_ACCEPTED", "committed")]).expect(0);
    let baseline = [
        worse[0],
        ("SUITE_BASELINE", "committed"),
        ("SUITE_ACCEPT", "true"),
    ];
    job.run(&baseline).expect(113);
}

#[test]
fn a_job_ends_as_its_suite_does_and_accepts_nothing_then() {
    let job = Job::new();
    job.run(&[("SUITE_ENV", "BROKEN=1"), ("SUITE_ACCEPT", "true")])
        .expect(107);
    assert!(!job.path("accepted/shop-cart.json").exists());
    assert_eq!(job.output(), "");
    job.run(&[("SUITE_SYSTEM", "shpo")]).expect(104).says(&["shop"]);
    let ended = job.run(&[("SUITE_SYSTEM", "")]);
    assert_ne!(ended.code, 0);
}
