//! The module `k6/websockets`, also by its former name `k6/experimental/websockets`: the class `WebSocket` of
//! browsers, on the virtual user's event loop. An iteration is over when its sockets are.
//!
//! It follows k6 where k6 differs from browsers: `ping()`, `onping` and `onpong`; a third argument for parameters;
//! `send` takes no numbers; an `error` event has the `error` as text, and any close of the server's but 1000 and
//! 1001 is one; what `on…` is set to is called before what `addEventListener` added; a ping and a close count as
//! messages sent. It follows browsers where k6 leaves something open: `this` is the socket, a socket that fails closes
//! with 1006, `close` while connecting gives up, and a server that does not answer a close is not waited for longer than
//! ten seconds.

mod blob;
mod course;

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::{Rc, Weak},
};

use rquickjs::{
    Class, Coerced, Ctx, Exception, FromJs, Function, JsLifetime, Object, Result, Value,
    class::Trace,
    function::{Constructor, Opt, This},
    module::{Declarations, Exports, ModuleDef},
    object::Accessor,
};
use tokio::sync::oneshot;

use self::{
    blob::Blob,
    course::{Line, connect},
};
use super::{
    Shelf,
    sockets::{Listeners, Plan, Unknown},
};
use crate::{
    net::close_code,
    script::{
        bytes::{bytes_of, well_formed},
        host::Host,
    },
};

/// The module `k6/websockets`.
pub struct WebSockets;

/// The names of the ready states, in the order of their numbers.
const STATES: [&str; 4] = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];
/// What can be listened to.
const EVENTS: [&str; 6] = ["open", "message", "error", "close", "ping", "pong"];
/// How much a socket buffers before `send` waits.
const SEND_AHEAD: usize = 64 << 20;
/// The longest reason that a close frame has room for.
const LONGEST_REASON: usize = 123;

impl ModuleDef for WebSockets {
    fn declare(declare: &Declarations<'_>) -> Result<()> {
        for name in ["WebSocket", "Blob", "default"] {
            declare.declare(name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let shelf = Shelf::new(ctx, exports)?;
        let socket = Constructor::new_class::<WebSocket, _, _>(ctx.clone(), make)?;
        let prototype: Object = socket.get("prototype")?;
        for (number, name) in STATES.iter().enumerate() {
            socket.set(*name, number)?;
            prototype.set(*name, number)?;
        }
        // No extension is ever offered.
        prototype.set("extensions", "")?;
        for event in EVENTS {
            let get = move |this: Me<'js>| this.0.borrow().listeners.get(event);
            let set = move |this: Me<'js>, ctx: Ctx<'js>, value: Value<'js>| -> Result<()> {
                let handler = match value.as_function() {
                    Some(handler) => Some(handler.clone()),
                    None if value.is_null() || value.is_undefined() => None,
                    None => {
                        let message = format!("a value for 'on{event}' should be callable");
                        return Err(Exception::throw_type(&ctx, &message));
                    }
                };
                this.0.borrow().listeners.set(event, handler);
                Ok(())
            };
            prototype.prop(&*format!("on{event}"), Accessor::new(get, set).enumerable())?;
        }
        shelf.value("WebSocket", socket.into_value())?;
        let blob = Constructor::new_class::<Blob, _, _>(ctx.clone(), Blob::make)?;
        let shown = Function::new(ctx.clone(), || "[object Blob]")?;
        blob.get::<_, Object>("prototype")?.set("toString", shown)?;
        shelf.value("Blob", blob.into_value())?;
        shelf.finish()
    }
}

/// Where a socket is in its life, by the numbers of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Open,
    Closing,
    Closed,
}

/// A WebSocket as scripts see it.
#[derive(Trace, JsLifetime)]
#[rquickjs::class]
pub struct WebSocket<'js> {
    #[qjs(skip_trace)]
    host: Rc<Host>,
    #[qjs(skip_trace)]
    url: String,
    #[qjs(skip_trace)]
    state: Cell<State>,
    #[qjs(skip_trace)]
    protocol: RefCell<String>,
    /// Whether binary messages come as a Blob, the default, or as an `ArrayBuffer`.
    #[qjs(skip_trace)]
    blobs: Cell<bool>,
    /// Bytes that were sent and not written when the event loop last looked, and what was sent since.
    #[qjs(skip_trace)]
    buffered: Rc<Cell<usize>>,
    listeners: Listeners<'js>,
    #[qjs(skip_trace)]
    line: RefCell<Weak<Line>>,
    /// Gives up connecting.
    #[qjs(skip_trace)]
    cancel: Cell<Option<oneshot::Sender<()>>>,
}

type Me<'js> = This<Class<'js, WebSocket<'js>>>;

/// `new WebSocket(url, protocols, params)`.
fn make<'js>(
    ctx: Ctx<'js>,
    url: Opt<Value<'js>>,
    protocols: Opt<Value<'js>>,
    params: Opt<Value<'js>>,
) -> Result<Class<'js, WebSocket<'js>>> {
    let host = Host::of(&ctx)?;
    host.require_running(&ctx, "using WebSockets")?;
    let url = url
        .0
        .filter(|url| !url.is_undefined() && !url.is_null())
        .ok_or_else(|| Exception::throw_type(&ctx, "WebSocket requires a url"))?;
    let plan = Plan::read(&ctx, &host, &url, params.0.as_ref(), Unknown::Refused)?;
    let mut plan = plan.map_err(|(url, error)| {
        Exception::throw_syntax(&ctx, &format!("WebSocket requires a valid url, `{url}`: {error}"))
    })?;
    if plan.request.target.url().fragment().is_some() {
        let message = "WebSocket requires a url without a fragment (`#…`)";
        return Err(Exception::throw_syntax(&ctx, message));
    }
    if let Some(protocols) = protocols
        .0
        .filter(|value| !value.is_undefined() && !value.is_null())
    {
        plan.protocols = match protocols.as_array() {
            Some(_) => Vec::<String>::from_js(&ctx, protocols)?,
            None => vec![Coerced::<String>::from_js(&ctx, protocols)?.0],
        };
    }
    let (cancel, cancelled) = oneshot::channel();
    let socket = Class::instance(
        ctx.clone(),
        WebSocket {
            host: host.clone(),
            url: plan.request.target.as_str().to_owned(),
            state: Cell::new(State::Connecting),
            protocol: RefCell::default(),
            blobs: Cell::new(true),
            buffered: Rc::default(),
            listeners: Listeners::new(),
            line: RefCell::default(),
            cancel: Cell::new(Some(cancel)),
        },
    )?;
    connect(&ctx, &socket, plan, cancelled);
    Ok(socket)
}

#[rquickjs::methods]
impl<'js> WebSocket<'js> {
    #[qjs(get, enumerable)]
    fn url(&self) -> String {
        self.url.clone()
    }

    #[qjs(get, enumerable, rename = "readyState")]
    fn ready_state(&self) -> u8 {
        self.state() as u8
    }

    #[qjs(get, enumerable)]
    fn protocol(&self) -> String {
        self.protocol.borrow().clone()
    }

    #[qjs(get, enumerable, rename = "bufferedAmount")]
    fn buffered_amount(&self) -> f64 {
        self.buffered.get() as f64
    }

    #[qjs(get, enumerable, rename = "binaryType")]
    fn binary_type(&self) -> &'static str {
        if self.blobs.get() { "blob" } else { "arraybuffer" }
    }

    #[qjs(set, rename = "binaryType")]
    fn set_binary_type(&self, ctx: Ctx<'js>, kind: String) -> Result<()> {
        self.blobs.set(match kind.as_str() {
            "blob" => true,
            "arraybuffer" => false,
            other => {
                let message = format!(
                    "unknown binaryType {other}, the supported ones are \"blob\" and \"arraybuffer\""
                );
                return Err(Exception::throw_type(&ctx, &message));
            }
        });
        Ok(())
    }

    /// Sends a text, an `ArrayBuffer`, a view of one, or a Blob.
    fn send(&self, ctx: Ctx<'js>, message: Opt<Value<'js>>) -> Result<()> {
        let line = self.require_open(&ctx, "send()")?;
        let message = message.0.unwrap_or_else(|| Value::new_undefined(ctx.clone()));
        let size = if let Some(text) = message.as_string() {
            let text = well_formed(&ctx, text)?;
            let size = text.len();
            line.session.borrow_mut().socket.send_text(text);
            size
        } else {
            let blob = Class::<Blob>::from_js(&ctx, message.clone());
            let bytes = match blob {
                Ok(blob) => Some(blob.borrow().bytes().clone()),
                Err(_) => bytes_of(&message).map(Into::into),
            };
            let Some(bytes) = bytes else {
                let message = format!("unsupported send type {}", message.type_name());
                return Err(Exception::throw_type(&ctx, &message));
            };
            let size = bytes.len();
            line.session.borrow_mut().socket.send_binary(bytes);
            size
        };
        self.buffered.set(self.buffered.get() + size);
        self.write(&ctx, &line)
    }

    /// Sends a ping; the time until its pong is a sample of `ws_ping`.
    fn ping(&self, ctx: Ctx<'js>) -> Result<()> {
        let line = self.require_open(&ctx, "ping()")?;
        line.session.borrow_mut().ping();
        line.session.borrow().sent_control();
        self.write(&ctx, &line)
    }

    /// Starts closing, with a code of 1000 or of 3000 to 4999, and a reason.
    fn close(&self, ctx: Ctx<'js>, code: Opt<Value<'js>>, reason: Opt<Value<'js>>) -> Result<()> {
        let given = |value: Opt<Value<'js>>| value.0.filter(|value| !value.is_undefined());
        if !matches!(self.state(), State::Connecting | State::Open) {
            return Ok(());
        }
        let code = match given(code) {
            Some(code) => Coerced::<f64>::from_js(&ctx, code)?.0,
            None => f64::from(close_code::NORMAL),
        };
        let number = code as u16;
        let whole = code.fract() == 0.0 && code >= 0.0;
        if !whole || !matches!(number, close_code::NORMAL | 3000..=4999) {
            let message = format!(
                "InvalidAccessError: Failed to execute 'close' on 'WebSocket': The close code must be either 1000, or between 3000 and 4999. {code} is neither"
            );
            return Err(Exception::throw_message(&ctx, &message));
        }
        let reason = match given(reason) {
            Some(reason) => well_formed(&ctx, &Coerced::<rquickjs::String>::from_js(&ctx, reason)?.0)?,
            None => String::new(),
        };
        if reason.len() > LONGEST_REASON {
            let message = "SyntaxError: Failed to execute 'close' on 'WebSocket': The message must not be greater than 123 bytes";
            return Err(Exception::throw_message(&ctx, message));
        }
        self.state.set(State::Closing);
        if let Some(line) = self.line.borrow().upgrade() {
            let mut session = line.session.borrow_mut();
            session.socket.close(number, &reason);
            session.socket.write_now();
            session.sent_control();
        } else if let Some(cancel) = self.cancel.take() {
            // If connecting has just ended, whoever takes it up sees the state.
            let _ = cancel.send(());
        }
        Ok(())
    }

    #[qjs(rename = "addEventListener")]
    fn add_event_listener(&self, ctx: Ctx<'js>, event: String, handler: Value<'js>) -> Result<()> {
        let Some(handler) = handler.as_function() else {
            let message = format!("handler for event type \"{event}\" isn't a callable function");
            return Err(Exception::throw_type(&ctx, &message));
        };
        if EVENTS.contains(&event.as_str()) {
            self.listeners.add(&event, handler.clone());
        } else {
            tracing::warn!(
                "a WebSocket has no event \"{event}\" to listen to; there are: {}",
                EVENTS.join(", ")
            );
        }
        Ok(())
    }

    #[qjs(rename = "removeEventListener")]
    fn remove_event_listener(&self, event: String, handler: Function<'js>) {
        self.listeners.remove(&event, &handler);
    }
}

impl<'js> WebSocket<'js> {
    /// The state; a socket of an iteration that is over is closed, whether it noticed or not.
    fn state(&self) -> State {
        match self.state.get() {
            State::Open | State::Closing if self.line.borrow().strong_count() == 0 => State::Closed,
            state => state,
        }
    }

    fn require_open(&self, ctx: &Ctx<'js>, what: &str) -> Result<Rc<Line>> {
        let state = self.state();
        match self.line.borrow().upgrade() {
            Some(line) if state == State::Open => Ok(line),
            _ => {
                let name = STATES[state as usize];
                let message =
                    format!("InvalidStateError: {what} needs an open WebSocket, this one is {name}");
                Err(Exception::throw_message(ctx, &message))
            }
        }
    }

    /// Writes what can be written at once; the event loop does the rest, unless too much is waiting for it.
    fn write(&self, ctx: &Ctx<'js>, line: &Line) -> Result<()> {
        line.session.borrow_mut().socket.write_now();
        if line.session.borrow().socket.buffered() > SEND_AHEAD {
            let drained = poll_fn(|cx| line.session.borrow_mut().socket.poll_drained(cx, SEND_AHEAD));
            self.host.wait_for(ctx, drained)?;
        }
        line.session.borrow_mut().book();
        Ok(())
    }
}
