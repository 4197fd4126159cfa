//! Hints: what to do where a target does not answer as it would if the test were set up right. One line each, with the
//! likely mend.
//!
//! They come from requests that failed and whose status the script did not expect: what a test is made to provoke, as a
//! flash sale its 409s, is no reason for advice.

use std::collections::BTreeMap;

use crate::metrics::{Snapshot, Value, builtin};

use super::format::Palette;
use super::summary::title;

/// The error code of a refused connection.
const REFUSED: &str = "1212";

/// Statuses that there is advice for.
const ADVISED: [&str; 4] = ["401", "402", "403", "429"];

/// What is known of a run besides its numbers, as far as hints need it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HintFacts {
    /// Addresses that refused connections, each with the variable that the script takes it from, if that is known.
    pub refused: Vec<(String, Option<String>)>,
    /// The names of the script's variables.
    pub variables: Vec<String>,
    /// Whether a script is run.
    pub script: bool,
    /// Whether the target is our own.
    pub demo: bool,
}

/// One piece of advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// What it is about: `refused`, or a status.
    pub name: &'static str,
    /// The line.
    pub text: String,
}

/// The advice that a run's failed requests give rise to.
pub fn hints(snapshot: &Snapshot, facts: &HintFacts) -> Vec<Hint> {
    let failures = Failures::of(snapshot);
    let mut hints: Vec<Hint> = facts
        .refused
        .iter()
        // Without a script there is one address, and nobody has told whether it refused.
        .filter(|_| facts.script || failures.refused > 0)
        .map(|(address, variable)| Hint {
            name: "refused",
            text: refused(address, variable.as_deref(), &failures, facts),
        })
        .collect();
    for name in ADVISED {
        if let Some(count) = failures.statuses.get(name) {
            let total = failures.total;
            let text = format!("{name} on {count} of {total} requests: {}", mend(name, facts));
            hints.push(Hint { name, text });
        }
    }
    if let Some((status, count)) = handshakes(snapshot) {
        let text = format!(
            "{status} on all {count} WebSocket handshakes: {}",
            mend(status, facts)
        );
        hints.push(Hint { name: status, text });
    }
    hints
}

/// The status that all WebSocket handshakes were answered with and how many there were, if there is advice for it. What
/// the script expected is not known of them; that not one opened will not have been the point.
fn handshakes(snapshot: &Snapshot) -> Option<(&'static str, u64)> {
    let mut all = 0;
    let mut only = None;
    for row in snapshot.rows_of(builtin::WS_SESSIONS) {
        let Value::Counter { total } = row.value else {
            continue;
        };
        let tags = snapshot.tags(row);
        let status = tags.get("status")?;
        let known = ADVISED.into_iter().find(|known| *known == status)?;
        if only.is_some_and(|only| only != known) {
            return None;
        }
        only = Some(known);
        all += total.round() as u64;
    }
    only.map(|status| (status, all))
}

/// The hints as a section of the summary; empty without any.
pub fn hints_section(hints: &[Hint], color: bool) -> String {
    if hints.is_empty() {
        return String::new();
    }
    let lines: String = hints.iter().map(|hint| format!("    {}\n", hint.text)).collect();
    title("HINTS", "", Palette(color)) + &lines
}

fn refused(address: &str, variable: Option<&str>, failures: &Failures, facts: &HintFacts) -> String {
    let every = failures.refused == failures.total;
    let what = match failures.refused {
        n if n > 0 && every => "refused every connection".to_owned(),
        0 => "refused connections".to_owned(),
        n => format!(
            "refused connections ({n} of {} requests failed so)",
            failures.total
        ),
    };
    let mend = match (facts.demo, facts.script, variable) {
        (true, ..) => "is it still running? the demo target does not listen there".to_owned(),
        (false, true, Some(variable)) => {
            format!("is the server running? set {variable}, or try --demo")
        }
        (false, true, None) => "is the server running? check its address, or try --demo".to_owned(),
        (false, false, _) => "is the server running? check the address".to_owned(),
    };
    format!("{address} {what}: {mend}")
}

fn mend(status: &str, facts: &HintFacts) -> String {
    let known = |name: &str| facts.variables.iter().any(|variable| variable == name);
    let credentials: Vec<&str> = ["API_KEY", "AUTH_TOKEN", "TOKEN"]
        .into_iter()
        .filter(|name| known(name))
        .collect();
    let credentials = match (credentials.as_slice(), facts.script) {
        ([], true) => "check the credentials that the script sends".to_owned(),
        ([], false) => "give one with -H 'Authorization: Bearer …'".to_owned(),
        (names, _) => format!("set {}", names.join(" or ")),
    };
    match status {
        "401" => format!("the token was missing or rejected; {credentials}"),
        "403" => format!("the token is not allowed to do this; {credentials}"),
        "402" if known("ACCEPT_402") => {
            "the payment layer answered; go past it with --tunnel, or set ACCEPT_402=true to expect it"
                .to_owned()
        }
        "402" if facts.script => {
            "the payment layer answered; go past it with --tunnel, or expect it (http.expectedStatuses)"
                .to_owned()
        }
        "402" => "the payment layer answered; expect it with --expect-status".to_owned(),
        _ => "the target limits the rate; raise its limit (such as RATE_LIMIT_PER_MINUTE) or lower the load"
            .to_owned(),
    }
}

/// Failed requests by their reason.
#[derive(Default)]
struct Failures {
    total: u64,
    refused: u64,
    statuses: BTreeMap<String, u64>,
}

impl Failures {
    fn of(snapshot: &Snapshot) -> Failures {
        let mut failures = Failures::default();
        for row in snapshot.rows_of(builtin::HTTP_REQ_FAILED) {
            let Value::Rate { passes, total } = row.value else {
                continue;
            };
            failures.total += total;
            if passes == 0 {
                continue;
            }
            let tags = snapshot.tags(row);
            if tags.get("error_code") == Some(REFUSED) {
                failures.refused += passes;
            } else if let Some(status) = tags.get("status") {
                *failures.statuses.entry(status.to_owned()).or_insert(0) += passes;
            }
        }
        failures
    }
}

#[cfg(test)]
mod tests;
