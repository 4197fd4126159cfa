//! Mistakes in a script that make its test lie: it passes though the server failed, or reports what was not measured.
//!
//! A script is read with all that it imports and is not run. [`project`] knows what names stand for; `rules/` has one
//! file per mistake. What a rule cannot tell for sure it does not report.

mod constant;
mod function;
mod http;
mod ignore;
mod metrics;
mod module;
mod options;
mod predicate;
mod project;
mod rules;
#[cfg(test)]
mod tests;
mod vary;

use oxc_allocator::Allocator;
use oxc_ast::ast::Span;
use serde::Serialize;

use super::source::Entry;
use project::Project;

/// One mistake, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The module's file, or `bundled:…`.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// The rule's name.
    pub rule: &'static str,
    /// What is wrong here.
    pub what: String,
    /// How it makes the test lie.
    pub why: &'static str,
    /// What to write instead.
    pub mend: &'static str,
}

/// Why a script could not be examined.
#[derive(Debug, thiserror::Error)]
pub enum LintError {
    /// A file that is not there.
    #[error("{0}")]
    Read(String),
    /// A text that is no JavaScript or TypeScript.
    #[error("{0}")]
    Syntax(String),
}

/// A kind of mistake.
pub struct Rule {
    /// As in findings, and in comments that silence them.
    pub name: &'static str,
    /// How it makes the test lie.
    pub why: &'static str,
    /// What to write instead.
    pub mend: &'static str,
    check: fn(&Project<'_>, &mut Found),
}

/// All rules, in the order of their names.
pub fn rules() -> &'static [Rule] {
    rules::ALL
}

/// What a rule found: module, place, and what is wrong there.
#[derive(Default)]
struct Found(Vec<(usize, u32, String)>);

impl Found {
    fn add(&mut self, module: usize, span: Span, what: impl Into<String>) {
        self.0.push((module, span.start, what.into()));
    }
}

/// Examines a script and all that it imports. Findings are in the order of their places.
///
/// # Errors
/// A file that cannot be read, or whose syntax is wrong.
pub fn lint(entry: &Entry) -> Result<Vec<Finding>, LintError> {
    let name = entry.module().map_err(LintError::Read)?;
    let text = entry.read().map_err(LintError::Read)?;
    lint_text(&name, &text)
}

/// The same for a text, as the module of this name.
fn lint_text(name: &str, text: &str) -> Result<Vec<Finding>, LintError> {
    let arena = Allocator::default();
    let project = Project::read(&arena, name, text)?;
    let silenced: Vec<_> = project.modules.iter().map(ignore::ignores).collect();
    let mut findings = Vec::new();
    for rule in rules::ALL {
        let mut found = Found::default();
        (rule.check)(&project, &mut found);
        for (module, at, what) in found.0 {
            let source = &project.modules[module];
            let (line, column) = place(source.text, at);
            if silenced[module]
                .iter()
                .any(|ignore| ignore.silences(rule.name, line))
            {
                continue;
            }
            findings.push(Finding {
                file: source.file(),
                line,
                column,
                rule: rule.name,
                what,
                why: rule.why,
                mend: rule.mend,
            });
        }
    }
    findings.sort();
    findings.dedup();
    Ok(findings)
}

/// Line and column of an offset, from 1.
fn place(text: &str, offset: u32) -> (u32, u32) {
    let before = text.get(..offset as usize).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line as u32, column as u32)
}
