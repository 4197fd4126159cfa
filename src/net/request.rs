//! What a caller asks for: method, target, headers, body, and how to treat the answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};

use super::cookies::Jar;
use super::target::Target;

/// One request as the caller wants it. The client adds Host, User-Agent, Cookie and Authorization where the
/// headers given here do not already have them.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method of the first hop; redirects may change it.
    pub method: Method,
    /// Where to.
    pub target: Target,
    /// Headers common to many requests, shared instead of built anew each time. `headers` wins over it.
    pub template: Option<Arc<HeaderMap>>,
    /// This request's own headers. A `host` header here replaces the target's in the request, not for routing.
    pub headers: HeaderMap,
    /// The body, empty for none.
    pub body: Bytes,
    /// For everything together: waiting for a connection, redirects, reading the body.
    pub timeout: Duration,
    /// How many redirects to follow; the response after the last one is returned as it is. 0: none.
    pub max_redirects: u32,
    /// Read and count the response body, but keep nothing of it.
    pub discard_body: bool,
    /// Credentials; without them those in the URL are used.
    pub auth: Option<Auth>,
    /// Whose cookies to send and where to store those that arrive.
    pub jar: JarChoice,
    /// Cookies of this request only, sent next to those of the jar.
    pub cookies: Vec<RequestCookie>,
    /// Set by the client for the hop under way.
    pub(super) added: Added,
}

/// Header values that the client computed for one hop.
#[derive(Debug, Clone, Default)]
pub(super) struct Added {
    pub(super) cookie: Option<HeaderValue>,
    pub(super) referer: Option<HeaderValue>,
    /// A redirect left the site that the credentials were meant for.
    pub(super) strip_auth: bool,
    /// The answer to a server's challenge.
    pub(super) authorization: Option<HeaderValue>,
    /// The hop's trace context.
    pub(super) traceparent: Option<HeaderValue>,
}

/// How to authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Auth {
    /// RFC 7617.
    Basic {
        /// The user's name; must not contain a colon.
        user: String,
        /// The password.
        password: String,
    },
    /// RFC 7616: the server's 401 is answered with a second transaction.
    Digest {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
}

/// Which cookie jar a request uses.
#[derive(Debug, Clone, Default)]
pub enum JarChoice {
    /// The client's own.
    #[default]
    Client,
    /// None: neither send nor store.
    None,
    /// This one.
    Explicit(Jar),
}

/// A cookie given with the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestCookie {
    /// The cookie's name.
    pub name: String,
    /// The cookie's value, sent as it is.
    pub value: String,
    /// Whether the jar's cookie of the same name is left out.
    pub replace: bool,
}

impl Request {
    /// A request with the dialect's defaults: 60 s timeout, 10 redirects, the client's jar, the body kept.
    pub fn new(method: Method, target: Target) -> Request {
        Request {
            method,
            target,
            template: None,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: Duration::from_mins(1),
            max_redirects: 10,
            discard_body: false,
            auth: None,
            jar: JarChoice::Client,
            cookies: Vec::new(),
            added: Added::default(),
        }
    }

    /// A GET with the dialect's defaults.
    pub fn get(target: Target) -> Request {
        Request::new(Method::GET, target)
    }

    /// Whether sending it twice does no more than sending it once, as far as a client can know.
    pub(super) fn is_repeatable(&self) -> bool {
        matches!(
            self.method,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
        ) || ["idempotency-key", "x-idempotency-key"]
            .map(http::HeaderName::from_static)
            .iter()
            .any(|name| self.given(name).is_some())
    }

    /// The value of a header as the caller gave it.
    pub(super) fn given(&self, name: &http::HeaderName) -> Option<&HeaderValue> {
        self.headers
            .get(name)
            .or_else(|| self.template.as_ref().and_then(|template| template.get(name)))
    }
}

/// The value of a Basic Authorization header, marked sensitive.
pub(super) fn basic(user: &[u8], password: &[u8]) -> HeaderValue {
    let mut plain = Vec::with_capacity(user.len() + 1 + password.len());
    plain.extend_from_slice(user);
    plain.push(b':');
    plain.extend_from_slice(password);
    let mut text = String::with_capacity(6 + plain.len().div_ceil(3) * 4);
    text.push_str("Basic ");
    base64(&plain, &mut text);
    // Base64 has no character that a header value forbids.
    let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Basic Og=="));
    value.set_sensitive(true);
    value
}

/// RFC 4648 section 4, with padding.
fn base64(bytes: &[u8], out: &mut String) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0u32, |sum, &byte| sum << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            if digit <= chunk.len() {
                out.push(char::from(ALPHABET[(group >> (18 - 6 * digit) & 63) as usize]));
            } else {
                out.push('=');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_agrees_with_the_vectors_of_rfc_4648() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = String::new();
            base64(plain.as_bytes(), &mut out);
            assert_eq!(out, encoded);
        }
    }
}
