//! Opening a WebSocket: an HTTP/1.1 request whose answer turns the connection into one (RFC 6455, section 4).
//!
//! hyper sends the request and reads the answer, so that a refusal (401, 429, 503) is a complete response with its
//! body; after a 101 the stream is taken out of hyper's hands. Redirects are not followed, as in the dialect.

use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::poll_fn;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};

use super::WebSocket;
use crate::metrics::{Proto, RequestSpan, SpanIds, TagsId};
use crate::net::client::Client;
use crate::net::connect::{Driver, Purpose, reach, speak_h1};
use crate::net::cookies::Jar;
use crate::net::decode::decode;
use crate::net::error::{NetError, code};
use crate::net::exchange::{Intake, Sink};
use crate::net::progress::Progress;
use crate::net::request::{JarChoice, Request};
use crate::net::response::{Timings, error_code, status_text};
use crate::net::target::Target;
use crate::net::timer::FAR_FUTURE;
use crate::net::tls::TlsInfo;

/// What came of opening a WebSocket. An HTTP answer is here whether it opened one or not.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opening {
    /// Where to.
    pub target: Target,
    /// The status of the answer, 101 if it opened; 0 without an answer.
    pub status: u16,
    /// The headers of the answer.
    pub headers: HeaderMap,
    /// The body of an answer that is no 101, decoded.
    pub body: Bytes,
    /// When it was asked for.
    pub started: Instant,
    /// From then to the answer's end, or to the failure.
    pub took: Duration,
    /// The phases of that time.
    pub timings: Timings,
    /// Bytes written to the wire so far, TLS included.
    pub sent: u64,
    /// Bytes read from the wire so far, TLS included.
    pub received: u64,
    /// The peer's address.
    pub remote: Option<SocketAddr>,
    /// How the connection is encrypted.
    pub tls: Option<Rc<TlsInfo>>,
    /// Which span opening it is, if the client was told what its requests belong to.
    pub trace: Option<SpanIds>,
    /// The open WebSocket, or why there is none.
    pub socket: Result<WebSocket, NetError>,
}

impl Opening {
    /// Opening it as a span. `tags` are those of its samples.
    pub fn span(&self, tags: TagsId) -> RequestSpan {
        let error = self.socket.as_ref().err();
        RequestSpan {
            tags,
            url: self.target.text(),
            method: Method::GET,
            status: self.status,
            error_code: error_code(error.filter(|_| self.status == 0), self.status),
            failed: error.is_some(),
            proto: if self.status == 0 {
                Proto::None
            } else {
                Proto::Http11
            },
            remote: self.remote,
            resends: 0,
            // It is no request of `http_req_duration`.
            times: None,
        }
    }

    /// The subprotocol that the server chose, empty for none.
    pub fn protocol(&self) -> &str {
        let chosen = self.headers.get(header::SEC_WEBSOCKET_PROTOCOL);
        chosen.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Headers that are the handshake's own.
const RESERVED: [HeaderName; 5] = [
    header::UPGRADE,
    header::CONNECTION,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_EXTENSIONS,
];

/// An answer, and the connection if it became a WebSocket.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    upgraded: Option<hyper::client::conn::http1::Parts<hyper_util::rt::TokioIo<crate::net::wire::Wire>>>,
}

impl Client {
    /// Opens a WebSocket to a target of [`Target::websocket`], offering subprotocols. Of the request count its
    /// headers, cookies, jar, credentials and timeout.
    pub async fn websocket(&self, mut request: Request, protocols: &[String]) -> Opening {
        let started = Instant::now();
        let trace = self.stamp().apply(&mut request);
        let jar = match &request.jar {
            JarChoice::Client => Some(self.jar().clone()),
            JarChoice::Explicit(jar) => Some(jar.clone()),
            JarChoice::None => None,
        };
        request.added.cookie = Jar::header(jar.as_ref(), &request, true);
        let timeout = request.timeout.min(FAR_FUTURE);
        let progress = Progress::new(started, self.stray());
        let key = generate_key();
        let shaken = tokio::time::timeout(timeout, self.shake(&request, protocols, &key, &progress)).await;
        let ended = Instant::now();
        let account = progress.settle(ended);
        let mut opening = Opening {
            status: 0,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            started,
            took: ended - started,
            timings: account.timings,
            sent: account.sent,
            received: account.received,
            remote: account.remote,
            tls: account.tls,
            trace,
            socket: Err(NetError::timeout()),
            target: request.target,
        };
        match shaken {
            Err(_) => {}
            Ok(Err(error)) => opening.socket = Err(error),
            Ok(Ok(answer)) => {
                if let Some(jar) = jar {
                    jar.absorb(opening.target.url(), &answer.headers);
                }
                opening.status = answer.status.as_u16();
                opening.socket = match refusal(&answer, &key) {
                    Some(error) => Err(error),
                    None => match answer.upgraded {
                        Some(parts) => Ok(WebSocket::over(parts.io.into_inner(), &parts.read_buf).await),
                        None => Err(NetError::new(code::GENERIC, "unexpected EOF")),
                    },
                };
                opening.headers = answer.headers;
                opening.body = answer.body;
            }
        }
        opening
    }

    async fn shake(
        &self,
        request: &Request,
        protocols: &[String],
        key: &str,
        progress: &Progress<'_>,
    ) -> Result<Answer, NetError> {
        let message = assemble(
            request,
            protocols,
            key,
            request.wire_headers(self.shared().user_agent.as_ref()),
        )?;
        let reached = reach(
            self.shared(),
            request.target.origin(),
            self.local_ip(),
            progress,
            Purpose::WebSocket,
        )
        .await?;
        let (mut sender, mut driver) = speak_h1(reached.wire).await?;
        progress.begin(&reached.peer, false, None);

        let mut finished = false;
        let mut promise = pin!(sender.try_send_request(message));
        let response = poll_fn(|cx| {
            finished = finished || driver.poll_without_shutdown(cx).is_ready();
            promise.as_mut().poll(cx)
        })
        .await
        .map_err(|error| NetError::hyper(error.error()))?;
        let (head, incoming) = response.into_parts();
        let mut answer = Answer {
            status: head.status,
            body: Bytes::new(),
            headers: HeaderMap::new(),
            upgraded: None,
        };
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            if !finished {
                poll_fn(|cx| driver.poll_without_shutdown(cx))
                    .await
                    .map_err(|error| NetError::hyper(&error))?;
            }
            answer.upgraded = Some(driver.into_parts());
        } else {
            let intake = Intake {
                discard: false,
                discard_redirects: false,
                limit: self.shared().options().max_body,
            };
            let sink = Sink::new(intake, &head, &incoming)?;
            let body = read_body(&mut driver, finished, incoming, sink).await?;
            answer.body = decode(&head.headers, body, intake.limit)?;
        }
        answer.headers = head.headers;
        Ok(answer)
    }
}

fn assemble(
    request: &Request,
    protocols: &[String],
    key: &str,
    mut headers: HeaderMap,
) -> Result<http::Request<Full<Bytes>>, NetError> {
    if let Some(name) = RESERVED.iter().find(|name| request.given(name).is_some()) {
        return Err(NetError::new(
            code::GENERIC,
            format!("websocket: the header {name} is the handshake's own; leave it out"),
        ));
    }
    let forbidden = |_| {
        NetError::new(
            code::GENERIC,
            "websocket: a subprotocol has a character that a header cannot have",
        )
    };
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(
        header::SEC_WEBSOCKET_KEY,
        HeaderValue::from_str(key).map_err(forbidden)?,
    );
    if !protocols.is_empty() {
        let offered = HeaderValue::from_str(&protocols.join(", ")).map_err(forbidden)?;
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, offered);
    }
    let mut message = http::Request::new(Full::default());
    *message.uri_mut() = request.target.path().clone();
    *message.headers_mut() = headers;
    Ok(message)
}

async fn read_body(
    driver: &mut Driver,
    mut finished: bool,
    incoming: Incoming,
    mut sink: Sink,
) -> Result<Bytes, NetError> {
    let mut incoming = pin!(incoming);
    poll_fn(|cx| {
        loop {
            if incoming.is_end_stream() {
                return Poll::Ready(Ok(()));
            }
            match incoming.as_mut().poll_frame(cx) {
                Poll::Ready(Some(frame)) => sink.frame(frame)?,
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending if finished => {
                    return Poll::Ready(Err(NetError::new(code::GENERIC, "unexpected EOF")));
                }
                Poll::Pending => {
                    finished = driver.poll_without_shutdown(cx).is_ready();
                    match incoming.as_mut().poll_frame(cx) {
                        Poll::Ready(Some(frame)) => sink.frame(frame)?,
                        Poll::Ready(None) => return Poll::Ready(Ok(())),
                        Poll::Pending if finished => {}
                        Poll::Pending => return Poll::Pending,
                    }
                }
            }
        }
    })
    .await?;
    Ok(sink.finish())
}

/// Why an answer opens no WebSocket (RFC 6455, 4.2.2). A subprotocol that was not asked for is let pass, as in the
/// dialect: scripts exist that ask for one in a header that they then leave out.
fn refusal(answer: &Answer, key: &str) -> Option<NetError> {
    let bad = |why: String| {
        Some(NetError::new(
            code::GENERIC,
            format!("websocket: bad handshake: {why}"),
        ))
    };
    let has = |name: HeaderName, token: &str| {
        answer
            .headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| {
                value
                    .split(',')
                    .any(|part| part.trim().eq_ignore_ascii_case(token))
            })
    };
    if answer.status != StatusCode::SWITCHING_PROTOCOLS {
        let status = answer.status.as_u16();
        let error = NetError::new(
            if status >= 400 {
                1000 + status
            } else {
                code::GENERIC
            },
            format!(
                "websocket: bad handshake: the server answered {}",
                status_text(status)
            ),
        );
        return Some(error);
    }
    if !has(header::UPGRADE, "websocket") || !has(header::CONNECTION, "upgrade") {
        return bad("the server switched to something else than a WebSocket".to_owned());
    }
    let accepted = answer.headers.get(header::SEC_WEBSOCKET_ACCEPT);
    if accepted.is_none_or(|value| value.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes()) {
        return bad("its Sec-WebSocket-Accept does not fit the key that was sent".to_owned());
    }
    if let Some(extension) = answer.headers.get(header::SEC_WEBSOCKET_EXTENSIONS) {
        let shown = String::from_utf8_lossy(extension.as_bytes());
        return bad(format!(
            "the server uses the extension `{shown}`, which was not offered"
        ));
    }
    None
}
