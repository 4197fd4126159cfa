//! `--log-output loki=URL,…`: messages pushed to Grafana Loki, by a thread of its own with a client of its own. What Loki does not
//! take, or what is too much for it, is dropped and counted: messages never hold up a run.

use std::io::Write;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::{Map, Value, json};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::refusal::refusal;
use crate::net::{Client, NetOptions, Request, Shared, Target};
use crate::pace::parse_duration;

/// Where Loki listens if it is not said.
const USUAL: &str = "http://127.0.0.1:3100/loki/api/v1/push";
/// Messages that wait for the thread; a run that says more than that in a moment loses some.
const QUEUED: usize = 4096;
/// How long an answer may take, and the end of a run waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// What comes after `loki=`, as in the dialect: an address, then settings.
#[derive(Clone, Debug)]
pub struct LokiOptions {
    target: Target,
    labels: Vec<(String, String)>,
    headers: HeaderMap,
    /// Labels of messages that stay labels; `None` is all. The others become a part of the text.
    allowed: Option<Vec<String>>,
    /// Messages in one push.
    limit: usize,
    /// Bytes of a message, past which it is cut.
    longest: usize,
    period: Duration,
    /// The least level.
    pub level: Option<String>,
}

/// What is no setting.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum LokiError {
    #[error("{0:?} is no address of Loki: {1}")]
    Address(String, String),
    #[error(
        "{0:?} is no setting of Loki; there are label.NAME, header.NAME, tenantID, allowedLabels, level, limit, msgMaxSize and \
         pushPeriod, each with =VALUE"
    )]
    Unknown(String),
    #[error("the setting {0} of Loki cannot be {1:?}")]
    Value(String, String),
}

impl FromStr for LokiOptions {
    type Err = LokiError;

    fn from_str(text: &str) -> Result<LokiOptions, LokiError> {
        let parts = split(text);
        let (address, settings) = match parts.split_first() {
            Some((first, rest)) if first.contains("://") => (*first, rest),
            Some((&"", rest)) => (USUAL, rest),
            _ => (USUAL, parts.as_slice()),
        };
        let target = Target::parse(address)
            .map_err(|error| LokiError::Address(address.to_owned(), error.message.into_owned()))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut options = LokiOptions {
            target,
            labels: Vec::new(),
            headers,
            allowed: None,
            limit: 100,
            longest: 1 << 20,
            period: Duration::from_secs(1),
            level: None,
        };
        for setting in settings {
            options.set(setting)?;
        }
        Ok(options)
    }
}

impl LokiOptions {
    fn set(&mut self, setting: &str) -> Result<(), LokiError> {
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| LokiError::Unknown(setting.to_owned()))?;
        let wrong = || LokiError::Value(name.to_owned(), value.to_owned());
        let whole = || value.parse::<usize>().ok().filter(|n| *n > 0).ok_or_else(wrong);
        match name.trim() {
            "level" => self.level = Some(value.to_owned()),
            "limit" => self.limit = whole()?,
            "msgMaxSize" => self.longest = whole()?,
            "pushPeriod" => {
                let period = parse_duration(value).map_err(|_| wrong())?;
                self.period = Some(period)
                    .filter(|period| !period.is_zero())
                    .ok_or_else(wrong)?;
            }
            "tenantID" => self.header("X-Scope-OrgID", value).ok_or_else(wrong)?,
            "allowedLabels" => {
                let list = value.trim().trim_start_matches('[').trim_end_matches(']');
                let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
                self.allowed = Some(names.map(str::to_owned).collect());
            }
            // The dialect's choice of algorithms for its own profile.
            "profile" => {}
            other => match (other.strip_prefix("label."), other.strip_prefix("header.")) {
                (Some(label), _) if !label.is_empty() => {
                    self.labels.push((label.to_owned(), value.to_owned()));
                }
                (_, Some(header)) => self.header(header, value).ok_or_else(wrong)?,
                _ => return Err(LokiError::Unknown(setting.to_owned())),
            },
        }
        Ok(())
    }

    fn header(&mut self, name: &str, value: &str) -> Option<()> {
        let (name, value) = (name.parse::<HeaderName>().ok()?, value.parse().ok()?);
        self.headers.insert(name, value);
        Some(())
    }

    /// The body of a push: a stream for each set of labels.
    fn body(&self, entries: &[Entry]) -> Value {
        let allowed = |name: &str| {
            let listed = |list: &Vec<String>| list.iter().any(|known| known == name);
            self.allowed.as_ref().is_none_or(listed)
        };
        let mut streams: Vec<(Map<String, Value>, Vec<Value>)> = Vec::new();
        for entry in entries {
            let mut labels: Map<String, Value> = Map::new();
            let mut text = entry.text.clone();
            let own = [("level", Some(entry.level)), ("source", entry.source)];
            for (name, value) in own.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                if allowed(name) {
                    labels.insert(name.to_owned(), value.into());
                } else {
                    text = format!("{text} {name}={value}");
                }
            }
            let given = self.labels.iter();
            labels.extend(given.map(|(name, value)| (name.clone(), value.as_str().into())));
            let line = json!([entry.at.to_string(), text]);
            match streams.iter_mut().find(|(known, _)| *known == labels) {
                Some((_, lines)) => lines.push(line),
                None => streams.push((labels, vec![line])),
            }
        }
        let streams = streams
            .into_iter()
            .map(|(stream, values)| json!({ "stream": stream, "values": values }));
        json!({ "streams": streams.collect::<Vec<_>>() })
    }
}

/// The parts between commas that are in no brackets.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    text.split(|c| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .collect()
}

/// One message.
#[derive(Debug)]
struct Entry {
    /// In nanoseconds of Unix time.
    at: u128,
    level: &'static str,
    source: Option<&'static str>,
    text: String,
}

/// Takes messages. Clones lead to the same Loki.
#[derive(Clone, Debug)]
pub struct LokiQueue {
    queue: mpsc::Sender<Entry>,
    lost: Arc<AtomicU64>,
    longest: usize,
}

impl LokiQueue {
    /// Takes one message, or counts it as lost.
    pub fn say(&self, level: &'static str, source: Option<&'static str>, text: &str) {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut cut = text.len().min(self.longest);
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        let entry = Entry {
            at: at.as_nanos(),
            level,
            source,
            text: text[..cut].to_owned(),
        };
        if self.queue.try_send(entry).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
    }
}

/// The thread that pushes.
#[derive(Debug)]
pub struct Loki {
    thread: JoinHandle<()>,
    end: oneshot::Sender<()>,
    lost: Arc<AtomicU64>,
}

impl Loki {
    /// Pushes from now on what the queue takes.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(options: LokiOptions) -> std::io::Result<(Loki, LokiQueue)> {
        let (queue, inbox) = mpsc::channel(QUEUED);
        let (end, ended) = oneshot::channel();
        let lost = Arc::new(AtomicU64::new(0));
        let longest = options.longest;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let count = lost.clone();
        let thread = std::thread::Builder::new()
            .name("loki".to_owned())
            .spawn(move || {
                LocalSet::new().block_on(&runtime, async move {
                    match Shared::new(NetOptions::default()) {
                        Ok(shared) => {
                            let pusher = Pusher {
                                client: Client::new(shared),
                                options,
                                lost: count,
                                said: false,
                            };
                            pusher.run(inbox, ended).await;
                        }
                        Err(error) => complain(&error.to_string()),
                    }
                });
                // A look-up of Loki's name may hang, and is not waited for.
                runtime.shutdown_background();
            })?;
        let queue = LokiQueue {
            queue,
            lost: lost.clone(),
            longest,
        };
        Ok((Loki { thread, end, lost }, queue))
    }

    /// Pushes what still waits, for some seconds at the most.
    pub fn finish(self) {
        let _ = self.end.send(());
        // A thread that panicked has said so.
        let _ = self.thread.join();
        let lost = self.lost.load(Relaxed);
        if lost > 0 {
            complain(&format!(
                "{lost} messages were not taken, or were too many; `limit=` sets how many one push has"
            ));
        }
    }
}

/// Messages about messages go where a person may see them.
fn complain(what: &str) {
    let _ = writeln!(std::io::stderr(), "WARN --log-output loki: {what}");
}

struct Pusher {
    client: Client,
    options: LokiOptions,
    lost: Arc<AtomicU64>,
    /// Whether it was said that Loki does not take what it is sent.
    said: bool,
}

impl Pusher {
    async fn run(mut self, mut inbox: mpsc::Receiver<Entry>, mut ended: oneshot::Receiver<()>) {
        let mut ticks = interval_at(Instant::now() + self.options.period, self.options.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                biased;
                _ = &mut ended => break,
                _ = ticks.tick() => self.push(std::mem::take(&mut batch)).await,
                Some(entry) = inbox.recv() => self.add(&mut batch, entry),
            }
        }
        while let Ok(entry) = inbox.try_recv() {
            self.add(&mut batch, entry);
        }
        self.push(batch).await;
    }

    fn add(&self, batch: &mut Vec<Entry>, entry: Entry) {
        if batch.len() < self.options.limit {
            batch.push(entry);
        } else {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    async fn push(&mut self, batch: Vec<Entry>) {
        if batch.is_empty() {
            return;
        }
        let mut request = Request::new(Method::POST, self.options.target.clone());
        request.headers = self.options.headers.clone();
        request.body = self.options.body(&batch).to_string().into();
        request.timeout = PATIENCE;
        let response = self.client.send(request, &mut |_| {}).await;
        let why = match (response.error, response.status) {
            (None, 200..300) => return,
            (Some(error), _) => error.to_string(),
            (None, status) => refusal(status, &response.body),
        };
        self.lost.fetch_add(batch.len() as u64, Relaxed);
        if !std::mem::replace(&mut self.said, true) {
            let target = self.options.target.as_str();
            complain(&format!("{target} does not take messages (said once): {why}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_after_the_address() {
        let options: LokiOptions =
            "http://loki:3100/push,label.team=a,allowedLabels=[source,x],limit=5,pushPeriod=2s,tenantID=t,level=warning"
                .parse()
                .unwrap();
        assert_eq!(options.target.as_str(), "http://loki:3100/push");
        assert_eq!((options.limit, options.period), (5, Duration::from_secs(2)));
        assert_eq!(options.headers["x-scope-orgid"], "t");
        assert_eq!(options.level.as_deref(), Some("warning"));
        let entry = |level, source, text: &str| Entry {
            at: 7,
            level,
            source,
            text: text.to_owned(),
        };
        let entries = [
            entry("info", Some("console"), "one"),
            entry("error", None, "two"),
            entry("info", Some("console"), "three"),
        ];
        assert_eq!(
            options.body(&entries),
            json!({ "streams": [
                {
                    "stream": { "source": "console", "team": "a" },
                    "values": [["7", "one level=info"], ["7", "three level=info"]],
                },
                { "stream": { "team": "a" }, "values": [["7", "two level=error"]] },
            ]})
        );
        let usual: LokiOptions = "label.a=b".parse().unwrap();
        assert_eq!(usual.target.as_str(), USUAL);
        assert_eq!("".parse::<LokiOptions>().unwrap().target.as_str(), USUAL);
    }

    #[test]
    fn what_is_no_setting_says_so() {
        let wrong = |text: &str| text.parse::<LokiOptions>().unwrap_err().to_string();
        assert!(wrong("http://a/,color=red").starts_with("\"color=red\" is no setting of Loki"));
        assert!(wrong("limit=0").contains("limit"));
        assert!(wrong("pushPeriod=soon").contains("pushPeriod"));
        assert!(wrong("ftp://a/").contains("ftp://a/"));
    }

    proptest::proptest! {
        #[test]
        fn no_settings_make_it_panic(text in "(http://[a-z]{0,3}/?)?[a-zA-Z.=,\\[\\]0-9 ]{0,60}") {
            let _ = text.parse::<LokiOptions>();
        }
    }
}
