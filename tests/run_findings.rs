//! Findings end to end: the verdict on the run itself, where errors begin on a ramp, and what is left of both in a file.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod run_support;

use loadgen::report::saved::SavedRun;
use run_support::{Scripted, run};

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
