//! The `thresholds` option: one expression or many per key, as text or as objects, checked against the metrics there are.

use std::time::Duration;

use super::error::nearest;
use super::reader::Node;
use crate::metrics::threshold::{Expression, Filter, ThresholdSpec};
use crate::metrics::{Kind, builtin, is_target};

const FIELDS: [&str; 5] = ["threshold", "abortOnFail", "delayAbortEval", "onEmpty", "over"];

/// Sliding windows are made of one-second windows.
const SHORTEST_WINDOW: Duration = Duration::from_secs(1);

/// When there are metrics of the target.
const TARGET: &str = "it is there when a target is sampled: with --tunnel, --sample-local, --watch or --demo";

/// What the option says.
#[derive(Debug, Default)]
pub(super) struct Thresholds {
    pub specs: Vec<ThresholdSpec>,
    /// Keys with an empty list: nothing is judged, but the summary has the metric, or the part of it.
    pub submetrics: Vec<Filter>,
}

impl Thresholds {
    /// Every metric and part of a metric that is named.
    pub fn named(&self) -> impl Iterator<Item = &Filter> {
        self.specs.iter().map(|spec| &spec.filter).chain(&self.submetrics)
    }
}

pub(super) fn read(node: &Node, known_metrics: &dyn Fn(&str) -> Option<Kind>) -> Option<Thresholds> {
    let mut read = Thresholds::default();
    for (key, member) in node.members()? {
        let filter = match key.parse::<Filter>() {
            Ok(filter) => Some(filter),
            Err(error) => {
                member.fault(error.to_string(), "");
                None
            }
        };
        let kind = filter.as_ref().and_then(|filter| {
            let kind = known_metrics(&filter.metric);
            if kind.is_none() {
                let mend = match nearest(&filter.metric, builtin::ALL.iter().map(|metric| metric.0)) {
                    _ if is_target(&filter.metric) => TARGET.to_owned(),
                    Some(name) => format!("did you mean `{name}`?"),
                    None => "create it in the script's init code".to_owned(),
                };
                member.fault(format!("there is no metric {:?}", filter.metric), mend);
            }
            kind
        });
        // A lone expression or object stands for an array of one.
        let items = if member.value.is_array() {
            member.items()?
        } else {
            vec![member]
        };
        if items.is_empty() {
            read.submetrics.extend(filter.clone());
        }
        for item in items {
            read.specs.extend(read_one(&item, filter.as_ref(), kind));
        }
    }
    Some(read)
}

/// One expression under a key; without a filter (its key was at fault) only for its own faults.
fn read_one(item: &Node, filter: Option<&Filter>, kind: Option<Kind>) -> Option<ThresholdSpec> {
    if item.value.is_string() {
        let expression = expression(item, kind)?;
        return Some(ThresholdSpec {
            filter: filter?.clone(),
            expression,
            abort_on_fail: false,
            delay_abort_eval: Duration::ZERO,
            on_empty_pass: false,
            over: None,
        });
    }
    let fields = item.fields(&FIELDS)?;
    let written = fields.get("threshold");
    if written.is_none() {
        item.missing(
            "threshold",
            "write the expression there, like threshold: 'p(95)<500'",
        );
    }
    let expression = written.and_then(|node| expression(node, kind));
    let abort_on_fail = fields.get("abortOnFail").map_or(Some(false), Node::boolean);
    let delay_abort_eval = fields
        .get("delayAbortEval")
        .map_or(Some(Duration::ZERO), Node::duration);
    let on_empty_pass = fields
        .get("onEmpty")
        .map_or(Some(false), |node| match node.text()? {
            "pass" => Some(true),
            "fail" => Some(false),
            other => {
                node.fault(format!("{other:?} is not known"), "write 'pass' or 'fail'");
                None
            }
        });
    let over = fields
        .get("over")
        .map(|node| node.duration_of_at_least(SHORTEST_WINDOW));
    Some(ThresholdSpec {
        filter: filter?.clone(),
        expression: expression?,
        abort_on_fail: abort_on_fail?,
        delay_abort_eval: delay_abort_eval?,
        on_empty_pass: on_empty_pass?,
        over: match over {
            Some(window) => Some(window?),
            None => None,
        },
    })
}

fn expression(node: &Node, kind: Option<Kind>) -> Option<Expression> {
    let expression = match node.text()?.parse::<Expression>() {
        Ok(expression) => expression,
        Err(error) => {
            node.fault(error.to_string(), "");
            return None;
        }
    };
    if let Some(Err(misfit)) = kind.map(|kind| expression.fits(kind)) {
        node.fault(misfit.to_string(), "");
        return None;
    }
    Some(expression)
}
