//! From a request to its answer: finds the route, reads the body, asks the gates, waits for a turn, calls the handler.
//!
//! A system under test is a list of [`Service`]s, each of which listens on its own port and has a [`Table`] of routes.
//! A handler is a plain function of the request: whatever it takes (time, CPU, failures in overload) comes from the
//! [`Capacity`] that all services share.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, UPGRADE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use matchit::{Params, Router};
use serde_json::json;

use super::capacity::{Capacity, Turn};
use super::route::{Answer, Call, Reply, Route};
use super::upgrade::{self, Upgraded};

/// One port of the target and what is served there.
#[derive(Debug)]
pub struct Service {
    /// What it is called, in output and in the names of variables (`wallet` for `WALLET_URL`).
    pub name: &'static str,
    /// The port on which it listens by convention.
    pub usual_port: u16,
    /// Its endpoints; services may share them.
    pub table: Arc<Table>,
}

/// The endpoints of a service, to be found by path and method.
#[derive(Debug)]
pub struct Table(Router<Vec<Route>>);

/// Why there is no route for a request.
#[derive(Debug)]
pub enum NoRoute {
    /// There is nothing at the path.
    Path,
    /// The path takes other methods: these.
    Method(Vec<&'static str>),
}

impl Table {
    /// A table of these routes.
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Table {
        let mut paths: BTreeMap<&'static str, Vec<Route>> = BTreeMap::new();
        for route in routes {
            paths.entry(route.path).or_default().push(route);
        }
        let mut router = Router::new();
        for (path, routes) in paths {
            router
                .insert(path, routes)
                .expect("the paths are written in this room and none hides another");
        }
        Table(router)
    }

    /// The route for a request, and what the braces in its path stand for.
    pub fn find<'a>(
        &'a self,
        method: &Method,
        path: &'a str,
    ) -> Result<(&'a Route, Params<'a, 'a>), NoRoute> {
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let found = self.0.at(path).map_err(|_| NoRoute::Path)?;
        match found.value.iter().find(|route| route.method == method) {
            Some(route) => Ok((route, found.params)),
            None => Err(NoRoute::Method(
                found.value.iter().map(|route| name(&route.method)).collect(),
            )),
        }
    }
}

/// A method's name for as long as the program runs. Routes have no other methods than these.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::DELETE => "DELETE",
        _ => "POST",
    }
}

/// What all services share.
#[derive(Debug)]
pub struct Shared {
    /// The load that the target bears.
    pub capacity: Capacity,
    /// Largest request body, in bytes.
    pub max_body: usize,
}

/// The path of the target's own counters, on every service. Costs nothing and is never rejected.
pub const STATS_PATH: &str = "/__stats";

/// Answers one request. If the answer makes the connection a WebSocket, what is to be done with it is left in `upgraded`.
pub async fn answer(
    service: &Service,
    shared: &Shared,
    upgraded: &Upgraded,
    mut request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    if request.uri().path() == STATS_PATH {
        return stats(service, shared, request.method());
    }
    let upgrading = request
        .headers()
        .contains_key(UPGRADE)
        .then(|| hyper::upgrade::on(&mut request));
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let (route, params) = match service.table.find(&head.method, path) {
        Ok(found) => found,
        Err(NoRoute::Path) => return respond(Reply::not_found(&format!("there is nothing at {path}"))),
        Err(NoRoute::Method(allowed)) => return other_method(&allowed, path),
    };
    // Before any refusal: hyper closes a connection whose request it has not read to its end.
    let body = match read(body, shared.max_body.saturating_mul(route.body)).await {
        Ok(body) => body,
        Err(refusal) => return respond(refusal),
    };
    let call = Call {
        service: service.name,
        path,
        query: head.uri.query().unwrap_or_default(),
        headers: &head.headers,
        params: &params,
        body: &body,
    };
    if let Some(refusal) = route.gates.iter().find_map(|gate| gate(&call)) {
        return respond(refusal);
    }
    match shared.capacity.turn(route.cost).await {
        Turn::Served => match &route.answer {
            Answer::Reply(reply) => respond(reply(&call)),
            Answer::Socket(hub) => upgrade::answer(&head, upgrading, hub, upgraded),
        },
        Turn::Failed => respond(Reply::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "overloaded: the request failed",
        )),
        Turn::Rejected { retry_after } => respond(
            Reply::error(
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded: too many requests wait",
            )
            .with(RETRY_AFTER, retry_after.as_secs().max(1)),
        ),
    }
}

fn stats(service: &Service, shared: &Shared, method: &Method) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return other_method(&["GET"], STATS_PATH);
    }
    let mut body = json!(shared.capacity.stats());
    body["service"] = service.name.into();
    respond(Reply::ok(body.to_string()))
}

/// 405 for a path that is there for other methods.
fn other_method(allowed: &[&str], path: &str) -> Response<Full<Bytes>> {
    let allowed = allowed.join(", ");
    let message = format!("{path} takes {allowed}");
    respond(Reply::error(StatusCode::METHOD_NOT_ALLOWED, &message).with(ALLOW, allowed))
}

/// Reads the body, no more than `limit` bytes of it, whether or not its length was declared.
async fn read(body: Incoming, limit: usize) -> Result<Bytes, Reply> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let too_large = || {
        Reply::error(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("the body is larger than {limit} bytes"),
        )
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Reply::bad_request("the body ended before it was complete")),
    }
}

/// A reply as a response.
pub fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some((name, value)) = reply.header {
        headers.insert(name, value);
    }
    response
}
