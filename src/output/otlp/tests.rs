//! A batch is never larger than a collector takes, and what is put together from pieces is a message.

use std::sync::Arc;

use prost::Message;

use super::encode::{Encoder, TracedRun};
use crate::metrics::{Epoch, Proto, Registry, RequestSpan, Span, SpanIds, SystemTags, TagSet, TagsId, Work};

/// The messages as the specification has them, as far as the test looks at them.
#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<ScopeSpans>,
    #[prost(string, tag = "3")]
    schema: String,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<WireSpan>,
}

#[derive(Clone, PartialEq, Message)]
struct WireSpan {
    #[prost(bytes = "vec", tag = "1")]
    trace: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(fixed32, tag = "16")]
    flags: u32,
}

fn span(registry: &Registry, name: &str, url: &str, times: Option<[f32; 7]>) -> Span {
    let tags: TagsId = registry.intern(&TagSet::from_pairs([("name", name), ("scenario", "s")]));
    Span {
        ids: SpanIds {
            trace: 5,
            id: 6,
            parent: 7,
            foreign: false,
        },
        start: 1,
        end: 2,
        sampled: true,
        link: None,
        work: Work::Request(RequestSpan {
            tags,
            url: url.into(),
            method: http::Method::POST,
            status: 200,
            error_code: 0,
            failed: false,
            proto: Proto::Http2,
            remote: None,
            resends: 0,
            times,
        }),
    }
}

fn encoder() -> (Encoder, Arc<Registry>) {
    let registry = Registry::new(SystemTags::default());
    let run = TracedRun::new("id", "script.js", Vec::new(), Epoch::now(), registry.clone());
    (Encoder::new(run, &[]), registry)
}

#[test]
fn what_is_put_together_is_a_message() {
    let (mut encoder, registry) = encoder();
    assert!(encoder.take().is_none());
    for (name, shown) in [
        ("http://h/items/:id?page=:id", "POST /items/:id"),
        ("http://h", "POST /"),
        ("login", "POST login"),
        ("POST /v1/set", "POST /v1/set"),
        ("", "POST"),
    ] {
        let many = span(&registry, name, "http://h/items/1?page=2", Some([1.5; 7]));
        encoder.add(&many);
        encoder.add(&many);
        let payload = encoder.take().unwrap();
        let request = Request::decode(payload.body).unwrap();
        assert!(
            request.resources[0]
                .schema
                .starts_with("https://opentelemetry.io/schemas/")
        );
        let spans = &request.resources[0].scopes[0].spans;
        assert_eq!((spans.len(), payload.spans), (2, 2));
        assert_eq!(spans[1].name, shown);
        assert_eq!(
            (spans[1].trace[15], spans[1].id[7], spans[1].flags),
            (5, 6, 0x101)
        );
        assert_eq!(payload.exemplars.len(), 2);
    }
    encoder.add(&span(&registry, "ws", "ws://h/", None));
    assert!(
        encoder.take().unwrap().exemplars.is_empty(),
        "no request of the histogram"
    );
}

#[test]
fn urls_without_end_take_no_memory_without_end() {
    let (mut encoder, registry) = encoder();
    for n in 0..20_000 {
        encoder.add(&span(&registry, "n", &format!("http://h/{n}"), None));
        if encoder.count() == 1000 {
            encoder.take();
        }
    }
    assert!(encoder.remembered() <= 8192);
}
