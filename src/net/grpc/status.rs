//! How a call ended: a code, a sentence, and what the server says beside them.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use super::super::error::{NetError, code};
use super::super::response::status_text;

/// The codes of gRPC, under the names that the dialect has for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    Ok,
    Canceled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

impl Code {
    /// Every code, in the order of the numbers.
    pub const ALL: [(&str, Code); 17] = [
        ("OK", Code::Ok),
        ("Canceled", Code::Canceled),
        ("Unknown", Code::Unknown),
        ("InvalidArgument", Code::InvalidArgument),
        ("DeadlineExceeded", Code::DeadlineExceeded),
        ("NotFound", Code::NotFound),
        ("AlreadyExists", Code::AlreadyExists),
        ("PermissionDenied", Code::PermissionDenied),
        ("ResourceExhausted", Code::ResourceExhausted),
        ("FailedPrecondition", Code::FailedPrecondition),
        ("Aborted", Code::Aborted),
        ("OutOfRange", Code::OutOfRange),
        ("Unimplemented", Code::Unimplemented),
        ("Internal", Code::Internal),
        ("Unavailable", Code::Unavailable),
        ("DataLoss", Code::DataLoss),
        ("Unauthenticated", Code::Unauthenticated),
    ];

    /// The code of a number; what is none of them is unknown.
    fn of(number: usize) -> Code {
        Code::ALL.get(number).map_or(Code::Unknown, |(_, code)| *code)
    }

    /// Its name, such as `NotFound`.
    pub fn name(self) -> &'static str {
        Code::ALL[usize::from(self as u8)].0
    }
}

/// The end of a call. Shown as gRPC's Go library shows an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rpc error: code = {} desc = {message}", code.name())]
pub struct Status {
    pub code: Code,
    pub message: String,
    /// A `google.rpc.Status` in protobuf, if the server sent one.
    pub details: Bytes,
}

impl Status {
    /// A status without details.
    pub fn new(code: Code, message: impl Into<String>) -> Status {
        Status {
            code,
            message: message.into(),
            details: Bytes::new(),
        }
    }

    /// Whether the call did what it was to do.
    pub fn is_ok(&self) -> bool {
        self.code == Code::Ok
    }

    pub(super) fn deadline() -> Status {
        Status::new(Code::DeadlineExceeded, "context deadline exceeded")
    }

    /// What trailers say, or the headers of an answer that has nothing else.
    pub(super) fn read(trailers: &HeaderMap) -> Option<Status> {
        let read = tonic::Status::from_header_map(trailers)?;
        Some(Status {
            code: Code::of(usize::try_from(i32::from(read.code())).unwrap_or(usize::MAX)),
            message: read.message().to_owned(),
            details: Bytes::copy_from_slice(read.details()),
        })
    }

    /// What an answer means that is no gRPC at all (the protocol's `http-grpc-status-mapping.md`); `None` if it is.
    pub(super) fn foreign(status: StatusCode, headers: &HeaderMap) -> Option<Status> {
        let kind = headers
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        let grpc = kind.is_some_and(|kind| kind.starts_with("application/grpc"));
        if status == StatusCode::OK && grpc {
            return None;
        }
        let code = match status.as_u16() {
            400 => Code::Internal,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::Unimplemented,
            429 | 502 | 503 | 504 => Code::Unavailable,
            _ => Code::Unknown,
        };
        let mut parts = Vec::new();
        if status != StatusCode::OK {
            let text = status_text(status.as_u16());
            let text = text.split_once(' ').map_or("", |(_, text)| text);
            parts.push(format!(
                "unexpected HTTP status code received from server: {} ({text})",
                status.as_u16()
            ));
        }
        if !grpc {
            parts.push(match kind {
                Some(kind) => format!("transport: received unexpected content-type \"{kind}\""),
                None => "malformed header: missing HTTP content-type".to_owned(),
            });
        }
        Some(Status::new(code, parts.join("; ")))
    }

    /// A connection that could not be made.
    pub(super) fn dialing(error: &NetError, address: &str) -> Status {
        let what = match error.code {
            // As Go says it, which scripts may look for.
            code::DIAL_REFUSED => "connect: connection refused",
            _ => error.message.strip_prefix("dial: ").unwrap_or(&error.message),
        };
        let shown = if error.code >= code::TLS {
            format!("authentication handshake failed: {what}")
        } else {
            format!("error while dialing: dial tcp {address}: {what}")
        };
        Status::new(
            Code::Unavailable,
            format!("connection error: desc = \"transport: {shown}\""),
        )
    }

    /// A connection that went away, or a stream that was reset. The codes are those of gRPC over HTTP/2 ("Errors").
    pub(super) fn broken(error: &NetError) -> Status {
        const FIRST: u16 = code::HTTP2_STREAM + 1;
        const LAST: u16 = FIRST + 13;
        let code = match error.code {
            code @ FIRST..=LAST => match code - FIRST {
                7 => Code::Unavailable,
                8 => Code::Canceled,
                11 => Code::ResourceExhausted,
                12 => Code::PermissionDenied,
                _ => Code::Internal,
            },
            _ => Code::Unavailable,
        };
        let message = match &*error.message {
            "EOF" | "unexpected EOF" => "error reading from server: EOF".to_owned(),
            reset if code != Code::Unavailable || error.code == FIRST + 7 => format!(
                "stream terminated by RST_STREAM with error code: {}",
                reset.rsplit(' ').next().unwrap_or(reset)
            ),
            other => format!("error reading from server: {other}"),
        };
        Status::new(code, message)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_codes_have_their_numbers() {
        for (number, (name, code)) in Code::ALL.iter().enumerate() {
            assert_eq!((*code as usize, code.name()), (number, *name));
        }
        assert_eq!(Code::of(99), Code::Unknown);
    }

    #[test]
    fn trailers_are_read() {
        let mut trailers = HeaderMap::new();
        assert_eq!(Status::read(&trailers), None);
        trailers.insert("grpc-status", HeaderValue::from_static("5"));
        trailers.insert("grpc-message", HeaderValue::from_static("no%20such%20%E6%B0%B4"));
        let status = Status::read(&trailers).unwrap();
        assert_eq!((status.code, &*status.message), (Code::NotFound, "no such 水"));
        assert_eq!(status.to_string(), "rpc error: code = NotFound desc = no such 水");
    }

    #[test]
    fn an_answer_that_is_no_grpc_says_what_it_is() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        let status = Status::foreign(StatusCode::NOT_FOUND, &headers).unwrap();
        assert_eq!(status.code, Code::Unimplemented);
        assert_eq!(
            status.message,
            "unexpected HTTP status code received from server: 404 (Not Found); transport: received unexpected content-type \"text/html\""
        );
        let grpc = HeaderValue::from_static("application/grpc+proto");
        headers.insert(header::CONTENT_TYPE, grpc);
        assert_eq!(Status::foreign(StatusCode::OK, &headers), None);
        let status = Status::foreign(StatusCode::SERVICE_UNAVAILABLE, &headers).unwrap();
        assert_eq!(status.code, Code::Unavailable);
    }

    #[test]
    fn resets_have_the_codes_of_the_protocol() {
        let reset = NetError::new(
            code::HTTP2_STREAM + 1 + 8,
            "http2: stream error with http2 ErrCode CANCEL",
        );
        let status = Status::broken(&reset);
        assert_eq!(status.code, Code::Canceled);
        assert_eq!(
            status.message,
            "stream terminated by RST_STREAM with error code: CANCEL"
        );
        let gone = Status::broken(&NetError::new(code::GENERIC, "EOF"));
        assert_eq!(
            (gone.code, &*gone.message),
            (Code::Unavailable, "error reading from server: EOF")
        );
    }
}
