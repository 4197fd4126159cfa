//! Spans as OTLP bytes, with the attributes of the semantic conventions for HTTP clients
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rustc_hash::FxHashMap;
use url::Url;

use super::wire::{self, RESOURCE_ATTRIBUTES, bytes, fixed32, fixed64, number, text, text_in, varint, whole};
use crate::metrics::{
    Epoch, Exemplar, IterationEnd, IterationSpan, Proto, Registry, RequestSpan, Span, SystemTag, TagSet,
    TagsId, Work, error_text,
};

/// The conventions that the attributes follow.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.37.0";
/// `SpanKind`.
const INTERNAL: u64 = 1;
const CLIENT: u64 = 3;
/// `StatusCode`.
const ERROR: u64 = 2;
/// In a span's flags: whether its parent is of this process is known, and it is.
const IS_LOCAL: u32 = 0x100;
/// Past so many of a kind, what was made once is made again.
const REMEMBERED: usize = 8192;
/// Parameters of a URL that are secrets by convention.
const SECRET: [&str; 4] = ["AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature"];
/// The phases of `RequestSpan::times`, of which the first is their sum.
const PHASES: [&str; 6] = [
    "loadgen.phase.blocked",
    "loadgen.phase.connecting",
    "loadgen.phase.tls_handshaking",
    "loadgen.phase.sending",
    "loadgen.phase.waiting",
    "loadgen.phase.receiving",
];

/// The run that spans are of.
#[derive(Clone, Debug)]
pub struct TracedRun {
    id: String,
    script: String,
    scenarios: Vec<String>,
    epoch: Epoch,
    registry: Arc<Registry>,
}

impl TracedRun {
    /// `script` is what the user called it.
    pub fn new(
        id: &str,
        script: &str,
        scenarios: Vec<String>,
        epoch: Epoch,
        registry: Arc<Registry>,
    ) -> TracedRun {
        TracedRun {
            id: id.to_owned(),
            script: script.to_owned(),
            scenarios,
            epoch,
            registry,
        }
    }

    /// When it began.
    pub(in crate::output) fn began(&self) -> SystemTime {
        self.epoch.wall
    }

    /// What tells this run from all others: `given`, and what that does not say.
    pub(in crate::output) fn resource(&self, given: &[(String, String)]) -> Vec<(String, String)> {
        let scenarios = self.scenarios.join(",");
        let ours = [
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("service.instance.id", &self.id),
            ("telemetry.sdk.name", "loadgen"),
            ("telemetry.sdk.language", "rust"),
            ("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
            ("loadgen.run.id", &self.id),
            ("loadgen.script", &self.script),
            ("loadgen.scenarios", &scenarios),
        ];
        let ours = ours
            .into_iter()
            .filter(|(key, _)| !given.iter().any(|(known, _)| known == key))
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        given.iter().cloned().chain(ours).collect()
    }
}

/// A request to the collector.
pub(super) struct Payload {
    pub(super) body: Bytes,
    pub(super) spans: u64,
    /// What can be shown of it once the collector has taken it.
    pub(super) exemplars: Vec<Exemplar>,
}

/// What requests of a series have in common.
struct Series {
    /// What the request is of, without its method.
    target: String,
    attributes: Vec<u8>,
}

/// Makes requests to the collector out of spans.
pub(super) struct Encoder {
    run: TracedRun,
    /// The run's own span: its trace and id.
    own: (u128, u64),
    /// The epoch, in nanoseconds since 1970.
    zero: u64,
    resource: Vec<u8>,
    scope: Vec<u8>,
    series: FxHashMap<TagsId, Series>,
    urls: FxHashMap<Arc<str>, Vec<u8>>,
    peers: FxHashMap<SocketAddr, Vec<u8>>,
    /// The span under work.
    span: Vec<u8>,
    /// The spans so far.
    spans: Vec<u8>,
    count: u64,
    exemplars: Vec<Exemplar>,
}

impl Encoder {
    /// `attributes` are the resource's that are not the run's.
    pub(super) fn new(run: TracedRun, attributes: &[(String, String)]) -> Encoder {
        let mut resource = Vec::new();
        for (key, value) in run.resource(attributes) {
            text_in(&mut resource, RESOURCE_ATTRIBUTES, &key, &value);
        }
        let mut scope = Vec::new();
        bytes(&mut scope, 1, &[b"loadgen"]);
        bytes(&mut scope, 2, &[env!("CARGO_PKG_VERSION").as_bytes()]);
        let since_1970 = run.epoch.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        Encoder {
            own: (fastrand::u128(1..), fastrand::u64(1..)),
            zero: u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX),
            run,
            resource,
            scope,
            series: FxHashMap::default(),
            urls: FxHashMap::default(),
            peers: FxHashMap::default(),
            span: Vec::new(),
            spans: Vec::new(),
            count: 0,
            exemplars: Vec::new(),
        }
    }

    /// The bytes of all spans so far.
    pub(super) fn size(&self) -> usize {
        self.spans.len()
    }

    /// How many spans there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// How many addresses there is something in store for.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.urls.len()
    }

    /// One more span.
    pub(super) fn add(&mut self, span: &Span) {
        self.head(
            span.ids.trace,
            span.ids.id,
            span.ids.parent,
            (span.start, span.end),
        );
        match &span.work {
            Work::Request(request) => {
                self.request(request);
                if let Some(times) = request.times {
                    self.exemplars.push(Exemplar {
                        tags: request.tags,
                        duration: f64::from(times[0]),
                        at: self.zero + span.end,
                        trace: span.ids.trace,
                        span: span.ids.id,
                    });
                }
            }
            Work::Iteration(iteration) => self.iteration(iteration),
        }
        if let Some(link) = &span.link {
            self.link(**link);
        }
        fixed32(&mut self.span, 16, IS_LOCAL | u32::from(span.sampled));
        self.done();
    }

    /// The run itself, from the epoch until now.
    pub(super) fn add_run(&mut self) {
        let end = self.run.epoch.nanos(std::time::Instant::now());
        self.head(self.own.0, self.own.1, 0, (0, end));
        self.name(&[b"run ", self.run.script.clone().as_bytes()], INTERNAL);
        fixed32(&mut self.span, 16, IS_LOCAL | 1);
        self.done();
    }

    /// Everything since the last time; `None` if there is nothing.
    pub(super) fn take(&mut self) -> Option<Payload> {
        if self.count == 0 {
            return None;
        }
        // ScopeSpans in ResourceSpans in ExportTraceServiceRequest.
        let mut scope = Vec::new();
        bytes(&mut scope, 1, &[&self.scope]);
        let mut schema = Vec::new();
        bytes(&mut schema, 3, &[SCHEMA.as_bytes()]);
        let mut head = Vec::new();
        bytes(&mut head, 1, &[&self.resource]);
        let mut body = Vec::with_capacity(self.spans.len() + self.resource.len() + 512);
        let mut spans = Vec::with_capacity(self.spans.len() + 256);
        bytes(&mut spans, 2, &[&scope, &self.spans, &schema]);
        bytes(&mut body, 1, &[&head, &spans, &schema]);
        self.spans.clear();
        Some(Payload {
            body: body.into(),
            spans: std::mem::take(&mut self.count),
            exemplars: std::mem::take(&mut self.exemplars),
        })
    }

    fn head(&mut self, trace: u128, id: u64, parent: u64, (start, end): (u64, u64)) {
        let out = &mut self.span;
        out.clear();
        bytes(out, 1, &[&trace.to_be_bytes()]);
        bytes(out, 2, &[&id.to_be_bytes()]);
        if parent != 0 {
            bytes(out, 4, &[&parent.to_be_bytes()]);
        }
        fixed64(out, 7, self.zero + start);
        fixed64(out, 8, self.zero + end);
    }

    fn name(&mut self, parts: &[&[u8]], kind: u64) {
        bytes(&mut self.span, 5, parts);
        varint(&mut self.span, 6, kind);
    }

    fn link(&mut self, (trace, id): (u128, u64)) {
        let mut link = Vec::with_capacity(28);
        bytes(&mut link, 1, &[&trace.to_be_bytes()]);
        bytes(&mut link, 2, &[&id.to_be_bytes()]);
        bytes(&mut self.span, 13, &[&link]);
    }

    fn error(&mut self, kind: &str, message: &str) {
        text(&mut self.span, "error.type", kind);
        let mut status = Vec::with_capacity(message.len() + 4);
        if !message.is_empty() {
            bytes(&mut status, 2, &[message.as_bytes()]);
        }
        varint(&mut status, 3, ERROR);
        bytes(&mut self.span, 15, &[&status]);
    }

    fn done(&mut self) {
        bytes(&mut self.spans, 2, &[&self.span]);
        self.count += 1;
    }

    fn request(&mut self, request: &RequestSpan) {
        let series = remembered(&mut self.series, request.tags, |tags| {
            series(&self.run.registry.tags(*tags))
        });
        let out = &mut self.span;
        // Methods that are not well known would make names without end.
        let known = crate::metrics::MethodTag::from(&request.method) != crate::metrics::MethodTag::Other;
        let method = if known { request.method.as_str() } else { "HTTP" };
        // A script may have named the method itself.
        let named = series.target.strip_prefix(method).unwrap_or(&series.target);
        let space: &[u8] = if named.is_empty() || named.starts_with(' ') {
            b""
        } else {
            b" "
        };
        bytes(out, 5, &[method.as_bytes(), space, named.as_bytes()]);
        varint(out, 6, CLIENT);
        out.extend_from_slice(&series.attributes);
        if known {
            text(out, "http.request.method", method);
        } else {
            text(out, "http.request.method", "_OTHER");
            text(out, "http.request.method_original", request.method.as_str());
        }
        out.extend(remembered(&mut self.urls, request.url.clone(), |url| {
            address(url)
        }));
        if request.status != 0 {
            whole(out, "http.response.status_code", request.status.into());
        }
        if let Some(remote) = request.remote {
            out.extend(remembered(&mut self.peers, remote, peer));
        }
        let version = match request.proto {
            Proto::None => "",
            Proto::Http10 => "1.0",
            Proto::Http11 => "1.1",
            Proto::Http2 => "2",
        };
        if !version.is_empty() {
            text(out, "network.protocol.name", "http");
            text(out, "network.protocol.version", version);
        }
        if request.resends > 0 {
            whole(out, "http.request.resend_count", request.resends.into());
        }
        let phases = request.times.iter().flat_map(|times| &times[1..]);
        for (name, millis) in PHASES.iter().zip(phases).filter(|(_, millis)| **millis > 0.0) {
            number(out, name, f64::from(*millis) / 1e3);
        }
        if request.error_code != 0 {
            whole(out, "loadgen.error_code", request.error_code.into());
        }
        if request.failed {
            let message = error_text(request.error_code);
            let status = request.status.to_string();
            match message {
                "" => self.error(&status, ""),
                "request timeout" => self.error("timeout", message),
                message => self.error(message, message),
            }
        }
    }

    fn iteration(&mut self, iteration: &IterationSpan) {
        let tags = self.run.registry.tags(iteration.tags);
        let scenario = tags.get(SystemTag::Scenario.as_str()).unwrap_or_default();
        let space: &[u8] = if scenario.is_empty() { b"" } else { b" " };
        self.name(&[iteration.what.as_bytes(), space, scenario.as_bytes()], INTERNAL);
        self.span.extend_from_slice(&series(&tags).attributes);
        whole(&mut self.span, "loadgen.vu", iteration.vu);
        whole(&mut self.span, "loadgen.iteration", iteration.number);
        self.link(self.own);
        match iteration.ended {
            IterationEnd::Complete => {}
            IterationEnd::Threw => self.error("exception", "the script threw an exception"),
            IterationEnd::Interrupted => text(&mut self.span, "loadgen.interrupted", "true"),
        }
    }
}

/// What was made of `key` before, or is made now.
fn remembered<K, V>(known: &mut FxHashMap<K, V>, key: K, make: impl FnOnce(&K) -> V) -> &V
where
    K: std::hash::Hash + Eq,
{
    if known.len() >= REMEMBERED && !known.contains_key(&key) {
        known.clear();
    }
    match known.entry(key) {
        std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
        std::collections::hash_map::Entry::Vacant(entry) => {
            let value = make(entry.key());
            entry.insert(value)
        }
    }
}

fn series(tags: &TagSet) -> Series {
    let mut out = Vec::new();
    let mut target = String::new();
    for (key, value) in tags.iter().filter(|(_, value)| !value.is_empty()) {
        match SystemTag::from_key(key) {
            Some(SystemTag::Name) => match path_of(value) {
                Some(path) => {
                    text(&mut out, "url.template", path);
                    path.clone_into(&mut target);
                }
                None => {
                    text(&mut out, "loadgen.name", value);
                    value.clone_into(&mut target);
                }
            },
            Some(SystemTag::Scenario) => text(&mut out, "loadgen.scenario", value),
            Some(SystemTag::Group) => text(&mut out, "loadgen.group", value),
            Some(SystemTag::TlsVersion) => {
                let version = value.strip_prefix("tls").unwrap_or(value);
                text(&mut out, "tls.protocol.version", version);
            }
            Some(SystemTag::Service) | None => {
                text(&mut out, &format!("loadgen.tag.{key}"), value);
            }
            // Of the single request, not of the series; or said by another attribute.
            Some(_) => {}
        }
    }
    Series {
        target,
        attributes: out,
    }
}

/// The path of a templated URL; `None` for a name that the script gave.
fn path_of(name: &str) -> Option<&str> {
    let (_, rest) = name.split_once("://")?;
    let path = rest.find(['/', '?', '#']).map_or("/", |at| &rest[at..]);
    let end = path.find(['?', '#']).unwrap_or(path.len());
    Some(if end == 0 { "/" } else { &path[..end] })
}

fn address(url: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let Ok(parsed) = Url::parse(url) else {
        text(&mut out, "url.full", url);
        return out;
    };
    text(&mut out, "url.full", &without_secrets(url, &parsed));
    if let Some(host) = parsed.host_str() {
        text(&mut out, "server.address", host.trim_matches(['[', ']']));
    }
    if let Some(port) = parsed.port_or_known_default() {
        whole(&mut out, "server.port", port.into());
    }
    out
}

fn without_secrets(text: &str, url: &Url) -> String {
    let Some(query) = url
        .query()
        .filter(|query| SECRET.iter().any(|key| query.contains(key)))
    else {
        return text.to_owned();
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) if SECRET.contains(&key) => format!("{key}=REDACTED"),
        _ => pair.to_owned(),
    });
    let kept: Vec<String> = pairs.collect();
    let mut url = url.clone();
    url.set_query(Some(&kept.join("&")));
    url.into()
}

fn peer(remote: &SocketAddr) -> Vec<u8> {
    let mut out = Vec::new();
    text(&mut out, "network.peer.address", &remote.ip().to_string());
    whole(&mut out, "network.peer.port", remote.port().into());
    out
}

/// What a collector answered to a request that it took: how many spans or points it did not take, and why.
pub(in crate::output) fn rejected(answer: &wire::Answer) -> Option<(u64, &str)> {
    let partial = answer.partial.as_ref()?;
    let rejected = u64::try_from(partial.rejected).unwrap_or(0);
    (rejected > 0).then_some((rejected, partial.message.as_str()))
}
