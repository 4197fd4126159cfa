//! `options`, or a function of a script's life, that is written and not exported.

use oxc_ast::AstKind;

use super::super::project::Project;
use super::super::{Found, Rule};

pub const RULE: Rule = Rule {
    name: "not-exported",
    why: "only what is exported counts: the load, the thresholds or the step are silently left out",
    mend: "write `export` before it",
    check,
};

const NAMES: [&str; 5] = ["options", "setup", "teardown", "handleSummary", "verify"];

fn check(project: &Project<'_>, found: &mut Found) {
    if project.exported(0, "default").is_none() {
        return;
    }
    let source = &project.modules[0];
    let scoping = source.semantic.scoping();
    for symbol in scoping.symbol_ids() {
        let name = scoping.symbol_name(symbol);
        let top = scoping.symbol_scope_id(symbol) == scoping.root_scope_id();
        if !top || !NAMES.contains(&name) || project.exported(0, name).is_some() {
            continue;
        }
        let declared = source.semantic.symbol_declaration(symbol).kind();
        let made_here = matches!(declared, AstKind::VariableDeclarator(_) | AstKind::Function(_));
        let uses = project.uses(0, symbol);
        if made_here && uses.places.is_empty() && !project.is_exported(0, symbol) {
            let what = format!("`{name}` is not exported, so it has no effect");
            found.add(0, scoping.symbol_span(symbol), what);
        }
    }
}
