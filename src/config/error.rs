//! What is wrong with a configuration: every fault at once, each with who gave it, where, what is wrong and the mend.

use std::fmt;

use super::raw::Tier;

/// One fault. Displays as `options.scenarios.api.stages[1].duration (script): "10x" is not a duration; write ...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Who gave the value.
    pub tier: Tier,
    /// The option as its giver spells it: `options.vus`, `K6_VUS`, `--vus`, with the path inside it.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What to do about it; may be empty when the problem says it.
    pub mend: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.path, self.tier, self.problem)?;
        if self.mend.is_empty() {
            Ok(())
        } else {
            write!(f, "; {}", self.mend)
        }
    }
}

/// Everything that is wrong with a configuration, never empty. Exit code 104.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.0.as_slice() {
            return write!(f, "configuration error: {only}");
        }
        write!(f, "{} configuration errors:", self.0.len())?;
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

/// `; did you mean ...` material: the known name closest to what was written, when it is close enough to be a typo.
///
/// Jaro-Winkler similarity above 0.8, the measure and bound clap uses for flags, compared without case.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&written, &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// The mend for an unknown name: the nearest known one, or all of them.
pub(super) fn suggest<'a>(written: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(written, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known are {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}
