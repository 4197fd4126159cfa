//! A virtual user's HTTP client: its pool, its jar, and the course of a request from call to response.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use futures_util::future::poll_fn;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::Full;

use super::connect::{Conn, H1, H2, Outgoing, connect};
use super::cookies::Jar;
use super::debug;
use super::decode::decode;
use super::digest;
use super::error::NetError;
use super::exchange::{Failure, Intake, Reply};
use super::headers;
use super::pool::Pool;
use super::progress::{Account, Body, Progress};
use super::redirect;
use super::request::{Auth, JarChoice, Request};
use super::response::{Hop, Proto, Response, TlsTag, proto};
use super::shared::Shared;
use super::timer::{FAR_FUTURE, Timer};
use super::trace::{Stamp, TraceContext};
use crate::metrics::SpanIds;

/// One virtual user's view of the network. Not `Send`: it lives on its worker's thread, inside a
/// [`tokio::task::LocalSet`], which HTTP/2 connections need for their tasks. Unused it holds no heap memory but
/// the jar's handle.
///
/// Concurrent calls of [`Client::send`] use a connection each (HTTP/1.1) or share one (HTTP/2). Dropping a call
/// midway closes its connection (HTTP/1.1) or resets its stream (HTTP/2) and leaves the client usable.
pub struct Client {
    shared: Arc<Shared>,
    pool: RefCell<Pool>,
    jar: Jar,
    timer: Cell<Option<Timer>>,
    stray: Cell<(u64, u64)>,
    local: Cell<Option<IpAddr>>,
    stamp: Stamp,
}

impl Client {
    /// A client without connections and cookies.
    pub fn new(shared: Arc<Shared>) -> Client {
        Client {
            shared,
            pool: RefCell::default(),
            jar: Jar::new(),
            timer: Cell::new(None),
            stray: Cell::new((0, 0)),
            local: Cell::new(None),
            stamp: Stamp::default(),
        }
    }

    /// What it shares with the other clients.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Its cookie jar.
    pub fn jar(&self) -> &Jar {
        &self.jar
    }

    /// What an iteration leaves behind: `close` ends the connections (`noVUConnectionReuse`), `reset_cookies`
    /// empties the jar (the default unless `noCookiesReset`).
    pub fn end_iteration(&self, close: bool, reset_cookies: bool) {
        if close {
            self.pool.borrow_mut().clear();
        }
        if reset_cookies {
            self.jar.clear();
        }
    }

    /// Says what later requests belong to. Each gets a `traceparent` header then, unless it has one; with `None` none does.
    pub fn trace(&self, context: Option<TraceContext>) {
        self.stamp.set(context);
    }

    pub(super) fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Wire bytes (sent, received) of calls that were dropped before they could report them, since last asked.
    pub fn take_interrupted_bytes(&self) -> (u64, u64) {
        self.stray.replace((0, 0))
    }

    /// Sends a request, follows redirects, and reads the body.
    ///
    /// `on_hop` is called once per HTTP transaction, failed ones included, in order. A transaction that found its
    /// reused connection closed and was sent again is one transaction with `retried` set; that happens once, on a
    /// fresh connection, and only if no byte of a response had arrived and either nothing of the request had been
    /// written or its method is safe to repeat: GET, HEAD, OPTIONS, TRACE, or any with an Idempotency-Key header.
    /// This is the rule of Go's transport.
    pub async fn send(&self, mut request: Request, on_hop: &mut dyn FnMut(&Hop<'_>)) -> Response {
        let _airborne = self.shared.flight.begin();
        let mut started = Instant::now();
        let deadline = started
            .checked_add(request.timeout)
            .unwrap_or(started + FAR_FUTURE);
        let mut timer = Timer::armed(self.timer.take(), deadline);
        let mut redirects_left = request.max_redirects;
        let mut first = true;
        loop {
            let trace = self.stamp.apply(&mut request);
            let jar = match &request.jar {
                JarChoice::Client => Some(&self.jar),
                JarChoice::Explicit(jar) => Some(jar),
                JarChoice::None => None,
            };
            request.added.cookie = Jar::header(jar, &request, first);
            debug::request(&self.shared, &request);
            let progress = Progress::new(started, &self.stray);
            let intake = Intake {
                discard: request.discard_body,
                discard_redirects: redirects_left > 0,
                limit: self.shared.options.max_body,
            };
            let mut result = {
                let mut transaction = pin!(self.transact(&request, intake, &progress));
                poll_fn(|cx| match transaction.as_mut().poll(cx) {
                    Poll::Ready(result) => Poll::Ready(result),
                    Poll::Pending => timer
                        .poll_expired(cx, deadline)
                        .map(|()| Err(NetError::timeout())),
                })
                .await
            };
            let ended = Instant::now();
            let account = progress.settle(ended);
            let redirects = |reply: &Reply| {
                intake.discard_redirects && redirect::is_redirect(reply.head.status, &reply.head.headers)
            };
            // In place: a reply is some hundred bytes, and moving it shows in the cost of a small request.
            if let Ok(reply) = &mut result
                && !redirects(reply)
            {
                match decode(&reply.head.headers, std::mem::take(&mut reply.body), intake.limit) {
                    Ok(body) => reply.body = body,
                    Err(error) => result = Err(error),
                }
            }
            report(&request, &result, &account, (started, ended), trace, on_hop);
            debug::response(&self.shared, &result);

            match result {
                Ok(reply) => {
                    if let Some(jar) = jar {
                        jar.absorb(request.target.url(), &reply.head.headers);
                    }
                    if let Some(value) = challenged(&request, &reply) {
                        request.added.authorization = Some(value);
                        started = ended;
                        continue;
                    }
                    let failed = if redirects(&reply) {
                        match redirect::follow(&mut request, reply.head.status, &reply.head.headers) {
                            Ok(()) => {
                                redirects_left -= 1;
                                first = false;
                                started = ended;
                                continue;
                            }
                            Err(error) => Some(error),
                        }
                    } else {
                        None
                    };
                    self.timer.set(Some(timer));
                    return match failed {
                        None => respond(request, Ok(reply), account),
                        Some(error) => respond(request, Err(error), account),
                    };
                }
                Err(error) => {
                    self.timer.set(Some(timer));
                    return respond(request, Err(error), account);
                }
            }
        }
    }

    /// The source address of this client's connections, if the run has any to deal out.
    pub(super) fn local_ip(&self) -> Option<IpAddr> {
        if self.local.get().is_none() {
            self.local.set(self.shared.deal_local_ip());
        }
        self.local.get()
    }

    /// Where the bytes of interrupted calls go.
    pub(super) fn stray(&self) -> &Cell<(u64, u64)> {
        &self.stray
    }

    /// One transaction, with the one retry that [`Client::send`] promises.
    async fn transact(
        &self,
        request: &Request,
        intake: Intake,
        progress: &Progress<'_>,
    ) -> Result<Reply, NetError> {
        if let Some(flaw) = request.target.flaw() {
            return Err(flaw.clone());
        }
        let pooled = self.pool.borrow_mut().take(request.target.origin());
        let failure = match pooled {
            Some(Conn::H1(conn)) => self.over_h1(conn, true, request, intake, progress).await,
            // Boxed, like everything that a warm HTTP/1.1 request does not pass through: the future of a request
            // is part of every virtual user, and every poll walks through it.
            Some(Conn::H2(conn)) => Box::pin(self.over_h2(conn, true, request, intake, progress)).await,
            None => return Box::pin(self.over_fresh(request, intake, progress)).await,
        };
        match failure {
            Ok(reply) => Ok(reply),
            Err(failure) if progress.may_retry(&failure, request) => {
                progress.retry();
                Box::pin(self.over_fresh(request, intake, progress)).await
            }
            Err(failure) => Err(failure.error),
        }
    }

    async fn over_fresh(
        &self,
        request: &Request,
        intake: Intake,
        progress: &Progress<'_>,
    ) -> Result<Reply, NetError> {
        let conn = connect(&self.shared, request.target.origin(), self.local_ip(), progress).await?;
        let result = match conn {
            Conn::H1(conn) => self.over_h1(conn, false, request, intake, progress).await,
            Conn::H2(conn) => {
                if !self.shared.options.no_connection_reuse {
                    self.pool.borrow_mut().share(conn.clone());
                }
                self.over_h2(conn, false, request, intake, progress).await
            }
        };
        result.map_err(|failure| failure.error)
    }

    async fn over_h1(
        &self,
        mut conn: Box<H1>,
        reused: bool,
        request: &Request,
        intake: Intake,
        progress: &Progress<'_>,
    ) -> Result<Reply, Failure> {
        progress.begin(&conn.peer, reused, None);
        let message = self.assemble(request, &conn);
        let reply = conn.exchange(message, intake).await?;
        let options = &self.shared.options;
        if !options.no_connection_reuse && conn.is_reusable() {
            self.pool.borrow_mut().put(conn, options.max_idle_per_host);
        }
        Ok(reply)
    }

    async fn over_h2(
        &self,
        mut conn: H2,
        reused: bool,
        request: &Request,
        intake: Intake,
        progress: &Progress<'_>,
    ) -> Result<Reply, Failure> {
        let body = if request.body.is_empty() {
            Body::Absent
        } else {
            Body::Present
        };
        progress.begin(&conn.peer, reused, Some(body));
        let mut message = http::Request::new(Full::new(request.body.clone()));
        *message.method_mut() = request.method.clone();
        *message.uri_mut() = request.target.absolute();
        *message.version_mut() = http::Version::HTTP_2;
        let mut headers = request.wire_headers(self.shared.user_agent.as_ref());
        headers::without_connection(&mut headers);
        *message.headers_mut() = headers;
        conn.exchange(message, intake, progress).await
    }

    fn assemble(&self, request: &Request, conn: &H1) -> http::Request<Outgoing> {
        let mut message = http::Request::new(Full::new(request.body.clone()));
        *message.method_mut() = request.method.clone();
        *message.uri_mut() = match &conn.peer.proxy {
            None => request.target.path().clone(),
            Some(_) => request.target.absolute(),
        };
        let mut headers = request.wire_headers(self.shared.user_agent.as_ref());
        if let Some(value) = conn.peer.proxy.as_ref().and_then(super::Target::authorization) {
            headers.insert(header::PROXY_AUTHORIZATION, value.clone());
        }
        if self.shared.options.no_connection_reuse {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        *message.headers_mut() = headers;
        message
    }
}

/// The answer to a Digest challenge that has not been answered yet.
fn challenged(request: &Request, reply: &Reply) -> Option<HeaderValue> {
    let Some(Auth::Digest { user, password }) = &request.auth else {
        return None;
    };
    if reply.head.status != StatusCode::UNAUTHORIZED || request.added.authorization.is_some() {
        return None;
    }
    let asker = digest::Asker {
        user,
        password,
        method: &request.method,
        uri: request
            .target
            .path()
            .path_and_query()
            .map_or("/", |path| path.as_str()),
    };
    digest::answer(
        &reply.head.headers,
        &asker,
        &format!("{:032x}", fastrand::u128(..)),
    )
}

fn report(
    request: &Request,
    result: &Result<Reply, NetError>,
    account: &Account,
    (started, ended): (Instant, Instant),
    trace: Option<SpanIds>,
    on_hop: &mut dyn FnMut(&Hop<'_>),
) {
    let (status, version, error) = match result {
        Ok(reply) => (reply.head.status.as_u16(), proto(reply.head.version), None),
        Err(error) => (0, Proto::None, Some(error)),
    };
    on_hop(&Hop {
        method: &request.method,
        url: request.target.as_str(),
        target: &request.target,
        trace,
        status,
        proto: version,
        tls: account.tls.as_ref().map_or(TlsTag::None, |tls| tls.version),
        error,
        timings: account.timings,
        sent: account.sent,
        received: account.received,
        started,
        ended,
        remote: account.remote,
        reused: account.reused,
        retried: account.retried,
    });
}

fn respond(request: Request, result: Result<Reply, NetError>, account: Account) -> Response {
    let (status, version, headers, body, error) = match result {
        Ok(Reply { head, body }) => (
            head.status.as_u16(),
            proto(head.version),
            head.headers,
            body,
            None,
        ),
        Err(error) => (0, Proto::None, HeaderMap::new(), bytes::Bytes::new(), Some(error)),
    };
    Response {
        status,
        proto: version,
        headers,
        body,
        timings: account.timings,
        error,
        remote: account.remote,
        tls: account.tls,
        request,
    }
}
