//! What is recorded of one HTTP transaction: a key of small values that decides the tags, and the timings.

use std::hash::{Hash, Hasher};

use super::model::{NameId, TagsId};

/// The `method` tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum MethodTag {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    Connect,
    Trace,
    /// A method of the script's own making; one tag value for all of them keeps the series bounded.
    Other,
}

impl MethodTag {
    /// The tag's text.
    pub fn as_str(self) -> &'static str {
        match self {
            MethodTag::Get => "GET",
            MethodTag::Head => "HEAD",
            MethodTag::Post => "POST",
            MethodTag::Put => "PUT",
            MethodTag::Patch => "PATCH",
            MethodTag::Delete => "DELETE",
            MethodTag::Options => "OPTIONS",
            MethodTag::Connect => "CONNECT",
            MethodTag::Trace => "TRACE",
            MethodTag::Other => "OTHER",
        }
    }
}

impl From<&http::Method> for MethodTag {
    fn from(method: &http::Method) -> MethodTag {
        match method.as_str() {
            "GET" => MethodTag::Get,
            "HEAD" => MethodTag::Head,
            "POST" => MethodTag::Post,
            "PUT" => MethodTag::Put,
            "PATCH" => MethodTag::Patch,
            "DELETE" => MethodTag::Delete,
            "OPTIONS" => MethodTag::Options,
            "CONNECT" => MethodTag::Connect,
            "TRACE" => MethodTag::Trace,
            _ => MethodTag::Other,
        }
    }
}

/// The `proto` tag, in the dialect's spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Proto {
    /// No answer came, so there is no protocol to name.
    #[default]
    None,
    Http10,
    Http11,
    Http2,
}

impl Proto {
    /// The tag's text; empty for [`Proto::None`], and then no tag is set.
    pub fn as_str(self) -> &'static str {
        match self {
            Proto::None => "",
            Proto::Http10 => "HTTP/1.0",
            Proto::Http11 => "HTTP/1.1",
            Proto::Http2 => "HTTP/2.0",
        }
    }
}

/// The `tls_version` tag, in the dialect's spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum TlsTag {
    /// Not over TLS.
    #[default]
    None,
    Tls12,
    Tls13,
}

impl TlsTag {
    /// The tag's text; empty for [`TlsTag::None`], and then no tag is set.
    pub fn as_str(self) -> &'static str {
        match self {
            TlsTag::None => "",
            TlsTag::Tls12 => "tls1.2",
            TlsTag::Tls13 => "tls1.3",
        }
    }
}

/// Everything that tells one HTTP series from another. Sixteen bytes of plain numbers: the recorder finds its tag
/// set with one hash lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpKey {
    /// Scenario, group and the tags the script added.
    pub context: TagsId,
    pub name: NameId,
    pub method: MethodTag,
    /// 0 when no answer came.
    pub status: u16,
    pub proto: Proto,
    pub tls: TlsTag,
    /// 0 when nothing went wrong; the codes are DIALECT's, see [`error_text`].
    pub error_code: u16,
    /// Whether the script expected this status; `None` when its response callback is off.
    pub expected: Option<bool>,
}

// Two words instead of eight: the derived implementation would feed the hasher field by field, on the hot path.
impl Hash for HttpKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let expected = match self.expected {
            None => 0,
            Some(false) => 1,
            Some(true) => 2,
        };
        state.write_u64(u64::from(self.context.0) << 32 | u64::from(self.name.0));
        state.write_u64(
            u64::from(self.status) << 48
                | u64::from(self.error_code) << 32
                | (self.method as u64) << 16
                | (self.proto as u64) << 12
                | (self.tls as u64) << 8
                | expected,
        );
    }
}

/// One HTTP transaction: a request and its answer, or its failure. Phases are milliseconds; `f32` keeps seven
/// digits, more than any clock here can justify, in half the memory.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HttpRecord {
    /// When it ended, in nanoseconds since the epoch.
    pub at: u64,
    /// Filled in by the recorder.
    pub tags: TagsId,
    /// sending + waiting + receiving.
    pub duration: f32,
    pub blocked: f32,
    pub connecting: f32,
    pub tls_handshaking: f32,
    pub sending: f32,
    pub waiting: f32,
    pub receiving: f32,
    /// Filled in by the recorder: the opposite of the key's `expected`.
    pub failed: Option<bool>,
}

impl HttpRecord {
    /// The phases in the order of [`builtin::HTTP_TRENDS`](super::builtin::HTTP_TRENDS).
    pub fn phases(&self) -> [f32; 7] {
        [
            self.duration,
            self.blocked,
            self.connecting,
            self.tls_handshaking,
            self.sending,
            self.waiting,
            self.receiving,
        ]
    }
}

/// The `error` tag of an error code: a fixed text per code, so that addresses, ports and hosts in messages cannot
/// multiply the series. Empty for no error and for statuses (1400–1599), which are answers and not errors.
pub fn error_text(code: u16) -> &'static str {
    match code {
        0 | 1400..=1599 => "",
        1010 => "network error",
        1020 => "invalid URL",
        1050 => "request timeout",
        1100 => "lookup failed",
        1101 => "lookup: no such host",
        1102..=1109 => "lookup error",
        1110 => "IP is in a blacklisted range",
        1111 => "hostname is blocked",
        1201 => "write: broken pipe",
        1200 | 1202..=1209 => "TCP error",
        1211 => "dial: i/o timeout",
        1212 => "dial: connection refused",
        1210 | 1213..=1219 => "dial: error",
        1220 => "connection reset by peer",
        1221..=1299 => "connection broken",
        1310 => "x509: unknown authority",
        1311 => "x509: certificate is for another name",
        1300..=1399 => "TLS error",
        1600..=1609 => "HTTP/2 error",
        1610..=1629 => "HTTP/2: connection shut down by the server (GOAWAY)",
        1630..=1649 => "HTTP/2: stream error",
        1650..=1699 => "HTTP/2: connection error",
        1701 => "response body could not be decompressed",
        1700 | 1702..=1799 => "response body error",
        _ => "request failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_stay_small() {
        assert!(size_of::<HttpKey>() <= 20, "{}", size_of::<HttpKey>());
        assert!(size_of::<HttpRecord>() <= 48, "{}", size_of::<HttpRecord>());
    }

    #[test]
    fn every_code_of_an_error_has_a_text_and_statuses_have_none() {
        assert_eq!(error_text(0), "");
        assert_eq!(error_text(1404), "");
        for code in [1000, 1020, 1050, 1101, 1212, 1220, 1310, 1630, 1701] {
            assert!(!error_text(code).is_empty(), "{code}");
        }
    }
}
