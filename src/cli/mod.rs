//! Arguments as typed, one file per subcommand, and exit codes. No logic.

#![allow(clippy::doc_markdown)] // The doc comment of an argument is its help text.

pub mod baseline;
pub mod breakpoint;
pub mod compare;
pub mod completions;
pub mod exit;
pub mod hit;
pub mod inspect;
pub mod lint;
pub mod list;
mod log;
pub mod merge;
mod options;
pub mod report;
pub mod run;
mod script;
mod shared;
pub mod steer;
pub mod suite;
mod traces;
pub mod tunnel;

use std::io::Write;

use clap::{Parser, Subcommand};

pub use exit::ExitCode;

/// Load tests in the k6 dialect, built for observing: how much load a server takes, where it breaks, what ran out first.
///
/// Try it:
///   loadgen run --demo health        a bundled scenario against an embedded target
///   loadgen run my-test.js           your own script, unmodified
///   loadgen hit http://127.0.0.1/    one request again and again, without a script
#[derive(Debug, Parser)]
#[command(
    name = "loadgen",
    version,
    verbatim_doc_comment,
    max_term_width = 110,
    propagate_version = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a scenario or a script
    Run(Box<run::RunArgs>),
    /// Run the scenarios of a system one after another, with one verdict
    Suite(Box<suite::SuiteArgs>),
    /// Find the highest load that still meets the criteria, and what gives way
    Breakpoint(Box<breakpoint::BreakpointArgs>),
    /// Send the same request again and again, without a script
    Hit(Box<hit::HitArgs>),
    /// Forward ports of this machine to a server's, through SSH, until Ctrl-C
    Tunnel(Box<tunnel::TunnelArgs>),
    /// Serve the embedded target: a small system with an adjustable capacity
    Demo(Box<crate::demo::DemoArgs>),
    /// Show the options that a run would use, as JSON
    Inspect(Box<inspect::InspectArgs>),
    /// Find mistakes in scripts that make a test lie; exit code 116 if there are any
    Lint(lint::LintArgs),
    /// Compare saved runs with earlier ones; exit code 113 on a regression
    Compare(compare::CompareArgs),
    /// Add the saved runs of several generators up to one
    Merge(merge::MergeArgs),
    /// Write a report on a saved run: a page of HTML, Markdown or JSON
    Report(report::ReportArgs),
    /// Write the tables of a baseline document from saved runs
    Baseline(baseline::BaselineArgs),
    /// Show how far a run is that was started with --address
    Status(steer::ApiArgs),
    /// Pause such a run: nothing begins any more, what is under way goes on
    Pause(steer::ApiArgs),
    /// Let a paused run go on
    Resume(steer::ApiArgs),
    /// Change the number of virtual users of a run whose executor is externally-controlled
    Scale(steer::ScaleArgs),
    /// Show the metrics of such a run so far
    Stats(steer::ApiArgs),
    /// List the scenarios that can be run by name
    List(list::ListArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}

/// Does what the command line says, and returns the process's exit code.
pub fn main() -> i32 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A terminal that is gone needs no message.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::Config.code()
            } else {
                ExitCode::Passed.code()
            };
        }
    };
    let code = match cli.command {
        Command::Run(args) => args.execute(),
        Command::Suite(args) => {
            let code = args.execute();
            log::finish();
            return code;
        }
        Command::Breakpoint(args) => args.execute(),
        Command::Hit(args) => args.execute(),
        Command::Tunnel(args) => args.execute(),
        Command::Demo(args) => demo(*args),
        Command::Inspect(args) => args.execute(),
        Command::Lint(args) => args.execute(),
        Command::Compare(args) => args.execute(),
        Command::Merge(args) => args.execute(),
        Command::Report(args) => args.execute(),
        Command::Baseline(args) => args.execute(),
        Command::Status(args) => args.status(),
        Command::Pause(args) => args.pause(true),
        Command::Resume(args) => args.pause(false),
        Command::Scale(args) => args.execute(),
        Command::Stats(args) => args.stats(),
        Command::List(args) => args.execute(),
        Command::Completions(args) => args.execute(),
    };
    log::finish();
    code.code()
}

/// Prints to standard output; a reader that has gone is no fault of ours.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn demo(args: crate::demo::DemoArgs) -> ExitCode {
    if let Err(message) = log::start(&log::LogArgs::default()) {
        return exit::fail(&message, ExitCode::Config);
    }
    let options: crate::demo::DemoOptions = args.into();
    let stop = crate::demo::stop_requested(options.exit_on_stdin_eof);
    match crate::demo::serve(&options, stop) {
        Ok(()) => ExitCode::Passed,
        Err(error) => exit::fail(&error, ExitCode::Config),
    }
}
