//! How far a transaction has come, readable at any moment: a timeout drops the exchange and still has to say how
//! long each phase took and how many bytes went over the wire.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::connect::Peer;
use super::exchange::Failure;
use super::request::Request;
use super::response::Timings;
use super::tls::TlsInfo;
use super::wire::Marks;

/// The stamps of one transaction.
///
/// Dropping it unsettled (the virtual user was interrupted) adds its wire bytes to `stray`, so that they still
/// count as sent and received.
pub(super) struct Progress<'a> {
    pub(super) started: Instant,
    ready: Cell<Option<Instant>>,
    connecting: Cell<Duration>,
    securing: Cell<Duration>,
    /// On HTTP/2, when the response's headers were there; elsewhere the wire knows.
    head: Cell<Option<Instant>>,
    /// Set on HTTP/2.
    http2: Cell<Option<Body>>,
    remote: Cell<Option<SocketAddr>>,
    tls: RefCell<Option<Rc<TlsInfo>>>,
    marks: RefCell<Option<Rc<Marks>>>,
    /// Whether `marks` counts this exchange as under way.
    begun: Cell<bool>,
    bytes: Cell<(u64, u64)>,
    reused: Cell<bool>,
    retried: Cell<bool>,
    stray: &'a Cell<(u64, u64)>,
}

/// Whether a request has a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    Absent,
    Present,
}

/// What came of a transaction, as far as the network goes.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) timings: Timings,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) remote: Option<SocketAddr>,
    pub(super) tls: Option<Rc<TlsInfo>>,
    pub(super) reused: bool,
    pub(super) retried: bool,
}

impl<'a> Progress<'a> {
    pub(super) fn new(started: Instant, stray: &'a Cell<(u64, u64)>) -> Progress<'a> {
        Progress {
            started,
            ready: Cell::new(None),
            connecting: Cell::new(Duration::ZERO),
            securing: Cell::new(Duration::ZERO),
            head: Cell::new(None),
            http2: Cell::new(None),
            remote: Cell::new(None),
            tls: RefCell::new(None),
            marks: RefCell::new(None),
            begun: Cell::new(false),
            bytes: Cell::new((0, 0)),
            reused: Cell::new(false),
            retried: Cell::new(false),
            stray,
        }
    }

    /// The TCP connect ended, well or not.
    pub(super) fn connected(&self, address: SocketAddr, took: Duration) {
        self.remote.set(Some(address));
        self.connecting.set(took);
    }

    /// The TLS handshake ended, well or not.
    pub(super) fn secured(&self, took: Duration) {
        self.securing.set(took);
    }

    /// From here on these marks count the bytes of this transaction.
    pub(super) fn watch(&self, marks: &Rc<Marks>) {
        self.release();
        *self.marks.borrow_mut() = Some(Rc::clone(marks));
    }

    /// A connection is there, and the request is about to be written to it. `http2`: over HTTP/2, and with what.
    pub(super) fn begin(&self, peer: &Peer, reused: bool, http2: Option<Body>) {
        self.watch(&peer.marks);
        peer.marks.begin();
        self.begun.set(true);
        // Taking a connection from the pool takes no time worth a look at the clock.
        self.ready.set(Some(if reused && !self.retried.get() {
            self.started
        } else {
            Instant::now()
        }));
        self.head.set(None);
        self.http2.set(http2);
        self.reused.set(reused);
        self.remote.set(Some(peer.remote));
        self.tls.borrow_mut().clone_from(&peer.tls);
    }

    /// The connection was closed before the response; the request goes out again on a fresh one.
    pub(super) fn retry(&self) {
        self.release();
        self.retried.set(true);
        self.ready.set(None);
    }

    /// The rule that `Client::send` documents.
    pub(super) fn may_retry(&self, failure: &Failure, request: &Request) -> bool {
        if !self.reused.get() || self.retried.get() {
            return false;
        }
        let marks = self.marks.borrow();
        let Some(marks) = marks.as_ref() else { return false };
        if failure.unsent {
            return true;
        }
        // On a shared connection the wire cannot tell whose bytes were read; the stream's headers can.
        let answered = match self.http2.get() {
            None => marks.first_read().is_some(),
            Some(_) => self.head.get().is_some() || !failure.error.is_disconnect(),
        };
        let written = self.http2.get().is_some() || marks.first_write().is_some();
        !answered && (!written || request.is_repeatable())
    }

    /// The response's headers are there (HTTP/2).
    pub(super) fn head_arrived(&self) {
        self.head.set(Some(Instant::now()));
    }

    /// The transaction is over.
    pub(super) fn settle(&self, ended: Instant) -> Account {
        let timings = self.timings(ended);
        self.release();
        let (sent, received) = self.bytes.replace((0, 0));
        Account {
            timings,
            sent,
            received,
            remote: self.remote.get(),
            tls: self.tls.take(),
            reused: self.reused.get(),
            retried: self.retried.get(),
        }
    }

    fn timings(&self, ended: Instant) -> Timings {
        let mut timings = Timings {
            connecting: self.connecting.get(),
            tls_handshaking: self.securing.get(),
            ..Timings::default()
        };
        let marks = self.marks.borrow();
        let (Some(ready), Some(marks)) = (self.ready.get(), marks.as_ref()) else {
            timings.blocked = ended - self.started;
            return timings;
        };
        timings.blocked = ready - self.started;
        // On HTTP/2 the wire's first read may be another stream's, or a frame that is no response, and its last
        // write may acknowledge something. The headers' arrival and the first write are what can be told apart;
        // a body ends with the last write before the headers.
        let (written, first_read) = match self.http2.get() {
            None => (marks.last_write(), marks.first_read()),
            Some(Body::Absent) => (marks.first_write(), self.head.get()),
            Some(Body::Present) => (marks.last_write(), self.head.get()),
        };
        let answered = first_read.unwrap_or(ended).clamp(ready, ended.max(ready));
        // A server may answer before it has read everything; what is written afterwards delays nothing.
        let written = written.unwrap_or(ready).clamp(ready, answered);
        timings.sending = written - ready;
        timings.waiting = answered - written;
        timings.receiving = ended.saturating_duration_since(answered);
        timings
    }

    /// Takes what the watched connection counted, and stops watching it.
    fn release(&self) {
        if let Some(marks) = self.marks.take() {
            let (sent, received) = marks.take();
            let (before_sent, before_received) = self.bytes.get();
            self.bytes.set((before_sent + sent, before_received + received));
            if self.begun.replace(false) {
                marks.end();
            }
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.release();
        let (sent, received) = self.bytes.get();
        let (before_sent, before_received) = self.stray.get();
        self.stray.set((before_sent + sent, before_received + received));
    }
}
