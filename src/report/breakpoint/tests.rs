//! The ladder and the answer of made-up searches, and what they blame.

use std::collections::BTreeMap;

use super::*;
use crate::report::findings::findings;
use crate::report::saved::fixture::{saved_run, spread};
use crate::report::saved::{SavedHost, SavedRecovery, SavedRun, SavedStep};
use serde_json::json;

/// A step of ten seconds.
fn step(stage: &str, at: u32, load: u64, verdict: &str, errors: f64, rate: f64) -> SavedStep {
    let from = f64::from(at) * 10.0;
    SavedStep {
        stage: stage.to_owned(),
        load,
        from,
        measured: from + 1.0,
        to: from + 9.0,
        requests: (rate * 8.0) as u64,
        rate,
        p50: Some(if stage == "probe" { 40.0 } else { 60.0 }),
        p95: Some(SavedBounds {
            value: 75.0,
            low: Some(72.0),
            high: Some(78.5),
        }),
        errors: Some(SavedBounds {
            value: errors,
            low: Some(errors * 0.9),
            high: Some(errors * 1.1),
        }),
        target_cpu: Some(0.41),
        verdict: verdict.to_owned(),
        certain: true,
        why: (verdict == "broke").then(|| format!("http_req_failed: rate<=0.01 was {errors}")),
        ..SavedStep::default()
    }
}

/// A search that found the limit between 40 and 42.
fn found(errors: f64) -> SavedBreakpoint {
    let at = |stage, at, load, verdict| {
        let (errors, rate) = if verdict == "broke" {
            (errors, 200.0)
        } else {
            (0.0, 198.0)
        };
        step(stage, at, load, verdict, errors, rate)
    };
    SavedBreakpoint {
        by: "vus".to_owned(),
        criteria: vec!["http_req_failed: rate<=0.01".to_owned()],
        outcome: "found".to_owned(),
        held: Some(40),
        times: 3,
        broke: Some(42),
        rate: 198.0,
        p95: 75.0,
        steps: vec![
            at("probe", 0, 1, "base"),
            at("double", 1, 40, "held"),
            at("double", 2, 80, "broke"),
            at("bisect", 3, 42, "broke"),
            at("confirm", 4, 40, "held"),
            at("confirm", 5, 40, "held"),
            at("confirm", 6, 42, "broke"),
        ],
    }
}

/// A run with that search, whose failures were answered with this status.
fn run(found: SavedBreakpoint, status: &str, failed: u64) -> SavedRun {
    let parts = [(json!({"status": status}), spread(1000, 5.0), failed)];
    let mut run = saved_run("a.js", 70.0, &parts);
    let seconds = 70;
    let timeline = &mut run.timeline;
    timeline.start = (0..seconds).map(f64::from).collect();
    timeline.length = vec![1.0; 70];
    for list in [
        &mut timeline.requests,
        &mut timeline.failed,
        &mut timeline.iterations,
        &mut timeline.dropped,
        &mut timeline.sent,
        &mut timeline.received,
    ] {
        *list = vec![200; 70];
    }
    for list in [&mut timeline.vus, &mut timeline.vus_max, &mut timeline.in_flight] {
        *list = vec![40; 70];
    }
    for list in [
        &mut timeline.p50,
        &mut timeline.p95,
        &mut timeline.p99,
        &mut timeline.lag_max,
    ] {
        *list = vec![5.0; 70];
    }
    run.breakpoint = Some(found);
    run
}

/// A machine whose CPU is as busy as `busy` says of each second.
fn host(busy: impl Fn(u32) -> f64) -> SavedHost {
    SavedHost {
        host: "server".to_owned(),
        cores: 4,
        memory: 1 << 30,
        readings: 1,
        at: (0..70).map(f64::from).collect(),
        series: BTreeMap::from([(
            "cpu_utilization".to_owned(),
            (0..70).map(|at| Some(busy(at))).collect(),
        )]),
        processes: Vec::new(),
    }
}

fn text_of(run: &SavedRun, name: &str) -> String {
    let found = findings(run);
    let named = found.named(name);
    named.map_or_else(
        || panic!("no {name}: {:?}", found.list),
        |found| found.text.clone(),
    )
}

#[test]
fn the_ladder_has_every_load_once_and_in_order() {
    let text = section(&run(found(0.05), "503", 50), false);
    let expected = "  █ BREAKING POINT \n
     VUs  requests/s   p95  errors  target CPU  verdict
      40         198  75ms     0 %        41 %  held 3 times
      42         200  75ms     5 %        41 %  broke twice
      80         200  75ms     5 %        41 %  broke";
    assert_eq!(text, expected);
}

#[test]
fn a_step_is_a_line() {
    let mut step = step("bisect", 1, 42, "broke", 0.05, 200.0);
    step.recovery = Some(SavedRecovery {
        seconds: 3.4,
        complete: true,
    });
    step.certain = false;
    assert_eq!(
        row(&step, false).split_whitespace().collect::<Vec<_>>().join(" "),
        "bisect 42 200 75ms ± 5 % 5 ± 0.5 % 41 % broke (close): http_req_failed: rate<=0.01 was 0.05; itself again after 3 s"
    );
    assert!(
        header(&found(0.05))
            .contains("by virtual users; what has to hold:\n    http_req_failed: rate<=0.01\n")
    );
}

#[test]
fn the_answer_is_a_sentence_whatever_came_of_it() {
    let said = |change: &dyn Fn(&mut SavedBreakpoint)| {
        let mut found = found(0.05);
        change(&mut found);
        text_of(&run(found, "503", 50), "breakpoint")
    };
    assert_eq!(
        said(&|_| {}),
        "the breaking point is between 40 and 42 VUs: 40 VUs held (198 requests/s, p95 75ms, 3 times); \
         42 VUs broke (http_req_failed: rate<=0.01 was 0.05)"
    );
    let held = said(&|found| {
        found.outcome = "held".to_owned();
        found.broke = None;
    });
    assert!(
        held.starts_with("it held up to 40 VUs, the most that was to be tried"),
        "{held}"
    );
    let never = said(&|found| {
        (found.outcome, found.held, found.broke) = ("never".to_owned(), None, Some(42));
    });
    assert!(
        never.starts_with("not even the lightest load holds, 42 VUs (http_req"),
        "{never}"
    );
    let dead = said(&|found| found.outcome = "dead".to_owned());
    assert!(
        dead.starts_with("the target is gone: no request was answered after 42 VUs; 40 VUs held"),
        "{dead}"
    );
    let time = said(&|found| found.outcome = "time".to_owned());
    assert!(
        time.starts_with("time was up before the answer; so far: 40 VUs held"),
        "{time}"
    );
    let short = said(&|found| {
        found.outcome = "stopped".to_owned();
        for step in found.steps.iter_mut().filter(|step| step.load == 42) {
            (step.verdict, step.why) = ("invalid".to_owned(), Some("its timers fired late".to_owned()));
        }
    });
    assert!(
        short.ends_with("42 VUs: the generator itself was short (its timers fired late)"),
        "{short}"
    );
    let nothing = said(&|found| {
        *found = SavedBreakpoint {
            outcome: "stopped".to_owned(),
            ..SavedBreakpoint::default()
        };
    });
    assert_eq!(
        nothing,
        "it was stopped before the answer; so far: no load was judged"
    );
}

#[test]
fn the_generator_is_named_and_nobody_blamed() {
    let mut short = found(0.0);
    short.outcome = "generator".to_owned();
    for step in short.steps.iter_mut().filter(|step| step.verdict == "broke") {
        step.verdict = "invalid".to_owned();
        step.why = Some("the generator used 1.99 of its 2 cores".to_owned());
    }
    let mut run = run(short, "200", 0);
    run.hosts = vec![host(|_| 0.99)];
    let found = findings(&run);
    assert_eq!(found.validity.verdict, crate::report::Verdict::Invalid);
    assert_eq!(found.validity.reasons, ["the generator used 1.99 of its 2 cores"]);
    assert!(found.named("saturation").is_none() && found.named("limit").is_none());
    let text = text_of(&run, "breakpoint");
    assert!(
        text.contains("at 42 VUs the generator itself was short (the generator used"),
        "{text}"
    );
}

#[test]
fn what_was_full_when_it_broke_and_not_before_is_named() {
    let busy = |at: u32| match at / 10 {
        2 | 3 | 6 => 0.99,
        1 | 4 | 5 => 0.85,
        _ => 0.1,
    };
    let mut named = run(found(0.05), "503", 50);
    named.hosts = vec![host(busy)];
    let text = text_of(&named, "saturation");
    assert!(
        text.starts_with("the CPU of server was full when it broke: 99 %"),
        "{text}"
    );
    assert!(text.contains("100 % of what failed was status 503"), "{text}");
    // What is far from full just below is so by the storm of errors, not the other way round.
    let mut storm = run(found(0.05), "503", 50);
    storm.hosts = vec![host(|at| if matches!(at / 10, 2 | 3 | 6) { 0.99 } else { 0.2 })];
    let text = text_of(&storm, "limit");
    assert!(
        text.contains("queue or rate")
            && text
                .ends_with("what was full then, the CPU of server, was far from it at the load just below"),
        "{text}"
    );
    // One user without a pause is no light load for a server of one thread; the load of fewer requests is.
    let mut single = found(0.05);
    single.steps[1].rate = 100.0;
    let mut single = run(single, "503", 50);
    single.hosts = vec![host(|at| if matches!(at / 10, 1) { 0.3 } else { 0.99 })];
    assert!(text_of(&single, "saturation").starts_with("the CPU of server"));
    // What is full all the time explains nothing.
    let mut always = run(found(0.05), "503", 50);
    always.hosts = vec![host(|_| 0.99)];
    assert!(text_of(&always, "limit").contains("queue or rate"));
}

#[test]
fn a_limit_of_its_own_is_told_by_its_answers_or_by_how_many_it_works_on() {
    let with_host = |found, status, failed| {
        let mut run = run(found, status, failed);
        run.hosts = vec![host(|_| 0.2)];
        text_of(&run, "limit")
    };
    let queue = with_host(found(0.05), "503", 50);
    assert!(
        queue.starts_with("a limit of its own queue or rate: it turns requests away (100 % of"),
        "{queue}"
    );
    assert!(
        queue.ends_with("nothing that was sampled of the target was full when it broke"),
        "{queue}"
    );
    let errors = with_host(found(0.05), "500", 50);
    assert!(
        errors.starts_with("a fault of its own under load: it answers errors"),
        "{errors}"
    );
    // 200 requests/s of 40 ms each at light load.
    let workers = with_host(found(0.0), "200", 0);
    assert!(
        workers.contains("works on about 8 requests at a time"),
        "{workers}"
    );
    let unseen = text_of(&run(found(0.0), "200", 0), "limit");
    assert!(unseen.contains("the target was not sampled"), "{unseen}");
}
