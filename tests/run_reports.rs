//! `--out junit=` and `--out markdown=`, end to end: what a CI system gets, and that it gets it whatever becomes of the run.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod run_support;

use run_support::{Ended, Scripted, Server, loadgen, run};

const SCRIPT: &str = "
    import http from 'k6/http';
    import { check, group } from 'k6';
    export const options = {
      iterations: 5,
      thresholds: { http_req_failed: ['rate<0.01'], checks: ['rate>0.1'], http_reqs: ['count>=10'] },
    };
    export default function () {
      group('pages', () => {
        const good = http.get(`${__ENV.BASE_URL}/?token=in-the-url`, { tags: { name: 'good <1>' } });
        check(good, { 'is 200 & \"well\"': (r) => r.status === 200 });
        check(http.get(`${__ENV.BASE_URL}/status/500`, { tags: { name: 'bad' } }), { 'never': (r) => r.status === 200 });
      });
    }";

#[test]
fn a_run_is_told_as_test_cases_and_as_markdown() {
    let server = Server::start();
    let scripted = Scripted::new(SCRIPT);
    let (xml, page) = (scripted.file("junit.xml"), scripted.file("summary.md"));
    std::fs::write(&xml, "an older and much longer report ".repeat(1000)).unwrap();
    std::fs::write(&page, "what another step wrote\n").unwrap();
    let (junit, base) = (
        format!("junit={xml}"),
        format!("BASE_URL=http://{}", server.address),
    );
    let arguments = [
        "run",
        "--metrics-addr",
        "off",
        "-e",
        &base,
        "-o",
        &junit,
        "-o",
        "markdown",
        scripted.path(),
    ];
    let output = loadgen(&arguments)
        .env("GITHUB_STEP_SUMMARY", &page)
        .output()
        .unwrap();
    let ended = Ended::from(output).expect(99);
    assert_eq!(ended.shown("http_reqs"), "10");

    let xml = scripted.read("junit.xml");
    assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"loadgen\" tests=\"6\" failures=\"2\""), "{xml}");
    assert!(xml.ends_with("</testsuites>\n"), "{xml}");
    for part in [
        "classname=\"thresholds\" name=\"http_req_failed: rate&lt;0.01\" time=\"0\">\n      <failure message=\"was 50.00 %\"/>",
        "classname=\"thresholds\" name=\"http_reqs: count&gt;=10\" time=\"0\"/>",
        "classname=\"checks\" name=\"pages: is 200 &amp; &quot;well&quot;\" time=\"0\"/>",
        "name=\"pages: never\" time=\"0\">\n      <failure message=\"5 of 5 did not hold\"/>",
    ] {
        assert!(xml.contains(part), "{part}\n{xml}");
    }

    let page = scripted.read("summary.md");
    assert!(page.starts_with("what another step wrote\n### ❌ `"), "{page}");
    for part in [
        "1 of 3 thresholds failed",
        "| ❌ | `http_req_failed: rate<0.01` | 50.00 % |",
        "| `never` | 5 | 5 |",
        "| `good <1>` | 5 |",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert!(!page.contains("in-the-url"), "{page}");
}

#[test]
fn a_report_stands_alone_or_on_standard_output() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.md");
    let out = format!("markdown={}", page.display());
    let hit = [
        "hit",
        "--metrics-addr",
        "off",
        "--summary-mode",
        "disabled",
        "-n",
        "3",
        "-u",
        "1",
    ];
    for _ in 0..2 {
        run(&[&hit[..], &["-o", &out, &server.url("/")]].concat()).expect(0);
    }
    let written = std::fs::read_to_string(&page).unwrap();
    assert_eq!(
        written.matches("### ✅").count(),
        1,
        "a file that is no page of a CI run is written anew: {written}"
    );
    let shown = run(&[&hit[..], &["-o", "markdown=-", &server.url("/")]].concat()).expect(0);
    assert!(shown.stdout.starts_with("### ✅ `http://"), "{}", shown.stdout);
}

#[test]
fn a_run_that_breaks_off_is_told_too_and_a_wrong_place_is_found_first() {
    let scripted = Scripted::new(
        "export function setup() { throw new Error('no <way>'); } export default function () {}",
    );
    let junit = format!("junit={}", scripted.file("junit.xml"));
    run(&["run", "--metrics-addr", "off", "-o", &junit, scripted.path()]).expect(107);
    let xml = scripted.read("junit.xml");
    assert!(
        xml.contains("errors=\"1\"") && xml.contains("no &lt;way&gt;"),
        "{xml}"
    );

    let server = Server::start();
    let nowhere = format!("junit={}", scripted.file("no/junit.xml"));
    run(&[
        "hit",
        "--metrics-addr",
        "off",
        "-n",
        "1",
        "-o",
        &nowhere,
        &server.url("/"),
    ])
    .expect(104)
    .says(&["cannot write the report", "no/junit.xml"]);
    assert_eq!(server.count(), 0);
    if cfg!(target_os = "linux") {
        let full = run(&[
            "hit",
            "--metrics-addr",
            "off",
            "-n",
            "1",
            "-o",
            "junit=/dev/full",
            &server.url("/"),
        ]);
        assert_eq!(
            full.expect(0)
                .says(&["cannot write the report /dev/full: No space left"])
                .shown("http_reqs"),
            "1"
        );
    }
}
