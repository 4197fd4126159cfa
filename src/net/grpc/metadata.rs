//! Metadata: what gRPC calls headers and trailers. Keys that end in `-bin` carry bytes, in base64 on the wire.

use bytes::Bytes;
use data_encoding::{BASE64, BASE64_NOPAD};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers that are the protocol's own; metadata of such a name is left out, as gRPC's Go library does.
const RESERVED: [&str; 8] = [
    "content-type",
    "user-agent",
    "te",
    "grpc-timeout",
    "grpc-encoding",
    "grpc-message",
    "grpc-message-type",
    "grpc-status",
];

/// Whether values of this key are bytes.
pub fn is_binary(key: &str) -> bool {
    key.len() >= 4 && key.as_bytes()[key.len() - 4..].eq_ignore_ascii_case(b"-bin")
}

/// Metadata of a call.
#[derive(Debug, Clone, Default)]
pub struct Metadata(HeaderMap);

impl Metadata {
    /// Adds a value, by the key's kind.
    ///
    /// # Errors
    /// A key or a value that HTTP/2 cannot carry.
    pub fn add(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let name = HeaderName::from_bytes(key.to_ascii_lowercase().as_bytes());
        let name = name.map_err(|_| {
            format!("\"{key}\" is no valid key: use letters, digits, hyphens, underscores and dots")
        })?;
        if RESERVED.contains(&name.as_str()) {
            return Ok(());
        }
        let value = if is_binary(key) {
            HeaderValue::from_str(&BASE64_NOPAD.encode(value)).ok()
        } else {
            HeaderValue::from_bytes(value).ok()
        };
        let value = value.ok_or_else(|| {
            format!("\"{key}\" has a value that a header cannot have; use a key that ends in -bin")
        })?;
        self.0.append(name, value);
        Ok(())
    }

    pub(in crate::net) fn headers(&self) -> &HeaderMap {
        &self.0
    }

    pub(in crate::net) fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.0
    }
}

/// The keys of headers or trailers with their values, binary ones decoded.
pub fn shown(headers: &HeaderMap) -> Vec<(&str, Vec<Bytes>)> {
    let values = |name: &HeaderName| {
        let binary = is_binary(name.as_str());
        let decode = |value: &HeaderValue| {
            let raw = value.as_bytes();
            let decoded = if binary {
                // Padded or not.
                BASE64_NOPAD.decode(raw).or_else(|_| BASE64.decode(raw)).ok()
            } else {
                None
            };
            decoded.map_or_else(|| Bytes::copy_from_slice(raw), Bytes::from)
        };
        headers.get_all(name).iter().map(decode).collect()
    };
    headers.keys().map(|name| (name.as_str(), values(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_as_base64_and_come_back() {
        let mut metadata = Metadata::default();
        metadata.add("X-Trace-Bin", &[2, 200]).unwrap();
        metadata.add("X-Name", b"a").unwrap();
        metadata.add("x-name", b"b").unwrap();
        metadata.add("te", b"nothing").unwrap();
        assert_eq!(metadata.headers()["x-trace-bin"], "Asg");
        let shown = shown(metadata.headers());
        assert_eq!(
            shown,
            [
                ("x-trace-bin", vec![Bytes::from_static(&[2, 200])]),
                ("x-name", vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")]),
            ]
        );
        assert!(metadata.add("a b", b"x").unwrap_err().contains("\"a b\""));
        assert!(metadata.add("a", b"x\ny").unwrap_err().contains("-bin"));
    }
}
