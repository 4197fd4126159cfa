//! A variable that a comment tells people to set, and that nothing reads.

use std::collections::BTreeSet;

use oxc_ast::AstKind;
use oxc_ast::ast::{Expression, Span};
use oxc_span::GetSpan;

use super::super::super::variables::variables;
use super::super::project::{Project, Source};
use super::super::{Found, Rule};

pub const RULE: Rule = Rule {
    name: "variable-never-read",
    why: "who sets it gets the same test as before, and believes that it was another one",
    mend: "read it, as in `const profile = __ENV.PROFILE || 'smoke'` and `options = profiles[profile]`, or take the promise away",
    check,
};

/// What stands for any name, where a flag is explained.
const STAND_INS: [&str; 5] = ["NAME", "VAR", "VARIABLE", "KEY", "VALUE"];

fn check(project: &Project<'_>, found: &mut Found) {
    let mut read = BTreeSet::new();
    for source in &project.modules {
        for node in source.nodes() {
            match node.kind() {
                AstKind::StaticMemberExpression(member) => read.insert(member.property.name.as_str()),
                AstKind::StringLiteral(text) => read.insert(text.value.as_str()),
                AstKind::BindingProperty(property) => match property.key.static_name() {
                    Some(std::borrow::Cow::Borrowed(name)) => read.insert(name),
                    _ => false,
                },
                _ => false,
            };
        }
    }
    for (module, source) in project.modules.iter().enumerate() {
        let table: BTreeSet<String> = variables(source.text)
            .into_iter()
            .map(|variable| variable.name)
            .collect();
        let mut told = BTreeSet::new();
        for comment in &source.program.comments {
            let content = comment.content_span();
            let text = &source.text[content.start as usize..content.end as usize];
            for (offset, name) in names(text, &table) {
                let ours =
                    name.starts_with("K6_") || name.starts_with("LOADGEN_") || STAND_INS.contains(&name);
                if !ours && !read.contains(name) && told.insert(name) {
                    let at = content.start + offset as u32;
                    let what = format!("the comment says to set {name}, and nothing reads it");
                    found.add(module, Span::new(at, at), what);
                }
            }
        }
        unused(project, module, source, found);
    }
}

/// `-e NAME=`, `--env NAME=`, and the rows of a table of variables; with their offsets.
fn names<'t>(text: &'t str, table: &BTreeSet<String>) -> Vec<(usize, &'t str)> {
    let mut found = Vec::new();
    for flag in ["-e ", "--env ", "-e=", "--env="] {
        for (at, _) in text.match_indices(flag) {
            let rest = &text[at + flag.len()..];
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let begins = at == 0 || text[..at].ends_with([' ', '\t', '\n', '`', '"', '\'']);
            if begins && end > 0 && rest[end..].starts_with('=') {
                found.push((at + flag.len(), &rest[..end]));
            }
        }
    }
    let row = text.trim_start();
    let word = row.split_whitespace().next().unwrap_or_default();
    if table.contains(word) {
        found.push((text.len() - row.len(), word));
    }
    found
}

/// A constant that is set from a variable and used nowhere.
fn unused<'a>(project: &Project<'a>, module: usize, source: &Source<'a>, found: &mut Found) {
    let scoping = source.semantic.scoping();
    for symbol in scoping.symbol_ids() {
        let AstKind::VariableDeclarator(variable) = source.semantic.symbol_declaration(symbol).kind() else {
            continue;
        };
        let Some(value) = &variable.init else {
            continue;
        };
        if variable.id.get_binding_identifier().is_none() || !reads_environment(source, value) {
            continue;
        }
        let uses = project.uses(module, symbol);
        if uses.places.is_empty() && !uses.hidden && !project.is_exported(module, symbol) {
            let name = scoping.symbol_name(symbol);
            let what = format!("`{name}` is set from the environment, and nothing uses it");
            found.add(module, scoping.symbol_span(symbol), what);
        }
    }
}

/// Whether what a variable is set to has `__ENV` in it.
fn reads_environment<'a>(source: &Source<'a>, value: &Expression<'a>) -> bool {
    let within = value.span();
    source.nodes().any(|node| match node.kind() {
        AstKind::IdentifierReference(name) => {
            name.name == "__ENV" && within.contains_inclusive(name.span) && source.symbol_of(name).is_none()
        }
        _ => false,
    })
}
