//! Establishing a connection: resolve, TCP, proxy, TLS, and hyper's handshake.
//!
//! All of it is rare on a warm pool, so the caller boxes this future and keeps its own small.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use super::error::{NetError, code};
use super::progress::Progress;
use super::proxy::Proxies;
use super::shared::Shared;
use super::target::{Hostname, Origin, Target};
use super::tls::TlsInfo;
use super::wire::{Marks, Metered, Wire};

/// What is sent: the whole body at once, or nothing.
pub(super) type Outgoing = Full<Bytes>;

/// The longest answer to CONNECT that is read.
const CONNECT_ANSWER_LIMIT: usize = 16 << 10;

/// An established connection of either protocol.
pub(super) enum Conn {
    H1(Box<H1>),
    H2(H2),
}

/// What is the same for every request on a connection.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) origin: Arc<Origin>,
    pub(super) remote: SocketAddr,
    pub(super) tls: Option<Rc<TlsInfo>>,
    pub(super) marks: Rc<Marks>,
    /// A proxy that is spoken to in absolute form, with the credentials it wants.
    pub(super) proxy: Option<Target>,
}

/// An HTTP/1.1 connection. Nobody polls it but the exchange that uses it.
pub(super) struct H1 {
    pub(super) peer: Peer,
    pub(super) sender: http1::SendRequest<Outgoing>,
    /// `None` once it has finished: a finished future must not be polled again.
    pub(super) driver: Option<Driver>,
}

/// hyper's side of an HTTP/1.1 connection: it reads and writes when it is polled.
pub(super) type Driver = http1::Connection<TokioIo<Wire>, Outgoing>;

/// An HTTP/2 connection, driven by a task of its own until the last clone is gone.
#[derive(Clone)]
pub(super) struct H2 {
    pub(super) peer: Peer,
    pub(super) sender: http2::SendRequest<Outgoing>,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// HTTP, in whichever version the server chooses.
    Requests,
    /// A WebSocket: HTTP/1.1 to begin with, and through a proxy always by CONNECT, since what follows is no HTTP.
    WebSocket,
}

/// A stream to an origin, and whether HTTP/2 is to be spoken on it.
pub(super) struct Reached {
    pub(super) wire: Wire,
    pub(super) peer: Peer,
    http2: bool,
}

/// Connects to an origin for requests, stamping `progress` on the way. `local`: the source address to bind.
pub(super) async fn connect(
    shared: &Shared,
    origin: &Arc<Origin>,
    local: Option<IpAddr>,
    progress: &Progress<'_>,
) -> Result<Conn, NetError> {
    let Reached { wire, peer, http2 } = reach(shared, origin, local, progress, Purpose::Requests).await?;
    if http2 {
        handshake_h2(wire, peer).await
    } else {
        handshake_h1(wire, peer).await
    }
}

/// Name, TCP, proxy and TLS: all that comes before the first byte of HTTP.
pub(super) async fn reach(
    shared: &Shared,
    origin: &Arc<Origin>,
    local: Option<IpAddr>,
    progress: &Progress<'_>,
    purpose: Purpose,
) -> Result<Reached, NetError> {
    let proxy = shared.options.proxies.proxy_for(origin);
    let (host, port) = proxy.map_or((&origin.host, origin.port), |proxy| {
        (&proxy.origin().host, proxy.origin().port)
    });
    let (mut stream, address, marks) = open_tcp(shared, host, port, local, progress).await?;
    let tunnelled = origin.https || purpose == Purpose::WebSocket;
    if let Some(proxy) = proxy.filter(|_| tunnelled) {
        open_tunnel(&mut stream, origin, proxy).await?;
    }
    let mut peer = Peer {
        origin: Arc::clone(origin),
        remote: address,
        tls: None,
        marks,
        proxy: proxy.filter(|_| !tunnelled).cloned(),
    };
    if !origin.https {
        return Ok(Reached {
            wire: Wire::plain(stream),
            peer,
            http2: false,
        });
    }

    let tls = shared.tls()?;
    let config = match purpose {
        Purpose::Requests => Arc::clone(tls.config_for(&origin.host)),
        Purpose::WebSocket => tls.http1_config_for(&origin.host),
    };
    let start = Instant::now();
    let shaken = handshake_tls(config, &origin.host, stream).await;
    progress.secured(start.elapsed());
    let stream = shaken?;
    let session = stream.get_ref().1;
    let http2 = session.alpn_protocol() == Some(b"h2");
    peer.tls = Some(Rc::new(TlsInfo::of(session)));
    Ok(Reached {
        wire: Wire::tls(stream),
        peer,
        http2,
    })
}

/// TCP to a host, by the rules for names and addresses, stamping `progress` on the way.
pub(super) async fn open_tcp(
    shared: &Shared,
    host: &Hostname,
    port: u16,
    local: Option<IpAddr>,
    progress: &Progress<'_>,
) -> Result<(Metered, SocketAddr, Rc<Marks>), NetError> {
    let address = shared.resolver.resolve(&shared.options, host, port).await?;
    let start = Instant::now();
    let dialed = tokio::time::timeout(shared.options.connect_timeout, dial(address, local)).await;
    progress.connected(address, start.elapsed());
    let tcp = match dialed {
        Ok(Ok(tcp)) => tcp,
        Ok(Err(error)) => return Err(NetError::dial(&error)),
        Err(_) => return Err(NetError::dial_timeout()),
    };
    let marks = Rc::new(Marks::default());
    progress.watch(&marks);
    let stream = Metered::new(tcp, Rc::clone(&marks), shared.connections.open());
    Ok((stream, address, marks))
}

async fn dial(address: SocketAddr, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let tcp = match local {
        Some(ip) => {
            let socket = if address.is_ipv4() {
                TcpSocket::new_v4()
            } else {
                TcpSocket::new_v6()
            }?;
            socket.bind((ip, 0).into())?;
            socket.connect(address).await?
        }
        None => TcpStream::connect(address).await?,
    };
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

/// TLS with a host of this name.
pub(super) async fn handshake_tls(
    config: Arc<rustls::ClientConfig>,
    host: &Hostname,
    stream: Metered,
) -> Result<tokio_rustls::client::TlsStream<Metered>, NetError> {
    let name = match host {
        Hostname::Ip(ip) => ServerName::from(*ip),
        Hostname::Name(name) => ServerName::try_from(name.to_string()).map_err(|_| {
            NetError::new(
                code::INVALID_URL,
                "invalid URL: the host is no DNS name, which TLS needs",
            )
        })?,
    };
    let connecting = TlsConnector::from(config).connect(name, stream);
    connecting.await.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => NetError::new(
            code::TLS,
            "tls: the server closed the connection during the handshake",
        ),
        _ => NetError::io(&error),
    })
}

async fn handshake_h1(wire: Wire, peer: Peer) -> Result<Conn, NetError> {
    let (sender, driver) = speak_h1(wire).await?;
    Ok(Conn::H1(Box::new(H1 {
        peer,
        sender,
        driver: Some(driver),
    })))
}

/// HTTP/1.1 on a stream.
pub(super) async fn speak_h1(wire: Wire) -> Result<(http1::SendRequest<Outgoing>, Driver), NetError> {
    // Go writes header names in this case; servers that care about it exist.
    http1::Builder::new()
        .title_case_headers(true)
        .handshake(TokioIo::new(wire))
        .await
        .map_err(|error| NetError::hyper(&error))
}

async fn handshake_h2(wire: Wire, peer: Peer) -> Result<Conn, NetError> {
    let sender = speak_h2(wire).await?;
    Ok(Conn::H2(H2 { peer, sender }))
}

/// HTTP/2 on a stream, driven by a task of its own until the last sender is gone.
pub(super) async fn speak_h2<B>(wire: Wire) -> Result<http2::SendRequest<B>, NetError>
where
    B: hyper::body::Body + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // Windows as Go's client has them: 4 MiB a stream, 1 GiB a connection, frames of 16 KiB.
    let (sender, driver) = http2::Builder::new(Local)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(1 << 30)
        .handshake(TokioIo::new(wire))
        .await
        .map_err(|error| NetError::hyper(&error))?;
    tokio::task::spawn_local(async move {
        // Whoever waits for a response on this connection is told about its end.
        let _ = driver.await;
    });
    Ok(sender)
}

/// Runs hyper's HTTP/2 tasks on the worker's own thread; they are not `Send`.
#[derive(Clone)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

/// CONNECT through a proxy (RFC 9110, 9.3.6). After a 2xx the stream belongs to the tunnel.
async fn open_tunnel(stream: &mut Metered, origin: &Origin, proxy: &Target) -> Result<(), NetError> {
    let authority = format!("{}:{}", origin.host, origin.port);
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    if let Some(value) = Proxies::authorization(proxy) {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let failed = |error: io::Error| {
        let cause = NetError::io(&error);
        NetError::new(cause.code, format!("proxyconnect: {}", cause.message))
    };
    stream.write_all(&request).await.map_err(failed)?;
    let mut stream = Pin::new(stream);
    let mut answer = Vec::with_capacity(256);
    // The server of the tunnel speaks second, so there is nothing behind the answer's end.
    while !answer.ends_with(b"\r\n\r\n") && !answer.ends_with(b"\n\n") {
        if answer.len() >= CONNECT_ANSWER_LIMIT || stream.read_buf(&mut answer).await.map_err(failed)? == 0 {
            return Err(NetError::new(
                code::DIAL,
                "proxyconnect: the proxy's answer is no HTTP response",
            ));
        }
    }
    let status = answer
        .strip_prefix(b"HTTP/1.")
        .and_then(|rest| rest.get(2..5))
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u16>().ok());
    match status {
        Some(200..=299) => Ok(()),
        Some(status) => {
            let text = super::response::status_text(status);
            Err(NetError::new(
                code::DIAL,
                format!("proxyconnect: the proxy answered {text}"),
            ))
        }
        None => Err(NetError::new(
            code::DIAL,
            "proxyconnect: the proxy's answer is no HTTP response",
        )),
    }
}
