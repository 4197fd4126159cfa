//! The fields of OTLP's messages as bytes (<https://github.com/open-telemetry/opentelemetry-proto>).
//!
//! Spans of one series have most of their attributes in common, and in protobuf a message may be put together from pieces: so
//! those bytes are made once and copied, where typed messages would allocate some twenty strings a span.

use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

/// `Span.attributes`.
const ATTRIBUTES: u32 = 9;
/// `Resource.attributes`.
pub(super) const RESOURCE_ATTRIBUTES: u32 = 1;

/// A field of bytes, text or another message.
pub(super) fn bytes(out: &mut Vec<u8>, tag: u32, parts: &[&[u8]]) {
    encode_key(tag, WireType::LengthDelimited, out);
    let length: usize = parts.iter().map(|part| part.len()).sum();
    encode_varint(length as u64, out);
    for part in parts {
        out.extend_from_slice(part);
    }
}

pub(super) fn varint(out: &mut Vec<u8>, tag: u32, value: u64) {
    encode_key(tag, WireType::Varint, out);
    encode_varint(value, out);
}

pub(super) fn fixed64(out: &mut Vec<u8>, tag: u32, value: u64) {
    encode_key(tag, WireType::SixtyFourBit, out);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn fixed32(out: &mut Vec<u8>, tag: u32, value: u32) {
    encode_key(tag, WireType::ThirtyTwoBit, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A `KeyValue` whose value is `value`, an encoded `AnyValue` of `length` bytes.
fn attribute(out: &mut Vec<u8>, tag: u32, key: &str, length: usize, value: impl FnOnce(&mut Vec<u8>)) {
    let of = |length: usize| 1 + encoded_len_varint(length as u64) + length;
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint((of(key.len()) + of(length)) as u64, out);
    bytes(out, 1, &[key.as_bytes()]);
    encode_key(2, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
    value(out);
}

/// An attribute of a resource or, by its field, of something else.
pub(super) fn text_in(out: &mut Vec<u8>, tag: u32, key: &str, value: &str) {
    let length = 1 + encoded_len_varint(value.len() as u64) + value.len();
    attribute(out, tag, key, length, |out| bytes(out, 1, &[value.as_bytes()]));
}

/// A span's attribute.
pub(super) fn text(out: &mut Vec<u8>, key: &str, value: &str) {
    text_in(out, ATTRIBUTES, key, value);
}

/// A span's attribute that is a whole number.
pub(super) fn whole(out: &mut Vec<u8>, key: &str, value: u64) {
    let length = 1 + encoded_len_varint(value);
    attribute(out, ATTRIBUTES, key, length, |out| varint(out, 3, value));
}

/// A span's attribute that is a number.
pub(super) fn number(out: &mut Vec<u8>, key: &str, value: f64) {
    attribute(out, ATTRIBUTES, key, 9, |out| fixed64(out, 4, value.to_bits()));
}

/// What a collector answers: `ExportTraceServiceResponse`, and the same for metrics.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::output) struct Answer {
    #[prost(message, optional, tag = "1")]
    pub(super) partial: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(super) rejected: i64,
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

/// What it answers to what it does not take: `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Complaint {
    #[prost(string, tag = "2")]
    pub(super) message: String,
}
