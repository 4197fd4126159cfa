//! W3C trace context: who a request says that it is to the target's own tracing (<https://www.w3.org/TR/trace-context/>).
//!
//! A client that was told what its requests belong to gives each hop a span id of its own and a `traceparent` header. The
//! header is written on the stack and copied into a buffer that is used again once the requests before are gone, so it
//! costs no allocation of its own. A header that the caller gave wins.

use std::cell::{Cell, RefCell};

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue};

use super::request::Request;
use super::response::Hop;
use crate::metrics::{Epoch, Opened, RequestSpan, SpanIds, TagsId};

/// The header's name.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The length of a header of version 00.
const LENGTH: usize = 55;

/// How many headers a buffer has room for.
const HEADERS: usize = 16;

/// What requests belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// Never zero.
    pub trace: u128,
    /// The span that requests are children of. Never zero.
    pub span: u64,
    /// Whether the target is asked to record its part.
    pub sampled: bool,
}

impl TraceContext {
    /// The header's value.
    pub fn header(&self) -> [u8; LENGTH] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        hex(&self.trace.to_be_bytes(), &mut text[3..35]);
        hex(&self.span.to_be_bytes(), &mut text[36..52]);
        text[54] = b'0' + u8::from(self.sampled);
        text
    }

    /// What a header says; `None` if it is none. Of later versions the part that is known counts.
    pub fn parse(text: &[u8]) -> Option<TraceContext> {
        let known = text.get(..LENGTH)?;
        let separated = known[2] == b'-' && known[35] == b'-' && known[52] == b'-';
        let version = number(&known[..2])?;
        let whole = text.len() == LENGTH || (version > 0 && text[LENGTH] == b'-');
        let context = TraceContext {
            trace: number(&known[3..35])?,
            span: u64::try_from(number(&known[36..52])?).ok()?,
            sampled: number(&known[53..55])? & 1 == 1,
        };
        (separated && whole && version != 0xff && context.trace != 0 && context.span != 0).then_some(context)
    }
}

impl From<Opened> for TraceContext {
    fn from(opened: Opened) -> TraceContext {
        TraceContext {
            trace: opened.trace,
            span: opened.root,
            sampled: opened.sampled,
        }
    }
}

fn hex(bytes: &[u8], text: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, digits) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        digits[0] = DIGITS[usize::from(byte >> 4)];
        digits[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// Hexadecimal digits in lower case, as the standard has them.
fn number(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |sum: u128, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(sum << 4 | u128::from(digit))
    })
}

/// A client's part in tracing. Unused it holds no heap memory.
#[derive(Debug, Default)]
pub(super) struct Stamp {
    context: Cell<Option<TraceContext>>,
    random: RefCell<Option<fastrand::Rng>>,
    buffer: RefCell<BytesMut>,
}

impl Stamp {
    /// What later requests belong to.
    pub(super) fn set(&self, context: Option<TraceContext>) {
        self.context.set(context);
    }

    /// Gives the next hop an identity, and the request the header that tells it.
    pub(super) fn apply(&self, request: &mut Request) -> Option<SpanIds> {
        let (ids, header) = self.mark(request.given(&TRACEPARENT))?;
        request.added.traceparent = header;
        Some(ids)
    }

    /// An identity for what is sent next, and the header that tells it, unless the caller has `given` one.
    pub(super) fn mark(&self, given: Option<&HeaderValue>) -> Option<(SpanIds, Option<HeaderValue>)> {
        let context = self.context.get()?;
        let id = self.id();
        let ids = SpanIds {
            trace: context.trace,
            id,
            parent: context.span,
            foreign: false,
        };
        if let Some(own) = given {
            // The target's spans are children of the one that the script names, so ours is another child of it.
            let ids = match TraceContext::parse(own.as_bytes()) {
                Some(own) => SpanIds {
                    trace: own.trace,
                    id,
                    parent: own.span,
                    foreign: true,
                },
                None => ids,
            };
            return Some((ids, None));
        }
        let header = TraceContext { span: id, ..context }.header();
        Some((ids, HeaderValue::from_maybe_shared(self.shared(&header)).ok()))
    }

    fn id(&self) -> u64 {
        let mut random = self.random.borrow_mut();
        random.get_or_insert_with(fastrand::Rng::new).u64(1..)
    }

    fn shared(&self, header: &[u8; LENGTH]) -> Bytes {
        let mut buffer = self.buffer.borrow_mut();
        if buffer.capacity() < LENGTH {
            // Takes the same memory again unless a request still holds a part of it.
            buffer.reserve(LENGTH * HEADERS);
        }
        buffer.extend_from_slice(header);
        buffer.split().freeze()
    }
}

impl Hop<'_> {
    /// Whether it counts as failed: by the caller's expectation, or without one by its status.
    pub fn failed(&self, expected: Option<bool>) -> bool {
        self.error.is_some() || expected.map_or(self.status >= 400, |expected| !expected)
    }

    /// This transaction as a span. `tags` are those of its samples, `failed` the caller's judgement, `before` the hops that
    /// led here.
    pub fn span(&self, epoch: &Epoch, tags: TagsId, failed: bool, before: u32) -> RequestSpan {
        RequestSpan {
            tags,
            url: self.target.text(),
            method: self.method.clone(),
            status: self.status,
            error_code: self.error_code(),
            failed,
            proto: self.proto,
            remote: self.remote,
            resends: before,
            times: Some(self.record(epoch).phases()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Target;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_standard_s_example_goes_both_ways() {
        let context = TraceContext {
            trace: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
            span: 0x00f0_67aa_0ba9_02b7,
            sampled: true,
        };
        assert_eq!(std::str::from_utf8(&context.header()).unwrap(), EXAMPLE);
        assert_eq!(TraceContext::parse(EXAMPLE.as_bytes()), Some(context));
        let unsampled = TraceContext {
            sampled: false,
            ..context
        };
        assert_eq!(TraceContext::parse(&unsampled.header()), Some(unsampled));
    }

    #[test]
    fn what_is_no_traceparent() {
        let later = format!("01{}-more", &EXAMPLE[2..]);
        assert!(TraceContext::parse(later.as_bytes()).is_some());
        for wrong in [
            "",
            "00",
            &EXAMPLE[..54],
            &EXAMPLE.to_uppercase(),
            &EXAMPLE.replace('-', "_"),
            &format!("{EXAMPLE}-more"),
            &format!("ff{}", &EXAMPLE[2..]),
            &format!("01{}x", &EXAMPLE[2..]),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    fn request() -> Request {
        Request::get(Target::parse("http://h/").unwrap())
    }

    fn header(request: &Request) -> Option<String> {
        let headers = request.wire_headers(None);
        let value = headers.get(TRACEPARENT)?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn each_hop_has_its_own_id_in_the_same_trace() {
        let stamp = Stamp::default();
        let mut request = request();
        assert_eq!(stamp.apply(&mut request), None);
        assert_eq!(header(&request), None);
        let context = TraceContext {
            trace: 7,
            span: 9,
            sampled: true,
        };
        stamp.set(Some(context));
        let mut seen = Vec::new();
        for _ in 0..HEADERS * 3 {
            let ids = stamp.apply(&mut request).unwrap();
            assert_eq!((ids.trace, ids.parent, ids.foreign), (7, 9, false));
            let told = TraceContext::parse(header(&request).unwrap().as_bytes()).unwrap();
            assert_eq!((told.trace, told.span, told.sampled), (7, ids.id, true));
            seen.push(ids.id);
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), HEADERS * 3);
    }

    #[test]
    fn a_header_of_the_caller_s_wins_and_decides_the_trace() {
        let stamp = Stamp::default();
        stamp.set(Some(TraceContext {
            trace: 7,
            span: 9,
            sampled: true,
        }));
        let mut request = request();
        request
            .headers
            .insert(TRACEPARENT, HeaderValue::from_static(EXAMPLE));
        let ids = stamp.apply(&mut request).unwrap();
        assert_eq!(header(&request).as_deref(), Some(EXAMPLE));
        assert_eq!(
            (ids.trace, ids.parent, ids.foreign),
            (
                0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
                0x00f0_67aa_0ba9_02b7,
                true
            )
        );
        // One that says nothing is sent as it is, and the span stays where it belongs.
        request
            .headers
            .insert(TRACEPARENT, HeaderValue::from_static("mine"));
        let ids = stamp.apply(&mut request).unwrap();
        assert_eq!(header(&request).as_deref(), Some("mine"));
        assert_eq!((ids.trace, ids.foreign), (7, false));
    }
}
