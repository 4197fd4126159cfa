//! Tests of the page: its series at zero, its numbers, and that the field's own checker has nothing to say.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use super::*;
use crate::metrics::{
    Collector, Contains, Epoch, HostSample, HttpKey, HttpRecord, Kind, MethodTag, ProcessSample, Proto,
    Recorder, Registry, SystemTags, TagSet, TagsId, ThresholdSpec, TlsTag, builtin,
};

/// The page in the text format.
fn render(page: &Page) -> String {
    String::from_utf8(super::render(page, Format::Text)).unwrap()
}

fn info() -> RunInfo {
    RunInfo {
        run_id: "r1".to_owned(),
        version: "0.1.0".to_owned(),
        script: "a \"b\".js".to_owned(),
        scenarios: vec!["main".to_owned(), "other".to_owned()],
    }
}

fn full() -> Page {
    let registry = Registry::new(SystemTags::default());
    let recorder = Recorder::new(registry.clone(), 0);
    let threshold = ThresholdSpec {
        filter: "http_req_duration{name:x}".parse().unwrap(),
        expression: "p(95)<500".parse().unwrap(),
        abort_on_fail: false,
        delay_abort_eval: Duration::ZERO,
        on_empty_pass: false,
        over: None,
    };
    let epoch = Epoch {
        instant: Instant::now(),
        wall: SystemTime::UNIX_EPOCH,
    };
    let mut collector = Collector::new(registry.clone(), epoch, vec![threshold]);
    let context = registry.intern(&TagSet::from_pairs([("scenario", "main"), ("group", "::g")]));
    for (status, duration) in [(200, 3.0), (200, 40.0), (503, 7.0)] {
        let key = HttpKey {
            context,
            name: recorder.name("x"),
            method: MethodTag::Get,
            status,
            proto: Proto::Http11,
            tls: TlsTag::None,
            error_code: if status == 503 { 1503 } else { 0 },
            expected: Some(status == 200),
        };
        recorder.http(
            key,
            HttpRecord {
                at: 1,
                duration,
                waiting: duration,
                ..HttpRecord::default()
            },
        );
    }
    for (name, kind, contains) in [
        ("orders", Kind::Counter, Contains::Default),
        ("login_time", Kind::Trend, Contains::Time),
        ("body", Kind::Trend, Contains::Data),
        ("depth", Kind::Gauge, Contains::Default),
        ("lucky", Kind::Rate, Contains::Default),
        ("idle_orders", Kind::Counter, Contains::Default),
    ] {
        let id = registry.define(name, kind, contains).unwrap();
        if name != "idle_orders" {
            recorder.add(id, recorder.context(context, &[("tier", "gold")]), 1, 2.0);
        }
    }
    let check = recorder.context(context, &[("check", "is 200")]);
    for value in [1.0, 1.0, 0.0] {
        recorder.add(builtin::CHECKS, check, 1, value);
    }
    recorder.add(builtin::VUS, TagsId::EMPTY, 1, 5.0);
    recorder.add(builtin::ITERATIONS, context, 1, 3.0);
    recorder.add(builtin::SCHEDULING_LAG, context, 1, 0.2);
    collector.absorb(&recorder.drain());
    collector.output_losses("json (a.json)", 9);
    collector.judge(Duration::from_secs(1));
    let host = HostSample {
        at: 1,
        host: "localhost".into(),
        cpu_busy: 0.5,
        cores: 2,
        mem_total: 1000,
        mem_available: 250,
        processes: vec![ProcessSample {
            name: "demo".into(),
            pid: 7,
            cpu_cores: 1.5,
            rss: 4096,
            threads: 2,
            ..ProcessSample::default()
        }],
        ..HostSample::default()
    };
    Page {
        info: info(),
        state: RunState::Running,
        snapshot: Some(collector.finish(Duration::from_secs(1))),
        hosts: vec![host.into()],
        ..Page::default()
    }
}

fn has(page: &str, line: &str) {
    assert!(
        page.lines().any(|candidate| candidate == line),
        "no `{line}` in\n{page}"
    );
}

#[test]
fn the_load_is_shown_as_it_is_offered_and_as_it_is() {
    let page = render(&Page {
        load: Load {
            scenarios: vec![
                ScenarioLoad {
                    name: "closed".to_owned(),
                    offered: Offered {
                        vus: Some(7),
                        rate: None,
                        stage: 2,
                    },
                    vus: 6,
                },
                ScenarioLoad {
                    name: "open".to_owned(),
                    offered: Offered {
                        vus: None,
                        rate: Some(12.5),
                        stage: 0,
                    },
                    vus: 1,
                },
            ],
            connections: (3, 9),
        },
        ..Page::default()
    });
    for line in [
        r#"loadgen_scenario_offered_vus{scenario="closed"} 7"#,
        r#"loadgen_scenario_offered_iterations_per_second{scenario="open"} 12.5"#,
        r#"loadgen_scenario_stage{scenario="closed"} 2"#,
        r#"loadgen_scenario_vus{scenario="closed"} 6"#,
        "loadgen_connections_open 3",
        "loadgen_connections_opened_total 9",
    ] {
        has(&page, line);
    }
    assert!(!page.contains(r#"offered_vus{scenario="open"}"#), "{page}");
}

#[test]
fn series_are_there_with_zero_before_anything_happened() {
    let page = render(&Page {
        info: info(),
        ..Page::default()
    });
    has(&page, r#"loadgen_iterations_total{scenario="main"} 0"#);
    has(&page, r#"loadgen_dropped_iterations_total{scenario="other"} 0"#);
    has(
        &page,
        r#"loadgen_checks_total{scenario="main",group="",check="",result="fail"} 0"#,
    );
    has(&page, r#"loadgen_run_state{state="starting"} 1"#);
    has(
        &page,
        r#"loadgen_http_requests_failed_total{scenario="main",name=""} 0"#,
    );
    has(&page, "loadgen_vus 0");
}

#[test]
fn numbers_are_those_of_the_snapshot() {
    let page = render(&full());
    has(
        &page,
        r#"loadgen_http_requests_total{scenario="main",group="::g",name="x",method="GET",status="200",error_code="",expected="true"} 2"#,
    );
    has(
        &page,
        r#"loadgen_http_requests_failed_total{scenario="main",name="x"} 1"#,
    );
    let labels = r#"scenario="main",name="x",method="GET",status="200""#;
    has(
        &page,
        &format!("loadgen_http_request_duration_seconds_bucket{{{labels},le=\"0.005\"}} 1"),
    );
    has(
        &page,
        &format!("loadgen_http_request_duration_seconds_bucket{{{labels},le=\"0.05\"}} 2"),
    );
    has(
        &page,
        &format!("loadgen_http_request_duration_seconds_count{{{labels}}} 2"),
    );
    has(
        &page,
        r#"loadgen_http_phase_duration_seconds_sum{phase="waiting",scenario="main"} 0.05"#,
    );
    has(
        &page,
        r#"loadgen_checks_total{scenario="main",group="::g",check="is 200",result="pass"} 2"#,
    );
    has(
        &page,
        r#"loadgen_threshold_ok{metric="http_req_duration{name:x}",threshold="p(95)<500"} 1"#,
    );
    has(
        &page,
        r#"loadgen_threshold_limit{metric="http_req_duration{name:x}",threshold="p(95)<500"} 500"#,
    );
    has(
        &page,
        r#"loadgen_custom_orders_total{group="::g",scenario="main",tier="gold"} 2"#,
    );
    has(
        &page,
        r#"loadgen_custom_login_time_seconds_sum{group="::g",scenario="main",tier="gold"} 0.002"#,
    );
    has(
        &page,
        r#"loadgen_custom_lucky_total{group="::g",scenario="main",tier="gold",result="true"} 1"#,
    );
    has(
        &page,
        r#"loadgen_target_process_cpu_cores{host="localhost",process="demo"} 1.5"#,
    );
    has(
        &page,
        r#"loadgen_output_samples_lost_total{output="json (a.json)"} 9"#,
    );
    has(&page, "loadgen_vus 5");
}

#[test]
fn every_family_has_help_and_no_series_is_there_twice() {
    let page = render(&full());
    let mut seen = std::collections::BTreeSet::new();
    for line in page.lines() {
        if let Some(family) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split(' ').next())
        {
            assert!(page.contains(&format!("# HELP {family} ")), "{family}");
        } else if !line.starts_with('#') {
            let series = line.rsplit_once(' ').unwrap().0;
            assert!(seen.insert(series.to_owned()), "{series}");
        }
    }
}

/// The names of a page's families of the target.
fn of_target(page: &str) -> std::collections::BTreeSet<&str> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names = types.filter_map(|rest| rest.split(' ').next());
    names.filter(|name| name.starts_with("loadgen_target_")).collect()
}

#[test]
fn the_target_has_one_name_for_each_number_on_both_pages() {
    let full = full();
    let remote = super::super::remote::render(&full.hosts, None);
    let (page, remote) = (render(&full), of_target(&remote));
    let own = of_target(&page);
    assert!(own.len() >= 4 && own.is_subset(&remote), "{own:?}\n{remote:?}");
}

#[test]
fn promtool_has_nothing_to_say() {
    for page in [
        full(),
        Page {
            info: info(),
            ..Page::default()
        },
    ] {
        let started = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut tool = match started {
            Ok(tool) => tool,
            // A machine without Prometheus' tools still has the other tests.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => panic!("promtool: {error}"),
        };
        tool.stdin
            .take()
            .unwrap()
            .write_all(render(&page).as_bytes())
            .unwrap();
        let output = tool.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
}
