//! A virtual user's event loop: timers, and host operations that settle a promise when they are done.
//!
//! It lives for one order (an iteration, `setup`, …): the order is over when its promise is settled and
//! nothing is left to wait for, as in the dialect.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use rquickjs::{Ctx, Function, Persistent, Value, function::Args};
use tokio::time::Instant;

/// What is done on the fiber when a host operation has ended.
pub type Settle = Box<dyn FnOnce(&Ctx<'_>) -> rquickjs::Result<()>>;
type Operation = Pin<Box<dyn Future<Output = Settle>>>;

struct Timer {
    id: u64,
    callback: Persistent<Function<'static>>,
    arguments: Vec<Persistent<Value<'static>>>,
    /// `setInterval`: due again this long after it fired.
    every: Option<Duration>,
}

/// Timers by due time, then in the order they were set.
#[derive(Default)]
pub struct Events {
    timers: RefCell<BTreeMap<(Instant, u64), Timer>>,
    operations: RefCell<FuturesUnordered<Operation>>,
    serial: Cell<u64>,
}

/// What came up.
pub enum Event {
    /// A timer is due.
    Timer,
    /// A host operation has ended.
    Settled(Settle),
    /// There is nothing to wait for.
    Nothing,
}

impl Events {
    /// `setTimeout` and, with `repeat`, `setInterval`. Returns the timer's id.
    pub fn set_timer<'js>(
        &self,
        ctx: &Ctx<'js>,
        callback: Function<'js>,
        delay: Duration,
        repeat: bool,
        arguments: Vec<Value<'js>>,
    ) -> u64 {
        let id = self.next();
        let timer = Timer {
            id,
            callback: Persistent::save(ctx, callback),
            arguments: arguments
                .into_iter()
                .map(|value| Persistent::save(ctx, value))
                .collect(),
            every: repeat.then(|| delay.max(Duration::from_millis(1))),
        };
        self.timers
            .borrow_mut()
            .insert((Instant::now() + delay, id), timer);
        id
    }

    /// `clearTimeout`, `clearInterval`.
    pub fn clear_timer(&self, id: u64) {
        self.timers.borrow_mut().retain(|_, timer| timer.id != id);
    }

    /// Starts a host operation; its outcome is applied on the fiber.
    pub fn spawn(&self, operation: impl Future<Output = Settle> + 'static) {
        self.operations.borrow_mut().push(Box::pin(operation));
    }

    /// Whether there is nothing to wait for.
    pub fn is_empty(&self) -> bool {
        self.timers.borrow().is_empty() && self.operations.borrow().is_empty()
    }

    /// Waits for what comes first.
    pub async fn next_event(&self) -> Event {
        let due = self.timers.borrow().keys().next().map(|(due, _)| *due);
        let mut sleep = due.map(|due| Box::pin(tokio::time::sleep_until(due)));
        poll_fn(|cx| {
            // Timers that are due come first: a server that never stops sending must not keep them waiting.
            if due.is_some_and(|due| due <= Instant::now()) {
                return Poll::Ready(Event::Timer);
            }
            if let Poll::Ready(Some(settle)) = self.operations.borrow_mut().poll_next_unpin(cx) {
                return Poll::Ready(Event::Settled(settle));
            }
            match &mut sleep {
                Some(sleep) => sleep.as_mut().poll(cx).map(|()| Event::Timer),
                None if self.operations.borrow().is_empty() => Poll::Ready(Event::Nothing),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Fires the first timer if it is due.
    pub fn fire(&self, ctx: &Ctx<'_>) -> rquickjs::Result<()> {
        let first = self.timers.borrow().keys().next().copied();
        let Some(key) = first.filter(|(due, _)| *due <= Instant::now()) else {
            return Ok(());
        };
        let Some(timer) = self.timers.borrow_mut().remove(&key) else {
            return Ok(());
        };
        let mut args = Args::new(ctx.clone(), timer.arguments.len());
        for argument in &timer.arguments {
            args.push_arg(argument.clone().restore(ctx)?)?;
        }
        let callback = timer.callback.clone().restore(ctx)?;
        if let Some(every) = timer.every {
            // Set again before the call, so that the callback can clear it.
            self.timers
                .borrow_mut()
                .insert((Instant::now() + every, self.next()), timer);
        }
        callback.call_arg::<Value>(args).map(drop)
    }

    /// Forgets everything: the order is over, or was interrupted.
    pub fn clear(&self) {
        self.timers.borrow_mut().clear();
        self.operations.borrow_mut().clear();
    }

    fn next(&self) -> u64 {
        self.serial.set(self.serial.get() + 1);
        self.serial.get()
    }
}
