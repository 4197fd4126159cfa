//! `loadgen baseline`, end to end: runs against the demo target fill the tables of the document.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod run_support;

use run_support::{Scripted, run};

/// The spike scenario in a tenth of its time: its phases, its tags.
const SPIKE: &str = "
    import http from 'k6/http';
    const phase = (name, vus, startTime, duration) => ({
      executor: 'constant-vus', vus, startTime, duration, gracefulStop: '5s', tags: { phase: name },
    });
    export const options = { scenarios: {
      before: phase('before', 1, '0s', '2s'), spike: phase('spike', 10, '2s', '2s'), after: phase('after', 1, '4s', '3s'),
    } };
    export default function () { http.get(__ENV.STORE_URL, { tags: { name: 'GET /' } }); }";

/// The cells of a table's row, by the row's name and the heading above it.
fn cells<'t>(text: &'t str, heading: &str, row: &str) -> Vec<&'t str> {
    let section = text
        .split(&format!("\n## {heading}"))
        .nth(1)
        .unwrap_or_else(|| panic!("no {heading}:\n{text}"));
    let line = section
        .lines()
        .find(|line| line.starts_with(&format!("| {row} |")))
        .unwrap();
    line.split('|')
        .skip(2)
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect()
}

#[test]
fn runs_fill_the_tables_of_the_document() {
    let spike = Scripted::new("");
    let script = spike.file("spike.js");
    std::fs::write(&script, SPIKE).unwrap();
    let file = |name: &str| spike.file(name);
    let save = |name: &str, arguments: &[&str]| {
        let saved = file(name);
        run(&[
            &["run", "--demo", "--metrics-addr", "off", "--save", &saved][..],
            arguments,
        ]
        .concat());
        saved
    };
    let health = save("health.json", &["-u", "2", "-d", "2s", "health"]);
    let store = save("store.json.gz", &["-u", "3", "-d", "2s", "store-crud"]);
    let spiked = save("spike.json", &[&script]);
    let output = file("BASELINE.md");
    run(&[
        "baseline",
        &health,
        &store,
        &spiked,
        "--output",
        &output,
        "--date",
        "2026-02-26",
    ])
    .expect(0);
    let text = spike.read("BASELINE.md");

    assert!(
        text.starts_with("# Load Test Baseline — 2026-02-26\n\nVPS: "),
        "{text}"
    );
    assert!(
        text.contains("\nRuntime: loadgen demo v") && text.contains("\nTest tool: loadgen v"),
        "{text}"
    );
    for row in ["Max RPS", "p50", "p95", "p99", "Error rate"] {
        assert_eq!(cells(&text, "Health (GET /)", row).len(), 1, "{row}:\n{text}");
    }
    for row in ["p50", "p95", "p99", "Error rate"] {
        assert_eq!(
            cells(&text, "Store CRUD (50 VUs)", row).len(),
            4,
            "{row}:\n{text}"
        );
    }
    for row in ["Max RPS", "p99 during spike", "Recovery time", "Error rate"] {
        assert_eq!(
            cells(&text, "Spike (200 VUs, 30s)", row).len(),
            1,
            "{row}:\n{text}"
        );
    }
    let most: f64 = cells(&text, "Spike (200 VUs, 30s)", "Max RPS")[0]
        .parse()
        .unwrap();
    assert!(most > 10.0, "{most}");
    for part in [
        "--save",
        "the demo target of loadgen",
        "CPU of process demo",
        "timer lag p99",
        "Max RPS of wallet",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }

    // What is missing stays empty, and says how it is filled.
    let part = run(&["baseline", &store]).expect(0).stdout;
    assert!(cells(&part, "Health (GET /)", "p95").is_empty());
    assert!(part.contains("`loadgen run --save health.json health`"), "{part}");
    run(&["baseline", &store, &store])
        .expect(104)
        .says(&["two of the runs are of store-crud"]);
    run(&["baseline", &script])
        .expect(104)
        .says(&["is not a saved run", "spike.js"]);
    run(&["baseline", &store, "--output", &file("no/BASELINE.md")])
        .expect(104)
        .says(&["cannot write"]);
    run(&["baseline"]).expect(104);
}
