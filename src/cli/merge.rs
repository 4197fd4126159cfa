//! `loadgen merge`: the saved runs of several generators as one.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;

use super::exit::{ExitCode, fail};
use super::log::{LogArgs, colour, start};
use crate::metrics::Timeline;
use crate::report::merge::merge;
use crate::report::saved::{Destination, SavedRun};
use crate::report::{SummaryMode, SummaryOptions, findings_section, summary};

const MORE: &str = "\
Each generator runs its part of the test (--execution-segment) and saves it. Merged, they are what one generator would have saved
that had made all of the load: counts, rates and distributions add up exactly, thresholds are judged again on the sum, and the
time axes are laid over each other by the clock. Runs of other scripts, options or times, and segments that overlap, are refused;
missing segments are said. Exit code 99 if a threshold does not hold on the sum. docs/scaling.md says more.

Examples:
  loadgen run --execution-segment 0:1/2 --start-at +10s --save a.json test.js      on one machine
  loadgen run --execution-segment 1/2:1 --start-at +10s --save b.json test.js      on another, at the same time
  loadgen merge a.json b.json -o merged.json && loadgen report merged.json -o report.html
  loadgen merge /results/*.json.gz -o merged.json.gz";

/// Add the saved runs of several generators up to one
#[derive(Clone, Debug, Args)]
#[command(after_help = MORE)]
pub struct MergeArgs {
    /// The saved runs of all generators
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// Save the sum to this file; also as .gz [default: only show the summary]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What the summary shows: compact, full or disabled
    #[arg(long, value_name = "MODE", default_value = "compact")]
    summary_mode: SummaryMode,
}

impl MergeArgs {
    /// Merges them.
    pub fn execute(&self) -> ExitCode {
        if let Err(message) = start(&LogArgs::default()) {
            return fail(&message, ExitCode::Config);
        }
        let mut runs = Vec::new();
        for path in &self.runs {
            match SavedRun::read(path) {
                Ok(run) => runs.push(run),
                Err(error) => return fail(&error, ExitCode::Config),
            }
        }
        let merged = match merge(&runs) {
            Ok(merged) => merged,
            Err(error) => return fail(&error, ExitCode::Config),
        };
        for warning in &merged.warnings {
            tracing::warn!("{warning}");
        }
        if let Some(path) = &self.output
            && let Err(error) = Destination::open(path).and_then(|file| file.write(&merged.run))
        {
            return fail(&error, ExitCode::Config);
        }
        if self.summary_mode != SummaryMode::Disabled {
            super::print(&self.summary(&merged.run));
        }
        match merged.run.thresholds.iter().find(|threshold| !threshold.ok) {
            Some(_) => ExitCode::Thresholds,
            None => ExitCode::Passed,
        }
    }

    fn summary(&self, run: &SavedRun) -> String {
        let color = colour(std::io::stdout().is_terminal());
        let (trend_stats, time_unit) = run.summary_look();
        let options = SummaryOptions {
            mode: self.summary_mode,
            trend_stats,
            time_unit,
            color,
        };
        // What was sampled of the target is in the file, and in its report.
        let text = summary(&run.snapshot(), &Timeline::default(), &options);
        format!("\n{text}\n\n{}\n", findings_section(run, color))
    }
}
