//! The course of a socket: connecting, then one event after the other, then its close.
//!
//! Each step is an operation of the event loop, which starts the next one. So there is nothing to tidy up: an
//! iteration that ends, or is interrupted, forgets its operations, and with them the sessions.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll},
    time::{SystemTime, UNIX_EPOCH},
};

use rquickjs::{ArrayBuffer, Class, Ctx, Object, Persistent, Result, Value, function::This};
use tokio::sync::oneshot;

use super::{State, WebSocket, blob::Blob};
use crate::{
    net::{Closing, Event, NetError, close_code, code},
    script::{
        events::Settle,
        modules::sockets::{Attempt, Plan, Session, open},
    },
};

/// An open connection. Its event loop operation owns it, so that whatever ends the operation ends the session; the
/// object that the script has only knows of it.
pub struct Line {
    pub session: RefCell<Session>,
    buffered: Rc<Cell<usize>>,
}

impl Line {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Event> {
        let mut session = self.session.borrow_mut();
        let event = session.socket.poll_event(cx);
        session.book();
        self.buffered.set(session.socket.buffered());
        event
    }
}

/// Starts connecting.
pub fn connect<'js>(
    ctx: &Ctx<'js>,
    socket: &Class<'js, WebSocket<'js>>,
    plan: Plan,
    cancelled: oneshot::Receiver<()>,
) {
    let kept = Persistent::save(ctx, socket.clone());
    let host = socket.borrow().host.clone();
    let opener = host.clone();
    host.events.spawn(async move {
        let attempt = tokio::select! {
            biased;
            attempt = open(&opener, plan) => Some(attempt),
            _ = cancelled => None,
        };
        Box::new(move |ctx: &Ctx<'_>| opened(ctx, &kept.restore(ctx)?, attempt)) as Settle
    });
}

/// Connecting has ended, in one way or the other.
fn opened<'js>(ctx: &Ctx<'js>, socket: &Class<'js, WebSocket<'js>>, attempt: Option<Attempt>) -> Result<()> {
    let me = socket.borrow();
    let failure = match attempt {
        Some(Attempt {
            session: Ok(session),
            answer,
            ..
        }) if me.state.get() == State::Connecting => {
            let line = Rc::new(Line {
                session: RefCell::new(session),
                buffered: me.buffered.clone(),
            });
            me.line.replace(Rc::downgrade(&line));
            me.protocol.replace(answer.protocol);
            me.state.set(State::Open);
            emit(ctx, socket, "open", |_| Ok(()))?;
            listen(ctx, socket, line);
            return Ok(());
        }
        Some(Attempt {
            session: Err(error), ..
        }) => error,
        _ => NetError::new(
            code::GENERIC,
            "websocket: closed before the connection was established",
        ),
    };
    let closing = Closing {
        code: close_code::ABNORMAL,
        reason: String::new(),
        error: Some(failure),
    };
    closed(ctx, socket, &closing)
}

/// Waits for what comes next on an open socket.
fn listen<'js>(ctx: &Ctx<'js>, socket: &Class<'js, WebSocket<'js>>, line: Rc<Line>) {
    let kept = Persistent::save(ctx, socket.clone());
    socket.borrow().host.events.spawn(async move {
        let event = poll_fn(|cx| line.poll(cx)).await;
        Box::new(move |ctx: &Ctx<'_>| happened(ctx, &kept.restore(ctx)?, line, event)) as Settle
    });
}

fn happened<'js>(
    ctx: &Ctx<'js>,
    socket: &Class<'js, WebSocket<'js>>,
    line: Rc<Line>,
    event: Event,
) -> Result<()> {
    let me = socket.borrow();
    // As browsers and k6 do: whoever is closing is not given messages any more.
    let open = me.state.get() == State::Open;
    match event {
        Event::Text(text) if open => {
            line.session.borrow().received();
            emit(ctx, socket, "message", |event| {
                event.set("data", &*text)?;
                event.set("origin", me.url.as_str())
            })?;
        }
        Event::Binary(bytes) if open => {
            line.session.borrow().received();
            emit(ctx, socket, "message", |event| {
                if me.blobs.get() {
                    event.set("data", Class::instance(ctx.clone(), Blob::of(bytes))?)?;
                } else {
                    event.set("data", ArrayBuffer::new_copy(ctx.clone(), &bytes)?)?;
                }
                event.set("origin", me.url.as_str())
            })?;
        }
        Event::Text(_) | Event::Binary(_) => {}
        Event::Ping => emit(ctx, socket, "ping", |_| Ok(()))?,
        Event::Pong(payload) => {
            line.session.borrow_mut().ponged(&payload);
            emit(ctx, socket, "pong", |_| Ok(()))?;
        }
        Event::Closed(closing) => {
            line.session.borrow_mut().finish(closing.code);
            return closed(ctx, socket, &closing);
        }
    }
    listen(ctx, socket, line);
    Ok(())
}

/// The end of a socket's life.
fn closed<'js>(ctx: &Ctx<'js>, socket: &Class<'js, WebSocket<'js>>, closing: &Closing) -> Result<()> {
    socket.borrow().state.set(State::Closed);
    if let Some(error) = &closing.error {
        emit(ctx, socket, "error", |event| {
            event.set("error", &*error.message)?;
            event.set("error_code", error.code)
        })?;
    }
    emit(ctx, socket, "close", |event| {
        event.set("code", closing.code)?;
        event.set("reason", closing.reason.as_str())?;
        event.set("wasClean", closing.code != close_code::ABNORMAL)
    })
}

/// Calls the listeners of an event; `fill` adds to the event what is its own.
fn emit<'js>(
    ctx: &Ctx<'js>,
    socket: &Class<'js, WebSocket<'js>>,
    kind: &str,
    fill: impl FnOnce(&Object<'js>) -> Result<()>,
) -> Result<()> {
    let listeners = socket.borrow().listeners.of(kind);
    if listeners.is_empty() {
        return Ok(());
    }
    let event = Object::new(ctx.clone())?;
    event.set("type", kind)?;
    event.set("target", socket.clone())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    event.set("timestamp", now.as_secs_f64() * 1000.0)?;
    fill(&event)?;
    for listener in listeners {
        listener.call::<_, Value>((This(socket.clone()), event.clone()))?;
    }
    Ok(())
}
