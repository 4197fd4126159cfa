//! What can go wrong with a request, as the numbered errors that scripts and dashboards know.
//!
//! The codes are the dialect's (k6's `error_code` tag). Messages are deliberately free of addresses, ports and
//! counters: they become the `error` tag of a metric, and a tag whose value differs per request would make a
//! series per request.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::io;

use thiserror::Error;

/// The dialect's error codes. A response with a status of 400 or more also has one: 1000 + status.
pub mod code {
    /// Anything that has no code of its own, e.g. a peer that speaks no HTTP.
    pub const GENERIC: u16 = 1000;
    /// The URL cannot be used.
    pub const INVALID_URL: u16 = 1020;
    /// The request's own timeout, which covers redirects and the body.
    pub const TIMEOUT: u16 = 1050;
    /// Name resolution failed in an unforeseen way.
    pub const DNS: u16 = 1100;
    /// The name resolves to nothing.
    pub const DNS_NO_SUCH_HOST: u16 = 1101;
    /// `blacklistIPs` forbids the address.
    pub const BLOCKED_IP: u16 = 1110;
    /// `blockHostnames` forbids the name.
    pub const BLOCKED_HOSTNAME: u16 = 1111;
    /// A TCP error that has no code of its own.
    pub const TCP: u16 = 1200;
    /// Written to a connection whose other end is gone.
    pub const TCP_BROKEN_PIPE: u16 = 1201;
    /// An operating system error that has no code of its own.
    pub const TCP_UNKNOWN: u16 = 1202;
    /// Could not connect.
    pub const DIAL: u16 = 1210;
    /// Connecting took too long.
    pub const DIAL_TIMEOUT: u16 = 1211;
    /// Nothing listens there.
    pub const DIAL_REFUSED: u16 = 1212;
    /// Connecting failed with an operating system error that has no code of its own.
    pub const DIAL_UNKNOWN: u16 = 1213;
    /// The other end reset the connection.
    pub const TCP_RESET: u16 = 1220;
    /// A TLS error that has no code of its own.
    pub const TLS: u16 = 1300;
    /// The certificate's issuer is not trusted.
    pub const X509_UNKNOWN_AUTHORITY: u16 = 1310;
    /// The certificate is for another name.
    pub const X509_HOSTNAME: u16 = 1311;
    /// An HTTP/2 error that has no code of its own.
    pub const HTTP2: u16 = 1600;
    /// GOAWAY with an unknown reason; a known reason `r` (RFC 9113 section 7) is 1611 + r.
    pub const HTTP2_GOAWAY: u16 = 1610;
    /// A stream was reset for an unknown reason; a known reason `r` is 1631 + r.
    pub const HTTP2_STREAM: u16 = 1630;
    /// A connection error with an unknown reason; a known reason `r` is 1651 + r.
    pub const HTTP2_CONNECTION: u16 = 1650;
    /// The body is not what its Content-Encoding says.
    pub const DECOMPRESSION: u16 = 1701;
}

/// Why a request has no (usable) response: a code of [`code`] and one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct NetError {
    /// The dialect's code.
    pub code: u16,
    /// Suited as a tag value: it does not vary from request to request.
    pub message: Cow<'static, str>,
}

impl NetError {
    /// An error with a fixed or a computed message.
    pub fn new(code: u16, message: impl Into<Cow<'static, str>>) -> NetError {
        NetError {
            code,
            message: message.into(),
        }
    }

    pub(super) fn timeout() -> NetError {
        NetError::new(code::TIMEOUT, "request timeout")
    }

    pub(super) fn body_too_large(limit: usize) -> NetError {
        NetError::new(
            code::GENERIC,
            format!(
                "response body is larger than {limit} bytes; set discardResponseBodies or responseType \"none\" to read and drop it"
            ),
        )
    }

    /// An error of `connect(2)` or of binding the local address before it.
    pub(super) fn dial(error: &io::Error) -> NetError {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => NetError::new(code::DIAL_REFUSED, "dial: connection refused"),
            io::ErrorKind::TimedOut => NetError::dial_timeout(),
            io::ErrorKind::AddrNotAvailable => NetError::new(
                code::DIAL_UNKNOWN,
                "dial: no local address or port left; reuse connections or give localIPs",
            ),
            _ if error.raw_os_error() == Some(TOO_MANY_FILES) => NetError::new(
                code::DIAL_UNKNOWN,
                "dial: too many open files; raise the limit with `ulimit -n`",
            ),
            _ if error.raw_os_error().is_some() => {
                NetError::new(code::DIAL_UNKNOWN, format!("dial: {}", plain(error)))
            }
            _ => NetError::new(code::DIAL, format!("dial: {error}")),
        }
    }

    pub(super) fn dial_timeout() -> NetError {
        NetError::new(code::DIAL_TIMEOUT, "dial: i/o timeout")
    }

    /// An error of a connection that was established.
    pub(super) fn io(error: &io::Error) -> NetError {
        if let Some(tls) = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        {
            return NetError::tls(tls);
        }
        match error.kind() {
            io::ErrorKind::BrokenPipe => NetError::new(code::TCP_BROKEN_PIPE, "write: broken pipe"),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
                NetError::new(code::TCP_RESET, "connection reset by peer")
            }
            io::ErrorKind::UnexpectedEof => NetError::new(code::GENERIC, "unexpected EOF"),
            _ if error.raw_os_error().is_some() => NetError::new(code::TCP_UNKNOWN, plain(error)),
            _ => NetError::new(code::TCP, error.to_string()),
        }
    }

    /// An error of the TLS handshake or of a record after it.
    pub(super) fn tls(error: &rustls::Error) -> NetError {
        use rustls::CertificateError as C;
        match error {
            rustls::Error::InvalidCertificate(C::UnknownIssuer) => NetError::new(
                code::X509_UNKNOWN_AUTHORITY,
                "x509: certificate signed by unknown authority",
            ),
            rustls::Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
                NetError::new(
                    code::X509_HOSTNAME,
                    "x509: certificate is not valid for this hostname",
                )
            }
            rustls::Error::InvalidCertificate(
                C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. },
            ) => NetError::new(code::TLS, "x509: certificate has expired or is not yet valid"),
            rustls::Error::InvalidCertificate(other) => NetError::new(code::TLS, format!("x509: {other:?}")),
            rustls::Error::AlertReceived(alert) => {
                NetError::new(code::TLS, format!("remote error: tls: {alert:?}"))
            }
            other => NetError::new(code::TLS, format!("tls: {other}")),
        }
    }

    /// An error that hyper reports; the interesting part is down its chain of sources.
    pub(super) fn hyper(error: &hyper::Error) -> NetError {
        let mut source = error.source();
        while let Some(cause) = source {
            if let Some(h2) = cause.downcast_ref::<h2::Error>() {
                return NetError::http2(h2);
            }
            if let Some(io) = cause.downcast_ref::<io::Error>() {
                return NetError::io(io);
            }
            source = cause.source();
        }
        if error.is_incomplete_message() {
            NetError::new(code::GENERIC, "unexpected EOF")
        } else if error.is_canceled() || error.is_closed() {
            NetError::new(code::GENERIC, "EOF")
        } else if error.is_parse_too_large() {
            NetError::new(code::GENERIC, "the response's headers are too large")
        } else if error.is_parse() {
            NetError::new(code::GENERIC, format!("malformed HTTP response: {error}"))
        } else {
            NetError::new(code::GENERIC, error.to_string())
        }
    }

    /// Whether the connection went away, as opposed to an answer that cannot be used.
    pub(super) fn is_disconnect(&self) -> bool {
        matches!(self.code, code::TCP_RESET | code::TCP_BROKEN_PIPE | code::HTTP2_GOAWAY..=1624)
            || (self.code == code::GENERIC && self.message.ends_with("EOF"))
            // REFUSED_STREAM promises that nothing was processed (RFC 9113, 8.7).
            || self.code == code::HTTP2_STREAM + 1 + 7
    }

    fn http2(error: &h2::Error) -> NetError {
        if let Some(io) = error.get_io() {
            return NetError::io(io);
        }
        // RFC 9113 section 7 defines the reasons 0 to 13; each kind of failure has a block of codes for them.
        let (base, what) = if error.is_go_away() {
            (code::HTTP2_GOAWAY, "GOAWAY")
        } else if error.is_reset() {
            (code::HTTP2_STREAM, "stream error")
        } else if error.reason().is_some() {
            (code::HTTP2_CONNECTION, "connection error")
        } else {
            return NetError::new(code::HTTP2, format!("http2: {error}"));
        };
        match error.reason() {
            Some(reason) => match u16::try_from(u32::from(reason)) {
                Ok(number @ 0..=13) => NetError::new(
                    base + 1 + number,
                    format!(
                        "http2: {what} with http2 ErrCode {}",
                        H2_REASONS[usize::from(number)]
                    ),
                ),
                _ => NetError::new(base, format!("http2: {what} with an unknown ErrCode")),
            },
            None => NetError::new(base, format!("http2: {what}")),
        }
    }
}

/// EMFILE, which has the same number on Linux and macOS and no stable `io::ErrorKind`.
const TOO_MANY_FILES: i32 = 24;

const H2_REASONS: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// The operating system's text in lower case and without its "(os error 113)".
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
