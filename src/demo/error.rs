//! What can keep the embedded target from starting, or end it early.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// An error of the embedded target, seen from inside (it cannot serve) or from its parent (it did not start).
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Somebody else listens on the port.
    #[error("port {} for {service} is already in use: choose others with --ports, or free ones with --port 0", address.port())]
    PortTaken {
        /// The service that was to listen there.
        service: &'static str,
        /// Where.
        address: SocketAddr,
    },
    /// The address cannot be listened on for another reason: not ours, or a privileged port.
    #[error("cannot listen on {address} for {service}: {source}")]
    Listen {
        /// The service that was to listen there.
        service: &'static str,
        /// Where.
        address: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// `--ports` names more or fewer ports than there are services.
    #[error("--ports takes {} ports ({}), not {given}", services.len(), services.join(", "))]
    PortCount {
        /// The services, in the order in which they take the ports.
        services: Vec<&'static str>,
        /// How many were given.
        given: usize,
    },
    /// `--port` leaves no room for one port for each service.
    #[error("--port {first} leaves too few ports for {services} services: the last port is 65535")]
    PortRange {
        /// The port that was given.
        first: u16,
        /// How many services need one.
        services: usize,
    },
    /// A thread or its runtime could not be made, or the ready line could not be written.
    #[error("cannot start the demo: {0}")]
    Start(#[source] io::Error),

    /// The program could not be started as a child.
    #[error("cannot start {} as the demo: {source}", exe.display())]
    Spawn {
        /// The program.
        exe: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The child ended before it was ready.
    #[error("the demo ended before it was ready ({status}){}", said(stderr))]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// The end of what it wrote to its standard error.
        stderr: String,
    },
    /// The child ended by itself after it was ready.
    #[error("the demo ended during the run ({status}){}", said(stderr))]
    Died {
        /// How it ended.
        status: ExitStatus,
        /// The end of what it wrote to its standard error.
        stderr: String,
    },
    /// The child runs but is not ready.
    #[error("the demo was not ready within {} s{}", waited.as_secs_f64(), said(stderr))]
    NotReady {
        /// How long it was waited for.
        waited: Duration,
        /// The end of what it wrote to its standard error.
        stderr: String,
    },
    /// The child's first line is not what `--print-ports` prints.
    #[error("the demo's first line is not its addresses: {line}{}", said(stderr))]
    NotUnderstood {
        /// The line.
        line: String,
        /// The end of what it wrote to its standard error.
        stderr: String,
    },
}

/// What the child said, to follow a sentence; nothing if it said nothing.
fn said(stderr: &str) -> String {
    let said = stderr.trim();
    if said.is_empty() {
        String::new()
    } else {
        format!("; it said: {said}")
    }
}
