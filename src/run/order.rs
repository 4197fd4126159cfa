//! What the command line asks of a run, how a run can end, and what can keep it from starting.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::breakpoint::BreakpointOrder;
use super::tunnel::TunnelOrder;
use crate::config::{ConfigErrors, RawOptions};
use crate::engine::{EngineError, UrlPlan};
use crate::output::{
    BindError, OtlpError, OtlpMetrics, OutputError, OutputSpec, Progress, PushError, PushOptions, TellError,
    TellOptions,
};
use crate::remote::{ProbeError, Watch};
use crate::report::{ReportError, ReportSpec, SummaryMode};
use crate::script::{Entry, ScriptError, Secrets};

use super::traces::TraceOrder;

/// What is to be run.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A script.
    Script(Entry),
    /// One request, again and again.
    Url(UrlPlan),
}

/// The embedded target.
#[derive(Clone, Debug, Default)]
pub struct DemoOrder {
    /// Requests per second that it can serve.
    pub capacity: Option<u32>,
    /// More arguments of `loadgen demo`.
    pub arguments: Vec<String>,
}

/// Whether the `/metrics` page waits for a scraper before the load and after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Linger {
    /// Only for a scraper that was there during the run, and not for long.
    #[default]
    IfScraped,
    /// For at most this long.
    For(Duration),
}

/// What is shown and written at the end.
#[derive(Clone, Debug, Default)]
pub struct SummaryOrder {
    /// `--summary-mode`.
    pub mode: SummaryMode,
    /// `--summary-export`.
    pub export: Option<PathBuf>,
    /// Whether standard output takes colours.
    pub color: bool,
}

/// Which hosts are sampled besides a target of ours, and what is watched there.
#[derive(Clone, Debug)]
pub struct SamplingOrder {
    /// `--sample-local`: this machine.
    pub local: bool,
    /// Unless `--no-sampling`: the servers that tunnels lead to.
    pub elsewhere: bool,
    /// `--watch`.
    pub watches: Vec<Watch>,
    /// `--sample-interval`.
    pub interval: Duration,
}

impl Default for SamplingOrder {
    fn default() -> SamplingOrder {
        SamplingOrder {
            local: false,
            elsewhere: true,
            watches: Vec::new(),
            interval: Duration::from_secs(1),
        }
    }
}

/// Everything that the command line says.
#[allow(clippy::struct_excessive_bools)] // Each is a flag.
#[derive(Clone, Debug)]
pub struct Order {
    /// What is to be run.
    pub subject: Subject,
    /// What the user called it.
    pub name: String,
    /// Options given as flags.
    pub flags: RawOptions,
    /// Options given as environment variables.
    pub environment: RawOptions,
    /// Options given in the file of `--config`.
    pub file: RawOptions,
    /// `-e`: for the script's `__ENV`.
    pub env: BTreeMap<String, String>,
    /// The system's variables for `__ENV`, which `-e` and the target's win over.
    pub system_env: BTreeMap<String, String>,
    /// `--secret-source`: what `k6/secrets` knows.
    pub secrets: Secrets,
    /// `--max-vu-memory`: what one virtual user's JavaScript may hold, in bytes; 0 is no limit.
    pub max_vu_memory: usize,
    /// `--allow-remote-modules`: whether modules of other places may be fetched.
    pub allow_remote_modules: bool,
    /// `--allow-exec`: whether `verify()` may run commands.
    pub allow_exec: bool,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--demo`.
    pub demo: Option<DemoOrder>,
    /// `loadgen breakpoint`: the load is sought, whatever the script's is.
    pub breakpoint: Option<BreakpointOrder>,
    /// `--sample-local` and `--watch`.
    pub sampling: SamplingOrder,
    /// `--tunnel`.
    pub tunnels: Vec<TunnelOrder>,
    /// `--ignore-outages`: thresholds are judged without what overlaps an outage of a tunnel.
    pub ignore_outages: bool,
    /// `--out`.
    pub outputs: Vec<OutputSpec>,
    /// `--metrics-addr`; `None` is off.
    pub metrics_addr: Option<SocketAddr>,
    /// `--address`: where the REST API is served, if it is.
    pub address: Option<SocketAddr>,
    /// `--remote-write`.
    pub push: Option<PushOptions>,
    /// `--otlp-metrics`.
    pub otlp_metrics: Option<OtlpMetrics>,
    /// `--alertmanager` and `--grafana`.
    pub tell: Option<TellOptions>,
    /// `--linger`.
    pub linger: Linger,
    /// `--otlp`, `--traceparent` and what goes with them.
    pub traces: Option<TraceOrder>,
    /// The summary.
    pub summary: SummaryOrder,
    /// `--no-thresholds`.
    pub no_thresholds: bool,
    /// `--strict`: numbers that are not the target's fail the run.
    pub strict: bool,
    /// Shows how far the run is.
    pub progress: Progress,
    /// `--start-at`: when the load begins.
    pub start_at: Option<SystemTime>,
    /// `--workers`; one per core otherwise.
    pub workers: Option<u16>,
    /// `--save`.
    pub save: Option<PathBuf>,
    /// `--save-every`: how often what there is so far is saved.
    pub save_every: Option<Duration>,
    /// `--out` of what is written at the end.
    pub reports: Vec<ReportSpec>,
    /// The command line as it was typed, for `--save`.
    pub command: Vec<String>,
}

impl SamplingOrder {
    /// Whether this machine is sampled: what is watched is on a host elsewhere if there is one, unless `local` says that it
    /// is here.
    pub fn is_local(&self, elsewhere: bool) -> bool {
        self.local || (!elsewhere && !self.watches.is_empty())
    }
}

impl Order {
    /// Whether a target is sampled.
    pub fn samples(&self) -> bool {
        let elsewhere = self.sampling.elsewhere && !self.tunnels.is_empty();
        self.demo.is_some() || elsewhere || self.sampling.is_local(elsewhere)
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As planned, and every threshold held.
    Passed,
    /// A threshold failed.
    Thresholds,
    /// `setup()` took too long.
    SetupTimeout,
    /// `teardown()` took too long.
    TeardownTimeout,
    /// Somebody stopped it.
    Signal,
    /// Over the REST API.
    Api,
    /// The tunnel to the target was lost for good.
    Tunnel(String),
    /// The script threw where that ends the test.
    Exception(String),
    /// The script ended the test.
    Aborted(String),
    /// What `verify()` asserts does not hold.
    Verify(String),
    /// It ended as planned, and the script says that it has failed.
    Failed(String),
    /// It ended as planned, but the generator measured itself, and `--strict` does not let that pass.
    Invalid(String),
    /// The target of a search for the breaking point has died.
    Dead(String),
    /// Such a search did not end in time.
    TimeUp(String),
    /// A bug in loadgen.
    Panic(String),
}

impl Ending {
    /// Its name in a saved run.
    pub fn name(&self) -> &'static str {
        match self {
            Ending::Passed => "passed",
            Ending::Thresholds => "thresholds",
            Ending::SetupTimeout => "setup-timeout",
            Ending::TeardownTimeout => "teardown-timeout",
            Ending::Signal => "signal",
            Ending::Api => "api",
            Ending::Tunnel(_) => "tunnel",
            Ending::Exception(_) => "exception",
            Ending::Aborted(_) => "aborted",
            Ending::Verify(_) => "verify",
            Ending::Failed(_) => "failed",
            Ending::Invalid(_) => "invalid",
            Ending::Dead(_) => "dead",
            Ending::TimeUp(_) => "timeout",
            Ending::Panic(_) => "panic",
        }
    }

    /// The exit code that goes with it.
    pub fn code(&self) -> i32 {
        match self {
            Ending::Passed => 0,
            Ending::Thresholds => 99,
            Ending::SetupTimeout => 100,
            Ending::TeardownTimeout => 101,
            Ending::Api => 103,
            Ending::Signal => 105,
            Ending::Verify(_) => 112,
            Ending::Exception(_) => 107,
            Ending::Aborted(_) => 108,
            Ending::Failed(_) => 110,
            Ending::Invalid(_) => 111,
            Ending::Tunnel(_) => 114,
            Ending::Dead(_) => 115,
            Ending::TimeUp(_) => 102,
            Ending::Panic(_) => 109,
        }
    }

    /// What it says beside its name.
    pub fn message(&self) -> Option<&str> {
        match self {
            Ending::Exception(message)
            | Ending::Aborted(message)
            | Ending::Verify(message)
            | Ending::Failed(message)
            | Ending::Tunnel(message)
            | Ending::Invalid(message)
            | Ending::Dead(message)
            | Ending::TimeUp(message)
            | Ending::Panic(message) => Some(message),
            _ => None,
        }
    }
}

/// What keeps a run from starting. Nothing has been sent then.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Options that make no sense.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The script does not load.
    #[error("{0}")]
    Script(ScriptError),
    /// `--profile` names none.
    #[error("there is no profile `{name}`; {whose} are: {}", known.join(", "))]
    Profile {
        /// What was asked for.
        name: String,
        /// Whose profiles were looked at.
        whose: &'static str,
        /// Those that exist.
        known: Vec<String>,
    },
    /// `--profile` names something that is no object of options.
    #[error(
        "the profile `{0}` of this script is not an object of options, such as {{ vus: 1, duration: '30s' }}"
    )]
    ProfileShape(String),
    /// A search for the breaking point in a part of a test.
    #[error(
        "the options ask for a part of the test (executionSegment), and breakpoint seeks with one process: take it out"
    )]
    Part,
    /// `--scenario` names none.
    #[error("the script has no scenario `{name}`; it has {}", known.join(", "))]
    Scenario {
        /// What was asked for.
        name: String,
        /// Those that exist.
        known: Vec<String>,
    },
    /// An option of the network.
    #[error(transparent)]
    Network(#[from] crate::net::SetupError),
    /// A file that samples should go to.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The file that the run is to be saved to.
    #[error(transparent)]
    Save(#[from] crate::report::saved::SaveError),
    /// A report that is to be written at the end.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Where spans or metrics should go.
    #[error(transparent)]
    Otlp(#[from] OtlpError),
    /// The `/metrics` page.
    #[error(transparent)]
    Metrics(#[from] BindError),
    /// The REST API.
    #[error(transparent)]
    Api(BindError),
    /// The file for the script's console.
    #[error("--console-output: cannot write {}: {source}", path.display())]
    Console {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A test that would be paused for ever.
    #[error("a test that begins paused goes on when the REST API says so: add --address localhost:6565")]
    Paused,
    /// Nothing can be pushed.
    #[error(transparent)]
    Push(#[from] PushError),
    /// Nobody can be told.
    #[error(transparent)]
    Tell(#[from] TellError),
    /// The tunnel to the target.
    #[error(transparent)]
    Tunnel(#[from] crate::remote::ssh::SshError),
    /// The embedded target.
    #[error("the demo target did not start: {0}")]
    Demo(#[from] crate::demo::DemoError),
    /// What was to be sampled cannot be.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The thread that was to open a host is gone.
    #[error("cannot begin to sample the target: {0}")]
    Sampling(#[source] std::io::Error),
    /// This program's own file, for the target's process.
    #[error("cannot find this program's own file to start the demo target: {0}")]
    OwnFile(#[source] std::io::Error),
    /// The system refused something that the engine needs.
    #[error(transparent)]
    Engine(#[from] EngineError),
}
