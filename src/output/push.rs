//! Pushes the page to a receiver of Prometheus remote write, where nothing can scrape it.
//!
//! A thread of its own, with a client of its own: a receiver that is slow, away or refuses costs the load nothing. What it
//! does not take is kept and sent again, up to a bound; past that the oldest is dropped and counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::families::Stamp;
use super::live::LivePage;
use super::prometheus::render_push;
use crate::net::{Client, NetError, NetOptions, Request, Shared, Target};

/// Pages that wait for the receiver: at the usual interval ten minutes, some megabytes.
const WAITING: usize = 120;
/// Between tries, doubled from the first to the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(30)];
/// How long a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the end of a run waits for what is still to be sent.
const LAST: Duration = Duration::from_secs(10);
/// How much of a refusal is shown.
const SHOWN: usize = 200;

/// Where to push, and how.
#[derive(Clone)]
pub struct PushOptions {
    url: Target,
    headers: HeaderMap,
    /// Between two pages.
    pub interval: Duration,
}

/// Why nothing can be pushed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error("--remote-write {url}: {source}; it is a URL such as http://prometheus:9090/api/v1/write")]
    Url { url: String, source: NetError },
    #[error("--remote-write-header {0:?}: write it as 'Name: value'")]
    Header(String),
    #[error("cannot start the thread that pushes: {0}")]
    Thread(#[from] std::io::Error),
}

impl PushOptions {
    /// From what was typed; each header as `Name: value`.
    ///
    /// # Errors
    /// No URL, or no header.
    pub fn new(url: &str, headers: &[String], interval: Duration) -> Result<PushOptions, PushError> {
        let target = Target::parse(url).map_err(|source| PushError::Url {
            // What stands before the @ is nobody's business.
            url: url.rsplit('@').next().unwrap_or_default().to_owned(),
            source,
        })?;
        let mut map = HeaderMap::new();
        for text in headers {
            let pair = text.split_once(':').and_then(|(name, value)| {
                let name: HeaderName = name.trim().parse().ok()?;
                let mut value: HeaderValue = value.trim().parse().ok()?;
                value.set_sensitive(true);
                Some((name, value))
            });
            // A value may be a secret, so only the name is shown again.
            let (name, value) = pair.ok_or_else(|| {
                PushError::Header(
                    text.split_once(':')
                        .map_or(text.as_str(), |(name, _)| name)
                        .to_owned(),
                )
            })?;
            map.append(name, value);
        }
        for (name, value) in [
            (header::CONTENT_TYPE, "application/x-protobuf"),
            (header::CONTENT_ENCODING, "snappy"),
            (
                HeaderName::from_static("x-prometheus-remote-write-version"),
                "0.1.0",
            ),
        ] {
            map.insert(name, HeaderValue::from_static(value));
        }
        Ok(PushOptions {
            url: target,
            headers: map,
            interval,
        })
    }
}

impl std::fmt::Debug for PushOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PushOptions")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

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
}

impl Pusher {
    /// Pushes `page` from now on. `labels` are on every series.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(
        options: PushOptions,
        page: Arc<LivePage>,
        labels: Vec<(String, String)>,
    ) -> Result<Pusher, PushError> {
        let counts = Arc::new(PushCounts::default());
        page.set_pushes(counts.clone());
        let (end, ended) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let work = Work {
            options,
            page,
            labels,
            counts: counts.clone(),
            waiting: VecDeque::new(),
            pause: PAUSES[0],
            said: None,
        };
        let thread = std::thread::Builder::new()
            .name("push".to_owned())
            .spawn(move || {
                LocalSet::new().block_on(&runtime, work.run(ended));
            })?;
        Ok(Pusher {
            thread: Some(thread),
            end,
            counts,
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
            tracing::warn!("--remote-write: {lost} of {} samples were not taken", sent + lost);
        }
    }
}

/// A page that waits.
struct Body {
    bytes: bytes::Bytes,
    samples: u64,
}

enum Outcome {
    Taken,
    /// It will never be.
    Refused(String),
    /// It may be later.
    Later(String),
}

struct Work {
    options: PushOptions,
    page: Arc<LivePage>,
    labels: Vec<(String, String)>,
    counts: Arc<PushCounts>,
    waiting: VecDeque<Body>,
    pause: Duration,
    /// What was said of the receiver last, to say it once.
    said: Option<String>,
}

impl Work {
    async fn run(mut self, mut ended: UnboundedReceiver<()>) {
        let options = NetOptions::default();
        let client = match Shared::new(options) {
            Ok(shared) => Client::new(shared),
            Err(error) => {
                tracing::error!("--remote-write: {error}");
                return;
            }
        };
        let mut next_page = Instant::now() + self.options.interval;
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
                next_page = (next_page + self.options.interval).max(Instant::now());
            }
            while !self.waiting.is_empty() && Instant::now() >= next_try {
                let sent = tokio::select! {
                    _ = ended.recv() => {
                        self.finish(&client).await;
                        return;
                    }
                    sent = self.send(&client) => sent,
                };
                if !sent {
                    next_try = Instant::now() + self.pause;
                    self.pause = (self.pause * 2).min(PAUSES[1]);
                }
            }
        }
        self.finish(&client).await;
    }

    async fn finish(&mut self, client: &Client) {
        // The numbers, and then that they end.
        self.take(false);
        self.take(true);
        let deadline = Instant::now() + LAST;
        while !self.waiting.is_empty() {
            match timeout_at(deadline, self.send(client)).await {
                Ok(true) => {}
                Ok(false) if Instant::now() + PAUSES[0] < deadline => tokio::time::sleep(PAUSES[0]).await,
                _ => break,
            }
        }
        let left: u64 = self.waiting.iter().map(|body| body.samples).sum();
        self.counts.lost.fetch_add(left, Relaxed);
    }

    fn take(&mut self, last: bool) {
        let stamp = Stamp {
            // After the last numbers, or the end would take their place.
            at: SystemTime::now()
                + if last {
                    Duration::from_millis(1)
                } else {
                    Duration::ZERO
                },
            labels: &self.labels,
            last,
        };
        let (bytes, samples) = render_push(&self.page.read(), &stamp);
        while self.waiting.len() >= WAITING {
            if let Some(oldest) = self.waiting.pop_front() {
                self.counts.lost.fetch_add(oldest.samples, Relaxed);
            }
        }
        self.waiting.push_back(Body {
            bytes: bytes.into(),
            samples: samples as u64,
        });
    }

    /// Sends the oldest page. Whether it is off the list.
    async fn send(&mut self, client: &Client) -> bool {
        let Some(body) = self.waiting.front() else {
            return true;
        };
        let mut request = Request::new(Method::POST, self.options.url.clone());
        request.headers = self.options.headers.clone();
        request.body = body.bytes.clone();
        request.timeout = PATIENCE;
        request.max_redirects = 0;
        let samples = body.samples;
        let response = client.send(request, &mut |_| {}).await;
        let outcome = match response.error {
            Some(error) => Outcome::Later(error.to_string()),
            None => judge(response.status, &response.body),
        };
        match outcome {
            Outcome::Taken => {
                self.waiting.pop_front();
                self.counts.sent.fetch_add(samples, Relaxed);
                self.pause = PAUSES[0];
                if self.said.take().is_some() {
                    tracing::info!(
                        "--remote-write: {} takes samples again",
                        self.options.url.as_str()
                    );
                }
                true
            }
            Outcome::Refused(why) => {
                self.waiting.pop_front();
                self.counts.lost.fetch_add(samples, Relaxed);
                self.counts.failures.fetch_add(1, Relaxed);
                self.say(&format!("refuses samples: {why}"));
                true
            }
            Outcome::Later(why) => {
                self.counts.failures.fetch_add(1, Relaxed);
                self.say(&format!(
                    "does not take samples, which are kept and sent again: {why}"
                ));
                false
            }
        }
    }

    fn say(&mut self, what: &str) {
        if self.said.as_deref() != Some(what) {
            tracing::warn!("--remote-write: {} {what}", self.options.url.as_str());
            self.said = Some(what.to_owned());
        }
    }
}

/// As the specification says: what is wrong with the request stays wrong; 429 and what the server suffers from passes.
fn judge(status: u16, body: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(body);
    let line: String = text
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(SHOWN)
        .collect();
    let why = format!("{} {line}", crate::net::status_text(status));
    match status {
        200..300 => Outcome::Taken,
        429 | 500.. => Outcome::Later(why),
        _ => Outcome::Refused(why),
    }
}
