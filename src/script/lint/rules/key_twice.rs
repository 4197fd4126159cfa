//! The same name twice in a check or among the thresholds.

use std::collections::BTreeSet;

use oxc_ast::ast::{ObjectExpression, ObjectPropertyKind};
use oxc_span::GetSpan;

use super::super::http::argument;
use super::super::project::{Project, Property};
use super::super::{Found, Rule};

pub const RULE: Rule = Rule {
    name: "key-twice",
    why: "of two entries with one name JavaScript keeps the last: the first check or threshold is never judged",
    mend: "give each a name of its own; several thresholds on one metric are a list: ['p(95)<500', 'p(99)<1000']",
    check,
};

fn check(project: &Project<'_>, found: &mut Found) {
    for call in project.calls_of("k6", "check") {
        if let Some((module, object)) =
            argument(call.call, 1).and_then(|sets| project.object(call.module, sets))
        {
            examine(module, object, "check", found);
        }
    }
    if let Some((module, options)) = project.options() {
        examine(module, options, "option", found);
        if let Property::Found(module, thresholds) = project.property(module, options, "thresholds")
            && let Some((module, object)) = project.object(module, thresholds)
        {
            examine(module, object, "threshold", found);
        }
    }
}

fn examine(module: usize, object: &ObjectExpression<'_>, what: &str, found: &mut Found) {
    let mut seen = BTreeSet::new();
    for property in object
        .properties
        .iter()
        .filter_map(ObjectPropertyKind::as_property)
    {
        if let Some(name) = property.key.static_name()
            && !seen.insert(name.clone())
        {
            let text = format!("the {what} '{name}' is there twice: only this one counts");
            found.add(module, property.key.span(), text);
        }
    }
}
