//! What `k6/ws` and `k6/websockets` share: the arguments of a connection, and a session with its metrics.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Instant};

use rquickjs::{
    Class, Coerced, Ctx, Exception, FromJs, Function, JsLifetime, Object, Result, Value,
    class::{Trace, Tracer},
};

use super::{
    http::{jar::CookieJar, params},
    metrics::tag_pairs,
    refusal::Refusal,
};
use crate::{
    metrics::{NameId, SystemTag, TagsId, builtin},
    net::{JarChoice, NetError, Opening, Request, Target, WebSocket, close_code},
    script::host::Host,
};

/// Pings that wait for their pong; what a server leaves unanswered beyond that is forgotten.
const PINGS_KEPT: usize = 1024;

/// A connection as a script asks for it.
pub struct Plan {
    pub request: Request,
    /// Subprotocols to offer.
    pub protocols: Vec<String>,
    label: Label,
}

/// What the samples of a connection are tagged with, as far as it is known before there is an answer.
#[derive(Clone, Copy)]
struct Label {
    /// Run, scenario and group tags, and those of the call.
    context: TagsId,
    name: NameId,
}

/// What a module does with parameters that it does not know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    Ignored,
    Refused,
}

impl Plan {
    /// Reads the URL and the parameters. The inner error is a URL that no WebSocket can be opened to.
    pub fn read<'js>(
        ctx: &Ctx<'js>,
        host: &Host,
        url: &Value<'js>,
        params: Option<&Value<'js>>,
        unknown: Unknown,
    ) -> Result<std::result::Result<Plan, (String, NetError)>> {
        let (url, template) = params::url_of(ctx, url).map_err(|refusal| refusal.thrown(ctx, ""))?;
        let target = match Target::websocket(&url) {
            Ok(target) => target,
            Err(error) => return Ok(Err((url, error))),
        };
        let recorder = &host.workshop.recorder;
        let mut plan = Plan {
            request: Request::get(target),
            protocols: Vec::new(),
            label: Label {
                context: host.context(),
                name: match (host.named.get(), template) {
                    (Some(name), _) => name,
                    (None, Some(name)) => recorder.name(&name),
                    (None, None) => recorder.url_name(&url),
                },
            },
        };
        if let Some(params) = params.and_then(Value::as_object) {
            plan.apply(ctx, host, params, unknown)?;
        }
        Ok(Ok(plan))
    }

    fn apply<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        host: &Host,
        params: &Object<'js>,
        unknown: Unknown,
    ) -> Result<()> {
        let thrown = |refusal: Refusal| refusal.thrown(ctx, "");
        for entry in params.props::<String, Value>() {
            let (key, value) = entry?;
            if value.is_undefined() || value.is_null() {
                continue;
            }
            match key.as_str() {
                "headers" => params::headers(ctx, &value, &mut self.request).map_err(thrown)?,
                "cookies" => params::cookies(ctx, &value, &mut self.request)?,
                // The dialect has no such parameter: it always waits a minute, which is our default too.
                "timeout" => self.request.timeout = params::timeout(&value).map_err(thrown)?,
                "jar" => {
                    let jar = Class::<CookieJar>::from_js(ctx, value)
                        .map_err(|_| Exception::throw_type(ctx, "`jar` must be a CookieJar"))?;
                    self.request.jar = JarChoice::Explicit(jar.borrow().jar());
                }
                "tags" => self.tags(ctx, host, &value)?,
                "compression" => compression(ctx, host, &value)?,
                _ if unknown == Unknown::Ignored => {}
                other => {
                    let message = format!(
                        "unknown WebSocket's option {other}; there are: headers, tags, jar, cookies, timeout, compression"
                    );
                    return Err(Exception::throw_message(ctx, &message));
                }
            }
        }
        Ok(())
    }

    fn tags<'js>(&mut self, ctx: &Ctx<'js>, host: &Host, value: &Value<'js>) -> Result<()> {
        let pairs = tag_pairs(ctx, value).map_err(|refusal| refusal.thrown(ctx, ""))?;
        let mut extra: Vec<(&str, &str)> = Vec::with_capacity(pairs.len());
        for (key, value) in &pairs {
            if key == "name" {
                self.label.name = host.workshop.recorder.name(value);
            } else {
                extra.push((key, value));
            }
        }
        self.label.context = host.context_with(&extra);
        Ok(())
    }
}

impl Label {
    /// The tags of a session: as for a request, `name` and `url` are the templated URL or the given name.
    fn tagged(self, host: &Host, opening: &Opening) -> TagsId {
        let registry = &host.workshop.registry;
        let name = registry.name_text(self.name);
        let status = opening.status.to_string();
        let ip = opening.remote.map(|remote| remote.ip().to_string());
        let pairs = [
            (SystemTag::Name, &*name),
            (SystemTag::Url, &*name),
            (SystemTag::Status, if opening.status == 0 { "" } else { &status }),
            (SystemTag::Subproto, opening.protocol()),
            (SystemTag::Ip, ip.as_deref().unwrap_or_default()),
        ];
        let on: Vec<(&str, &str)> = pairs
            .iter()
            .filter(|(tag, text)| !text.is_empty() && registry.system_tags().contains(*tag))
            .map(|(tag, text)| (tag.as_str(), *text))
            .collect();
        host.workshop.recorder.context(self.context, &on)
    }
}

fn compression<'js>(ctx: &Ctx<'js>, host: &Host, value: &Value<'js>) -> Result<()> {
    let algorithm = Coerced::<String>::from_js(ctx, value.clone())?.0;
    match algorithm.trim() {
        "" => {}
        "deflate" => {
            if host.workshop.program.first_complaint(0, "websocket compression") {
                tracing::warn!(
                    "`compression: 'deflate'` has no effect: WebSocket messages are sent and asked for uncompressed"
                );
            }
        }
        other => {
            let message =
                format!("unsupported compression algorithm '{other}', supported algorithm is 'deflate'");
            return Err(Exception::throw_message(ctx, &message));
        }
    }
    Ok(())
}

/// What came of a connection: a session, or why there is none, and the answer in either case.
pub struct Attempt {
    pub session: std::result::Result<Session, NetError>,
    pub answer: Answer,
    /// What its samples are tagged with, and how many milliseconds it took.
    pub tags: TagsId,
    pub took: f64,
}

/// The HTTP side of a handshake.
#[derive(Clone, Default)]
pub struct Answer {
    pub url: String,
    pub status: u16,
    pub protocol: String,
    pub headers: http::HeaderMap,
    pub body: bytes::Bytes,
    pub timings: crate::net::Timings,
}

/// Opens a WebSocket and counts that. As in the dialect a session counts as started, and its connecting is timed,
/// also when it does not open; the `status` tag tells which did.
pub async fn open(host: &Rc<Host>, plan: Plan) -> Attempt {
    let opening = host.client.websocket(plan.request, &plan.protocols).await;
    let tags = plan.label.tagged(host, &opening);
    let took = opening.took.as_secs_f64() * 1000.0;
    host.record(builtin::WS_SESSIONS, tags, 1.0);
    host.record(builtin::WS_CONNECTING, tags, took);
    host.add_bytes((opening.sent, opening.received));
    if let (Some(trail), Some(ids)) = (&host.trail, opening.trace) {
        let epoch = &host.workshop.epoch;
        let times = (
            epoch.nanos(opening.started),
            epoch.nanos(opening.started + opening.took),
        );
        trail.request(ids, times, opening.socket.is_err(), || opening.span(tags));
    }
    let answer = Answer {
        url: opening.target.as_str().to_owned(),
        status: opening.status,
        protocol: opening.protocol().to_owned(),
        headers: opening.headers,
        body: opening.body,
        timings: opening.timings,
    };
    let session = match opening.socket {
        Ok(socket) => Ok(Session {
            host: host.clone(),
            socket,
            tags,
            started: opening.started,
            pings: VecDeque::new(),
            next_ping: 0,
            finished: false,
        }),
        Err(error) => {
            host.workshop.complain(&error, &answer.url);
            Err(error)
        }
    };
    Attempt {
        session,
        answer,
        tags,
        took,
    }
}

/// Counts a session with `k6/ws` to what is no URL of a WebSocket: in the dialect it is one, which fails at once.
pub fn count_unopened(host: &Host, url: &str) {
    let name = host
        .workshop
        .registry
        .name_text(host.workshop.recorder.url_name(url));
    let on = |tag: &SystemTag| host.workshop.registry.system_tags().contains(*tag);
    let tags: Vec<(&str, &str)> = [SystemTag::Name, SystemTag::Url]
        .iter()
        .filter(|tag| on(tag))
        .map(|tag| (tag.as_str(), &*name))
        .collect();
    let tags = host.context_with(&tags);
    host.record(builtin::WS_SESSIONS, tags, 1.0);
    host.record(builtin::WS_CONNECTING, tags, 0.0);
    host.record(builtin::WS_SESSION_DURATION, tags, 0.0);
}

/// An open WebSocket of a virtual user. Dropped, as when the iteration is interrupted, it closes and is counted.
pub struct Session {
    host: Rc<Host>,
    pub socket: WebSocket,
    tags: TagsId,
    started: Instant,
    pings: VecDeque<(u64, Instant)>,
    next_ping: u64,
    finished: bool,
}

impl Session {
    /// Sends a ping whose answer will be timed.
    pub fn ping(&mut self) {
        let id = self.next_ping;
        self.next_ping += 1;
        self.socket.ping(id.to_string());
        if self.pings.len() >= PINGS_KEPT {
            self.pings.pop_front();
        }
        self.pings.push_back((id, Instant::now()));
    }

    /// A pong has come; one that answers none of our pings does not count.
    pub fn ponged(&mut self, payload: &[u8]) {
        let id = std::str::from_utf8(payload)
            .ok()
            .and_then(|text| text.parse::<u64>().ok());
        let Some(at) = self.pings.iter().position(|(known, _)| Some(*known) == id) else {
            return;
        };
        if let Some((_, sent)) = self.pings.remove(at) {
            let took = sent.elapsed().as_secs_f64() * 1000.0;
            self.host.record(builtin::WS_PING, self.tags, took);
        }
    }

    /// A ping or a close was sent, which are messages for `k6/websockets`, though not for `k6/ws`.
    pub fn sent_control(&self) {
        self.host.record(builtin::WS_MSGS_SENT, self.tags, 1.0);
    }

    /// A message has come.
    pub fn received(&self) {
        self.host.record(builtin::WS_MSGS_RECEIVED, self.tags, 1.0);
    }

    /// Counts what was written and what went over the wire since the last time.
    pub fn book(&mut self) {
        let sent = self.socket.take_sent();
        if sent > 0 {
            self.host.record(builtin::WS_MSGS_SENT, self.tags, sent as f64);
        }
        self.host.add_bytes(self.socket.take_bytes());
    }

    /// Closes without waiting, and counts the session.
    pub fn finish(&mut self, code: u16) {
        if !std::mem::replace(&mut self.finished, true) {
            self.socket.abandon(code, "");
            self.book();
            let took = self.started.elapsed().as_secs_f64() * 1000.0;
            self.host.record(builtin::WS_SESSION_DURATION, self.tags, took);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.finish(close_code::GOING_AWAY);
    }
}

/// Functions that are called when something happens.
#[derive(JsLifetime)]
pub struct Listeners<'js>(RefCell<Vec<Listener<'js>>>);

#[derive(JsLifetime)]
struct Listener<'js> {
    event: String,
    /// Set as a property (`onmessage`) of which there is one at most.
    property: bool,
    function: Function<'js>,
}

impl<'js> Trace<'js> for Listeners<'js> {
    fn trace<'a>(&self, tracer: Tracer<'a, 'js>) {
        for listener in self.0.borrow().iter() {
            listener.function.trace(tracer);
        }
    }
}

impl<'js> Listeners<'js> {
    pub fn new() -> Listeners<'js> {
        Listeners(RefCell::default())
    }

    pub fn add(&self, event: &str, function: Function<'js>) {
        self.0.borrow_mut().push(Listener {
            event: event.to_owned(),
            property: false,
            function,
        });
    }

    /// Removes the first listener that is this function.
    pub fn remove(&self, event: &str, function: &Function<'js>) {
        let mut all = self.0.borrow_mut();
        let same =
            |known: &Listener<'js>| !known.property && known.event == event && known.function == *function;
        if let Some(at) = all.iter().position(same) {
            all.remove(at);
        }
    }

    /// Sets or, with `None`, unsets the one that is a property; it is called before the others.
    pub fn set(&self, event: &str, function: Option<Function<'js>>) {
        let mut all = self.0.borrow_mut();
        all.retain(|known| !(known.property && known.event == event));
        if let Some(function) = function {
            all.insert(
                0,
                Listener {
                    event: event.to_owned(),
                    property: true,
                    function,
                },
            );
        }
    }

    /// The one that is a property.
    pub fn get(&self, event: &str) -> Option<Function<'js>> {
        let all = self.0.borrow();
        let found = all.iter().find(|known| known.property && known.event == event);
        found.map(|known| known.function.clone())
    }

    /// Those of an event, as they are now.
    pub fn of(&self, event: &str) -> Vec<Function<'js>> {
        let all = self.0.borrow();
        all.iter()
            .filter(|known| known.event == event)
            .map(|known| known.function.clone())
            .collect()
    }

    /// Forgets all: they mostly hold the socket that holds them.
    pub fn clear(&self) {
        self.0.take();
    }
}
