//! `loadgen report`: a saved run as a page, as Markdown, as JSON, or as a picture.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;

use super::exit::{ExitCode, fail};
use crate::report::saved::SavedRun;
use crate::report::{ReportKind, ReportSpec};

const EXAMPLES: &str = "\
Examples:
  loadgen run --report report.html test.js           run, and write the page
  loadgen run --save run.json test.js && loadgen report run.json -o report.html
  loadgen report run.json --format md >> \"$GITHUB_STEP_SUMMARY\"
  loadgen report run.json -o run.png                 a picture for where no page can be shown

The page is one file that needs no network and no script: verdict and findings, the run on one time axis, distribution, tables,
options and environment. The picture has the verdict, the findings and the time axis. For a PDF print the page from a browser.";

/// Write a report on a saved run: a page of HTML, Markdown, JSON or a picture
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReportArgs {
    /// The saved run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Where the report goes [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// html, md, json or png [default: what the file's name ends in, else html]
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
}

impl ReportArgs {
    /// Writes it.
    pub fn execute(&self) -> ExitCode {
        let kind = match self.kind() {
            Ok(kind) => kind,
            Err(message) => return fail(&message, ExitCode::Config),
        };
        if kind == ReportKind::Png && self.output.is_none() && std::io::stdout().is_terminal() {
            let message = "a picture is nothing for a terminal: name a file with -o";
            return fail(&message, ExitCode::Config);
        }
        let run = match SavedRun::read(&self.run) {
            Ok(run) => run,
            Err(error) => return fail(&error, ExitCode::Config),
        };
        let spec = ReportSpec {
            kind,
            path: self.output.clone(),
            append: false,
        };
        match spec.open().and_then(|report| report.write(&run)) {
            Ok(()) => ExitCode::Passed,
            Err(error) => fail(&error, ExitCode::Config),
        }
    }

    fn kind(&self) -> Result<ReportKind, String> {
        let ending = self.output.as_ref().and_then(|path| path.extension());
        let ending = ending.map(|ending| ending.to_string_lossy().to_lowercase());
        match (&self.format, ending.as_deref()) {
            (Some(name), _) => match name.as_str() {
                "html" => Ok(ReportKind::Html),
                "md" | "markdown" => Ok(ReportKind::Markdown),
                "json" => Ok(ReportKind::Json),
                "png" => Ok(ReportKind::Png),
                name => Err(format!(
                    "--format {name}: there are html, md, json and png; for a PDF print the page from a browser"
                )),
            },
            (None, Some("md" | "markdown")) => Ok(ReportKind::Markdown),
            (None, Some("json")) => Ok(ReportKind::Json),
            (None, Some("png")) => Ok(ReportKind::Png),
            (None, _) => Ok(ReportKind::Html),
        }
    }
}
