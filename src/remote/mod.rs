//! Reads the counters of hosts. The parsers of what Linux tells are pure functions in their own files.
//!
//! A [`Sampler`] is read about once a second and answers with one [`HostSample`](crate::metrics::HostSample). Where its text
//! comes from is a [`Source`]'s affair: this machine's files ([`LocalSource`]), or a shell at the other end of a [`Pipe`]
//! ([`ShellSource`]), be that a child or an SSH channel.

mod machine;
mod sampler;
mod shell;
mod source;
mod watch;

pub mod parse;
pub mod pipe;
pub mod procfs;
pub mod ssh;
pub mod tunnel;

use std::io;

pub use machine::machine;
pub use pipe::{LocalPipe, Pipe};
pub use sampler::Sampler;
pub use shell::ShellSource;
pub use source::{LocalSource, Source};
pub use watch::{Wanted, Watch, WatchError};

/// Why a host could not be sampled.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The machine has no `/proc` that we know how to read.
    #[error(
        "sampling CPU and memory of this machine is not available on {os}: run loadgen on Linux, or sample a Linux target"
    )]
    Unsupported {
        /// The operating system, as Rust names it.
        os: String,
    },
    /// A file without which there is no sample is not there.
    #[error("{host} has no {path} that can be read: only Linux can be sampled, with /proc mounted")]
    Missing { host: String, path: String },
    /// A file was read but is not in the format that proc(5) describes.
    #[error("cannot make sense of {path} of {host}: it is not in the format of proc(5)")]
    Malformed { host: String, path: String },
    /// There is nothing that runs the sampler's script.
    #[error(
        "{host} gave no shell that can be used for sampling ({cause}){said}; the account needs one such as sh, dash or bash"
    )]
    NoShell {
        host: String,
        said: String,
        cause: io::Error,
    },
    /// The way to the host is gone, or it does not answer.
    #[error("{host} does not answer the sampler: {source}")]
    Pipe { host: String, source: io::Error },
    /// An answer that does not have the fields that were asked for.
    #[error("{host} answered the sampler with {got} fields instead of {wanted}")]
    Garbled { host: String, wanted: usize, got: usize },
    /// Processes cannot be looked for.
    #[error("{host} has no `cat` to list its processes with: they cannot be watched")]
    NoTable { host: String },
    /// A process to watch is not there.
    #[error("there is no process {wanted} on {host} to watch{hint}")]
    NoSuchProcess {
        host: String,
        wanted: String,
        hint: String,
    },
    /// A process to watch is on none of several hosts.
    #[error("there is no process {wanted} to watch on any of the hosts that are sampled")]
    Nowhere { wanted: String },
    /// A port to watch belongs to nobody.
    #[error(
        "nobody listens on port {port} of {host}: start the server first, or watch it by its name or process id"
    )]
    NobodyListens { host: String, port: u16 },
    /// A port to watch belongs to somebody else.
    #[error(
        "port {port} of {host} belongs to a process of another user, which only root may see: watch it by its name or process id"
    )]
    Unseen { host: String, port: u16 },
}

impl ProbeError {
    /// Whether asking again over the same way cannot help.
    pub fn loses_the_way(&self) -> bool {
        !matches!(self, ProbeError::Missing { .. } | ProbeError::Malformed { .. })
    }
}
