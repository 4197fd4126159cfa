//! From a raw URL to a request name of which there are few: identifiers become `:id`.
//!
//! A run against `/users/1`, `/users/2`, ... is about one endpoint, and one series per identifier would neither fit
//! in memory nor on a screen. What looks like an identifier is decided by shape alone, so the same URL always gets
//! the same name, on every machine.

use std::borrow::Cow;

/// The name of a URL: path segments and query values that look like identifiers (numbers, UUIDs, long hexadecimal
/// or base64-like strings) become `:id`; user info and fragment go. Borrows when nothing changes.
pub fn template(url: &str) -> Cow<'_, str> {
    let whole = url;
    let url = url.split_once('#').map_or(url, |(before, _)| before);
    let authority_at = url.find("://").map_or(0, |at| at + 3);
    let authority_end = url[authority_at..]
        .find(['/', '?'])
        .map_or(url.len(), |offset| authority_at + offset);
    let authority = &url[authority_at..authority_end];
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    // Something like "/path" has no authority; `authority_end` is 0 then and the rest is all path.
    let (path, query) = match url[authority_end..].split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (&url[authority_end..], None),
    };
    let changes = url.len() != whole.len()
        || host.len() != authority.len()
        || path.split('/').any(|segment| split_id(segment).is_some())
        || query.is_some_and(|query| query.split('&').any(|pair| is_id(value_of(pair))));
    if !changes {
        return Cow::Borrowed(whole);
    }
    let mut name = String::with_capacity(url.len());
    name.push_str(&url[..authority_at]);
    name.push_str(host);
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            name.push('/');
        }
        match split_id(segment) {
            Some(extension) => {
                name.push_str(":id");
                name.push_str(extension);
            }
            None => name.push_str(segment),
        }
    }
    if let Some(query) = query {
        for (index, pair) in query.split('&').enumerate() {
            name.push(if index == 0 { '?' } else { '&' });
            let value = value_of(pair);
            if is_id(value) {
                name.push_str(&pair[..pair.len() - value.len()]);
                name.push_str(":id");
            } else {
                name.push_str(pair);
            }
        }
    }
    Cow::Owned(name)
}

fn value_of(pair: &str) -> &str {
    pair.split_once('=').map_or("", |(_, value)| value)
}

/// For a segment that is an identifier, perhaps with a file extension (`42.json`): the extension.
fn split_id(segment: &str) -> Option<&str> {
    if is_id(segment) {
        return Some("");
    }
    let dot = segment.rfind('.')?;
    let (stem, extension) = segment.split_at(dot);
    let plain =
        (2..=6).contains(&extension.len()) && extension[1..].bytes().all(|b| b.is_ascii_alphanumeric());
    (plain && extension[1..].bytes().any(|b| b.is_ascii_alphabetic()) && is_id(stem)).then_some(extension)
}

fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.is_empty() {
        return false;
    }
    if bytes.iter().all(u8::is_ascii_digit) || is_uuid(bytes) {
        return true;
    }
    let hex = bytes.strip_prefix(b"0x").unwrap_or(bytes);
    let prefixed = hex.len() != bytes.len();
    let has_digit = bytes.iter().any(u8::is_ascii_digit);
    if hex.iter().all(u8::is_ascii_hexdigit) && has_digit && hex.len() >= if prefixed { 4 } else { 12 } {
        return true;
    }
    is_opaque(bytes)
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, b)| {
            if matches!(at, 8 | 13 | 18 | 23) {
                *b == b'-'
            } else {
                b.is_ascii_hexdigit()
            }
        })
}

/// A long run of letters and digits in turn, as in base64, ULIDs, nanoids and tokens. Words joined by hyphens are a
/// slug and stay: their parts are words or numbers, not mixtures.
fn is_opaque(bytes: &[u8]) -> bool {
    if bytes.len() < 16
        || !bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-_=+.%~".contains(b))
    {
        return false;
    }
    let digits = bytes.iter().filter(|b| b.is_ascii_digit()).count();
    let switches = bytes.windows(2).filter(|w| class(w[0]) != class(w[1])).count();
    let mixed_part = bytes.split(|b| b"-_.".contains(b)).any(|part| {
        part.len() >= 8 && part.iter().any(u8::is_ascii_digit) && part.iter().any(u8::is_ascii_alphabetic)
    });
    // A token changes between letters and digits every few characters; a name with a number in it changes once or
    // twice ("checkoutStep2Confirmation").
    digits >= 2 && mixed_part && switches * 8 >= bytes.len()
}

fn class(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn identifiers_become_id_and_names_stay() {
        for (url, name) in [
            ("http://h:3001/health", "http://h:3001/health"),
            ("http://h", "http://h"),
            ("http://h/users/42", "http://h/users/:id"),
            (
                "http://h/users/42/orders/7?page=3&sort=asc",
                "http://h/users/:id/orders/:id?page=:id&sort=asc",
            ),
            ("http://h/f/42.json", "http://h/f/:id.json"),
            ("http://h/v1/set", "http://h/v1/set"),
            ("http://h/127.0.0.1/x", "http://h/127.0.0.1/x"),
            (
                "http://h/o/3f2504e0-4f89-11d3-9a0c-0305e82c3301",
                "http://h/o/:id",
            ),
            ("http://h/c/9e107d9d372bb6826bd81d3542a419d6", "http://h/c/:id"),
            ("http://h/w/0xDEADbeef01", "http://h/w/:id"),
            ("http://h/u/01ARZ3NDEKTSV4RRFFQ69G5FAV", "http://h/u/:id"),
            (
                "http://h/t?token=eyJhbGciOi.JIUzI1NiIsInR5.cCI6Ik",
                "http://h/t?token=:id",
            ),
            (
                "http://h/blog/ten-ways-to-load-test-in-2026",
                "http://h/blog/ten-ways-to-load-test-in-2026",
            ),
            (
                "http://h/checkoutStep2Confirmation",
                "http://h/checkoutStep2Confirmation",
            ),
            ("http://h/deadbeef", "http://h/deadbeef"),
            ("http://u:p@h/a#top", "http://h/a"),
            ("http://h/?q=", "http://h/?q="),
            ("/relative/12", "/relative/:id"),
            ("", ""),
        ] {
            assert_eq!(template(url), name, "{url}");
        }
    }

    #[test]
    fn an_unchanged_url_is_borrowed() {
        assert!(matches!(template("http://h/health?x=y"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn naming_a_name_changes_nothing(url in "(http://)?[a-z@:]{0,8}(/[a-zA-Z0-9:._-]{0,24}){0,4}(\\?[a-z0-9=&:]{0,20})?(#[a-z]{0,4})?") {
            let once = template(&url).into_owned();
            prop_assert_eq!(template(&once), once.as_str());
        }

        #[test]
        fn any_text_is_taken(url in "\\PC{0,60}") {
            template(&url);
        }
    }
}
