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

/// The rows of the whole and those of its parts have 2 % each: together one in twenty-five, wherever that is said.
#[test]
fn how_often_it_cries_wolf_is_said_alike() {
    let read = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let text = std::fs::read_to_string(path).unwrap();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let help = run(&["compare", "--help"]).expect(0).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for (text, said) in [
        (read("src/report/compare/judge.rs"), "const CHANCE: f64 = 0.02;"),
        (
            read("docs/compare.md"),
            "at 2 % each: one comparison in twenty-five",
        ),
        (read("docs/compare.md"), "in less than one of twenty-five"),
        (read("README.md"), "in twenty-four of twenty-five"),
        (help, "in one of twenty-five at the most"),
    ] {
        assert!(text.contains(said), "`{said}` is not in:\n{text}");
    }
}

#[test]
fn a_slower_target_is_a_regression() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (base, slow) = (file("base.json"), file("slow.json.gz"));
    save(&base, &["--demo"]);
    save(&slow, &["--demo-args", "--latency 60ms"]);

    let same = run(&["compare", &base, &base]).expect(0);
    assert!(same.stdout.contains("no regression past 5 %"), "{}", same.stdout);
    let worse = run(&["compare", &base, &slow]).expect(113);
    for part in [
        "p95",
        "95 % interval",
        "only great differences count",
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
        .says(&["none of the runs has a metric `nosuch`", "http_req_duration"]);
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

    // Several on a side: those before the dashes are the base.
    let several = run(&["compare", &base, "--", &slow, &base, "--format", "json"]);
    let several = several.expect(104);
    several.says(&["--format", "cannot read"]);
    let several = run(&["compare", "--format", "json", &base, "--", &slow]).expect(113);
    let json: serde_json::Value = serde_json::from_str(&several.stdout).unwrap();
    assert_eq!(json["comparison"]["new"].as_array().unwrap().len(), 1);
    let json = run(&["compare", "--format", "json", &base, &slow, &base]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        json["comparison"]["new"].as_array().unwrap().len(),
        2,
        "all after the first are new"
    );
    run(&["compare", &base, "--", &slow, &slow])
        .expect(104)
        .says(&["is given twice"]);
    run(&["compare", &base])
        .expect(104)
        .says(&["loadgen compare BASE NEW"]);

    // Another load is another test.
    let other = file("other-load.json");
    run(&[
        "run",
        "--metrics-addr",
        "off",
        "--save",
        &other,
        "-u",
        "2",
        "-d",
        "1s",
        "--demo",
        "store-crud",
    ])
    .expect(0);
    run(&["compare", &base, &other]).expect(104).says(&[
        "these runs cannot be compared: their loads differ, by the options",
        "--force",
    ]);
    let forced = run(&["compare", &base, &other, "--force"]);
    assert!([0, 113].contains(&forced.code), "{}", forced.stderr);
    assert!(
        forced.stdout.contains("! their loads differ"),
        "{}",
        forced.stdout
    );
}

/// Real runs of a minute: of the same target, and of one that is 10 % slower. Needs a quiet machine: `just compare-check`.
#[test]
#[ignore = "a quarter of an hour on a machine that does nothing else: just compare-check"]
fn real_runs_are_judged_as_synthetic_ones_are() {
    let trials: u32 = std::env::var("TRIALS").map_or(5, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (mut alarms, mut found) = (0, 0);
    for trial in 0..trials {
        let measure = |name: &str, latency: &str, jitter: &str, seed: u32| {
            let file = folder.path().join(format!("{name}{trial}.json"));
            let file = file.to_str().unwrap().to_owned();
            let target = format!("--latency {latency} --jitter {jitter} --seed {seed}");
            let fixed = [
                "run",
                "--metrics-addr",
                "off",
                "--save",
                &file,
                "-u",
                "4",
                "-d",
                "60s",
            ];
            run(&[&fixed[..], &["--demo-args", &target, "store-crud"]].concat()).expect(0);
            file
        };
        let base = measure("base", "20ms", "4ms", 3 * trial + 1);
        let same = measure("same", "20ms", "4ms", 3 * trial + 2);
        let slow = measure("slow", "22ms", "4.4ms", 3 * trial + 3);
        let flags = |new: &str| {
            let ended = run(&["compare", "--format", "json", &base, new]);
            let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
            let rows = json["comparison"]["rows"].as_array().unwrap().iter();
            let flagged = rows.filter(|row| ["worse", "better"].iter().any(|flag| row["verdict"] == *flag));
            eprintln!("trial {trial}: {new} {} {}", ended.code, flagged.clone().count());
            (flagged.count() > 0, ended.code == 113)
        };
        alarms += u32::from(flags(&same).0);
        found += u32::from(flags(&slow).1);
    }
    assert!(
        alarms * 5 <= trials,
        "{alarms} of {trials} pairs of the same were told apart"
    );
    assert!(found * 10 >= trials * 9, "10 % were found in {found} of {trials}");
}
