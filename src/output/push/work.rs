//! The thread that pushes: takes pages, keeps them until they are taken, and counts what becomes of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::PushCounts;
use super::receiver::{Outcome, Receiver};
use crate::output::families::{OtlpStamp, Stamp};
use crate::output::live::LivePage;
use crate::output::prometheus::{render_otlp, render_push};

/// Pages that wait for the receiver: at the usual interval ten minutes, some megabytes.
const WAITING: usize = 120;
/// And their bytes, where a run has very many series.
const WAITING_BYTES: usize = 32 << 20;
/// Between tries, doubled from the first to the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(30)];
/// How long the end of a run waits for what is still to be sent.
const LAST: Duration = Duration::from_secs(10);

/// What a page is made into.
pub(super) enum Form {
    RemoteWrite {
        /// On every series.
        labels: Vec<(String, String)>,
    },
    Otlp {
        resource: Vec<(String, String)>,
        /// When sums began to count.
        start: SystemTime,
        /// Whether histograms go with fixed bounds.
        explicit: bool,
    },
}

/// A body that waits.
struct Body {
    bytes: Bytes,
    samples: u64,
}

/// What the thread works on.
pub(super) struct Work {
    pub(super) flag: &'static str,
    pub(super) counts: Arc<PushCounts>,
    form: Form,
    interval: Duration,
    page: Arc<LivePage>,
    waiting: VecDeque<Body>,
    pause: Duration,
    /// Whether it was said that the receiver is in trouble, and not since that it no longer is.
    complained: bool,
}

impl Work {
    pub(super) fn new(
        flag: &'static str,
        form: Form,
        interval: Duration,
        page: Arc<LivePage>,
        counts: Arc<PushCounts>,
    ) -> Work {
        Work {
            flag,
            counts,
            form,
            interval,
            page,
            waiting: VecDeque::new(),
            pause: PAUSES[0],
            complained: false,
        }
    }

    pub(super) async fn run(mut self, mut receiver: Receiver, mut ended: UnboundedReceiver<()>) {
        let mut next_page = Instant::now() + self.interval;
        let mut next_try = Instant::now();
        loop {
            let wake = if self.waiting.is_empty() {
                next_page
            } else {
                next_page.min(next_try)
            };
            tokio::select! {
                _ = ended.recv() => break,
                () = sleep_until(wake) => {}
            }
            if Instant::now() >= next_page {
                self.take(false);
                // Of pages that a receiver held up, only the newest is made.
                next_page = (next_page + self.interval).max(Instant::now());
            }
            while !self.waiting.is_empty() && Instant::now() >= next_try {
                let sent = tokio::select! {
                    _ = ended.recv() => {
                        self.finish(&mut receiver).await;
                        return;
                    }
                    sent = self.send(&mut receiver) => sent,
                };
                if let Err(asked) = sent {
                    next_try = Instant::now() + self.pause.max(asked);
                    self.pause = (self.pause * 2).min(PAUSES[1]);
                }
            }
        }
        self.finish(&mut receiver).await;
    }

    async fn finish(&mut self, receiver: &mut Receiver) {
        // The numbers, and then that they end.
        self.take(false);
        self.take(true);
        let deadline = Instant::now() + LAST;
        while !self.waiting.is_empty() {
            match timeout_at(deadline, self.send(receiver)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) if Instant::now() + PAUSES[0] < deadline => sleep(PAUSES[0]).await,
                _ => break,
            }
        }
        let left: u64 = self.waiting.iter().map(|body| body.samples).sum();
        self.counts.lost.fetch_add(left, Relaxed);
    }

    fn take(&mut self, last: bool) {
        // After the last numbers, or the end would take their place.
        let later = if last {
            Duration::from_millis(1)
        } else {
            Duration::ZERO
        };
        let (page, at) = (self.page.read(), SystemTime::now() + later);
        let made = match &self.form {
            Form::RemoteWrite { labels } => vec![render_push(&page, &Stamp { at, labels, last })],
            Form::Otlp {
                resource,
                start,
                explicit,
            } => {
                let stamp = OtlpStamp {
                    at,
                    start: *start,
                    resource,
                    explicit: *explicit,
                    last,
                };
                render_otlp(&page, &stamp)
            }
        };
        for (bytes, samples) in made {
            self.waiting.push_back(Body {
                bytes: bytes.into(),
                samples: samples as u64,
            });
        }
        let mut size: usize = self.waiting.iter().map(|body| body.bytes.len()).sum();
        while self.waiting.len() > WAITING || size > WAITING_BYTES {
            let Some(oldest) = self.waiting.pop_front() else {
                break;
            };
            size -= oldest.bytes.len();
            self.counts.lost.fetch_add(oldest.samples, Relaxed);
        }
    }

    /// Sends the oldest body. An error if it has to stay, with the time for which the receiver wants to be left alone.
    async fn send(&mut self, receiver: &mut Receiver) -> Result<(), Duration> {
        let Some(Body { bytes, samples }) = self.waiting.front() else {
            return Ok(());
        };
        let samples = *samples;
        let outcome = receiver.send(bytes.clone()).await;
        let shown = receiver.shown();
        if let Outcome::Later(why, after) = outcome {
            self.counts.failures.fetch_add(1, Relaxed);
            self.say(
                shown,
                &format!("does not take samples, which are kept and sent again: {why}"),
            );
            return Err(after.unwrap_or_default().min(PAUSES[1]));
        }
        self.waiting.pop_front();
        let lost = match outcome {
            Outcome::Taken | Outcome::Later(..) => 0,
            Outcome::Partly(rejected, why) => {
                self.say(shown, &format!("does not take all samples: {why}"));
                rejected.min(samples)
            }
            Outcome::Refused(why) => {
                self.counts.failures.fetch_add(1, Relaxed);
                self.say(shown, &format!("refuses samples: {why}"));
                samples
            }
        };
        self.counts.lost.fetch_add(lost, Relaxed);
        self.counts.sent.fetch_add(samples - lost, Relaxed);
        if lost == 0 {
            self.pause = PAUSES[0];
            if std::mem::take(&mut self.complained) {
                tracing::info!("{}: {shown} takes samples again", self.flag);
            }
        }
        Ok(())
    }

    fn say(&mut self, shown: &str, what: &str) {
        if !std::mem::replace(&mut self.complained, true) {
            tracing::warn!("{}: {shown} {what}", self.flag);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::RunInfo;

    #[test]
    fn an_hour_without_a_receiver_keeps_ten_minutes_and_counts_the_rest() {
        let forms = [
            Form::RemoteWrite { labels: Vec::new() },
            Form::Otlp {
                resource: Vec::new(),
                start: SystemTime::now(),
                explicit: false,
            },
        ];
        for form in forms {
            let page = LivePage::new(RunInfo::default());
            let counts = Arc::new(PushCounts::default());
            let mut work = Work::new("--x", form, Duration::from_secs(5), page, counts.clone());
            let mut made = 0;
            for _ in 0..720 {
                work.take(false);
                made += work.waiting.back().unwrap().samples;
            }
            assert_eq!(work.waiting.len(), WAITING);
            let kept: u64 = work.waiting.iter().map(|body| body.samples).sum();
            let lost = counts.lost.load(Relaxed);
            assert!(lost > 0);
            assert_eq!(kept + lost, made);
            let size: usize = work.waiting.iter().map(|body| body.bytes.len()).sum();
            assert!(size <= WAITING_BYTES, "{size}");
        }
    }
}
