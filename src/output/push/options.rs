//! `--remote-write`: where to, how often, and how long to wait.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::net::{NetError, Target};

/// Where to push, and how.
#[derive(Clone)]
pub struct PushOptions {
    pub(super) url: Target,
    pub(super) headers: HeaderMap,
    /// Between two pages.
    pub interval: Duration,
    /// How long the receiver may take to answer.
    pub(super) timeout: Duration,
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
    pub fn new(
        url: &str,
        headers: &[String],
        interval: Duration,
        timeout: Duration,
    ) -> Result<PushOptions, PushError> {
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
            timeout,
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
