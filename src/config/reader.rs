//! Reading JSON values as what they should be, remembering every fault with its path instead of stopping at the first.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::catalog::spelled;
use super::error::{ConfigError, nearest, suggest};
use super::raw::{Given, Tier};
use crate::pace::parse_duration;

/// Where faults gather, and what is odd but no fault.
#[derive(Debug, Default)]
pub(super) struct Faults {
    faults: RefCell<Vec<ConfigError>>,
    warnings: RefCell<Vec<String>>,
}

impl Faults {
    pub fn push(&self, error: ConfigError) {
        self.faults.borrow_mut().push(error);
    }

    pub fn take_warnings(&self) -> Vec<String> {
        self.warnings.take()
    }

    pub fn into_vec(self) -> Vec<ConfigError> {
        self.faults.into_inner()
    }
}

/// A value somewhere inside an option. The readers return `None` after noting the fault.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    pub value: &'a Value,
    pub path: String,
    pub tier: Tier,
    faults: &'a Faults,
}

impl<'a> Node<'a> {
    pub fn root(given: &'a Given, faults: &'a Faults) -> Self {
        Self {
            value: &given.value,
            path: given.label.clone(),
            tier: given.tier,
            faults,
        }
    }

    pub fn fault(&self, problem: impl Into<String>, mend: impl Into<String>) {
        self.faults.push(ConfigError {
            tier: self.tier,
            path: self.path.clone(),
            problem: problem.into(),
            mend: mend.into(),
        });
    }

    /// A fault about a field that is not there.
    pub fn missing(&self, field: &str, mend: &str) {
        self.faults.push(ConfigError {
            tier: self.tier,
            path: format!("{}.{field}", self.path),
            problem: "is required".to_owned(),
            mend: mend.to_owned(),
        });
    }

    fn wrong(&self, expected: &str) {
        self.fault(format!("expected {expected} but found {}", shown(self.value)), "");
    }

    fn inside(&self, value: &'a Value, step: &str) -> Self {
        Self {
            value,
            path: format!("{}{step}", self.path),
            tier: self.tier,
            faults: self.faults,
        }
    }

    pub fn text(&self) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.wrong("text");
        }
        text
    }

    /// Text, or a number or boolean as text.
    pub fn scalar(&self) -> Option<String> {
        match self.value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => {
                self.wrong("text");
                None
            }
        }
    }

    /// A boolean, or as text one of the spellings that Go's `strconv.ParseBool` takes.
    pub fn boolean(&self) -> Option<bool> {
        match self.value {
            Value::Bool(flag) => return Some(*flag),
            Value::String(text) => match text.as_str() {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => return Some(true),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => return Some(false),
                _ => {}
            },
            _ => {}
        }
        self.wrong("true or false");
        None
    }

    /// A whole number in a range; also as text, since scripts pass `__ENV` values on.
    pub fn whole(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let number = match self.value {
            Value::Number(number) => number.as_u64().or_else(|| {
                // 10.0 and 1e3 are whole numbers to JavaScript. Up to 2^53 the conversion is exact.
                number
                    .as_f64()
                    .filter(|f| f.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(f))
                    .map(|f| f as u64)
            }),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|n| range.contains(n));
        if number.is_none() {
            match (*range.start(), *range.end()) {
                (0, u64::MAX) => self.wrong("a whole number"),
                (low, u64::MAX) => self.wrong(&format!("a whole number of at least {low}")),
                (low, high) => self.wrong(&format!("a whole number from {low} to {high}")),
            }
        }
        number
    }

    /// A duration: text like `1m30s`, or milliseconds as a number.
    pub fn duration(&self) -> Option<Duration> {
        let duration = match self.value {
            Value::String(text) => {
                return parse_duration(text)
                    .map_err(|error| self.fault(error.to_string(), ""))
                    .ok();
            }
            // Written out without an exponent it has the grammar's form of milliseconds, and its limits.
            Value::Number(number) => number
                .as_f64()
                .and_then(|millis| parse_duration(&millis.to_string()).ok()),
            _ => None,
        };
        if duration.is_some() {
            return duration;
        }
        self.fault(
            format!("{} is not a duration", shown(self.value)),
            "write it like \"1m30s\" or \"500ms\", or as a number of milliseconds",
        );
        None
    }

    pub fn duration_of_at_least(&self, least: Duration) -> Option<Duration> {
        let duration = self.duration()?;
        if duration < least {
            let least = crate::pace::format_duration(least);
            self.fault(
                format!("{} is too short", shown(self.value)),
                format!("it must be at least {least}"),
            );
            return None;
        }
        Some(duration)
    }

    /// The elements of an array.
    pub fn items(&self) -> Option<Vec<Self>> {
        let Value::Array(items) = self.value else {
            self.wrong("an array");
            return None;
        };
        Some(
            items
                .iter()
                .enumerate()
                .map(|(i, item)| self.inside(item, &format!("[{i}]")))
                .collect(),
        )
    }

    /// The elements of an array of texts.
    pub fn texts(&self) -> Option<Vec<(Self, &'a str)>> {
        all(self
            .items()?
            .into_iter()
            .map(|item| item.text().map(|text| (item, text))))
    }

    /// The members of an object whose keys are free (tags, hosts, thresholds). `null` members are not given.
    pub fn members(&self) -> Option<Vec<(&'a str, Self)>> {
        let Value::Object(members) = self.value else {
            self.wrong("an object");
            return None;
        };
        let given = members.iter().filter(|(_, value)| !value.is_null());
        Some(
            given
                .map(|(key, value)| (key.as_str(), self.inside(value, &format!(".{key}"))))
                .collect(),
        )
    }

    /// The members as text to text.
    pub fn dictionary(&self) -> Option<BTreeMap<String, String>> {
        let members = self.members()?.into_iter();
        let pairs = members.map(|(key, value)| value.scalar().map(|value| (key.to_owned(), value)));
        all(pairs).map(BTreeMap::from_iter)
    }

    /// The fields of an object that may have these and no others. Unknown ones are faults, but in a script's options, where
    /// the dialect goes on without them; the known are still read.
    pub fn fields(&self, known: &[&'static str]) -> Option<BTreeMap<&'a str, Self>> {
        let fields = self.spelled(known)?;
        for (key, member) in fields.iter().filter(|(key, _)| !known.contains(*key)) {
            if self.tier == Tier::Script {
                member.no_effect("it is not a known field", nearest(key, known.iter().copied()));
            } else {
                member.fault("is not a known field", suggest(key, known.iter().copied()));
            }
        }
        Some(fields)
    }

    /// As [`Node::fields`], with unknown ones as faults wherever they come from: so the dialect reads scenarios.
    pub fn strict_fields(&self, known: &[&'static str]) -> Option<BTreeMap<&'a str, Self>> {
        let fields = self.spelled(known)?;
        for (key, member) in fields.iter().filter(|(key, _)| !known.contains(*key)) {
            member.fault("is not a known field", suggest(key, known.iter().copied()));
        }
        Some(fields)
    }

    /// The members by the names in the table, whatever their case. Of two spellings the right one counts.
    pub fn spelled(&self, known: &[&'static str]) -> Option<BTreeMap<&'a str, Self>> {
        let mut fields = BTreeMap::new();
        for (written, member) in self.members()? {
            let name = spelled(written, known.iter().copied());
            if name == written || !fields.contains_key(name) {
                fields.insert(name, member);
            }
        }
        Some(fields)
    }

    /// Notes that this has no effect, and what may have been meant.
    pub fn no_effect(&self, why: &str, nearest: Option<&str>) {
        let meant = nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        self.warn(format!("{} has no effect: {why}{meant}", self.path));
    }

    /// Notes what is odd but no fault.
    pub fn warn(&self, warning: String) {
        self.faults.warnings.borrow_mut().push(warning);
    }
}

/// All of them, or `None` when one is at fault; unlike `collect` it goes on after the first, so that every fault is noted.
pub(super) fn all<T>(read: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let read: Vec<Option<T>> = read.collect();
    read.into_iter().collect()
}

/// A value as the giver would recognise it, cut short.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}
