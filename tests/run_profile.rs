//! `--profile`: a script's own profiles, the shared ones, and what wins over them.
#![allow(clippy::unwrap_used)]

mod run_support;

use run_support::{Ended, Scripted, run};
use serde_json::{Value, json};

fn inspected(arguments: &[&str]) -> Value {
    let ended = run(&[&["inspect"], arguments].concat()).expect(0);
    serde_json::from_str(&ended.stdout).unwrap()
}

fn refused(arguments: &[&str]) -> Ended {
    run(&[&["inspect"], arguments].concat()).expect(104)
}

const OWN: &str = "
    export const profiles = { smoke: { vus: 1, duration: '2s' }, big: { stages: [{ duration: '9s', target: 7 }] } };
    const name = __ENV.PROFILE || 'smoke';
    if (!profiles[name]) throw new Error(`the script itself does not know ${name}`);
    export const options = { ...profiles[name], tags: { told: name } };
    export default function () {}";

#[test]
fn a_scripts_own_profile_is_its_load_and_the_script_is_told() {
    let script = Scripted::new(OWN);
    let options = inspected(&["--profile", "big", script.path()]);
    assert_eq!(
        options["scenarios"]["default"]["stages"],
        json!([{ "duration": "9s", "target": 7 }])
    );
    assert_eq!(options["tags"]["told"], "big");
}

#[test]
fn a_script_without_profiles_has_the_shared_ones() {
    let script =
        Scripted::new("export const options = { vus: 3, iterations: 9 }; export default function () {}");
    let options = inspected(&["--profile", "smoke", script.path()]);
    let scenario = &options["scenarios"]["default"];
    assert_eq!(
        (&scenario["executor"], &scenario["duration"], &scenario["vus"]),
        (&json!("constant-vus"), &json!("30s"), &json!(1))
    );
}

#[test]
fn the_variable_alone_chooses_for_a_script_that_does_not_know_it() {
    let script =
        Scripted::new("export const options = { vus: 3, iterations: 9 }; export default function () {}");
    let options = inspected(&["-e", "PROFILE=stress", script.path()]);
    assert_eq!(
        options["scenarios"]["default"]["stages"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
    refused(&["-e", "PROFILE=sterss", script.path()]).says(&["sterss", "stress"]);
    // A script that reads it does so in its own way.
    let script = Scripted::new(
        "export const options = { vus: __ENV.PROFILE === 'mine' ? 7 : 1, iterations: 9 }; export default function () {}",
    );
    let options = inspected(&["-e", "PROFILE=mine", script.path()]);
    assert_eq!(options["scenarios"]["default"]["vus"], 7);
}

#[test]
fn the_scripts_number_of_users_is_no_part_of_a_profiles_load() {
    let script =
        Scripted::new("export const options = { vus: 3, duration: '1m' }; export default function () {}");
    let options = inspected(&["--profile", "load", script.path()]);
    assert_eq!(options["scenarios"]["default"]["startVUs"], 1);
    let options = inspected(&["--profile", "load", "--vus", "2", script.path()]);
    assert_eq!(options["scenarios"]["default"]["startVUs"], 2);
}

#[test]
fn flags_win_over_a_profile_and_a_profile_over_the_script() {
    let script =
        Scripted::new("export const options = { vus: 3, duration: '1m' }; export default function () {}");
    let options = inspected(&[
        "--profile",
        "smoke",
        "--vus",
        "5",
        "--duration",
        "4s",
        script.path(),
    ]);
    let scenario = &options["scenarios"]["default"];
    assert_eq!(
        (&scenario["duration"], &scenario["vus"]),
        (&json!("4s"), &json!(5))
    );
    let options = inspected(&["--profile", "stress", "-s", "3s:4", script.path()]);
    assert_eq!(
        options["scenarios"]["default"]["stages"],
        json!([{ "duration": "3s", "target": 4 }])
    );
}

#[test]
fn an_unknown_profile_lists_those_that_exist() {
    let script = Scripted::new(OWN);
    refused(&["--profile", "nope", script.path()])
        .says(&["there is no profile `nope`; this script's own are: smoke, big"]);
    refused(&["--profile", "nope", "--", "health"]).says(&[
        "there is no profile `nope`",
        "smoke",
        "soak",
        "endurance",
    ]);
    let odd = Scripted::new("export const profiles = { smoke: 5 }; export default function () {}");
    refused(&["--profile", "smoke", odd.path()])
        .says(&["the profile `smoke` of this script is not an object"]);
    let wrong = Scripted::new(
        "export const profiles = { smoke: { vus: 'many', duration: '1s' } }; export default function () {}",
    );
    refused(&["--profile", "smoke", wrong.path()]).says(&["the profile's vus", "many"]);
}

#[test]
fn a_script_from_standard_input_can_have_profiles_too() {
    let mut command = run_support::loadgen(&["inspect", "--profile", "big", "-"]);
    let script = Scripted::new(OWN);
    command.stdin(std::fs::File::open(script.path()).unwrap());
    let ended: Ended = command.output().unwrap().into();
    assert!(ended.expect(0).stdout.contains("\"target\": 7"));
}

#[test]
fn every_scenario_is_listed_with_its_profiles() {
    let ended = run(&["list", "--json"]).expect(0);
    let all: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
    assert!(all.len() >= 3);
    for scenario in &all {
        assert_eq!(scenario["error"], Value::Null, "{scenario}");
        let names = scenario["profiles"].as_array().unwrap();
        assert!(names.contains(&json!("smoke")), "{scenario}");
        assert!(!scenario["description"].as_str().unwrap().is_empty());
    }
    let text = run(&["list"]).expect(0).stdout;
    assert!(text.contains("profiles: smoke, load"), "{text}");
}

#[test]
fn a_scenario_that_does_not_load_is_listed_with_the_reason_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let scenarios = folder.path().join("scenarios");
    std::fs::create_dir(&scenarios).unwrap();
    for (name, text) in [
        ("torn", "// Torn: in the middle\nexport default function (\n"),
        ("endless", "for (;;) {}"),
    ] {
        std::fs::write(scenarios.join(format!("{name}.js")), text).unwrap();
    }
    let mut command = run_support::loadgen(&["list", "--json"]);
    let ended: Ended = command.current_dir(folder.path()).output().unwrap().into();
    let all: Vec<Value> = serde_json::from_str(&ended.expect(0).stdout).unwrap();
    let of = |name: &str| all.iter().find(|entry| entry["name"] == name).unwrap();
    assert_eq!(of("torn")["description"], "Torn: in the middle");
    let error = of("torn")["error"].as_str().unwrap();
    assert!(error.contains("torn.js:") && !error.contains('\n'), "{error}");
    let error = of("endless")["error"].as_str().unwrap();
    assert!(error.contains("took longer than"), "{error}");
    assert!(of("health")["profiles"].is_array());
}
