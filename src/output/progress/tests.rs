//! The text of progress against the dialect's own output, and every kind of scenario in every state.

use super::*;
use crate::config::{RawOptions, Tier, check};

fn config(options: &serde_json::Value) -> Config {
    let raw = RawOptions::from_json(options.as_object().unwrap(), Tier::Script);
    check(&raw, &|_| None).unwrap()
}

fn looping() -> Config {
    config(&serde_json::json!({ "vus": 2, "duration": "2s" }))
}

fn scenario(config: &Config, counts: Counts, elapsed: Duration, stopping: bool) -> ScenarioView {
    ScenarioView::of(
        &config.scenarios[0],
        (&config.segment, 1.0),
        counts,
        elapsed,
        stopping,
    )
}

/// The run of the dialect's reference output.
pub(super) fn view(elapsed: Duration) -> ProgressView {
    let config = looping();
    let counts = Counts {
        active: 2,
        hired: 2,
        ..Counts::default()
    };
    ProgressView {
        phase: Phase::Running,
        elapsed,
        limit: config.max_duration(),
        vus: 2,
        vus_max: 2,
        complete: 8,
        interrupted: 0,
        dropped: 0,
        pulse: None,
        scenarios: vec![scenario(&config, counts, elapsed, false)],
    }
}

#[test]
fn the_reference_run() {
    assert_eq!(
        view(Duration::from_secs(1)).to_string(),
        "running (01.0s), 2/2 VUs, 8 complete and 0 interrupted iterations\n\
         default   [  50% ] 2 VUs  1.0s/2s\n"
    );
    let mut stopping = view(Duration::from_secs(2));
    stopping.complete = 18;
    assert_eq!(
        stopping.to_string(),
        "running (02.0s), 2/2 VUs, 18 complete and 0 interrupted iterations\n\
         default ↓ [ 100% ] 2 VUs  2s\n"
    );
    let config = looping();
    let counts = Counts {
        active: 2,
        finished: true,
        ..Counts::default()
    };
    let over = ProgressView {
        phase: Phase::Over,
        vus: 0,
        complete: 20,
        scenarios: vec![scenario(&config, counts, Duration::from_secs(2), false)],
        ..stopping
    };
    assert_eq!(
        over.to_string(),
        "running (02.0s), 0/2 VUs, 20 complete and 0 interrupted iterations\n\
         default ✓ [ 100% ] 2 VUs  2s\n"
    );
}

#[test]
fn the_last_second_and_what_was_dropped() {
    let mut view = view(Duration::from_secs(1));
    view.dropped = 3;
    view.pulse = Some(Pulse {
        rate: 412.04,
        p95: Some(2.934),
        failed: 0.000_001,
    });
    let text = view.to_string();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("running (01.0s), 2/2 VUs, 8 complete and 0 interrupted iterations, 3 dropped")
    );
    assert_eq!(
        lines.next(),
        Some("requests  412.0/s  p(95)=2.93ms  0.01% failed")
    );
    view.pulse = Some(Pulse {
        rate: 0.0,
        p95: None,
        failed: 0.0,
    });
    assert_eq!(
        view.pulse_line().as_deref(),
        Some("requests  0.0/s  p(95)=-  0.00% failed")
    );
    view.phase = Phase::Setup;
    assert_eq!((view.pulse_line(), view.headline().as_str()), (None, "setup()"));
    view.phase = Phase::Init { done: 3, of: 50 };
    assert_eq!(view.headline(), "initialising, 3/50 VUs");
}

#[test]
fn every_kind_of_scenario() {
    let scenarios = |fields: serde_json::Value| config(&serde_json::json!({ "scenarios": { "s": fields } }));
    let counts = Counts {
        active: 7,
        busy: 3,
        hired: 12,
        complete: 40,
        finished: false,
    };
    let half = Duration::from_secs(5);
    for (fields, line) in [
        (
            serde_json::json!({ "executor": "ramping-vus", "stages": [{ "duration": "10s", "target": 100 }] }),
            "007/100 VUs  05.0s/10s",
        ),
        (
            serde_json::json!({ "executor": "shared-iterations", "vus": 7, "iterations": 100 }),
            "7 VUs  00m05.0s/10m0s  040/100 shared iters",
        ),
        (
            serde_json::json!({ "executor": "per-vu-iterations", "vus": 10, "iterations": 10,
                                "maxDuration": "2h" }),
            "7 VUs  0h00m05.0s/2h0m0s  040/100 iters, 10 per VU",
        ),
        (
            serde_json::json!({ "executor": "constant-arrival-rate", "rate": 20, "duration": "10s",
                                "preAllocatedVUs": 12, "maxVUs": 15 }),
            "03/12 VUs  05.0s/10s  20.00 iters/s",
        ),
        (
            serde_json::json!({ "executor": "ramping-arrival-rate", "preAllocatedVUs": 12,
                                "stages": [{ "duration": "10s", "target": 100 }] }),
            "03/12 VUs  05.0s/10s  050.00 iters/s",
        ),
    ] {
        let view = scenario(&scenarios(fields), counts, half, false);
        assert_eq!(view.figures(), line);
        assert_eq!(view.state, ScenarioState::Running);
    }
}

#[test]
fn states() {
    let config = config(&serde_json::json!({ "scenarios": { "late": {
        "executor": "shared-iterations", "iterations": 10, "startTime": "8s", "maxDuration": "10s",
    }}}));
    let at = |seconds, complete, finished, stopping| {
        let counts = Counts {
            complete,
            finished,
            ..Counts::default()
        };
        scenario(&config, counts, Duration::from_secs(seconds), stopping)
    };
    let waiting = at(3, 0, false, false);
    assert_eq!(
        (waiting.state, waiting.figures().as_str()),
        (ScenarioState::Waiting, "waiting  5.0s")
    );
    assert_eq!(waiting.fraction().to_bits(), 0.0_f64.to_bits());
    assert_eq!(at(9, 1, false, false).state, ScenarioState::Running);
    assert_eq!(at(9, 1, false, true).state, ScenarioState::Stopping);
    assert_eq!(at(18, 1, false, false).state, ScenarioState::Stopping);
    assert_eq!(at(9, 10, true, false).state, ScenarioState::Done);
    assert_eq!(at(18, 1, true, false).state, ScenarioState::Interrupted);
    assert_eq!(at(18, 1, true, false).symbol(), '✗');
}

#[test]
fn times_keep_their_width() {
    for (millis, longest, text) in [
        (1_049, 2, "1.0s"),
        (1_000, 32, "01.0s"),
        (1_000, 90, "0m01.0s"),
        (61_000, 630, "01m01.0s"),
        (3_661_900, 7_200, "1h01m01.9s"),
        (1_000, 90_000, "0d00h00m01.0s"),
        (75_000, 32, "1m15.0s"),
    ] {
        assert_eq!(
            fixed(Duration::from_millis(millis), Duration::from_secs(longest)),
            text
        );
    }
}

#[test]
fn the_header() {
    let config = looping();
    let header = Header {
        config: &config,
        script: "a.js",
        outputs: &[],
        facts: &[("metrics", "http://127.0.0.1:9464/metrics".to_owned())],
    };
    assert_eq!(
        header.to_string(),
        format!(
            "\n  loadgen {}\n\n     execution: local\n        script: a.js\n        output: -\n       \
             metrics: http://127.0.0.1:9464/metrics\n\n     scenarios: (100.00%) 1 scenario, 2 max VUs, 32s max \
             duration (incl. graceful stop):\n              * default: 2 looping VUs for 2s (gracefulStop: 30s)\n",
            env!("CARGO_PKG_VERSION")
        )
    );
}
