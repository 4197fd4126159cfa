//! The scenarios that ship explain themselves: a description to list them by, and every variable and profile with its
//! default.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod run_support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use run_support::run;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every scenario's name and file, helpers left out.
fn scenarios() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the scenarios") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                if !path.ends_with("lib") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "js") {
                let name = path.strip_prefix(root()).unwrap().with_extension("");
                found.push((name.to_str().expect("a name").to_owned(), path));
            }
        }
    }
    found.sort();
    found
}

/// The text of a script, of the files that it imports from beside it, and of those that these import.
fn with_imports(path: &Path, seen: &mut BTreeSet<PathBuf>) -> String {
    let path = path
        .canonicalize()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if !seen.insert(path.clone()) {
        return String::new();
    }
    let mut text = read(&path);
    let imports: Vec<String> = text
        .lines()
        .filter_map(|line| line.split_once("from '.")?.1.strip_suffix("';"))
        .map(|rest| format!(".{rest}"))
        .collect();
    for import in imports {
        text += &with_imports(&path.with_file_name(import), seen);
    }
    text
}

/// The variables that a script reads: the first argument of `text`, `address`, `number` and `flag`.
fn variables(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for call in ["text('", "address('", "number('", "flag('"] {
        for (at, _) in text.match_indices(call) {
            found.extend(text[at + call.len()..].split('\'').next().map(str::to_owned));
        }
    }
    found
}

/// The comment that a script opens with.
fn opening(text: &str) -> Vec<&str> {
    text.lines().take_while(|line| line.starts_with("//")).collect()
}

/// The rows of the table of variables, as words.
fn table(text: &str) -> Vec<Vec<&str>> {
    let rows = opening(text)
        .into_iter()
        .skip_while(|line| !line.starts_with("// Variable "));
    rows.skip(1)
        .filter_map(|line| Some(line.strip_prefix("// ")?.split_whitespace().collect()))
        .collect()
}

#[test]
fn every_scenario_says_what_it_is_and_what_it_can_be_told() {
    let found = scenarios();
    assert!(found.len() >= 3);
    for (name, path) in found {
        let text = read(&path);
        let first = text.lines().next().expect("a line");
        let description = first.strip_prefix("// ").and_then(|line| line.split_once(": "));
        assert!(
            description.is_some_and(|(_, about)| about.len() > 10),
            "{name} starts with: {first}"
        );
        let documented: BTreeSet<String> = table(&text).iter().map(|row| row[0].to_owned()).collect();
        let own = variables(&text);
        let all = variables(&with_imports(&path, &mut BTreeSet::new()));
        assert!(
            own.is_subset(&documented),
            "{name} reads {own:?} and documents {documented:?}"
        );
        assert!(
            documented.is_subset(&all),
            "{name} documents {documented:?} and reads {all:?}"
        );
        assert!(
            opening(&text).join("\n").contains(&format!("loadgen run {name}")),
            "{name} shows how to run it"
        );
    }
}

#[test]
fn the_profiles_that_a_scenario_has_are_those_it_tells_of() {
    for (name, path) in scenarios() {
        let ended = run(&["inspect", "-e", "PROFILE=no-such-profile", &name]);
        let listed = ended.stderr.split("the profiles are: ").nth(1);
        let listed = listed.unwrap_or_else(|| panic!("{name}: {}", ended.stderr));
        let exist: BTreeSet<&str> = listed.lines().next().unwrap().split(", ").collect();
        let text = read(&path);
        let row = table(&text).into_iter().find(|row| row[0] == "PROFILE").unwrap();
        let default = row[1];
        assert!(exist.contains(default), "{name}: {default} of {exist:?}");
        for profile in exist {
            let told = row[2..]
                .iter()
                .any(|word| word.trim_matches([',', ';']) == profile);
            assert!(told, "{name} does not tell of {profile}: {row:?}");
            run(&["inspect", "-e", &format!("PROFILE={profile}"), &name]).expect(0);
        }
        let chosen = run(&["inspect", "-e", &format!("PROFILE={default}"), &name]).stdout;
        assert_eq!(run(&["inspect", &name]).stdout, chosen, "{name}");
    }
}
