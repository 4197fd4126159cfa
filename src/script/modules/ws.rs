//! The module `k6/ws`: a WebSocket that the virtual user stays with until it is closed.
//!
//! What follows k6 (its `js/modules/k6/ws`) and is not obvious: a connection that does not open does not throw
//! unless the option `throw` is on; `connect` then returns what the server answered, or a Response with `error`,
//! and the function is not called. A handler that throws ends the session and the iteration. Closing sends a close
//! and does not wait for the answer to it; `close` handlers run at once. Any close of the server's but 1000 and 1001
//! is an `error` too. While the session lasts, global timers and promises wait.

use std::{cell::RefCell, future::poll_fn, pin::pin, rc::Rc, task::Poll, time::Duration};

use rquickjs::{
    ArrayBuffer, Class, Coerced, Ctx, Exception, Function, JsLifetime, Object, Result, Value,
    class::Trace,
    function::{Args, Opt, Rest},
    module::{Declarations, Exports, ModuleDef},
};

use super::{
    Shelf,
    http::response::{headers, timings},
    sockets::{Answer, Listeners, Plan, Session, Unknown, count_unopened, open},
};
use crate::{
    metrics::builtin,
    net::{self, NetError, close_code},
    script::{
        bytes::{bytes_of, well_formed},
        events::{Event, Events},
        host::Host,
    },
};

/// The module `k6/ws`.
pub struct Ws;

impl ModuleDef for Ws {
    fn declare(declare: &Declarations<'_>) -> Result<()> {
        declare.declare("connect")?;
        declare.declare("default")?;
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let host = Host::of(ctx)?;
        let shelf = Shelf::new(ctx, exports)?;
        shelf.function(
            "connect",
            move |ctx: Ctx<'js>, url: Value<'js>, rest: Rest<Value<'js>>| connect(&ctx, &host, &url, rest.0),
        )?;
        shelf.finish()
    }
}

/// `connect(url, [params], function (socket) { … })`: returns when the socket is closed.
fn connect<'js>(
    ctx: &Ctx<'js>,
    host: &Rc<Host>,
    url: &Value<'js>,
    rest: Vec<Value<'js>>,
) -> Result<Object<'js>> {
    host.require_running(ctx, "using WebSockets")?;
    let (params, body) = match rest.as_slice() {
        [body] => (None, body),
        [params, body] => (Some(params), body),
        _ => {
            let message =
                "invalid number of arguments to ws.connect; it takes a URL, parameters and a function";
            return Err(Exception::throw_type(ctx, message));
        }
    };
    let Some(body) = body.as_function() else {
        return Err(Exception::throw_type(
            ctx,
            "last argument to ws.connect must be a function",
        ));
    };
    let plan = match Plan::read(ctx, host, url, params, Unknown::Ignored)? {
        Ok(plan) => plan,
        Err((url, error)) => {
            host.workshop.complain(&error, &url);
            count_unopened(host, &url);
            let answer = Answer {
                url,
                ..Answer::default()
            };
            return failed(ctx, host, &answer, &error);
        }
    };
    // On the heap, and gone afterwards: what it would touch of the fiber's stack stays with the virtual user.
    let attempt = host.wait_for(ctx, Box::pin(open(host, plan)))?;
    let answer = attempt.answer;
    let session = match attempt.session {
        Ok(session) => session,
        Err(error) => {
            // As in the dialect what did not open lasted as long as the attempt.
            host.record(builtin::WS_SESSION_DURATION, attempt.tags, attempt.took);
            return failed(ctx, host, &answer, &error);
        }
    };
    let socket = Class::instance(
        ctx.clone(),
        Socket {
            host: host.clone(),
            session: RefCell::new(Some(session)),
            listeners: Listeners::new(),
            timers: Events::default(),
        },
    )?;
    let mut lasted = last(ctx, &socket, body);
    let socket = socket.borrow();
    if lasted.as_ref().is_err_and(rquickjs::Error::is_exception) && !host.bridge.cancelled() {
        // What the handlers of the close throw now would hide what ended the session.
        let thrown = ctx.catch();
        if socket.shut(ctx, close_code::GOING_AWAY).is_err() {
            ctx.catch();
        }
        lasted = Err(ctx.throw(thrown));
    }
    socket.forget();
    lasted?;
    response(ctx, &answer, None)
}

/// The session, from its first call to its close.
fn last<'js>(ctx: &Ctx<'js>, socket: &Class<'js, Socket<'js>>, body: &Function<'js>) -> Result<()> {
    body.call::<_, Value>((socket.clone(),))?;
    let socket = socket.borrow();
    socket.emit(ctx, "open", None)?;
    while let Some(step) = socket.step(ctx)? {
        match step {
            Step::Timer => socket.timers.fire(ctx)?,
            Step::Event(event) => socket.handle(ctx, event)?,
        }
        // Messages that are there already need no wait: without this a flood of them would keep the thread. An
        // interruption shows in the next wait.
        socket.host.bridge.breathe();
    }
    Ok(())
}

/// What `connect` returns of a connection that did not open.
fn failed<'js>(ctx: &Ctx<'js>, host: &Host, answer: &Answer, error: &NetError) -> Result<Object<'js>> {
    if host.workshop.http.throw {
        return Err(Exception::throw_message(ctx, &format!("{}: {error}", answer.url)));
    }
    response(ctx, answer, Some(error))
}

fn response<'js>(ctx: &Ctx<'js>, answer: &Answer, error: Option<&NetError>) -> Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    object.set("url", answer.url.as_str())?;
    object.set("status", answer.status)?;
    object.set("headers", headers(ctx, &answer.headers)?)?;
    object.set("body", String::from_utf8_lossy(&answer.body).as_ref())?;
    object.set("error", error.map_or("", |error| &error.message))?;
    object.set("error_code", error.map_or(0, |error| error.code))?;
    object.set("timings", timings(ctx, &answer.timings)?)?;
    Ok(object)
}

/// What a session waits for.
enum Step {
    Timer,
    Event(net::Event),
}

/// The socket that the function is given.
#[derive(Trace, JsLifetime)]
#[rquickjs::class]
pub struct Socket<'js> {
    #[qjs(skip_trace)]
    host: Rc<Host>,
    /// `None` once it is closed.
    #[qjs(skip_trace)]
    session: RefCell<Option<Session>>,
    listeners: Listeners<'js>,
    #[qjs(skip_trace)]
    timers: Events,
}

#[rquickjs::methods]
impl<'js> Socket<'js> {
    /// Calls `handler` whenever `event` happens: open, message, binaryMessage, ping, pong, close, error.
    fn on(&self, event: String, handler: Value<'js>) {
        if let Some(handler) = handler.as_function() {
            self.listeners.add(&event, handler.clone());
        }
    }

    /// Sends text. It is on its way when this returns.
    fn send(&self, ctx: Ctx<'js>, message: Coerced<rquickjs::String<'js>>) -> Result<()> {
        let text = well_formed(&ctx, &message.0)?;
        self.write(&ctx, |session| session.socket.send_text(text))
    }

    /// Sends bytes.
    #[qjs(rename = "sendBinary")]
    fn send_binary(&self, ctx: Ctx<'js>, message: Opt<Value<'js>>) -> Result<()> {
        let Some(bytes) = message.0.as_ref().and_then(bytes_of) else {
            let message = "sendBinary() takes an ArrayBuffer or a view of one";
            return Err(Exception::throw_type(&ctx, message));
        };
        self.write(&ctx, |session| session.socket.send_binary(bytes))
    }

    /// Sends a ping; the time until its pong is a sample of `ws_ping`.
    fn ping(&self, ctx: Ctx<'js>) -> Result<()> {
        self.write(&ctx, Session::ping)
    }

    #[qjs(rename = "setTimeout")]
    fn set_timeout(&self, ctx: Ctx<'js>, callback: Function<'js>, delay: Opt<Coerced<f64>>) -> Result<()> {
        self.set_timer(&ctx, callback, delay, false)
    }

    #[qjs(rename = "setInterval")]
    fn set_interval(&self, ctx: Ctx<'js>, callback: Function<'js>, delay: Opt<Coerced<f64>>) -> Result<()> {
        self.set_timer(&ctx, callback, delay, true)
    }

    /// Closes with a code, 1001 unless given.
    fn close(&self, ctx: Ctx<'js>, code: Opt<Coerced<f64>>) -> Result<()> {
        let code = code
            .0
            .map_or(f64::from(close_code::GOING_AWAY), |code| code.0.trunc());
        if !(1000.0..5000.0).contains(&code) {
            let message = format!("a close code is between 1000 and 4999, {code} is not");
            return Err(Exception::throw_range(&ctx, &message));
        }
        self.shut(&ctx, code as u16)
    }
}

impl<'js> Socket<'js> {
    /// Writes and waits until the system has taken it. A session that is over is an `error`.
    fn write(&self, ctx: &Ctx<'js>, write: impl FnOnce(&mut Session)) -> Result<()> {
        let Some(()) = self.session.borrow_mut().as_mut().map(write) else {
            return self.fail(ctx, &NetError::new(net::code::GENERIC, "websocket: close sent"));
        };
        self.host.wait_for(
            ctx,
            poll_fn(|cx| match &mut *self.session.borrow_mut() {
                Some(session) => session.socket.poll_drained(cx, 0),
                None => Poll::Ready(()),
            }),
        )?;
        if let Some(session) = &mut *self.session.borrow_mut() {
            session.book();
        }
        Ok(())
    }

    fn set_timer(
        &self,
        ctx: &Ctx<'js>,
        callback: Function<'js>,
        delay: Opt<Coerced<f64>>,
        repeat: bool,
    ) -> Result<()> {
        // A number, or a text that is one, as variables are.
        let delay = delay.0.map_or(f64::NAN, |delay| delay.0);
        // The dialect's words.
        let name = if repeat { "setInterval" } else { "setTimeout" };
        let time = Duration::try_from_secs_f64(delay / 1000.0)
            .ok()
            .filter(|time| !time.is_zero());
        let Some(time) = time else {
            let message = format!("{name} requires a >0 timeout parameter, received {delay}");
            return Err(Exception::throw_range(ctx, &message));
        };
        self.timers.set_timer(ctx, callback, time, repeat, Vec::new());
        Ok(())
    }

    /// Waits for a timer or an event; `None` when the session is over. Due timers come first: a server that never
    /// stops sending must not keep the script from closing.
    fn step(&self, ctx: &Ctx<'js>) -> Result<Option<Step>> {
        if self.session.borrow().is_none() {
            return Ok(None);
        }
        let step = async {
            let mut timer = pin!(self.timers.next_event());
            poll_fn(|cx| {
                if !self.timers.is_empty()
                    && let Poll::Ready(Event::Timer) = timer.as_mut().poll(cx)
                {
                    return Poll::Ready(Some(Step::Timer));
                }
                match &mut *self.session.borrow_mut() {
                    Some(session) => {
                        let event = session.socket.poll_event(cx);
                        event.map(|event| Some(Step::Event(event)))
                    }
                    None => Poll::Ready(None),
                }
            })
            .await
        };
        self.host.wait_for(ctx, step)
    }

    fn handle(&self, ctx: &Ctx<'js>, event: net::Event) -> Result<()> {
        if let Some(session) = &mut *self.session.borrow_mut() {
            session.book();
            match &event {
                net::Event::Text(_) | net::Event::Binary(_) => session.received(),
                net::Event::Pong(payload) => session.ponged(payload),
                _ => {}
            }
        }
        match event {
            net::Event::Text(text) => {
                let text = rquickjs::String::from_str(ctx.clone(), &text)?;
                self.emit(ctx, "message", Some(text.into_value()))
            }
            net::Event::Binary(bytes) => {
                let buffer = ArrayBuffer::new_copy(ctx.clone(), &bytes)?;
                self.emit(ctx, "binaryMessage", Some(buffer.into_value()))
            }
            net::Event::Ping => self.emit(ctx, "ping", None),
            net::Event::Pong(_) => self.emit(ctx, "pong", None),
            net::Event::Closed(closing) => {
                if let Some(error) = &closing.error {
                    self.fail(ctx, error)?;
                }
                self.shut(ctx, closing.code)
            }
        }
    }

    /// Closes if it is open, and says so.
    fn shut(&self, ctx: &Ctx<'js>, code: u16) -> Result<()> {
        let Some(mut session) = self.session.take() else {
            return Ok(());
        };
        session.finish(code);
        self.emit(ctx, "close", Some(Value::new_int(ctx.clone(), i32::from(code))))
    }

    /// Calls the handlers of `error`. Scripts read the message with `e.error()`, as of an error of Go's.
    fn fail(&self, ctx: &Ctx<'js>, error: &NetError) -> Result<()> {
        if self.listeners.of("error").is_empty() {
            return Ok(());
        }
        let object = Exception::from_message(ctx.clone(), &error.message)?.into_object();
        let message = error.message.to_string();
        object.set("error", Function::new(ctx.clone(), move || message.clone())?)?;
        object.set("error_code", error.code)?;
        self.emit(ctx, "error", Some(object.into_value()))
    }

    fn emit(&self, ctx: &Ctx<'js>, event: &str, argument: Option<Value<'js>>) -> Result<()> {
        for handler in self.listeners.of(event) {
            let mut args = Args::new(ctx.clone(), 1);
            if let Some(argument) = &argument {
                args.push_arg(argument.clone())?;
            }
            handler.call_arg::<Value>(args)?;
        }
        Ok(())
    }

    /// Ends the session if it lasts, and lets go of what the script gave.
    fn forget(&self) {
        self.session.take();
        self.timers.clear();
        self.listeners.clear();
    }
}
