//! `loadgen breakpoint`: the highest load that a target bears.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::exit::ExitCode;
use super::log;
use super::run::DemoFlags;
use super::script::ScriptArgs;
use super::shared::{ResultArgs, execute};
use super::tunnel::TunnelFlags;
use crate::metrics::{Expression, Filter};
use crate::output::Progress;
use crate::pace::parse_duration;
use crate::report::breakpoint::By;
use crate::run::{BreakpointOrder, Order, criterion};

const EXAMPLES: &str = "\
The load is doubled until the criteria no longer hold, the gap is halved until it is small, and both ends are tried again.
Exit codes: 0 found, or held up to the most; 99 not even the lightest load holds; 102 time was up; 105 Ctrl-C;
111 the generator itself was short; 115 the target died.

Examples:
  loadgen breakpoint --tunnel root@vps health                       how many virtual users a server bears
  loadgen breakpoint --by rate --start 50 --max-rate 2000 test.js   how many iterations per second
  loadgen breakpoint --criteria 'http_req_duration: p(95)<200' test.js
  loadgen breakpoint --demo-args '--capacity 200 --queue 40' health";

/// The shortest `--min-step`: fewer seconds have no spread.
const SHORTEST_STEP: Duration = Duration::from_secs(2);

/// Find the highest load that still meets the criteria, and what gives way
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub struct BreakpointArgs {
    #[command(flatten)]
    script: ScriptArgs,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    results: ResultArgs,
    #[command(flatten)]
    demo: DemoFlags,
    #[command(flatten)]
    tunnel: TunnelFlags,
}

/// What the load is counted in, as a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Unit {
    /// Virtual users
    Vus,
    /// Iterations per second
    Rate,
}

/// How it is sought.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Search")]
struct SearchArgs {
    /// What the load is counted in
    #[arg(long, value_name = "UNIT", value_enum, default_value = "vus")]
    by: Unit,
    /// What has to hold beside the script's thresholds, such as 'http_req_duration: p(95)<200' (repeatable)
    /// [default: http_req_failed: rate<=0.01, unless one of them is about http_req_failed]
    #[arg(long, value_name = "CRITERION")]
    criteria: Vec<String>,
    /// The first load that is tried [default: 1, and by rate 10]
    #[arg(long, value_name = "N")]
    start: Option<NonZeroU64>,
    /// The most virtual users: of the load, or by rate to run the iterations
    #[arg(long, value_name = "N", default_value = "1000")]
    max_vus: NonZeroU32,
    /// By rate, the most iterations per second
    #[arg(long, value_name = "N", default_value = "10000")]
    max_rate: NonZeroU64,
    /// How long it may take altogether
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "30m")]
    max_duration: Duration,
    /// How close the load that held and the one that broke are to be, as a share
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0.05")]
    precision: f64,
    /// How often the answer is tried again
    #[arg(long, value_name = "N", default_value_t = 2)]
    confirm: u32,
    /// The least time that a step is measured; it goes on until the verdict is beyond doubt
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "5s")]
    min_step: Duration,
    /// The longest time that a step is measured; then the numbers as they stand decide
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "60s")]
    max_step: Duration,
    /// How long to wait after a step that broke until a light load is answered as at the beginning
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "30s")]
    recovery: Duration,
    /// Which of the script's scenarios carries the load [default: all, in the script's proportions] (repeatable)
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.001..=1.0).contains(&share) => Ok(share),
        _ => Err("not a share from 0.001 to 1, such as 0.05".to_owned()),
    }
}

impl SearchArgs {
    fn order(&self) -> Result<BreakpointOrder, String> {
        let (by, most, start) = match self.by {
            Unit::Vus => (By::Vus, u64::from(self.max_vus.get()), 1),
            Unit::Rate => (By::Rate, self.max_rate.get(), 10),
        };
        let start = self.start.map_or(start.min(most), NonZeroU64::get);
        if start > most {
            let flag = match by {
                By::Vus => "--max-vus",
                By::Rate => "--max-rate",
            };
            return Err(format!(
                "--start is {start} and {flag} {most}: it must begin below the most"
            ));
        }
        if self.min_step < SHORTEST_STEP {
            let least = SHORTEST_STEP.as_secs();
            return Err(format!(
                "--min-step: it must be at least {least} s, as what is measured is seconds"
            ));
        }
        if self.max_step < self.min_step {
            return Err("--max-step is less than --min-step".to_owned());
        }
        let criteria: Result<Vec<_>, String> = self.criteria.iter().map(|text| checked(text)).collect();
        Ok(BreakpointOrder {
            by,
            start,
            most,
            max_vus: self.max_vus.get(),
            max_duration: self.max_duration,
            criteria: criteria?,
            step: (self.min_step, self.max_step),
            recovery: self.recovery,
            precision: self.precision,
            confirmations: self.confirm,
            scenarios: self.scenario.clone(),
        })
    }
}

/// A criterion that is well written; whether there is such a metric is known once the script is.
fn checked(text: &str) -> Result<(String, String), String> {
    let (metric, expression) = criterion(text)?;
    let wrong = |error: &dyn std::fmt::Display| format!("--criteria '{text}': {error}");
    metric.parse::<Filter>().map_err(|error| wrong(&error))?;
    expression.parse::<Expression>().map_err(|error| wrong(&error))?;
    Ok((metric, expression))
}

impl BreakpointArgs {
    /// Seeks.
    pub fn execute(&self) -> ExitCode {
        let started = log::start(&self.results.log);
        execute(started.and_then(|progress| self.order(progress)))
    }

    fn order(&self, progress: Progress) -> Result<Order, String> {
        let search = self.search.order()?;
        let mut order = self.script.order(&self.results, progress)?;
        BreakpointOrder::check(&order.flags)?;
        if order.start_at.is_some() {
            return Err("--start-at: breakpoint seeks with one process; leave it out".to_owned());
        }
        order.breakpoint = Some(search);
        self.tunnel.add_to(&mut order)?;
        self.demo.add_to(&mut order)?;
        Ok(order)
    }
}
