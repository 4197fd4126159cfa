//! `loadgen inspect`: the options that a run would use.

use clap::Args;

use super::exit::{ExitCode, fail};
use super::log;
use super::options::OptionArgs;
use super::run::variables;
use super::shared::{ResultArgs, runtime};
use crate::output::Progress;
use crate::run::{self, Order, Subject};
use crate::script::Entry;

/// Show the options that a run would use, as JSON
#[derive(Clone, Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct InspectArgs {
    /// A scenario's name, a script file, or - for standard input
    #[arg(value_name = "SCRIPT")]
    script: String,
    #[command(flatten)]
    options: OptionArgs,
    #[command(flatten)]
    results: ResultArgs,
    /// Set a variable of the script's __ENV (repeatable)
    #[arg(short, long, value_name = "NAME=VALUE", help_heading = "Load")]
    env: Vec<String>,
}

impl InspectArgs {
    /// Prints them.
    pub fn execute(&self) -> ExitCode {
        let progress = log::start(&self.results.log);
        let order = match self.order(progress) {
            Ok(order) => order,
            Err(message) => return fail(&message, ExitCode::Config),
        };
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(code) => return code,
        };
        match runtime.block_on(run::load(&order)) {
            Ok(loaded) => {
                super::print(&format!("{:#}\n", loaded.config.options));
                ExitCode::Passed
            }
            Err(error) => fail(&error, ExitCode::from(&error)),
        }
    }

    fn order(&self, progress: Progress) -> Result<Order, String> {
        let subject = Subject::Script(Entry::find(&self.script)?);
        let mut order = self
            .results
            .order(subject, &self.script, self.options.raw(), progress)?;
        order.env = variables(&self.env)?;
        Ok(order)
    }
}
