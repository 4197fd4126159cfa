//! The house rules that a compiler does not know: imports only go down the floors, every file says what it is for and is
//! short enough to be read in one sitting, unsafe code lives where its safety argument is written, and nothing is left
//! half done. ARCHITECTURE.md has the map.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Which floor a room is on. Rooms of one floor do not import each other.
const FLOORS: [(&str, u8); 13] = [
    ("pace", 0),
    ("address", 0),
    ("metrics", 1),
    ("config", 2),
    ("net", 2),
    ("script", 3),
    ("engine", 4),
    ("output", 4),
    ("report", 4),
    ("remote", 4),
    ("demo", 4),
    ("run", 5),
    ("cli", 6),
];

/// Files that may say `unsafe`, each with its safety argument at its head.
const UNSAFE: [&str; 2] = ["script/fiber.rs", "remote/ssh/transport.rs"];

/// A file longer than this has more than one thing in it. Tables of tests may be longer.
const LONGEST: usize = 500;

/// Macros that mark unfinished work or a debugging session.
const UNFINISHED: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// Crate-level files that belong to no room.
const ROOMLESS: [&str; 2] = ["lib.rs", "main.rs"];

fn floor(room: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(name, _)| *name == room)
        .map(|(_, floor)| *floor)
}

/// The source with comments, texts and characters blanked out, lines kept. Knows raw strings and nested comments.
fn code_of(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => quoted(rest),
            'r' if raw_prefix(rest).is_some() && !ends_in_word(&code) => {
                let hashes = raw_prefix(rest).unwrap();
                let end = format!("\"{}", "#".repeat(hashes));
                let start = hashes + 2;
                rest[start..]
                    .find(&end)
                    .map_or(rest.len(), |at| start + at + end.len())
            }
            // A character is `'x'` or `'\…'`; anything else after a quote is a lifetime.
            '\'' if rest[1..].starts_with('\\') => rest[3..].find('\'').map_or(rest.len(), |at| at + 4),
            '\'' if rest.chars().nth(2) == Some('\'') => {
                rest.char_indices().nth(3).map_or(rest.len(), |c| c.0)
            }
            _ => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
        };
        code.extend(rest[..taken].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &rest[taken..];
    }
    code
}

fn ends_in_word(code: &str) -> bool {
    // `br"…"` is a raw string of bytes; `for"…"` is not.
    let word: String = code
        .chars()
        .rev()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    !word.is_empty() && word != "b"
}

fn raw_prefix(text: &str) -> Option<usize> {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    text[1 + hashes..].starts_with('"').then_some(hashes)
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            match rest.chars().next() {
                Some(c) => at += c.len_utf8(),
                None => return at,
            }
        }
    }
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The rooms that code reaches through `crate::`, or through more `super::` than its room is deep, each with the line:
/// `crate::a::b`, and every branch of `crate::{a, b::c}`.
fn imports(path: &str, code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, start) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let before = &code[..at];
        if before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$')
            || before.ends_with("super::")
        {
            continue;
        }
        let mut tail = &code[at + start.len()..];
        if start == "super::" {
            let mut climbed = 1;
            while let Some(higher) = tail.strip_prefix("super::") {
                (climbed, tail) = (climbed + 1, higher);
            }
            if climbed < depth(path) + inline_modules(before) {
                continue;
            }
        }
        let line = before.matches('\n').count() + 1;
        let tail = tail.trim_start();
        match tail.strip_prefix('{') {
            None => found.push((line, word(tail))),
            Some(group) => {
                for branch in branches(group) {
                    found.push((line, word(branch.trim_start())));
                }
            }
        }
    }
    found
}

/// How many modules a file is below the crate's root: 1 for `net.rs` and `net/mod.rs`, 2 for `net/tls.rs`.
fn depth(path: &str) -> usize {
    path.strip_suffix("/mod.rs").unwrap_or(path).split('/').count()
}

/// How many `mod name {` are open at the end of the code.
fn inline_modules(code: &str) -> usize {
    let mut open = Vec::new();
    let mut start = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => {
                let mut before = code[start..at].split_whitespace().rev();
                open.push(before.next().is_some() && before.next() == Some("mod"));
                start = at + 1;
            }
            '}' => {
                open.pop();
                start = at + 1;
            }
            _ => {}
        }
    }
    open.into_iter().filter(|module| *module).count()
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// The words of a line, each with where it ends.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .map(|word| (word.as_ptr() as usize - line.as_ptr() as usize + word.len(), word))
}

/// What stands between the commas of a group's outermost level, up to its closing brace.
fn branches(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_u32, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// What is wrong with one file, whose path is given from `src/`.
fn faults(path: &str, source: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !source.starts_with("//!") {
        faults.push(format!(
            "src/{path}: does not open with `//!` that says what it is for"
        ));
    }
    let lines = source.lines().count();
    if lines > LONGEST && !path.ends_with("tests.rs") {
        faults.push(format!(
            "src/{path}: {lines} lines; more than {LONGEST} are better divided"
        ));
    }
    let code = code_of(source);
    for (number, line) in code.lines().enumerate() {
        let number = number + 1;
        if words(line).any(|(_, word)| word == "unsafe") && !UNSAFE.contains(&path) {
            faults.push(format!(
                "src/{path}:{number}: `unsafe` belongs into {}",
                UNSAFE.join(", ")
            ));
        }
        for (end, word) in words(line) {
            if UNFINISHED.contains(&word) && line[end..].trim_start().starts_with('!') {
                faults.push(format!("src/{path}:{number}: `{word}!` is left"));
            }
        }
    }
    if ROOMLESS.contains(&path) {
        return faults;
    }
    let room = path.split(['/', '.']).next().unwrap_or_default();
    let Some(mine) = floor(room) else {
        faults.push(format!(
            "src/{path}: the room `{room}` is not on the map of floors"
        ));
        return faults;
    };
    for (line, other) in imports(path, &code) {
        // What is no room is a macro or an item of the crate's root, of which there are none to import.
        match floor(&other) {
            None => faults.push(format!("src/{path}:{line}: `crate::{other}` is no room")),
            Some(theirs) if other != room && theirs >= mine => faults.push(format!(
                "src/{path}:{line}: {room} (floor {mine}) imports {other} (floor {theirs}); imports only go down"
            )),
            Some(_) => {}
        }
    }
    faults
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_house_keeps_its_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    files.sort();
    assert!(
        files.len() > 50,
        "only {} files under {}",
        files.len(),
        root.display()
    );
    let mut report = String::new();
    for file in files {
        let path = file
            .strip_prefix(&root)
            .unwrap()
            .to_string_lossy()
            .replace('\\', "/");
        for fault in faults(&path, &fs::read_to_string(&file).unwrap()) {
            writeln!(report, "{fault}").unwrap();
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn every_room_is_on_the_map() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let declared = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let unknown: Vec<&str> = declared.filter(|room| floor(room).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn violations_are_caught() {
    for (path, source, fault) in [
        (
            "pace/plan.rs",
            "//! x\nuse crate::metrics::Kind;",
            "pace (floor 0) imports metrics (floor 1)",
        ),
        (
            "engine/mod.rs",
            "//! x\nuse crate::output::Page;",
            "engine (floor 4) imports output (floor 4)",
        ),
        (
            "net/mod.rs",
            "//! x\nuse crate::config;",
            "net (floor 2) imports config (floor 2)",
        ),
        (
            "config/a.rs",
            "//! x\nfn f() { crate::net::g() }",
            "src/config/a.rs:2: config",
        ),
        (
            "config/a.rs",
            "//! x\nuse crate::{\n  pace::{Plan, Share},\n  script,\n};",
            "imports script (floor 3)",
        ),
        (
            "run.rs",
            "//! x\nuse crate::cli::Args;",
            "run (floor 5) imports cli (floor 6)",
        ),
        (
            "run/load.rs",
            "//! x\npub(in crate::cli) fn f() {}",
            "run (floor 5) imports cli (floor 6)",
        ),
        ("attic/mod.rs", "//! x", "the room `attic` is not on the map"),
        (
            "pace/plan.rs",
            "//! x\nuse crate::Plan;",
            "`crate::Plan` is no room",
        ),
        ("pace/plan.rs", "use std::fmt;", "does not open with `//!`"),
        (
            "net/mod.rs",
            "//! x\nunsafe { f() }",
            "src/net/mod.rs:2: `unsafe` belongs into script/fiber.rs",
        ),
        ("lib.rs", "//! x\nunsafe { f() }", "src/lib.rs:2: `unsafe`"),
        ("net/mod.rs", "//! x\nlet s = \"\\\"\"; unsafe {}", "`unsafe`"),
        ("net/mod.rs", "//! x\nlet c = '\"'; unsafe {}", "`unsafe`"),
        (
            "net/mod.rs",
            "//! x\nfn f<'a>(x: &'a str) { unsafe {} }",
            "`unsafe`",
        ),
        (
            "net/mod.rs",
            "//! x\nfn f() { todo!() }",
            "src/net/mod.rs:2: `todo!` is left",
        ),
        ("main.rs", "//! x\nlet y = dbg! (x);", "`dbg!` is left"),
        (
            "net/mod.rs",
            "//! x\nfn f() { std::unimplemented!() }",
            "`unimplemented!` is left",
        ),
        // `super` is the file's own module at the first step, and leaves the room at the one that passes its root.
        (
            "net/tls.rs",
            "//! x\nuse super::super::config::Config;",
            "src/net/tls.rs:2: net (floor 2) imports config (floor 2)",
        ),
        (
            "net.rs",
            "//! x\nuse super::{config, pace};",
            "src/net.rs:2: net (floor 2) imports config (floor 2)",
        ),
    ] {
        let found = faults(path, source);
        assert!(
            found.len() == 1 && found[0].contains(fault),
            "{source}\n{found:?}"
        );
    }
}

#[test]
fn long_files_are_caught_unless_they_are_tests() {
    let source = format!("//! x\n{}", "fn f() {}\n".repeat(LONGEST));
    assert_eq!(
        faults("net/mod.rs", &source),
        ["src/net/mod.rs: 501 lines; more than 500 are better divided"]
    );
    assert_eq!(faults("net/tests.rs", &source), Vec::<String>::new());
    assert_eq!(faults("net/tls/tests.rs", &source), Vec::<String>::new());
}

#[test]
fn what_is_allowed_passes() {
    for (path, source) in [
        (
            "engine/mod.rs",
            "//! x\nuse crate::{config::{Scenario, net}, metrics::builtin};\nuse crate::engine::x;",
        ),
        (
            "metrics/a.rs",
            "//! x\n// use crate::cli;\n/* crate::run /* unsafe */ crate::cli */\n/// [`crate::cli`]",
        ),
        (
            "metrics/a.rs",
            "//! x\nlet s = \"crate::cli unsafe\"; let r = r#\"unsafe \" crate::cli\"#;",
        ),
        (
            "metrics/a.rs",
            "//! x\n#![deny(unsafe_code)]\nlet c = ['\\'', '\"', 'u'];\nlet s = b\"unsafe\";",
        ),
        ("metrics/a.rs", "//! x\nuse other_crate::cli;"),
        ("script/fiber.rs", "//! x\nunsafe { f() }"),
        ("net/mod.rs", "//! x\nlet todo = !done; // todo!()"),
        (
            "net/tls/tests.rs",
            "//! x\nuse super::super::dns::x;\nmod inner { use super::super::super::metrics; }",
        ),
        ("main.rs", "//! x\nuse crate::cli;"),
    ] {
        assert_eq!(faults(path, source), Vec::<String>::new(), "{source}");
    }
}
