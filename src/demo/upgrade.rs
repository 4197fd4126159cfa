//! From an HTTP connection to a WebSocket: the handshake, and what becomes of the connection after it.
//!
//! The task that served the HTTP connection goes on to serve the socket, so that whoever waits for the connections of
//! a thread to end waits for its sockets too.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::locked;
use super::route::Reply;
use super::router::respond;
use super::sockets::{Hub, Seat};

/// Memory that a socket holds for what it reads and for what it writes. Five hundred of them should be cheap, and their
/// messages are small.
const BUFFER: usize = 4096;

/// What a connection turns into when its last request is answered; nothing for most.
#[derive(Debug, Default)]
pub struct Upgraded(Mutex<Option<(OnUpgrade, Seat)>>);

impl Upgraded {
    /// Serves the socket that the connection has become, if it has, until either side ends it.
    pub async fn serve(&self, stopped: watch::Receiver<bool>) {
        let taken = locked(&self.0).take();
        let Some((upgrading, seat)) = taken else { return };
        // It fails if the client left before it had its answer.
        let Ok(stream) = upgrading.await else { return };
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(BUFFER)
            .max_message_size(Some(seat.max_message()))
            .max_frame_size(Some(seat.max_message()));
        let stream = WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Server, Some(config)).await;
        seat.serve(stream, stopped).await;
    }
}

/// Answers a request for a WebSocket: 101, and the rest is left in `upgraded`; or a refusal.
pub fn answer(
    head: &Parts,
    upgrading: Option<OnUpgrade>,
    hub: &Arc<Hub>,
    upgraded: &Upgraded,
) -> Response<Full<Bytes>> {
    let (Some(upgrading), Ok(mut response)) = (upgrading, handshake(head)) else {
        let mut refusal = respond(Reply::error(
            StatusCode::UPGRADE_REQUIRED,
            &format!(
                "{} takes WebSocket handshakes (RFC 6455, version 13)",
                head.uri.path()
            ),
        ));
        let headers = refusal.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return refusal;
    };
    let Some(seat) = hub.seat() else {
        return respond(Reply::error(
            StatusCode::SERVICE_UNAVAILABLE,
            &format!(
                "there are {} sockets, and no more are taken",
                super::sockets::MAX_SOCKETS
            ),
        ));
    };
    // The demo speaks any protocol that a client asks for: they differ in nothing here.
    if let Some(protocol) = first_protocol(head) {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    *locked(&upgraded.0) = Some((upgrading, seat));
    response
}

fn handshake(head: &Parts) -> Result<Response<Full<Bytes>>, tokio_tungstenite::tungstenite::Error> {
    let mut request = Request::new(());
    *request.method_mut() = head.method.clone();
    *request.version_mut() = head.version;
    *request.headers_mut() = head.headers.clone();
    create_response_with_body(&request, Full::default)
}

fn first_protocol(head: &Parts) -> Option<HeaderValue> {
    let offered = head.headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    HeaderValue::from_str(offered.split(',').next()?.trim()).ok()
}
