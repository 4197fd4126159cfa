//! The options that shape requests: connections, TLS, names and addresses, bodies.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::address;
use super::check::Reader;
use super::pem;
use super::reader::{Node, all};
use crate::address::{Cidr, Dns, HostOverride, HostPattern};

/// Everything that shapes requests, with the dialect's defaults.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::struct_excessive_bools)] // Each is an option of the dialect.
pub struct HttpOptions {
    /// Parallel requests of one `http.batch`.
    pub batch: u32,
    /// Of those, to one host; 0 is no limit.
    pub batch_per_host: u32,
    pub max_redirects: u32,
    pub user_agent: String,
    /// What of each request and response is logged.
    pub debug: HttpDebug,
    pub discard_response_bodies: bool,
    pub no_connection_reuse: bool,
    pub no_vu_connection_reuse: bool,
    pub no_cookies_reset: bool,
    pub insecure_skip_tls_verify: bool,
    pub tls: TlsOptions,
    pub dns: Dns,
    /// Most specific first.
    pub hosts: Vec<HostOverride>,
    pub block_hostnames: Vec<HostPattern>,
    pub blacklist_ips: Vec<Cidr>,
    /// Local addresses that VUs connect from, in turn; empty is the system's choice.
    pub local_ips: Vec<RangeInclusive<IpAddr>>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            batch: 20,
            batch_per_host: 6,
            max_redirects: 10,
            user_agent: concat!("loadgen/", env!("CARGO_PKG_VERSION")).to_owned(),
            debug: HttpDebug::Off,
            discard_response_bodies: false,
            no_connection_reuse: false,
            no_vu_connection_reuse: false,
            no_cookies_reset: false,
            insecure_skip_tls_verify: false,
            tls: TlsOptions::default(),
            dns: Dns::default(),
            hosts: Vec::new(),
            block_hostnames: Vec::new(),
            blacklist_ips: Vec::new(),
            local_ips: Vec::new(),
        }
    }
}

/// `httpDebug`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpDebug {
    Off,
    Headers,
    Full,
}

/// TLS versions that exist here: older ones are refused by every current TLS library worth using.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptions {
    pub min: TlsVersion,
    pub max: TlsVersion,
    /// IANA names of the suites that may be offered; empty is all. TLS 1.3 suites are always offered.
    pub cipher_suites: Vec<String>,
    pub auth: Vec<TlsAuth>,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            min: TlsVersion::Tls12,
            max: TlsVersion::Tls13,
            cipher_suites: Vec::new(),
            auth: Vec::new(),
        }
    }
}

/// A client certificate and the hosts it is shown to.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsAuth {
    /// Every host when empty.
    pub domains: Vec<HostPattern>,
    /// PEM.
    pub cert: String,
    /// PEM.
    pub key: String,
}

/// A private key must not end up in a log.
impl std::fmt::Debug for TlsAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsAuth")
            .field("domains", &self.domains)
            .finish_non_exhaustive()
    }
}

/// TLS 1.2 suites of rustls' ring provider (1.3 suites cannot be chosen, as in Go).
const SUITES: [&str; 6] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

pub(super) fn read(reader: &Reader, warnings: &mut Vec<String>) -> HttpOptions {
    let default = HttpOptions::default();
    let whole = |name: &str, least: u64, default: u32| {
        reader.or(name, default, |n| {
            n.whole(least..=u64::from(u32::MAX)).map(|n| n as u32)
        })
    };
    let flag = |name: &str| reader.or(name, false, Node::boolean);
    let (min, max) = reader.or("tlsVersion", (default.tls.min, default.tls.max), |n| {
        tls_versions(n, warnings)
    });
    HttpOptions {
        batch: whole("batch", 1, default.batch),
        batch_per_host: whole("batchPerHost", 0, default.batch_per_host),
        max_redirects: whole("maxRedirects", 0, default.max_redirects),
        user_agent: reader.or("userAgent", default.user_agent, user_agent),
        debug: reader.or("httpDebug", HttpDebug::Off, http_debug),
        discard_response_bodies: flag("discardResponseBodies"),
        no_connection_reuse: flag("noConnectionReuse"),
        no_vu_connection_reuse: flag("noVUConnectionReuse"),
        no_cookies_reset: flag("noCookiesReset"),
        insecure_skip_tls_verify: flag("insecureSkipTLSVerify"),
        tls: TlsOptions {
            min,
            max,
            cipher_suites: reader.or("tlsCipherSuites", Vec::new(), |n| cipher_suites(n, warnings)),
            auth: reader.or("tlsAuth", Vec::new(), tls_auth),
        },
        dns: reader.or("dns", Dns::default(), address::dns),
        hosts: reader.or("hosts", Vec::new(), address::hosts),
        block_hostnames: reader.or("blockHostnames", Vec::new(), address::patterns),
        blacklist_ips: reader.or("blacklistIPs", Vec::new(), address::networks),
        local_ips: reader.or("localIPs", Vec::new(), address::local_ips),
    }
}

fn user_agent(node: &Node) -> Option<String> {
    let agent = node.text()?;
    if http::HeaderValue::from_str(agent).is_err() {
        node.fault("cannot be sent as a header", "use visible characters only");
        return None;
    }
    Some(agent.to_owned())
}

fn http_debug(node: &Node) -> Option<HttpDebug> {
    const KNOWN: [(&str, HttpDebug); 4] = [
        ("headers", HttpDebug::Headers),
        ("full", HttpDebug::Full),
        ("true", HttpDebug::Headers),
        ("false", HttpDebug::Off),
    ];
    match node.scalar()?.as_str() {
        "" => Some(HttpDebug::Off),
        written => address::choice(node, "debug level", written, &KNOWN),
    }
}

/// `'tls1.2'` or `{ min, max }`.
fn tls_versions(node: &Node, warnings: &mut Vec<String>) -> Option<(TlsVersion, TlsVersion)> {
    let mut read = |node: &Node| {
        Some(match tls_version(node)? {
            Named::Spoken(version) => version,
            Named::TooOld => {
                warnings.push(format!(
                    "{}: TLS before 1.2 is not spoken; tls1.2 takes its place",
                    node.path
                ));
                TlsVersion::Tls12
            }
        })
    };
    if node.value.is_string() {
        let only = read(node)?;
        return Some((only, only));
    }
    let fields = node.fields(&["min", "max"])?;
    let min = fields.get("min").map_or(Some(TlsVersion::Tls12), &mut read)?;
    let max = fields.get("max").map_or(Some(TlsVersion::Tls13), &mut read)?;
    if min > max {
        node.fault("min is above max", "swap them");
        return None;
    }
    Some((min, max))
}

/// A version that exists.
#[derive(Clone, Copy)]
enum Named {
    Spoken(TlsVersion),
    TooOld,
}

fn tls_version(node: &Node) -> Option<Named> {
    const KNOWN: [(&str, Named); 5] = [
        ("tls1.2", Named::Spoken(TlsVersion::Tls12)),
        ("tls1.3", Named::Spoken(TlsVersion::Tls13)),
        ("tls1.1", Named::TooOld),
        ("tls1.0", Named::TooOld),
        ("ssl3.0", Named::TooOld),
    ];
    address::choice(node, "TLS version", node.text()?, &KNOWN)
}

fn cipher_suites(node: &Node, warnings: &mut Vec<String>) -> Option<Vec<String>> {
    let asked = node.texts()?;
    let (known, unknown): (Vec<&str>, Vec<&str>) = asked.iter().map(|(_, name)| *name).partition(|name| {
        SUITES.contains(name) || name.starts_with("TLS_AES_") || name.starts_with("TLS_CHACHA20_")
    });
    // A suite that Go has and we do not is no mistake of the script's.
    if known.is_empty() && unknown.iter().any(|name| !name.starts_with("TLS_")) {
        node.fault(
            "none of these cipher suites is supported",
            format!("supported are {}", SUITES.join(", ")),
        );
        return None;
    }
    if !unknown.is_empty() {
        warnings.push(format!(
            "{}: not supported and not offered: {}",
            node.path,
            unknown.join(", ")
        ));
    }
    Some(known.into_iter().map(str::to_owned).collect())
}

fn tls_auth(node: &Node) -> Option<Vec<TlsAuth>> {
    let read = |item: Node| {
        let fields = item.fields(&["domains", "cert", "key", "password"])?;
        let pem = |name: &str, what: &str| {
            let Some(field) = fields.get(name) else {
                item.missing(name, what);
                return None;
            };
            field.text().map(str::to_owned)
        };
        let domains = fields.get("domains").map_or(Some(Vec::new()), address::patterns);
        let cert = pem(
            "cert",
            "give the certificate chain as PEM text, for instance open('cert.pem')",
        );
        let key = pem(
            "key",
            "give the private key as PEM text, for instance open('key.pem')",
        );
        let password = fields.get("password").map_or(Some(""), Node::text);
        let key = match pem::decrypted(&key?, password?) {
            Ok(key) => Some(key),
            Err(error) => {
                fields
                    .get("key")
                    .unwrap_or(&item)
                    .fault(error.to_string(), error.mend());
                None
            }
        };
        Some(TlsAuth {
            domains: domains?,
            cert: cert?,
            key: key?,
        })
    };
    all(node.items()?.into_iter().map(read))
}
