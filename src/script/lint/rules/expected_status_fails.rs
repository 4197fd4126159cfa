//! A status from 400 up that a check takes for right, and that counts as a failed request all the same.

use std::collections::BTreeSet;

use oxc_ast::ast::{Argument, BinaryOperator, Expression};
use oxc_span::GetSpan;

use super::super::http::{Has, argument, request};
use super::super::project::{Project, Property, Thing};
use super::super::{Found, Rule};

pub const RULE: Rule = Rule {
    name: "expected-status-fails",
    why: "http_req_failed counts every status from 400 up, so the error rate has answers in it that are right: a 409 of a flash sale, a 404 of a search",
    mend: "tell the request: { responseCallback: http.expectedStatuses(200, 409) }, or once for all: http.setResponseCallback(...)",
    check,
};

fn check(project: &Project<'_>, found: &mut Found) {
    let Some(expected) = expected(project) else {
        return;
    };
    for one in project.checks() {
        let Thing::Func(module, function) = project.what(one.module, &one.property.value) else {
            continue;
        };
        let Some(response) = argument(one.call.call, 0) else {
            continue;
        };
        if response.is_null_or_undefined() || told(project, one.call.module, response) {
            continue;
        }
        let returns = function.returns(&project.modules[module]);
        for value in &returns.values {
            let mut codes = BTreeSet::new();
            accepted(project, module, value, &mut codes);
            codes.retain(|code| !expected.contains(code));
            if !codes.is_empty() {
                let list: Vec<String> = codes.iter().map(u16::to_string).collect();
                let what = format!(
                    "the check '{}' takes {} for right, but such a response counts as failed in http_req_failed",
                    one.name,
                    list.join(" and ")
                );
                found.add(module, value.span(), what);
            }
        }
    }
}

/// Statuses that are expected somewhere; nothing if that cannot be told, or if nothing is sent over HTTP.
fn expected<'a>(project: &Project<'a>) -> Option<BTreeSet<u16>> {
    let mut codes = BTreeSet::new();
    if !project.imports("k6/http") {
        return None;
    }
    for call in project.calls_of("k6/http", "setResponseCallback") {
        let callback = argument(call.call, 0)?;
        is_expected_statuses(project, call.module, callback).then_some(())?;
    }
    for call in project.calls_of("k6/http", "expectedStatuses") {
        for status in &call.call.arguments {
            let status = status.as_expression()?;
            match project.object(call.module, status) {
                Some((module, range)) => {
                    let bound = |name: &str| match project.property(module, range, name) {
                        Property::Found(module, value) => project.number(module, value),
                        _ => None,
                    };
                    codes.extend(bound("min")? as u16..=bound("max")? as u16);
                }
                None => {
                    codes.insert(project.number(call.module, status)? as u16);
                }
            }
        }
    }
    Some(codes)
}

fn is_expected_statuses<'a>(project: &Project<'a>, module: usize, callback: &'a Expression<'a>) -> bool {
    match project.what(module, callback) {
        Thing::Value(module, Expression::CallExpression(call)) => project
            .api(module, &call.callee)
            .is_some_and(|api| api.is("k6/http", "expectedStatuses")),
        _ => false,
    }
}

/// Whether the request of this response says itself what it expects, or may.
fn told<'a>(project: &Project<'a>, module: usize, response: &'a Expression<'a>) -> bool {
    let Thing::Value(module, Expression::CallExpression(sent)) = project.what(module, response) else {
        return false;
    };
    let Some(call) = project
        .calls
        .iter()
        .find(|call| call.module == module && std::ptr::eq(call.call, &raw const **sent))
    else {
        return true;
    };
    match request(call) {
        Some((_, params)) => {
            let params = call.call.arguments.get(params).and_then(Argument::as_expression);
            project.says(module, params, &["responseCallback"]) != Has::No
        }
        // A helper of the script's own: what it tells the request is seen where it sends.
        None => false,
    }
}

/// The statuses from 400 up that this accepts.
fn accepted<'a>(project: &Project<'a>, module: usize, value: &'a Expression<'a>, codes: &mut BTreeSet<u16>) {
    let status = |side: &Expression<'a>| {
        let member = side.get_inner_expression().as_member_expression();
        member.is_some_and(|member| {
            member.static_property_name() == Some("status") && member.object().is_identifier_reference()
        })
    };
    let mut add = |code: f64| {
        if (400.0..600.0).contains(&code) {
            codes.insert(code as u16);
        }
    };
    match value.get_inner_expression() {
        Expression::BinaryExpression(binary)
            if matches!(
                binary.operator,
                BinaryOperator::Equality | BinaryOperator::StrictEquality
            ) && status(&binary.left) =>
        {
            project.number(module, &binary.right).into_iter().for_each(add);
        }
        Expression::LogicalExpression(logical) => {
            accepted(project, module, &logical.left, codes);
            accepted(project, module, &logical.right, codes);
        }
        Expression::CallExpression(call) => {
            let Some(member) = call.callee.as_member_expression() else {
                return;
            };
            let asks = member.static_property_name() == Some("includes");
            if asks
                && argument(call, 0).is_some_and(status)
                && let Thing::Value(module, Expression::ArrayExpression(list)) =
                    project.what(module, member.object())
            {
                let items = list.elements.iter().filter_map(|item| item.as_expression());
                items
                    .filter_map(|item| project.number(module, item))
                    .for_each(&mut add);
            }
        }
        _ => {}
    }
}
