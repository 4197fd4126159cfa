//! A command on the server, to its end: what `verify()` asks a database with that only the server reaches.
//!
//! It has a session of its own, so it works also where the tunnel is busy or gone, and `MaxSessions` does not matter.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use ssh2::{Channel, Session};

use super::connect::{Connector, Stop};
use super::error::SshError;

/// Bytes of each output that are kept; the rest is read and dropped.
const KEPT: usize = 1 << 20;
/// How often is looked whether there is more.
const LOOK: Duration = Duration::from_millis(2);
/// How long the server may take to say how the command ended, and to end one whose time is up.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What became of a command.
#[derive(Debug, Default)]
pub struct Finished {
    /// Its exit code; `None` if a signal or the time ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub timed_out: bool,
}

impl Connector {
    /// Runs a text for `sh`, which gets `input`, and ends it with all that it started when its time is up. Blocks.
    ///
    /// # Errors
    /// There is no connection, or the server runs no commands.
    pub fn run(&self, script: &str, input: &[u8], limit: Duration) -> Result<Finished, SshError> {
        let connection = self.connect(&Stop::default())?;
        let session = &connection.session;
        session.set_timeout(u32::try_from(limit.as_millis()).unwrap_or(u32::MAX).max(1));
        let refused = |error: ssh2::Error| SshError::Denied {
            host: self.host().to_owned(),
            what: "to run a command (is there a ForceCommand, or is MaxSessions 0?)",
            reason: error.message().to_owned(),
        };
        let mut channel = session.channel_session().map_err(refused)?;
        // Every login shell understands this line, and the shell that is wanted takes its place: it leads the group of
        // processes that sshd has made, and says its number, which is the group's.
        let line = format!("exec sh -c {}", quoted(&format!("echo $$ >&2\n{script}")));
        channel.exec(&line).map_err(refused)?;
        let mut finished = Finished::default();
        let talked = talk(session, &mut channel, input, limit, &mut finished);
        session.set_blocking(true);
        session.set_timeout(LAST_WORDS.as_millis() as u32);
        let group = take_line(&mut finished.stderr);
        match talked {
            Ok(true) => {
                let closed = channel.wait_close().and_then(|()| channel.exit_status());
                let signal = channel.exit_signal().ok().and_then(|signal| signal.exit_signal);
                finished.code = closed.ok().filter(|_| signal.is_none());
            }
            Ok(false) => {
                finished.timed_out = true;
                end(session, &group);
            }
            Err(error) => return Err(error.into()),
        }
        let _ = session.disconnect(None, "done", None);
        Ok(finished)
    }
}

/// Gives the input and takes the outputs, both at once. Whether the end came in time.
fn talk(
    session: &Session,
    channel: &mut Channel,
    input: &[u8],
    limit: Duration,
    finished: &mut Finished,
) -> io::Result<bool> {
    let begun = Instant::now();
    session.set_blocking(false);
    let (mut rest, mut told_end) = (input, false);
    let mut buffer = vec![0; 32 << 10];
    loop {
        let mut idle = true;
        if !rest.is_empty() {
            match channel.write(rest) {
                Ok(0) => {}
                Ok(count) => (rest, idle) = (&rest[count..], false),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // A command that does not read its input is free not to.
                Err(_) => rest = &[],
            }
        } else if !told_end {
            told_end = channel.send_eof().is_ok();
        }
        for (stream, kept) in [(0, &mut finished.stdout), (1, &mut finished.stderr)] {
            match channel.stream(stream).read(&mut buffer) {
                Ok(0) => {}
                Ok(count) => {
                    let room = KEPT.saturating_sub(kept.len()).min(count);
                    kept.extend_from_slice(&buffer[..room]);
                    idle = false;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if idle && channel.eof() {
            return Ok(true);
        }
        if begun.elapsed() > limit {
            return Ok(false);
        }
        if idle {
            std::thread::sleep(LOOK);
        }
    }
}

/// Ends a group of processes on the server, as far as it can be told to.
fn end(session: &Session, group: &str) {
    if group.is_empty() || !group.bytes().all(|byte| byte.is_ascii_digit()) {
        return;
    }
    let Ok(mut channel) = session.channel_session() else {
        return;
    };
    let line = format!("exec sh -c 'kill -9 -{group} 2>/dev/null || kill -9 {group}'");
    if channel.exec(&line).is_ok() {
        let mut nothing = Vec::new();
        let _ = channel.read_to_end(&mut nothing);
    }
}

/// Takes the first line off.
fn take_line(text: &mut Vec<u8>) -> String {
    let Some(end) = text.iter().position(|byte| *byte == b'\n') else {
        return String::new();
    };
    let line: Vec<u8> = text.drain(..=end).collect();
    String::from_utf8_lossy(&line).trim().to_owned()
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_word() {
        for text in ["", "plain", "it's", "a b\n$c `d` \"e\" \\", "''"] {
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(text))])
                .output();
            assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), text);
        }
    }

    #[test]
    fn the_first_line_is_taken() {
        let mut text = b"12\nrest\n".to_vec();
        assert_eq!((take_line(&mut text).as_str(), &text[..]), ("12", &b"rest\n"[..]));
        let mut none = b"half".to_vec();
        assert_eq!((take_line(&mut none).as_str(), &none[..]), ("", &b"half"[..]));
    }
}
