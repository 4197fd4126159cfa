//! Ctrl-C and terminate signals: once stops gracefully, twice stops now.

use tokio::task::JoinHandle;

use crate::engine::{Control, Level, Reason};

/// Listens until dropped.
pub struct Signals(JoinHandle<()>);

impl Drop for Signals {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Lets signals stop the run that `control` is of.
pub fn listen(control: Control) -> Signals {
    Signals(tokio::spawn(async move {
        loop {
            let name = next().await;
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

/// The next signal that asks to stop.
#[cfg(unix)]
pub async fn next() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return "interrupted";
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => "interrupted",
        _ = terminate.recv() => "terminated",
    }
}

/// The next signal that asks to stop.
#[cfg(not(unix))]
pub async fn next() -> &'static str {
    let _ = tokio::signal::ctrl_c().await;
    "interrupted"
}
