//! The command line: what is accepted, what is refused in which words, and with which exit code.
//!
//! Nothing here sends a request: what is right is shown by `inspect`, what is wrong ends before the load.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::process::{Command, Stdio};

use clap::{CommandFactory, Parser};
use loadgen::cli::Cli;
use serde_json::{Value, json};

/// The exit code of a configuration error.
const CONFIG: i32 = 104;

struct Outcome {
    code: i32,
    out: String,
    err: String,
}

/// Runs the program without any variable of this environment, `input` on standard input.
fn loadgen(args: &[&str], input: &str) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read its input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Outcome {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

const SCRIPT: &str = "export const options = { vus: 7, duration: '1m', tags: { team: 'blue' } };\n\
                      export default function () {}\n";

/// The options that `inspect` shows for the script above and these flags.
fn inspected(flags: &[&str]) -> Value {
    let args: Vec<&str> = ["inspect", "-"].iter().chain(flags).copied().collect();
    let outcome = loadgen(&args, SCRIPT);
    assert_eq!(outcome.code, 0, "{flags:?}: {}", outcome.err);
    serde_json::from_str(&outcome.out).unwrap()
}

#[test]
fn the_definitions_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn help_opens_with_the_commands_that_matter() {
    let outcome = loadgen(&["--help"], "");
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""));
    let head: Vec<&str> = outcome.out.lines().take(8).collect();
    let head = head.join("\n");
    for command in [
        "loadgen run --demo health",
        "loadgen run my-test.js",
        "loadgen hit http",
    ] {
        assert!(head.contains(command), "{head}");
    }
    for command in ["run", "hit", "breakpoint"] {
        let outcome = loadgen(&[command, "--help"], "");
        assert_eq!(outcome.code, 0);
        assert!(outcome.out.contains("Examples:\n  loadgen "), "{}", outcome.out);
    }
    assert!(loadgen(&["--version"], "").out.starts_with("loadgen "));
}

#[test]
fn every_argument_that_is_shown_is_explained() {
    let root = Cli::command();
    let commands = root
        .get_subcommands()
        .filter(|command| command.get_name() != "help");
    for command in commands {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            let name = format!("{} {}", command.get_name(), argument.get_id());
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty(), "{name} has no help");
            assert!(!help.ends_with('.'), "{name}: {help}");
        }
    }
}

/// A command line written for k6 must at least be understood, whatever each flag does here.
#[test]
fn every_flag_of_k6_is_known() {
    for flags in [
        "-u 3 -d 10s",
        "--vus 3 --duration 10s",
        "-i 5",
        "--iterations=5",
        "-s 10s:3 -s 5s:0",
        "--stage 10s:3,5s:0",
        "--execution-segment 0:1/4 --execution-segment-sequence 0,1/4,1",
        "-p",
        "--paused",
        "--no-setup --no-teardown",
        "--max-redirects 3 --batch 5 --batch-per-host 2 --rps 100",
        "--user-agent x",
        "--http-debug",
        "--http-debug=full",
        "--insecure-skip-tls-verify --no-connection-reuse --no-vu-connection-reuse",
        "--min-iteration-duration 1s",
        "-w",
        "--throw",
        "--blacklist-ip 10.0.0.0/8 --block-hostnames *.example.com",
        "--summary-trend-stats avg,p(99) --summary-time-unit ms",
        "--system-tags status,method --tag a=b --tag c=d",
        "--console-output log.txt",
        "--discard-response-bodies",
        "--local-ips 127.0.0.2 --dns ttl=0",
        "--include-system-env-vars",
        "--include-system-env-vars=false",
        "--compatibility-mode base",
        "-t js",
        "--type js",
        "-e A=b --env C=d",
        "--no-thresholds",
        "--summary-mode full --summary-export summary.json",
        "--new-machine-readable-summary",
        "--traces-output none",
        "-o json=a.json --out csv=b.csv",
        "-l",
        "--linger",
        "--no-usage-report",
        "--features a --features b",
        "-a 127.0.0.1:6565",
        "--address 127.0.0.1:6565",
        "-c config.json",
        "--config config.json",
        "--log-format json --log-output none",
        "--no-color",
        "--profiling-enabled",
        "-q",
        "--quiet",
        "--secret-source file=a",
        "-v",
        "--verbose",
    ] {
        for line in [
            format!("loadgen run {flags} test.js"),
            format!("loadgen run test.js {flags}"),
        ] {
            if let Err(error) = Cli::try_parse_from(line.split(' ')) {
                panic!("{line}: {error}");
            }
        }
    }
}

#[test]
fn flags_become_options() {
    assert_eq!(
        inspected(&[
            "-u",
            "3",
            "-i",
            "9",
            "--tag",
            "a=b=c",
            "--rps",
            "50",
            "--system-tags",
            "status, method"
        ]),
        json!({
            "scenarios": { "default": {
                "executor": "shared-iterations", "startTime": "0s", "gracefulStop": "30s", "env": {}, "exec": "default",
                "tags": {}, "vus": 3, "iterations": 9, "maxDuration": "10m0s",
            }},
            "rps": "50",
            "tags": { "a": "b=c" },
            "systemTags": ["status", "method"],
        })
    );
    let stages = inspected(&["-u", "0", "-s", "10s:5", "--stage", "5s:9,1s:0"]);
    assert_eq!(
        stages["scenarios"]["default"]["stages"],
        json!([
            { "duration": "10s", "target": 5 },
            { "duration": "5s", "target": 9 },
            { "duration": "1s", "target": 0 },
        ])
    );
    assert_eq!(stages["scenarios"]["default"]["startVUs"], 0);
    // The script's own, where no flag says otherwise.
    assert_eq!(inspected(&[])["scenarios"]["default"]["vus"], 7);
    assert_eq!(inspected(&["-d", "5s"])["scenarios"]["default"]["vus"], 7);
    for (flags, option, value) in [
        (&["--throw", "--no-setup"][..], "noSetup", json!(true)),
        (
            &["--blacklist-ip", "10.0.0.0/8,::1"],
            "blacklistIPs",
            json!(["10.0.0.0/8", "::1"]),
        ),
        (
            &["--block-hostnames", "a", "--block-hostnames", "b"],
            "blockHostnames",
            json!(["a", "b"]),
        ),
        (
            &["--summary-trend-stats", "avg,p(99.9)"],
            "summaryTrendStats",
            json!(["avg", "p(99.9)"]),
        ),
        (&["--dns", "ttl=0"], "dns", json!("ttl=0")),
    ] {
        assert_eq!(inspected(flags)[option], value, "{flags:?}");
    }
}

#[test]
fn usage_errors_are_configuration_errors() {
    for (args, message) in [
        (&[][..], "Usage: loadgen <COMMAND>"),
        (&["rum"], "some similar subcommands exist: 'run', "),
        (&["run"], "<SCRIPT>"),
        (
            &["run", "--duraton", "1s", "x.js"],
            "a similar argument exists: '--duration'",
        ),
        (&["run", "x.js", "-u"], "a value is required for '--vus <N>'"),
        (&["run", "x.js", "--workers", "0"], "0 is not in 1..=1024"),
        (&["completions", "tsh"], "invalid value 'tsh'"),
        (
            &["breakpoint", "--precision", "0", "health"],
            "not a share from 0.001 to 1, such as 0.05",
        ),
        (
            &["breakpoint", "--by", "users", "health"],
            "possible values: vus, rate",
        ),
        (
            &["hit", "-r", "5", "-n", "5", "http://127.0.0.1:1/"],
            "cannot be used with",
        ),
        (
            &["hit", "-d", "10x", "http://127.0.0.1:1/"],
            "'--duration <DURATION>': unknown unit \"x\"",
        ),
        (
            &["hit", "-d", "500ms", "http://127.0.0.1:1/"],
            "it must be at least 1s",
        ),
        (
            &["hit", "-u", "0", "http://127.0.0.1:1/"],
            "0 is not in 1..=1000000",
        ),
        (&["hit", "--max-vus", "5", "http://127.0.0.1:1/"], "--rate <N>"),
    ] {
        let outcome = loadgen(args, "");
        assert_eq!((outcome.code, outcome.out.as_str()), (CONFIG, ""), "{args:?}");
        assert!(outcome.err.contains(message), "{args:?}: {}", outcome.err);
    }
}

#[test]
fn what_is_wrong_is_named_with_its_mend() {
    let hit = "http://127.0.0.1:1/";
    for (args, message) in [
        (
            &["run", "nosuch"][..],
            "there is no script or scenario `nosuch`; the scenarios are: ",
        ),
        (
            &["run", "--out", "influx=x", "health"],
            "unknown output `influx=x`: there are `json=FILE`",
        ),
        (
            &["run", "--summary-mode", "long", "health"],
            "--summary-mode: unknown summary mode `long`",
        ),
        (
            &["run", "--linger=soon", "health"],
            "--linger: \"soon\" is not a duration",
        ),
        (
            &["run", "--metrics-addr", "here", "health"],
            "--metrics-addr here: write it as ADDRESS:PORT",
        ),
        (
            &["run", "--config", "no.json", "health"],
            "cannot read the options file no.json",
        ),
        (
            &["run", "-e", "=1", "health"],
            "--env =1: the name is missing; write NAME=VALUE",
        ),
        (
            &["run", "--demo-args", "'a", "health"],
            "--demo-args 'a: a quote is not closed",
        ),
        (
            &["run", "--tag", "a", "health"],
            "--tag (flag): \"a\" is not a tag; write it as name=value",
        ),
        (
            &["breakpoint", "--criteria", "http_req_failed", "health"],
            "--criteria 'http_req_failed': write it as METRIC: EXPRESSION, such as 'http_req_duration: p(95)<200'",
        ),
        (
            &["breakpoint", "--criteria", "http_req_failed: p95<1", "health"],
            "--criteria 'http_req_failed: p95<1': `p95<1`: a percentile is `p(N)`",
        ),
        (
            &["breakpoint", "-u", "5", "health"],
            "--vus says a load, and breakpoint seeks one: --start and --max-vus or --max-rate",
        ),
        (
            &["breakpoint", "--execution-segment", "0:1/2", "health"],
            "--execution-segment: breakpoint seeks with one process",
        ),
        (
            &["breakpoint", "--start", "50", "--max-vus", "10", "health"],
            "--start is 50 and --max-vus 10: it must begin below the most",
        ),
        (
            &["breakpoint", "--min-step", "1s", "health"],
            "--min-step: it must be at least 2 s",
        ),
        (
            &["breakpoint", "--min-step", "9s", "--max-step", "8s", "health"],
            "--max-step is less than --min-step",
        ),
        (
            &[
                "breakpoint",
                "--metrics-addr",
                "off",
                "--scenario",
                "nope",
                "health",
            ],
            "the script has no scenario `nope`; it has default",
        ),
        (
            &[
                "breakpoint",
                "--metrics-addr",
                "off",
                "--criteria",
                "nope: rate<1",
                "health",
            ],
            "there is no metric \"nope\"",
        ),
        (
            &["breakpoint", "--start-at", "+10s", "health"],
            "--start-at: breakpoint seeks with one process; leave it out",
        ),
        (
            &["run", "--start-at", "noon", "health"],
            "--start-at noon: write a moment as 2026-11-21T03:15:06Z",
        ),
        (
            &["run", "--start-at", "2020-01-01T00:00:00Z", "health"],
            "give all generators a moment to come",
        ),
        (
            &["compare", "base.json"],
            "compare needs a run to judge too: loadgen compare BASE NEW",
        ),
        (
            &["compare", "no.json", "--", "none.json"],
            "cannot read the saved run no.json",
        ),
        (&["merge", "no.json"], "cannot read the saved run no.json"),
        (&["hit", "foo"], "foo: "),
        (&["hit", "-H", "x", hit], "--header x: write NAME: VALUE"),
        (&["hit", "-b", "@no.txt", hit], "--body @no.txt: "),
        (&["hit", "-X", "A B", hit], "--method A B: no HTTP method"),
        (
            &["hit", "--expect-status", "x", hit],
            "--expect-status x: write statuses and ranges",
        ),
        (
            &["hit", "--threshold", "x", hit],
            "--threshold x: write METRIC=CONDITION",
        ),
        (
            &["hit", "--threshold", "http_reqs=p(95)<1", hit],
            "--threshold.http_reqs[0] (flag): `p(95)<1`: a counter has no `p(95)`; it has count, rate",
        ),
    ] {
        let outcome = loadgen(args, "");
        assert_eq!(
            (outcome.code, outcome.out.as_str()),
            (CONFIG, ""),
            "{args:?}: {}",
            outcome.err
        );
        assert!(outcome.err.contains(message), "{args:?}: {}", outcome.err);
    }
}

#[test]
fn wrong_options_of_script_and_flags_come_together() {
    let script = "export const options = { batch: 'x', thresholds: { nope: ['rate<1'] } };\n\
                  export default function () {}\n";
    let outcome = loadgen(
        &["run", "-", "-u", "x", "-d", "10y", "--metrics-addr", "off"],
        script,
    );
    assert_eq!(outcome.code, CONFIG);
    for message in [
        "4 configuration errors:\n",
        "\n  options.batch (script): expected a whole number",
        "\n  --vus (flag): expected a whole number from 1 to 1000000 but found \"x\"\n",
        "\n  --duration (flag): unknown unit \"y\" in duration \"10y\"",
        "\n  options.thresholds.nope (script): there is no metric \"nope\"",
    ] {
        assert!(outcome.err.contains(message), "{message:?}\n{}", outcome.err);
    }
}

#[test]
fn lists_and_completions_are_for_machines_too() {
    let listed: Value = serde_json::from_str(&loadgen(&["list", "--json"], "").out).unwrap();
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|s| s["name"].as_str())
        .collect();
    assert!(names.contains(&"health") && names.contains(&"spike"), "{names:?}");
    for shell in ["bash", "zsh", "fish"] {
        let outcome = loadgen(&["completions", shell], "");
        assert_eq!(outcome.code, 0);
        assert!(outcome.out.contains("summary-export"), "{shell}");
    }
}
