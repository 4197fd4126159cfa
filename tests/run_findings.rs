//! Findings end to end: the verdict on the run itself, where errors begin on a ramp, and what is left of both in a file.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod run_support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use loadgen::report::saved::SavedRun;
use run_support::{Running, Scripted, run};

/// A generator that is busy with itself: twenty users that calculate for most of the time, on one thread.
const BUSY: &str = "
    import http from 'k6/http';
    export const options = { scenarios: { own: { executor: 'constant-vus', vus: 20, duration: '6s' } } };
    export default function () {
      http.get(`${__ENV.BASE_URL}/health`);
      const end = Date.now() + 100;
      while (Date.now() < end) { Math.sqrt(end); }
    }";

#[test]
fn a_generator_that_cannot_keep_up_is_invalid_and_blames_nobody() {
    let scripted = Scripted::new(BUSY);
    let file = scripted.file("run.json");
    let arguments = [
        "run",
        "--metrics-addr",
        "off",
        "--workers",
        "1",
        "--demo",
        "--save",
        &file,
        scripted.path(),
    ];
    let ended = run(&[&arguments[..], &["--strict"]].concat()).expect(111);
    let ended = ended.says(&["the result is invalid: the generator"]);
    assert!(
        ended.stdout.contains("FINDINGS") && ended.stdout.contains("INVALID: the generator"),
        "{}",
        ended.stdout
    );
    let saved = SavedRun::read(file.as_ref()).unwrap();
    assert_eq!(
        (saved.ending.name.as_str(), saved.ending.exit_code),
        ("invalid", 111)
    );
    assert_eq!(saved.validity.unwrap().verdict, "invalid");
    assert!(
        saved
            .findings
            .iter()
            .all(|found| found.name != "saturation" || found.confidence.as_deref() == Some("low"))
    );
    assert!(saved.generator.cores >= 1.0 && saved.timeline.generator_cpu.iter().any(|cpu| *cpu > 0.05));
    // Without --strict it is only said.
    run(&arguments).expect(0);
}

/// A ramp of one iteration a second more each tenth of a second, against a target that lets 40 a second through.
const RAMP: &str = "
    import http from 'k6/http';
    export const options = { scenarios: { ramp: { executor: 'ramping-arrival-rate', startRate: 0, timeUnit: '1s',
      preAllocatedVUs: 50, maxVUs: 50, stages: [{ target: 100, duration: '15s' }] } } };
    export default function () { http.get(`${__ENV.BASE_URL}/health`); }";

#[test]
fn a_ramp_says_where_errors_begin_and_that_no_resource_explains_them() {
    let scripted = Scripted::new(RAMP);
    let file = scripted.file("run.json");
    let limits = "--capacity 40 --queue 4 --cpu-cost 0s";
    let ended = run(&[
        "run",
        "--metrics-addr",
        "off",
        "--demo-args",
        limits,
        "--save",
        &file,
        scripted.path(),
    ])
    .expect(0);
    assert!(
        ended.stdout.contains("errors exceeded 1 % at "),
        "{}",
        ended.stdout
    );
    let saved = SavedRun::read(file.as_ref()).unwrap();
    let errors = saved
        .findings
        .iter()
        .find(|found| found.name == "errors")
        .unwrap();
    let load = errors.evidence["load"];
    assert!((30.0..70.0).contains(&load), "{load}: {}", errors.text);
    assert!(
        errors.text.contains("iterations/s") && errors.at.unwrap() > 3.0,
        "{}",
        errors.text
    );
    // The plan's load is on the time axis: it rises.
    let offered = &saved.timeline.offered;
    let most = offered.iter().copied().fold(0.0, f64::max);
    assert!((80.0..=100.0).contains(&most), "{offered:?}");
}

/// The demo target, which may have so many files open; and its wallet's address.
fn demo_of_few_files(most: u32) -> (Running, String) {
    let script = format!("ulimit -n {most} && exec \"$0\" demo --port 0 --cpu-cost 0");
    let mut child = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_loadgen")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    let running = Running(Some(child));
    let (_, address) = first.trim().split_once("http://").expect(&first);
    (running, address.to_owned())
}

#[test]
fn a_process_that_may_open_no_more_files_is_named_with_its_limit() {
    const MOST: u32 = 64;
    let (_demo, address) = demo_of_few_files(MOST);
    let (_, port) = address.split_once(':').unwrap();
    // Each virtual user has a connection of its own, and those beyond the limit get no answer.
    let scripted = Scripted::new(&format!(
        "import http from 'k6/http';
        import {{ sleep }} from 'k6';
        export const options = {{ scenarios: {{ ramp: {{ executor: 'ramping-vus', startVUs: 1, gracefulStop: '2s',
          stages: [{{ target: 120, duration: '14s' }}] }} }} }};
        export default function () {{ http.get('http://{address}/health', {{ timeout: '1s' }}); sleep(0.1); }}"
    ));
    let file = scripted.file("run.json");
    let ended = run(&[
        "run",
        "--metrics-addr",
        "off",
        "--watch",
        &format!(":{port}"),
        "--save",
        &file,
        scripted.path(),
    ])
    .expect(0);
    let saved = SavedRun::read(file.as_ref()).unwrap();
    let process = &saved.hosts[0].processes[0];
    let limits = process.series["open_files_limit"].iter().flatten();
    assert!(
        limits.clone().count() > 3
            && limits
                .clone()
                .all(|limit| (*limit - f64::from(MOST)).abs() < 1e-9),
        "{process:?}"
    );
    let most = process.series["open_files_utilization"].iter().flatten();
    assert!(most.copied().fold(0.0, f64::max) >= 0.9, "{process:?}");
    // A machine that other tests keep busy may have been full before.
    let found = saved.findings.iter().find(|found| found.name == "saturation");
    let text = &found.unwrap_or_else(|| panic!("{:?}", saved.findings)).text;
    let what = format!(
        "the number of files that {} may have open (ulimit -n, on ",
        process.name
    );
    assert!(text.contains(&what), "{text}");
    if text.starts_with(&what) {
        assert!(text.contains(&format!(" of {MOST} from ")), "{text}");
    }
    assert!(
        ended.stdout.contains("open files of a watched process from "),
        "{}",
        ended.stdout
    );
}
