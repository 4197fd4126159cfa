//! A threshold that is none: on a metric that nobody makes, or not in the grammar.

use super::super::project::Project;
use super::super::{Found, Rule};
use crate::config::nearest;
use crate::metrics::{Expression, Filter, Kind, builtin, is_target};

pub const RULE: Rule = Rule {
    name: "threshold-misspelt",
    why: "the run does not start with it, or it judges another metric than the one that was meant",
    mend: "write 'metric' or 'metric{tag:value}' as the key, and 'p(95)<500', 'rate<0.01' or 'count>100' as the expression",
    check,
};

/// Metrics of modules that are not always there.
const OTHERS: [(&str, Kind); 1] = [("browser_", Kind::Trend)];

fn check(project: &Project<'_>, found: &mut Found) {
    let metrics = project.metrics();
    let unknown_names = metrics.iter().any(|metric| metric.name.is_none());
    for threshold in project.thresholds() {
        let filter = match threshold.key.parse::<Filter>() {
            Ok(filter) => filter,
            Err(error) => {
                found.add(threshold.module, threshold.span, error.to_string());
                continue;
            }
        };
        let own = metrics
            .iter()
            .find(|metric| metric.name.as_deref() == Some(&filter.metric));
        let built_in = builtin::ALL.iter().find(|metric| metric.0 == filter.metric);
        let other = OTHERS.iter().find(|(start, _)| filter.metric.starts_with(start));
        let kind = own
            .map(|metric| metric.kind)
            .or_else(|| built_in.map(|metric| metric.1))
            .or_else(|| other.map(|(_, kind)| *kind));
        let may_exist = unknown_names || !project.complete || is_target(&filter.metric);
        if kind.is_none() && !may_exist {
            let names = metrics.iter().filter_map(|metric| metric.name.as_deref());
            let mend = match nearest(
                &filter.metric,
                names.chain(builtin::ALL.iter().map(|metric| metric.0)),
            ) {
                Some(name) => format!("; did you mean '{name}'?"),
                None => String::new(),
            };
            let what = format!("there is no metric '{}'{mend}", filter.metric);
            found.add(threshold.module, threshold.span, what);
        }
        for item in &threshold.items {
            match item.text.parse::<Expression>() {
                Err(error) => found.add(item.module, item.span, error.to_string()),
                Ok(expression) => {
                    if let Some(Err(misfit)) = kind.map(|kind| expression.fits(kind)) {
                        found.add(item.module, item.span, misfit.to_string());
                    }
                }
            }
        }
    }
}
