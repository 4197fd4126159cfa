//! The headers of one hop: what the caller gave, in layers, and what the client adds.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::request::{Auth, Request, basic};
use super::trace::TRACEPARENT;

impl Request {
    /// The headers as they go on the wire over HTTP/1.1, the client's own additions included.
    pub fn wire_headers(&self, user_agent: Option<&HeaderValue>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(
            self.headers.len() + self.template.as_ref().map_or(0, |template| template.len()) + 4,
        );
        let ours = [
            (header::HOST, Some(self.target.host_header())),
            (header::USER_AGENT, user_agent),
            (header::REFERER, self.added.referer.as_ref()),
            (TRACEPARENT, self.added.traceparent.as_ref()),
        ];
        for (name, value) in ours {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
        for map in self.template.as_deref().into_iter().chain([&self.headers]) {
            for name in map.keys() {
                // The first value replaces what an earlier layer said, the others join it.
                let mut values = map.get_all(name).iter();
                if let Some(value) = values.next() {
                    headers.insert(name, value.clone());
                }
                for value in values {
                    headers.append(name, value.clone());
                }
            }
        }
        match &self.added.cookie {
            Some(cookie) => {
                headers.insert(header::COOKIE, cookie.clone());
            }
            None => {
                headers.remove(header::COOKIE);
            }
        }
        match &self.auth {
            Some(Auth::Basic { user, password }) => {
                headers.insert(header::AUTHORIZATION, basic(user.as_bytes(), password.as_bytes()));
            }
            Some(Auth::Digest { .. }) => {
                headers.remove(header::AUTHORIZATION);
                if let Some(value) = &self.added.authorization {
                    headers.insert(header::AUTHORIZATION, value.clone());
                }
            }
            None => {
                if let Some(value) = self.target.authorization()
                    && !headers.contains_key(header::AUTHORIZATION)
                {
                    headers.insert(header::AUTHORIZATION, value.clone());
                }
            }
        }
        // RFC 9110, 8.6: a method that expects a body says so when there is none.
        if self.body.is_empty() && matches!(self.method, Method::POST | Method::PUT | Method::PATCH) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        headers
    }
}

/// Removes what HTTP/2 says elsewhere or must not say: the authority is in `:authority`, and there is nothing to be
/// said about the connection (RFC 9113, 8.2.2 and 8.3.1).
pub(super) fn without_connection(headers: &mut HeaderMap) {
    for name in [
        header::HOST,
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ] {
        headers.remove(name);
    }
    if headers.get(header::TE).is_some_and(|value| value != "trailers") {
        headers.remove(header::TE);
    }
}

/// `content-type` → `Content-Type`: a capital at the start and after each hyphen, as Go's net/textproto has it.
pub fn canonical(name: &HeaderName) -> String {
    let mut capital = true;
    let turn = |c: char| {
        let out = if capital { c.to_ascii_uppercase() } else { c };
        capital = c == '-';
        out
    };
    name.as_str().chars().map(turn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_are_in_canonical_case() {
        for (name, shown) in [
            ("content-type", "Content-Type"),
            ("x-a-bc", "X-A-Bc"),
            ("etag", "Etag"),
        ] {
            assert_eq!(canonical(&HeaderName::from_static(name)), shown);
        }
    }
}
