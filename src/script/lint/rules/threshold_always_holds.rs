//! A threshold that holds whatever happens: a share that may be 5, a latency that may be negative.

use super::super::project::Project;
use super::super::{Found, Rule};
use crate::metrics::{Aggregation, Expression, Filter, Kind, Op, builtin};

pub const RULE: Rule = Rule {
    name: "threshold-always-holds",
    why: "the run passes however bad it was",
    mend: "shares are from 0 to 1: one percent is rate<0.01; times are in milliseconds",
    check,
};

fn check(project: &Project<'_>, found: &mut Found) {
    let metrics = project.metrics();
    for threshold in project.thresholds() {
        let Ok(filter) = threshold.key.parse::<Filter>() else {
            continue;
        };
        let own = metrics
            .iter()
            .find(|metric| metric.name.as_deref() == Some(&filter.metric));
        let built_in = builtin::ALL.iter().find(|metric| metric.0 == filter.metric);
        let kind = own
            .map(|metric| metric.kind)
            .or_else(|| built_in.map(|metric| metric.1));
        for item in &threshold.items {
            let Ok(expression) = item.text.parse::<Expression>() else {
                continue;
            };
            let (op, bound) = (expression.op, expression.bound);
            let is_share = expression.aggregation == Aggregation::Rate && kind == Some(Kind::Rate);
            if is_share && (op == Op::Less && bound > 1.0 || op == Op::LessEqual && bound >= 1.0) {
                let what = format!(
                    "`{}` of '{}' always holds: a rate is a share, from 0 to 1",
                    item.text, filter.metric
                );
                found.add(item.module, item.span, what);
            }
            // On some tags it is a way to have the summary show them.
            let measured = own.is_none() || is_share || kind == Some(Kind::Counter);
            let floor = op == Op::GreaterEqual && bound <= 0.0 || op == Op::Greater && bound < 0.0;
            if floor && measured && filter.tags.is_empty() && kind.is_some() {
                let what = format!(
                    "`{}` of '{}' always holds: it is never negative",
                    item.text, filter.metric
                );
                found.add(item.module, item.span, what);
            }
        }
    }
}
