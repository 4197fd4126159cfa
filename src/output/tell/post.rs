//! One server that is sent JSON now and then: trouble with it is said once, and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;
use tokio::time::Instant;

use crate::net::{Client, Request, Target};
use crate::output::refusal::refusal;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between tries, doubled from the first to the last.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// What has become of the requests.
#[derive(Debug, Default)]
pub struct PostCounts {
    pub taken: AtomicU64,
    pub failed: AtomicU64,
}

/// The server.
pub struct Post {
    flag: &'static str,
    target: Target,
    headers: HeaderMap,
    client: Client,
    counts: Arc<PostCounts>,
    /// Whether it was said that it does not take what it is sent.
    said: bool,
    pause: Duration,
    next: Option<Instant>,
}

impl Post {
    pub fn new(
        flag: &'static str,
        target: Target,
        mut headers: HeaderMap,
        client: Client,
        counts: Arc<PostCounts>,
    ) -> Post {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Post {
            flag,
            target,
            headers,
            client,
            counts,
            said: false,
            pause: PAUSES[0],
            next: None,
        }
    }

    /// Whether it is time to try, after what went wrong before.
    pub fn is_due(&self) -> bool {
        self.next.is_none_or(|next| Instant::now() >= next)
    }

    /// Sends this to the server's path, or below it; its answer, if it took it.
    pub async fn send(&mut self, method: Method, below: &str, body: &Value) -> Option<Bytes> {
        let target = if below.is_empty() {
            self.target.clone()
        } else {
            Target::parse(&format!("{}{below}", self.target.url())).ok()?
        };
        let mut request = Request::new(method, target);
        request.headers = self.headers.clone();
        request.body = body.to_string().into();
        request.timeout = PATIENCE;
        request.max_redirects = 0;
        let response = self.client.send(request, &mut |_| {}).await;
        match (response.error, response.status) {
            (None, 200..300) => {
                self.counts.taken.fetch_add(1, Relaxed);
                (self.pause, self.next) = (PAUSES[0], None);
                if std::mem::take(&mut self.said) {
                    tracing::info!("--{}: {} answers again", self.flag, self.target.as_str());
                }
                Some(response.body)
            }
            (Some(error), _) => self.failed(&error.to_string()),
            (None, status) => {
                let mend = match (self.flag, status) {
                    ("grafana", 401 | 403) => {
                        "; LOADGEN_GRAFANA_TOKEN wants a service account's token that may write annotations"
                    }
                    _ => "",
                };
                self.failed(&format!("{}{mend}", refusal(status, &response.body)))
            }
        }
    }

    fn failed(&mut self, why: &str) -> Option<Bytes> {
        self.counts.failed.fetch_add(1, Relaxed);
        self.next = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(PAUSES[1]);
        if !std::mem::replace(&mut self.said, true) {
            tracing::warn!(
                "--{}: {} is not told of the run, and is tried again: {why}",
                self.flag,
                self.target.as_str()
            );
        }
        None
    }
}
