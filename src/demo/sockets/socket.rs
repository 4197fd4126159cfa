//! One socket: what its client sends is answered, what others send to it is passed on, and it ends in good order.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::{Hub, MAX_CHANNEL_NAME, MAX_CHANNELS};
use crate::demo::kept::now;

/// How often a subscribed channel has news.
const UPDATE_EVERY: Duration = Duration::from_secs(1);
/// How long one message may take to leave before its client counts as one that does not read.
const SEND_WITHIN: Duration = Duration::from_secs(5);
/// How long the client may take to answer our close. The target waits for it when it stops, so it is short.
const CLOSE_WITHIN: Duration = Duration::from_millis(250);

/// Why a socket ends.
enum End {
    /// The client has closed it, or is gone.
    Client,
    /// We close it, for this reason.
    Ours(CloseCode, &'static str),
    /// The client does not read: there is no telling it anything.
    Unread,
}

/// Runs a socket to its end.
pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    hub: &Hub,
    number: u64,
    inbox: &mut mpsc::Receiver<Utf8Bytes>,
    stream: WebSocketStream<S>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut socket = Socket {
        hub,
        number,
        stream,
        channels: Vec::new(),
        updates: 0,
    };
    let end = tokio::select! {
        end = socket.talk(inbox) => end,
        _ = stopped.wait_for(|stop| *stop) => End::Ours(CloseCode::Away, "the target stops"),
    };
    let (code, reason) = match end {
        End::Client | End::Unread => return,
        End::Ours(code, reason) => (code, reason),
    };
    let closing = async {
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        if socket.stream.close(Some(frame)).await.is_ok() {
            while let Some(Ok(_)) = socket.stream.next().await {}
        }
    };
    let _ = timeout(CLOSE_WITHIN, closing).await;
}

struct Socket<'a, S> {
    hub: &'a Hub,
    number: u64,
    stream: WebSocketStream<S>,
    channels: Vec<String>,
    updates: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<'_, S> {
    async fn talk(&mut self, inbox: &mut mpsc::Receiver<Utf8Bytes>) -> End {
        let mut update = updates();
        loop {
            let sent = tokio::select! {
                received = self.stream.next() => match received {
                    Some(Ok(message)) => {
                        let quiet = self.channels.is_empty();
                        let sent = self.answer(message).await;
                        if quiet {
                            update.reset();
                        }
                        sent
                    }
                    Some(Err(error)) => return end_of(&error),
                    None => return End::Client,
                },
                message = inbox.recv() => match message {
                    Some(text) => self.send(Message::Text(text)).await,
                    // The hub has let go of it: see `Hub::broadcast`.
                    None => return End::Ours(CloseCode::Again, "too many messages wait for you"),
                },
                _ = update.tick(), if !self.channels.is_empty() => self.update().await,
            };
            if let Err(end) = sent {
                return end;
            }
        }
    }

    /// Answers a message of the client. Pings are answered and closes are completed by the protocol itself.
    async fn answer(&mut self, message: Message) -> Result<(), End> {
        let answer = match message {
            Message::Text(text) => match serde_json::from_str::<Map<String, Value>>(&text) {
                Ok(said) => self.answer_to(said, text),
                Err(error) => failure(&format!("that is no JSON object: {error}")),
            },
            Message::Binary(bytes) => Message::Binary(bytes),
            _ => return Ok(()),
        };
        self.hub.counts.messages_in.fetch_add(1, Ordering::Relaxed);
        self.send(answer).await
    }

    fn answer_to(&mut self, mut said: Map<String, Value>, text: Utf8Bytes) -> Message {
        let kind = said.get("type").and_then(Value::as_str).unwrap_or_default();
        match kind {
            "echo" => Message::Text(text),
            "ping" => {
                said.insert("type".to_owned(), "pong".into());
                object(said)
            }
            "subscribe" | "unsubscribe" => {
                let join = kind == "subscribe";
                match said.get("channel").and_then(Value::as_str) {
                    Some(channel) => self.subscribe(channel, join),
                    None => failure("which channel? it is a text in the field channel"),
                }
            }
            "" => failure("it needs a type: subscribe, unsubscribe, ping or echo"),
            other => failure(&format!(
                "there is no type {other}: it is subscribe, unsubscribe, ping or echo"
            )),
        }
    }

    fn subscribe(&mut self, channel: &str, join: bool) -> Message {
        if channel.is_empty() || channel.len() > MAX_CHANNEL_NAME {
            return failure(&format!(
                "the name of a channel has 1 to {MAX_CHANNEL_NAME} bytes"
            ));
        }
        self.channels.retain(|name| name != channel);
        if join {
            if self.channels.len() >= MAX_CHANNELS {
                return failure(&format!("a socket has {MAX_CHANNELS} channels at most"));
            }
            self.channels.push(channel.to_owned());
        }
        if let Some(member) = self.hub.members().open.get_mut(&self.number) {
            member.channels.clone_from(&self.channels);
        }
        let kind = if join { "subscribed" } else { "unsubscribed" };
        Message::text(json!({ "type": kind, "channel": channel }).to_string())
    }

    /// News on each channel.
    async fn update(&mut self) -> Result<(), End> {
        self.updates += 1;
        for at in 0..self.channels.len() {
            let news = json!({
                "type": "mission.update", "channel": self.channels[at], "update": self.updates, "at": now(),
            });
            self.send(Message::text(news.to_string())).await?;
        }
        Ok(())
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(SEND_WITHIN, self.stream.send(message)).await {
            Ok(Ok(())) => {
                self.hub.counts.messages_out.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Ok(Err(error)) => Err(end_of(&error)),
            Err(_) => {
                self.hub.counts.dropped.fetch_add(1, Ordering::Relaxed);
                Err(End::Unread)
            }
        }
    }
}

fn updates() -> Interval {
    let mut interval = interval_at(Instant::now() + UPDATE_EVERY, UPDATE_EVERY);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// The close code that RFC 6455, 7.4.1 has for a client's fault.
fn end_of(error: &Error) -> End {
    match error {
        Error::Capacity(_) => End::Ours(CloseCode::Size, "the message is too large"),
        Error::Utf8(_) => End::Ours(CloseCode::Invalid, "the text is not UTF-8"),
        Error::Protocol(_) => End::Ours(CloseCode::Protocol, "that is not the protocol"),
        _ => End::Client,
    }
}

fn failure(message: &str) -> Message {
    Message::text(json!({ "type": "error", "error": message }).to_string())
}

fn object(fields: Map<String, Value>) -> Message {
    Message::text(Value::Object(fields).to_string())
}
