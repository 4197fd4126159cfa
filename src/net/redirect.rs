//! Redirects, by the rules of Go's net/http client, which scripts of this dialect were written against.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::error::NetError;
use super::request::Request;
use super::target::{Hostname, Target};

/// Whether a response asks for another request. A 3xx without a Location is an ordinary response.
pub(super) fn is_redirect(status: StatusCode, headers: &HeaderMap) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
        && headers
            .get(header::LOCATION)
            .is_some_and(|location| !location.is_empty())
}

/// Turns a request into the one that its redirect asks for.
///
/// 301, 302 and 303 become a GET without body (HEAD stays HEAD); 307 and 308 repeat method and body. Credentials
/// given for the first host do not go to a host that is neither it nor below it, and do not come back. The Cookie
/// header is computed anew from the jar. Error (code 1020): a Location that is no URL.
pub(super) fn follow(request: &mut Request, status: StatusCode, headers: &HeaderMap) -> Result<(), NetError> {
    let location = headers
        .get(header::LOCATION)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    // Some servers send UTF-8 where an ASCII URL belongs; browsers and Go accept it.
    let next = request.target.join(&String::from_utf8_lossy(location))?;

    request.added.referer = referer(&request.target, &next);
    if !same_site(&request.target, &next) {
        request.added.strip_auth = true;
    }
    if request.added.strip_auth {
        request.auth = None;
        let sensitive = [
            header::AUTHORIZATION,
            header::WWW_AUTHENTICATE,
            header::PROXY_AUTHORIZATION,
            header::COOKIE,
        ];
        remove(request, &sensitive);
    }
    if matches!(status.as_u16(), 301..=303) {
        if request.method != Method::HEAD {
            request.method = Method::GET;
        }
        request.body.clear();
        let of_the_body = [
            header::CONTENT_TYPE,
            header::CONTENT_LENGTH,
            header::CONTENT_ENCODING,
            header::CONTENT_LANGUAGE,
            header::CONTENT_LOCATION,
            header::TRANSFER_ENCODING,
            header::EXPECT,
        ];
        remove(request, &of_the_body);
    }
    // A Host header given for the first target means nothing to the next one.
    if request.target.origin() != next.origin() {
        remove(request, &[header::HOST]);
    }
    // The answer to a challenge holds for one address only.
    request.added.authorization = None;
    request.target = next;
    Ok(())
}

fn remove(request: &mut Request, names: &[header::HeaderName]) {
    for name in names {
        request.headers.remove(name);
        if request
            .template
            .as_ref()
            .is_some_and(|template| template.contains_key(name))
            && let Some(template) = &mut request.template
        {
            std::sync::Arc::make_mut(template).remove(name);
        }
    }
}

/// Whether credentials for `from` may go to `to`: the same host or one below it, as in Go's
/// `shouldCopyHeaderOnRedirect`, which looks at names and not at ports.
fn same_site(from: &Target, to: &Target) -> bool {
    match (&from.origin().host, &to.origin().host) {
        (Hostname::Name(from), Hostname::Name(to)) => to
            .strip_suffix(&**from)
            .is_some_and(|below| below.is_empty() || below.ends_with('.')),
        (from, to) => from == to,
    }
}

/// The page that led here, unless that would tell a plain-text server about an encrypted one (RFC 9110, 10.1.3).
fn referer(from: &Target, to: &Target) -> Option<HeaderValue> {
    if from.is_https() && !to.is_https() {
        return None;
    }
    let mut url = from.url().clone();
    url.set_fragment(None);
    // Only URLs without a host cannot lose their userinfo, and a target has one.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    HeaderValue::from_str(url.as_str()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn request(method: Method, url: &str) -> Request {
        let mut request = Request::new(method, Target::parse(url).unwrap());
        request
            .headers
            .insert(header::AUTHORIZATION, HeaderValue::from_static("secret"));
        request
            .headers
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        request.body = Bytes::from_static(b"body");
        request
    }

    fn go(request: &mut Request, status: u16, location: &'static str) {
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, HeaderValue::from_static(location));
        let status = StatusCode::from_u16(status).unwrap();
        assert!(is_redirect(status, &headers));
        follow(request, status, &headers).unwrap();
    }

    #[test]
    fn methods_and_bodies() {
        for (status, before, after, keeps_body) in [
            (301, Method::POST, Method::GET, false),
            (302, Method::PUT, Method::GET, false),
            (303, Method::DELETE, Method::GET, false),
            (303, Method::HEAD, Method::HEAD, false),
            (307, Method::POST, Method::POST, true),
            (308, Method::PUT, Method::PUT, true),
        ] {
            let mut request = request(before, "http://a.test/x");
            go(&mut request, status, "/y");
            assert_eq!(request.method, after, "{status}");
            assert_eq!(!request.body.is_empty(), keeps_body, "{status}");
            assert_eq!(
                request.headers.contains_key(header::CONTENT_TYPE),
                keeps_body,
                "{status}"
            );
            assert!(request.headers.contains_key(header::AUTHORIZATION));
            assert_eq!(request.added.referer.as_ref().unwrap(), "http://a.test/x");
        }
    }

    #[test]
    fn credentials_stay_with_their_site() {
        let has_auth = |request: &Request| request.headers.contains_key(header::AUTHORIZATION);
        let mut hop = request(Method::GET, "http://a.test/");
        go(&mut hop, 302, "http://sub.a.test/");
        assert!(has_auth(&hop));
        go(&mut hop, 302, "http://evila.test/");
        assert!(!has_auth(&hop));
        assert!(hop.added.strip_auth);
        let mut hop = request(Method::GET, "http://127.0.0.1:1/");
        go(&mut hop, 302, "http://127.0.0.1:2/");
        assert!(has_auth(&hop));
        go(&mut hop, 302, "http://127.0.0.2:2/");
        assert!(!has_auth(&hop));
    }

    #[test]
    fn referers_tell_no_secrets() {
        let mut hop = request(Method::GET, "https://u:p@a.test/x#frag");
        go(&mut hop, 302, "https://b.test/");
        assert_eq!(hop.added.referer.as_ref().unwrap(), "https://a.test/x");
        go(&mut hop, 302, "http://b.test/");
        assert_eq!(hop.added.referer, None);
    }

    #[test]
    fn no_location_is_no_redirect() {
        assert!(!is_redirect(StatusCode::FOUND, &HeaderMap::new()));
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, HeaderValue::from_static("/x"));
        assert!(!is_redirect(StatusCode::NOT_MODIFIED, &headers));
        assert!(!is_redirect(StatusCode::OK, &headers));
    }
}
