//! SSH to a server: where and who by the user's own configuration, host keys checked, and a session's bytes moved without
//! ever waiting.
//!
//! [`Connector`] makes sessions (blocking, on the caller's thread); [`pump::Pump`] runs one session's streams on a thread of its own.
//! What is not I/O is in files of its own: [`config`], [`known_hosts`], [`destination`], `pattern`,
//! `key`.

mod agent;
mod auth;
mod code;
mod command;
pub mod config;
mod connect;
mod crowd;
pub mod destination;
mod error;
mod jump;
mod key;
pub mod known_hosts;
mod options;
mod pattern;
mod prompt;
pub mod pump;
mod questions;
mod shell;
mod stream;
mod traffic;
mod transport;
mod warm;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use command::Finished;
pub use connect::{Connection, Connector, Stop, lock};
pub use crowd::NEAR;
pub use destination::Destination;
pub use error::SshError;
pub use jump::Jump;
pub use options::SshOptions;
pub use shell::SshPipe;
pub use traffic::{Target, Traffic};
pub use transport::{Channel, Failed, Transport};

use transport::Ready;

/// The variables with secrets in them, which nobody else needs to see.
pub const SECRETS: [&str; 2] = [auth::PASSPHRASE, auth::PASSWORD];

/// How long the first channel may take.
const ANCHOR: Duration = Duration::from_secs(10);

/// Opens the channel that keeps a session taking bytes in. The only wait of a session that does not block: it is short,
/// and nothing else goes on yet. [`Failed::Channel`]: the server does not allow it (`MaxSessions`).
pub fn anchor(transport: &mut Transport, stop: &AtomicBool) -> Result<Channel, Failed> {
    let deadline = Instant::now() + ANCHOR;
    loop {
        transport.ready(Ready::all());
        transport.fill().map_err(|error| lost(&error))?;
        if let Some(channel) = transport.open_session()? {
            return Ok(channel);
        }
        transport.flush().map_err(|error| lost(&error))?;
        if stop.load(Ordering::SeqCst) {
            return Err(Failed::Session("stopped".to_owned()));
        }
        if Instant::now() > deadline {
            return Err(Failed::Session("no answer to the first channel".to_owned()));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn lost(error: &std::io::Error) -> Failed {
    Failed::Session(error.to_string())
}
