//! A request whose name is another one each time.

use oxc_ast::ast::{Argument, Expression};
use oxc_span::GetSpan;

use super::super::http::{Has, request};
use super::super::project::Project;
use super::super::vary::Vary;
use super::super::{Found, Rule};

pub const RULE: Rule = Rule {
    name: "unbounded-name",
    why: "each address becomes a name with percentiles of its own, so no figure is of the endpoint; loadgen puts :id for what looks like one and collects the rest under __other__ past 200 names, k6 keeps them all in memory",
    mend: "name it: http.get(url, { tags: { name: 'GET /users/:id' } }), or http.get(http.url`https://host/users/${id}`)",
    check,
};

fn check(project: &Project<'_>, found: &mut Found) {
    // A name for all that a virtual user does.
    let named = |text: &str| {
        ["tags.name", "tags['name']", "tags[\"name\"]"]
            .iter()
            .any(|way| text.contains(way))
    };
    if project.modules.iter().any(|source| named(source.text)) {
        return;
    }
    for call in &project.calls {
        let Some((url, params)) = request(call) else {
            continue;
        };
        let params = call.call.arguments.get(params).and_then(Argument::as_expression);
        if project.says(call.module, params, &["tags", "name"]) != Has::No {
            continue;
        }
        if let Some(url) = call.call.arguments.get(url).and_then(Argument::as_expression) {
            examine(project, call.module, url, found);
        }
    }
    for call in project.calls_of("k6/http", "batch") {
        let Some(Argument::ArrayExpression(list)) = call.call.arguments.first() else {
            continue;
        };
        for url in list.elements.iter().filter_map(|item| item.as_expression()) {
            if matches!(
                url,
                Expression::TemplateLiteral(_) | Expression::BinaryExpression(_)
            ) {
                examine(project, call.module, url, found);
            }
        }
    }
}

fn examine<'a>(project: &Project<'a>, module: usize, url: &'a Expression<'a>, found: &mut Found) {
    if matches!(
        url.get_inner_expression(),
        Expression::TaggedTemplateExpression(_)
    ) {
        return;
    }
    if let Vary::Endless(from) = project.vary(module, url) {
        let what =
            format!("the address has ever new values in it (from `{from}`), and the request has no name");
        found.add(module, url.span(), what);
    }
}
