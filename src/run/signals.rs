//! Ctrl-C and terminate signals: once stops gracefully, twice stops now.

use std::future::pending;
use std::time::Duration;

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

/// Waits for the next one; says now and then that it is the script that takes so long.
pub async fn while_loading(requests: &mut Requests) -> &'static str {
    loop {
        tokio::select! {
            name = requests.next() => return name,
            () = tokio::time::sleep(LONG) => {
                tracing::warn!("the script's top level has not ended yet; is there a loop in it that never does?");
            }
        }
    }
}

/// A script takes less to load.
const LONG: Duration = Duration::from_secs(10);

/// Listens until dropped.
pub struct Signals(JoinHandle<()>);

impl Drop for Signals {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Lets signals stop the run that `control` is of.
pub fn listen(control: Control, mut requests: Requests) -> Signals {
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
