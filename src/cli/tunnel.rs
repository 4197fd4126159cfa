//! `loadgen tunnel`: ports of a server, here.

use clap::Args;

use super::exit::{ExitCode, fail};
use super::log;
use super::shared::{metrics, runtime, sampling};
use crate::remote::ssh::SshOptions;
use crate::run::Order;
use crate::run::tunnel::{Held, PageOrder, TunnelOrder, hold};

const EXAMPLES: &str = "\
Only programs on this machine can use the forwarded ports. `~/.ssh/config` is read, host keys are checked, and nothing is
installed on the server. The variables LOADGEN_SSH_PASSPHRASE and LOADGEN_SSH_PASSWORD answer where nobody can be asked.

Examples:
  loadgen tunnel root@vps                                   ports 3001 and 3002
  loadgen tunnel vps --forward 8080 --forward 9000:db:5432  others, also of hosts that only the server reaches
  loadgen tunnel vps --forward auto                         on ports that are free here
  loadgen tunnel vps --metrics-addr 127.0.0.1:9465          the tunnel and the server for Prometheus";

/// How a test gets to its target.
#[derive(Clone, Debug, Args)]
pub struct TunnelFlags {
    /// Send the requests through SSH to this server: [user@]host[:port], or a name from ~/.ssh/config (repeatable)
    #[arg(long, value_name = "HOST", help_heading = "Tunnel")]
    tunnel: Vec<String>,
    /// What to forward: PORT, LOCAL:PORT or LOCAL:HOST:PORT, HOST as the server sees it; auto takes free local ports
    /// (repeatable; HOST=... says for which --tunnel) [default: 3001 and 3002]
    #[arg(long, value_name = "FORWARD", requires = "tunnel", help_heading = "Tunnel")]
    forward: Vec<String>,
    /// Judge thresholds without what overlaps an outage of the tunnel
    #[arg(long, requires = "tunnel", help_heading = "Tunnel")]
    ignore_outages: bool,
    /// Do not sample the server's CPU, memory, pressure, disks and network
    #[arg(long, requires = "tunnel", help_heading = "Tunnel")]
    no_sampling: bool,
    #[command(flatten)]
    ssh: SshOptions,
}

impl TunnelFlags {
    /// Adds them to an order.
    pub fn add_to(&self, order: &mut Order) -> Result<(), String> {
        let tunnels = TunnelOrder::several(&self.tunnel, &self.forward, &self.ssh);
        order.tunnels = tunnels.map_err(|error| error.to_string())?;
        order.ignore_outages = self.ignore_outages;
        order.sampling.elsewhere = !self.no_sampling;
        Ok(())
    }
}

/// Forward ports of this machine to a server's, through SSH, until Ctrl-C
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TunnelArgs {
    /// The server: [user@]host[:port], or a name from ~/.ssh/config
    #[arg(value_name = "HOST")]
    host: String,
    /// What to forward: PORT, LOCAL:PORT or LOCAL:HOST:PORT, HOST as the server sees it; auto takes free local ports
    /// (repeatable) [default: 3001 and 3002]
    #[arg(long, value_name = "FORWARD")]
    forward: Vec<String>,
    /// Serve a Prometheus page there: the tunnel at /metrics, the server's machine at /metrics/remote, which is sampled over a
    /// session of its own [default: it is off]
    #[arg(long, value_name = "ADDR", help_heading = "Metrics")]
    metrics_addr: Option<String>,
    /// Sample a process of the server with its children: its name, its process id, or the port that it listens on (repeatable)
    #[arg(
        long,
        value_name = "NAME|PID|PORT",
        requires = "metrics_addr",
        help_heading = "Metrics"
    )]
    watch: Vec<String>,
    /// How often the server is sampled, from 100ms to 30s [default: 1s]
    #[arg(
        long,
        value_name = "DURATION",
        requires = "metrics_addr",
        help_heading = "Metrics"
    )]
    sample_interval: Option<String>,
    /// Do not sample the server
    #[arg(
        long,
        requires = "metrics_addr",
        conflicts_with = "watch",
        help_heading = "Metrics"
    )]
    no_sampling: bool,
    #[command(flatten)]
    ssh: SshOptions,
    #[command(flatten)]
    log: log::LogArgs,
}

impl TunnelArgs {
    /// Opens it and waits.
    pub fn execute(&self) -> ExitCode {
        let progress = match log::start(&self.log) {
            Ok(progress) => progress,
            Err(message) => return fail(&message, ExitCode::Config),
        };
        let order = match TunnelOrder::new(&self.host, &self.forward, self.ssh.clone()) {
            Ok(order) => order,
            Err(error) => return fail(&error, ExitCode::Config),
        };
        let page = match self.page() {
            Ok(page) => page,
            Err(message) => return fail(&message, ExitCode::Config),
        };
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(code) => return code,
        };
        match runtime.block_on(hold(&order, page.as_ref(), &progress, super::print)) {
            Ok(Held::Stopped) => ExitCode::Passed,
            Ok(Held::Lost(error)) => fail(&error, ExitCode::Tunnel),
            Err(error) => fail(&error, ExitCode::Config),
        }
    }

    /// The page of metrics, if there is to be one.
    fn page(&self) -> Result<Option<PageOrder>, String> {
        let Some(address) = &self.metrics_addr else {
            return Ok(None);
        };
        let Some(address) = metrics(Some(address))? else {
            return Ok(None);
        };
        let mut sampling = sampling(&self.watch, self.sample_interval.as_deref(), false)?;
        sampling.elsewhere = !self.no_sampling;
        Ok(Some(PageOrder { address, sampling }))
    }
}
