//! The messages that go out: a queue that its owner fills and hyper empties, as fast as the server takes them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::status::Status;

/// Messages that wait to be written.
#[derive(Debug, Default)]
pub struct Queue {
    messages: RefCell<VecDeque<Bytes>>,
    /// Nothing more comes.
    ended: Cell<bool>,
    /// Nothing more is to go out, not even what waits.
    aborted: Cell<bool>,
    /// Messages that went out and were not told yet.
    taken: Cell<u64>,
    /// Why the call ends from this side.
    fault: RefCell<Option<Status>>,
    /// hyper, which waits for a message.
    taker: RefCell<Option<Waker>>,
    /// Whoever waits for the call's next step.
    watcher: RefCell<Option<Waker>>,
}

impl Queue {
    /// A queue of one message, as a unary call has it.
    pub fn of(message: Bytes) -> Rc<Queue> {
        let queue = Rc::new(Queue::default());
        queue.push(message);
        queue.end();
        queue
    }

    /// One more message, in its frame.
    pub fn push(&self, message: Bytes) {
        if !self.ended.get() {
            self.messages.borrow_mut().push_back(message);
            self.wake();
        }
    }

    /// Nothing more comes.
    pub fn end(&self) {
        self.ended.set(true);
        self.wake();
    }

    /// Whether more may come.
    pub fn is_open(&self) -> bool {
        !self.ended.get()
    }

    /// Ends the whole call from this side.
    pub fn fail(&self, status: Status) {
        self.fault.borrow_mut().get_or_insert(status);
        self.abort();
        if let Some(watcher) = self.watcher.take() {
            watcher.wake();
        }
    }

    /// How many messages went out since this was last asked.
    pub fn take_sent(&self) -> u64 {
        self.taken.take()
    }

    /// Nothing more goes out; the server sees its stream reset unless it was over.
    pub(super) fn abort(&self) {
        self.ended.set(true);
        self.aborted.set(true);
        self.messages.take();
        self.wake();
    }

    pub(super) fn poll_fault(&self, cx: &Context<'_>) -> Option<Status> {
        let fault = self.fault.take();
        if fault.is_none() {
            self.watcher.replace(Some(cx.waker().clone()));
        }
        fault
    }

    fn wake(&self) {
        if let Some(taker) = self.taker.take() {
            taker.wake();
        }
    }
}

/// The queue as hyper sees it.
#[derive(Debug)]
pub(super) struct Outbound(pub(super) Rc<Queue>);

impl Body for Outbound {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let queue = &self.0;
        if queue.aborted.get() {
            return Poll::Ready(Some(Err(h2::Reason::CANCEL.into())));
        }
        if let Some(message) = queue.messages.borrow_mut().pop_front() {
            queue.taken.set(queue.taken.get() + 1);
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        if queue.ended.get() {
            return Poll::Ready(None);
        }
        queue.taker.replace(Some(cx.waker().clone()));
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let queue = &self.0;
        queue.ended.get() && !queue.aborted.get() && queue.messages.borrow().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        // gRPC has no content-length: whoever sees one could take a stream for a body.
        SizeHint::default()
    }
}
