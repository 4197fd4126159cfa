//! What a test decides about its network: plain data that the conductor fills from the configuration.
//!
//! Proxies are parsed here, because here is known what they mean; names and addresses by who knows them (`crate::address`).

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use super::proxy::Proxies;
use crate::address::{Cidr, Dns, HostOverride, HostPattern};

/// How much of requests and responses is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpLog {
    /// Nothing.
    Off,
    /// All but bodies.
    Headers,
    /// Bodies too.
    Full,
}

/// Everything about the network that is the same for all virtual users of a test.
#[derive(Debug, Clone)]
pub struct NetOptions {
    /// Whether requests and responses are logged.
    pub debug: HttpLog,
    /// Whether certificates are checked (`insecureSkipTLSVerify` turns it off).
    pub tls_verify: bool,
    /// The oldest TLS version to accept. rustls has 1.2 and 1.3; older ones are raised to 1.2.
    pub tls_min: Option<TlsVersion>,
    /// The newest TLS version to offer.
    pub tls_max: Option<TlsVersion>,
    /// Cipher suites by their IANA names (`tlsCipherSuites`); empty: all that rustls has.
    pub cipher_suites: Vec<String>,
    /// Client certificates (`tlsAuth`).
    pub identities: Vec<ClientIdentity>,
    /// Certificates (PEM) of authorities to trust next to the system's.
    pub extra_roots: Vec<Vec<u8>>,
    /// Whether HTTP/2 is offered on TLS connections.
    pub http2: bool,
    /// Names that resolve to fixed addresses (`hosts`); the first that matches wins.
    pub hosts: Vec<HostOverride>,
    /// Names that must not be requested (`blockHostnames`).
    pub block_hostnames: Vec<HostPattern>,
    /// Addresses that must not be connected to (`blacklistIPs`).
    pub blacklist_ips: Vec<Cidr>,
    /// How names are resolved.
    pub dns: Dns,
    /// Source addresses (`localIPs`), dealt to the clients in turn.
    pub local_ips: Vec<IpAddr>,
    /// A new connection for every request.
    pub no_connection_reuse: bool,
    /// How many idle connections to one origin a client keeps.
    pub max_idle_per_host: usize,
    /// The largest response body, after decoding, that is kept in memory. Larger ones are errors.
    pub max_body: usize,
    /// The User-Agent header; empty: none is sent.
    pub user_agent: String,
    /// How long one TCP connect may take.
    pub connect_timeout: Duration,
    /// Which requests go through which proxy.
    pub proxies: Proxies,
}

impl Default for NetOptions {
    fn default() -> NetOptions {
        NetOptions {
            debug: HttpLog::Off,
            tls_verify: true,
            tls_min: None,
            tls_max: None,
            cipher_suites: Vec::new(),
            identities: Vec::new(),
            extra_roots: Vec::new(),
            http2: true,
            hosts: Vec::new(),
            block_hostnames: Vec::new(),
            blacklist_ips: Vec::new(),
            dns: Dns::default(),
            local_ips: Vec::new(),
            no_connection_reuse: false,
            max_idle_per_host: 6,
            max_body: 256 << 20,
            user_agent: concat!("loadgen/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(30),
            proxies: Proxies::default(),
        }
    }
}

/// Why an option cannot be used. Shown before any load starts.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SetupError(pub(super) String);

/// TLS versions by their names in `tlsVersion`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// "tls1.0"
    Tls10,
    /// "tls1.1"
    Tls11,
    /// "tls1.2"
    Tls12,
    /// "tls1.3"
    Tls13,
}

impl FromStr for TlsVersion {
    type Err = SetupError;

    fn from_str(text: &str) -> Result<TlsVersion, SetupError> {
        match text.trim() {
            "tls1.0" => Ok(TlsVersion::Tls10),
            "tls1.1" => Ok(TlsVersion::Tls11),
            "tls1.2" => Ok(TlsVersion::Tls12),
            "tls1.3" => Ok(TlsVersion::Tls13),
            other => Err(SetupError(format!(
                "unknown TLS version \"{other}\"; use tls1.0, tls1.1, tls1.2 or tls1.3"
            ))),
        }
    }
}

/// A client certificate and for which hosts to show it.
#[derive(Clone)]
pub struct ClientIdentity {
    /// Hosts to show it to; empty: all.
    pub domains: Vec<HostPattern>,
    /// The certificate chain, PEM.
    pub certificate: Vec<u8>,
    /// The unencrypted private key, PEM.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientIdentity")
            .field("domains", &self.domains)
            .finish_non_exhaustive()
    }
}
