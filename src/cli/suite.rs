//! `loadgen suite`: the scenarios of one system, one after another.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::exit::{ExitCode, fail};
use super::log;
use super::script::variables;
use super::shared::runtime;
use super::traces::TraceArgs;
use crate::pace::parse_duration;
use crate::report::suite::{SuiteRow, markdown, table, worst};
use crate::run::{self, Member};
use crate::script::scenarios;

const EXAMPLES: &str = "\
A system is a folder of scenarios: those that ship (see `loadgen list`) or a folder below ./scenarios. `prim` are those at the
top level. What follows -- goes to every run.

The suite's exit code is that of its runs, where several differ the gravest: what kept a test from running before what a test
found (104, 109, 107, 100, 101, 108, 110, 105, 111, 112, 99).

Examples:
  loadgen suite tachikoma --profile load
  loadgen suite tachikoma --only health --serve 'cargo run --release -p tachikoma-server'
  loadgen suite happy --demo --save-dir results --markdown summary.md -- --vus 5 --duration 10s";

/// Run the scenarios of a system one after another, with one verdict table and one exit code
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SuiteArgs {
    /// The system: prim, tachikoma, sequencer, flux-gate, happy, or a folder below ./scenarios
    #[arg(value_name = "SYSTEM")]
    system: String,
    /// The load of every run, by its name (see `loadgen list`)
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Run this scenario only (repeatable)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Leave this scenario out (repeatable)
    #[arg(long, value_name = "NAME")]
    skip: Vec<String>,
    /// Set a variable of the scripts' __ENV (repeatable)
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Stop at the first run that does not pass
    #[arg(long)]
    fail_fast: bool,

    /// Run against the embedded target, a fresh one for each run
    #[arg(long, conflicts_with_all = ["serve", "health_url"], help_heading = "Server")]
    demo: bool,
    /// Start the server with this command if the health URL does not answer, and stop it afterwards
    #[arg(long, value_name = "COMMAND", help_heading = "Server")]
    serve: Option<String>,
    /// Where the server answers when it is ready [default: the system's health check below BASE_URL]
    #[arg(long, value_name = "URL", help_heading = "Server")]
    health_url: Option<String>,
    /// How long the server may take to be ready
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "60s", help_heading = "Server")]
    serve_timeout: Duration,

    /// Save each run into this folder, as SYSTEM-NAME.json
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    save_dir: Option<PathBuf>,
    /// Add the verdict table to this file, in Markdown (such as $GITHUB_STEP_SUMMARY)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    markdown: Option<PathBuf>,

    #[command(flatten)]
    traces: TraceArgs,

    /// More arguments of `loadgen run`, for every run
    #[arg(last = true, value_name = "ARGS")]
    more: Vec<OsString>,
}

/// Where a system is looked for unless told otherwise: variable, default, and the path of its health check.
fn health_check(system: &str) -> (&'static str, Option<&'static str>, &'static str) {
    match system {
        "prim" => ("WALLET_URL", Some("http://localhost:3001"), "/"),
        "tachikoma" => ("BASE_URL", Some("http://localhost:3000"), "/api/health"),
        "flux-gate" => ("BASE_URL", Some("http://localhost:3000"), "/health"),
        "sequencer" => ("SEQUENCER_BASE_URL", Some("http://localhost:8080"), "/health"),
        "happy" => ("BASE_URL", Some("http://localhost:8787"), "/health"),
        _ => ("BASE_URL", None, "/"),
    }
}

impl SuiteArgs {
    /// Runs it; the exit code of a run is not always one of ours.
    pub fn execute(&self) -> i32 {
        let ran = log::start(&log::LogArgs::default()).and_then(|_| self.run());
        match ran {
            Ok(code) => code,
            Err(message) => fail(&message, ExitCode::Config).code(),
        }
    }

    fn run(&self) -> Result<i32, String> {
        let names = self.members()?;
        let scratch = std::env::temp_dir().join(format!("loadgen-suite-{}", std::process::id()));
        let folder = self.save_dir.as_ref().unwrap_or(&scratch);
        std::fs::create_dir_all(folder)
            .map_err(|error| format!("cannot make the folder {}: {error}", folder.display()))?;
        let members: Vec<Member> = names.iter().map(|name| self.member(name, folder)).collect();
        let Ok(runtime) = runtime() else {
            return Ok(ExitCode::Panic.code());
        };
        let result = runtime.block_on(self.conduct(&members));
        if self.save_dir.is_none() {
            // Only a copy for the table.
            let _ = std::fs::remove_dir_all(&scratch);
        }
        let rows = result?;
        super::print(&format!("\n{}", table(&rows)));
        if let Some(path) = &self.markdown {
            self.append(path, &rows)?;
        }
        Ok(worst(rows.iter().filter_map(|row| row.code)))
    }

    async fn conduct(&self, members: &[Member]) -> Result<Vec<SuiteRow>, String> {
        let mut requests = run::Requests::listen();
        let served = match self.health_url()? {
            Some(url) => tokio::select! {
                served = run::ensure_served(&url, self.serve.as_deref(), self.serve_timeout) => {
                    served.map_err(|error| error.to_string())?
                }
                name = requests.next() => return Err(format!("{name} before the server was ready")),
            },
            None => None,
        };
        let rows = run::suite(members, self.fail_fast, &mut requests).await;
        if let Some(served) = served {
            served.stop().await;
        }
        rows.map_err(|error| error.to_string())
    }

    /// The names of the scenarios to run.
    fn members(&self) -> Result<Vec<String>, String> {
        let mut systems: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for scenario in scenarios() {
            let system = scenario
                .name
                .rsplit_once('/')
                .map_or("prim", |(system, _)| system);
            systems
                .entry(system.to_owned())
                .or_default()
                .push(scenario.name.clone());
        }
        let Some(all) = systems.get(&self.system) else {
            let known: Vec<&str> = systems.keys().map(String::as_str).collect();
            return Err(format!(
                "there is no system `{}`; there are: {}",
                self.system,
                known.join(", ")
            ));
        };
        let short = |name: &str| name.rsplit_once('/').map_or(name, |(_, short)| short).to_owned();
        let known: BTreeSet<String> = all.iter().map(|name| short(name)).collect();
        if let Some(unknown) = self
            .only
            .iter()
            .chain(&self.skip)
            .find(|name| !known.contains(*name))
        {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            return Err(format!(
                "{} has no scenario `{unknown}`; it has: {}",
                self.system,
                known.join(", ")
            ));
        }
        let wanted = |name: &&String| {
            let short = short(name);
            (self.only.is_empty() || self.only.contains(&short)) && !self.skip.contains(&short)
        };
        let members: Vec<String> = all.iter().filter(wanted).cloned().collect();
        if members.is_empty() {
            return Err("--skip leaves nothing to run".to_owned());
        }
        Ok(members)
    }

    fn member(&self, name: &str, folder: &Path) -> Member {
        let saved = folder.join(format!("{}.json", name.replace('/', "-")));
        let mut arguments: Vec<OsString> = vec![name.into(), "--save".into(), saved.clone().into()];
        if let Some(profile) = &self.profile {
            arguments.extend(["--profile".into(), profile.into()]);
        }
        for variable in &self.env {
            arguments.extend(["--env".into(), variable.into()]);
        }
        if self.demo {
            arguments.push("--demo".into());
        }
        arguments.extend(self.traces.arguments());
        arguments.extend(self.more.iter().cloned());
        Member {
            name: name.to_owned(),
            arguments,
            saved,
        }
    }

    /// Where to look whether the server is ready; `None` if nobody asks to.
    fn health_url(&self) -> Result<Option<String>, String> {
        if let Some(url) = &self.health_url {
            return Ok(Some(url.clone()));
        }
        if self.serve.is_none() {
            return Ok(None);
        }
        let (variable, fallback, path) = health_check(&self.system);
        let base = variables(&self.env)?
            .remove(variable)
            .or_else(|| std::env::var(variable).ok());
        match base.as_deref().filter(|base| !base.is_empty()).or(fallback) {
            Some(base) => Ok(Some(format!("{}{path}", base.trim_end_matches('/')))),
            None => Err("--serve needs --health-url, to know when the server is ready".to_owned()),
        }
    }

    fn append(&self, path: &Path, rows: &[SuiteRow]) -> Result<(), String> {
        let title = match &self.profile {
            Some(profile) => format!("{}, profile {profile}", self.system),
            None => self.system.clone(),
        };
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(markdown(&title, rows).as_bytes()))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    }
}
