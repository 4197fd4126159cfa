//! Ctrl-C and terminate signals: once stops gracefully, twice stops now.

use std::future::pending;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use crate::engine::{Control, Level, Reason};

/// Signals that ask to stop. From the moment that it exists they no longer end the process by themselves, and none is lost
/// between two looks.
pub struct Requests {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl Requests {
    /// Begins to listen. Where a signal cannot be listened to, it does what it always did.
    pub fn listen() -> Requests {
        Requests {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    /// Waits for the next one; what it did, in a word.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            () = received(&mut self.interrupt) => "interrupted",
            () = received(&mut self.terminate) => "terminated",
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    let received = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if received.is_none() {
        pending::<()>().await;
    }
}

/// Listens until dropped.
pub struct Signals(JoinHandle<()>);

impl Drop for Signals {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Lets signals stop the run that `control` is of.
pub fn listen(control: Control) -> Signals {
    let mut requests = Requests::listen();
    Signals(tokio::spawn(async move {
        loop {
            let name = requests.next().await;
            if control.level() == Level::Run {
                tracing::warn!("{name}: stopping gracefully; the summary follows. Again to stop now");
                control.stop_gracefully(Reason::Signal);
            } else {
                tracing::warn!("{name}: stopping now");
                control.stop_now(Reason::Signal);
            }
        }
    }))
}
