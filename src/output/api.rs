//! The server of the REST API: requests in, JSON out. What they mean is known to whoever answers.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::Value;

use super::listen::{Answers, Server, respond};
use super::server::BindError;

/// The longest body that is read.
const MOST: usize = 1 << 20;

/// Who knows what requests mean.
pub trait Api: Send + Sync + 'static {
    /// Status and body of the answer to a request; a body of nothing is none.
    fn answer(
        &self,
        method: &Method,
        path: &str,
        body: &[u8],
    ) -> impl Future<Output = (StatusCode, Value)> + Send;
}

/// The REST API, served. Dropping it closes the port.
#[derive(Debug)]
pub struct ApiServer(Server);

struct Door<A>(A);

impl ApiServer {
    /// Binds `address` and serves from a task of the current tokio runtime.
    ///
    /// # Errors
    /// An address that is in use or not this machine's.
    pub async fn bind(address: SocketAddr, api: impl Api) -> Result<ApiServer, BindError> {
        let server = Server::bind(address, Arc::new(Door(api))).await;
        server
            .map(ApiServer)
            .map_err(|source| BindError::new("the REST API", "--address", address, source))
    }

    /// Where it is, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

impl<A: Api> Answers for Door<A> {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = match Limited::new(body, MOST).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => {
                return respond(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "text/plain",
                    "the body is too long\n",
                );
            }
        };
        let (status, value) = self.0.answer(&head.method, head.uri.path(), &body).await;
        let text = match value {
            Value::Null => String::new(),
            Value::String(text) => return respond(status, "text/plain; charset=utf-8", text),
            value => value.to_string(),
        };
        respond(status, "application/json; charset=utf-8", text)
    }
}
