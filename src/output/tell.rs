//! Tells others of a run while it goes: Alertmanager of thresholds that fail, Grafana when load began and how it ended.
//!
//! A thread of its own, with a client of its own: whoever is slow, away or refuses costs the load nothing, is said once, and
//! is counted.

mod alerts;
mod notes;
mod post;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

use super::live::LivePage;
use crate::net::{Client, NetError, NetOptions, Shared, Target};

use self::alerts::Alerts;
use self::notes::Notes;
use self::post::Post;
pub use self::post::PostCounts;

/// The variable that has the token for Grafana.
pub const GRAFANA_TOKEN: &str = "LOADGEN_GRAFANA_TOKEN";

/// How often the run is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long the end of a run waits until both have been told.
const LAST: Duration = Duration::from_secs(6);

/// Whom to tell.
#[derive(Clone, Default)]
pub struct TellOptions {
    alertmanager: Option<Target>,
    grafana: Option<Target>,
    headers: HeaderMap,
}

/// Why nobody can be told.
#[derive(Debug, thiserror::Error)]
pub enum TellError {
    #[error("--{flag} {url}: {source}; it is the address of the server, such as http://localhost:{port}")]
    Url {
        flag: &'static str,
        url: String,
        port: u16,
        source: NetError,
    },
    #[error("{GRAFANA_TOKEN} has characters that no token has; copy it again, without a line break")]
    Token,
    #[error("cannot start the thread that tells Alertmanager and Grafana of the run: {0}")]
    Thread(#[from] std::io::Error),
}

impl TellOptions {
    /// From what was typed; `None` if nobody is to be told.
    ///
    /// # Errors
    /// No URL, or no token.
    pub fn new(
        alertmanager: Option<&str>,
        grafana: Option<&str>,
        token: Option<&str>,
    ) -> Result<Option<TellOptions>, TellError> {
        if alertmanager.is_none() && grafana.is_none() {
            return Ok(None);
        }
        let address = |flag, url: Option<&str>, port, path: &str| {
            let Some(url) = url else { return Ok(None) };
            let whole = format!("{}{path}", url.trim().trim_end_matches('/'));
            let fault = |source| TellError::Url {
                flag,
                // What stands before the @ is nobody's business.
                url: url.rsplit('@').next().unwrap_or_default().to_owned(),
                port,
                source,
            };
            Target::parse(&whole).map(Some).map_err(fault)
        };
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            let mut value: HeaderValue = format!("Bearer {}", token.trim())
                .parse()
                .map_err(|_| TellError::Token)?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        Ok(Some(TellOptions {
            alertmanager: address("alertmanager", alertmanager, 9093, alerts::PATH)?,
            grafana: address("grafana", grafana, 3000, notes::PATH)?,
            headers,
        }))
    }
}

impl std::fmt::Debug for TellOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |target: &Option<Target>| target.as_ref().map(|target| target.as_str().to_owned());
        f.debug_struct("TellOptions")
            .field("alertmanager", &shown(&self.alertmanager))
            .field("grafana", &shown(&self.grafana))
            .finish_non_exhaustive()
    }
}

/// What has become of what was to be told: of alerts, and of annotations.
#[derive(Debug, Clone, Default)]
pub struct TellCounts {
    pub alertmanager: Option<Arc<PostCounts>>,
    pub grafana: Option<Arc<PostCounts>>,
}

/// A thread that tells until the run has ended.
#[derive(Debug)]
pub struct Teller {
    thread: Option<JoinHandle<()>>,
    /// How the run ended, once it has.
    verdict: watch::Sender<Option<String>>,
}

impl Teller {
    /// Tells of `page` from now on. `labels` say which generator it is.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(
        options: TellOptions,
        page: Arc<LivePage>,
        labels: Vec<(String, String)>,
    ) -> Result<Teller, TellError> {
        let counted = |target: &Option<Target>| target.as_ref().map(|_| Arc::default());
        let counts = TellCounts {
            alertmanager: counted(&options.alertmanager),
            grafana: counted(&options.grafana),
        };
        page.set_told(counts.clone());
        let (verdict, ended) = watch::channel(None);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = std::thread::Builder::new()
            .name("tell".to_owned())
            .spawn(move || {
                LocalSet::new().block_on(&runtime, tell(options, counts, page, labels, ended));
            })?;
        Ok(Teller {
            thread: Some(thread),
            verdict,
        })
    }

    /// Tells how the run ended; waits for that, but not for longer than some seconds.
    pub async fn finish(mut self, verdict: &str) {
        self.verdict.send_replace(Some(verdict.to_owned()));
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

async fn tell(
    options: TellOptions,
    counts: TellCounts,
    page: Arc<LivePage>,
    labels: Vec<(String, String)>,
    ended: watch::Receiver<Option<String>>,
) {
    let post = |flag, target: Option<Target>, headers, counts: Option<Arc<PostCounts>>| {
        // A client for each: one that hangs holds up no other.
        let client = match Shared::new(NetOptions::default()) {
            Ok(shared) => Client::new(shared),
            Err(error) => {
                tracing::error!("--{flag}: {error}");
                return None;
            }
        };
        Some(Post::new(flag, target?, headers, client, counts?))
    };
    let alerts = post(
        "alertmanager",
        options.alertmanager,
        HeaderMap::new(),
        counts.alertmanager,
    );
    let notes = post("grafana", options.grafana, options.headers, counts.grafana);
    let alerting = async {
        if let Some(post) = alerts {
            alert(Alerts::new(post, labels), &page, ended.clone()).await;
        }
    };
    let noting = async {
        if let Some(post) = notes {
            note(Notes::new(post), &page, ended.clone()).await;
        }
    };
    tokio::join!(alerting, noting);
}

async fn alert(mut alerts: Alerts, page: &LivePage, mut ended: watch::Receiver<Option<String>>) {
    loop {
        // What is cut short here is told at the end; telling it twice is telling it once.
        let step = async {
            alerts.step(&page.read()).await;
            sleep(LOOK).await;
        };
        tokio::select! {
            _ = ended.changed() => break,
            () = step => {}
        }
    }
    let _ = timeout(LAST, alerts.finish(&page.read())).await;
}

async fn note(mut notes: Notes, page: &LivePage, mut ended: watch::Receiver<Option<String>>) {
    while ended.borrow().is_none() {
        // Not cut short: an annotation that was made without telling its number would be made a second time.
        notes.step(&page.read()).await;
        tokio::select! {
            _ = ended.changed() => break,
            () = sleep(LOOK) => {}
        }
    }
    let verdict = ended.borrow().clone().unwrap_or_default();
    let _ = timeout(LAST, notes.finish(&page.read(), &verdict)).await;
}

#[cfg(test)]
mod tests;
