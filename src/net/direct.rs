//! A stream to a host for protocols of their own (gRPC, Redis): the run's rules for names, addresses and TLS apply, proxies
//! for HTTP do not, as in the dialect.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use rustls::ClientConfig;

use super::connect::{handshake_tls, open_tcp};
use super::error::NetError;
use super::progress::Progress;
use super::shared::Shared;
use super::target::Hostname;
use super::wire::{Marks, Wire};

/// Where to, and how.
pub(super) struct Endpoint {
    pub(super) host: Hostname,
    pub(super) port: u16,
    /// The settings of TLS, and the name that the certificate is to have.
    pub(super) tls: Option<(Arc<ClientConfig>, Hostname)>,
    /// The source address.
    pub(super) local: Option<IpAddr>,
}

/// An open stream.
pub(super) struct Direct {
    pub(super) wire: Wire,
    pub(super) marks: Rc<Marks>,
    pub(super) remote: SocketAddr,
    /// Whether both sides have agreed on HTTP/2, which only TLS tells.
    pub(super) http2: bool,
}

impl Endpoint {
    /// Opens a stream, stamping `progress` on the way.
    pub(super) async fn open(&self, shared: &Shared, progress: &Progress<'_>) -> Result<Direct, NetError> {
        let (stream, remote, marks) = open_tcp(shared, &self.host, self.port, self.local, progress).await?;
        let Some((config, name)) = &self.tls else {
            return Ok(Direct {
                wire: Wire::plain(stream),
                marks,
                remote,
                http2: false,
            });
        };
        let start = Instant::now();
        let shaken = tokio::time::timeout(
            shared.options.connect_timeout,
            handshake_tls(Arc::clone(config), name, stream),
        )
        .await;
        progress.secured(start.elapsed());
        let stream = shaken.map_err(|_| NetError::dial_timeout())??;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Direct {
            wire: Wire::tls(stream),
            marks,
            remote,
            http2,
        })
    }
}
