//! HTTP Digest authentication (RFC 7616, and RFC 2617 for servers that name no `qop`): from a server's challenge to the
//! `Authorization` header that answers it.

use std::fmt::Write;

use http::{HeaderMap, HeaderValue, Method, header};
use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

/// A server's challenge, the first one of its response that can be answered.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// As the server spelt it; it wants it back.
    spelling: Option<String>,
    /// The `-sess` variants bind the key to both nonces.
    session: bool,
    /// `qop=auth`; `auth-int` alone cannot be answered here.
    auth: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Sha256,
    Sha512_256,
}

/// Who asks for what.
pub(super) struct Asker<'a> {
    pub user: &'a str,
    pub password: &'a str,
    pub method: &'a Method,
    /// The request target: path and query.
    pub uri: &'a str,
}

/// The header that answers the challenge in a 401's headers, marked sensitive; `None` if there is none that is
/// understood. `cnonce` is the client's own nonce.
pub(super) fn answer(headers: &HeaderMap, asker: &Asker<'_>, cnonce: &str) -> Option<HeaderValue> {
    let challenge = headers
        .get_all(header::WWW_AUTHENTICATE)
        .iter()
        .find_map(|value| parse(value.to_str().ok()?))?;
    let mut value = HeaderValue::from_str(&challenge.answer(asker, cnonce)).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Reads `Digest realm="…", nonce="…", …`. A response may list challenges of other schemes before it in one header.
fn parse(header: &str) -> Option<Challenge> {
    let at = header.to_ascii_lowercase().find("digest ")?;
    let mut challenge = Challenge {
        realm: String::new(),
        nonce: String::new(),
        opaque: None,
        algorithm: Algorithm::Md5,
        spelling: None,
        session: false,
        auth: false,
    };
    let (mut nonce, mut qop) = (false, None);
    for (name, value) in parameters(&header[at + "digest ".len()..]) {
        match name.to_ascii_lowercase().as_str() {
            "realm" => challenge.realm = value,
            "nonce" => (challenge.nonce, nonce) = (value, true),
            "opaque" => challenge.opaque = Some(value),
            "qop" => qop = Some(value),
            "algorithm" => {
                let known = value.to_ascii_uppercase();
                challenge.session = known.ends_with("-SESS");
                challenge.algorithm = match known.trim_end_matches("-SESS") {
                    "MD5" => Algorithm::Md5,
                    "SHA-256" => Algorithm::Sha256,
                    "SHA-512-256" => Algorithm::Sha512_256,
                    _ => return None,
                };
                challenge.spelling = Some(value);
            }
            _ => {}
        }
    }
    challenge.auth = match &qop {
        None => false,
        Some(list) if list.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth")) => true,
        Some(_) => return None,
    };
    nonce.then_some(challenge)
}

/// `name=value` and `name="quoted value"` pairs, separated by commas; ends where the next scheme begins.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim();
        if name.contains(char::is_whitespace) {
            break;
        }
        let (value, after) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        pairs.push((name.to_owned(), value));
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    pairs
}

/// The text up to the closing quote, without its backslashes, and what follows it.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

impl Challenge {
    /// RFC 7616, 3.4. A fresh challenge is answered each time, so the nonce count is always 1.
    fn answer(&self, asker: &Asker<'_>, cnonce: &str) -> String {
        let hash = |text: &str| self.algorithm.hex(text.as_bytes());
        let mut key = hash(&format!("{}:{}:{}", asker.user, self.realm, asker.password));
        if self.session {
            key = hash(&format!("{key}:{}:{cnonce}", self.nonce));
        }
        let what = hash(&format!("{}:{}", asker.method, asker.uri));
        let response = if self.auth {
            hash(&format!("{key}:{}:00000001:{cnonce}:auth:{what}", self.nonce))
        } else {
            hash(&format!("{key}:{}:{what}", self.nonce))
        };
        let mut out = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            quoted(asker.user),
            quoted(&self.realm),
            quoted(&self.nonce),
            quoted(asker.uri),
        );
        if let Some(algorithm) = &self.spelling {
            let _ = write!(out, ", algorithm={algorithm}");
        }
        if let Some(opaque) = &self.opaque {
            let _ = write!(out, ", opaque={}", quoted(opaque));
        }
        if self.auth {
            let _ = write!(out, ", qop=auth, nc=00000001, cnonce={}", quoted(cnonce));
        } else if self.session {
            let _ = write!(out, ", cnonce={}", quoted(cnonce));
        }
        out
    }
}

impl Algorithm {
    fn hex(self, text: &[u8]) -> String {
        let digest: Vec<u8> = match self {
            Algorithm::Md5 => Md5::digest(text).to_vec(),
            Algorithm::Sha256 => Sha256::digest(text).to_vec(),
            Algorithm::Sha512_256 => Sha512_256::digest(text).to_vec(),
        };
        digest.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

    fn asker() -> Asker<'static> {
        Asker {
            user: "Mufasa",
            password: "Circle of Life",
            method: &Method::GET,
            uri: "/dir/index.html",
        }
    }

    fn response(header: &str) -> Option<String> {
        let answer = parse(header)?.answer(&asker(), CNONCE);
        let (_, rest) = answer.split_once("response=\"")?;
        Some(rest.split_once('"')?.0.to_owned())
    }

    /// RFC 7616, 3.9.1.
    #[test]
    fn the_examples_of_rfc_7616_come_out() {
        let challenge = |algorithm: &str| {
            format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            )
        };
        assert_eq!(
            response(&challenge("MD5")).unwrap(),
            "8ca523f5e9506fed4657c9700eebdbec"
        );
        assert_eq!(
            response(&challenge("SHA-256")).unwrap(),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    /// RFC 2617, 3.5, whose answer without `qop` is that of RFC 2069.
    #[test]
    fn a_server_without_qop_gets_the_old_answer() {
        let header = r#"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
        let challenge = parse(header).unwrap();
        let answer = challenge.answer(
            &Asker {
                password: "CircleOfLife",
                ..asker()
            },
            CNONCE,
        );
        assert!(
            answer.contains("response=\"1949323746fe6a43ef61f9606e7febea\""),
            "{answer}"
        );
        assert!(
            !answer.contains("cnonce") && answer.contains("opaque=\"5ccc"),
            "{answer}"
        );
    }

    #[test]
    fn other_schemes_are_skipped_and_what_is_not_understood_is_not_answered() {
        assert!(response(r#"Basic realm="a, b", Digest nonce="n", realm="r""#).is_some());
        assert!(response(r#"Digest nonce="n", Basic realm="x""#).is_some());
        assert_eq!(response(r#"Digest nonce="n", algorithm=SHA-1"#), None);
        assert_eq!(response(r#"Digest nonce="n", qop="auth-int""#), None);
        assert_eq!(response(r#"Digest realm="no nonce""#), None);
        assert_eq!(response("Basic realm=\"x\""), None);
    }

    #[test]
    fn a_quote_in_a_name_does_not_end_it() {
        let answer = parse(r#"Digest realm="a \"b\" c", nonce="n""#)
            .unwrap()
            .answer(&asker(), "c");
        assert!(answer.contains(r#"realm="a \"b\" c""#), "{answer}");
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(text in ".{0,80}") {
            let _ = response(&text);
            let _ = response(&format!("Digest {text}"));
        }
    }
}
