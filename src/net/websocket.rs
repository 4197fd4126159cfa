//! An open WebSocket (RFC 6455): messages both ways on one connection of a virtual user.
//!
//! Frames are `tungstenite`'s; the stream under them is this room's own, so bytes are counted and TLS is made as
//! for HTTP. Nothing runs by itself: one future at a time polls a socket for its next event, and that is also
//! when its queue is written. So an idle socket costs a few kilobytes and no CPU, and a script that is busy with
//! one message is not sent the next.

mod handshake;

pub use handshake::Opening;

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::time::Sleep;
use tokio_tungstenite::WebSocketStream;
pub use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::{
    Error, Message,
    error::ProtocolError,
    protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
};

use super::error::{NetError, code};
use super::wire::Wire;

/// The largest message, and the largest frame, that is received.
const LARGEST_MESSAGE: usize = 64 << 20;
/// Bytes that a socket reads at a time; it holds this much while idle.
const READ_BUFFER: usize = 4 << 10;
/// Small messages are gathered up to this size before they are written.
const WRITE_BUFFER: usize = 32 << 10;
/// What is read ahead while a writer waits for the other end to take something.
const READ_AHEAD: usize = LARGEST_MESSAGE;
/// How long the other end may take to answer a close.
const CLOSE_WAIT: Duration = Duration::from_secs(10);

/// The close codes that are ours to give (RFC 6455, 7.4.1).
pub mod close_code {
    /// All is done.
    pub const NORMAL: u16 = 1000;
    /// One end goes away.
    pub const GOING_AWAY: u16 = 1001;
    /// A frame that the protocol forbids.
    pub const PROTOCOL: u16 = 1002;
    /// The other end closed without saying why; never sent.
    pub const NO_STATUS: u16 = 1005;
    /// The connection ended without a close; never sent.
    pub const ABNORMAL: u16 = 1006;
    /// Text that is not UTF-8.
    pub const INVALID: u16 = 1007;
    /// A message that is too large.
    pub const TOO_BIG: u16 = 1009;
}

/// What happens on a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A text message.
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A ping, which has been answered.
    Ping,
    /// The answer to a ping, with the ping's payload.
    Pong(Bytes),
    /// The end; nothing comes after it.
    Closed(Closing),
}

/// How a WebSocket ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// The close code, see [`close_code`].
    pub code: u16,
    /// What the end that closed it said about it.
    pub reason: String,
    /// What went wrong, if something did.
    pub error: Option<NetError>,
}

/// An open WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    stream: WebSocketStream<Wire>,
    /// What waits for room in the stream, and how many bytes of messages that is.
    queue: VecDeque<Message>,
    queued: usize,
    /// Bytes of messages that the stream took and has not flushed yet.
    unflushed: usize,
    /// Data messages that the stream took since somebody asked.
    sent: u64,
    /// What was read while somebody waited to write.
    ahead: VecDeque<Event>,
    ahead_bytes: usize,
    /// Writing failed with this; reading may still find out why.
    broken: Option<NetError>,
    /// Set once a close is under way that the other end has to answer.
    closing: Option<Pin<Box<Sleep>>>,
    ended: bool,
    /// Whom to wake when there is something to write.
    reader: Option<Waker>,
}

impl WebSocket {
    /// Takes over a stream whose handshake is done; `read`: what was read behind it.
    async fn over(wire: Wire, read: &[u8]) -> WebSocket {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_message_size(Some(LARGEST_MESSAGE))
            .max_frame_size(Some(LARGEST_MESSAGE));
        WebSocket {
            stream: WebSocketStream::from_partially_read(wire, read.to_vec(), Role::Client, Some(config))
                .await,
            queue: VecDeque::new(),
            queued: 0,
            unflushed: 0,
            sent: 0,
            ahead: VecDeque::new(),
            ahead_bytes: 0,
            broken: None,
            closing: None,
            ended: false,
            reader: None,
        }
    }

    /// Queues a text message.
    pub fn send_text(&mut self, text: String) {
        self.enqueue(Message::Text(text.into()));
    }

    /// Queues a binary message.
    pub fn send_binary(&mut self, bytes: impl Into<Bytes>) {
        self.enqueue(Message::Binary(bytes.into()));
    }

    /// Queues a ping. Its payload, at most 125 bytes, comes back in the pong.
    pub fn ping(&mut self, payload: impl Into<Bytes>) {
        self.enqueue(Message::Ping(payload.into()));
    }

    /// Queues a close behind what is queued already. The end comes as an event, at the latest some seconds later.
    /// A code that must not be sent (1005, 1006) becomes a close without one.
    pub fn close(&mut self, code: u16, reason: &str) {
        if self.closing.is_none() {
            self.closing = Some(Box::pin(tokio::time::sleep(CLOSE_WAIT)));
            self.enqueue(Message::Close(frame(code, reason)));
        }
    }

    /// Closes at once, without waiting for anything: what fits into the system's buffers is still written.
    pub fn abandon(&mut self, code: u16, reason: &str) {
        if !self.ended {
            if self.closing.is_none() {
                self.enqueue(Message::Close(frame(code, reason)));
            }
            let _ = self.poll_written(&mut Context::from_waker(Waker::noop()));
            self.ended = true;
        }
    }

    /// Bytes of messages that were sent and that the system has not taken yet.
    pub fn buffered(&self) -> usize {
        self.queued + self.unflushed
    }

    /// How many data messages were written since this was last asked.
    pub fn take_sent(&mut self) -> u64 {
        std::mem::take(&mut self.sent)
    }

    /// Wire bytes (sent, received) since this was last asked.
    pub fn take_bytes(&self) -> (u64, u64) {
        self.stream.get_ref().take_bytes()
    }

    /// Writes what is queued and reads the next event. After [`Event::Closed`] there is none.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(event) = self.ahead.pop_front() {
            self.ahead_bytes -= size(&event);
            return Poll::Ready(event);
        }
        if self.ended {
            return Poll::Pending;
        }
        if self
            .reader
            .as_ref()
            .is_none_or(|known| !known.will_wake(cx.waker()))
        {
            self.reader = Some(cx.waker().clone());
        }
        let _ = self.poll_written(cx);
        // Before reading: a server that goes on sending has not answered either.
        if let Some(limit) = &mut self.closing
            && limit.as_mut().poll(cx).is_ready()
        {
            let reason = format!("the server did not answer the close within {CLOSE_WAIT:?}");
            return Poll::Ready(self.end(close_code::ABNORMAL, reason, None));
        }
        if let Poll::Ready(event) = self.poll_read(cx) {
            return Poll::Ready(event);
        }
        match self.broken.take() {
            Some(error) => Poll::Ready(self.end(close_code::ABNORMAL, String::new(), Some(error))),
            None => Poll::Pending,
        }
    }

    /// Waits until at most `limit` bytes are buffered, or nothing can be written any more. Meanwhile it reads
    /// ahead, within bounds, so that two ends that both write do not wait for each other.
    pub fn poll_drained(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<()> {
        loop {
            let written = self.poll_written(cx).is_ready();
            if written || self.ended || self.buffered() <= limit {
                return Poll::Ready(());
            }
            if self.ahead_bytes >= READ_AHEAD {
                return Poll::Pending;
            }
            let event = ready!(self.poll_read(cx));
            self.ahead_bytes += size(&event);
            self.ahead.push_back(event);
        }
    }

    /// Writes what can be written without waiting.
    pub fn write_now(&mut self) {
        // Nobody waits for the rest yet: the reader is woken to do that.
        let _ = self.poll_written(&mut Context::from_waker(Waker::noop()));
        if let Some(reader) = &self.reader {
            reader.wake_by_ref();
        }
    }

    fn enqueue(&mut self, message: Message) {
        if self.broken.is_none() && !self.ended {
            self.queued += payload(&message);
            self.queue.push_back(message);
            if let Some(reader) = &self.reader {
                reader.wake_by_ref();
            }
        }
    }

    /// Ready when all is written, or when writing failed, which is noted.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.broken.is_some() || self.ended {
            return Poll::Ready(());
        }
        match ready!(self.poll_write(cx)) {
            Ok(()) => self.unflushed = 0,
            Err(error) => {
                self.queue.clear();
                (self.queued, self.unflushed) = (0, 0);
                self.broken = Some(fault(&error).1);
            }
        }
        Poll::Ready(())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.queue.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_ready(cx))?;
            let Some(message) = self.queue.pop_front() else {
                break;
            };
            let bytes = payload(&message);
            let counts = message.is_text() || message.is_binary();
            Pin::new(&mut self.stream).start_send(message)?;
            self.queued -= bytes;
            self.unflushed += bytes;
            self.sent += u64::from(counts);
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            let event = match ready!(Pin::new(&mut self.stream).poll_next(cx)) {
                Some(Ok(Message::Text(text))) => Event::Text(text),
                Some(Ok(Message::Binary(bytes))) => Event::Binary(bytes),
                Some(Ok(Message::Pong(payload))) => Event::Pong(payload),
                Some(Ok(Message::Ping(_))) => {
                    // The answer is in the stream already, and should not wait for the script.
                    let _ = self.poll_written(cx);
                    Event::Ping
                }
                Some(Ok(Message::Close(frame))) => {
                    // Nobody reads what was still to be sent; the answer to the close is written.
                    self.queue.clear();
                    let _ = self.poll_written(cx);
                    let (code, reason) = match frame {
                        Some(frame) => (frame.code.into(), frame.reason.as_str().to_owned()),
                        None => (close_code::NO_STATUS, String::new()),
                    };
                    let expected = matches!(code, close_code::NORMAL | close_code::GOING_AWAY);
                    let answered = self.closing.is_some();
                    let error = (!expected && !answered).then(|| closed_by_peer(code, &reason));
                    self.end(code, reason, error)
                }
                Some(Ok(Message::Frame(_))) => continue,
                Some(Err(error)) => self.fail(&error),
                None => self.end(close_code::ABNORMAL, String::new(), None),
            };
            return Poll::Ready(event);
        }
    }

    /// Ends on an error of reading: where it is the other end's fault it is told so.
    fn fail(&mut self, error: &Error) -> Event {
        let (code, error) = fault(error);
        if code == close_code::ABNORMAL {
            // Whoever has said that this is the end is not surprised by it.
            let error = self.closing.is_none().then_some(error);
            return self.end(code, String::new(), error);
        }
        self.queue.clear();
        self.queued = 0;
        self.abandon(code, "");
        self.end(code, error.message.to_string(), Some(error))
    }

    fn end(&mut self, code: u16, reason: String, error: Option<NetError>) -> Event {
        self.ended = true;
        self.queue.clear();
        (self.queued, self.unflushed) = (0, 0);
        Event::Closed(Closing { code, reason, error })
    }
}

impl Drop for WebSocket {
    /// The iteration ended, or was interrupted: the server is told, if that is possible without waiting.
    fn drop(&mut self) {
        self.abandon(close_code::GOING_AWAY, "");
    }
}

/// A close frame; `None`, one without a code, for codes that must not be sent.
fn frame(code: u16, reason: &str) -> Option<CloseFrame> {
    let code = CloseCode::from(code);
    code.is_allowed().then(|| CloseFrame {
        code,
        reason: reason.to_owned().into(),
    })
}

fn payload(message: &Message) -> usize {
    match message {
        Message::Text(_) | Message::Binary(_) => message.len(),
        _ => 0,
    }
}

fn size(event: &Event) -> usize {
    match event {
        Event::Text(text) => text.len(),
        Event::Binary(bytes) | Event::Pong(bytes) => bytes.len(),
        Event::Ping | Event::Closed(_) => 0,
    }
}

/// In the words that scripts compare with.
fn closed_by_peer(code: u16, reason: &str) -> NetError {
    let meaning = match code {
        close_code::PROTOCOL => " (protocol error)",
        1003 => " (unsupported data)",
        close_code::NO_STATUS => " (no status)",
        close_code::INVALID => " (invalid payload data)",
        1008 => " (policy violation)",
        close_code::TOO_BIG => " (message too big)",
        1011 => " (internal server error)",
        1012 => " (service restart)",
        1013 => " (try again later)",
        _ => "",
    };
    let colon = if reason.is_empty() { "" } else { ": " };
    NetError::new(
        code::GENERIC,
        format!("websocket: close {code}{meaning}{colon}{reason}"),
    )
}

/// The close code and the error of what the protocol's implementation reports.
fn fault(error: &Error) -> (u16, NetError) {
    let generic = |text: String| NetError::new(code::GENERIC, text);
    match error {
        Error::Io(error) => (close_code::ABNORMAL, NetError::io(error)),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | Error::ConnectionClosed
        | Error::AlreadyClosed => (
            close_code::ABNORMAL,
            generic("websocket: close 1006 (abnormal closure): unexpected EOF".to_owned()),
        ),
        Error::Protocol(ProtocolError::SendAfterClosing) => {
            (close_code::ABNORMAL, generic("websocket: close sent".to_owned()))
        }
        Error::Utf8(_) => (
            close_code::INVALID,
            generic("websocket: the server sent text that is not valid UTF-8 (close 1007)".to_owned()),
        ),
        Error::Capacity(_) => (
            close_code::TOO_BIG,
            generic(format!(
                "websocket: a message from the server is larger than {} MiB (close 1009)",
                LARGEST_MESSAGE >> 20
            )),
        ),
        other => (
            close_code::PROTOCOL,
            generic(format!("websocket: {other} (close 1002)").replace("WebSocket protocol error: ", "")),
        ),
    }
}
