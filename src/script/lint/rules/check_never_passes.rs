//! A check whose function never returns what counts as true.

use super::super::project::Project;
use super::super::{Found, Rule};

pub const RULE: Rule = Rule {
    name: "check-never-passes",
    why: "the summary shows 0 % of this check, also if the server answers right",
    mend: "return the comparison: (r) => r.status === 200, or with braces (r) => { return r.status === 200; }",
    check,
};

fn check(project: &Project<'_>, found: &mut Found) {
    for one in project.checks() {
        if let Some(verdict) = project.verdict(&one).filter(|verdict| !verdict.holds) {
            let what = format!("the check '{}' can never pass: {}", one.name, verdict.reason);
            found.add(verdict.module, verdict.span, what);
        }
    }
}
