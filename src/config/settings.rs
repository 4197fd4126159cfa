//! What an environment or a config file may say besides options: settings of the run itself, such as where results go.
//!
//! They have no tiers to speak of: a flag wins over a variable, a variable over the file.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::{ConfigError, ConfigErrors};
use super::raw::{RawOptions, Tier};

/// Run settings by the name they have as a variable (`OUT`, `LINGER`, `SUMMARY_EXPORT`), as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

/// The settings there are, with their names in a config file.
const SETTINGS: [(&str, &str); 25] = [
    ("ADDRESS", "address"),
    ("ALERTMANAGER", "alertmanager"),
    ("CONFIG", ""),
    ("GRAFANA", "grafana"),
    ("LINGER", "linger"),
    ("LOG_FORMAT", ""),
    ("LOG_OUTPUT", ""),
    ("METRICS_ADDR", "metricsAddr"),
    ("NO_COLOR", ""),
    ("NO_THRESHOLDS", ""),
    ("OTLP", "otlp"),
    ("OTLP_METRICS", "otlpMetrics"),
    ("OUT", "out"),
    ("OUT_ROTATE", "outRotate"),
    ("REMOTE_WRITE", "remoteWrite"),
    ("REMOTE_WRITE_HEADERS", ""),
    ("REMOTE_WRITE_INTERVAL", "remoteWriteInterval"),
    ("REMOTE_WRITE_TIMEOUT", "remoteWriteTimeout"),
    ("START_AT", ""),
    ("SUMMARY_EXPORT", ""),
    ("SUMMARY_MODE", ""),
    ("TRACE_LIMIT", "traceLimit"),
    ("TRACE_SAMPLE", "traceSample"),
    ("TRACEPARENT", "traceparent"),
    ("INCLUDE_SYSTEM_ENV_VARS", ""),
];

impl Settings {
    /// `K6_OUT` or, which wins, `LOADGEN_OUT`, and so on.
    pub fn from_env(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut settings = Self::default();
        let mut theirs = BTreeMap::new();
        for (variable, text) in variables {
            let name = variable
                .strip_prefix("K6_")
                .or_else(|| variable.strip_prefix("LOADGEN_"));
            let Some(name) = name.filter(|name| SETTINGS.iter().any(|(known, _)| known == name)) else {
                continue;
            };
            if text.trim().is_empty() {
                continue;
            }
            let layer = if variable.starts_with("K6_") {
                &mut theirs
            } else {
                &mut settings.0
            };
            layer.insert(name.to_owned(), text);
        }
        for (name, text) in theirs {
            settings.0.entry(name).or_insert(text);
        }
        settings
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Lets the file say what the environment did not.
    #[must_use]
    pub fn under(mut self, later: Self) -> Self {
        self.0.extend(later.0);
        self
    }
}

/// Reads the text of a JSON config file (`--config`): options, and settings of the run. `name` is for messages.
pub fn file(name: &str, text: &str) -> Result<(RawOptions, Settings), ConfigErrors> {
    let fault = |problem: String, mend: &str| {
        ConfigErrors(vec![ConfigError {
            tier: Tier::File,
            path: name.to_owned(),
            problem,
            mend: mend.to_owned(),
        }])
    };
    let value: Value =
        serde_json::from_str(text).map_err(|error| fault(format!("is not JSON: {error}"), ""))?;
    let Value::Object(mut members) = value else {
        return Err(fault(
            "is not a JSON object".to_owned(),
            "write options as in { \"vus\": 10 }",
        ));
    };
    // Saved configurations of k6's cloud wrap the options.
    if let Some(Value::Object(inner)) = members.remove("options") {
        members.extend(inner);
    }
    let mut settings = Settings::default();
    for (variable, key) in SETTINGS.iter().filter(|(_, key)| !key.is_empty()) {
        match members.remove(*key) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => drop(settings.0.insert((*variable).to_owned(), text)),
            Some(Value::Array(items)) if *key == "out" && items.iter().all(Value::is_string) => {
                let outs: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                settings.0.insert((*variable).to_owned(), outs.join(","));
            }
            Some(other) => drop(settings.0.insert((*variable).to_owned(), other.to_string())),
        }
    }
    let options: Map<String, Value> = members;
    Ok((RawOptions::from_json(&options, Tier::File), settings))
}
