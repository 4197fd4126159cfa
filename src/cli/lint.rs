//! `loadgen lint`: mistakes in a script that make its test lie.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::exit::{ExitCode, fail};
use crate::script::Entry;
use crate::script::lint::{Finding, lint, rules};

const NOTES: &str = "\
A finding is silenced by its rule's name, at the end of the line or on the line before:
  check(r, { up: () => true }); // loadgen-lint-ignore check-never-fails -- why
Without a name all rules are silenced for that line.

Exit codes: 0 without findings, 116 with some, 104 if a script cannot be read or has a syntax error.

Examples:
  loadgen lint test.js
  loadgen lint load-tests/                   every script below a folder
  loadgen lint --format json test.js
  loadgen lint --rules                       what is looked for, and why";

/// How findings are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Find mistakes in scripts that make a test lie; exit code 116 if there are any
#[derive(Clone, Debug, Args)]
#[command(after_help = NOTES)]
pub struct LintArgs {
    /// Scripts, folders of scripts, scenarios by name (see `loadgen list`), or - for standard input
    #[arg(value_name = "FILE", required_unless_present = "rules")]
    files: Vec<String>,
    /// How to show findings
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Show the rules instead
    #[arg(long)]
    rules: bool,
}

impl LintArgs {
    /// Examines them.
    pub fn execute(&self) -> ExitCode {
        if self.rules {
            super::print(&list(self.format));
            return ExitCode::Passed;
        }
        let mut findings = BTreeSet::new();
        let mut code = ExitCode::Passed;
        let mut scripts = 0;
        for file in &self.files {
            let entries = match entries(file) {
                Ok(entries) => entries,
                Err(message) => {
                    code = fail(&message, ExitCode::Config);
                    continue;
                }
            };
            for entry in entries {
                scripts += 1;
                match lint(&entry) {
                    Ok(found) => findings.extend(found),
                    Err(error) => code = fail(&error, ExitCode::Config),
                }
            }
        }
        let here = std::env::current_dir().ok();
        let findings: Vec<Finding> = findings
            .into_iter()
            .map(|one| shorten(one, here.as_deref()))
            .collect();
        super::print(&match self.format {
            Format::Text => text(&findings, scripts),
            Format::Json => {
                let report = serde_json::json!({ "scripts": scripts, "findings": findings });
                format!("{report:#}\n")
            }
        });
        match code {
            ExitCode::Passed if !findings.is_empty() => ExitCode::Lint,
            code => code,
        }
    }
}

/// The scripts that an argument means.
fn entries(file: &str) -> Result<Vec<Entry>, String> {
    if !Path::new(file).is_dir() {
        return Ok(vec![Entry::find(file)?]);
    }
    let mut folders = vec![PathBuf::from(file)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let listed = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in listed.flatten() {
            let path = entry.path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            if path.is_dir() {
                let name = entry.file_name();
                if name != "node_modules" && !name.to_string_lossy().starts_with('.') {
                    folders.push(path);
                }
            } else if extension.is_some_and(|extension| ["js", "mjs", "ts"].contains(&extension)) {
                found.push(path);
            }
        }
    }
    if found.is_empty() {
        return Err(format!(
            "there is no script in {file}: a script ends in .js or .ts"
        ));
    }
    found.sort();
    Ok(found.into_iter().map(Entry::File).collect())
}

/// The file as seen from here.
fn shorten(mut finding: Finding, here: Option<&Path>) -> Finding {
    if let Some(short) = here.and_then(|here| Path::new(&finding.file).strip_prefix(here).ok()) {
        finding.file = short.display().to_string();
    }
    finding
}

fn text(findings: &[Finding], scripts: usize) -> String {
    let mut text = String::new();
    for finding in findings {
        let Finding {
            file,
            line,
            column,
            rule,
            what,
            why,
            mend,
        } = finding;
        let _ = writeln!(
            text,
            "{file}:{line}:{column}: {rule}: {what}\n    why:  {why}\n    mend: {mend}"
        );
    }
    let files = if scripts == 1 {
        "1 script".to_owned()
    } else {
        format!("{scripts} scripts")
    };
    let _ = match findings.len() {
        0 => writeln!(text, "no findings in {files}"),
        1 => writeln!(text, "1 finding in {files}"),
        n => writeln!(text, "{n} findings in {files}"),
    };
    text
}

fn list(format: Format) -> String {
    if format == Format::Json {
        let rules = rules()
            .iter()
            .map(|rule| serde_json::json!({ "rule": rule.name, "why": rule.why, "mend": rule.mend }));
        let rules: Vec<_> = rules.collect();
        return format!("{:#}\n", serde_json::Value::from(rules));
    }
    let mut text = String::new();
    for rule in rules() {
        let _ = writeln!(
            text,
            "{}\n    why:  {}\n    mend: {}",
            rule.name, rule.why, rule.mend
        );
    }
    text
}
