//! `loadgen compare`: a saved run next to an earlier one.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;

use super::exit::{ExitCode, fail};
use super::log::colour;
use crate::report::compare::{Format, Tolerance, compare};
use crate::report::saved::SavedRun;

const MORE: &str = "\
What is compared: p50, p95 and p99 of http_req_duration, the share of failed requests, requests per second and checks; as a
whole, and by name, service, scenario and check.

What is a regression: a number that moved to the worse by more than the tolerance and by more than noise. A latency has to
move by at least 1 ms, and needs ten samples beyond its percentile (20 for p50, 200 for p95, 1000 for p99); a share has to move
by more than 0.1 percentage points and by more than chance explains (3 standard deviations, 100 samples). Requests per second
are judged only if both runs had the same load, over at least 5 s: with another load they would show that load.

Examples:
  loadgen run --save base.json test.js               a run to compare with
  loadgen run --save run.json test.js && loadgen compare base.json run.json
  loadgen compare base.json run.json --tolerance 20% --format markdown >> \"$GITHUB_STEP_SUMMARY\"
  loadgen compare base.json run.json --metric order_latency --metric http_req_failed";

/// Compare a saved run with an earlier one; exit code 113 on a regression
#[derive(Clone, Debug, Args)]
#[command(after_help = MORE)]
pub struct CompareArgs {
    /// The saved run to compare with
    #[arg(value_name = "BASE")]
    base: PathBuf,
    /// The saved run to judge
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// How far a number may move, as a share of the base's
    #[arg(short, long, value_name = "PERCENT", default_value = "10%")]
    tolerance: Tolerance,
    /// Compare this metric instead of the usual ones (repeatable)
    #[arg(short, long, value_name = "NAME")]
    metric: Vec<String>,
    /// text, markdown or json
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

impl CompareArgs {
    /// Compares them.
    pub fn execute(&self) -> ExitCode {
        let (base, run) = match (SavedRun::read(&self.base), SavedRun::read(&self.run)) {
            (Ok(base), Ok(run)) => (base, run),
            (Err(error), _) | (_, Err(error)) => return fail(&error, ExitCode::Config),
        };
        match compare(&base, &run, self.tolerance, &self.metric) {
            Ok(comparison) => {
                super::print(&comparison.render(self.format, colour(std::io::stdout().is_terminal())));
                match comparison.regressions().next() {
                    Some(_) => ExitCode::Regression,
                    None => ExitCode::Passed,
                }
            }
            Err(error) => fail(&error, ExitCode::Config),
        }
    }
}
