//! What `run` and `inspect` have in common: which script, under which options.

use std::collections::BTreeMap;

use clap::Args;

use super::log;
use super::options::OptionArgs;
use super::shared::ResultArgs;
use crate::output::Progress;
use crate::run::{Order, Subject};
use crate::script::{Entry, Secrets};

/// A script and what it is told.
#[derive(Clone, Debug, Args)]
pub struct ScriptArgs {
    /// A scenario's name (see `loadgen list`), a script file, or - for standard input
    #[arg(value_name = "SCRIPT")]
    script: String,
    /// A load by its name: one of the script's own profiles, or else of those that all share (see `loadgen list`)
    #[arg(long, value_name = "NAME", help_heading = "Load")]
    profile: Option<String>,
    #[command(flatten)]
    options: OptionArgs,
    /// Set a variable of the script's __ENV (repeatable)
    #[arg(short, long, value_name = "NAME=VALUE", help_heading = "Load")]
    env: Vec<String>,
    /// Values for k6/secrets, which no message shows: file=PATH, or file=filename=PATH,name=NAME,default (repeatable)
    #[arg(long, value_name = "SOURCE", help_heading = "Load")]
    secret_source: Vec<String>,
    /// Whether the script's __ENV has the system's variables too
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set, help_heading = "Load")]
    include_system_env_vars: bool,
}

impl ScriptArgs {
    /// The order to run it, or what is wrong with it.
    pub fn order(&self, results: &ResultArgs, progress: Progress) -> Result<Order, String> {
        let subject = Subject::Script(Entry::find(&self.script)?);
        let mut order = results.order(subject, &self.script, self.options.raw(), progress)?;
        order.env = variables(&self.env)?;
        order.profile.clone_from(&self.profile);
        order.secrets = Secrets::read(&self.secret_source)?;
        log::hide(&order.secrets);
        if !self.include_system_env_vars {
            order.system_env.clear();
        }
        Ok(order)
    }
}

/// `-e NAME=VALUE`; a name alone takes the system's value, as in the dialect.
pub fn variables(given: &[String]) -> Result<BTreeMap<String, String>, String> {
    let pair = |text: &String| match text.split_once('=') {
        Some(("", _)) => Err(format!("--env {text}: the name is missing; write NAME=VALUE")),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Ok((text.clone(), std::env::var(text).unwrap_or_default())),
    };
    given.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_need_a_name() {
        let given = ["A=1".to_owned(), "B=x=y".to_owned()];
        let expected = BTreeMap::from([
            ("A".to_owned(), "1".to_owned()),
            ("B".to_owned(), "x=y".to_owned()),
        ]);
        assert_eq!(variables(&given).unwrap(), expected);
        assert!(variables(&["=1".to_owned()]).is_err());
    }
}
