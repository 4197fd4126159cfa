//! `loadgen lint`: what it finds in scripts that lie, that it is silent about those that do not, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::{Command, Output};

fn lint(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .arg("lint")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn text(output: &Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

#[test]
fn scenarios_and_the_scripts_of_the_dialects_tests_are_without_findings() {
    let options = "tests/fixtures/tachikoma-config.k6.js";
    let (out, err, code) = text(&lint(&["scenarios", "health", "flux-gate/flash-sale", options]));
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    // One of them has a mistake in its syntax on purpose.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialect");
    let mut scripts: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "js" || end == "ts"))
        .filter(|path| !path.ends_with("typescript-mistake.ts"))
        .map(|path| path.to_str().unwrap().to_owned())
        .collect();
    scripts.sort();
    assert!(scripts.len() > 15);
    let arguments: Vec<&str> = scripts.iter().map(String::as_str).collect();
    let (out, err, code) = text(&lint(&arguments));
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
}

#[test]
fn scripts_that_lie_are_told_so() {
    let (out, err, code) = text(&lint(&[
        "tests/fixtures/flux-gate-load-test.k6.js",
        "tests/fixtures/tachikoma-specs.k6.js",
        "tests/fixtures/tachikoma-websocket.k6.js",
    ]));
    assert_eq!((code, err.as_str()), (Some(116), ""), "{out}");
    for (place, what) in [
        (
            "tests/fixtures/flux-gate-load-test.k6.js:50:",
            "expected-status-fails",
        ),
        (
            "tests/fixtures/tachikoma-specs.k6.js:36:",
            "expected-status-fails",
        ),
        ("tests/fixtures/tachikoma-websocket.k6.js:42:", "rate-one-sided"),
    ] {
        let line = out.lines().find(|line| line.starts_with(place));
        assert!(
            line.is_some_and(|line| line.contains(what)),
            "{place} {what}\n{out}"
        );
    }
    assert!(out.contains("    why:  ") && out.contains("    mend: "), "{out}");
    assert!(out.ends_with("3 findings in 3 scripts\n"), "{out}");
}

#[test]
fn findings_are_json_on_request() {
    let (out, _, code) = text(&lint(&[
        "--format",
        "json",
        "tests/fixtures/tachikoma-websocket.k6.js",
    ]));
    assert_eq!(code, Some(116));
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["scripts"], 1);
    let finding = &report["findings"][0];
    assert_eq!(finding["file"], "tests/fixtures/tachikoma-websocket.k6.js");
    assert_eq!(
        (&finding["rule"], &finding["line"]),
        (&"rate-one-sided".into(), &42.into())
    );
    assert!(finding["column"].is_u64() && finding["why"].is_string() && finding["mend"].is_string());

    let (out, _, code) = text(&lint(&["--rules", "--format", "json"]));
    assert_eq!(code, Some(0));
    let rules: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(rules.as_array().is_some_and(|rules| rules.len() > 10));
}

#[test]
fn what_cannot_be_read_is_a_configuration_error_and_hides_nothing_else() {
    let (out, err, code) = text(&lint(&[
        "no-such-script.js",
        "tests/dialect/typescript-mistake.ts",
        "tests/fixtures/tachikoma-websocket.k6.js",
    ]));
    assert_eq!(code, Some(104));
    assert!(
        err.contains("no-such-script.js") && err.contains("typescript-mistake.ts:"),
        "{err}"
    );
    assert!(out.contains("rate-one-sided"), "{out}");
    let (_, err, code) = text(&lint(&[]));
    assert_eq!(code, Some(104), "{err}");
}
