//! A shell on the server, for the sampler: a session of its own, so that what the tunnel carries does not hold readings up,
//! nor readings what the tunnel carries.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use ssh2::{Channel, Session};

use super::connect::{Connection, Connector, Stop};
use super::error::SshError;
use super::questions::plain;
use crate::remote::pipe::{COMMAND, LONGEST_LINE, Pipe};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long saying good-bye may take.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// So much of what the shell complained of is of interest.
const COMPLAINTS: usize = 4096;

/// A shell at the other end of an SSH channel. Dropping it ends it.
pub struct SshPipe {
    output: BufReader<Channel>,
    session: Session,
    connection: Held,
}

/// What the session is over.
struct Held {
    socket: std::net::TcpStream,
    _jump: Option<super::Jump>,
}

impl Connector {
    /// Connects once more, and starts a shell there. Blocks; asks nobody whom it has not asked before.
    ///
    /// # Errors
    /// There is no connection, or the server starts no program.
    pub fn shell(&self) -> Result<SshPipe, SshError> {
        let Connection {
            session,
            socket,
            jump,
        } = self.connect(&Stop::default())?;
        session.set_timeout(milliseconds(PATIENCE));
        let refused = |error: ssh2::Error| SshError::Denied {
            host: self.host().to_owned(),
            what: "to run a shell (is there a ForceCommand, or is MaxSessions 0?)",
            reason: error.message().to_owned(),
        };
        let mut channel = session.channel_session().map_err(refused)?;
        channel.exec(COMMAND).map_err(refused)?;
        Ok(SshPipe {
            output: BufReader::with_capacity(64 << 10, channel),
            session,
            connection: Held { socket, _jump: jump },
        })
    }
}

impl Pipe for SshPipe {
    fn send(&mut self, text: &str) -> io::Result<()> {
        let channel = self.output.get_mut();
        let sent = channel.write_all(text.as_bytes()).and_then(|()| channel.flush());
        sent.map_err(|error| match error.kind() {
            ErrorKind::TimedOut => error,
            // Whatever the library calls it, nobody takes it.
            _ => io::Error::new(ErrorKind::BrokenPipe, error),
        })
    }

    fn receive(&mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        let longest = LONGEST_LINE as u64 + 1;
        self.output.by_ref().take(longest).read_until(b'\n', &mut bytes)?;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        } else if bytes.len() > LONGEST_LINE {
            Err(io::Error::new(ErrorKind::InvalidData, "a line without an end"))
        } else {
            // What was cut is no line.
            Err(ErrorKind::UnexpectedEof.into())
        }
    }

    fn complaints(&mut self) -> String {
        let mut text = vec![0; COMPLAINTS];
        self.session.set_blocking(false);
        let read = self.output.get_mut().stderr().read(&mut text);
        self.session.set_blocking(true);
        text.truncate(read.unwrap_or(0));
        plain(&String::from_utf8_lossy(&text)).trim_end().to_owned()
    }
}

impl Drop for SshPipe {
    fn drop(&mut self) {
        self.session.set_timeout(milliseconds(LAST_WORDS));
        // Nobody waits for an answer; without a connection there is nobody to tell.
        let _ = self.session.disconnect(None, "done", None);
        // What is freed afterwards finds a closed socket, and does not wait either.
        let _ = self.connection.socket.shutdown(Shutdown::Both);
    }
}

fn milliseconds(length: Duration) -> u32 {
    u32::try_from(length.as_millis()).unwrap_or(u32::MAX)
}
