//! A time in the wrong unit: `sleep(1000)`, `timeout: 30`, a latency below 1.

use oxc_span::GetSpan;

use super::super::http::{argument, request};
use super::super::project::{Project, Property};
use super::super::{Found, Rule};
use crate::metrics::{Aggregation, Contains, Expression, Filter, Op, builtin};

pub const RULE: Rule = Rule {
    name: "unit-mistaken",
    why: "the pause, the timeout or the limit is a thousand times what was meant, or a thousandth",
    mend: "sleep() takes seconds, a timeout that is a number milliseconds (write '30s'), a threshold on a time milliseconds",
    check,
};

/// Nobody thinks for longer.
const LONG_SLEEP: f64 = 500.0;
/// No request that is meant to end has less.
const SHORT_TIMEOUT: f64 = 100.0;

fn check(project: &Project<'_>, found: &mut Found) {
    for call in project.calls_of("k6", "sleep") {
        let seconds = argument(call.call, 0).and_then(|value| project.number(call.module, value));
        if let Some(seconds) = seconds.filter(|seconds| *seconds >= LONG_SLEEP) {
            let what = format!(
                "sleep({seconds}) is {:.0} minutes: it takes seconds",
                seconds / 60.0
            );
            found.add(call.module, call.call.span, what);
        }
    }
    for call in &project.calls {
        if let Some((_, params)) = request(call)
            && let Some((module, object)) =
                argument(call.call, params).and_then(|params| project.object(call.module, params))
            && let Property::Found(module, timeout) = project.property(module, object, "timeout")
            && let Some(time) = project.number(module, timeout)
            && time > 0.0
            && time < SHORT_TIMEOUT
        {
            let what = format!("a timeout of {time} is {time} milliseconds; for seconds write '{time}s'");
            found.add(module, timeout.span(), what);
        }
    }
    for threshold in project.thresholds() {
        let Ok(filter) = threshold.key.parse::<Filter>() else {
            continue;
        };
        let is_time = builtin::ALL
            .iter()
            .any(|metric| metric.0 == filter.metric && metric.2 == Contains::Time);
        // Phases may well take less than a millisecond.
        if !is_time || !filter.metric.ends_with("_duration") {
            continue;
        }
        for item in &threshold.items {
            let Ok(expression) = item.text.parse::<Expression>() else {
                continue;
            };
            let upper = matches!(expression.op, Op::Less | Op::LessEqual);
            if upper && expression.bound < 1.0 && expression.aggregation != Aggregation::Min {
                let what = format!(
                    "`{}` of '{}' is {} milliseconds",
                    item.text, filter.metric, expression.bound
                );
                found.add(item.module, item.span, what);
            }
        }
    }
}
