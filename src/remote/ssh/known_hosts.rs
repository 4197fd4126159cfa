//! Which keys a host may have: OpenSSH's `known_hosts`, read and judged without I/O.
//!
//! libssh2 has a reader of its own, which gives up on a file at the first line that it cannot read, takes no notice of
//! `@revoked` and knows no wildcards. This one follows sshd(8), section "`SSH_KNOWN_HOSTS` FILE FORMAT". A line that
//! cannot be read makes the check stricter, never weaker: if it may be about the host, no new key is taken on for it.

use std::path::{Path, PathBuf};

use data_encoding::{BASE64, BASE64_NOPAD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::pattern;

/// The lines of all files that were read.
#[derive(Debug, Default)]
pub struct KnownHosts {
    entries: Vec<Entry>,
}

/// Where a line stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

/// What the files say about a key that a host showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the host's.
    Known,
    /// It must not be trusted.
    Revoked(Place),
    /// The host is known, by other keys.
    Changed(Place),
    /// The host is not known. A line that may be about it cannot be read, or is about certificates, which are not understood.
    Unclear(Place, &'static str),
    /// The host is not known.
    Unknown,
}

#[derive(Debug)]
struct Entry {
    place: Place,
    names: Names,
    what: What,
}

#[derive(Debug)]
enum Names {
    /// Patterns, in lower case.
    Plain(Vec<String>),
    /// Salt and hash of one name.
    Hashed(Vec<u8>, Vec<u8>),
    /// Could not be read: may be anybody.
    Anybody,
}

#[derive(Debug)]
enum What {
    Key(Key),
    Revoked(Key),
    Authority,
    /// What is wrong with the line.
    Malformed(&'static str),
}

#[derive(Debug)]
struct Key {
    kind: String,
    blob: Vec<u8>,
}

impl KnownHosts {
    /// Adds a file's lines. Says what is wrong with those that cannot be read.
    pub fn read(&mut self, file: &Path, text: &str) -> Vec<String> {
        let mut faults = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let place = Place {
                file: file.to_owned(),
                line: number + 1,
            };
            let (names, what) = entry(line);
            if let What::Malformed(reason) = what {
                faults.push(format!("{} line {}: {reason}", file.display(), number + 1));
            }
            self.entries.push(Entry { place, names, what });
        }
        faults
    }

    /// Judges the key that `host` showed on `port`.
    pub fn check(&self, host: &str, port: u16, key: &[u8]) -> Verdict {
        let name = name_of(host, port);
        // A key that is revoked for the host is revoked on every port, and whatever other lines say.
        let either = [host.to_lowercase(), name.clone()];
        for entry in &self.entries {
            if either.iter().any(|name| entry.names.fit(name)) {
                match &entry.what {
                    What::Revoked(revoked) if revoked.blob == key => {
                        return Verdict::Revoked(entry.place.clone());
                    }
                    // Which key it is about cannot be told: it may be this one.
                    What::Malformed(reason @ BAD_REVOKED) => {
                        return Verdict::Unclear(entry.place.clone(), reason);
                    }
                    _ => {}
                }
            }
        }
        match self.named(&name, key) {
            // As OpenSSH does: the same key, known for the host without a port, is the host's.
            Verdict::Unknown if port != 22 && self.named(&either[0], key) == Verdict::Known => Verdict::Known,
            verdict => verdict,
        }
    }

    fn named(&self, name: &str, key: &[u8]) -> Verdict {
        let (mut changed, mut unclear) = (None, None);
        for entry in self.entries.iter().filter(|entry| entry.names.fit(name)) {
            match &entry.what {
                What::Key(known) if known.blob == key => return Verdict::Known,
                What::Key(_) => changed = changed.or(Some(&entry.place)),
                What::Revoked(_) => {}
                What::Authority => {
                    unclear = unclear.or(Some((
                        &entry.place,
                        "is about host certificates (@cert-authority), which are not supported: add the host's own key",
                    )));
                }
                What::Malformed(reason) => unclear = unclear.or(Some((&entry.place, reason))),
            }
        }
        match (changed, unclear) {
            (Some(place), _) => Verdict::Changed(place.clone()),
            (None, Some((place, reason))) => Verdict::Unclear(place.clone(), reason),
            (None, None) => Verdict::Unknown,
        }
    }

    /// The kinds of keys that the host is known by, so that the server can be asked for one of these.
    pub fn kinds(&self, host: &str, port: u16) -> Vec<&str> {
        let mut kinds = Vec::new();
        let (host, name) = (host.to_lowercase(), name_of(host, port));
        for entry in &self.entries {
            if let What::Key(key) = &entry.what
                && (entry.names.fit(&name) || entry.names.fit(&host))
                && !kinds.contains(&key.kind.as_str())
            {
                kinds.push(key.kind.as_str());
            }
        }
        kinds
    }
}

const BAD_REVOKED: &str = "cannot be read, but revokes a key: mend the line or remove it";
const BAD_KEY: &str = "cannot be read: the key is cut or damaged";
const BAD_LINE: &str = "cannot be read: it is not [@marker] names key-type key";
const BAD_HASH: &str = "cannot be read: the hashed name is damaged";
const BAD_MARKER: &str = "cannot be read: the marker is neither @revoked nor @cert-authority";

fn entry(line: &str) -> (Names, What) {
    let mut words = line.split_whitespace();
    let mut first = words.next().unwrap_or_default();
    let mut marker = None;
    if first.starts_with('@') {
        marker = Some(first);
        first = match words.next() {
            Some(names) => names,
            None => return (Names::Anybody, malformed(marker, BAD_LINE)),
        };
    }
    let Some(names) = names(first) else {
        return (Names::Anybody, malformed(marker, BAD_HASH));
    };
    let (Some(kind), Some(encoded)) = (words.next(), words.next()) else {
        // Something is missing, maybe the names: then what was taken for names is something else.
        return (Names::Anybody, malformed(marker, BAD_LINE));
    };
    let what = match (marker, key(kind, encoded)) {
        (_, None) => malformed(marker, BAD_KEY),
        (None, Some(key)) => What::Key(key),
        (Some("@revoked"), Some(key)) => What::Revoked(key),
        (Some("@cert-authority"), Some(_)) => What::Authority,
        (Some(_), Some(_)) => malformed(marker, BAD_MARKER),
    };
    (names, what)
}

/// A marker that is not understood may have meant to revoke.
fn malformed(marker: Option<&str>, reason: &'static str) -> What {
    match marker {
        None | Some("@cert-authority") => What::Malformed(reason),
        Some(_) => What::Malformed(BAD_REVOKED),
    }
}

fn names(text: &str) -> Option<Names> {
    let Some(hashed) = text.strip_prefix('|') else {
        let patterns = text.split(',').map(str::to_lowercase);
        return Some(Names::Plain(patterns.collect()));
    };
    let (salt, hash) = hashed.strip_prefix("1|")?.split_once('|')?;
    let (salt, hash) = (
        BASE64.decode(salt.as_bytes()).ok()?,
        BASE64.decode(hash.as_bytes()).ok()?,
    );
    (salt.len() == 20 && hash.len() == 20).then_some(Names::Hashed(salt, hash))
}

fn key(kind: &str, encoded: &str) -> Option<Key> {
    let blob = BASE64
        .decode(encoded.as_bytes())
        .or_else(|_| BASE64_NOPAD.decode(encoded.as_bytes()))
        .ok()?;
    (kind_of(&blob)? == kind && blob.len() > kind.len() + 4).then(|| Key {
        kind: kind.to_owned(),
        blob,
    })
}

impl Names {
    /// Whether a name in lower case is among them.
    fn fit(&self, name: &str) -> bool {
        match self {
            Names::Anybody => true,
            Names::Plain(patterns) => pattern::one_fits(patterns.iter().map(String::as_str), name),
            Names::Hashed(salt, hash) => {
                // A key of any length is one for HMAC.
                let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(salt) else {
                    return true;
                };
                mac.update(name.as_bytes());
                mac.finalize().into_bytes().as_slice() == hash.as_slice()
            }
        }
    }
}

/// How a host is called in these files: `host`, or `[host]:port` where the port is not the usual one.
pub fn name_of(host: &str, port: u16) -> String {
    let host = host.to_lowercase();
    match port {
        22 => host,
        port => format!("[{host}]:{port}"),
    }
}

/// The kind of a public key in SSH's own encoding: a length of four bytes and a name (RFC 4253, 6.6).
pub fn kind_of(blob: &[u8]) -> Option<&str> {
    let (length, rest) = blob.split_first_chunk::<4>()?;
    let name = rest.get(..u32::from_be_bytes(*length) as usize)?;
    std::str::from_utf8(name).ok().filter(|name| !name.is_empty())
}

/// `SHA256:…`, as `ssh-keygen -l` shows it.
pub fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", BASE64_NOPAD.encode(&Sha256::digest(blob)))
}

/// The line that makes a key known, with its newline.
pub fn line(host: &str, port: u16, blob: &[u8]) -> String {
    format!(
        "{} {} {}\n",
        name_of(host, port),
        kind_of(blob).unwrap_or_default(),
        BASE64.encode(blob)
    )
}

#[cfg(test)]
mod tests;
