//! An endpoint: what it is found by, what it costs, who may use it, and the function that answers.
//!
//! Handlers are plain functions of a [`Call`]. Whatever takes time or CPU is the router's and the capacity's affair.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use matchit::Params;
use serde::Deserialize;
use serde_json::json;

use super::sockets::Hub;

/// Share of `--cpu-cost` that an endpoint costs which only looks something up or counts something.
pub const CHEAP: f64 = 0.1;

/// How many times `--max-body` a [`Route::large`] endpoint takes.
pub const LARGE_BODY: usize = 16;

/// Judges a request before it has its turn: a refusal, or nothing.
pub type Gate = Arc<dyn Fn(&Call<'_>) -> Option<Reply> + Send + Sync>;

/// An endpoint.
pub struct Route {
    /// The method; `HEAD` is answered wherever `GET` is.
    pub method: Method,
    /// The path; a part in braces (`/v1/sessions/{id}`) stands for any text without a slash.
    pub path: &'static str,
    /// Its cost in CPU, as a share of `--cpu-cost`.
    pub cost: f64,
    /// The largest body that it takes, in multiples of `--max-body`.
    pub body: usize,
    /// Asked in this order before the request has its turn.
    pub gates: Vec<Gate>,
    /// What is done then.
    pub answer: Answer,
}

/// What an endpoint does with a request.
pub enum Answer {
    /// Makes a reply.
    Reply(Box<dyn Fn(&Call<'_>) -> Reply + Send + Sync>),
    /// Makes the connection a WebSocket of this hub.
    Socket(Arc<Hub>),
}

impl Route {
    /// An endpoint that costs what an endpoint costs and is open to all.
    pub fn new<R: Into<Reply>>(
        method: Method,
        path: &'static str,
        answer: impl Fn(&Call<'_>) -> R + Send + Sync + 'static,
    ) -> Route {
        let reply = Box::new(move |call: &Call<'_>| answer(call).into());
        Route::with(method, path, Answer::Reply(reply))
    }

    /// An endpoint that makes a connection a `WebSocket` of the hub.
    pub fn socket(path: &'static str, hub: &Arc<Hub>) -> Route {
        Route::with(Method::GET, path, Answer::Socket(Arc::clone(hub)))
    }

    fn with(method: Method, path: &'static str, answer: Answer) -> Route {
        Route {
            method,
            path,
            cost: 1.0,
            body: 1,
            gates: Vec::new(),
            answer,
        }
    }

    /// The same at a tenth of the cost.
    pub fn cheap(mut self) -> Route {
        self.cost = CHEAP;
        self
    }

    /// The same for bodies that hold many things.
    pub fn large(mut self) -> Route {
        self.body = LARGE_BODY;
        self
    }

    /// The same behind a gate, the last of those that it is behind.
    pub fn behind(mut self, gate: &Gate) -> Route {
        self.gates.push(Arc::clone(gate));
        self
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}

/// A handler that is a method of a shared state.
pub fn of<S, R>(
    state: &Arc<S>,
    method: fn(&S, &Call<'_>) -> R,
) -> impl Fn(&Call<'_>) -> R + Send + Sync + use<S, R>
where
    S: Send + Sync + 'static,
    R: 'static,
{
    let state = Arc::clone(state);
    move |call| method(&state, call)
}

/// A request as a handler sees it.
#[derive(Debug)]
pub struct Call<'a> {
    /// The service that was asked.
    pub service: &'static str,
    /// The path.
    pub path: &'a str,
    /// What follows the question mark, or nothing.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// What the braces in the route's path stand for.
    pub params: &'a Params<'a, 'a>,
    /// The body, whole.
    pub body: &'a [u8],
}

impl Call<'_> {
    /// What `{name}` in the route's path stands for, decoded; the empty text if the path has no such part.
    pub fn param(&self, name: &str) -> Cow<'_, str> {
        let text = self.params.get(name).unwrap_or_default();
        percent_encoding::percent_decode_str(text).decode_utf8_lossy()
    }

    /// The first value of a query parameter, decoded.
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// A query parameter that is a number; `default` if it is not there.
    pub fn number(&self, name: &str, default: u64) -> Result<u64, Reply> {
        let Some(text) = self.query(name) else {
            return Ok(default);
        };
        text.parse()
            .map_err(|_| Reply::bad_request(&format!("{name}={text} is not a whole number")))
    }

    /// How many things a list is to hold: the parameter `limit`, no more than `most`.
    pub fn limit(&self, default: usize, most: usize) -> Result<usize, Reply> {
        let limit = self.number("limit", default as u64)?;
        Ok(usize::try_from(limit).unwrap_or(most).min(most))
    }

    /// The body as JSON of a shape.
    pub fn json<'b, T: Deserialize<'b>>(&'b self) -> Result<T, Reply> {
        serde_json::from_slice(self.body).map_err(|error| {
            Reply::bad_request(&format!("the body is not what {} takes: {error}", self.path))
        })
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token of `Authorization: Bearer …`.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }
}

/// An answer in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The body: JSON text.
    pub body: Bytes,
    /// A header beside the content type; no answer here needs more than one.
    pub header: Option<(HeaderName, HeaderValue)>,
}

impl Reply {
    /// An answer with text that already is JSON.
    pub fn new(status: StatusCode, body: impl Into<Bytes>) -> Reply {
        Reply {
            status,
            body: body.into(),
            header: None,
        }
    }

    /// 200 with text that already is JSON.
    pub fn ok(body: impl Into<Bytes>) -> Reply {
        Reply::new(StatusCode::OK, body)
    }

    /// 201 with text that already is JSON.
    pub fn created(body: impl Into<Bytes>) -> Reply {
        Reply::new(StatusCode::CREATED, body)
    }

    /// A refusal: `{"error": …}`.
    pub fn error(status: StatusCode, message: &str) -> Reply {
        Reply::new(status, json!({ "error": message }).to_string())
    }

    /// 400.
    pub fn bad_request(message: &str) -> Reply {
        Reply::error(StatusCode::BAD_REQUEST, message)
    }

    /// 404.
    pub fn not_found(message: &str) -> Reply {
        Reply::error(StatusCode::NOT_FOUND, message)
    }

    /// The same with a header. A value that no header can have is left out.
    pub fn with(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Reply {
        self.header = value.try_into().ok().map(|value| (name, value));
        self
    }
}

impl From<Result<Reply, Reply>> for Reply {
    fn from(result: Result<Reply, Reply>) -> Reply {
        result.unwrap_or_else(|refusal| refusal)
    }
}
