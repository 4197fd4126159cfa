//! The page of runs whose names would be markup, and what charts and tables are there.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use serde_json::json;

use super::*;
use crate::report::saved::fixture::{saved_run, spread};
use crate::report::saved::{SavedFinding, SavedHost, SavedOutage, SavedValidity};

fn page() -> String {
    html(&full_run())
}

fn full_run() -> SavedRun {
    let evil = "<img src=x onerror=alert(1)>";
    let parts = [
        (json!({"name": evil, "url": evil}), spread(300, 10.0), 3),
        (json!({"name": "b"}), spread(50, 20.0), 0),
    ];
    let mut run = saved_run(evil, 60.0, &parts);
    run.ending.message = Some("'\"><script>alert(1)</script>".to_owned());
    run.ending.name = "aborted".to_owned();
    run.ending.exit_code = 108;
    run.variables.insert("<b>".to_owned(), "</td>".to_owned());
    run.options["scenarios"]["</pre><script>"] = json!({"exec": "\u{1}</script>"});
    run.run.command = vec!["loadgen".to_owned(), "</code><i>".to_owned()];
    run.validity = Some(SavedValidity {
        verdict: "suspect".to_owned(),
        reasons: vec!["late <b>".to_owned()],
    });
    run.findings = vec![SavedFinding {
        name: "saturation".to_owned(),
        text: format!("the CPU of {evil} was full"),
        confidence: Some("low".to_owned()),
        ..SavedFinding::default()
    }];
    let t = &mut run.timeline;
    for at in 0..60 {
        t.start.push(f64::from(at));
        t.length.push(1.0);
        for list in [&mut t.p50, &mut t.p95, &mut t.p99] {
            list.push(10.0 + f64::from(at));
        }
        for list in [
            &mut t.requests,
            &mut t.failed,
            &mut t.iterations,
            &mut t.dropped,
            &mut t.sent,
            &mut t.received,
        ] {
            list.push(7);
        }
        for list in [&mut t.vus, &mut t.vus_max, &mut t.in_flight] {
            list.push(at);
        }
        t.lag_max.push(0.0);
    }
    run.hosts = vec![SavedHost {
        host: evil.to_owned(),
        cores: 2,
        at: (1..=60).map(f64::from).collect(),
        series: [(
            "cpu_utilization".to_owned(),
            (0..60).map(|at| Some(if at > 30 { 0.99 } else { 0.5 })).collect(),
        )]
        .into(),
        ..SavedHost::default()
    }];
    run.target.outages = vec![SavedOutage {
        from: 10.0,
        until: None,
        lane: 0,
        reason: String::new(),
    }];
    run
}

#[test]
fn whatever_comes_from_outside_is_text() {
    let page = page();
    for element in [
        "<script",
        "<img",
        "<i>",
        "<b>",
        "</pre><script",
        "</code><i",
        "onerror=alert(1)>",
    ] {
        assert!(!page.contains(element), "{element}");
    }
    assert!(!page.contains('\u{1}'));
    for part in [
        "&lt;img src=x onerror=alert(1)&gt;",
        "<strong class=\"bad\">SUSPECT</strong>: late &lt;b&gt;",
        "confidence: low",
        "aborted: &#39;&quot;&gt;&lt;script&gt;",
        "p99.9",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn every_chart_is_drawn_twice_has_words_and_a_table_and_shades_what_was_full() {
    let page = page();
    assert_eq!(
        page.matches("<svg class=\"wide\" role=\"img\" aria-label=\"")
            .count(),
        5
    );
    assert_eq!(page.matches("<svg class=\"narrow\" role=\"img\"").count(), 5);
    assert_eq!(page.matches("as a table</summary>").count(), 5);
    // Each drawing has one box where the CPU was full, and one where the tunnel was away.
    assert_eq!(page.matches("fill=\"#0000B3\" stroke").count(), 10);
    assert_eq!(page.matches("fill=\"#0000B4\" stroke").count(), 10);
    assert!(
        page.contains("p99 is at most 69ms, 59.5 s into the load"),
        "{page}"
    );
    // Elements are closed: a browser would mend it, and a test of it would not see.
    for element in [
        "section", "table", "tr", "figure", "details", "div", "svg", "span", "ul", "dl",
    ] {
        let open =
            page.matches(&format!("<{element}>")).count() + page.matches(&format!("<{element} ")).count();
        assert_eq!(open, page.matches(&format!("</{element}>")).count(), "{element}");
    }
    assert!(page.len() < 300_000, "{} bytes", page.len());
}

#[test]
fn a_run_without_anything_has_a_page() {
    let page = html(&saved_run("empty", 0.0, &[]));
    assert!(page.contains("Nothing stands out") && !page.contains("<svg"));
    assert!(page.ends_with("</html>\n"));
}

#[test]
fn what_findings_call_full_is_shaded_once_and_named() {
    let mut run = full_run();
    let full = |from: usize, to: usize, level: f64| -> Vec<Option<f64>> {
        (0..60)
            .map(|at| Some(if (from..to).contains(&at) { level } else { 0.01 }))
            .collect()
    };
    // One after the other, the second while the first still is.
    let series = &mut run.hosts[0].series;
    series.insert("cpu_utilization".to_owned(), full(0, 0, 1.0));
    series.insert("cpu_steal".to_owned(), full(10, 20, 0.5));
    series.insert("pressure_io".to_owned(), full(15, 30, 0.9));
    series.insert("run_queue".to_owned(), full(40, 50, 4.0));
    let page = html(&run);
    let evil = escape(&run.hosts[0].host);
    let names = format!(
        "shaded, for it was full: the CPU that the hypervisor leaves {evil}; the disk (work waits for it) of {evil}; \
         the CPU (tasks queue for it) of {evil}</p>"
    );
    assert!(page.contains(&names), "{names}: {page}");
    // Two boxes in each of two drawings of six charts.
    assert_eq!(page.matches("fill=\"#0000B3\" stroke").count(), 2 * 2 * 6);
    let shade = axis::shade(&run);
    assert_eq!(shade.full, [(10.0, 30.0), (40.0, 50.0)]);
    assert_eq!(shade.outages, [(10.0, 60.0)]);
}

#[test]
fn pressure_has_a_chart_and_what_has_no_colour_left_is_said() {
    let mut run = full_run();
    let first = run.hosts[0].clone();
    run.hosts = (1..=4)
        .map(|number| {
            let mut host = first.clone();
            host.host = format!("web{number}");
            let values = |level: f64| vec![Some(level); 60];
            for (column, level) in [
                ("cpu_utilization", 0.1 * f64::from(number)),
                ("memory_utilization", 0.05 * f64::from(number)),
                ("pressure_memory", if number == 3 { 0.5 } else { 0.0 }),
                ("pressure_io", 0.2),
            ] {
                host.series.insert(column.to_owned(), values(level));
            }
            host
        })
        .collect();
    let page = html(&run);
    let figure = |id: &str| {
        let from = page.find(&format!("id=\"{id}\"")).expect(id);
        let rest = &page[from..];
        rest[..rest.find("</figure>").unwrap()].to_owned()
    };
    let pressure = figure("pressure");
    for part in [
        "Work that waits on the target",
        "</span>for memory, web3</span>",
        "</span>for disks, web4</span>",
    ] {
        assert!(pressure.contains(part), "{part}: {pressure}");
    }
    // Who never waits takes no line's place.
    assert!(!pressure.contains("for memory, web1") && !pressure.contains("Not drawn"));
    let machines = figure("target");
    assert_eq!(machines.matches("<span class=\"key\">").count(), 6);
    let left_out = "Not drawn, for a chart has room for 6, but in the table: memory, web2; memory, web1.";
    assert!(machines.contains(left_out), "{machines}");
    for number in 1..=4 {
        for what in ["CPU", "memory"] {
            let column = format!("<th scope=\"col\">{what}, web{number}</th>");
            assert!(machines.contains(&column), "{column}: {machines}");
        }
    }
    assert!(!figure("latency").contains("Not drawn"));
}
