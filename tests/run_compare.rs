//! `loadgen compare`, end to end: a slower target is a regression, the same run is none, a file that is no run is said.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod run_support;

use run_support::run;

fn save(file: &str, arguments: &[&str]) {
    let fixed = [
        "run",
        "--metrics-addr",
        "off",
        "--save",
        file,
        "-u",
        "4",
        "-d",
        "3s",
    ];
    run(&[&fixed[..], arguments, &["store-crud"]].concat()).expect(0);
}

#[test]
fn a_slower_target_is_a_regression() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (base, slow) = (file("base.json"), file("slow.json.gz"));
    save(&base, &["--demo"]);
    save(&slow, &["--demo-args", "--latency 60ms"]);

    let same = run(&["compare", &base, &base]).expect(0);
    assert!(same.stdout.contains("no regression past 10 %"), "{}", same.stdout);
    let worse = run(&["compare", &base, &slow]).expect(113);
    for part in [
        "p95",
        "name=get",
        "regression",
        "too short to judge: 5 s are needed",
    ] {
        assert!(worse.stdout.contains(part), "{part}:\n{}", worse.stdout);
    }
    run(&["compare", &slow, &base, "--format", "json"]).expect(0);
    // Sixty milliseconds more are less than that much.
    run(&["compare", &base, &slow, "--tolerance", "10000000%"]).expect(0);
    run(&["compare", &base, &slow, "--metric", "http_req_failed"]).expect(0);
    let markdown = run(&["compare", &base, &slow, "--format", "markdown"]).expect(113);
    assert!(markdown.stdout.starts_with("### ❌"), "{}", markdown.stdout);

    run(&["compare", &base, &slow, "--metric", "nosuch"])
        .expect(104)
        .says(&["neither run has a metric `nosuch`", "http_req_duration"]);
    let text = std::fs::read_to_string(&base).unwrap();
    for (content, said) in [
        (&text[..text.len() / 2], "malformed at line 1, column"),
        ("{}", "is not a saved run"),
        (
            &text.replace("\"version\":1,", "\"version\":2,"),
            "version 2 of the format, written by loadgen",
        ),
        (
            &text.replace("\"version\":1,", "\"version\":0,"),
            "run the test again with --save",
        ),
    ] {
        let other = file("other.json");
        std::fs::write(&other, content).unwrap();
        run(&["compare", &base, &other])
            .expect(104)
            .says(&[said, "other.json"]);
    }
    run(&["compare", &file("none.json"), &base])
        .expect(104)
        .says(&["none.json"]);
}
