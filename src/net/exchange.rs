//! One request and its response on an established connection.
//!
//! On HTTP/1.1 the exchange itself polls hyper's connection: no task, no channel wake-ups between tasks, one poll
//! per readiness event. Nothing polls an idle connection; hyper looks for a close or for stray bytes when the next
//! exchange polls it, before it writes, and then hands the request back unsent.
//!
//! `Expect: 100-continue` is sent if the caller asks for it, but the body follows at once, which RFC 9110
//! (10.1.1) allows; interim responses are skipped.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use futures_util::future::poll_fn;
use http::response::Parts;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::TrySendError;
use tokio::task::coop::unconstrained;

use super::connect::{Driver, H1, H2, Outgoing};
use super::error::{NetError, code};
use super::progress::Progress;
use super::redirect;

/// What to do with the body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intake {
    /// Read and drop it.
    pub(super) discard: bool,
    /// Read and drop it if the response is a redirect that will be followed.
    pub(super) discard_redirects: bool,
    /// The most bytes to keep.
    pub(super) limit: usize,
}

/// A complete response, not yet decoded.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) head: Parts,
    pub(super) body: Bytes,
}

/// A failed exchange.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: NetError,
    /// hyper gave the request back: nothing of it was written.
    pub(super) unsent: bool,
}

impl From<NetError> for Failure {
    fn from(error: NetError) -> Failure {
        Failure { error, unsent: false }
    }
}

impl From<TrySendError<http::Request<Outgoing>>> for Failure {
    fn from(mut error: TrySendError<http::Request<Outgoing>>) -> Failure {
        let unsent = error.take_message().is_some();
        Failure {
            error: NetError::hyper(error.error()),
            unsent,
        }
    }
}

impl H1 {
    /// Sends a request and reads the response to its end. Afterwards [`H1::is_reusable`] tells whether another one
    /// may follow; after an error or a drop the connection must be dropped.
    pub(super) async fn exchange(
        &mut self,
        request: http::Request<Outgoing>,
        intake: Intake,
    ) -> Result<Reply, Failure> {
        // Only this task makes the promise come true, by polling the driver, so the promise never has to wake it:
        // a waker that does nothing saves a needless second poll per request. It is exempt from tokio's budget
        // because running out of it would ask for a wake-up.
        let mut quiet = Context::from_waker(Waker::noop());
        let mut promise = pin!(unconstrained(self.sender.try_send_request(request)));
        let driver = &mut self.driver;
        let response = poll_fn(|cx| {
            drive(driver, cx);
            promise.as_mut().poll(&mut quiet)
        })
        .await?;
        let (head, mut incoming) = response.into_parts();

        let mut sink = Sink::new(intake, &head, &incoming)?;
        if !incoming.is_end_stream() {
            poll_fn(|cx| {
                loop {
                    match Pin::new(&mut incoming).poll_frame(&mut quiet) {
                        Poll::Ready(Some(frame)) => sink.frame(frame)?,
                        Poll::Ready(None) => return Poll::Ready(Ok::<_, NetError>(())),
                        Poll::Pending => {
                            let finished = driver.is_none();
                            drive(driver, cx);
                            match Pin::new(&mut incoming).poll_frame(&mut quiet) {
                                Poll::Ready(Some(frame)) => sink.frame(frame)?,
                                Poll::Ready(None) => return Poll::Ready(Ok(())),
                                Poll::Pending if finished => {
                                    // The driver is finished and the body is not: it will never be.
                                    return Poll::Ready(Err(NetError::new(code::GENERIC, "unexpected EOF")));
                                }
                                Poll::Pending => return Poll::Pending,
                            }
                        }
                    }
                }
            })
            .await?;
        }
        Ok(Reply {
            head,
            body: sink.finish(),
        })
    }

    /// Whether the server lets the connection live and everything of the last exchange was read and written.
    pub(super) fn is_reusable(&mut self) -> bool {
        if !self.sender.is_ready() {
            // The end of a body may have been seen without the connection having had a chance to become idle.
            let driver = &mut self.driver;
            let settle = unconstrained(poll_fn(|cx| {
                drive(driver, cx);
                Poll::Ready(())
            }));
            let _ = pin!(settle).poll(&mut Context::from_waker(Waker::noop()));
        }
        self.driver.is_some() && self.sender.is_ready()
    }
}

/// Lets hyper read and write. Its errors reach us through the response or the body, where they belong. A finished
/// connection is dropped at once: that is what makes hyper hand back a request that it had queued.
fn drive(driver: &mut Option<Driver>, cx: &mut Context<'_>) {
    if let Some(connection) = driver
        && Pin::new(connection).poll(cx).is_ready()
    {
        *driver = None;
    }
}

impl H2 {
    /// Sends a request on a stream of its own and reads the response to its end.
    pub(super) async fn exchange(
        &mut self,
        request: http::Request<Outgoing>,
        intake: Intake,
        progress: &Progress<'_>,
    ) -> Result<Reply, Failure> {
        let response = self.sender.try_send_request(request).await?;
        progress.head_arrived();
        let (head, mut incoming) = response.into_parts();
        let mut sink = Sink::new(intake, &head, &incoming)?;
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx)).await {
            sink.frame(frame)?;
        }
        Ok(Reply {
            head,
            body: sink.finish(),
        })
    }
}

/// Where the body goes. A body of one frame is kept as it came; only a second one makes it a copy.
pub(super) struct Sink {
    keep: bool,
    limit: usize,
    expected: usize,
    first: Bytes,
    rest: BytesMut,
}

impl Sink {
    pub(super) fn new(intake: Intake, head: &Parts, incoming: &Incoming) -> Result<Sink, NetError> {
        let followed = intake.discard_redirects && redirect::is_redirect(head.status, &head.headers);
        let keep = !intake.discard && !followed;
        let least = usize::try_from(incoming.size_hint().lower()).unwrap_or(usize::MAX);
        if keep && least > intake.limit {
            return Err(NetError::body_too_large(intake.limit));
        }
        Ok(Sink {
            keep,
            limit: intake.limit,
            expected: least,
            first: Bytes::new(),
            rest: BytesMut::new(),
        })
    }

    pub(super) fn frame(
        &mut self,
        frame: Result<hyper::body::Frame<Bytes>, hyper::Error>,
    ) -> Result<(), NetError> {
        let frame = frame.map_err(|error| {
            // A body that ends early: hyper says "connection error" or "end of file before message length".
            match NetError::hyper(&error) {
                NetError {
                    code: code::GENERIC, ..
                } => NetError::new(code::GENERIC, "unexpected EOF"),
                other => other,
            }
        })?;
        let Ok(data) = frame.into_data() else {
            return Ok(());
        };
        if !self.keep || data.is_empty() {
            return Ok(());
        }
        if self.first.is_empty() {
            self.first = data;
        } else {
            if self.rest.is_empty() {
                // The server's word is trusted up to what it would take to fill a buffer that is being filled.
                self.rest
                    .reserve(self.expected.clamp(self.first.len() + data.len(), 1 << 20));
                self.rest.extend_from_slice(&self.first);
            }
            self.rest.extend_from_slice(&data);
        }
        if self.rest.len().max(self.first.len()) > self.limit {
            return Err(NetError::body_too_large(self.limit));
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Bytes {
        if self.rest.is_empty() {
            self.first
        } else {
            self.rest.freeze()
        }
    }
}
