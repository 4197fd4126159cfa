//! `loadgen inspect`: the options that a run would use.

use clap::Args;

use super::exit::{ExitCode, fail};
use super::log;
use super::script::ScriptArgs;
use super::shared::{ResultArgs, runtime};
use crate::run;

/// Show the options that a run would use, as JSON
#[derive(Clone, Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct InspectArgs {
    #[command(flatten)]
    script: ScriptArgs,
    #[command(flatten)]
    results: ResultArgs,
}

impl InspectArgs {
    /// Prints them.
    pub fn execute(&self) -> ExitCode {
        let started = log::start(&self.results.log);
        let order = match started.and_then(|progress| self.script.order(&self.results, progress)) {
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
}
