//! The `--ssh-…` flags, which all commands with a tunnel have.

#![allow(clippy::doc_markdown)] // The doc comment of an argument is its help text.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::pace::parse_duration;

/// How to connect, where it differs from what `~/.ssh/config` says.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "SSH")]
pub struct SshOptions {
    /// Log in with this private key (repeatable) [default: those of ~/.ssh/config, the agent, ~/.ssh/id_*]
    #[arg(long, value_name = "FILE")]
    pub ssh_identity: Vec<PathBuf>,
    /// Accept the key of a host that is not known yet, and add it to known_hosts. A changed key is always refused
    #[arg(long)]
    pub ssh_accept_new: bool,
    /// Connections to the server, over which the forwarded ones are spread evenly [default: four, or one for each core of
    /// this machine if it has fewer; if the server is near, half as many as cores carry, and the others help when many open]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub ssh_lanes: Option<u16>,
    /// Keep this many channels per forward open, in use or ahead, for connections to come
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=4096))]
    pub ssh_warm: u32,
    /// Read this file instead of ~/.ssh/config and /etc/ssh/ssh_config, or "none"
    #[arg(long, value_name = "FILE")]
    pub ssh_config: Option<PathBuf>,
    /// Give up once the server has not been reachable for this long
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = patience)]
    pub ssh_patience: Duration,
}

fn patience(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(4, std::num::NonZero::get)
}

impl SshOptions {
    /// How many connections to the server there are. Each is a thread here, and more of them than cores get in each other's
    /// way: on two cores four carried a quarter less than two. One alone would wait a round trip for each connection that it
    /// opens.
    pub fn lanes(&self) -> usize {
        self.ssh_lanes.map_or(cores().clamp(2, 4), usize::from)
    }

    /// How many of them carry when the server is so near that it is the processors that limit: the load is made here too.
    pub fn lanes_near(&self) -> usize {
        self.ssh_lanes.map_or((cores() / 2).clamp(1, 4), usize::from)
    }
}

impl Default for SshOptions {
    fn default() -> SshOptions {
        SshOptions {
            ssh_identity: Vec::new(),
            ssh_accept_new: false,
            ssh_lanes: None,
            ssh_warm: 0,
            ssh_config: None,
            ssh_patience: Duration::from_mins(1),
        }
    }
}
