//! Reads the counters of the host under test. The parsers of `/proc` text are pure functions in their own files.
//!
//! A [`Probe`] is read about once a second and answers with one [`HostSample`]. Where the numbers come from is the
//! probe's own affair: [`LocalProbe`] reads the machine that loadgen runs on, for `run --demo`.

pub mod local;
mod machine;
pub mod pipe;
pub mod procfs;
pub mod ssh;
pub mod tunnel;

use std::io;
use std::path::PathBuf;

pub use local::{LocalProbe, Watch};
pub use machine::machine;
pub use pipe::{LocalPipe, Pipe};

use crate::metrics::HostSample;

/// Reads a host's counters. Rates are taken since the previous reading, so a probe keeps what it read last.
pub trait Probe {
    /// Takes one reading. May block for as long as the host takes to answer: call it off the worker threads.
    ///
    /// An error means that the host told nothing this time; the next reading may succeed.
    fn read(&mut self) -> Result<HostSample, ProbeError>;
}

/// Why a host could not be sampled.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The machine has no `/proc` that we know how to read.
    #[error(
        "sampling CPU and memory of this machine is not available on {os}: run loadgen on Linux, or sample a Linux target"
    )]
    Unsupported {
        /// The operating system, as Rust names it.
        os: &'static str,
    },
    /// A file without which there is no sample could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file was read but is not in the format that proc(5) describes.
    #[error("cannot make sense of {}: it is not in the format of proc(5)", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// A process to watch does not exist when the probe is made.
    #[error("there is no process {pid} ({name}) to sample: it has ended, or never was")]
    NoSuchProcess {
        /// Its process id.
        pid: u32,
        /// What it was to be called.
        name: String,
    },
}
