//! What can go wrong on the way to a server, each with its mend. No message holds a secret.

use std::io;
use std::path::PathBuf;

/// Why there is no connection, or none any more.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// The destination as typed makes no sense.
    #[error("{text:?} is no destination: {reason}; write [user@]host[:port]")]
    Destination {
        /// What was typed.
        text: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A forward as typed makes no sense.
    #[error("--forward {text}: {reason}; write PORT, LOCAL:PORT, LOCAL:HOST:PORT or auto")]
    Forward {
        /// What was typed.
        text: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A line of an SSH configuration file.
    #[error("{} line {line}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what to write.
        reason: String,
    },
    /// A `%` in an SSH configuration file that means nothing to us.
    #[error("{text:?} in the SSH configuration: of the tokens only %% %d %h %k %n %p %r %u are known")]
    Token {
        /// The value.
        text: String,
    },
    /// A file that is needed cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The host's name has no address.
    #[error("cannot find the address of {host}: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// The resolver's answer.
        source: io::Error,
    },
    /// No TCP connection.
    #[error("cannot connect to {host} port {port}: {source}{}", hint(source))]
    Connect {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// The system's answer.
        source: io::Error,
    },
    /// What answers does not speak SSH, or not as we do.
    #[error("{host} port {port} does not complete the SSH handshake: {reason}")]
    Handshake {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What the library says.
        reason: String,
    },
    /// The host is not known.
    #[error(
        "the host key of {host} is not known: {kind} {fingerprint}\n\
         Compare it with the server's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub there). If it is the same, accept it \
         with --ssh-accept-new, which writes it to {}", file.display()
    )]
    HostUnknown {
        /// The host, as known hosts are called.
        host: String,
        /// The kind of key.
        kind: String,
        /// `SHA256:…`
        fingerprint: String,
        /// Where it would be written.
        file: PathBuf,
    },
    /// The host is known by another key.
    #[error(
        "the host key of {host} has changed: it is now {kind} {fingerprint}, which is not the one in {} line {line}\n\
         Someone may be between you and the server. If the server was installed anew, remove the old key with \
         `ssh-keygen -R '{host}' -f {}`", file.display(), file.display()
    )]
    HostChanged {
        /// The host, as known hosts are called.
        host: String,
        /// The kind of key.
        kind: String,
        /// `SHA256:…`
        fingerprint: String,
        /// The file with the old key.
        file: PathBuf,
        /// The line.
        line: usize,
    },
    /// The key is one that must not be trusted.
    #[error(
        "the host key of {host} is revoked ({} line {line}): {kind} {fingerprint}\n\
         Whoever answers may not be the server. Ask those who run it for its new key", file.display()
    )]
    HostRevoked {
        /// The host, as known hosts are called.
        host: String,
        /// The kind of key.
        kind: String,
        /// `SHA256:…`
        fingerprint: String,
        /// The file that revokes it.
        file: PathBuf,
        /// The line.
        line: usize,
    },
    /// The host is not known, and a line that may be about it is not understood.
    #[error(
        "the host key of {host} cannot be checked ({kind} {fingerprint}): {} line {line} {reason}", file.display()
    )]
    HostUnclear {
        /// The host, as known hosts are called.
        host: String,
        /// The kind of key.
        kind: String,
        /// `SHA256:…`
        fingerprint: String,
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// What it is about.
        reason: &'static str,
    },
    /// The new host's key could not be written down.
    #[error("cannot add the host key to {}: {source}", path.display())]
    KnownHostsWrite {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A key file that was asked for cannot be used.
    #[error("the key {}: {reason}", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the mend.
        reason: String,
    },
    /// Nothing that was tried let us in.
    #[error("{host} does not let {user} in. It takes: {offered}. Tried: {tried}")]
    Refused {
        /// The host.
        host: String,
        /// Whom as.
        user: String,
        /// What the server accepts.
        offered: String,
        /// What was tried or could not be, and why.
        tried: String,
    },
    /// The question was not answered.
    #[error("cancelled")]
    Cancelled,
    /// A local port that is taken.
    #[error(
        "port {port} is in use{}: stop that program, or forward another port with `--forward {free}:{target}` or `--forward auto`",
        holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default()
    )]
    PortTaken {
        /// The port.
        port: u16,
        /// Who listens on it, if that can be told.
        holder: Option<String>,
        /// A port that may be free.
        free: u16,
        /// Where it leads.
        target: String,
    },
    /// A local port that cannot be had for another reason.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// The connection was there and is gone.
    #[error("lost the connection to {host}: {reason}")]
    Lost {
        /// The host.
        host: String,
        /// Why.
        reason: String,
    },
    /// The server lets us in but does not do what is needed.
    #[error("{host} refuses {what}: {reason}")]
    Denied {
        /// The host.
        host: String,
        /// What was asked for, and which setting allows it.
        what: &'static str,
        /// What the library says.
        reason: String,
    },
    /// The server could not be reached again.
    #[error("{host} has not been reachable for {seconds} s, so the tunnel is given up: {reason}")]
    GivenUp {
        /// The host.
        host: String,
        /// For how long.
        seconds: u64,
        /// What the last attempt said.
        reason: String,
    },
    /// Through the host in between.
    #[error("on the way through {jump}: {source}")]
    Jump {
        /// The host in between.
        jump: String,
        /// What went wrong.
        source: Box<SshError>,
    },
    /// What several threads have learned of.
    #[error(transparent)]
    Shared(std::sync::Arc<SshError>),
    /// The system has nothing left for us: threads, descriptors.
    #[error("cannot start the tunnel: {0}")]
    System(#[from] io::Error),
}

impl SshError {
    /// Whether the same attempt a little later may go better. Never for who we or they are.
    pub fn may_pass(&self) -> bool {
        match self {
            SshError::Resolve { .. }
            | SshError::Connect { .. }
            | SshError::Handshake { .. }
            | SshError::Lost { .. }
            | SshError::System(_) => true,
            SshError::Jump { source, .. } => source.may_pass(),
            _ => false,
        }
    }
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::ConnectionRefused => ". Is sshd running there, and on this port?",
        io::ErrorKind::TimedOut => ". Is the address right, and does a firewall let the port through?",
        _ => "",
    }
}
