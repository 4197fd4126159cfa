//! A comment that silences a rule that is not there.

use oxc_ast::ast::Span;

use super::super::ignore::ignores;
use super::super::project::Project;
use super::super::{Found, Rule};

pub const RULE: Rule = Rule {
    name: "ignore-unknown",
    why: "it silences nothing, or one day a rule that was not meant",
    mend: "write the rule's name as findings show it: // loadgen-lint-ignore check-never-fails",
    check,
};

fn check(project: &Project<'_>, found: &mut Found) {
    for (module, source) in project.modules.iter().enumerate() {
        for ignore in ignores(source) {
            for name in &ignore.rules {
                if !super::ALL.iter().any(|rule| rule.name == name) {
                    let what = format!("there is no rule '{name}' to ignore");
                    found.add(module, Span::new(ignore.at, ignore.at), what);
                }
            }
        }
    }
}
