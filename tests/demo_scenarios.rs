//! The scenarios that ship explain themselves: a description to list them by, and every variable with its default.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files that a script imports from beside it, and those that these import.
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
        .filter_map(|line| line.split_once("from './")?.1.strip_suffix("';"))
        .map(str::to_owned)
        .collect();
    for import in imports {
        text += &with_imports(&path.with_file_name(import), seen);
    }
    text
}

/// The variables that a script reads: the first argument of `text`, `number` and `flag`.
fn variables(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for call in ["text('", "number('", "flag('"] {
        for (at, _) in text.match_indices(call) {
            found.extend(text[at + call.len()..].split('\'').next().map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_scenario_says_what_it_is_and_what_it_can_be_told() {
    let mut names = Vec::new();
    for entry in fs::read_dir(scenarios()).expect("the scenarios") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "js") {
            continue;
        }
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a name")
            .to_owned();
        let text = read(&path);
        let first = text.lines().next().expect("a line");
        let description = first.strip_prefix("// ").and_then(|line| line.split_once(": "));
        assert!(
            description.is_some_and(|(_, about)| about.len() > 10),
            "{name} starts with: {first}"
        );

        let comment: String = text
            .lines()
            .take_while(|line| line.starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        let documented: BTreeSet<String> = comment
            .lines()
            .skip_while(|line| !line.starts_with("// Variable "))
            .skip(1)
            .filter_map(|line| line.strip_prefix("// ")?.split_whitespace().next())
            .map(str::to_owned)
            .collect();
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
            comment.contains(&format!("loadgen run {name}")),
            "{name} shows how to run it"
        );
        names.push(name);
    }
    names.sort();
    assert_eq!(names, ["health", "spike", "store-crud"]);
}
