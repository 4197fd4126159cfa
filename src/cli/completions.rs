//! `loadgen completions`: a completion script for a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::exit::ExitCode;

/// Print a completion script for a shell
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

impl CompletionsArgs {
    /// Prints it.
    pub fn execute(&self) -> ExitCode {
        let mut command = super::Cli::command();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "loadgen", &mut script);
        super::print(&String::from_utf8_lossy(&script));
        ExitCode::Passed
    }
}
