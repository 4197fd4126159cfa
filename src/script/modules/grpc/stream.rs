//! `new grpc.Stream(client, method, params)`: messages both ways on the virtual user's event loop, which lasts as long as
//! its streams.
//!
//! What follows k6 and is not obvious: a stream begins at once; `write` never waits, and is nothing after `end`; `error` comes
//! before `end`, and `end` comes in any case; a message that does not fit its type ends the stream with an `error`; a method
//! that takes one message has all it takes with the first `write`.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prost_reflect::DynamicMessage;
use rquickjs::{
    Class, Ctx, Exception, JsLifetime, Object, Persistent, Result, Value, class::Trace, function::Opt,
};

use super::{
    Client,
    call::{self, Counting},
    params::CallParams,
    value,
};
use crate::{
    metrics::builtin,
    net::grpc::{Call, Code, Exchange, Method, Queue, Status, Step},
    script::{events::Settle, host::Host, modules::sockets::Listeners},
};

/// What can be listened to. Nothing is ever told of a `status`, in the dialect neither.
const EVENTS: [&str; 4] = ["data", "error", "end", "status"];
/// How long a new stream waits for a connection that was lost.
const CONNECTING: Duration = Duration::from_mins(1);

/// A stream as scripts see it.
#[derive(Trace, JsLifetime)]
#[rquickjs::class]
pub struct Stream<'js> {
    #[qjs(skip_trace)]
    host: Rc<Host>,
    #[qjs(skip_trace)]
    method: Arc<Method>,
    #[qjs(skip_trace)]
    outgoing: Outgoing,
    listeners: Listeners<'js>,
}

/// Where messages go out.
struct Outgoing {
    queue: Rc<Queue>,
    channel: Rc<crate::net::grpc::Channel>,
}

/// `new Stream(client, method, params)`.
pub fn make<'js>(
    ctx: Ctx<'js>,
    client: Opt<Value<'js>>,
    method: Opt<Value<'js>>,
    params: Opt<Value<'js>>,
) -> Result<Class<'js, Stream<'js>>> {
    let host = Host::of(&ctx)?;
    super::require_running(&ctx, &host, "creating a gRPC stream")?;
    let invalid = |what: &str, why: &str| {
        Exception::throw_message(&ctx, &format!("invalid GRPC Stream's {what}: {why}"))
    };
    let client = client.0.filter(|value| !value.is_undefined() && !value.is_null());
    let client = client.ok_or_else(|| invalid("client", "empty gRPC client"))?;
    let client = client
        .get::<Class<Client>>()
        .map_err(|_| invalid("client", "not a gRPC client"))?;
    let client = client.borrow();
    let channel = client
        .channel()
        .ok_or_else(|| invalid("client", super::NOT_CONNECTED))?;
    let method = client
        .method(&super::text_of(&ctx, method.0)?)
        .map_err(|why| invalid("method", &why))?;
    let params = CallParams::read(&ctx, "GRPC Stream's", params.0.as_ref())?;
    let mut call = Call {
        path: method.path().clone(),
        metadata: params.metadata,
        timeout: params.timeout,
    };
    // Where the connection was lost it is made again now: a stream that cannot begin is an exception.
    let ready = host.wait_for(&ctx, Box::pin(channel.ready(CONNECTING)))?;
    ready.map_err(|status| {
        Exception::throw_message(&ctx, &format!("failed to create a new stream: {status}"))
    })?;
    let counting = Counting::begin(&host, &channel, &mut call, &params.tags);
    host.record(builtin::GRPC_STREAMS, counting.tags, 1.0);
    let queue = Rc::new(Queue::default());
    let session = Session {
        exchange: Exchange::new(&channel, call, queue.clone()),
        queue: queue.clone(),
        counting,
        discard: params.discard,
    };
    let stream = Class::instance(
        ctx.clone(),
        Stream {
            host,
            method,
            outgoing: Outgoing { queue, channel },
            listeners: Listeners::new(),
        },
    )?;
    listen(&ctx, &stream, session);
    Ok(stream)
}

#[rquickjs::methods]
impl<'js> Stream<'js> {
    /// Calls `handler` whenever `event` happens: data, error, end.
    fn on(&self, ctx: Ctx<'js>, event: String, handler: Value<'js>) -> Result<()> {
        let Some(handler) = handler.as_function() else {
            let message = format!("handler for \"{event}\" event isn't a callable function");
            return Err(Exception::throw_type(&ctx, &message));
        };
        if EVENTS.contains(&event.as_str()) {
            self.listeners.add(&event, handler.clone());
        } else {
            tracing::warn!(
                "can't register {event} event handler: unknown GRPC stream's event type: {event}; there are: data, error, end"
            );
        }
        Ok(())
    }

    /// Sends a message. It is on its way when the server takes it.
    fn write(&self, ctx: Ctx<'js>, message: Opt<Value<'js>>) -> Result<()> {
        let Outgoing { queue, channel } = &self.outgoing;
        if !queue.is_open() {
            return Ok(());
        }
        let Some(message) = message
            .0
            .filter(|value| !value.is_undefined() && !value.is_null())
        else {
            tracing::warn!("can't send empty message");
            return Ok(());
        };
        let framed = match call::encode(&ctx, &self.method, &message)? {
            Ok(message) => channel.frame(&message),
            Err(why) => Err(Status::new(
                Code::Unknown,
                format!("can't serialise request object to protocol buffer: {why}"),
            )),
        };
        match framed {
            Ok(frame) => queue.push(frame),
            Err(status) => queue.fail(status),
        }
        if !self.method.is_client_streaming() {
            queue.end();
        }
        Ok(())
    }

    /// Nothing more is written; the server may go on.
    fn end(&self) {
        self.outgoing.queue.end();
    }
}

/// A stream under way. The event loop's operation owns it: what ends the operation cancels the stream.
struct Session {
    exchange: Exchange,
    queue: Rc<Queue>,
    counting: Counting,
    discard: bool,
}

impl Session {
    /// Counts what went out and what went over the wire since the last time.
    fn book(&self) {
        let sent = self.queue.take_sent();
        if sent > 0 {
            let Counting { host, tags, .. } = &self.counting;
            host.record(builtin::GRPC_STREAMS_MSGS_SENT, *tags, sent as f64);
        }
        self.counting.book();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.book();
    }
}

/// Waits for what comes next.
fn listen<'js>(ctx: &Ctx<'js>, stream: &Class<'js, Stream<'js>>, mut session: Session) {
    let kept = Persistent::save(ctx, stream.clone());
    stream.borrow().host.events.spawn(async move {
        let step = session.exchange.next().await;
        session.book();
        Box::new(move |ctx: &Ctx<'_>| happened(ctx, &kept.restore(ctx)?, session, step)) as Settle
    });
}

fn happened<'js>(
    ctx: &Ctx<'js>,
    stream: &Class<'js, Stream<'js>>,
    session: Session,
    step: Step,
) -> Result<()> {
    let me = stream.borrow();
    let status = match step {
        Step::Message(bytes) => {
            let Counting { host, tags, .. } = &session.counting;
            host.record(builtin::GRPC_STREAMS_MSGS_RECEIVED, *tags, 1.0);
            let message = if session.discard {
                Ok(None)
            } else {
                DynamicMessage::decode(me.method.output(), bytes).map(Some)
            };
            match message {
                Ok(message) => {
                    me.emit(ctx, "data", || match message {
                        Some(message) => value::message(ctx, &message),
                        None => Ok(Object::new(ctx.clone())?.into_value()),
                    })?;
                    listen(ctx, stream, session);
                    return Ok(());
                }
                Err(error) => call::unreadable(&error.to_string()),
            }
        }
        Step::End(status) => status,
    };
    let answered = !session.exchange.headers.is_empty() || !session.exchange.trailers.is_empty();
    session.counting.end(&status, answered);
    drop(session);
    me.outgoing.queue.end();
    if !status.is_ok() {
        let program = &me.host.workshop.program;
        if me.listeners.of("error").is_empty() && program.first_complaint(0, me.method.path().as_str()) {
            tracing::warn!(
                "no handlers for error registered, but an error happened: {status} (said once for {})",
                me.method.path()
            );
        }
        me.emit(ctx, "error", || {
            Ok(call::error(ctx, &status, &me.method)?.into_value())
        })?;
    }
    me.emit(ctx, "end", || Ok(Object::new(ctx.clone())?.into_value()))?;
    // They mostly hold the stream that holds them.
    me.listeners.clear();
    Ok(())
}

impl<'js> Stream<'js> {
    /// Calls the listeners of an event with what `make` makes, and with the time in seconds.
    fn emit(&self, ctx: &Ctx<'js>, event: &str, make: impl FnOnce() -> Result<Value<'js>>) -> Result<()> {
        let listeners = self.listeners.of(event);
        if listeners.is_empty() {
            return Ok(());
        }
        let subject = make()?;
        let beside = Object::new(ctx.clone())?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        beside.set("ts", now.as_secs() as f64)?;
        for listener in listeners {
            listener.call::<_, Value>((subject.clone(), beside.clone()))?;
        }
        Ok(())
    }
}
