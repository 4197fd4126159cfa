//! A threshold on a metric that gets no samples.

use oxc_ast::ast::CallExpression;

use super::super::project::{Call, Project};
use super::super::{Found, Rule};
use crate::metrics::Filter;

pub const RULE: Rule = Rule {
    name: "metric-never-written",
    why: "k6 passes a threshold that has no samples, so it promises nothing; loadgen fails the run for it",
    mend: "add to the metric where it is measured, or take the threshold away",
    check,
};

/// What writes the metrics whose names begin so.
const SOURCES: [(&str, &[&str], &str); 5] = [
    ("http_req", &["k6/http"], "no module imports k6/http"),
    (
        "ws_",
        &["k6/ws", "k6/websockets"],
        "no module imports k6/ws or k6/websockets",
    ),
    ("grpc_", &["k6/net/grpc"], "no module imports k6/net/grpc"),
    ("checks", &["k6"], "nothing calls check()"),
    ("group_duration", &["k6"], "nothing calls group()"),
];

fn check(project: &Project<'_>, found: &mut Found) {
    // Libraries send and check too, what cannot be read may do anything, and a module of options is somebody else's.
    let runs = project.exported(0, "default").is_some();
    let known = runs && project.complete && !project.imports_library();
    let metrics = project.metrics();
    for threshold in project.thresholds() {
        if threshold.items.iter().all(|item| item.may_be_empty) {
            continue;
        }
        let Ok(filter) = threshold.key.parse::<Filter>() else {
            continue;
        };
        let named = metrics
            .iter()
            .filter(|metric| metric.name.as_deref() == Some(&filter.metric));
        let named: Vec<_> = named.collect();
        if !named.is_empty() {
            if named
                .iter()
                .all(|metric| !metric.hidden && metric.adds.is_empty())
            {
                let what = format!("nothing is ever added to the metric '{}'", filter.metric);
                found.add(threshold.module, threshold.span, what);
            }
            continue;
        }
        let source = SOURCES
            .iter()
            .find(|(start, ..)| filter.metric.starts_with(start));
        let Some((start, modules, reason)) = source.filter(|_| known) else {
            continue;
        };
        let calls = |name: &str| {
            project
                .calls_of("k6", name)
                .map(|call: &Call<'_>| call.call)
                .next()
        };
        let call: Option<&CallExpression<'_>> = match *start {
            "checks" => calls("check"),
            "group_duration" => calls("group"),
            _ => None,
        };
        let written = match *start {
            "checks" | "group_duration" => call.is_some(),
            _ => modules.iter().any(|module| project.imports(module)),
        };
        if !written {
            let what = format!("the metric '{}' gets no samples: {reason}", filter.metric);
            found.add(threshold.module, threshold.span, what);
        }
    }
}
