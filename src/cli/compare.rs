//! `loadgen compare`: saved runs next to earlier ones.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;

use super::exit::{ExitCode, fail};
use super::log::colour;
use crate::report::compare::{CompareOptions, Format, TOLERANCE, Tolerance, compare};
use crate::report::saved::SavedRun;

const MORE: &str = "\
What is compared: p50, p95 and p99 of http_req_duration, the share of failed requests, requests per second and checks; as a
whole, and by name, group, service, scenario and check.

What is a regression: a number that moved to the worse by more than the tolerance, and by more than runs vary by themselves.
How much that is follows from several runs a side (three or more), or from how a run varies in time: a minute or two of load.
All rows of a comparison together cry wolf in one of twenty-five at the most. From one run a side a latency also has to move by 1 ms;
a share always by 0.1 percentage points. Requests per second need 5 s. docs/compare.md has the method, and what it finds.

Runs of different scripts or of different loads are refused; other hosts, versions, targets, outages and doubts about the
generator are warned about.

Examples:
  loadgen run --save base.json test.js               a run to compare with
  loadgen run --save new.json test.js && loadgen compare base.json new.json
  loadgen compare base1.json base2.json base3.json -- new1.json new2.json new3.json
  loadgen compare base.json new.json --tolerance 20% --format md >> \"$GITHUB_STEP_SUMMARY\"
  loadgen compare base.json new.json --metric order_latency --metric http_req_failed";

/// Compare saved runs with earlier ones; exit code 113 on a regression
#[derive(Clone, Debug, Args)]
#[command(after_help = MORE, override_usage = "loadgen compare [OPTIONS] <BASE> <NEW>...\n       loadgen compare [OPTIONS] <BASE>... -- <NEW>...")]
pub struct CompareArgs {
    /// The saved run to compare with, and those to judge; with --, all before it are compared with
    #[arg(value_name = "BASE", required = true)]
    runs: Vec<PathBuf>,
    /// The saved runs to judge, where there are several to compare with
    #[arg(value_name = "NEW", last = true)]
    new: Vec<PathBuf>,
    /// How far a number may move, as a share of the base's
    #[arg(short, long, value_name = "PERCENT", default_value = TOLERANCE)]
    tolerance: Tolerance,
    /// Compare this metric instead of the usual ones (repeatable)
    #[arg(short, long, value_name = "NAME")]
    metric: Vec<String>,
    /// Compare runs of different scripts or loads all the same
    #[arg(long)]
    force: bool,
    /// text, md or json
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

impl CompareArgs {
    /// Compares them.
    pub fn execute(&self) -> ExitCode {
        let (base, new) = match (self.runs.as_slice(), self.new.as_slice()) {
            ([_], []) => {
                let message = "compare needs a run to judge too: loadgen compare BASE NEW";
                return fail(&message, ExitCode::Config);
            }
            ([base, new @ ..], []) => (std::slice::from_ref(base), new),
            sides => sides,
        };
        let read = |side: &[PathBuf]| {
            side.iter()
                .map(|path| SavedRun::read(path))
                .collect::<Result<Vec<_>, _>>()
        };
        let (base, new) = match (read(base), read(new)) {
            (Ok(base), Ok(new)) => (base, new),
            (Err(error), _) | (_, Err(error)) => return fail(&error, ExitCode::Config),
        };
        let options = CompareOptions {
            tolerance: Some(self.tolerance),
            metrics: self.metric.clone(),
            force: self.force,
        };
        match compare(&base, &new, &options) {
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
