//! Waiting for a scraper: a page read before the load and one read after it make totals exact in Prometheus.

use std::time::{Duration, Instant};

use super::order::Linger;
use crate::engine::Control;
use crate::output::LivePage;

/// How long a scraper that was there during the run is waited for without `--linger`.
const LAST_LOOK: Duration = Duration::from_secs(5);
/// How often the wait looks whether somebody wants it to end.
const LOOK: Duration = Duration::from_millis(100);

/// With `--linger`, waits for a first scrape, so that every series is known at zero before the load starts.
pub async fn first(page: &LivePage, linger: Linger, control: &Control) {
    if let Linger::For(time) = linger
        && page.last_scrape().is_none()
    {
        tracing::info!(
            "waiting up to {} s for a first scrape of /metrics",
            time.as_secs()
        );
        if !wait(page, None, time, control).await {
            tracing::warn!("nobody scraped /metrics before the load: a scraper will miss its first seconds");
        }
    }
}

/// Waits until the page that was published last has been read.
pub async fn last(page: &LivePage, linger: Linger, control: &Control) {
    let (time, told) = match linger {
        Linger::For(time) => (time, true),
        Linger::IfScraped if page.last_scrape().is_some() => (LAST_LOOK, false),
        Linger::IfScraped => return,
    };
    tracing::info!(
        "waiting up to {} s for a last scrape of /metrics (Ctrl-C skips)",
        time.as_secs()
    );
    if !wait(page, Some(Instant::now()), time, control).await && told {
        tracing::warn!("nobody scraped /metrics after the run: a scraper will miss its last seconds");
    }
}

async fn wait(page: &LivePage, after: Option<Instant>, time: Duration, control: &Control) -> bool {
    let level = control.level();
    let deadline = Instant::now() + time;
    while Instant::now() < deadline && control.level() == level {
        let seen = match after {
            Some(after) => page.wait_scrape(after, LOOK).await,
            None => {
                tokio::time::sleep(LOOK).await;
                page.last_scrape().is_some()
            }
        };
        if seen {
            return true;
        }
    }
    false
}
