//! Content codings: what a body was before the server compressed it (RFC 9110, 8.4).
//!
//! Decoding stops as soon as it has produced more than the caller allows, so a few kilobytes that would unfold to
//! gigabytes cost no more than the limit.

use std::io::{self, Read};

use bytes::Bytes;
use http::{HeaderMap, header};

use super::error::{NetError, code};

/// The largest window that a zstd frame may ask for: 128 MiB is the format's recommended limit for decoders.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Undoes the codings that `Content-Encoding` names, the last one first. A body with a coding that is not known is
/// left as it is from there on, as k6 does. Errors: not what the header says (1701), larger than `limit` (1000).
pub(super) fn decode(headers: &HeaderMap, body: Bytes, limit: usize) -> Result<Bytes, NetError> {
    if body.is_empty() || !headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(body);
    }
    let mut codings: Vec<String> = Vec::new();
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let Ok(value) = value.to_str() else {
            return Ok(body);
        };
        codings.extend(value.split(',').map(|coding| coding.trim().to_ascii_lowercase()));
    }
    let mut body = body;
    for coding in codings.iter().rev() {
        body = match coding.as_str() {
            "" | "identity" => continue,
            "gzip" | "x-gzip" => bounded(flate2::read::MultiGzDecoder::new(&body[..]), coding, limit)?,
            // The coding "deflate" is the zlib format; servers that send bare deflate are as old as the web.
            "deflate" if is_zlib(&body) => bounded(flate2::read::ZlibDecoder::new(&body[..]), coding, limit)?,
            "deflate" => bounded(flate2::read::DeflateDecoder::new(&body[..]), coding, limit)?,
            "br" => bounded(brotli::Decompressor::new(&body[..], 4096), coding, limit)?,
            "zstd" => {
                let decoder = zstd::stream::read::Decoder::with_buffer(&body[..]).and_then(|mut decoder| {
                    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                    Ok(decoder)
                });
                bounded(decoder.map_err(|error| corrupt(coding, &error))?, coding, limit)?
            }
            _ => return Ok(body),
        };
    }
    Ok(body)
}

fn bounded(decoder: impl Read, coding: &str, limit: usize) -> Result<Bytes, NetError> {
    let mut out = Vec::new();
    decoder
        .take((limit as u64).saturating_add(1))
        .read_to_end(&mut out)
        .map_err(|error| corrupt(coding, &error))?;
    if out.len() > limit {
        return Err(NetError::body_too_large(limit));
    }
    Ok(out.into())
}

fn corrupt(coding: &str, error: &io::Error) -> NetError {
    NetError::new(
        code::DECOMPRESSION,
        format!("the response body is not valid {coding}: {error}"),
    )
}

/// RFC 1950, 2.2: method 8, and the first two bytes as a number are a multiple of 31.
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [method, flags, ..]
        if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31))
}
