//! `loadgen list`: the scenarios that can be run by name.

use std::fmt::Write;

use clap::Args;
use serde_json::json;

use super::exit::ExitCode;
use super::shared::runtime;
use crate::run::{RunError, profile_names};
use crate::script::{Entry, Listed, scenarios};

/// List the scenarios that can be run by name
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What a scenario's opening comment says.
#[derive(Debug, Default, PartialEq, Eq)]
struct About {
    description: String,
    /// The other lines: its variables, with their defaults.
    details: Vec<String>,
}

impl ListArgs {
    /// Prints them.
    pub fn execute(&self) -> ExitCode {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(code) => return code,
        };
        let all = scenarios();
        let profiles = |scenario: &Listed| {
            let entry = Entry::find(&scenario.name)?;
            runtime
                .block_on(profile_names(&entry))
                .map_err(|error| match error {
                    RunError::Script(error) => error.in_one_line(),
                    error => error.to_string(),
                })
        };
        if self.json {
            let entry = |scenario: &Listed| {
                let about = about(&scenario.text);
                let mut entry = json!({
                    "name": scenario.name,
                    "source": if scenario.local { "file" } else { "bundled" },
                    "description": about.description,
                    "details": about.details,
                });
                match profiles(scenario) {
                    Ok(names) => entry["profiles"] = names.into(),
                    Err(error) => entry["error"] = error.into(),
                }
                entry
            };
            super::print(&format!(
                "{:#}\n",
                all.iter().map(entry).collect::<serde_json::Value>()
            ));
            return ExitCode::Passed;
        }
        let mut text = String::new();
        for scenario in &all {
            let about = about(&scenario.text);
            let source = if scenario.local { "  (./scenarios)" } else { "" };
            let _ = writeln!(text, "{}{source}\n    {}", scenario.name, about.description);
            for line in about.details {
                let _ = writeln!(text, "      {line}");
            }
            let _ = match profiles(scenario) {
                Ok(names) => writeln!(text, "      profiles: {}", names.join(", ")),
                Err(error) => writeln!(text, "      does not load: {error}"),
            };
        }
        super::print(&text);
        ExitCode::Passed
    }
}

/// The first comment line is the description; the comment lines after it are the details.
fn about(text: &str) -> About {
    let mut lines = text
        .lines()
        .map_while(|line| line.trim().strip_prefix("//"))
        .map(str::trim);
    let description = lines.next().unwrap_or_default().to_owned();
    let details = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
    About { description, details }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opening_comment_describes_a_scenario() {
        let text = "// Health: all of it.\n//\n// URL  where (default x)\nimport a from 'b';\n// not this";
        let expected = About {
            description: "Health: all of it.".into(),
            details: vec!["URL  where (default x)".into()],
        };
        assert_eq!(about(text), expected);
        assert_eq!(about("import x;"), About::default());
    }
}
