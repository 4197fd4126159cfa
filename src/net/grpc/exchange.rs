//! One call: its request, what comes back message by message, and its end.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Response, Uri, Version, header};
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, Sleep};

use super::channel::{Channel, HEAD};
use super::metadata::Metadata;
use super::queue::{Outbound, Queue};
use super::status::{Code, Status};
use crate::metrics::SpanIds;
use crate::net::client::Client;
use crate::net::error::NetError;
use crate::net::trace::TRACEPARENT;

/// What is called, and with what beside the messages.
#[derive(Debug, Clone)]
pub struct Call {
    /// `/package.Service/Method`.
    pub path: PathAndQuery,
    pub metadata: Metadata,
    /// For the whole call; the server is told.
    pub timeout: Option<Duration>,
}

impl Call {
    /// Gives the call an identity, if the client was told what its requests belong to.
    pub fn trace(&mut self, client: &Client) -> Option<SpanIds> {
        let given = self.metadata.headers().get(&TRACEPARENT);
        let (ids, header) = client.stamp().mark(given)?;
        if let Some(value) = header {
            self.metadata.headers_mut().insert(TRACEPARENT, value);
        }
        Some(ids)
    }
}

/// What comes next of a call.
#[derive(Debug)]
pub enum Step {
    /// A message.
    Message(Bytes),
    /// The end; nothing comes after it.
    End(Status),
}

/// A call under way. Dropped before its end it is canceled.
pub struct Exchange {
    channel: Rc<Channel>,
    queue: Rc<Queue>,
    state: State,
    /// What was read and is no whole message yet.
    buffer: BytesMut,
    deadline: Option<Pin<Box<Sleep>>>,
    /// The server's headers, once they are there.
    pub headers: HeaderMap,
    /// Its trailers, once it has ended.
    pub trailers: HeaderMap,
}

type Asking = Pin<Box<dyn Future<Output = Result<Response<Incoming>, Status>>>>;

enum State {
    Asking(Asking),
    Reading(Incoming),
    Over,
}

impl Exchange {
    /// A call that begins when it is first asked for its next step.
    pub fn new(channel: &Rc<Channel>, call: Call, queue: Rc<Queue>) -> Exchange {
        channel.begin(&queue);
        let deadline = call
            .timeout
            .and_then(|timeout| Instant::now().checked_add(timeout));
        Exchange {
            state: State::Asking(Box::pin(ask(Rc::clone(channel), call, Rc::clone(&queue)))),
            channel: Rc::clone(channel),
            queue,
            buffer: BytesMut::new(),
            deadline: deadline.map(|at| Box::pin(tokio::time::sleep_until(at))),
            headers: HeaderMap::new(),
            trailers: HeaderMap::new(),
        }
    }

    /// Waits for what comes next.
    pub async fn next(&mut self) -> Step {
        let step = poll_fn(|cx| self.poll(cx)).await;
        if let Step::End(_) = step {
            self.state = State::Over;
            self.queue.abort();
        }
        step
    }

    /// Waits for the whole of a call that has one answer.
    pub async fn unary(&mut self) -> (Option<Bytes>, Status) {
        let mut message = None;
        loop {
            match self.next().await {
                Step::Message(_) if message.is_some() => {
                    let status = Status::new(
                        Code::Internal,
                        "cardinality violation: received more than one message from non-server-streaming RPC",
                    );
                    return (None, status);
                }
                Step::Message(bytes) => message = Some(bytes),
                Step::End(status) if status.is_ok() && message.is_none() => {
                    let status = Status::new(
                        Code::Internal,
                        "cardinality violation: received no response message from non-server-streaming RPC",
                    );
                    return (None, status);
                }
                Step::End(status) => return (message.filter(|_| status.is_ok()), status),
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        if let Some(fault) = self.queue.poll_fault(cx) {
            return Poll::Ready(Step::End(fault));
        }
        let step = self.poll_step(cx);
        if step.is_pending()
            && let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Step::End(Status::deadline()));
        }
        step
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        loop {
            match &mut self.state {
                State::Asking(asking) => match ready!(asking.as_mut().poll(cx)) {
                    Ok(response) => {
                        let (head, body) = response.into_parts();
                        if let Some(status) = Status::foreign(head.status, &head.headers) {
                            return Poll::Ready(Step::End(status));
                        }
                        self.headers = head.headers;
                        self.state = State::Reading(body);
                    }
                    Err(status) => return Poll::Ready(Step::End(status)),
                },
                State::Reading(body) => {
                    match message(&mut self.buffer, self.channel.max_receive) {
                        Ok(Some(message)) => return Poll::Ready(Step::Message(message)),
                        Ok(None) => {}
                        Err(status) => return Poll::Ready(Step::End(status)),
                    }
                    match ready!(Pin::new(body).poll_frame(cx)) {
                        Some(Ok(frame)) => match frame.into_data() {
                            Ok(data) => self.buffer.extend_from_slice(&data),
                            Err(frame) => {
                                self.trailers = frame.into_trailers().unwrap_or_default();
                                return Poll::Ready(Step::End(self.end()));
                            }
                        },
                        Some(Err(error)) => {
                            let status = Status::broken(&NetError::hyper(&error));
                            return Poll::Ready(Step::End(status));
                        }
                        None => return Poll::Ready(Step::End(self.end())),
                    }
                }
                State::Over => {
                    let status = Status::new(Code::Internal, "the call is over");
                    return Poll::Ready(Step::End(status));
                }
            }
        }
    }

    /// What the end of the stream means.
    fn end(&mut self) -> Status {
        if self.trailers.is_empty() && self.headers.contains_key("grpc-status") {
            // An answer without messages has its trailers where headers are, and no headers.
            self.trailers = std::mem::take(&mut self.headers);
        }
        match Status::read(&self.trailers) {
            Some(status) if status.is_ok() && !self.buffer.is_empty() => {
                Status::new(Code::Internal, "unexpected EOF")
            }
            Some(status) => status,
            None => Status::new(
                Code::Internal,
                "server closed the stream without sending trailers",
            ),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.queue.abort();
    }
}

/// The first whole message of what was read.
fn message(buffer: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, Status> {
    let Some(&[flag, a, b, c, d]) = buffer.first_chunk::<HEAD>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    match flag {
        0 => {}
        1 => {
            return Err(Status::new(
                Code::Unimplemented,
                "grpc: the server has compressed a message, which it was not asked to: no decompressor is installed",
            ));
        }
        other => {
            return Err(Status::new(
                Code::Internal,
                format!("grpc: received unexpected payload format {other}"),
            ));
        }
    }
    if length > limit {
        return Err(Status::new(
            Code::ResourceExhausted,
            format!("grpc: received message larger than max ({length} vs. {limit})"),
        ));
    }
    if buffer.len() < HEAD + length {
        return Ok(None);
    }
    buffer.advance(HEAD);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// Sends the request and waits for the answer's headers. A connection that turns out to be closed, when nothing of the
/// request was written, is made anew once.
async fn ask(channel: Rc<Channel>, call: Call, queue: Rc<Queue>) -> Result<Response<Incoming>, Status> {
    let mut request = http::Request::new(Outbound(queue));
    let mut parts = channel.origin().clone().into_parts();
    parts.path_and_query = Some(call.path);
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    *request.method_mut() = http::Method::POST;
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    if let Some(agent) = channel.user_agent() {
        headers.insert(header::USER_AGENT, agent.clone());
    }
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    if let Some(timeout) = call.timeout
        && let Ok(value) = HeaderValue::from_str(&timeout_header(timeout))
    {
        headers.insert("grpc-timeout", value);
    }
    for (name, value) in call.metadata.headers() {
        headers.append(name, value.clone());
    }
    let mut anew = false;
    loop {
        let (mut sender, reused) = channel.sender(anew).await?;
        match sender.try_send_request(request).await {
            Ok(response) => return Ok(response),
            Err(mut error) => match error.take_message() {
                Some(unsent) if reused && !anew => {
                    request = unsent;
                    anew = true;
                }
                _ => return Err(Status::broken(&NetError::hyper(error.error()))),
            },
        }
    }
}

/// A timeout in at most eight digits, in the finest unit that has room for it.
fn timeout_header(timeout: Duration) -> String {
    const LARGEST: u128 = 99_999_999;
    let nanos = timeout.as_nanos();
    for (unit, size) in [
        ("n", 1),
        ("u", 1_000),
        ("m", 1_000_000),
        ("S", 1_000_000_000),
        ("M", 60_000_000_000),
    ] {
        let count = nanos.div_ceil(size);
        if count <= LARGEST {
            return format!("{count}{unit}");
        }
    }
    format!("{}H", nanos.div_ceil(3_600_000_000_000).min(LARGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_eight_digits_at_most() {
        for (timeout, text) in [
            (Duration::from_millis(50), "50000000n"),
            (Duration::from_secs(1), "1000000u"),
            (Duration::from_mins(2), "120000m"),
            (Duration::from_hours(48), "172800S"),
        ] {
            assert_eq!(timeout_header(timeout), text);
        }
        assert!(timeout_header(Duration::MAX).len() <= 9);
    }

    #[test]
    fn messages_are_cut_out_of_what_was_read() {
        let mut buffer = BytesMut::from(&[0, 0, 0, 0, 2, 1][..]);
        assert_eq!(message(&mut buffer, 9), Ok(None));
        buffer.extend_from_slice(&[2, 0, 0]);
        assert_eq!(message(&mut buffer, 9), Ok(Some(Bytes::from_static(&[1, 2]))));
        assert_eq!(message(&mut buffer, 9), Ok(None));
        assert_eq!(&buffer[..], [0, 0]);
        let error = message(&mut BytesMut::from(&[0, 0, 0, 0, 10][..]), 9).unwrap_err();
        assert_eq!(
            (error.code, &*error.message),
            (
                Code::ResourceExhausted,
                "grpc: received message larger than max (10 vs. 9)"
            )
        );
        for flag in [1, 7] {
            assert!(message(&mut BytesMut::from(&[flag, 0, 0, 0, 0][..]), 9).is_err());
        }
    }
}
