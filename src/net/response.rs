//! What came of a request: the response, and one [`Hop`] per HTTP transaction on the way to it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Version, header};

use super::error::{NetError, code};
use super::request::Request;
use super::target::Target;
use super::tls::TlsInfo;

use crate::metrics::{Epoch, HttpKey, HttpRecord, MethodTag, NameId, SpanIds, TagsId};
pub use crate::metrics::{Proto, TlsTag};

/// How long each phase of one transaction took.
///
/// They are the dialect's phases, measured as k6 does: `blocked` reaches from the call to a usable connection
/// and so *includes* name resolution, `connecting` and `tls_handshaking`, which are both zero on a reused
/// connection. `sending` ends with the last byte written, `waiting` with the first byte read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Until a connection could be used, including establishing one.
    pub blocked: Duration,
    /// TCP.
    pub connecting: Duration,
    /// TLS.
    pub tls_handshaking: Duration,
    /// Writing the request.
    pub sending: Duration,
    /// From the last byte written to the first byte read.
    pub waiting: Duration,
    /// Reading the response.
    pub receiving: Duration,
}

impl Timings {
    /// `http_req_duration`: sending + waiting + receiving, i.e. without establishing the connection.
    pub fn duration(&self) -> Duration {
        self.sending + self.waiting + self.receiving
    }
}

/// One HTTP transaction, successful or not: the unit that metrics count.
#[derive(Debug)]
#[non_exhaustive]
pub struct Hop<'a> {
    /// The method sent.
    pub method: &'a Method,
    /// The URL, credentials masked.
    pub url: &'a str,
    /// The same, parsed.
    pub target: &'a Target,
    /// Which span it is, if its client was told what its requests belong to.
    pub trace: Option<SpanIds>,
    /// The status, 0 if the transaction failed.
    pub status: u16,
    /// The protocol, if it came so far.
    pub proto: Proto,
    /// The TLS version, if any.
    pub tls: TlsTag,
    /// Why it failed.
    pub error: Option<&'a NetError>,
    /// Its phases.
    pub timings: Timings,
    /// Bytes written to the wire for it, TLS included.
    pub sent: u64,
    /// Bytes read from the wire for it, TLS included.
    pub received: u64,
    /// When it was asked for.
    pub started: Instant,
    /// When its last byte was read, or it failed.
    pub ended: Instant,
    /// The peer's address, if it came so far.
    pub remote: Option<SocketAddr>,
    /// Whether the connection had been used before.
    pub reused: bool,
    /// Whether an idle connection turned out to be closed and the request was sent again on a fresh one.
    pub retried: bool,
}

impl Hop<'_> {
    /// The dialect's `error_code`: of the error, else 1000 + status from 400 on, else 0.
    pub fn error_code(&self) -> u16 {
        error_code(self.error, self.status)
    }

    /// What tells this transaction's series from others. `context` and `name` are the caller's, `expected` its
    /// judgement of the status.
    pub fn series(&self, context: TagsId, name: NameId, expected: Option<bool>) -> HttpKey {
        HttpKey {
            context,
            name,
            method: MethodTag::from(self.method),
            status: self.status,
            proto: self.proto,
            tls: self.tls,
            error_code: self.error_code(),
            expected,
        }
    }

    /// This transaction as a sample.
    pub fn record(&self, epoch: &Epoch) -> HttpRecord {
        let ms = |time: Duration| (time.as_nanos() as f64 / 1e6) as f32;
        HttpRecord {
            at: epoch.nanos(self.ended),
            duration: ms(self.timings.duration()),
            blocked: ms(self.timings.blocked),
            connecting: ms(self.timings.connecting),
            tls_handshaking: ms(self.timings.tls_handshaking),
            sending: ms(self.timings.sending),
            waiting: ms(self.timings.waiting),
            receiving: ms(self.timings.receiving),
            ..HttpRecord::default()
        }
    }
}

/// What a request came to after all redirects. Never an `Err`: a failure is a response with `error` set.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response {
    /// The status, 0 if the request failed.
    pub status: u16,
    /// The protocol of the last hop.
    pub proto: Proto,
    /// The response's headers, empty if it failed.
    pub headers: HeaderMap,
    /// The body, decoded as its Content-Encoding says; empty if it failed or was discarded.
    pub body: Bytes,
    /// The phases of the last hop.
    pub timings: Timings,
    /// Why it failed.
    pub error: Option<NetError>,
    /// The peer's address.
    pub remote: Option<SocketAddr>,
    /// How the connection is encrypted.
    pub tls: Option<Rc<TlsInfo>>,
    /// The request of the last hop.
    pub request: Request,
}

impl Response {
    /// The final URL, after redirects, credentials masked.
    pub fn url(&self) -> &str {
        self.request.target.as_str()
    }

    /// The final target, after redirects.
    pub fn target(&self) -> &Target {
        &self.request.target
    }

    /// The dialect's `error_code`: of the error, else 1000 + status from 400 on, else 0.
    pub fn error_code(&self) -> u16 {
        error_code(self.error.as_ref(), self.status)
    }

    /// The status as the dialect's `status_text`, e.g. "404 Not Found"; empty without a status.
    pub fn status_text(&self) -> String {
        status_text(self.status)
    }

    /// The cookies that the response sets, in order; those that cannot be parsed are left out.
    pub fn cookies(&self) -> Vec<ResponseCookie> {
        self.headers
            .get_all(header::SET_COOKIE)
            .iter()
            .filter_map(|value| ResponseCookie::parse(value.to_str().ok()?))
            .collect()
    }
}

/// A cookie as a `Set-Cookie` header gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseCookie {
    /// The name.
    pub name: String,
    /// The value, as sent.
    pub value: String,
    /// The Domain attribute, empty if absent.
    pub domain: String,
    /// The Path attribute, empty if absent.
    pub path: String,
    /// The `HttpOnly` attribute.
    pub http_only: bool,
    /// The Secure attribute.
    pub secure: bool,
    /// Max-Age in seconds, 0 if absent, negative for "delete now", as Go's net/http has it.
    pub max_age: i64,
    /// Expires in milliseconds since 1970, 0 if absent.
    pub expires: i64,
}

impl ResponseCookie {
    fn parse(text: &str) -> Option<ResponseCookie> {
        let cookie = cookie_store::RawCookie::parse(text).ok()?;
        let expires = cookie
            .expires_datetime()
            .map_or(0, |at| at.unix_timestamp() * 1000);
        Some(ResponseCookie {
            name: cookie.name().to_owned(),
            value: cookie.value().to_owned(),
            domain: cookie.domain().unwrap_or_default().to_owned(),
            path: cookie.path().unwrap_or_default().to_owned(),
            http_only: cookie.http_only().unwrap_or(false),
            secure: cookie.secure().unwrap_or(false),
            max_age: cookie.max_age().map_or(0, |age| match age.whole_seconds() {
                ..=0 => -1,
                seconds => seconds,
            }),
            expires,
        })
    }
}

/// "200 OK" for 200, the bare number where no phrase is registered, empty for 0.
pub fn status_text(status: u16) -> String {
    match StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
    {
        Some(reason) => format!("{status} {reason}"),
        None if status == 0 => String::new(),
        None => status.to_string(),
    }
}

pub(super) fn error_code(error: Option<&NetError>, status: u16) -> u16 {
    match error {
        Some(error) => error.code,
        None if (400..600).contains(&status) => code::GENERIC + status,
        None => 0,
    }
}

pub(super) fn proto(version: Version) -> Proto {
    match version {
        Version::HTTP_10 => Proto::Http10,
        Version::HTTP_11 => Proto::Http11,
        Version::HTTP_2 => Proto::Http2,
        _ => Proto::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_texts_are_go_s() {
        assert_eq!(status_text(200), "200 OK");
        assert_eq!(status_text(418), "418 I'm a teapot");
        assert_eq!(status_text(799), "799");
        assert_eq!(status_text(0), "");
    }

    #[test]
    fn set_cookie_attributes() {
        let cookie = ResponseCookie::parse(
            "id=a b; Domain=.x.test; Path=/p; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:10 GMT; Secure; HttpOnly",
        )
        .unwrap();
        assert_eq!(
            (cookie.name.as_str(), cookie.value.as_str(), cookie.path.as_str()),
            ("id", "a b", "/p")
        );
        assert_eq!(
            (cookie.domain.as_str(), cookie.max_age, cookie.expires),
            ("x.test", 60, 10_000)
        );
        assert!(cookie.secure && cookie.http_only);
        assert_eq!(ResponseCookie::parse("a=; Max-Age=0").unwrap().max_age, -1);
        assert!(ResponseCookie::parse("no equals sign").is_none());
    }

    #[test]
    fn codes_of_statuses() {
        assert_eq!(error_code(None, 399), 0);
        assert_eq!(error_code(None, 404), 1404);
        assert_eq!(error_code(Some(&NetError::timeout()), 0), 1050);
    }
}
