//! A check that reads a body, where bodies are thrown away.

use oxc_ast::AstKind;
use oxc_ast::ast::Expression;

use super::super::function::Func;
use super::super::project::{Project, Property, Thing};
use super::super::{Found, Rule};

pub const RULE: Rule = Rule {
    name: "body-discarded",
    why: "with discardResponseBodies the body is null: the check fails or throws also if the server answers right",
    mend: "ask for this one: { responseType: 'text' } in the request's parameters, or check the status only",
    check,
};

fn check(project: &Project<'_>, found: &mut Found) {
    let Some((module, options)) = project.options() else {
        return;
    };
    let Property::Found(module, value) = project.property(module, options, "discardResponseBodies") else {
        return;
    };
    let asked = project
        .modules
        .iter()
        .any(|source| source.text.contains("responseType"));
    if project.truth(module, value) != Some(true) || asked {
        return;
    }
    for one in project.checks() {
        if let Thing::Func(module, function) = project.what(one.module, &one.property.value)
            && let Some(span) = reads_body(project, module, function)
        {
            let what = format!(
                "the check '{}' reads a body that discardResponseBodies throws away",
                one.name
            );
            found.add(module, span, what);
        }
    }
}

fn reads_body<'a>(project: &Project<'a>, module: usize, function: Func<'a>) -> Option<oxc_ast::ast::Span> {
    let source = &project.modules[module];
    let response = function.param(0)?;
    source.nodes().find_map(|node| match node.kind() {
        AstKind::StaticMemberExpression(member)
            if ["body", "json", "html"].contains(&member.property.name.as_str()) =>
        {
            match &member.object {
                Expression::Identifier(name) if source.symbol_of(name) == Some(response) => Some(member.span),
                _ => None,
            }
        }
        _ => None,
    })
}
