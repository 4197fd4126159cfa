//! The exporter's thread: takes spans from the queue, sends them in batches, and counts what becomes of them.

use std::sync::Arc;
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::encode::{Encoder, Payload, TracedRun, rejected};
use super::send::{Fault, Route, Way};
use super::spec::{OtlpError, OtlpSpec};
use crate::metrics::{Exemplars, SpanDrop, SpanStats, Spans};

/// How often the queue is looked at. Nobody is woken by a span, so that writing one costs no system call.
const TICK: Duration = Duration::from_millis(200);
/// Spans of one request to the collector.
const BATCH: u64 = 8192;
/// And their bytes: gRPC servers take 4 MiB unless told otherwise.
const BATCH_BYTES: usize = 3 << 20;
/// How often a batch is tried, and how long is waited in between: twice as long each time.
const ATTEMPTS: u32 = 4;
const BACKOFF: Duration = Duration::from_millis(500);
/// The longest that a collector may ask for.
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);
/// How long the thread may take to end once it has nothing more to do.
const JOIN: Duration = Duration::from_millis(500);

/// A running exporter. Dropped without [`OtlpExporter::finish`] it stops at once.
#[derive(Debug)]
pub struct OtlpExporter {
    /// Until when what is left may be sent; `None` while the run goes on.
    stop: watch::Sender<Option<Instant>>,
    done: oneshot::Receiver<()>,
    stats: Arc<SpanStats>,
}

impl OtlpExporter {
    /// Starts the thread. The collector need not be there, and is not waited for.
    ///
    /// # Errors
    /// TLS cannot be set up, or the system has no thread for it.
    pub fn start(
        spec: &OtlpSpec,
        run: TracedRun,
        spans: Spans,
        stats: Arc<SpanStats>,
        exemplars: Arc<Exemplars>,
    ) -> Result<OtlpExporter, OtlpError> {
        let failed = |error: std::io::Error| OtlpError::Setup(error.to_string());
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let route = Route::plan(spec)?;
        let (stop, stopped) = watch::channel(None);
        let (finished, done) = oneshot::channel();
        let (encoder, counts) = (Encoder::new(run, &spec.attributes), stats.clone());
        let shown = spec.shown();
        let thread = std::thread::Builder::new().name("otlp".to_owned());
        thread
            .spawn(move || {
                LocalSet::new().block_on(&runtime, async move {
                    let exporter = Exporter {
                        encoder,
                        way: route.open(),
                        spans,
                        stats: counts,
                        exemplars,
                        shown,
                        closed: false,
                        complained: false,
                        overrun: 0,
                    };
                    exporter.work(stopped).await;
                });
                // A look-up of the collector's name may hang, and is not waited for.
                runtime.shutdown_background();
                let _ = finished.send(());
            })
            .map_err(failed)?;
        Ok(OtlpExporter { stop, done, stats })
    }

    /// Sends what is left, for at most `within`, and says what was lost. Nobody may write spans any more.
    pub async fn finish(self, within: Duration) {
        let _ = self.stop.send(Some(Instant::now() + within));
        // The thread keeps to the time by itself; this is for one that the system does not let run.
        let _ = timeout(within + JOIN, self.done).await;
        let lost = self.stats.lost();
        if lost > 0 {
            let reasons = SpanDrop::ALL
                .iter()
                .filter(|reason| **reason != SpanDrop::RateLimit && self.stats.dropped(**reason) > 0);
            let reasons: Vec<String> = reasons
                .map(|reason| format!("{} {}", reason.as_str(), self.stats.dropped(*reason)))
                .collect();
            tracing::info!(
                "traces: {} spans exported, {lost} lost: {}",
                self.stats.exported(),
                reasons.join(", ")
            );
        }
    }
}

struct Exporter {
    encoder: Encoder,
    way: Way,
    spans: Spans,
    stats: Arc<SpanStats>,
    exemplars: Arc<Exemplars>,
    shown: String,
    /// Whether the run's own span, the last one, is among those that were sent.
    closed: bool,
    /// Whether it was said that something is wrong.
    complained: bool,
    /// Spans that had no room in the queue, as of the last look.
    overrun: u64,
}

type Stop = watch::Receiver<Option<Instant>>;

impl Exporter {
    async fn work(mut self, mut stop: Stop) {
        loop {
            let last = stop.borrow().is_some();
            while let Some(payload) = self.fill(last) {
                let given_up = self.export(payload, &mut stop).await;
                if let Some(reason) = given_up.filter(|_| stop.borrow().is_some()) {
                    // Nothing that comes now would fare better, and the run is over.
                    self.discard(reason);
                    return;
                }
            }
            if last {
                return;
            }
            self.look();
            tokio::select! {
                () = sleep(TICK) => {}
                changed = stop.changed() => if changed.is_err() {
                    return;
                }
            }
        }
    }

    /// The next request, if there are spans for one. With the last of them goes the run's own.
    fn fill(&mut self, last: bool) -> Option<Payload> {
        while self.encoder.count() < BATCH && self.encoder.size() < BATCH_BYTES {
            match self.spans.try_recv() {
                Ok(span) => self.encoder.add(&span),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => {
                    if last && !std::mem::replace(&mut self.closed, true) {
                        self.encoder.add_run();
                    }
                    break;
                }
            }
        }
        self.encoder.take()
    }

    /// Sends one request, and again where that may help. Why it was given up, if it was.
    async fn export(&mut self, payload: Payload, stop: &mut Stop) -> Option<SpanDrop> {
        let Payload {
            body,
            spans,
            exemplars,
        } = payload;
        let mut attempt = 1;
        let given_up = loop {
            let way = &mut self.way;
            let answer = tokio::select! {
                biased;
                answer = way.send(body.clone()) => answer,
                () = over(stop.clone()) => break SpanDrop::Shutdown,
            };
            let fault = match answer {
                Ok(answer) => {
                    let Some((count, why)) = rejected(&answer) else {
                        self.stats.add_exported(spans);
                        self.exemplars.offer(exemplars);
                        return None;
                    };
                    // It does not say which, so none of the batch can be an example.
                    let count = count.min(spans);
                    self.stats.add_exported(spans - count);
                    self.stats.add_dropped(SpanDrop::Rejected, count);
                    self.complain(&format!("does not take all spans: {why}"));
                    return None;
                }
                Err(fault) => fault,
            };
            self.complain(&fault.text);
            if !fault.retry || attempt == ATTEMPTS || stop.borrow().is_some() {
                break fault.reason;
            }
            let pause = pause(attempt, &fault);
            attempt += 1;
            tokio::select! {
                () = sleep(pause) => {}
                // One more try, and no more waiting.
                changed = stop.changed() => if changed.is_err() {
                    break SpanDrop::Shutdown;
                }
            }
        };
        self.stats.add_dropped(given_up, spans);
        Some(given_up)
    }

    /// Counts everything that is left, with the run's own span, so that what is lost does not depend on when it was given up.
    fn discard(&mut self, reason: SpanDrop) {
        let left = self.spans.try_iter().count() as u64;
        let own = u64::from(!std::mem::replace(&mut self.closed, true));
        self.stats.add_dropped(reason, left + own);
    }

    /// Notices that the queue was full.
    fn look(&mut self) {
        let overrun = self.stats.dropped(SpanDrop::QueueFull);
        if overrun > self.overrun {
            self.overrun = overrun;
            self.complain("takes spans more slowly than they come");
        }
    }

    fn complain(&mut self, what: &str) {
        if !std::mem::replace(&mut self.complained, true) {
            tracing::warn!(
                "traces: the collector at {}: {what}. The load goes on; spans that are lost are counted (said once)",
                self.shown
            );
        }
    }
}

fn pause(attempt: u32, fault: &Fault) -> Duration {
    let ours = BACKOFF * 2u32.saturating_pow(attempt - 1);
    fault
        .after
        .map_or(ours, |asked| asked.max(ours))
        .min(LONGEST_BACKOFF)
}

/// Returns when the run is over and so is the time for what is left; or when nobody waits for that.
async fn over(mut stop: Stop) {
    let deadline = match stop.wait_for(Option::is_some).await {
        Ok(deadline) => *deadline,
        Err(_) => return,
    };
    if let Some(deadline) = deadline {
        sleep_until(deadline).await;
    }
}
