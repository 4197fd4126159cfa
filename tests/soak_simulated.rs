//! Seven hours of a run in some seconds: the collector, its time axis and its thresholds hold no more at its end than
//! after some hours.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod metrics_support;

use std::time::Duration;

use loadgen::metrics::ThresholdSpec;
use metrics_support::{Rig, host, threshold};

/// This process's memory, in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[test]
fn a_run_of_hours_holds_no_more_than_one_of_some() {
    let sliding = ThresholdSpec {
        over: Some(Duration::from_mins(10)),
        ..threshold("http_req_duration", "p(95)<500")
    };
    let mut rig = Rig::new(vec![threshold("http_req_failed", "rate<0.01"), sliding]);
    let context = rig.context("soak", "");
    let hours = |count: u64| count * 3600;
    let mut after = Vec::new();
    for second in 0..hours(7) {
        // Latencies of all sizes, so that histograms are as full as they get.
        let ms = ((second * 7919) % 60_000) as f32 / 10.0;
        if second % 4 == 0 {
            rig.request(context, "GET /", second * 1000, ms, 200);
        }
        let batch = rig.recorder.drain();
        rig.collector.absorb(&batch);
        rig.collector.host(host(second, 0.5, 1.0, 1 << 20));
        let elapsed = Duration::from_secs(second + 1);
        if second % 2 == 0 {
            rig.collector.judge(elapsed);
        }
        rig.collector.close_window(elapsed);
        if [hours(4) + 1800, hours(7) - 1].contains(&second) {
            after.push(resident());
        }
    }
    let timeline = rig.collector.timeline();
    assert!(timeline.windows.len() <= 3600, "{}", timeline.windows.len());
    assert!(timeline.hosts.len() <= 4 * 3600, "{}", timeline.hosts.len());
    assert!(timeline.strands.iter().all(|strand| strand.slices.len() <= 3600));
    // Nothing is forgotten for it.
    let requests: u64 = timeline.windows.iter().map(|window| window.requests).sum();
    assert_eq!(requests, hours(7) / 4);
    let length: Duration = timeline.windows.iter().map(|window| window.length).sum();
    assert_eq!(length, Duration::from_secs(hours(7)));
    assert!(
        after[1] < after[0] + (8 << 20),
        "{} bytes grew to {} in 2.5 more hours",
        after[0],
        after[1]
    );
}
