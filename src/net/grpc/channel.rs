//! One connection to a gRPC server. It is made when it is asked for, and again when a call finds it closed.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Uri};
use hyper::client::conn::http2;

use super::queue::{Outbound, Queue};
use super::status::{Code, Status};
use crate::net::client::Client;
use crate::net::connect::speak_h2;
use crate::net::direct::Endpoint;
use crate::net::error::{NetError, code};
use crate::net::progress::Progress;
use crate::net::shared::Shared;
use crate::net::target::Target;
use crate::net::tls::TlsMaterial;
use crate::net::wire::Marks;

/// The largest message that is taken unless the caller says otherwise, as in gRPC's libraries.
const LARGEST_RECEIVED: usize = 4 << 20;
/// The largest one that is sent.
const LARGEST_SENT: usize = i32::MAX as usize;

/// Where to connect, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dial {
    /// `host:port`.
    pub address: String,
    /// Without TLS.
    pub plaintext: bool,
    /// TLS settings of this connection.
    pub tls: Option<TlsMaterial>,
    /// What `:authority` says, and whose certificate is expected, if not the address.
    pub authority: Option<String>,
    /// The largest message that is taken.
    pub max_receive: Option<usize>,
    /// The largest one that is sent.
    pub max_send: Option<usize>,
}

/// A connection, to be used by one virtual user, or by several of one worker ([`super::Pool`]). Calls on it may overlap.
pub struct Channel {
    shared: Arc<Shared>,
    endpoint: Endpoint,
    address: String,
    origin: Uri,
    pub(super) max_receive: usize,
    max_send: usize,
    line: RefCell<Option<Line>>,
    /// Held while the connection is made, so that those who want it at one moment get one.
    dialing: tokio::sync::Mutex<()>,
    /// How many clients share it; none if it belongs to one.
    pub(super) sharers: Cell<usize>,
    closed: Cell<bool>,
    /// The calls under way.
    calls: RefCell<Vec<Weak<Queue>>>,
    /// Wire bytes of connections that are gone.
    stray: Cell<(u64, u64)>,
}

/// The connection as it is now.
#[derive(Clone)]
struct Line {
    sender: http2::SendRequest<Outbound>,
    marks: Rc<Marks>,
    remote: SocketAddr,
}

impl Client {
    /// A channel to a gRPC server, not yet connected.
    ///
    /// # Errors
    /// The address is none, or TLS settings cannot be used.
    pub fn grpc(&self, dial: Dial) -> Result<Rc<Channel>, NetError> {
        let address = dial.address.as_str();
        let target = target(address, dial.plaintext)?;
        let authority = match dial
            .authority
            .as_deref()
            .filter(|authority| !authority.is_empty())
        {
            Some(authority) => Some(Target::parse(&format!("https://{authority}")).map_err(|error| {
                NetError::new(
                    error.code,
                    format!("the authority `{authority}` is none: {}", error.message),
                )
            })?),
            None => None,
        };
        let origin = target.origin();
        let name = authority
            .as_ref()
            .map_or(&origin.host, |named| &named.origin().host);
        let tls = if dial.plaintext {
            None
        } else {
            Some((
                self.shared().tls_for(name, dial.tls.as_ref(), &[b"h2"])?,
                name.clone(),
            ))
        };
        let shown = dial.authority.filter(|authority| !authority.is_empty());
        let origin_uri = Uri::builder()
            .scheme(if dial.plaintext { "http" } else { "https" })
            .authority(shown.as_deref().unwrap_or(bare(address)))
            .path_and_query("/")
            .build()
            .map_err(|_| no_address(address))?;
        Ok(Rc::new(Channel {
            shared: Arc::clone(self.shared()),
            endpoint: Endpoint {
                host: origin.host.clone(),
                port: origin.port,
                tls,
                local: self.local_ip(),
            },
            address: bare(address).to_owned(),
            origin: origin_uri,
            max_receive: dial.max_receive.unwrap_or(LARGEST_RECEIVED),
            max_send: dial.max_send.unwrap_or(LARGEST_SENT),
            line: RefCell::default(),
            dialing: tokio::sync::Mutex::default(),
            sharers: Cell::new(0),
            closed: Cell::new(false),
            calls: RefCell::default(),
            stray: Cell::default(),
        }))
    }
}

/// An address as gRPC's libraries take it, without the name of the resolver that may stand before it.
fn bare(address: &str) -> &str {
    let address = address.trim();
    ["dns:///", "passthrough:///"]
        .iter()
        .find_map(|resolver| address.strip_prefix(resolver))
        .unwrap_or(address)
}

fn closing() -> Status {
    Status::new(Code::Canceled, "grpc: the client connection is closing")
}

fn no_address(address: &str) -> NetError {
    NetError::new(
        code::INVALID_URL,
        format!("`{address}` is no gRPC address: write host:port, without a scheme or a path"),
    )
}

fn target(address: &str, plaintext: bool) -> Result<Target, NetError> {
    let bare = bare(address);
    if bare.contains(['/', '@', '?', '#']) {
        return Err(no_address(address));
    }
    let port = bare
        .rsplit_once(':')
        .filter(|(host, _)| !host.is_empty() && (!host.contains(':') || host.ends_with(']')));
    if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
        return Err(NetError::new(
            code::INVALID_URL,
            format!("dial: address {address}: missing port in address; write host:port"),
        ));
    }
    let scheme = if plaintext { "http" } else { "https" };
    Target::parse(&format!("{scheme}://{bare}")).map_err(|_| no_address(address))
}

impl Channel {
    /// The address that was connected to.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The URL of a method, for those who follow requests.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.endpoint.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}{path}", self.address)
    }

    /// The peer's address, while there is a connection.
    pub fn remote(&self) -> Option<SocketAddr> {
        self.line.borrow().as_ref().map(|line| line.remote)
    }

    /// Whether it was closed for good.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Closes the connection; calls under way end as canceled.
    pub fn close(&self) {
        self.closed.set(true);
        self.drop_line();
        for queue in self.calls.take().iter().filter_map(Weak::upgrade) {
            queue.fail(closing());
        }
    }

    /// A call begins, whose messages go out through this queue; closing ends it.
    pub(super) fn begin(&self, queue: &Rc<Queue>) {
        let mut calls = self.calls.borrow_mut();
        calls.retain(|known| known.strong_count() > 0);
        calls.push(Rc::downgrade(queue));
    }

    /// Waits until calls can be made, connecting if need be, for this long at most.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn ready(&self, timeout: Duration) -> Result<(), Status> {
        let made = tokio::time::timeout(timeout, self.sender(false)).await;
        made.map_err(|_| Status::deadline())?.map(|_| ())
    }

    /// Wire bytes (sent, received) since this was last asked.
    pub fn take_bytes(&self) -> (u64, u64) {
        let (sent, received) = self.stray.take();
        match &*self.line.borrow() {
            Some(line) => {
                let (more_sent, more_received) = line.marks.take();
                (sent + more_sent, received + more_received)
            }
            None => (sent, received),
        }
    }

    /// Whether a message of this length may be sent.
    ///
    /// # Errors
    /// It is larger than the limit.
    pub fn admit(&self, length: usize) -> Result<(), Status> {
        if length > self.max_send {
            return Err(Status::new(
                Code::ResourceExhausted,
                format!(
                    "trying to send message larger than max ({length} vs. {})",
                    self.max_send
                ),
            ));
        }
        Ok(())
    }

    pub(super) fn origin(&self) -> &Uri {
        &self.origin
    }

    pub(super) fn user_agent(&self) -> Option<&HeaderValue> {
        self.shared.user_agent.as_ref()
    }

    /// A sender that is ready for a request, and whether its connection has been used before. `anew`: on a connection of
    /// its own making.
    pub(super) async fn sender(&self, anew: bool) -> Result<(http2::SendRequest<Outbound>, bool), Status> {
        if self.closed.get() {
            return Err(closing());
        }
        if anew {
            self.drop_line();
        }
        let reused = self.line.borrow().is_some();
        let failed = |error: NetError| Status::dialing(&error, &self.address);
        let mut line = self.line().await.map_err(failed)?;
        if line.sender.ready().await.is_ok() {
            return Ok((line.sender, reused));
        }
        // It was closed while nobody looked.
        self.drop_line();
        let mut line = self.line().await.map_err(failed)?;
        match line.sender.ready().await {
            Ok(()) => Ok((line.sender, false)),
            Err(error) => Err(Status::broken(&NetError::hyper(&error))),
        }
    }

    /// The connection, made now if there is none.
    async fn line(&self) -> Result<Line, NetError> {
        if let Some(line) = self.open_line() {
            return Ok(line);
        }
        let _dialing = self.dialing.lock().await;
        // Somebody else may have been quicker.
        if let Some(line) = self.open_line() {
            return Ok(line);
        }
        self.drop_line();
        let progress = Progress::new(Instant::now(), &self.stray);
        let direct = self.endpoint.open(&self.shared, &progress).await?;
        if self.endpoint.tls.is_some() && !direct.http2 {
            return Err(NetError::new(
                code::TLS,
                "credentials: cannot check peer: missing selected ALPN property: the server does not offer HTTP/2",
            ));
        }
        let sender = speak_h2(direct.wire).await?;
        let line = Line {
            sender,
            marks: direct.marks,
            remote: direct.remote,
        };
        self.line.replace(Some(line.clone()));
        Ok(line)
    }

    fn open_line(&self) -> Option<Line> {
        let line = self.line.borrow();
        line.as_ref().filter(|line| !line.sender.is_closed()).cloned()
    }

    fn drop_line(&self) {
        if let Some(line) = self.line.take() {
            self.keep(&line);
        }
    }

    fn keep(&self, line: &Line) {
        let ((sent, received), (more_sent, more_received)) = (self.stray.get(), line.marks.take());
        self.stray.set((sent + more_sent, received + more_received));
    }
}

/// Five bytes before each message: whether it is compressed, and its length.
pub(super) const HEAD: usize = 5;

/// A message in its frame.
pub(super) fn framed(length: usize, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut frame = Vec::with_capacity(length + HEAD);
    frame.push(0);
    frame.extend_from_slice(&(length as u32).to_be_bytes());
    write(&mut frame);
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for (address, host, port) in [
            ("127.0.0.1:50051", "127.0.0.1", 50051),
            ("dns:///a.test:443", "a.test", 443),
            ("[::1]:81", "::1", 81),
        ] {
            let target = target(address, true).unwrap();
            assert_eq!((&*target.host(), target.port()), (host, port), "{address}");
        }
        for (address, part) in [
            ("http://a.test:80", "without a scheme"),
            ("a.test:80/x", "or a path"),
            ("a.test", "missing port"),
            ("::1", "missing port"),
            (":80", "missing port"),
            ("", "missing port"),
            ("a.test:http", "missing port"),
            ("a b:80", "no gRPC address"),
        ] {
            let error = target(address, true).unwrap_err();
            assert!(error.message.contains(part), "{address}: {error}");
        }
    }
}
