//! What `run` and `hit` have in common: outputs, the `/metrics` page, the summary.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;

use super::exit::{ExitCode, fail};
use super::log::{LogArgs, colour};
use super::traces::TraceArgs;
use crate::config::{self, RawOptions, Settings};
use crate::output::{GRAFANA_TOKEN, OutputError, OutputSpec, Progress, PushOptions, Rotation, TellOptions};
use crate::pace::parse_duration;
use crate::remote::Watch;
use crate::remote::ssh::SECRETS as SSH_SECRETS;
use crate::report::{ReportKind, ReportSpec, SummaryMode};
use crate::run::{self, Linger, Order, SamplingOrder, Subject, SummaryOrder};
use crate::script::Secrets;

/// `--linger` without a time.
const LINGER: &str = "60s";
/// The shortest `--sample-interval`, and the longest: the alert on samples that have stopped looks back a minute.
const SHORTEST_SAMPLE: Duration = Duration::from_millis(100);
const LONGEST_SAMPLE: Duration = Duration::from_secs(30);
/// How often metrics are pushed unless told otherwise, and at most.
const PUSH: Duration = Duration::from_secs(5);
const SHORTEST_PUSH: Duration = Duration::from_secs(1);
/// How long a receiver of them may take to answer unless told otherwise.
const PUSH_TIMEOUT: Duration = Duration::from_secs(10);
/// How often `--save` writes what there is so far, unless told otherwise, and at most.
const CHECKPOINT: Duration = Duration::from_mins(1);
const SHORTEST_CHECKPOINT: Duration = Duration::from_secs(1);
/// Where `/metrics` is unless told otherwise.
const METRICS: &str = "127.0.0.1:9464";

/// Where results go.
#[derive(Clone, Debug, Args)]
pub struct ResultArgs {
    /// Write every sample while running: json=FILE, csv=FILE, also as .gz; or a report at the end: junit=FILE, markdown=FILE, html=FILE, png=FILE.
    /// Without a file to standard output; markdown to $GITHUB_STEP_SUMMARY where that is set (repeatable)
    #[arg(short, long, value_name = "KIND=FILE", help_heading = "Output")]
    pub out: Vec<String>,
    /// Begin a new sample file at this size, and keep FILES older ones [default: never; 4 files]
    #[arg(long, value_name = "SIZE[:FILES]", help_heading = "Output")]
    pub out_rotate: Option<String>,
    /// Where the live Prometheus page is served, or "off" [default: 127.0.0.1:9464]
    #[arg(long, value_name = "ADDR", help_heading = "Output")]
    pub metrics_addr: Option<String>,
    /// Serve the REST API, such as localhost:6565: status, pause, resume, scale, metrics [default: it is off]
    #[arg(short, long, value_name = "ADDR", help_heading = "Output")]
    pub address: Option<String>,
    /// Push the metrics to a receiver of Prometheus remote write, such as http://prometheus:9090/api/v1/write
    #[arg(long, value_name = "URL", help_heading = "Output")]
    pub remote_write: Option<String>,
    /// A header of these pushes, 'Name: value' (repeatable); LOADGEN_REMOTE_WRITE_HEADERS has one a line
    #[arg(long, value_name = "HEADER", help_heading = "Output")]
    pub remote_write_header: Vec<String>,
    /// How often to push [default: 5s]
    #[arg(long, value_name = "DURATION", help_heading = "Output")]
    pub remote_write_interval: Option<String>,
    /// How long the receiver may take to answer a push [default: 10s]
    #[arg(long, value_name = "DURATION", help_heading = "Output")]
    pub remote_write_timeout: Option<String>,
    /// Post failing thresholds as alerts to an Alertmanager, such as http://alertmanager:9093, and resolve them
    #[arg(long, value_name = "URL", help_heading = "Output")]
    pub alertmanager: Option<String>,
    /// Annotate the run in a Grafana, such as http://grafana:3000; LOADGEN_GRAFANA_TOKEN has the token
    #[arg(long, value_name = "URL", help_heading = "Output")]
    pub grafana: Option<String>,
    /// Wait for a scrape of /metrics before the load and after it, for at most this long
    #[arg(short, long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = LINGER, help_heading = "Output")]
    pub linger: Option<String>,
    /// Traces.
    #[command(flatten)]
    pub traces: TraceArgs,
    /// Save everything about the run to a file, for compare and baseline; also as .gz
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub save: Option<PathBuf>,
    /// How often what there is so far is saved to FILE.checkpoint, in case the run is killed; 0 for never [default: 1m]
    #[arg(long, value_name = "DURATION", requires = "save", help_heading = "Output")]
    pub save_every: Option<String>,
    /// Write a report at the end, one page of HTML that needs no network
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub report: Option<PathBuf>,
    /// What the summary shows: compact, full or disabled
    #[arg(long, value_name = "MODE", help_heading = "Summary")]
    pub summary_mode: Option<String>,
    /// Write the summary as JSON
    #[arg(long, value_name = "FILE", help_heading = "Summary")]
    pub summary_export: Option<PathBuf>,
    /// Begin the load at this moment, as all generators of a test do: 2026-11-21T03:15:06Z, seconds since 1970, or +30s
    #[arg(long, value_name = "TIME|+DURATION", help_heading = "Load")]
    pub start_at: Option<String>,
    /// Worker threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Load")]
    pub workers: Option<u16>,
    /// Ignore the thresholds
    #[arg(long, help_heading = "Load")]
    pub no_thresholds: bool,
    /// Fail with exit code 111 when the generator could not keep up, so that the numbers are not the target's
    #[arg(long, help_heading = "Load")]
    pub strict: bool,
    /// Read options from a JSON file
    #[arg(short, long, value_name = "FILE", help_heading = "Load")]
    pub config: Option<PathBuf>,
    /// Sample this machine's CPU, memory, pressure, disks and network, for a target that runs on it
    #[arg(long, help_heading = "Target")]
    pub sample_local: bool,
    /// Sample a process with its children: its name, its process id, or the port that it listens on (repeatable; implies
    /// --sample-local)
    #[arg(long, value_name = "NAME|PID|PORT", help_heading = "Target")]
    pub watch: Vec<String>,
    /// How often the target is sampled, from 100ms to 30s [default: 1s]
    #[arg(long, value_name = "DURATION", help_heading = "Target")]
    pub sample_interval: Option<String>,
    /// Messages.
    #[command(flatten)]
    pub log: LogArgs,
}

impl ResultArgs {
    /// Everything of an order that is not about the subject, or what is wrong with it.
    pub fn order(
        &self,
        subject: Subject,
        name: &str,
        flags: RawOptions,
        progress: Progress,
    ) -> Result<Order, String> {
        let variables: Vec<(String, String)> = std::env::vars().collect();
        let environment = Settings::from_env(variables.iter().cloned());
        let path = match (&self.config, environment.get("CONFIG")) {
            (Some(path), _) => Some(path.clone()),
            (None, path) => path.map(PathBuf::from),
        };
        let (file, settings) = match path {
            None => (RawOptions::new(), environment),
            Some(path) => {
                let shown = path.display().to_string();
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| format!("cannot read the options file {shown}: {error}"))?;
                let (raw, file) = config::file(&shown, &text).map_err(|errors| errors.to_string())?;
                (raw, file.under(environment))
            }
        };
        let given = |flag: &Option<String>, setting: &str| {
            flag.clone().or_else(|| settings.get(setting).map(str::to_owned))
        };
        let outs = match self.out.as_slice() {
            [] => settings
                .get("OUT")
                .map(|outs| outs.split(',').map(str::to_owned).collect())
                .unwrap_or_default(),
            outs => outs.to_vec(),
        };
        let page = std::env::var("GITHUB_STEP_SUMMARY").ok();
        let (mut outputs, mut reports): (Vec<OutputSpec>, _) = (Vec::new(), Vec::new());
        for out in outs.iter().filter(|out| !out.trim().is_empty()) {
            match ReportSpec::parse(out, page.as_deref()) {
                Some(report) => reports.push(report),
                None => outputs.push(out.parse().map_err(|error: OutputError| error.to_string())?),
            }
        }
        if let Some(text) = given(&self.out_rotate, "OUT_ROTATE") {
            let rotation = text
                .parse::<Rotation>()
                .map_err(|error| format!("--out-rotate: {error}"))?;
            for spec in &mut outputs {
                spec.rotation = Some(rotation);
            }
        }
        let page = self
            .report
            .clone()
            .or_else(|| settings.get("REPORT").map(PathBuf::from));
        reports.extend(page.map(|path| ReportSpec {
            kind: ReportKind::Html,
            path: Some(path),
            append: false,
        }));
        let mode = match given(&self.summary_mode, "SUMMARY_MODE") {
            Some(mode) => mode.parse().map_err(|error| format!("--summary-mode: {error}"))?,
            None => SummaryMode::default(),
        };
        let export = self
            .summary_export
            .clone()
            .or_else(|| settings.get("SUMMARY_EXPORT").map(PathBuf::from));
        Ok(Order {
            secrets: Secrets::default(),
            subject,
            name: name.to_owned(),
            flags,
            environment: RawOptions::from_env(variables.iter().cloned()),
            file,
            env: BTreeMap::new(),
            // These are for the tunnel alone, and for Grafana.
            system_env: variables
                .iter()
                .filter(|(name, _)| !SSH_SECRETS.contains(&name.as_str()) && name != GRAFANA_TOKEN)
                .cloned()
                .collect(),
            max_vu_memory: crate::script::MEMORY,
            allow_exec: false,
            allow_remote_modules: false,
            profile: None,
            demo: None,
            breakpoint: None,
            sampling: sampling(&self.watch, self.sample_interval.as_deref(), self.sample_local)?,
            tunnels: Vec::new(),
            ignore_outages: false,
            outputs,
            metrics_addr: metrics(given(&self.metrics_addr, "METRICS_ADDR").as_deref())?,
            address: given(&self.address, "ADDRESS")
                .filter(|address| !address.is_empty())
                .map(|address| api_address(&address))
                .transpose()?,
            push: self.push(&settings)?,
            tell: self.tell(&settings)?,
            otlp_metrics: self.traces.metrics(&settings, &variables)?,
            linger: linger(given(&self.linger, "LINGER").as_deref())?,
            traces: self.traces.order(&settings, &variables)?,
            summary: SummaryOrder {
                mode,
                export,
                color: colour(std::io::stdout().is_terminal()),
            },
            no_thresholds: self.no_thresholds || matches!(settings.get("NO_THRESHOLDS"), Some("true" | "1")),
            strict: self.strict || matches!(settings.get("STRICT"), Some("true" | "1")),
            start_at: given(&self.start_at, "START_AT")
                .map(|text| run::start_at(&text, SystemTime::now()).map_err(|error| error.to_string()))
                .transpose()?,
            workers: self.workers,
            save: self.save.clone(),
            save_every: checkpoints(self.save_every.as_deref())?,
            reports,
            command: command(),
            progress,
        })
    }
}

/// The command line. Where the program's file lies is of no interest.
fn command() -> Vec<String> {
    let typed = std::env::args_os().skip(1);
    let typed = typed.map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once("loadgen".to_owned()).chain(typed).collect()
}

impl ResultArgs {
    /// Where metrics are pushed to, if anywhere.
    fn push(&self, settings: &Settings) -> Result<Option<PushOptions>, String> {
        let given =
            |flag: &Option<String>, name| flag.clone().or_else(|| settings.get(name).map(str::to_owned));
        let Some(url) = given(&self.remote_write, "REMOTE_WRITE") else {
            return Ok(None);
        };
        let mut headers = self.remote_write_header.clone();
        let lines = settings.get("REMOTE_WRITE_HEADERS").unwrap_or_default();
        headers.extend(
            lines
                .lines()
                .filter(|line| !line.trim().is_empty())
                .map(str::to_owned),
        );
        let interval = match given(&self.remote_write_interval, "REMOTE_WRITE_INTERVAL") {
            None => PUSH,
            Some(text) => {
                parse_duration(&text).map_err(|error| format!("--remote-write-interval: {error}"))?
            }
        };
        if interval < SHORTEST_PUSH {
            return Err(format!(
                "--remote-write-interval: it must be at least {} s, as the numbers are new once a second",
                SHORTEST_PUSH.as_secs()
            ));
        }
        let timeout = match given(&self.remote_write_timeout, "REMOTE_WRITE_TIMEOUT") {
            None => PUSH_TIMEOUT,
            Some(text) => {
                parse_duration(&text).map_err(|error| format!("--remote-write-timeout: {error}"))?
            }
        };
        if timeout.is_zero() {
            return Err(
                "--remote-write-timeout: it must be more than 0, or nothing is ever taken".to_owned(),
            );
        }
        PushOptions::new(&url, &headers, interval, timeout)
            .map(Some)
            .map_err(|error| error.to_string())
    }

    /// Whom to tell of the run, if anybody.
    fn tell(&self, settings: &Settings) -> Result<Option<TellOptions>, String> {
        let given =
            |flag: &Option<String>, name| flag.clone().or_else(|| settings.get(name).map(str::to_owned));
        let token = std::env::var(GRAFANA_TOKEN).ok();
        TellOptions::new(
            given(&self.alertmanager, "ALERTMANAGER").as_deref(),
            given(&self.grafana, "GRAFANA").as_deref(),
            token.as_deref().filter(|token| !token.trim().is_empty()),
        )
        .map_err(|error| error.to_string())
    }
}

/// What is sampled, and how often: `watch`, `interval` and `local` as they were typed.
pub fn sampling(watch: &[String], interval: Option<&str>, local: bool) -> Result<SamplingOrder, String> {
    let watches: Result<Vec<Watch>, _> = watch.iter().map(|text| text.parse()).collect();
    let interval = match interval {
        None => SamplingOrder::default().interval,
        Some(text) => parse_duration(text).map_err(|error| format!("--sample-interval: {error}"))?,
    };
    if interval < SHORTEST_SAMPLE {
        return Err(format!(
            "--sample-interval: it must be at least {} ms, or sampling itself is a load",
            SHORTEST_SAMPLE.as_millis()
        ));
    }
    if interval > LONGEST_SAMPLE {
        return Err(format!(
            "--sample-interval: it must be at most {} s, or a target that is sampled looks like one that does not answer",
            LONGEST_SAMPLE.as_secs()
        ));
    }
    Ok(SamplingOrder {
        local,
        elsewhere: true,
        watches: watches.map_err(|error| error.to_string())?,
        interval,
    })
}

/// Where `/metrics` is to be, if anywhere.
pub fn metrics(address: Option<&str>) -> Result<Option<SocketAddr>, String> {
    let address = address.unwrap_or(METRICS);
    if address == "off" {
        return Ok(None);
    }
    // A port alone is one of this machine's.
    let full = match address.strip_prefix(':') {
        Some(port) => format!("127.0.0.1:{port}"),
        None => address.replace("localhost:", "127.0.0.1:"),
    };
    let parsed = full.parse().map(Some);
    parsed.map_err(|_| {
        format!("--metrics-addr {address}: write it as ADDRESS:PORT, such as {METRICS}, or \"off\"")
    })
}

/// Where the REST API is, as `localhost:6565`, `:6565` or a port alone say it.
pub fn api_address(text: &str) -> Result<SocketAddr, String> {
    use std::net::ToSocketAddrs;
    let full = match text.strip_prefix(':') {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.replace("localhost:", "127.0.0.1:"),
    };
    let found = full.to_socket_addrs().ok().and_then(|mut found| found.next());
    found.ok_or_else(|| format!("--address {text}: write it as HOST:PORT, such as localhost:6565"))
}

/// How often a checkpoint is written, if at all.
fn checkpoints(text: Option<&str>) -> Result<Option<Duration>, String> {
    let every = match text {
        None => CHECKPOINT,
        Some(text) => parse_duration(text).map_err(|error| format!("--save-every: {error}"))?,
    };
    match every {
        Duration::ZERO => Ok(None),
        every if every < SHORTEST_CHECKPOINT => Err(format!(
            "--save-every: it must be at least {} s, as the numbers are new once a second; 0 is for never",
            SHORTEST_CHECKPOINT.as_secs()
        )),
        every => Ok(Some(every)),
    }
}

fn linger(text: Option<&str>) -> Result<Linger, String> {
    let time = match text {
        None | Some("false") => return Ok(Linger::IfScraped),
        Some("true") => LINGER,
        Some(text) => text,
    };
    let time: Result<Duration, _> = parse_duration(time);
    time.map(Linger::For)
        .map_err(|error| format!("--linger: {error}"))
}

/// Runs an order on a runtime of this thread.
pub fn execute(order: Result<Order, String>) -> ExitCode {
    let order = match order {
        Ok(order) => order,
        Err(message) => return fail(&message, ExitCode::Config),
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    match runtime.block_on(run::run(order)) {
        Ok(ending) => {
            tell(&ending);
            ExitCode::from(&ending)
        }
        Err(error) => fail(&error, ExitCode::from(&error)),
    }
}

/// The conductor's runtime.
pub fn runtime() -> Result<tokio::runtime::Runtime, ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| fail(&format!("cannot start: {error}"), ExitCode::Panic))
}

/// Why a run did not end as planned.
fn tell(ending: &run::Ending) {
    use run::Ending;
    match ending {
        Ending::Passed | Ending::Signal => {}
        Ending::Thresholds => tracing::error!("thresholds have failed"),
        Ending::SetupTimeout => tracing::error!("setup() did not end in time; the test was not started"),
        Ending::TeardownTimeout => tracing::error!("teardown() did not end in time"),
        Ending::Api => tracing::error!("the test was stopped over the REST API"),
        Ending::Exception(message) => {
            tracing::error!("the script ended the test with an exception: {message}");
        }
        Ending::Aborted(message) => tracing::error!("the script aborted the test: {message}"),
        Ending::Verify(message) => tracing::error!("the verification failed: {message}"),
        Ending::Failed(reason) => tracing::error!("the script marked the test as failed: {reason}"),
        Ending::Invalid(message) => tracing::error!("the result is invalid: {message}"),
        Ending::Tunnel(message) => tracing::error!("the test was stopped: {message}"),
        Ending::Dead(message) => tracing::error!("the target is gone: {message}"),
        Ending::TimeUp(message) => tracing::error!("time was up: {message}"),
        Ending::Panic(message) => tracing::error!("internal error, please report it: {message}"),
    }
}
