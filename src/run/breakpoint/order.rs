//! What the command line asks of a search for the breaking point.

use std::time::Duration;

use serde_json::{Map, Value};

use super::super::order::RunError;
use crate::config::{Config, RawOptions, Tier};
use crate::metrics::Filter;
use crate::report::breakpoint::By;

/// A search.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakpointOrder {
    /// What the load is counted in.
    pub by: By,
    /// The first load.
    pub start: u64,
    /// The highest.
    pub most: u64,
    /// By rate, the most virtual users that run the iterations.
    pub max_vus: u32,
    /// The longest that it may take altogether.
    pub max_duration: Duration,
    /// What has to hold beside the script's thresholds, as metric and expression.
    pub criteria: Vec<(String, String)>,
    /// The least and the longest time that a step is measured.
    pub step: (Duration, Duration),
    /// How long to wait for the target to be as at the beginning.
    pub recovery: Duration,
    /// How close what held and what broke are to be, as a share of what held.
    pub precision: f64,
    /// How often the answer is tried again.
    pub confirmations: u32,
    /// Of the script's scenarios, those that carry the load; all of them if none is named.
    pub scenarios: Vec<String>,
}

/// What may fail if nobody says otherwise.
const ERRORS: (&str, &str) = ("http_req_failed", "rate<=0.01");

/// Options that say a load, which the search does itself.
const LOADS: [(&str, &str); 4] = [
    ("vus", "--vus"),
    ("duration", "--duration"),
    ("iterations", "--iterations"),
    ("stages", "--stage"),
];
/// Options of a part of a test: a search is one process.
const PARTS: [(&str, &str); 2] = [
    ("executionSegment", "--execution-segment"),
    ("executionSegmentSequence", "--execution-segment-sequence"),
];

impl BreakpointOrder {
    /// What the flags say that a search has no use for.
    ///
    /// # Errors
    /// The first of them, and what to do about it.
    pub fn check(flags: &RawOptions) -> Result<(), String> {
        let given = |options: &[(&str, &'static str)]| {
            let found = options.iter().find(|(name, _)| flags.get(name).is_some());
            found.map(|(_, flag)| *flag)
        };
        if let Some(flag) = given(&LOADS) {
            return Err(format!(
                "{flag} says a load, and breakpoint seeks one: --start and --max-vus or --max-rate say where, --max-duration for how long"
            ));
        }
        match given(&PARTS) {
            Some(flag) => Err(format!("{flag}: breakpoint seeks with one process; leave it out")),
            None => Ok(()),
        }
    }

    /// Leaves of the scenarios those that are to carry the load.
    ///
    /// # Errors
    /// One that was named does not exist, or the options ask for a part of the test.
    pub(in crate::run) fn narrow(&self, config: &mut Config) -> Result<(), RunError> {
        if config.segment_fraction < 1.0 {
            return Err(RunError::Part);
        }
        let known = || config.scenarios.iter().map(|scenario| scenario.name.clone());
        if let Some(name) = self
            .scenarios
            .iter()
            .find(|name| !known().any(|known| known == **name))
        {
            return Err(RunError::Scenario {
                name: name.clone(),
                known: known().collect(),
            });
        }
        if !self.scenarios.is_empty() {
            config
                .scenarios
                .retain(|scenario| self.scenarios.contains(&scenario.name));
        }
        Ok(())
    }

    /// Lays the criteria over the thresholds that the options have. The share of failed requests is judged even if nobody
    /// speaks of it.
    pub(in crate::run) fn add_to(&self, raw: &mut RawOptions) {
        let mut thresholds = match raw.get("thresholds").map(|given| &given.value) {
            None => Map::new(),
            Some(Value::Object(thresholds)) => thresholds.clone(),
            // The check says what is wrong with it.
            Some(_) => return,
        };
        let mut add = |key: &str, expression: Value| {
            let list = match thresholds.remove(key) {
                Some(Value::Array(mut list)) => {
                    list.push(expression);
                    list
                }
                Some(one) => vec![one, expression],
                None => vec![expression],
            };
            thresholds.insert(key.to_owned(), list.into());
        };
        for (key, expression) in &self.criteria {
            add(key, expression.as_str().into());
        }
        let whole = |key: &String| {
            let filter = key.parse::<Filter>();
            filter.is_ok_and(|filter| filter.metric == ERRORS.0 && filter.tags.is_empty())
        };
        if !thresholds.keys().any(whole) {
            let lenient = serde_json::json!([{ "threshold": ERRORS.1, "onEmpty": "pass" }]);
            thresholds.insert(ERRORS.0.to_owned(), lenient);
        }
        raw.set("thresholds", thresholds.into(), Tier::Script);
    }
}

/// `http_req_failed: rate<0.02`, with blanks or without: a metric, and what must hold of it.
///
/// # Errors
/// There is no expression.
pub fn criterion(text: &str) -> Result<(String, String), String> {
    // Tags have colons too: the one that separates comes after the braces.
    let after = text.rfind('}').map_or(0, |brace| brace + 1);
    let colon = text[after..].find(':').map(|colon| after + colon);
    let parts = colon.map(|colon| (text[..colon].trim(), text[colon + 1..].trim()));
    match parts {
        Some((metric, expression)) if !metric.is_empty() && !expression.is_empty() => {
            Ok((metric.to_owned(), expression.to_owned()))
        }
        _ => Err(format!(
            "--criteria '{text}': write it as METRIC: EXPRESSION, such as 'http_req_duration: p(95)<200'"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn order(criteria: &[(&str, &str)]) -> BreakpointOrder {
        BreakpointOrder {
            by: By::Vus,
            start: 1,
            most: 100,
            max_vus: 100,
            max_duration: Duration::from_mins(1),
            criteria: criteria
                .iter()
                .map(|(metric, expression)| ((*metric).to_owned(), (*expression).to_owned()))
                .collect(),
            step: (Duration::from_secs(5), Duration::from_mins(1)),
            recovery: Duration::from_secs(30),
            precision: 0.05,
            confirmations: 2,
            scenarios: Vec::new(),
        }
    }

    fn thresholds(script: Option<Value>, criteria: &[(&str, &str)]) -> Value {
        let mut raw = RawOptions::new();
        if let Some(script) = script {
            raw.set("thresholds", script, Tier::Script);
        }
        order(criteria).add_to(&mut raw);
        raw.get("thresholds").unwrap().value.clone()
    }

    #[test]
    fn errors_are_judged_unless_somebody_else_does() {
        let default = json!([{ "threshold": "rate<=0.01", "onEmpty": "pass" }]);
        assert_eq!(thresholds(None, &[]), json!({ "http_req_failed": default }));
        assert_eq!(
            thresholds(Some(json!({ "http_req_duration": ["p(95)<9"] })), &[]),
            json!({ "http_req_duration": ["p(95)<9"], "http_req_failed": default })
        );
        assert_eq!(
            thresholds(Some(json!({ "http_req_failed": "rate<0.05" })), &[]),
            json!({ "http_req_failed": "rate<0.05" })
        );
        assert_eq!(
            thresholds(
                None,
                &[("http_req_failed", "rate<0.02"), ("http_req_failed", "rate<0.5")]
            ),
            json!({ "http_req_failed": ["rate<0.02", "rate<0.5"] })
        );
        // One on a part of the requests says nothing of the whole.
        let part = thresholds(Some(json!({ "http_req_failed{name:x}": ["rate<0.5"] })), &[]);
        assert_eq!(part["http_req_failed"], default);
        assert_eq!(
            thresholds(
                Some(json!({ "http_req_failed": { "threshold": "rate<0.1" } })),
                &[("http_req_failed", "rate<0.2")]
            ),
            json!({ "http_req_failed": [{ "threshold": "rate<0.1" }, "rate<0.2"] })
        );
    }

    #[test]
    fn a_criterion_is_a_metric_and_an_expression() {
        let pair = |metric: &str, expression: &str| Ok((metric.to_owned(), expression.to_owned()));
        assert_eq!(
            criterion("http_req_failed: rate<0.02"),
            pair("http_req_failed", "rate<0.02")
        );
        assert_eq!(
            criterion("http_req_duration{name:a:b}:p(95) < 200"),
            pair("http_req_duration{name:a:b}", "p(95) < 200")
        );
        for wrong in ["http_req_failed", "rate<0.02", ": rate<1", "x:", "x{a:b}"] {
            assert!(criterion(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_says_a_load_is_refused() {
        let flags = |name: &str| {
            let mut raw = RawOptions::new();
            raw.set(name, "1".into(), Tier::Flags);
            raw
        };
        assert!(
            BreakpointOrder::check(&flags("vus"))
                .unwrap_err()
                .contains("--vus")
        );
        assert!(BreakpointOrder::check(&flags("executionSegment")).is_err());
        assert_eq!(BreakpointOrder::check(&flags("rps")), Ok(()));
    }
}
