//! A long run of a closed model whose users never pause.

use std::time::Duration;

use oxc_ast::ast::{Expression, ObjectExpression};

use super::super::project::{Project, Property, Thing};
use super::super::{Found, Rule};
use crate::pace::{format_duration, parse_duration};

pub const RULE: Rule = Rule {
    name: "soak-without-pause",
    why: "users who never think send as fast as the server answers: the load is the server's speed, not what you planned, and a slower server gets less of it",
    mend: "end the iteration with sleep(1), set minIterationDuration, or use constant-arrival-rate",
    check,
};

/// From here on a run is a soak.
const LONG: Duration = Duration::from_mins(10);

fn check(project: &Project<'_>, found: &mut Found) {
    if !project.complete || pauses(project) {
        return;
    }
    if let Some((module, options)) = project.options()
        && ["minIterationDuration", "rps"]
            .iter()
            .any(|name| !matches!(project.property(module, options, name), Property::Absent))
    {
        return;
    }
    for load in project.loads() {
        let long = match &*load.executor {
            "constant-vus" => duration(project, load.module, load.object, "duration"),
            "ramping-vus" => stages(project, load.module, load.object),
            _ => None,
        };
        if let Some(long) = long.filter(|long| *long >= LONG) {
            let what = format!(
                "{} of {} without a pause in any iteration",
                format_duration(long),
                load.executor
            );
            found.add(load.module, load.span, what);
        }
    }
}

/// Whether anything waits that is not a request.
fn pauses(project: &Project<'_>) -> bool {
    let waits = |module: &str, path: &str| {
        path == "sleep" && module == "k6"
            || module == "k6/ws"
            || ["setTimeout", "setInterval"].contains(&path) && ["", "k6/timers"].contains(&module)
    };
    project.calls.iter().any(|call| {
        let by_name = call.api.as_ref().is_some_and(|api| waits(&api.module, &api.path));
        let method = call.call.callee.as_member_expression();
        by_name || method.is_some_and(|member| member.static_property_name() == Some("setTimeout"))
    }) || project.imports("k6/websockets")
        || project.imports_library() && project.modules.iter().any(|source| source.text.contains("sleep"))
}

fn duration<'a>(
    project: &Project<'a>,
    module: usize,
    object: &'a ObjectExpression<'a>,
    name: &str,
) -> Option<Duration> {
    match project.property(module, object, name) {
        Property::Found(module, value) => parse_duration(&project.text(module, value)?).ok(),
        Property::Absent | Property::Unknown => None,
    }
}

fn stages<'a>(project: &Project<'a>, module: usize, object: &'a ObjectExpression<'a>) -> Option<Duration> {
    let Property::Found(module, stages) = project.property(module, object, "stages") else {
        return None;
    };
    let Thing::Value(module, Expression::ArrayExpression(stages)) = project.what(module, stages) else {
        return None;
    };
    let mut sum = Duration::ZERO;
    for stage in &stages.elements {
        let (module, stage) = project.object(module, stage.as_expression()?)?;
        sum += duration(project, module, stage, "duration")?;
    }
    Some(sum)
}
