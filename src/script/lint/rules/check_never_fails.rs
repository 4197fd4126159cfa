//! A check whose function always returns what counts as true.

use super::super::project::Project;
use super::super::{Found, Rule};

pub const RULE: Rule = Rule {
    name: "check-never-fails",
    why: "the summary shows 100 % of this check, whatever the server answers",
    mend: "return a comparison with what is expected: (r) => r.status === 200; of two: r.status === 200 || r.status === 201",
    check,
};

fn check(project: &Project<'_>, found: &mut Found) {
    for one in project.checks() {
        if let Some(verdict) = project.verdict(&one).filter(|verdict| verdict.holds) {
            let what = format!("the check '{}' can never fail: {}", one.name, verdict.reason);
            found.add(verdict.module, verdict.span, what);
        }
    }
}
