//! A promise where its value is meant.

use oxc_ast::AstKind;

use super::super::http::argument;
use super::super::project::{Project, Thing};
use super::super::{Found, Rule};
use oxc_ast::ast::Expression;
use oxc_span::GetSpan;

pub const RULE: Rule = Rule {
    name: "promise-not-awaited",
    why: "a promise has no status and no body, and the iteration ends without waiting for it: what is checked or measured is not the response",
    mend: "make the function async and write `await http.asyncRequest(...)`",
    check,
};

fn check(project: &Project<'_>, found: &mut Found) {
    for call in project.calls_of("k6", "check") {
        let Some(value) = argument(call.call, 0) else {
            continue;
        };
        if let Thing::Value(module, Expression::CallExpression(sent)) = project.what(call.module, value)
            && project
                .api(module, &sent.callee)
                .is_some_and(|api| api.is("k6/http", "asyncRequest"))
        {
            found.add(
                call.module,
                value.span(),
                "check() gets the promise of asyncRequest(), not its response",
            );
        }
    }
    for call in project.calls_of("k6/http", "asyncRequest") {
        let nodes = project.modules[call.module].semantic.nodes();
        if matches!(nodes.parent_kind(call.node), AstKind::ExpressionStatement(_)) {
            found.add(
                call.module,
                call.call.span,
                "nothing waits for what asyncRequest() promises",
            );
        }
    }
}
