//! One forwarded connection: a local socket, a channel, and what is between them. Either side may be slow, end first, or
//! vanish.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;

use super::transport::{Channel, Failed, Ready, Transport, Tried};

/// A connection that came in, and what it has become.
#[allow(clippy::struct_excessive_bools)] // Each end has its own course.
pub struct Stream {
    socket: TcpStream,
    channel: Option<Channel>,
    /// Bytes on the way to the server, and from it, that the other side did not take yet.
    up: Pending,
    down: Pending,
    ready: Ready,
    local_end: bool,
    end_sent: bool,
    remote_end: bool,
    end_shown: bool,
    /// Both ends have ended, or one has vanished: only closing is left.
    closing: bool,
}

/// Bytes that wait; empty nearly always.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    start: usize,
}

impl Pending {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn taken(&mut self, count: usize) {
        self.start += count;
        if self.start == self.bytes.len() {
            // Most connections never come here again: hold no memory for them.
            *self = Pending::default();
        }
    }
}

/// What to look for from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Bytes alone: somebody asks for the end later.
    Data,
    /// Bytes, and the end.
    End,
}

/// How far a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It waits for one side or the other.
    Going,
    /// Both sides are closed, and it can be dropped.
    Done,
}

/// Bytes that went through in one step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moved {
    /// To the server.
    pub up: u64,
    /// From the server.
    pub down: u64,
}

impl Stream {
    /// A connection without a channel yet.
    pub fn new(socket: TcpStream) -> Stream {
        // Small requests must not wait for each other; where it cannot be set they do.
        let _ = socket.set_nodelay(true);
        Stream {
            socket,
            channel: None,
            up: Pending::default(),
            down: Pending::default(),
            ready: Ready::all(),
            local_end: false,
            end_sent: false,
            remote_end: false,
            end_shown: false,
            closing: false,
        }
    }

    /// The socket, to wait for.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Takes the socket out of a stream that has not begun.
    pub fn into_socket(self) -> TcpStream {
        self.socket
    }

    /// Gives it its channel.
    pub fn begin(&mut self, channel: Channel) {
        self.channel = Some(channel);
    }

    /// Whether it waits for a channel.
    pub fn is_waiting(&self) -> bool {
        self.channel.is_none()
    }

    /// The socket has become ready.
    pub fn ready(&mut self, ready: Ready) {
        self.ready.also(ready);
    }

    /// Whether the server's end is there to be passed on.
    pub fn has_ended(&self) -> bool {
        !self.remote_end && self.channel.as_ref().is_some_and(Channel::is_over)
    }

    /// Ends the local connection so that the client sees a failure, and not an empty answer.
    pub fn reset(self) {
        let socket = std::net::TcpStream::from(self.socket);
        // Without this the client sees an ordinary end: also a failure, less clearly.
        let _ = nix::sys::socket::setsockopt(
            &socket,
            nix::sys::socket::sockopt::Linger,
            &nix::libc::linger {
                l_onoff: 1,
                l_linger: 0,
            },
        );
    }

    /// Moves what can be moved, without waiting. An error is one of the session.
    pub fn step(
        &mut self,
        transport: &mut Transport,
        look: Look,
        full: bool,
        scratch: &mut [u8],
    ) -> Result<(Step, Moved), String> {
        let mut moved = Moved::default();
        let Some(mut channel) = self.channel.take() else {
            return Ok((Step::Going, moved));
        };
        let stepped = self.move_both(&mut channel, transport, look, full, scratch, &mut moved);
        let stepped = stepped.and_then(|()| self.close(&mut channel));
        self.channel = Some(channel);
        stepped.map(|step| (step, moved))
    }

    fn move_both(
        &mut self,
        channel: &mut Channel,
        transport: &mut Transport,
        look: Look,
        full: bool,
        scratch: &mut [u8],
        moved: &mut Moved,
    ) -> Result<(), String> {
        if !self.closing {
            self.move_up(channel, transport, full, scratch, moved)?;
        }
        if !self.closing {
            self.move_down(channel, transport, look, scratch, moved)?;
        }
        Ok(())
    }

    fn move_up(
        &mut self,
        channel: &mut Channel,
        transport: &mut Transport,
        full: bool,
        scratch: &mut [u8],
        moved: &mut Moved,
    ) -> Result<(), String> {
        loop {
            if !self.up.is_empty() {
                match self.survive(channel.write(self.up.rest(), transport))? {
                    Some(count) if count > 0 => {
                        self.up.taken(count);
                        continue;
                    }
                    _ => return Ok(()),
                }
            }
            if self.local_end {
                if !self.end_sent {
                    self.end_sent = self.survive(channel.send_eof())?.is_some();
                }
                return Ok(());
            }
            if !self.ready.readable || full {
                return Ok(());
            }
            let count = match self.socket.read(scratch) {
                Ok(0) => {
                    self.local_end = true;
                    continue;
                }
                Ok(count) => count,
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => continue,
                    ErrorKind::WouldBlock => {
                        self.ready.readable = false;
                        return Ok(());
                    }
                    _ => {
                        self.closing = true;
                        return Ok(());
                    }
                },
            };
            moved.up += count as u64;
            if count < scratch.len() {
                self.ready.read_short();
            }
            let mut rest = &scratch[..count];
            while !rest.is_empty() {
                match self.survive(channel.write(rest, transport))? {
                    Some(taken) if taken > 0 => rest = &rest[taken..],
                    _ => break,
                }
            }
            self.up.keep(rest);
            if self.closing {
                return Ok(());
            }
        }
    }

    fn move_down(
        &mut self,
        channel: &mut Channel,
        transport: &mut Transport,
        look: Look,
        scratch: &mut [u8],
        moved: &mut Moved,
    ) -> Result<(), String> {
        loop {
            // While the client is slow nothing more is read, and the window tells the server so.
            if !self.down.is_empty() {
                let Pending { bytes, start } = &self.down;
                let taken = take(&mut self.socket, &mut self.ready.writable, &bytes[*start..]);
                let Some(taken) = taken else {
                    self.closing = true;
                    return Ok(());
                };
                self.down.taken(taken);
                if !self.down.is_empty() {
                    return Ok(());
                }
            }
            if self.remote_end {
                if !self.end_shown {
                    self.end_shown = true;
                    // A client that is gone already sees no end.
                    let _ = self.socket.shutdown(Shutdown::Write);
                }
                return Ok(());
            }
            if !channel.has_data() && (look == Look::Data || !channel.is_over()) {
                return Ok(());
            }
            match self.survive(channel.read(scratch, transport))? {
                None => return Ok(()),
                Some(0) => self.remote_end = true,
                Some(count) => {
                    moved.down += count as u64;
                    let Some(taken) = take(&mut self.socket, &mut self.ready.writable, &scratch[..count])
                    else {
                        self.closing = true;
                        return Ok(());
                    };
                    self.down.keep(&scratch[taken..count]);
                }
            }
        }
    }

    /// An error of the channel is the stream's end; one of the session is passed on.
    fn survive<T>(&mut self, tried: Tried<T>) -> Result<Option<T>, String> {
        match tried {
            Ok(value) => Ok(value),
            Err(Failed::Session(reason)) => Err(reason),
            Err(Failed::Channel(reason)) => {
                tracing::debug!("a forwarded connection ended: {reason}");
                self.closing = true;
                Ok(None)
            }
        }
    }

    fn close(&mut self, channel: &mut Channel) -> Result<Step, String> {
        self.closing |= self.end_shown && self.end_sent;
        if !self.closing {
            return Ok(Step::Going);
        }
        match channel.close() {
            Ok(None) => Ok(Step::Going),
            // A channel that cannot be closed is as gone as one that was.
            Ok(Some(())) | Err(Failed::Channel(_)) => Ok(Step::Done),
            Err(Failed::Session(reason)) => Err(reason),
        }
    }
}

/// Writes what the socket takes; `None` when it takes nothing any more.
fn take(socket: &mut TcpStream, writable: &mut bool, bytes: &[u8]) -> Option<usize> {
    let mut taken = 0;
    while taken < bytes.len() && *writable {
        match socket.write(&bytes[taken..]) {
            Ok(0) => return None,
            Ok(count) => taken += count,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => *writable = false,
                ErrorKind::Interrupted => {}
                _ => return None,
            },
        }
    }
    Some(taken)
}
