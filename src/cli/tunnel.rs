//! `loadgen tunnel`: ports of a server, here.

use clap::Args;

use super::exit::{ExitCode, fail};
use super::log;
use super::shared::runtime;
use crate::remote::ssh::SshOptions;
use crate::run::tunnel::{Held, TunnelOrder, hold};

const EXAMPLES: &str = "\
Only programs on this machine can use the forwarded ports. `~/.ssh/config` is read, host keys are checked, and nothing is
installed on the server. The variables LOADGEN_SSH_PASSPHRASE and LOADGEN_SSH_PASSWORD answer where nobody can be asked.

Examples:
  loadgen tunnel root@vps                                   ports 3001 and 3002
  loadgen tunnel vps --forward 8080 --forward 9000:db:5432  others, also of hosts that only the server reaches
  loadgen tunnel vps --forward auto                         on ports that are free here";

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
    #[command(flatten)]
    ssh: SshOptions,
    #[command(flatten)]
    log: log::LogArgs,
}

impl TunnelArgs {
    /// Opens it and waits.
    pub fn execute(&self) -> ExitCode {
        let progress = log::start(&self.log);
        let order = match TunnelOrder::new(&self.host, &self.forward, self.ssh.clone()) {
            Ok(order) => order,
            Err(error) => return fail(&error, ExitCode::Config),
        };
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(code) => return code,
        };
        match runtime.block_on(hold(&order, &progress, super::print)) {
            Ok(Held::Stopped) => ExitCode::Passed,
            Ok(Held::Lost(error)) => fail(&error, ExitCode::Tunnel),
            Err(error) => fail(&error, ExitCode::Config),
        }
    }
}
