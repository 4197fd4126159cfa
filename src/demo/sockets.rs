//! `/ws`: sockets that subscribe to channels, are told of missions, and get what is broadcast.
//!
//! The client sends JSON objects with a `type`:
//!
//! | type | answer |
//! |---|---|
//! | `subscribe`, `unsubscribe` with `channel` | `subscribed`, `unsubscribed`; a subscribed channel has a `mission.update` each second |
//! | `ping` | `pong`, with what else was in it |
//! | `echo` | the same text |
//! | anything else, and text that is no JSON | `error` |
//!
//! Binary messages come back as they are. What others send to a socket waits in a queue of [`QUEUE`] messages; a client
//! that lets it overflow is dropped, so that one that does not read holds up nobody and takes no memory.

mod socket;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::locked;

/// Sockets that may be open at the same time.
pub const MAX_SOCKETS: usize = 20_000;
/// Messages from others that wait for a socket at most.
pub const QUEUE: usize = 256;
/// Channels that a socket is subscribed to at most.
pub const MAX_CHANNELS: usize = 16;
/// Longest name of a channel, in bytes.
pub const MAX_CHANNEL_NAME: usize = 64;
/// The channel that is told of every new mission.
pub const MISSIONS: &str = "missions";

/// All open sockets.
#[derive(Debug)]
pub struct Hub {
    members: Mutex<Members>,
    counts: Counts,
    max_message: usize,
}

#[derive(Debug, Default)]
struct Members {
    last: u64,
    open: HashMap<u64, Member>,
}

/// A socket as the others see it.
#[derive(Debug)]
struct Member {
    queue: mpsc::Sender<Utf8Bytes>,
    channels: Vec<String>,
}

#[derive(Debug, Default)]
struct Counts {
    opened: AtomicU64,
    messages_in: AtomicU64,
    messages_out: AtomicU64,
    dropped: AtomicU64,
}

/// What `GET /v1/websocket/stats` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HubStats {
    /// Sockets that are open now.
    pub connections: usize,
    /// Sockets since the start.
    pub opened: u64,
    /// Subscriptions now.
    pub subscriptions: usize,
    /// Messages from clients.
    pub messages_in: u64,
    /// Messages to clients.
    pub messages_out: u64,
    /// Clients that did not read and were dropped for it.
    pub dropped: u64,
}

impl Hub {
    /// No sockets yet; none of them may send messages of more than `max_message` bytes.
    pub fn new(max_message: usize) -> Hub {
        Hub {
            members: Mutex::default(),
            counts: Counts::default(),
            max_message,
        }
    }

    /// A place for one more socket; nothing if there are too many.
    pub fn seat(self: &Arc<Hub>) -> Option<Seat> {
        let mut members = self.members();
        if members.open.len() >= MAX_SOCKETS {
            return None;
        }
        members.last += 1;
        let number = members.last;
        let (queue, inbox) = mpsc::channel(QUEUE);
        let channels = Vec::new();
        members.open.insert(number, Member { queue, channels });
        self.counts.opened.fetch_add(1, Ordering::Relaxed);
        Some(Seat {
            hub: Arc::clone(self),
            number,
            inbox,
        })
    }

    /// Sends a text to the sockets that are subscribed to `channel`, or to all; tells how many it goes to. Who has no
    /// room for it is dropped.
    pub fn broadcast(&self, channel: Option<&str>, text: impl Into<Utf8Bytes>) -> usize {
        let text = text.into();
        let mut delivered = 0;
        self.members().open.retain(|_, member| {
            if channel.is_some_and(|channel| !member.channels.iter().any(|name| name == channel)) {
                return true;
            }
            match member.queue.try_send(text.clone()) {
                Ok(()) => {
                    delivered += 1;
                    true
                }
                Err(mpsc::error::TrySendError::Full(_)) => {
                    self.counts.dropped.fetch_add(1, Ordering::Relaxed);
                    false
                }
                Err(mpsc::error::TrySendError::Closed(_)) => false,
            }
        });
        delivered
    }

    /// The counters now.
    pub fn stats(&self) -> HubStats {
        let members = self.members();
        HubStats {
            connections: members.open.len(),
            opened: self.counts.opened.load(Ordering::Relaxed),
            subscriptions: members.open.values().map(|member| member.channels.len()).sum(),
            messages_in: self.counts.messages_in.load(Ordering::Relaxed),
            messages_out: self.counts.messages_out.load(Ordering::Relaxed),
            dropped: self.counts.dropped.load(Ordering::Relaxed),
        }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        locked(&self.members)
    }
}

/// A socket's place in the hub, given up when it is dropped.
#[derive(Debug)]
pub struct Seat {
    hub: Arc<Hub>,
    number: u64,
    inbox: mpsc::Receiver<Utf8Bytes>,
}

impl Seat {
    /// Largest message that the client may send, in bytes.
    pub fn max_message(&self) -> usize {
        self.hub.max_message
    }

    /// Serves the socket until the client leaves, does not read, breaks the protocol, or the target stops.
    pub async fn serve<S>(mut self, stream: WebSocketStream<S>, stopped: watch::Receiver<bool>)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        socket::run(&self.hub, self.number, &mut self.inbox, stream, stopped).await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.members().open.remove(&self.number);
    }
}
