//! Pushes the page where nothing can scrape it: to a receiver of Prometheus remote write, or to an OTLP collector.
//!
//! A thread of its own, with a client of its own: a receiver that is slow, away or refuses costs the load nothing. What it
//! does not take is kept and sent again, up to a bound; past that the oldest is dropped and counted.

mod options;
mod receiver;
mod work;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

use super::live::LivePage;
use super::otlp::{OtlpError, OtlpMetrics, Route, TracedRun};

pub use options::{PushError, PushOptions};

use receiver::Receiver;
use work::{Form, Work};

/// What has become of the samples.
#[derive(Debug, Default)]
pub struct PushCounts {
    pub sent: AtomicU64,
    /// Refused by the receiver, or one too many to keep.
    pub lost: AtomicU64,
    /// Tries that failed.
    pub failures: AtomicU64,
}

/// A thread that pushes until it is told to end.
#[derive(Debug)]
pub struct Pusher {
    thread: Option<JoinHandle<()>>,
    end: UnboundedSender<()>,
    counts: Arc<PushCounts>,
    /// The flag that asked for it.
    flag: &'static str,
}

impl Pusher {
    /// Pushes `page` by remote write from now on. `labels` are on every series.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn remote_write(
        options: PushOptions,
        page: Arc<LivePage>,
        labels: Vec<(String, String)>,
    ) -> Result<Pusher, PushError> {
        let counts = Arc::new(PushCounts::default());
        page.set_pushes(counts.clone());
        let interval = options.interval;
        let form = Form::RemoteWrite { labels };
        let open = move || Receiver::remote_write(options);
        Pusher::start(open, Work::new("--remote-write", form, interval, page, counts))
    }

    /// Pushes `page` to an OTLP collector from now on.
    ///
    /// # Errors
    /// TLS cannot be set up, or there is no thread to be had.
    pub fn otlp(metrics: &OtlpMetrics, run: &TracedRun, page: Arc<LivePage>) -> Result<Pusher, OtlpError> {
        let route = Route::plan(&metrics.spec)?;
        let counts = Arc::new(PushCounts::default());
        page.set_otlp_pushes(counts.clone());
        let form = Form::Otlp {
            resource: run.resource(&metrics.spec.attributes),
            start: run.began(),
            explicit: metrics.explicit,
        };
        let shown = metrics.spec.shown();
        let open = move || Ok(Receiver::otlp(route.open(), shown));
        let work = Work::new("--otlp-metrics", form, metrics.interval, page, counts);
        Pusher::start(open, work).map_err(|error| OtlpError::Setup(error.to_string()))
    }

    fn start(
        open: impl FnOnce() -> Result<Receiver, crate::net::SetupError> + Send + 'static,
        work: Work,
    ) -> Result<Pusher, PushError> {
        let (end, ended) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (counts, flag) = (work.counts.clone(), work.flag);
        let thread = std::thread::Builder::new()
            .name("push".to_owned())
            .spawn(move || {
                LocalSet::new().block_on(&runtime, async move {
                    match open() {
                        Ok(receiver) => work.run(receiver, ended).await,
                        Err(error) => tracing::error!("{flag}: {error}"),
                    }
                });
                // A look-up of the receiver's name may hang, and is not waited for.
                runtime.shutdown_background();
            })?;
        Ok(Pusher {
            thread: Some(thread),
            end,
            counts,
            flag,
        })
    }

    /// Sends the last page, which ends all series, and what still waits; not for longer than some seconds.
    pub async fn finish(mut self) {
        let _ = self.end.send(());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        let lost = self.counts.lost.load(Relaxed);
        if lost > 0 {
            let sent = self.counts.sent.load(Relaxed);
            tracing::info!("{}: {lost} of {} samples were not taken", self.flag, sent + lost);
        }
    }
}
