//! The display as it is read: golden texts of what lines say, and when they come.

use serde_json::{Value, json};

use super::*;
use crate::config::{Config, RawOptions, Tier, check};

fn config(options: &Value) -> Config {
    let raw = RawOptions::from_json(options.as_object().unwrap(), Tier::Script);
    check(&raw, &|_| None).unwrap()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The rendered line of the only scenario.
fn line(options: &Value, counts: ScenarioCounts, elapsed: u64, stopped: bool) -> String {
    let config = config(options);
    let share = (&config.segment, config.segment_fraction);
    let line = ScenarioLine::new(&config.scenarios[0], share, counts, ms(elapsed), stopped);
    render::scenario(&line, 0)
}

fn two_vus() -> Value {
    json!({ "vus": 2, "duration": "2s" })
}

fn view(elapsed: u64, vus: u32, complete: u64, finished: bool) -> ProgressView {
    let config = config(&two_vus());
    let counts = ScenarioCounts {
        active: vus,
        hired: 2,
        complete,
        interrupted: 0,
        finished,
    };
    let share = (&config.segment, config.segment_fraction);
    ProgressView {
        elapsed: ms(elapsed),
        max_duration: config.max_duration(),
        scenarios: vec![ScenarioLine::new(
            &config.scenarios[0],
            share,
            counts,
            ms(elapsed),
            false,
        )],
        vus,
        vus_max: 2,
        complete,
        rps: complete as f64,
        p95_ms: Some(2.934),
        errors: Some(0.0),
        ..ProgressView::default()
    }
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Memory {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn display(&self, mode: Mode, target: ProgressDrawTarget) -> Progress {
        Progress::on(
            mode,
            Terminal::new(Sink(Arc::new(Mutex::new(self.clone())))),
            target,
            || (90, 40),
        )
    }
}

#[test]
fn the_header_is_laid_out_as_the_dialects() {
    let mut header = Header::new("a.js", &config(&two_vus()));
    assert_eq!(
        render::header(&header),
        "
     execution: local
        script: a.js
        output: -

     scenarios: (100.00%) 1 scenario, 2 max VUs, 32s max duration (incl. graceful stop):
              * default: 2 looping VUs for 2s (gracefulStop: 30s)

"
    );
    header.outputs = vec!["json (a.json)".to_owned(), "csv (stdout)".to_owned()];
    header.metrics = Some("http://127.0.0.1:9464/metrics".to_owned());
    header.target = Some("demo, process 42".to_owned());
    let text = render::header(&header);
    for expected in [
        "        output: json (a.json), csv (stdout)\n",
        "       metrics: http://127.0.0.1:9464/metrics\n",
        "        target: demo, process 42\n",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn the_header_tells_of_this_processs_part() {
    let options = json!({
        "executionSegment": "1/4:1/2",
        "scenarios": {
            "browse": { "executor": "constant-vus", "vus": 8, "duration": "90s" },
            "buy": { "executor": "constant-arrival-rate", "rate": 40, "duration": "1m", "preAllocatedVUs": 4,
                     "maxVUs": 8, "startTime": "500ms" },
        },
    });
    assert_eq!(
        render::header(&Header::new("shop.js", &config(&options))),
        "
     execution: local
        script: shop.js
        output: -

     scenarios: (25.00%) 2 scenarios, 4 max VUs, 2m0s max duration (incl. graceful stop):
              * browse: 2 looping VUs for 1m30s (gracefulStop: 30s)
              * buy: 10.00 iterations/s for 1m0s (maxVUs: 1-2, startTime: 500ms, gracefulStop: 30s)

"
    );
}

#[test]
fn each_executor_shows_what_limits_it() {
    let counts = ScenarioCounts {
        active: 3,
        hired: 12,
        complete: 7,
        interrupted: 1,
        finished: false,
    };
    let scenario = |fields: Value| json!({ "scenarios": { "s": fields } });
    for (options, expected) in [
        (
            json!({ "vus": 12, "duration": "2m" }),
            "default   [   2% ] 12 VUs  0m03.0s/2m0s",
        ),
        (
            json!({ "stages": [{ "duration": "3s", "target": 10 }, { "duration": "3s", "target": 0 }] }),
            "default   [  50% ] 03/10 VUs  3.0s/6s",
        ),
        (
            json!({ "vus": 4, "iterations": 100 }),
            "default   [   8% ] 4 VUs  00m03.0s/10m0s  008/100 shared iters",
        ),
        (
            scenario(
                json!({ "executor": "per-vu-iterations", "vus": 4, "iterations": 5, "maxDuration": "24h" }),
            ),
            "s   [  40% ] 4 VUs  00h00m03.0s/24h0m0s  08/20 iters, 5 per VU",
        ),
        (
            scenario(
                json!({ "executor": "constant-arrival-rate", "rate": 90, "timeUnit": "1m", "duration": "10s",
                             "preAllocatedVUs": 5, "maxVUs": 20 }),
            ),
            "s   [  30% ] 03/12 VUs  03.0s/10s  1.50 iters/s",
        ),
        (
            scenario(json!({ "executor": "ramping-arrival-rate", "preAllocatedVUs": 5,
                             "stages": [{ "duration": "10s", "target": 50 }] })),
            "s   [  30% ] 03/12 VUs  03.0s/10s  15.00 iters/s",
        ),
    ] {
        assert_eq!(line(&options, counts, 3_000, false), expected);
    }
}

#[test]
fn a_scenario_waits_runs_stops_and_is_done() {
    let running = ScenarioCounts {
        active: 2,
        hired: 2,
        ..ScenarioCounts::default()
    };
    let finished = ScenarioCounts {
        finished: true,
        ..running
    };
    let options = json!({ "scenarios": {
        "s": { "executor": "constant-vus", "vus": 2, "duration": "10s", "startTime": "1m" },
    }});
    for (counts, at, stopped, expected) in [
        (running, 18_000, false, "s • [   0% ] waiting  42.0s"),
        (running, 59_950, false, "s • [   0% ] waiting  0.1s"),
        (running, 60_000, false, "s   [   0% ] 2 VUs  00.0s/10s"),
        (running, 69_990, false, "s   [  99% ] 2 VUs  10.0s/10s"),
        (running, 70_000, false, "s ↓ [ 100% ] 2 VUs  10.0s/10s"),
        (running, 71_500, false, "s ↓ [ 100% ] 2 VUs  10s"),
        (running, 65_000, true, "s ↓ [  50% ] 2 VUs  05.0s/10s"),
        (finished, 65_000, true, "s ✗ [  50% ] 2 VUs  05.0s/10s"),
        (finished, 70_100, false, "s ✓ [ 100% ] 2 VUs  10s"),
    ] {
        assert_eq!(line(&options, counts, at, stopped), expected);
    }
}

#[test]
fn names_are_aligned_and_cut() {
    let named = |name: &str| ScenarioLine {
        name: name.to_owned(),
        ..ScenarioLine::default()
    };
    let lines = [named("a"), named(&"long-".repeat(9))];
    let width = render::name_width(&lines);
    assert_eq!(width, 30);
    assert_eq!(render::left(&lines[0], width), format!("a{} ", " ".repeat(30)));
    assert_eq!(render::left(&lines[1], width), "long-long-long-long-long-long…  ");
}

#[test]
fn the_status_line_keeps_its_width() {
    let mut view = ProgressView {
        elapsed: ms(1_040),
        max_duration: ms(32_000),
        vus: 7,
        vus_max: 100,
        complete: 8,
        interrupted: 1,
        ..ProgressView::default()
    };
    let status = |view: &ProgressView| {
        let text = render::status(view);
        text.split(", ").next().unwrap().to_owned()
    };
    assert_eq!(
        render::status(&view),
        "running (01.0s), 007/100 VUs, 8 complete and 1 interrupted iterations"
    );
    for (elapsed, most, expected) in [
        (1_000, 9_000, "running (1.0s)"),
        (1_000, 60_000, "running (0m01.0s)"),
        (61_040, 630_000, "running (01m01.0s)"),
        (61_000, 3_600_000, "running (0h01m01.0s)"),
        (3_661_000, 100 * 3_600_000, "running (001h01m01.0s)"),
        (59_960, 90_000, "running (1m00.0s)"),
        (61_000, 9_000, "running (1m01.0s)"),
    ] {
        (view.elapsed, view.max_duration) = (ms(elapsed), ms(most));
        assert_eq!(status(&view), expected);
    }
}

#[test]
fn figures_say_what_is_known() {
    let mut view = ProgressView::default();
    assert_eq!(render::figures(&view), "  0.0 req/s  p95 -  errors -");
    view.rps = 812.44;
    view.p95_ms = Some(2.934);
    view.errors = Some(0.012_34);
    view.dropped = 3;
    view.target = Some(TargetUse {
        cpu: 0.829,
        memory: 0.412,
        watched: Some((0.871, 23_600_000)),
    });
    assert_eq!(
        render::figures(&view),
        "  812 req/s  p95 2.93 ms  errors 1.23%  dropped 3  target cpu 83% mem 41% (0.87 cores 24 MB)"
    );
    for (p95, errors, rss, expected) in [
        (0.611_51, 1e-6, 640_000, "p95 612 µs  errors <0.01%"),
        (999.999, 1.0, 2_340_000_000, "p95 1.00 s  errors 100.00%"),
        (0.999_7, 0.0, 0, "p95 1.00 ms  errors 0.00%"),
    ] {
        (view.p95_ms, view.errors, view.dropped) = (Some(p95), Some(errors), 0);
        view.target = Some(TargetUse {
            cpu: 0.0,
            memory: 0.0,
            watched: Some((0.0, rss)),
        });
        assert!(
            render::figures(&view).contains(expected),
            "{}",
            render::figures(&view)
        );
    }
    assert!(render::figures(&view).ends_with("target cpu 0% mem 0% (0.00 cores 0 kB)"));
}

#[test]
fn plain_lines_come_seldom_and_a_finished_scenario_keeps_its_clock() {
    let memory = Memory::default();
    let progress = memory.display(Mode::Plain, ProgressDrawTarget::hidden());
    progress.init(1, 2);
    progress.init(2, 2);
    for (at, complete) in [(500, 3), (1_000, 8), (1_500, 12)] {
        progress.update(&view(at, 2, complete, false));
    }
    progress.update(&view(2_000, 0, 18, true));
    progress.finish(&view(2_900, 0, 18, true));
    assert_eq!(
        memory.text(),
        "running (01.0s), 2/2 VUs, 8 complete and 0 interrupted iterations
default   [  50% ] 2 VUs  1.0s/2s
  8.0 req/s  p95 2.93 ms  errors 0.00%

running (02.9s), 0/2 VUs, 18 complete and 0 interrupted iterations
default ✓ [ 100% ] 2 VUs  2.0s/2s
  18.0 req/s  p95 2.93 ms  errors 0.00%

"
    );
}

#[test]
fn plain_lines_fall_on_whole_periods() {
    let memory = Memory::default();
    let progress = memory.display(Mode::Plain, ProgressDrawTarget::hidden());
    for second in 1..=12 {
        progress.update(&view(second * 1_000, 2, second, false));
    }
    // A display that was not called for a while does not catch up.
    progress.update(&view(27_000, 2, 27, false));
    progress.update(&view(29_000, 2, 29, false));
    let shown: Vec<String> = memory
        .text()
        .lines()
        .filter(|line| line.starts_with("running"))
        .map(|line| line[..15].to_owned())
        .collect();
    assert_eq!(
        shown,
        [
            "running (01.0s)",
            "running (05.0s)",
            "running (10.0s)",
            "running (27.0s)"
        ]
    );
}

#[test]
fn quiet_shows_log_lines_only() {
    let memory = Memory::default();
    let progress = memory.display(Mode::Quiet, ProgressDrawTarget::hidden());
    progress.header(&Header::new("a.js", &config(&two_vus())));
    progress.init(0, 2);
    progress.update(&view(1_000, 2, 8, false));
    progress.finish(&view(2_000, 0, 18, true));
    writeln!(progress.writer(), "WARN[0001] something").unwrap();
    assert_eq!(memory.text(), "WARN[0001] something\n");
}

mod screen;
