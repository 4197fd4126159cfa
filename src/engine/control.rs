//! Stopping a test: gracefully, at once, and why.

use std::sync::Arc;

use tokio::sync::watch;

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

/// Stops a test; clones stop the same one. A test can only be stopped harder, and keeps the first reason given, unless a
/// panic comes to light afterwards: that is never to be hidden.
#[derive(Debug, Clone)]
pub struct Control {
    state: Arc<watch::Sender<State>>,
}

#[derive(Debug, Clone)]
struct State {
    level: Level,
    reason: Option<Reason>,
    /// Whether somebody outside wants the end at once, whatever the first reason was.
    hurried: bool,
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
                level: Level::Run,
                reason: None,
                hurried: false,
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
            let harder = level > state.level;
            state.level = state.level.max(level);
            harder
        });
    }

    /// How much is still to be done.
    pub fn level(&self) -> Level {
        self.state.borrow().level
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
        match self.state.wait_for(|state| state.level > level).await {
            Ok(state) => state.level,
            Err(_) => Level::Now,
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
}
