//! A Rate to which only true is added, or only false.

use super::super::project::Project;
use super::super::{Found, Rule};

pub const RULE: Rule = Rule {
    name: "rate-one-sided",
    why: "a Rate is the share of its samples that are true: of samples that are all alike it is always 100 % or 0 %, however often things went wrong",
    mend: "add in both cases: errors.add(!ok), after each check; or count with a Counter",
    check,
};

fn check(project: &Project<'_>, found: &mut Found) {
    for metric in project.metrics() {
        let Some(value) = project.always_adds(&metric) else {
            continue;
        };
        let name = metric.name.as_deref().unwrap_or("?");
        let what = format!(
            "only {value} is ever added to the Rate '{name}', so it is {} % as soon as it has a sample",
            if value { 100 } else { 0 }
        );
        let (module, call) = metric.adds[0];
        found.add(module, call.span, what);
    }
}
