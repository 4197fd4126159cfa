//! What `run` and `inspect` have in common: which script, under which options.

use std::collections::BTreeMap;

use clap::Args;

use super::log;
use super::options::OptionArgs;
use super::shared::ResultArgs;
use crate::output::{Progress, parse_size};
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
    /// Values for k6/secrets, which no message shows: file=PATH, or file=filename=PATH,name=NAME,default, or
    /// url=urlTemplate=http://…/{key},headers.NAME=VALUE,responsePath=PATH for a service (repeatable)
    #[arg(long, value_name = "SOURCE", help_heading = "Load")]
    secret_source: Vec<String>,
    /// What one virtual user's JavaScript may hold, such as 64MB; 0 is no limit [default: 512MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Load")]
    max_vu_memory: Option<String>,
    /// Fetch modules that the script imports by https addresses which are not built in. Each is fetched once, kept in the user's
    /// cache, and pinned by its SHA-256 in loadgen-modules.lock beside the script
    #[arg(long, help_heading = "Load")]
    allow_remote_modules: bool,
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
        order.secrets = Secrets::read(&self.secret_source, &order.system_env)?;
        if let Some(text) = &self.max_vu_memory {
            order.max_vu_memory = memory(text)?;
        }
        log::hide(&order.secrets);
        order.allow_remote_modules = self.allow_remote_modules;
        if !self.include_system_env_vars {
            order.system_env.clear();
        }
        Ok(order)
    }
}

/// Less than this and no script is even read.
const LEAST_MEMORY: usize = 1 << 20;

/// `--max-vu-memory`.
fn memory(text: &str) -> Result<usize, String> {
    let bytes = parse_size(text).and_then(|bytes| usize::try_from(bytes).ok());
    match bytes {
        Some(bytes) if bytes == 0 || bytes >= LEAST_MEMORY => Ok(bytes),
        Some(_) => Err(format!(
            "--max-vu-memory {text}: an engine alone needs a part of a megabyte; allow at least 1MiB, or 0 for no limit"
        )),
        None => Err(format!(
            "--max-vu-memory {text}: write a number and a unit, kB, MB or GB, as in 64MB"
        )),
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
