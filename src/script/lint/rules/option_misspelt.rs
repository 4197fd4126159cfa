//! An option whose name is nearly one of the dialect's.

use oxc_ast::ast::ObjectPropertyKind;
use oxc_span::GetSpan;

use super::super::project::Project;
use super::super::{Found, Rule};
use crate::config::{nearest, option_names};

pub const RULE: Rule = Rule {
    name: "option-misspelt",
    why: "an option that is none is only warned about: the load or the thresholds that it was to set are not there",
    mend: "write the option's name as `loadgen inspect` shows it",
    check,
};

/// What k6 knows besides.
const OTHERS: [&str; 7] = [
    "cloud",
    "ext",
    "linger",
    "noUsageReport",
    "userAgent",
    "external",
    "profiles",
];

fn check(project: &Project<'_>, found: &mut Found) {
    let Some((module, options)) = project.options() else {
        return;
    };
    for property in options
        .properties
        .iter()
        .filter_map(ObjectPropertyKind::as_property)
    {
        let Some(name) = property.key.static_name() else {
            continue;
        };
        // Upper and lower case are the same.
        if option_names().any(|known| known.eq_ignore_ascii_case(&name)) || OTHERS.contains(&&*name) {
            continue;
        }
        if let Some(meant) = nearest(&name, option_names()) {
            let what = format!("there is no option '{name}'; did you mean '{meant}'?");
            found.add(module, property.key.span(), what);
        }
    }
}
