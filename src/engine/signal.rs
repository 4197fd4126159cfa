//! What an executor tells one virtual user: to work, to pause, to go home, to end its iteration at once.
//!
//! Both live on the same thread, so this is a handful of cells and one waker: a virtual user that is told nothing pays two
//! loads per iteration.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, sleep_until};

/// A standing order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Finish the iteration under way, if any, and wait.
    Wait,
    /// Run iterations.
    Run,
    /// Finish the iteration under way, if any, and go home.
    Leave,
}

/// An iteration of an open model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) due: Instant,
}

pub(super) struct Signal {
    order: Cell<Order>,
    busy: Cell<bool>,
    interrupt: Cell<bool>,
    arrival: Cell<Option<Arrival>>,
    waker: Cell<Option<Waker>>,
}

impl Signal {
    pub(super) fn new(order: Order) -> Signal {
        Signal {
            order: Cell::new(order),
            busy: Cell::new(false),
            interrupt: Cell::new(false),
            arrival: Cell::new(None),
            waker: Cell::new(None),
        }
    }

    // The executor's side.

    pub(super) fn give(&self, order: Order) {
        self.order.set(order);
        self.wake();
    }

    /// Hands over an iteration; the virtual user must be waiting for one.
    pub(super) fn assign(&self, arrival: Arrival) {
        debug_assert!(!self.busy.get(), "a busy virtual user was given an iteration");
        self.arrival.set(Some(arrival));
        self.wake();
    }

    /// Ends the iteration under way, if there is one. One that was handed over and has not begun is taken back.
    pub(super) fn interrupt(&self) -> Option<Arrival> {
        if self.busy.get() {
            self.interrupt.set(true);
            self.wake();
        }
        self.arrival.take()
    }

    /// Whether an iteration is under way.
    pub(super) fn busy(&self) -> bool {
        self.busy.get()
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    // The virtual user's side.

    pub(super) fn order(&self) -> Order {
        self.order.get()
    }

    fn park<T>(&self, cx: &Context<'_>) -> Poll<T> {
        // Between two wake-ups of a task its waker stays the same, so mostly this puts back what it took.
        let waker = self.waker.take().filter(|waker| waker.will_wake(cx.waker()));
        self.waker.set(Some(waker.unwrap_or_else(|| cx.waker().clone())));
        Poll::Pending
    }

    /// Waits for work: `true` to run, `false` to go home.
    pub(super) async fn run(&self) -> bool {
        poll_fn(|cx| match self.order.get() {
            Order::Run => Poll::Ready(true),
            Order::Leave => Poll::Ready(false),
            Order::Wait => self.park(cx),
        })
        .await
    }

    /// Waits for an iteration; `None` to go home. One that was handed over is run even if the order to leave has come since.
    pub(super) async fn arrival(&self) -> Option<Arrival> {
        poll_fn(|cx| match (self.arrival.take(), self.order.get()) {
            (Some(arrival), _) => Poll::Ready(Some(arrival)),
            (None, Order::Leave) => Poll::Ready(None),
            (None, _) => self.park(cx),
        })
        .await
    }

    /// Runs an iteration's future until it ends or is interrupted, when it is dropped and there is no result. Also says
    /// whether it ever had to wait for something.
    pub(super) async fn guard<F: Future>(&self, iteration: F) -> (Option<F::Output>, bool) {
        let mut iteration = pin!(iteration);
        let mut waited = false;
        let _busy = Flag::raise(&self.busy);
        let output = poll_fn(|cx| {
            if self.interrupt.take() {
                return Poll::Ready(None);
            }
            match iteration.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending => {
                    waited = true;
                    self.park(cx)
                }
            }
        })
        .await;
        (output, waited)
    }

    /// Sleeps while the order is `Run`.
    pub(super) async fn sleep_until(&self, deadline: Instant) {
        let mut sleep = pin!(sleep_until(deadline));
        poll_fn(|cx| {
            if self.order.get() != Order::Run || sleep.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            self.park(cx)
        })
        .await;
    }
}

/// A cell that is true until this is dropped.
struct Flag<'a>(&'a Cell<bool>);

impl<'a> Flag<'a> {
    fn raise(cell: &'a Cell<bool>) -> Flag<'a> {
        cell.set(true);
        Flag(cell)
    }
}

impl Drop for Flag<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
