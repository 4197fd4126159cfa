//! What Grafana would ask for a dashboard, asked of Prometheus, and what is wrong with the answer.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::{Dashboard, Prometheus, list, metrics, text};

/// What Grafana would put in place of a dashboard's variables.
pub struct Variables(pub BTreeMap<String, String>);

impl Variables {
    pub fn of(board: &Dashboard, prometheus: &Prometheus, range: u32) -> Variables {
        let fixed = [
            ("__rate_interval", "4s".to_owned()),
            ("__range", format!("{range}s")),
            ("limit", "0.5".into()),
            // A run of seconds has drifted since seconds ago.
            ("slope", "4s".into()),
            ("past", "3s".into()),
            ("history", "5m".into()),
            ("slo", "0.99".into()),
        ];
        let mut known = Variables(fixed.map(|(name, value)| (name.to_owned(), value)).into());
        for variable in board.variables() {
            let name = text(variable, "name");
            if text(variable, "type") == "query" {
                let query = known.within(text(&variable["query"], "query"));
                let value = if variable["includeAll"] == true {
                    let found = values(&query, prometheus);
                    assert!(!found.is_empty(), "{}: ${name}: {query}", board.file);
                    text(variable, "allValue").to_owned()
                } else {
                    result(&query, text(variable, "regex"), prometheus)
                };
                known.0.insert(name.to_owned(), value);
            }
            let unknown = !matches!(text(variable, "type"), "datasource") && !known.0.contains_key(name);
            assert!(!unknown || name == "trace_id", "{}: ${name}", board.file);
        }
        known
    }

    /// The same, with this chosen.
    pub fn choosing(&self, name: &str, value: &str) -> Variables {
        let mut known = self.0.clone();
        known.insert(name.to_owned(), value.to_owned());
        Variables(known)
    }

    pub fn within(&self, text: &str) -> String {
        let mut done = text.to_owned();
        // The longest first: one name may begin with another.
        let mut names: Vec<&String> = self.0.keys().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        for name in names {
            done = done.replace(&format!("${{{name}}}"), &self.0[name]);
            done = done.replace(&format!("${name}"), &self.0[name]);
        }
        assert!(!done.contains('$'), "{done}");
        done
    }
}

/// `label_values(metric, label)`.
fn values(query: &str, prometheus: &Prometheus) -> Vec<String> {
    let inner = query
        .strip_prefix("label_values(")
        .and_then(|rest| rest.strip_suffix(')'));
    let (metric, label) = inner.unwrap().rsplit_once(", ").unwrap();
    let answer = prometheus
        .api(&format!("label/{label}/values"), &[("match[]", metric)])
        .unwrap();
    list(&answer)
        .iter()
        .map(|value| value.as_str().unwrap().to_owned())
        .collect()
}

/// `query_result(expression)` and the part of its first line that the variable keeps.
fn result(query: &str, regex: &str, prometheus: &Prometheus) -> String {
    let inner = query
        .strip_prefix("query_result(")
        .and_then(|rest| rest.strip_suffix(')'))
        .unwrap();
    let answer = prometheus.api("query", &[("query", inner)]).unwrap();
    let first = &answer["result"][0];
    match regex {
        "/run_id=\"([^\"]+)\"/" => text(&first["metric"], "run_id").to_owned(),
        "/ (-?[0-9]+) /" => text_at(&first["value"], 1).to_owned(),
        _ => panic!("{regex}"),
    }
}

fn text_at(of: &Value, index: usize) -> &str {
    of[index].as_str().unwrap_or_default()
}

/// Why an expression may say nothing on this machine, in a run that is well.
fn excused(expression: &str) -> bool {
    let missing = |path: &str| !Path::new(path).exists();
    let swaps = std::fs::read_to_string("/proc/swaps").unwrap_or_default();
    let names = metrics(expression);
    let has = |part: &str| names.iter().any(|name| name.contains(part));
    // Only a target in a container with a limit is throttled; memory that does not grow is never full.
    has("cpu_throttled")
        || expression.contains("> 0) < 604800")
        || has("SwapTotal") && swaps.lines().count() < 2
        || has("node_pressure") && missing("/proc/pressure/cpu")
        || has("conntrack") && missing("/proc/sys/net/netfilter/nf_conntrack_count")
}

/// The labels that a legend shows.
fn legend(format: &str) -> Vec<&str> {
    format
        .split("{{")
        .skip(1)
        .map(|rest| rest.split("}}").next().unwrap().trim())
        .collect()
}

/// What a panel or an annotation asks over a time, as a query, and the answer.
fn answer(
    prometheus: &Prometheus,
    target: &Value,
    variables: &Variables,
    (begin, end): (f64, f64),
) -> (String, Result<Value, String>) {
    let query = variables.within(text(target, "expr"));
    let (from, to) = (begin.to_string(), end.to_string());
    let answer = if target["instant"] == true {
        prometheus.api("query", &[("query", &query), ("time", &to)])
    } else {
        let range = [
            ("query", query.as_str()),
            ("start", &from),
            ("end", &to),
            ("step", "1"),
        ];
        prometheus.api("query_range", &range)
    };
    (query, answer)
}

/// What is wrong with the answer to a panel or an annotation; nothing if all is well, or if it asks nothing.
pub fn ask(
    prometheus: &Prometheus,
    target: &Value,
    variables: &Variables,
    range: (f64, f64),
) -> Option<String> {
    let (query, answer) = answer(prometheus, target, variables, range);
    let complaint = match answer {
        Err(error) => Some(error),
        Ok(_) if excused(text(target, "expr")) => None,
        Ok(answer) => complaint(&answer, text(target, "legendFormat")),
    };
    complaint.map(|it| format!("{it}\n    {query}"))
}

/// Whether a panel or an annotation has anything to show.
pub fn shows(prometheus: &Prometheus, target: &Value, variables: &Variables, range: (f64, f64)) -> bool {
    let (query, answer) = answer(prometheus, target, variables, range);
    has_data(&answer.unwrap_or_else(|error| panic!("{error}: {query}")))
}

/// What the panels and annotations of a dashboard ask, with their titles.
pub fn asked(board: &Dashboard) -> Vec<(&str, &Value)> {
    let of_panels = board.panels().iter().flat_map(|panel| {
        let title = text(panel, "title");
        list(&panel["targets"]).iter().map(move |target| (title, target))
    });
    let of_notes = board.annotations().iter().map(|note| (text(note, "name"), note));
    let asks = of_panels.chain(of_notes);
    asks.filter(|(_, target)| !text(target, "expr").is_empty())
        .collect()
}

/// Whether there is a number in an answer.
fn has_data(answer: &Value) -> bool {
    let is_number = |point: &Value| text_at(point, 1).parse::<f64>().is_ok_and(f64::is_finite);
    list(&answer["result"])
        .iter()
        .any(|series| match text(answer, "resultType") {
            "vector" => is_number(&series["value"]),
            _ => list(&series["values"]).iter().any(is_number),
        })
}

/// What is wrong with an answer: no data, or a label of the legend that it has not.
fn complaint(answer: &Value, format: &str) -> Option<String> {
    let results = list(&answer["result"]);
    if !has_data(answer) {
        return Some(format!("no data in {} series", results.len()));
    }
    for label in legend(format) {
        if let Some(without) = results.iter().find(|series| series["metric"][label].is_null()) {
            return Some(format!("no label {label} in {}", without["metric"]));
        }
    }
    None
}
