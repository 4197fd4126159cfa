//! The cookie jar of a virtual user: RFC 6265 by `cookie_store`, shared with scripts by reference.

use std::cell::RefCell;
use std::rc::Rc;

use cookie_store::{CookieDomain, CookieStore, RawCookie};
use http::{HeaderMap, HeaderValue, header};
use url::Url;

use super::request::{Request, RequestCookie};

/// A cookie jar. Cloning gives another handle to the same jar. An unused jar holds no memory beyond its handle.
#[derive(Debug, Clone, Default)]
pub struct Jar(Rc<RefCell<Option<Box<CookieStore>>>>);

impl Jar {
    /// An empty jar.
    pub fn new() -> Jar {
        Jar::default()
    }

    /// Forgets all cookies.
    pub fn clear(&self) {
        self.0.borrow_mut().take();
    }

    /// Stores one cookie, given as a `Set-Cookie` header's value, as if `url` had sent it. Returns whether it was
    /// acceptable: a cookie for a foreign domain is not.
    pub fn set(&self, url: &Url, set_cookie: &str) -> bool {
        let Ok(cookie) = RawCookie::parse(set_cookie) else {
            return false;
        };
        self.0
            .borrow_mut()
            .get_or_insert_default()
            .insert_raw(&cookie.into_owned(), url)
            .is_ok()
    }

    /// The cookies that a request to `url` would carry, as (name, value).
    pub fn cookies(&self, url: &Url) -> Vec<(String, String)> {
        self.0.borrow().as_ref().map_or_else(Vec::new, |store| {
            sent(store, url)
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect()
        })
    }

    /// Forgets the cookies that a request to `url` would carry: one by name, or all of them.
    pub fn remove(&self, url: &Url, name: Option<&str>) {
        let mut guard = self.0.borrow_mut();
        let Some(store) = guard.as_mut() else { return };
        let doomed: Vec<(String, String, String)> = store
            .matches(url)
            .into_iter()
            .filter(|cookie| name.is_none_or(|name| name == cookie.name()))
            .filter_map(|cookie| {
                let (CookieDomain::HostOnly(domain) | CookieDomain::Suffix(domain)) = &cookie.domain else {
                    return None;
                };
                Some((
                    domain.clone(),
                    String::from(&cookie.path),
                    cookie.name().to_owned(),
                ))
            })
            .collect();
        for (domain, path, name) in doomed {
            store.remove(&domain, &path, &name);
        }
    }

    /// Stores what a response sets.
    pub(super) fn absorb(&self, url: &Url, headers: &HeaderMap) {
        if !headers.contains_key(header::SET_COOKIE) {
            return;
        }
        for value in headers.get_all(header::SET_COOKIE) {
            if let Ok(text) = value.to_str() {
                self.set(url, text);
            }
        }
    }

    /// The Cookie header for a request: what its own headers say, then the jar's cookies, then the request's.
    pub(super) fn header(jar: Option<&Jar>, request: &Request, first_hop: bool) -> Option<HeaderValue> {
        let guard = jar.map(|jar| jar.0.borrow());
        let store = guard.as_ref().and_then(|guard| guard.as_ref());
        let given = if first_hop {
            request.given(&header::COOKIE)
        } else {
            None
        };
        if store.is_none() && request.cookies.is_empty() {
            return given.cloned();
        }
        let mut text = given.map_or_else(Vec::new, |value| value.as_bytes().to_vec());
        let mut add = |name: &str, value: &str| {
            if !text.is_empty() {
                text.extend_from_slice(b"; ");
            }
            text.extend_from_slice(name.as_bytes());
            text.push(b'=');
            text.extend_from_slice(value.as_bytes());
        };
        if let Some(store) = store {
            let replaced = |name: &str| {
                request.cookies.iter().any(
                    |RequestCookie {
                         name: own, replace, ..
                     }| *replace && own == name,
                )
            };
            for (name, value) in sent(store, request.target.url()) {
                if !replaced(name) {
                    add(name, value);
                }
            }
        }
        for cookie in &request.cookies {
            add(&cookie.name, &cookie.value);
        }
        if text.is_empty() {
            None
        } else {
            HeaderValue::from_bytes(&text).ok()
        }
    }
}

/// What a request to `url` carries. `cookie_store` takes loopback for a safe place, as browsers do, and sends `Secure` cookies
/// there without TLS; Go's jar, which the dialect has, does not.
fn sent<'a>(store: &'a CookieStore, url: &Url) -> impl Iterator<Item = (&'a str, &'a str)> {
    let secure = matches!(url.scheme(), "https" | "wss");
    store
        .matches(url)
        .into_iter()
        .filter(move |cookie| secure || !cookie.secure().unwrap_or(false))
        .map(|cookie| cookie.name_value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Target;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn stores_sends_and_forgets() {
        let jar = Jar::new();
        let page = url("http://a.test/x/y");
        assert!(jar.set(&page, "a=1; Path=/"));
        assert!(jar.set(&page, "b=2; Path=/x"));
        assert!(!jar.set(&page, "c=3; Domain=other.test"));
        assert_eq!(jar.cookies(&url("http://a.test/")), [("a".into(), "1".into())]);
        assert_eq!(jar.cookies(&page).len(), 2);
        jar.remove(&page, Some("b"));
        assert_eq!(jar.cookies(&page), [("a".into(), "1".into())]);
        assert!(jar.set(&page, "a=; Path=/; Max-Age=0"));
        assert!(jar.cookies(&page).is_empty());
    }

    #[test]
    fn secure_cookies_need_tls_even_on_loopback() {
        for host in ["localhost", "127.0.0.1", "[::1]", "a.test"] {
            let jar = Jar::new();
            let (plain, safe) = (url(&format!("http://{host}/")), url(&format!("https://{host}/")));
            jar.set(&safe, "s=1; Secure");
            jar.set(&safe, "p=2");
            assert_eq!(jar.cookies(&plain), [("p".into(), "2".into())], "{host}");
            assert_eq!(jar.cookies(&safe).len(), 2, "{host}");
            let request = Request::get(Target::parse(plain.as_str()).unwrap());
            assert_eq!(Jar::header(Some(&jar), &request, true).unwrap(), "p=2", "{host}");
            jar.remove(&safe, None);
            assert!(jar.cookies(&safe).is_empty(), "{host}");
        }
    }

    #[test]
    fn the_header_joins_given_jar_and_request() {
        let jar = Jar::new();
        jar.set(&url("http://a.test/"), "a=1");
        jar.set(&url("http://a.test/"), "b=2");
        let mut request = Request::get(Target::parse("http://a.test/").unwrap());
        request
            .headers
            .insert(header::COOKIE, HeaderValue::from_static("own=0"));
        request.cookies.push(RequestCookie {
            name: "b".into(),
            value: "new".into(),
            replace: true,
        });
        request.cookies.push(RequestCookie {
            name: "a".into(),
            value: "too".into(),
            replace: false,
        });
        assert_eq!(
            Jar::header(Some(&jar), &request, true).unwrap(),
            "own=0; a=1; b=new; a=too"
        );
        assert_eq!(
            Jar::header(Some(&jar), &request, false).unwrap(),
            "a=1; b=new; a=too"
        );
        request.cookies.clear();
        assert_eq!(Jar::header(None, &request, true).unwrap(), "own=0");
        assert!(Jar::header(None, &request, false).is_none());
    }

    proptest::proptest! {
        /// No cookie that a server sets makes the jar panic, and what comes back can be sent.
        #[test]
        fn no_cookie_makes_it_panic(
            text in ".{0,60}",
            name in "[a-zA-Z0-9_;=, \"]{0,8}",
            attributes in proptest::collection::vec("(Domain|Path|Expires|Max-Age|SameSite|Secure|HttpOnly)?(=[ -~]{0,20})?", 0..4),
            path in "(/[a-z0-9%.]{0,5}){0,3}",
        ) {
            let jar = Jar::new();
            let url = url(&format!("http://www.example.com{path}"));
            jar.set(&url, &text);
            jar.set(&url, &format!("{name}={text}; {}", attributes.join("; ")));
            for (name, value) in jar.cookies(&url) {
                jar.remove(&url, Some(&name));
                let _ = value.len();
            }
            jar.remove(&url, None);
            proptest::prop_assert!(jar.cookies(&url).is_empty());
        }
    }
}
