//! `loadgen breakpoint` against targets whose limit is known: it is found, and what gave way is named; and against targets
//! that die, that nothing holds for, and generators that are short.
//!
//! The ordinary tests use limits that do not depend on how fast the machine is, and few steps. The long ones want a quiet
//! machine: `just breakpoint`.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod run_support;
mod schema_support;
mod ssh_support;

use std::io::{BufRead, BufReader};
use std::thread;
use std::time::Duration;

use loadgen::report::saved::{SavedBreakpoint, SavedRun};
use run_support::{Ended, Running, Scripted, eventually, loadgen};

const SCRIPT: &str = "
    import http from 'k6/http';
    export default function () { http.get(`${__ENV.BASE_URL}/health`); }";

/// A target whose answers take longer than a busy machine is late.
const SLOW: [&str; 2] = ["--demo-args", "--latency 200ms"];

/// A search that is saved to `run.json`.
fn search(script: &Scripted, more: &[&str]) -> Ended {
    let file = script.file("run.json");
    let arguments = ["breakpoint", "--metrics-addr", "off", "--save", &file];
    let all = [&arguments[..], more, &[script.path()]].concat();
    loadgen(&all).output().unwrap().into()
}

/// The same, once more if the machine was too busy to tell, which the search says itself.
fn calm(script: &Scripted, more: &[&str]) -> Ended {
    let mut ended = search(script, more);
    for _ in 0..5 {
        if ended.code != 111 {
            break;
        }
        thread::sleep(Duration::from_secs(5));
        ended = search(script, more);
    }
    ended
}

fn saved(script: &Scripted) -> SavedRun {
    let text = script.read("run.json");
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../docs/saved-run.schema.json")).unwrap();
    let faults = schema_support::faults(&schema, &serde_json::from_str(&text).unwrap());
    assert!(faults.is_empty(), "{faults:?}");
    SavedRun::read(script.file("run.json").as_ref()).unwrap()
}

fn found(run: &SavedRun) -> &SavedBreakpoint {
    run.breakpoint.as_ref().unwrap()
}

/// All that a run says about what gave way.
fn blamed(run: &SavedRun) -> String {
    let named = run.findings.iter().filter(|finding| {
        matches!(
            finding.name.as_str(),
            "saturation" | "limit" | "unexplained" | "generator-limited"
        )
    });
    named
        .map(|finding| finding.text.clone())
        .collect::<Vec<_>>()
        .join("; ")
}

#[test]
fn the_limit_of_a_queue_is_found() {
    // One answer every 10 ms, 20 may wait: with 21 users one more comes than may.
    let script = Scripted::new(SCRIPT);
    let export = script.file("export.json");
    let ended = calm(
        &script,
        &[
            "--demo-args",
            "--capacity 100 --queue 20 --cpu-cost 0s",
            "--start",
            "16",
            "--precision",
            "0.25",
            "--confirm",
            "1",
            "--min-step",
            "2s",
            "--max-step",
            "10s",
            "--recovery",
            "10s",
            "--summary-export",
            &export,
        ],
    )
    .expect(0);
    let run = saved(&script);
    let result = found(&run);
    let (held, broke) = (result.held.unwrap(), result.broke.unwrap());
    assert!(
        (16..=23).contains(&held) && (19..=32).contains(&broke),
        "{}\n{}",
        ended.stdout,
        ended.stderr
    );
    assert!(result.times >= 2 && result.outcome == "found", "{result:?}");
    assert!((50.0..=105.0).contains(&result.rate), "{result:?}");
    // The ladder came live, and stands in its order at the end.
    let ended = ended.says(&[
        "what has to hold:",
        "http_req_failed: rate<=0.01",
        "probe",
        "confirm",
        "broke",
    ]);
    for part in [
        "BREAKING POINT",
        "FINDINGS",
        &format!("the breaking point is between {held} and {broke} VUs"),
    ] {
        assert!(ended.stdout.contains(part), "no {part}:\n{}", ended.stdout);
    }
    // A busy machine may have been full as well; the answers tell in either case.
    assert!(blamed(&run).contains("status 503"), "{}", blamed(&run));
    assert_eq!((run.ending.exit_code, run.thresholds.len()), (0, 0));
    let json: serde_json::Value = serde_json::from_str(&script.read("export.json")).unwrap();
    assert_eq!(json["breakpoint"]["held"], held);
    // A report shows it, too.
    let page = script.file("page.html");
    run_support::run(&["report", &script.file("run.json"), "-o", &page]).expect(0);
    let page = script.read("page.html");
    assert!(page.contains("<h2>Ladder</h2>") && page.contains("the breaking point is between"));
}

#[test]
fn what_never_breaks_held_up_to_the_most() {
    let script = Scripted::new(
        "import { sleep } from 'k6';
         import http from 'k6/http';
         export default function () { http.get(`${__ENV.BASE_URL}/health`); sleep(0.01); }",
    );
    let quick = [
        "--max-vus",
        "2",
        "--confirm",
        "0",
        "--min-step",
        "2s",
        "--max-step",
        "4s",
    ];
    let ended = calm(&script, &[&SLOW[..], &quick].concat()).expect(0);
    assert!(
        ended
            .stdout
            .contains("it held up to 2 VUs, the most that was to be tried"),
        "{}",
        ended.stdout
    );
    let run = saved(&script);
    assert_eq!((found(&run).outcome.as_str(), found(&run).broke), ("held", None));
}

#[test]
fn what_never_holds_ends_with_the_code_of_thresholds() {
    let script = Scripted::new(&format!(
        "{SCRIPT}\nexport const options = {{ thresholds: {{ http_req_duration: ['p(95)<0.0001'], http_reqs: ['count>100'] }} }};"
    ));
    let quick = [
        "--start",
        "2",
        "--min-step",
        "2s",
        "--max-step",
        "4s",
        "--recovery",
        "2s",
    ];
    let ended = calm(&script, &[&SLOW[..], &quick].concat()).expect(99);
    let ended = ended.says(&["`http_reqs: count>100` is left out"]);
    assert!(
        ended
            .stdout
            .contains("not even the lightest load holds, 1 VU (http_req_duration: p(95)<0.0001 was "),
        "{}",
        ended.stdout
    );
}

/// A demo target that is not the run's own, and its address.
fn demo(arguments: &[&str]) -> (Running, String) {
    let mut running = Running::start(&[&["demo", "--port", "0", "--print-ports"], arguments].concat());
    let mut line = String::new();
    let out = running.0.as_mut().unwrap().stdout.take().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    let ports: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = ports["services"]["app"]
        .as_str()
        .unwrap_or_else(|| panic!("{line}"))
        .to_owned();
    (running, format!("http://{address}"))
}

#[test]
fn a_target_that_dies_ends_the_search_at_once() {
    let script = Scripted::new(
        "import { sleep } from 'k6';
         import http from 'k6/http';
         export default function () { http.get(`${__ENV.BASE_URL}/health`); sleep(0.01); }",
    );
    let (target, url) = demo(&[]);
    let base = format!("BASE_URL={url}");
    let file = script.file("run.json");
    let mut searching = Running::start(&[
        "breakpoint",
        "--metrics-addr",
        "off",
        "--save",
        &file,
        "-e",
        &base,
        "--min-step",
        "2s",
        script.path(),
    ]);
    searching.until_said("probe");
    drop(target);
    let ended = searching.wait().expect(115);
    assert!(
        ended
            .stdout
            .contains("the target is gone: no request was answered"),
        "{}",
        ended.stdout
    );
    let run = saved(&script);
    assert_eq!(
        (run.ending.name.as_str(), found(&run).outcome.as_str()),
        ("dead", "dead")
    );
}

#[test]
fn ctrl_c_tells_what_is_known() {
    let script = Scripted::new(SCRIPT);
    let file = script.file("run.json");
    let mut searching = Running::start(&[
        "breakpoint",
        "--metrics-addr",
        "off",
        "--save",
        &file,
        "--demo-args",
        "--latency 200ms",
        "--min-step",
        "2s",
        script.path(),
    ]);
    searching.until_said("double");
    searching.signal("INT");
    let ended = searching.wait().expect(105);
    let told = "it was stopped before the answer; so far: ";
    assert!(ended.stdout.contains(told), "{}", ended.stdout);
    assert_eq!(found(&saved(&script)).outcome, "stopped");
}

/// Users that calculate for most of the time, on one thread.
const BUSY: &str = "
    import http from 'k6/http';
    import { sleep } from 'k6';
    export default function () {
      http.get(`${__ENV.BASE_URL}/health`);
      const end = Date.now() + 150;
      while (Date.now() < end) { Math.sqrt(end); }
      sleep(0.15);
    }";

#[test]
fn a_generator_that_is_short_blames_nobody() {
    let script = Scripted::new(BUSY);
    let ended = search(
        &script,
        &[
            "--demo",
            "--workers",
            "1",
            "--start",
            "8",
            "--precision",
            "1",
            "--confirm",
            "0",
            "--min-step",
            "2s",
            "--max-step",
            "6s",
            "--recovery",
            "3s",
        ],
    )
    .expect(111);
    let ended = ended.says(&["the result is invalid: the generator"]);
    assert!(
        ended.stdout.contains("the generator itself was short"),
        "{}",
        ended.stdout
    );
    let run = saved(&script);
    assert_eq!(run.validity.as_ref().unwrap().verdict, "invalid");
    assert!(
        blamed(&run).starts_with("what the target ran out of is not told"),
        "{}",
        blamed(&run)
    );
    assert_eq!(found(&run).outcome, "generator");
}

#[test]
fn the_page_shows_how_far_it_is() {
    let script = Scripted::new(SCRIPT);
    let port = run_support::free_port();
    let address = format!("127.0.0.1:{port}");
    let searching = Running::start(&[
        "breakpoint",
        "--metrics-addr",
        &address,
        "--demo-args",
        "--latency 200ms",
        "--min-step",
        "2s",
        script.path(),
    ]);
    eventually(
        Duration::from_mins(2),
        "the load that is tried, on the page",
        || {
            let page = run_support::get(&address, "/metrics").ok()?;
            (run_support::sum(&page, "loadgen_breakpoint_load", &["bound=\"trying\""]) >= 1.0).then_some(())
        },
    );
    searching.signal("INT");
    searching.wait().expect(105);
}

// The long ones.

/// A limit of the demo target, the flags of the search, its true capacity, and words of what is to be named.
struct Limit {
    name: &'static str,
    demo: &'static str,
    flags: &'static [&'static str],
    capacity: f64,
    named: &'static str,
}

const LIMITS: [Limit; 4] = [
    Limit {
        // GET /health burns a tenth of that: 5 ms of one core, 200 a second.
        name: "CPU",
        demo: "--workers 1 --cpu-cost 50ms --queue 100000",
        flags: &["--by", "rate", "--start", "50"],
        capacity: 200.0,
        named: "the one core that demo works on",
    },
    Limit {
        name: "queue",
        demo: "--capacity 200 --queue 40 --cpu-cost 0s --latency 2ms --jitter 2ms",
        flags: &["--start", "8"],
        capacity: 40.5,
        named: "a limit of its own queue or rate",
    },
    Limit {
        // Eight at a time, 40 ms each: a timer is up to a millisecond late.
        name: "workers",
        demo: "--pool 8 --latency 40ms --jitter 5ms --cpu-cost 0s --queue 100000",
        flags: &["--by", "rate", "--start", "50"],
        capacity: 197.0,
        named: "a limit of its own workers, threads or connections: it works on about 8 requests at a time",
    },
    Limit {
        // Over half of 80 may not wait.
        name: "errors",
        demo: "--capacity 200 --queue 80 --error-rate 0.5 --cpu-cost 0s --latency 2ms --jitter 2ms",
        flags: &["--start", "8"],
        capacity: 41.0,
        named: "a fault of its own under load: it answers errors",
    },
];

/// Searches against one limit with one seed; what is wrong with the answer. The target's process goes by a name.
fn seek(
    limit: &Limit,
    (seed, process): (u32, &str),
    search: impl Fn(&Scripted, &[&str]) -> Ended,
) -> Result<(), String> {
    let script = Scripted::new(SCRIPT);
    let ended = search(&script, limit.flags).expect(0);
    let run = saved(&script);
    let result = found(&run);
    let (held, broke) = (result.held.unwrap_or(0) as f64, result.broke.unwrap_or(0) as f64);
    let off = |load: f64| (load / limit.capacity - 1.0).abs();
    println!(
        "{} seed {seed}: {held} held, {broke} broke; {}",
        limit.name,
        blamed(&run)
    );
    if off(held) > 0.1 || off(broke) > 0.1 {
        return Err(format!(
            "{} seed {seed}: {held} to {broke}\n{}",
            limit.name, ended.stderr
        ));
    }
    if !blamed(&run).contains(&limit.named.replace("demo", process)) {
        return Err(format!("{} seed {seed}: {}", limit.name, blamed(&run)));
    }
    Ok(())
}

#[test]
#[ignore = "takes three quarters of an hour and a quiet machine: just breakpoint"]
fn every_limit_is_found_within_a_tenth_and_named_in_five_of_five_seeds() {
    let mut wrong = Vec::new();
    for limit in &LIMITS {
        for seed in 1..=5 {
            let demo = format!("{} --seed {seed}", limit.demo);
            let outcome = seek(limit, (seed, "demo"), |script, flags| {
                search(script, &[&["--demo-args", &demo], flags].concat())
            });
            wrong.extend(outcome.err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "takes minutes and a quiet machine: just breakpoint"]
fn every_limit_is_found_and_named_through_a_tunnel() {
    let (sshd, mut wrong) = (ssh_support::Sshd::start(), Vec::new());
    let home = ssh_support::Home::of(&sshd);
    for limit in &LIMITS {
        let arguments: Vec<&str> = limit.demo.split(' ').collect();
        let (_target, url) = demo(&arguments);
        let address = url.strip_prefix("http://").unwrap();
        let forward = format!("auto:{address}");
        // A process that is found by its port has it in its name.
        let process = format!("loadgen :{}", address.rsplit(':').next().unwrap());
        // Whose process the target is.
        let host = sshd.to(if nix::unistd::geteuid().is_root() {
            "root"
        } else {
            "tester"
        });
        let outcome = seek(limit, (1, &process), |script, flags| {
            let file = script.file("run.json");
            let tunnel = [
                "breakpoint",
                "--metrics-addr",
                "off",
                "--save",
                &file,
                "--tunnel",
                &host,
                "--forward",
                &forward,
            ];
            let all = [&tunnel[..], flags, &[script.path()]].concat();
            home.command(&all).output().unwrap().into()
        });
        wrong.extend(outcome.err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "wants a quiet machine of two cores: just breakpoint"]
fn a_generator_on_a_part_of_a_core_is_invalid() {
    let script = Scripted::new(
        "import http from 'k6/http';
         export default function () {
           http.get(`${__ENV.BASE_URL}/health`);
           for (let n = 0; n < 200000; n++) { Math.sqrt(n); }
         }",
    );
    let (_target, url) = demo(&["--cpu-cost", "0s"]);
    let (base, file) = (format!("BASE_URL={url}"), script.file("run.json"));
    let starved = std::process::Command::new("taskset")
        .args([
            "-c",
            "0",
            env!("CARGO_BIN_EXE_loadgen"),
            "breakpoint",
            "--metrics-addr",
            "off",
            "--save",
            &file,
        ])
        .args(["-e", &base, "--by", "rate", "--sample-local", script.path()])
        .output()
        .unwrap();
    let ended = Ended::from(starved).expect(111);
    assert!(
        ended.stdout.contains("the generator itself was short"),
        "{}",
        ended.stdout
    );
    let run = saved(&script);
    assert_eq!(
        (
            found(&run).outcome.as_str(),
            run.validity.as_ref().unwrap().verdict.as_str()
        ),
        ("generator", "invalid")
    );
}
