//! `loadgen run`: a scenario or a script.

use clap::Args;

use super::exit::ExitCode;
use super::log;
use super::script::ScriptArgs;
use super::shared::{ResultArgs, execute};
use super::tunnel::TunnelFlags;
use crate::output::Progress;
use crate::run::{DemoOrder, Order};

const EXAMPLES: &str = "\
Examples:
  loadgen run --demo health                          a bundled scenario, an embedded target
  loadgen run --demo --demo-capacity 500 spike       a target that breaks
  loadgen run --profile stress tachikoma/missions    a load by its name (see loadgen list)
  loadgen run --tunnel root@vps health               a server's ports 3001 and 3002, through SSH
  loadgen run -u 10 -d 30s test.js                   10 virtual users for 30 seconds
  loadgen run -s 10s:100 -s 1m:100 -s 10s:0 test.js  ramp to 100 and back
  loadgen run -o json=samples.json.gz test.js        every sample in a file";

/// Run a scenario or a script
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub struct RunArgs {
    #[command(flatten)]
    script: ScriptArgs,
    #[command(flatten)]
    results: ResultArgs,

    /// Let the script's verify() run commands on this machine, as exec() of loadgen/verify
    #[arg(long, help_heading = "Load")]
    allow_exec: bool,

    #[command(flatten)]
    demo: DemoFlags,

    #[command(flatten)]
    tunnel: TunnelFlags,

    #[command(flatten)]
    without_effect: WithoutEffect,
}

/// The embedded target of a run.
#[derive(Clone, Debug, Args)]
pub struct DemoFlags {
    /// Start the embedded target on free ports, point the script's variables at it, and sample its CPU and memory
    #[arg(long, conflicts_with = "tunnel", help_heading = "Demo target")]
    demo: bool,
    /// Limit the target to N requests per second (implies --demo)
    #[arg(long, value_name = "N", help_heading = "Demo target")]
    demo_capacity: Option<std::num::NonZeroU32>,
    /// More arguments of `loadgen demo`, as one text (implies --demo)
    #[arg(
        long,
        value_name = "ARGS",
        allow_hyphen_values = true,
        help_heading = "Demo target"
    )]
    demo_args: Option<String>,
}

impl DemoFlags {
    /// Adds it to an order, if it is wanted.
    pub fn add_to(&self, order: &mut Order) -> Result<(), String> {
        if self.demo || self.demo_capacity.is_some() || self.demo_args.is_some() {
            order.demo = Some(DemoOrder {
                capacity: self.demo_capacity.map(Into::into),
                arguments: words(self.demo_args.as_deref().unwrap_or_default())?,
            });
        }
        Ok(())
    }
}

/// Flags of k6 that are accepted and change nothing here.
#[derive(Clone, Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // Each is a flag of the dialect.
struct WithoutEffect {
    #[arg(long, hide = true)]
    compatibility_mode: Option<String>,
    #[arg(short = 't', long = "type", hide = true)]
    kind: Option<String>,
    #[arg(long, hide = true)]
    no_usage_report: bool,
    #[arg(long, hide = true)]
    new_machine_readable_summary: bool,
    #[arg(long, hide = true)]
    profiling_enabled: bool,
    #[arg(long, hide = true)]
    features: Vec<String>,
    #[arg(long, hide = true)]
    traces_output: Option<String>,
}

impl WithoutEffect {
    /// One line for each flag that was given.
    fn warnings(&self) -> Vec<String> {
        [
            (
                self.compatibility_mode.is_some(),
                "--compatibility-mode",
                "there is one mode: modern JavaScript",
            ),
            (self.kind.is_some(), "--type", "only scripts are run"),
            (
                self.no_usage_report,
                "--no-usage-report",
                "no usage is ever reported",
            ),
            (
                self.new_machine_readable_summary,
                "--new-machine-readable-summary",
                "there is one export format",
            ),
            (
                self.profiling_enabled,
                "--profiling-enabled",
                "there is no Go runtime to profile",
            ),
            (
                !self.features.is_empty(),
                "--features",
                "there are no feature flags",
            ),
            (
                self.traces_output.is_some(),
                "--traces-output",
                "traces go where --otlp says",
            ),
        ]
        .into_iter()
        .filter(|(given, ..)| *given)
        .map(|(_, flag, why)| format!("{flag} has no effect: {why}"))
        .collect()
    }
}

impl RunArgs {
    /// Runs it.
    pub fn execute(&self) -> ExitCode {
        let started = log::start(&self.results.log);
        for warning in self.without_effect.warnings() {
            tracing::warn!("{warning}");
        }
        execute(started.and_then(|progress| self.order(progress)))
    }

    fn order(&self, progress: Progress) -> Result<Order, String> {
        let mut order = self.script.order(&self.results, progress)?;
        order.allow_exec = self.allow_exec;
        self.tunnel.add_to(&mut order)?;
        self.demo.add_to(&mut order)?;
        Ok(order)
    }
}

/// Words as a shell splits them: blanks between, quotes around.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(format!("--demo-args {text}: a quote is not closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        let split = |text| words(text).unwrap();
        assert_eq!(split("--queue 5  --seed=1"), ["--queue", "5", "--seed=1"]);
        assert_eq!(split("'a b' \"\" c'd e'"), ["a b", "", "cd e"]);
        assert!(split("  ").is_empty());
        assert!(words("'a").is_err());
    }
}
