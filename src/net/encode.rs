//! Content codings of request bodies (RFC 9110, 8.4): what `compression` in a script asks for.

use std::io::{self, Write};

use bytes::Bytes;

/// A content coding that a body can be sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// The zlib format, RFC 1950.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// The names that scripts use, which are those of `Content-Encoding`.
    pub const NAMES: [&'static str; 4] = ["gzip", "deflate", "br", "zstd"];

    /// The coding of this name.
    pub fn find(name: &str) -> Option<Coding> {
        match name {
            "gzip" => Some(Coding::Gzip),
            "deflate" => Some(Coding::Deflate),
            "br" => Some(Coding::Brotli),
            "zstd" => Some(Coding::Zstd),
            _ => None,
        }
    }

    /// The body in this coding.
    ///
    /// # Errors
    /// The coder has no memory; nothing else can go wrong.
    pub fn encode(self, body: &[u8]) -> io::Result<Bytes> {
        let level = flate2::Compression::default();
        let out = match self {
            Coding::Gzip => {
                let mut coder = flate2::write::GzEncoder::new(Vec::new(), level);
                coder.write_all(body)?;
                coder.finish()?
            }
            Coding::Deflate => {
                let mut coder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                coder.write_all(body)?;
                coder.finish()?
            }
            Coding::Brotli => {
                let mut out = Vec::new();
                // Quality 5 and a 4 MiB window: the usual choice for content that is compressed as it is sent.
                let mut coder = brotli::CompressorWriter::new(&mut out, 4096, 5, 22);
                coder.write_all(body)?;
                coder.flush()?;
                drop(coder);
                out
            }
            Coding::Zstd => zstd::stream::encode_all(body, 0)?,
        };
        Ok(out.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue, header};

    #[test]
    fn what_is_encoded_can_be_decoded() {
        let body = b"the quick brown fox ".repeat(50);
        for name in Coding::NAMES {
            let encoded = Coding::find(name).unwrap().encode(&body).unwrap();
            assert!(encoded.len() < body.len() / 2, "{name}");
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
            let back = super::super::decode::decode(&headers, encoded, 1 << 20).unwrap();
            assert_eq!(back, body, "{name}");
        }
        assert_eq!(Coding::find("lzma"), None);
    }
}
