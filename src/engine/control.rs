//! What is done to a test from outside: stopping it, gracefully or at once, and why; pausing it; scaling it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::staff::HireError;

/// How much is still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// All of it.
    Run,
    /// No new iterations; those under way have their scenario's graceful stop to finish.
    Graceful,
    /// Nothing: iterations under way are interrupted.
    Now,
}

/// What in a script asks for the end of the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AbortKind {
    /// `exec.test.abort()`.
    Abort,
    /// An exception that leaves nothing to go on with.
    Exception,
}

/// Why a test ends before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Ctrl-C or a terminate signal.
    Signal,
    /// A threshold with `abortOnFail`, as it was written.
    Threshold(String),
    /// The REST API.
    Api,
    /// Its time is up, as was planned: a step of a search.
    Over,
    /// A virtual user asked for it.
    Script {
        /// What in the script.
        kind: AbortKind,
        /// What it says.
        message: String,
    },
    /// A virtual user could not be initialised.
    Hire(HireError),
    /// The target cannot be reached any more: why.
    Lost(String),
    /// A bug: something panicked.
    Panic(String),
}

/// Stops, pauses and scales a test; clones do it to the same one. A test can only be stopped harder, and keeps the first reason given, unless a
/// panic comes to light afterwards: that is never to be hidden.
#[derive(Debug, Clone)]
pub struct Control {
    state: Arc<watch::Sender<State>>,
}

#[derive(Debug, Clone)]
struct State {
    now: Now,
    reason: Option<Reason>,
    /// Whether somebody outside wants the end at once, whatever the first reason was.
    hurried: bool,
    /// Whether a thread was left behind that does not come back.
    abandoned: bool,
}

/// What executors have to know.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Now {
    pub(super) level: Level,
    /// Since when nothing begins.
    pub(super) paused: Option<Instant>,
    /// How long the load has stood still before that: its times are so much later.
    pub(super) lost: Duration,
    /// How many virtual users somebody outside wants.
    pub(super) vus: Option<u32>,
}

impl Now {
    /// For a test that nobody has touched.
    const UNTOUCHED: Now = Now {
        level: Level::Run,
        paused: None,
        lost: Duration::ZERO,
        vus: None,
    };
}

impl Default for Control {
    fn default() -> Control {
        Control::new()
    }
}

impl Control {
    /// For a test that nobody has stopped yet.
    pub fn new() -> Control {
        Control {
            state: Arc::new(watch::Sender::new(State {
                now: Now::UNTOUCHED,
                reason: None,
                hurried: false,
                abandoned: false,
            })),
        }
    }

    /// No new iterations; those under way may finish within their graceful stop.
    pub fn stop_gracefully(&self, reason: Reason) {
        self.raise(Level::Graceful, reason);
    }

    /// Interrupts everything that is under way.
    pub fn stop_now(&self, reason: Reason) {
        self.raise(Level::Now, reason);
    }

    fn raise(&self, level: Level, reason: Reason) {
        self.state.send_if_modified(|state| {
            state.hurried |= level == Level::Now && reason == Reason::Signal;
            if state.reason.is_none() || matches!(reason, Reason::Panic(_)) {
                state.reason = Some(reason);
            }
            let harder = level > state.now.level;
            state.now.level = state.now.level.max(level);
            harder
        });
    }

    /// A thread does not come back: nobody is to wait for what it might still hand over.
    pub fn abandon(&self, reason: Reason) {
        self.stop_now(reason);
        self.state.send_modify(|state| state.abandoned = true);
    }

    /// Returns when a thread was left behind.
    pub async fn abandoned(&self) {
        let mut receiver = self.state.subscribe();
        // An error is not possible: a sender is here.
        let _ = receiver.wait_for(|state| state.abandoned).await;
    }

    /// Nothing begins any more until [`resume`](Self::resume), and the load's time stands still; what is under way goes on.
    pub fn pause(&self) {
        self.state.send_if_modified(|state| {
            let paused = state.now.paused.is_none();
            state.now.paused.get_or_insert_with(Instant::now);
            paused
        });
    }

    /// Goes on where it was.
    pub fn resume(&self) {
        self.state
            .send_if_modified(|state| match state.now.paused.take() {
                Some(since) => {
                    state.now.lost += since.elapsed();
                    true
                }
                None => false,
            });
    }

    /// Has this many virtual users loop, where an executor takes that from outside.
    pub fn scale(&self, vus: u32) {
        self.state
            .send_if_modified(|state| state.now.vus.replace(vus) != Some(vus));
    }

    /// How many virtual users were asked for, if anybody did.
    pub fn scaled(&self) -> Option<u32> {
        self.state.borrow().now.vus
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.state.borrow().now.paused.is_some()
    }

    /// How long the load has stood still so far.
    pub fn lost(&self) -> Duration {
        let now = self.now();
        now.lost + now.paused.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// The load begins at this instant: pauses before it were none of its.
    pub(super) fn begin(&self, at: Instant) {
        self.state.send_modify(|state| {
            state.now.lost = Duration::ZERO;
            state.now.paused = state.now.paused.map(|since| since.max(at));
        });
    }

    /// Waits while it is paused; not longer than it is to be run.
    pub async fn resumed(&self) {
        let mut receiver = self.state.subscribe();
        // An error is not possible: a sender is here.
        let _ = receiver
            .wait_for(|state| state.now.paused.is_none() || state.now.level > Level::Run)
            .await;
    }

    /// What executors have to know, as it is.
    pub(super) fn now(&self) -> Now {
        self.state.borrow().now
    }

    /// Waits for a moment of the load's own time. `None` if the test is stopped before.
    pub(super) async fn reach(&self, at: Instant) -> Option<Now> {
        let mut watch = self.watch();
        loop {
            let now = self.now();
            if now.level > Level::Run {
                return None;
            }
            let wait = async {
                match now.paused {
                    Some(_) => std::future::pending().await,
                    None => sleep_until(at + now.lost).await,
                }
            };
            tokio::select! {
                biased;
                _ = watch.news(now) => {}
                () = wait => return Some(now),
            }
        }
    }

    /// How much is still to be done.
    pub fn level(&self) -> Level {
        self.state.borrow().now.level
    }

    /// Whether somebody waits at the terminal for the end: a signal has asked for it to be at once. Then what cleans up is
    /// cut short, too.
    pub fn hurried(&self) -> bool {
        self.state.borrow().hurried
    }

    /// Why it was stopped, if it was.
    pub fn reason(&self) -> Option<Reason> {
        self.state.borrow().reason.clone()
    }

    /// For waiting until it is stopped, or stopped harder.
    pub(super) fn watch(&self) -> Watch {
        Watch {
            state: self.state.subscribe(),
            _alive: self.clone(),
        }
    }

    /// Returns when the test is to be stopped, gracefully or at once.
    pub async fn stopped(&self) -> Level {
        self.watch().harder_than(Level::Run).await
    }
}

/// Waits for a [`Control`].
#[derive(Debug)]
pub(super) struct Watch {
    state: watch::Receiver<State>,
    /// Keeps the sender: without it, waiting would end with an error.
    _alive: Control,
}

impl Watch {
    /// Returns the new level once it is harder than `level`.
    pub(super) async fn harder_than(&mut self, level: Level) -> Level {
        match self.state.wait_for(|state| state.now.level > level).await {
            Ok(state) => state.now.level,
            Err(_) => Level::Now,
        }
    }

    /// Returns how things are once they are not as they were `seen`.
    pub(super) async fn news(&mut self, seen: Now) -> Now {
        match self.state.wait_for(|state| state.now != seen).await {
            Ok(state) => state.now,
            Err(_) => Now {
                level: Level::Now,
                ..seen
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_only_gets_harder_and_keeps_its_first_reason() {
        let control = Control::new();
        let mut watch = control.watch();
        assert_eq!((control.level(), control.reason()), (Level::Run, None));
        control.stop_gracefully(Reason::Signal);
        assert_eq!(watch.harder_than(Level::Run).await, Level::Graceful);
        control.stop_now(Reason::Threshold("rate<0.1".to_owned()));
        control.stop_gracefully(Reason::Api);
        assert_eq!(watch.harder_than(Level::Graceful).await, Level::Now);
        assert_eq!(
            (control.level(), control.reason()),
            (Level::Now, Some(Reason::Signal))
        );
        control.stop_now(Reason::Panic("boom".to_owned()));
        assert_eq!(control.reason(), Some(Reason::Panic("boom".to_owned())));
        assert_eq!(control.stopped().await, Level::Now);
    }

    #[tokio::test(start_paused = true)]
    async fn time_stands_still_while_it_is_paused() {
        let control = Control::new();
        control.pause();
        tokio::time::advance(Duration::from_secs(3)).await;
        let start = Instant::now() + Duration::from_secs(1);
        control.begin(start);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(control.is_paused());
        assert_eq!(
            control.lost(),
            Duration::from_secs(4),
            "only since the load was to begin"
        );
        control.pause();
        control.resume();
        assert!(!control.is_paused());
        let reached = control.reach(start + Duration::from_secs(2)).await;
        assert_eq!(reached.map(|now| now.lost), Some(Duration::from_secs(4)));
        assert_eq!(start.elapsed(), Duration::from_secs(6));
        control.pause();
        let other = control.clone();
        let waiting = tokio::spawn(async move { other.reach(start).await });
        tokio::time::advance(Duration::from_secs(100)).await;
        assert!(!waiting.is_finished());
        control.stop_gracefully(Reason::Api);
        assert!(matches!(waiting.await, Ok(None)));
        control.resumed().await;
        control.scale(5);
        assert_eq!(control.scaled(), Some(5));
    }
}
