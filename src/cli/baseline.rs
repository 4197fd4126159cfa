//! `loadgen baseline`: BASELINE.md out of saved runs.

use std::path::PathBuf;

use clap::Args;

use super::exit::{ExitCode, fail};
use crate::report::baseline::{BaselineOptions, baseline};
use crate::report::saved::SavedRun;

const EXAMPLES: &str = "\
The runs of health, store-crud and spike fill the tables of the baseline; a run of any other script gets a table of its own.
Where a run is missing the cells stay empty, and the document says which command fills them. A p95 of more than 500 ms or
more than 1 % errors at 50 VUs is marked as a follow-up.

Examples:
  loadgen run --tunnel root@VPS --save health.json health
  loadgen run --tunnel root@VPS --save store.json store-crud
  loadgen run --tunnel root@VPS --save spike.json spike
  loadgen baseline health.json store.json spike.json --runtime 'Bun 1.2' --output BASELINE.md";

/// Write the tables of a baseline document from saved runs
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BaselineArgs {
    /// Saved runs (`loadgen run --save FILE`)
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// Write to this file [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What the target ran on, instead of what is known of it
    #[arg(long, value_name = "TEXT")]
    host_line: Option<String>,
    /// What serves the target, such as 'Bun 1.2'
    #[arg(long, value_name = "TEXT")]
    runtime: Option<String>,
    /// The date in the title [default: that of the last run, in UTC]
    #[arg(long, value_name = "DATE")]
    date: Option<String>,
}

impl BaselineArgs {
    /// Writes it.
    pub fn execute(&self) -> ExitCode {
        let mut runs = Vec::new();
        for path in &self.runs {
            match SavedRun::read(path) {
                Ok(run) => runs.push(run),
                Err(error) => return fail(&error, ExitCode::Config),
            }
        }
        let options = BaselineOptions {
            host: self.host_line.clone(),
            runtime: self.runtime.clone(),
            date: self.date.clone(),
        };
        let text = match baseline(&runs, &options) {
            Ok(text) => text,
            Err(error) => return fail(&error, ExitCode::Config),
        };
        match &self.output {
            None => super::print(&text),
            Some(path) => {
                if let Err(error) = std::fs::write(path, text) {
                    return fail(
                        &format!("cannot write {}: {error}", path.display()),
                        ExitCode::Config,
                    );
                }
            }
        }
        ExitCode::Passed
    }
}
