//! A parsed URL with everything about it that a request needs again and again.
//!
//! Parsing a URL costs more than sending a request over a warm connection should, so a [`Target`] is parsed once,
//! kept by the caller and cloned by reference count; the Host header, the request line and the pool's key are
//! computed on the way.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use http::{HeaderValue, Uri};
use url::{Host, Position, Url};

use super::error::{NetError, code};
use super::request::basic;

/// An `http` or `https` URL, ready to be requested. Cloning copies a pointer.
///
/// It may be sent to other threads, but a target used by several of them at once costs each request some cache
/// misses on its reference counts: parse one per thread.
#[derive(Clone)]
pub struct Target(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    text: Arc<str>,
    /// With credentials, if there are any: `text` masks them.
    secret: Option<Box<str>>,
    url: Url,
    origin: Arc<Origin>,
    path: Uri,
    absolute: OnceLock<Uri>,
    host: HeaderValue,
    authorization: Option<HeaderValue>,
    /// Why every request of it fails.
    flaw: Option<NetError>,
}

/// Scheme, host and port: what two requests must share to use the same connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) https: bool,
    pub(super) host: Hostname,
    pub(super) port: u16,
}

/// A name in lower case and without a trailing dot's meaning changed, or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hostname {
    Name(Box<str>),
    Ip(IpAddr),
}

impl fmt::Display for Hostname {
    /// As in a URL: IPv6 addresses in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hostname::Name(name) => f.write_str(name),
            Hostname::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Hostname::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

impl Target {
    /// Parses an absolute URL. Errors (code 1020): no URL, another scheme than http or https, no host.
    pub fn parse(text: &str) -> Result<Target, NetError> {
        let text = text.trim();
        let url = Url::parse(text)
            .map_err(|error| NetError::new(code::INVALID_URL, format!("invalid URL: {error}")))?;
        Target::from_url(text, url)
    }

    /// Parses the URL of a script's request, as the dialect does: what reads as a URL but leads nowhere (`undefined/items`,
    /// `ftp://h/x`, a port above 65535) is a target whose requests fail, and count as such. Errors (code 1020): what is no
    /// URL at all.
    pub fn requested(text: &str) -> Result<Target, NetError> {
        let text = text.trim();
        match Url::parse(text) {
            Ok(url) => Target::leading_somewhere(text, url),
            Err(error) => match flaw(text, error) {
                Some(flaw) => Target::flawed(text, flaw),
                None => Err(NetError::new(code::INVALID_URL, format!("invalid URL: {error}"))),
            },
        }
    }

    fn leading_somewhere(text: &str, url: Url) -> Result<Target, NetError> {
        if matches!(url.scheme(), "http" | "https") {
            Target::from_url(text, url)
        } else {
            Target::flawed(text, unsupported(url.scheme()))
        }
    }

    fn flawed(text: &str, flaw: NetError) -> Result<Target, NetError> {
        // Nothing is ever sent there.
        let nowhere = Url::parse("http://nowhere.invalid/")
            .map_err(|error| NetError::new(code::INVALID_URL, format!("invalid URL: {error}")))?;
        let mut parts = Target::parts(text, nowhere, "http")?;
        // Credentials stay hidden here too.
        if let Some(masked) = masked(text) {
            parts.text = masked.into();
            parts.secret = Some(text.into());
        }
        parts.flaw = Some(flaw);
        Ok(Target(Arc::new(parts)))
    }

    /// Parses a `ws` or `wss` URL. It is requested as `http` or `https`, as RFC 6455 has it, and shown as it was
    /// given. Errors (code 1020): no URL, another scheme, no host.
    pub fn websocket(text: &str) -> Result<Target, NetError> {
        let text = text.trim();
        let mut url = Url::parse(text)
            .map_err(|error| NetError::new(code::INVALID_URL, format!("invalid URL: {error}")))?;
        let scheme = match url.scheme() {
            "ws" => "http",
            "wss" => "https",
            other => {
                return Err(NetError::new(
                    code::INVALID_URL,
                    format!("unsupported protocol scheme \"{other}\"; a WebSocket needs ws or wss"),
                ));
            }
        };
        let shown = url.scheme().to_owned();
        url.set_scheme(scheme)
            .map_err(|()| NetError::new(code::INVALID_URL, "invalid URL: no host"))?;
        Target::build(text, url, &shown)
    }

    /// The URL that a `Location` header means, seen from this one. A fragment is inherited (RFC 9110, 10.2.2).
    pub(super) fn join(&self, location: &str) -> Result<Target, NetError> {
        let mut url = self.0.url.join(location).map_err(|error| {
            NetError::new(
                code::INVALID_URL,
                format!("invalid URL in the Location header: {error}"),
            )
        })?;
        if url.fragment().is_none() {
            url.set_fragment(self.0.url.fragment());
        }
        let text = url.to_string();
        Target::leading_somewhere(&text, url)
    }

    fn from_url(text: &str, url: Url) -> Result<Target, NetError> {
        let scheme = url.scheme().to_owned();
        Target::build(text, url, &scheme)
    }

    /// `shown`: the scheme that the masked text has.
    fn build(text: &str, url: Url, shown: &str) -> Result<Target, NetError> {
        Target::parts(text, url, shown).map(|parts| Target(Arc::new(parts)))
    }

    fn parts(text: &str, url: Url, shown: &str) -> Result<Parts, NetError> {
        let https = match url.scheme() {
            "http" => false,
            "https" => true,
            other => {
                return Err(NetError::new(
                    code::INVALID_URL,
                    format!("unsupported protocol scheme \"{other}\"; use http or https"),
                ));
            }
        };
        let host = match url.host() {
            Some(Host::Domain(name)) => Hostname::Name(name.into()),
            Some(Host::Ipv4(ip)) => Hostname::Ip(ip.into()),
            Some(Host::Ipv6(ip)) => Hostname::Ip(ip.into()),
            None => return Err(NetError::new(code::INVALID_URL, "invalid URL: no host")),
        };
        let port = url
            .port_or_known_default()
            .unwrap_or(if https { 443 } else { 80 });
        let invalid = || NetError::new(code::INVALID_URL, "invalid URL: a character that HTTP forbids");
        let path = Uri::try_from(&url[Position::BeforePath..Position::AfterQuery]).map_err(|_| invalid())?;
        let host_value =
            HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]).map_err(|_| invalid())?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        let authorization = has_user.then(|| {
            basic(
                &decoded(url.username()),
                &decoded(url.password().unwrap_or_default()),
            )
        });
        // Credentials never reach a tag, a log or a report.
        let secret = has_user.then(|| text.into());
        let text = if has_user {
            format!("{shown}://****:****@{}", &url[Position::BeforeHost..]).into()
        } else {
            text.into()
        };
        Ok(Parts {
            text,
            secret,
            origin: Arc::new(Origin { https, host, port }),
            path,
            absolute: OnceLock::new(),
            host: host_value,
            authorization,
            flaw: None,
            url,
        })
    }

    /// The URL as it was given, with credentials masked.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The URL as it was given, credentials included: for the script that gave them, and for nobody else.
    pub fn given(&self) -> &str {
        self.0.secret.as_deref().unwrap_or(&self.0.text)
    }

    /// The same as [`Target::as_str`], shared: for what outlives the request.
    pub(super) fn text(&self) -> Arc<str> {
        self.0.text.clone()
    }

    /// The host: a name, or an address without brackets.
    pub fn host(&self) -> String {
        match &self.0.origin.host {
            Hostname::Name(name) => name.to_string(),
            Hostname::Ip(ip) => ip.to_string(),
        }
    }

    /// The port, given or by scheme.
    pub fn port(&self) -> u16 {
        self.0.origin.port
    }

    /// Whether the scheme is https.
    pub fn is_https(&self) -> bool {
        self.0.origin.https
    }

    /// The parsed URL.
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// The same, with requests that fail without being sent, and count as failed.
    #[must_use]
    pub fn spoiled(&self, flaw: NetError) -> Target {
        let mut parts = Parts::clone(&self.0);
        parts.flaw = Some(flaw);
        Target(Arc::new(parts))
    }

    /// Why a request of it fails without being sent, if it leads nowhere.
    pub(super) fn flaw(&self) -> Option<&NetError> {
        self.0.flaw.as_ref()
    }

    pub(super) fn origin(&self) -> &Arc<Origin> {
        &self.0.origin
    }

    /// The request target of HTTP/1.1: path and query.
    pub(super) fn path(&self) -> &Uri {
        &self.0.path
    }

    /// With scheme and authority: for HTTP/2's pseudo headers and for proxies.
    pub(super) fn absolute(&self) -> Uri {
        let parts = &self.0;
        parts
            .absolute
            .get_or_init(|| {
                Uri::builder()
                    .scheme(if parts.origin.https { "https" } else { "http" })
                    .authority(parts.host.as_bytes())
                    .path_and_query(parts.path.path_and_query().map_or("/", |path| path.as_str()))
                    .build()
                    .unwrap_or_else(|_| parts.path.clone())
            })
            .clone()
    }

    pub(super) fn host_header(&self) -> &HeaderValue {
        &self.0.host
    }

    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.0.authorization.as_ref()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.as_str())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn unsupported(scheme: &str) -> NetError {
    NetError::new(code::GENERIC, format!("unsupported protocol scheme \"{scheme}\""))
}

/// Why requests of this text fail, if it is a URL for Go's parser, which is the dialect's, and only asks for too much. `None`
/// for what is none there either.
fn flaw(text: &str, error: url::ParseError) -> Option<NetError> {
    use url::ParseError;
    if text.contains(char::is_control) {
        return None;
    }
    match error {
        // `a/b:c` is a path, `127.0.0.1:80/c` neither that nor a scheme.
        ParseError::RelativeUrlWithoutBase => {
            let first = text.split(['/', '?', '#']).next().unwrap_or_default();
            (!first.contains(':')).then(|| unsupported(""))
        }
        ParseError::EmptyHost => Some(NetError::new(code::GENERIC, "http: no Host in request URL")),
        ParseError::InvalidIpv4Address => Some(NetError::new(code::DNS_NO_SUCH_HOST, "lookup: no such host")),
        ParseError::InvalidPort => {
            let authority = text.split("//").nth(1)?.split(['/', '?', '#']).next()?;
            let port = authority.rsplit(':').next()?;
            let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| NetError::new(code::DIAL, "dial: invalid port"))
        }
        _ => None,
    }
}

/// The text without the credentials that it holds, if it holds any.
fn masked(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let at = authority.rfind('@')?;
    Some(format!("{scheme}://****:****{}", &rest[at..]))
}

/// Userinfo is percent-encoded in a URL and plain in an Authorization header.
fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let hex = |at: usize| bytes.get(at).and_then(|&b| char::from(b).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
