//! From a request to its answer: finds the route, reads the body, waits for a turn, calls the handler.
//!
//! A system under test is a list of [`Service`]s, each of which listens on its own port and has its own table of
//! [`Route`]s. A handler is a plain function of the request: whatever it takes (time, CPU, failures in overload) comes
//! from the [`Capacity`] that all services share.

use std::fmt;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use serde_json::json;

use super::capacity::{Capacity, Turn};

/// One port of the target and what is served there.
#[derive(Debug)]
pub struct Service {
    /// What it is called, in output and in the names of variables (`wallet` for `WALLET_URL`).
    pub name: &'static str,
    /// The port on which it listens by convention.
    pub usual_port: u16,
    /// Its endpoints.
    pub routes: Vec<Route>,
}

/// An endpoint.
pub struct Route {
    /// The method; `HEAD` is answered wherever `GET` is.
    pub method: Method,
    /// The path, exactly.
    pub path: &'static str,
    /// Whether it stands behind the payment layer.
    pub paid: bool,
    /// Makes the answer, after the request had its turn.
    pub answer: Box<dyn Fn(&Call<'_>) -> Reply + Send + Sync>,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// A request as a handler sees it.
#[derive(Debug)]
pub struct Call<'a> {
    /// The body, whole.
    pub body: &'a [u8],
}

/// An answer in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The body: JSON text.
    pub body: Bytes,
}

impl Reply {
    /// 200 with text that already is JSON.
    pub fn ok(body: impl Into<Bytes>) -> Reply {
        Reply {
            status: StatusCode::OK,
            body: body.into(),
        }
    }

    /// A refusal: `{"error": …}`.
    pub fn error(status: StatusCode, message: &str) -> Reply {
        Reply {
            status,
            body: json!({ "error": message }).to_string().into(),
        }
    }
}

/// What all services share.
#[derive(Debug)]
pub struct Shared {
    /// The load that the target bears.
    pub capacity: Capacity,
    /// Whether paid endpoints want an `x-payment` header.
    pub payment_required: bool,
    /// Largest request body, in bytes.
    pub max_body: usize,
}

/// The path of the target's own counters, on every service. Costs nothing and is never rejected.
pub const STATS_PATH: &str = "/__stats";

/// Answers one request.
pub async fn answer(service: &Service, shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if path == STATS_PATH {
        return stats(service, shared, request.method());
    }
    let method = if request.method() == Method::HEAD {
        &Method::GET
    } else {
        request.method()
    };
    let mut allowed = Vec::new();
    let mut route = None;
    for candidate in service.routes.iter().filter(|route| route.path == path) {
        allowed.push(candidate.method.as_str());
        if candidate.method == method {
            route = Some(candidate);
        }
    }
    let Some(route) = route else {
        return no_route(&allowed, path);
    };
    if route.paid && shared.payment_required && !request.headers().contains_key("x-payment") {
        return respond(payment_required(path));
    }
    let body = match read(request.into_body(), shared.max_body).await {
        Ok(body) => body,
        Err(refusal) => return respond(refusal),
    };
    match shared.capacity.turn().await {
        Turn::Served => respond((route.answer)(&Call { body: &body })),
        Turn::Failed => respond(Reply::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "overloaded: the request failed",
        )),
        Turn::Rejected { retry_after } => {
            let mut response = respond(Reply::error(
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded: too many requests wait",
            ));
            response
                .headers_mut()
                .insert(RETRY_AFTER, retry_after.as_secs().max(1).into());
            response
        }
    }
}

fn stats(service: &Service, shared: &Shared, method: &Method) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return no_route(&["GET"], STATS_PATH);
    }
    let mut body = json!(shared.capacity.stats());
    body["service"] = service.name.into();
    respond(Reply::ok(body.to_string()))
}

/// 404 for a path that no route has, 405 for one that is there for other methods.
fn no_route(allowed: &[&str], path: &str) -> Response<Full<Bytes>> {
    if allowed.is_empty() {
        return respond(Reply::error(
            StatusCode::NOT_FOUND,
            &format!("there is nothing at {path}"),
        ));
    }
    let allowed = allowed.join(", ");
    let message = format!("{path} takes {allowed}");
    let mut response = respond(Reply::error(StatusCode::METHOD_NOT_ALLOWED, &message));
    if let Ok(value) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}

/// The shape of an x402 answer: what would be accepted as payment.
fn payment_required(path: &str) -> Reply {
    let body = json!({
        "x402Version": 1,
        "error": "X-PAYMENT header is required",
        "accepts": [{ "scheme": "exact", "network": "base", "maxAmountRequired": "1000", "resource": path }],
    });
    Reply {
        status: StatusCode::PAYMENT_REQUIRED,
        body: body.to_string().into(),
    }
}

/// Reads the body, no more than `limit` bytes of it, whether or not its length was declared.
async fn read(body: Incoming, limit: usize) -> Result<Bytes, Reply> {
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
        Err(_) => Err(Reply::error(
            StatusCode::BAD_REQUEST,
            "the body ended before it was complete",
        )),
    }
}

fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = reply.status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
