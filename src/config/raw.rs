//! Options as given, before anyone asks whether they make sense: who gave which JSON value, later tiers over earlier.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::catalog::{self, Form, LOADS, OPTIONS, WITHOUT_EFFECT};
use super::error::nearest;
use crate::pace::Stage;

/// Who gave an option. Later wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    Default,
    /// The JSON file of `--config`.
    File,
    /// The script's exported `options`.
    Script,
    /// The options of `--profile`.
    Profile,
    /// `K6_*` and `LOADGEN_*` variables.
    Environment,
    /// Command-line flags.
    Flags,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::File => "config file",
            Self::Script => "script",
            Self::Profile => "profile",
            Self::Environment => "environment",
            Self::Flags => "flag",
        })
    }
}

/// A value, who gave it, and what its giver calls it in a message (`options.vus`, `K6_VUS`, `--vus`).
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    pub value: Value,
    pub tier: Tier,
    pub label: String,
}

/// Options by their JSON names. Names that are not options are kept too: `check` reports them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RawOptions {
    given: BTreeMap<String, Given>,
    warnings: Vec<String>,
}

impl RawOptions {
    pub fn new() -> Self {
        Self::default()
    }

    /// The options of a JSON object: a script's `options` or a config file. `null` means *not given*. Upper and lower
    /// case of names are the same; of two spellings the right one counts.
    pub fn from_json(object: &Map<String, Value>, tier: Tier) -> Self {
        let known = || OPTIONS.iter().map(|option| option.name);
        let others = || WITHOUT_EFFECT.iter().map(|(name, _)| *name);
        let mut raw = Self::new();
        for (written, value) in object {
            let name = catalog::spelled(written, known().chain(others()));
            if name == written || !object.contains_key(name) {
                raw.set(name, value.clone(), tier);
            }
        }
        raw
    }

    /// The options among environment variables: `K6_VUS` or, which wins, `LOADGEN_VUS`. Empty values are not given.
    ///
    /// Other `K6_*` variables are none of ours (scripts use them freely); a `LOADGEN_*` variable that is nearly an
    /// option's name gives a warning.
    pub fn from_env(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut raw = Self::new();
        let mut ours: Vec<(String, String)> = Vec::new();
        for (variable, text) in variables {
            match variable.strip_prefix("K6_") {
                Some(name) => drop(raw.set_variable(&variable, name, &text)),
                None if variable.starts_with("LOADGEN_") => ours.push((variable, text)),
                None => {}
            }
        }
        for (variable, text) in ours {
            let name = &variable["LOADGEN_".len()..];
            if !raw.set_variable(&variable, name, &text)
                && let Some(close) = nearest(name, OPTIONS.iter().map(|option| option.env))
                && strsim::levenshtein(name, close) <= 2
            {
                raw.warnings.push(format!(
                    "the environment variable {variable} is not an option; did you mean LOADGEN_{close}?"
                ));
            }
        }
        raw
    }

    /// Whether the variable names an option.
    fn set_variable(&mut self, variable: &str, name: &str, text: &str) -> bool {
        let Some(option) = OPTIONS.iter().find(|option| option.env == name) else {
            return false;
        };
        let text = text.trim();
        if !text.is_empty() {
            let given = Given {
                value: from_text(option.form, text),
                tier: Tier::Environment,
                label: variable.to_owned(),
            };
            self.given.insert(option.name.to_owned(), given);
        }
        true
    }

    /// Gives one option, by its JSON name. `null` takes it back.
    pub fn set(&mut self, name: &str, value: Value, tier: Tier) {
        if value.is_null() {
            self.given.remove(name);
            return;
        }
        let label = match (tier, catalog::find(name)) {
            (Tier::Flags, Some(option)) => option.flag(),
            (Tier::Script, _) => format!("options.{name}"),
            (Tier::Profile, _) => format!("the profile's {name}"),
            _ => name.to_owned(),
        };
        self.given.insert(name.to_owned(), Given { value, tier, label });
    }

    /// Takes an option away, whoever gave it (`--no-thresholds`).
    pub fn remove(&mut self, name: &str) {
        self.given.remove(name);
    }

    /// Lays a later tier over this one: what it gives replaces what was given, whole values, never merged. A tier that
    /// gives a load (duration, iterations, stages or scenarios) replaces the earlier tiers' whole load; `vus` stays,
    /// except under a profile, which is a whole load: the script's number of users is no part of it.
    pub fn overlay(&mut self, later: Self) {
        if LOADS.iter().any(|load| later.given.contains_key(*load)) {
            for load in LOADS {
                self.given.remove(load);
            }
            if later.given.values().any(|given| given.tier == Tier::Profile) {
                self.given.remove("vus");
            }
        }
        self.given.extend(later.given);
        self.warnings.extend(later.warnings);
    }

    pub fn get(&self, name: &str) -> Option<&Given> {
        self.given.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Given)> {
        self.given.iter().map(|(name, given)| (name.as_str(), given))
    }

    /// What flags and the environment gave, as a script would write it; `None` if they gave nothing.
    pub fn overrides(&self) -> Option<Value> {
        let later = self.iter().filter(|(_, given)| given.tier >= Tier::Environment);
        let plain = |value: &Value| match value.as_str().map(str::parse::<serde_json::Number>) {
            Some(Ok(number)) => Value::Number(number),
            _ => value.clone(),
        };
        let changed: Map<String, Value> = later
            .map(|(name, given)| (name.to_owned(), plain(&given.value)))
            .collect();
        (!changed.is_empty()).then_some(Value::Object(changed))
    }

    /// What was noticed while gathering, to be shown once.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// The JSON value of an option given as text. Text that does not have the form stays text, for `check` to report.
fn from_text(form: Form, text: &str) -> Value {
    let as_text = || Value::String(text.to_owned());
    let parts = || text.split(',').map(str::trim).filter(|part| !part.is_empty());
    match form {
        Form::Scalar => as_text(),
        Form::List => parts().map(Value::from).collect(),
        Form::Stages => parts().map(stage).collect(),
        Form::Json => serde_json::from_str(text).unwrap_or_else(|_| as_text()),
        Form::Pairs => serde_json::from_str(text)
            .ok()
            .filter(Value::is_object)
            .unwrap_or_else(|| {
                let pairs = parts().map(|part| {
                    part.split_once(['=', ':'])
                        .map(|(k, v)| (k.trim().to_owned(), Value::from(v.trim())))
                });
                pairs
                    .collect::<Option<Map<_, _>>>()
                    .map_or_else(as_text, Value::Object)
            }),
    }
}

/// `10s:100` as an element of `stages`; what is no stage stays text, for `check` to report.
pub fn stage(text: &str) -> Value {
    match text.parse::<Stage>() {
        Ok(stage) => stage_json(&stage),
        Err(_) => Value::from(text),
    }
}

/// A stage as a script would write it.
pub(super) fn stage_json(stage: &Stage) -> Value {
    serde_json::json!({ "duration": crate::pace::format_duration(stage.duration), "target": stage.target })
}
