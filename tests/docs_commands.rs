//! Every command in `docs/` works.
//!
//! In a block marked `console`, each line `$ loadgen …` is run, in a folder that has the page's own scripts (a `js` block
//! whose first line is `// NAME.js`), and has to end with the exit code in its comment `# exit N`, else 0. The lines below
//! it have to be in its output, in this order; `…` stands for anything. In a block marked `sh`, commands are too long for a
//! test or need a server: they have to be ones that the program understands, of scripts that exist, and of a run every
//! option has to hold (`loadgen inspect`). A `json` block is the file runner.json.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod run_support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use clap::Parser;
use loadgen::cli::Cli;
use run_support::{Ended, loadgen};

/// A fenced block: its mark, and its lines.
struct Block {
    mark: String,
    lines: Vec<String>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(mark)) => {
                open = Some(Block {
                    mark: mark.trim().to_owned(),
                    lines: Vec::new(),
                });
            }
            (Some(_), Some("")) => found.extend(open.take()),
            (Some(block), _) => block.lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block that never ends");
    found
}

/// The pages by their names.
fn pages() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut pages: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    pages.sort();
    pages
}

/// A folder with the page's scripts, and with `loadgen` on its path.
struct Place {
    folder: tempfile::TempDir,
    path: String,
}

impl Place {
    fn of(blocks: &[Block]) -> Place {
        let folder = tempfile::tempdir().unwrap();
        for block in blocks.iter().filter(|block| block.mark == "js") {
            let name = block.lines.first().and_then(|line| line.strip_prefix("// "));
            if let Some(stem) = name.and_then(|name| name.strip_suffix(".js")) {
                let file = folder.path().join(format!("{stem}.js"));
                std::fs::write(file, block.lines.join("\n")).unwrap();
            }
        }
        for block in blocks.iter().filter(|block| block.mark == "json") {
            std::fs::write(folder.path().join("runner.json"), block.lines.join("\n")).unwrap();
        }
        let program = PathBuf::from(env!("CARGO_BIN_EXE_loadgen"));
        let path = format!(
            "{}:{}",
            program.parent().unwrap().display(),
            std::env::var("PATH").unwrap_or_default()
        );
        Place { folder, path }
    }

    fn shell(&self, command: &str) -> Ended {
        let mut shell = Command::new("sh");
        // The same clean environment as everywhere, and no page on a port that another run may have.
        for (name, value) in loadgen(&[]).get_envs() {
            if value.is_none() {
                shell.env_remove(name);
            }
        }
        shell
            .args(["-c", command])
            .current_dir(self.folder.path())
            .env("PATH", &self.path)
            .env("LOADGEN_METRICS_ADDR", "off")
            .env("NO_COLOR", "1");
        shell.output().unwrap().into()
    }
}

/// The exit code that a command is to have.
fn expected(command: &str) -> i32 {
    let said = command
        .split_once("# exit ")
        .map(|(_, rest)| rest.split([' ', ':']).next().unwrap());
    said.map_or(0, |code| code.parse().unwrap())
}

/// Fails unless these lines are in the output, in this order.
fn shows(command: &str, ended: &Ended, lines: &[String]) {
    let output = format!("{}\n{}", ended.stderr, ended.stdout);
    let mut rest = output.as_str();
    for line in lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty())
    {
        for part in line.split('…').map(str::trim).filter(|part| !part.is_empty()) {
            let at = rest.find(part);
            let at = at.unwrap_or_else(|| panic!("{command}\ndoes not show `{part}` of `{line}`:\n{output}"));
            rest = &rest[at + part.len()..];
        }
    }
}

static ALONE: Mutex<()> = Mutex::new(());

fn check(page: &str) {
    let (_, text) = pages().into_iter().find(|(name, _)| name == page).unwrap();
    let blocks = blocks(&text);
    let place = Place::of(&blocks);
    let mut ran = 0;
    for block in blocks.iter().filter(|block| block.mark == "console") {
        let starts: Vec<usize> = (0..block.lines.len())
            .filter(|at| block.lines[*at].starts_with("$ "))
            .collect();
        assert_eq!(
            starts.first(),
            Some(&0),
            "{page}: a console block starts with a command"
        );
        for (n, start) in starts.iter().enumerate() {
            let end = starts.get(n + 1).copied().unwrap_or(block.lines.len());
            let command = block.lines[*start].strip_prefix("$ ").unwrap();
            // One at a time: the scripts' thresholds hold for a machine that does nothing else.
            let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
            let ended = place.shell(command);
            drop(alone);
            let said = format!("{command}\n{}\n{}", ended.stdout, ended.stderr);
            assert_eq!(ended.code, expected(command), "{page}: {said}");
            shows(command, &ended, &block.lines[start + 1..end]);
            ran += 1;
        }
    }
    assert!(ran > 0, "{page} has a command that can be tried");

    for block in blocks.iter().filter(|block| block.mark == "sh") {
        let lines = joined(&block.lines);
        let set = |line: &&String| {
            line.split_once('=')
                .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase()))
        };
        let set: Vec<&str> = lines.iter().filter(set).map(String::as_str).collect();
        for line in lines.iter().filter(|line| line.starts_with("loadgen ")) {
            understood(page, &place, &set.join("; "), line);
        }
    }
}

/// Lines with those that end in a backslash joined to the next.
fn joined(lines: &[String]) -> Vec<String> {
    let text = lines.join("\n").replace("\\\n", " ");
    text.lines().map(str::to_owned).collect()
}

/// Fails unless the program understands the command, and its script exists. `set` sets the block's variables.
fn understood(page: &str, place: &Place, set: &str, line: &str) {
    let words = place.shell(&format!(
        "{set}\nloadgen() {{ printf '%s\\n' loadgen \"$@\"; }}; {line}"
    ));
    let words: Vec<&str> = words.stdout.lines().collect();
    if let Err(error) = Cli::try_parse_from(&words) {
        panic!("{page}: {line}\n{error}");
    }
    if words[1] != "run" {
        return;
    }
    let known = place.shell("loadgen list --json").stdout;
    let known: serde_json::Value = serde_json::from_str(&known).unwrap();
    let exists = |word: &&str| {
        place.folder.path().join(word).is_file()
            || known.as_array().unwrap().iter().any(|it| it["name"] == *word)
    };
    assert!(words[2..].iter().any(exists), "{page}: no script in: {line}");
    // What only a run takes, such as a tunnel, it refuses.
    let looked = [&["loadgen", "inspect"], &words[2..]].concat();
    if Cli::try_parse_from(&looked).is_ok() {
        place
            .shell(&format!("{set}\n{}", line.replacen("run", "inspect", 1)))
            .expect(0);
    }
}

macro_rules! pages {
    ($($test:ident $page:literal),* $(,)?) => {
        $(#[test]
        fn $test() {
            check($page);
        })*

        #[test]
        fn every_page_is_tried() {
            let known = [$($page),*];
            for (name, text) in pages() {
                let commands = text.contains("```console") || text.contains("```sh");
                assert!(!commands || known.contains(&name.as_str()), "docs/{name}.md has commands that nothing runs");
            }
        }
    };
}

pages! {
    prim "prim",
    tachikoma "tachikoma",
    sequencer "sequencer",
    flux_gate "flux-gate",
    happy "happy",
    traces "traces",
    breakpoint "breakpoint",
    writing_a_scenario "writing-a-scenario",
    lint "lint",
    control "control",
    compare "compare",
    scaling "scaling",
}
