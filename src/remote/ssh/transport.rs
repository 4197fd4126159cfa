//! A session whose bytes go through buffers of ours: libssh2 calls back to read and to write, and the system is called
//! once for many packets.
//!
//! It makes the difference between half of `ssh -L`'s throughput and more than that: libssh2 reads at most 16 KiB at a time
//! and writes each packet by itself.
//!
//! # Safety of the unsafe code here
//!
//! libssh2 is told two functions and a pointer to [`Buffers`] (its `abstract`), and calls the functions from within other
//! calls to it, on the caller's thread. What has to hold:
//!
//! - *The pointer is good, or null.* The buffers are a box that [`Transport`] makes and frees. Before it frees them it sets
//!   `abstract` to null, and the functions take null for a connection that is closed. So channels and sessions that are
//!   dropped later find nothing rather than freed memory.
//! - *No two references at a time.* The functions make a reference for as long as they run. All other access is in
//!   [`Transport::with`], which holds the session's lock meanwhile, as every call to libssh2 through `ssh2` does, and makes none
//!   itself. The one call that `ssh2` makes without the lock is the freeing of a channel that is dropped; so [`Channel`]
//!   and `Transport` are not `Send`: they are dropped on the thread that uses them. [`Transport::new`] takes the only
//!   session there is.
//! - *The pointers that libssh2 gives* are to `length` bytes that it owns, to read or to write, as its manual says.
//! - *No unwinding into C.* The functions copy bytes and grow a vector; running out of memory aborts.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::io::{self, ErrorKind, Read, Write};
use std::marker::PhantomData;
use std::net::TcpStream;
use std::ptr::NonNull;

use libssh2_sys::LIBSSH2_SESSION;
use ssh2::Session;

use super::code;

/// What is read from the socket at a time: the small answers to some dozens of requests. More of them at a time would keep
/// each other waiting; and for a big one, calling the system costs little next to decrypting so much.
const INBOX: usize = 16 << 10;
/// With more than this to send, no more is taken on.
const FULL: usize = 1 << 20;

type Callback = unsafe extern "C" fn();

unsafe extern "C" {
    // In libssh2 since 1.11.1, not yet in libssh2-sys.
    fn libssh2_session_callback_set2(
        session: *mut LIBSSH2_SESSION,
        kind: c_int,
        callback: Callback,
    ) -> Option<Callback>;
}

/// `LIBSSH2_CALLBACK_SEND` and `LIBSSH2_CALLBACK_RECV`.
const SEND: c_int = 5;
const RECV: c_int = 6;

/// The bytes between libssh2 and the socket.
struct Buffers {
    inbox: Box<[u8]>,
    /// What of the inbox is not yet with libssh2.
    start: usize,
    end: usize,
    outbox: Vec<u8>,
    /// What of the outbox is already with the system.
    sent: usize,
    closed: bool,
}

unsafe extern "C" fn receive(
    _socket: c_int,
    buffer: *mut c_void,
    length: usize,
    _flags: c_int,
    place: *mut *mut c_void,
) -> isize {
    // SAFETY: `place` is the session's `abstract`; see the head of this file.
    let Some(buffers) = (unsafe { (*place).cast::<Buffers>().as_mut() }) else {
        return 0;
    };
    let count = (buffers.end - buffers.start).min(length);
    if count == 0 {
        return if buffers.closed {
            0
        } else {
            -(nix::libc::EAGAIN as isize)
        };
    }
    let bytes = &buffers.inbox[buffers.start..buffers.start + count];
    // SAFETY: libssh2 gives room for `length` bytes, of which we write no more, in memory of its own.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.cast::<u8>(), count) };
    buffers.start += count;
    count.cast_signed()
}

unsafe extern "C" fn send(
    _socket: c_int,
    buffer: *const c_void,
    length: usize,
    _flags: c_int,
    place: *mut *mut c_void,
) -> isize {
    // SAFETY: as in `receive`.
    let Some(buffers) = (unsafe { (*place).cast::<Buffers>().as_mut() }) else {
        return -(nix::libc::EPIPE as isize);
    };
    if buffers.closed {
        return -(nix::libc::EPIPE as isize);
    }
    // SAFETY: libssh2 gives `length` bytes to send.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), length) };
    buffers.outbox.extend_from_slice(bytes);
    length.cast_signed()
}

/// What a socket has become, as the system tells once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ready {
    /// There may be something to read.
    pub readable: bool,
    /// It may take something.
    pub writable: bool,
    /// After what there is to read comes the end, of which it does not tell again.
    pub over: bool,
}

impl Ready {
    /// What a socket is before the system has told anything.
    pub fn all() -> Ready {
        Ready {
            readable: true,
            writable: true,
            over: false,
        }
    }

    /// Adds what the system tells.
    pub fn also(&mut self, more: Ready) {
        self.readable |= more.readable;
        self.writable |= more.writable;
        self.over |= more.over;
    }

    /// After a read of less than there was room for: the system tells when there is more, but for the end.
    pub fn read_short(&mut self) {
        self.readable = self.over;
    }
}

/// A session that never blocks, over a socket that never blocks.
pub struct Transport {
    session: Session,
    socket: TcpStream,
    buffers: NonNull<Buffers>,
    ready: Ready,
    /// Acknowledgements may wait for something to go along with.
    spare: bool,
}

impl Transport {
    /// Takes a session over that is logged in and at rest, and the socket that it is on.
    pub fn new(session: Session, socket: TcpStream) -> io::Result<Transport> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        session.set_blocking(false);
        let buffers = Box::new(Buffers {
            inbox: vec![0; INBOX].into_boxed_slice(),
            start: 0,
            end: 0,
            outbox: Vec::with_capacity(INBOX),
            sent: 0,
            closed: false,
        });
        let buffers = NonNull::from(Box::leak(buffers));
        {
            let mut raw = session.raw();
            let raw: *mut LIBSSH2_SESSION = &raw mut *raw;
            // SAFETY: `raw` is a live session, and locked. The functions have the signatures that libssh2 calls these two
            // kinds with (LIBSSH2_SEND_FUNC, LIBSSH2_RECV_FUNC); it takes them under a common type.
            unsafe {
                *libssh2_sys::libssh2_session_abstract(raw) = buffers.as_ptr().cast();
                libssh2_session_callback_set2(
                    raw,
                    RECV,
                    std::mem::transmute::<*const (), Callback>(receive as *const ()),
                );
                libssh2_session_callback_set2(
                    raw,
                    SEND,
                    std::mem::transmute::<*const (), Callback>(send as *const ()),
                );
            }
        }
        Ok(Transport {
            session,
            socket,
            buffers,
            // Something may have come already.
            ready: Ready::all(),
            spare: false,
        })
    }

    fn with<T>(&mut self, use_it: impl FnOnce(&mut Buffers, &mut TcpStream) -> T) -> T {
        let _lock = self.session.raw();
        // SAFETY: the box lives until `drop`, and nothing else refers to it: see the head of this file.
        use_it(unsafe { self.buffers.as_mut() }, &mut self.socket)
    }

    /// The socket, to wait for.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Whether the system may hold back acknowledgements, for something that is sent to take along. It does not by itself.
    pub fn spare_acknowledgements(&mut self, spare: bool) {
        if self.spare != spare {
            self.spare = spare;
            if !spare {
                // What was held back goes now.
                quick_ack(&self.socket);
            }
        }
    }

    /// The socket has become ready.
    pub fn ready(&mut self, ready: Ready) {
        self.ready.also(ready);
    }

    /// Whether there is, or may be, something to read without waiting.
    pub fn has_input(&mut self) -> bool {
        self.ready.readable || self.unread() > 0
    }

    /// Bytes that have come and are not with libssh2 yet.
    pub fn unread(&mut self) -> usize {
        self.with(|buffers, _| buffers.end - buffers.start)
    }

    /// Whether so much waits to be sent that no more should be taken on.
    pub fn is_full(&mut self) -> bool {
        self.with(|buffers, _| buffers.outbox.len() - buffers.sent > FULL)
    }

    /// Reads once from the socket, if all that came before is used up. Whether libssh2 has something to read.
    pub fn fill(&mut self) -> io::Result<bool> {
        let mut ready = self.ready;
        let spare = self.spare;
        let filled = self.with(|buffers, socket| {
            if buffers.start < buffers.end {
                return Ok(true);
            }
            (buffers.start, buffers.end) = (0, 0);
            match socket.read(&mut buffers.inbox) {
                Ok(0) => {
                    buffers.closed = true;
                    Err(ErrorKind::UnexpectedEof.into())
                }
                Ok(count) => {
                    buffers.end = count;
                    if count < buffers.inbox.len() {
                        ready.read_short();
                    }
                    if !spare {
                        quick_ack(socket);
                    }
                    Ok(true)
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ready.readable = false;
                    Ok(false)
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => Ok(false),
                Err(error) => {
                    buffers.closed = true;
                    Err(error)
                }
            }
        });
        self.ready = ready;
        filled
    }

    /// Sends what the socket takes.
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.ready.writable {
            return Ok(());
        }
        let mut writable = true;
        let spare = self.spare;
        let flushed = self.with(|buffers, socket| {
            let mut wrote = false;
            while buffers.sent < buffers.outbox.len() {
                match socket.write(&buffers.outbox[buffers.sent..]) {
                    Ok(count) => {
                        buffers.sent += count;
                        wrote = true;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        writable = false;
                        break;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => {
                        buffers.closed = true;
                        return Err(error);
                    }
                }
            }
            if wrote && !spare {
                quick_ack(socket);
            }
            if buffers.sent == buffers.outbox.len() {
                buffers.outbox.clear();
                buffers.sent = 0;
                buffers.outbox.shrink_to(4 * FULL);
            } else if buffers.sent > FULL {
                buffers.outbox.drain(..buffers.sent);
                buffers.sent = 0;
            }
            Ok(())
        });
        self.ready.writable = writable;
        flushed
    }

    /// Goes on with opening a channel to a host and port, as the server sees them; `None` until it is open. Only one can be
    /// on its way, so the same has to be asked for again until it is there or refused.
    pub fn open(&mut self, host: &str, port: u16) -> Tried<Channel> {
        let opened = self
            .session
            .channel_direct_tcpip(host, port, Some(("127.0.0.1", 0)));
        tried(opened.map(Channel::new))
    }

    /// Goes on with opening a channel for a session, which leads nowhere.
    pub fn open_session(&mut self) -> Tried<Channel> {
        tried(self.session.channel_session().map(Channel::new))
    }

    /// What went wrong last, for calls that say only that something did.
    fn last(&self, error: &io::Error) -> Failed {
        match ssh2::Error::last_session_error(&self.session) {
            Some(last) => Failed::from(&last),
            None => Failed::Channel(error.to_string()),
        }
    }

    /// Says good-bye, as far as that goes without waiting.
    pub fn disconnect(&mut self) {
        // Nobody waits for an answer, and the connection may be gone.
        let _ = self.session.disconnect(None, "done", None);
        let _ = self.flush();
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        {
            let mut raw = self.session.raw();
            // SAFETY: the session is live and locked; from here on it finds null.
            unsafe { *libssh2_sys::libssh2_session_abstract(&raw mut *raw) = std::ptr::null_mut() };
        }
        // SAFETY: made from a box in `new`, and nobody has the pointer any more.
        drop(unsafe { Box::from_raw(self.buffers.as_ptr()) });
    }
}

/// Waiting for 40 ms with an acknowledgement, in the hope of sending it along with data, holds up a peer that waits for it
/// before it sends more. The system forgets this setting, also when something is sent, so it is made after each read and
/// write.
#[cfg(target_os = "linux")]
fn quick_ack(socket: &TcpStream) {
    use std::os::linux::net::TcpStreamExt;
    // Slower without, but as right.
    let _ = socket.set_quickack(true);
}

#[cfg(not(target_os = "linux"))]
fn quick_ack(_socket: &TcpStream) {}

/// What a call that never blocks says: `None` is "not now".
pub type Tried<T> = Result<Option<T>, Failed>;

/// What is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// This channel.
    Channel(String),
    /// All of the session.
    Session(String),
}

impl Failed {
    /// What was said.
    pub fn reason(self) -> String {
        let (Failed::Channel(reason) | Failed::Session(reason)) = self;
        reason
    }
}

impl From<&ssh2::Error> for Failed {
    fn from(error: &ssh2::Error) -> Failed {
        let message = error.message().to_owned();
        if code::is_fatal(code::of(error)) {
            Failed::Session(message)
        } else {
            Failed::Channel(message)
        }
    }
}

fn tried<T>(result: Result<T, ssh2::Error>) -> Tried<T> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if code::of(&error) == code::AGAIN => Ok(None),
        Err(error) => Err(Failed::from(&error)),
    }
}

/// One connection through the session. Before it is dropped it has to be closed, or libssh2 keeps it for ever.
pub struct Channel {
    channel: ssh2::Channel,
    /// Not `Send`: see the head of this file.
    thread: PhantomData<*const ()>,
}

impl Channel {
    fn new(channel: ssh2::Channel) -> Channel {
        Channel {
            channel,
            thread: PhantomData,
        }
    }

    /// Bytes from the server; `Some(0)` is the end of them.
    pub fn read(&mut self, buffer: &mut [u8], transport: &Transport) -> Tried<usize> {
        io_tried(self.channel.read(buffer), transport)
    }

    /// Takes bytes for the server, as many as its window lets.
    pub fn write(&mut self, bytes: &[u8], transport: &Transport) -> Tried<usize> {
        io_tried(self.channel.write(bytes), transport)
    }

    /// Whether the server sends no more, and all of it is read.
    pub fn is_over(&self) -> bool {
        self.channel.eof()
    }

    /// Whether a read would give bytes. Cheaper by far than a read that gives none, which is what most of a session's
    /// channels have when its socket was read.
    pub fn has_data(&self) -> bool {
        self.channel.read_window().available > 0
    }

    /// Tells the server that no more comes.
    pub fn send_eof(&mut self) -> Tried<()> {
        tried(self.channel.send_eof())
    }

    /// Closes it at both ends; to be called until it is not "not now".
    pub fn close(&mut self) -> Tried<()> {
        tried(self.channel.close())
    }

    /// Asks what no server grants: the answer's delay is the round trip. Only for a session's channel.
    pub fn echo(&mut self) -> Tried<()> {
        match self.channel.setenv("LOADGEN_ROUND_TRIP", "") {
            Err(error) if code::of(&error) == code::DENIED => Ok(Some(())),
            result => tried(result),
        }
    }
}

fn io_tried(result: io::Result<usize>, transport: &Transport) -> Tried<usize> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(transport.last(&error)),
    }
}
