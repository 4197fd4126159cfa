//! What a test decides about its network: plain data that the conductor fills from the configuration.
//!
//! Patterns, ranges and proxies are parsed here, because here is known what they mean.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use super::proxy::Proxies;

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
    pub dns: DnsOptions,
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
            dns: DnsOptions::default(),
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

/// A host name, or a suffix of one: `*.example.com` matches every name below example.com, `*` all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    text: Box<str>,
    /// Without the star, in lower case.
    rest: Box<str>,
    suffix: bool,
}

impl HostPattern {
    /// Whether a name matches, without regard to case or to a final dot.
    pub fn matches(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).as_bytes();
        let rest = self.rest.as_bytes();
        if self.suffix {
            host.len() >= rest.len() && host[host.len() - rest.len()..].eq_ignore_ascii_case(rest)
        } else {
            host.eq_ignore_ascii_case(rest)
        }
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for HostPattern {
    type Err = SetupError;

    fn from_str(text: &str) -> Result<HostPattern, SetupError> {
        let trimmed = text.trim();
        let (rest, suffix) = match trimmed.strip_prefix('*') {
            Some(rest) => (rest, true),
            None => (trimmed, false),
        };
        if trimmed.is_empty() || rest.contains(['*', '/', ' ']) {
            return Err(SetupError(format!(
                "invalid hostname pattern \"{text}\"; use a name, with at most one * at its start"
            )));
        }
        Ok(HostPattern {
            text: trimmed.into(),
            rest: rest.to_ascii_lowercase().into(),
            suffix,
        })
    }
}

/// An address range: `10.0.0.0/8`, `fd00::/8`, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    base: IpAddr,
    prefix: u32,
}

impl Cidr {
    /// Whether an address is in the range. An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.base, ip.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let ignored = 32 - self.prefix;
                u32::from(base).checked_shr(ignored) == u32::from(ip).checked_shr(ignored)
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let ignored = 128 - self.prefix;
                u128::from(base).checked_shr(ignored) == u128::from(ip).checked_shr(ignored)
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = SetupError;

    fn from_str(text: &str) -> Result<Cidr, SetupError> {
        let invalid = || {
            SetupError(format!(
                "invalid address range \"{text}\"; use the form 10.0.0.0/8 or fd00::/8"
            ))
        };
        let (base, prefix) = match text.trim().split_once('/') {
            Some((base, prefix)) => (base, Some(prefix)),
            None => (text.trim(), None),
        };
        let base: IpAddr = base.parse().map_err(|_| invalid())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| invalid())?,
            None => most,
        };
        if prefix > most {
            return Err(invalid());
        }
        Ok(Cidr { base, prefix })
    }
}

/// One entry of `hosts`: a name (pattern), for all ports or one, and the address that it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostOverride {
    pub(super) pattern: HostPattern,
    pub(super) only_port: Option<u16>,
    pub(super) ip: IpAddr,
    pub(super) port: Option<u16>,
}

impl HostOverride {
    /// From a key `name[:port]`, the name may start with `*`, and a value `ip[:port]` (IPv6 in brackets if a
    /// port follows).
    pub fn parse(name: &str, address: &str) -> Result<HostOverride, SetupError> {
        let (pattern, only_port) = match name.rsplit_once(':') {
            Some((pattern, port)) => {
                let port = port.parse().map_err(|_| {
                    SetupError(format!(
                        "invalid port in the hosts entry \"{name}\"; use name or name:port"
                    ))
                })?;
                (pattern, Some(port))
            }
            None => (name, None),
        };
        let address = address.trim();
        let (ip, port) = if let Ok(ip) = address.trim_matches(['[', ']']).parse() {
            (ip, None)
        } else if let Ok(socket) = address.parse::<SocketAddr>() {
            (socket.ip(), Some(socket.port()))
        } else {
            return Err(SetupError(format!(
                "invalid address \"{address}\" for \"{name}\" in hosts; use an IP address, with :port if it differs"
            )));
        };
        Ok(HostOverride {
            pattern: pattern.parse()?,
            only_port,
            ip,
            port,
        })
    }

    pub(super) fn applies(&self, host: &str, port: u16) -> bool {
        self.only_port.is_none_or(|only| only == port) && self.pattern.matches(host)
    }
}

/// How names are resolved (`dns`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsOptions {
    /// How long an answer is used. Zero: ask for every connection. `Duration::MAX`: ask once.
    pub ttl: Duration,
    /// Which of several addresses a connection gets.
    pub select: DnsSelect,
    /// Which family of addresses.
    pub policy: DnsPolicy,
}

impl Default for DnsOptions {
    fn default() -> DnsOptions {
        DnsOptions {
            ttl: Duration::from_mins(5),
            select: DnsSelect::Random,
            policy: DnsPolicy::PreferIpv4,
        }
    }
}

/// `dns.select`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsSelect {
    /// "first"
    First,
    /// "random"
    Random,
    /// "roundRobin"
    RoundRobin,
}

impl FromStr for DnsSelect {
    type Err = SetupError;

    fn from_str(text: &str) -> Result<DnsSelect, SetupError> {
        match text {
            "first" => Ok(DnsSelect::First),
            "random" => Ok(DnsSelect::Random),
            "roundRobin" => Ok(DnsSelect::RoundRobin),
            other => Err(SetupError(format!(
                "unknown dns.select \"{other}\"; use first, random or roundRobin"
            ))),
        }
    }
}

/// `dns.policy`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsPolicy {
    /// "preferIPv4": IPv6 only if there is no IPv4.
    PreferIpv4,
    /// "preferIPv6": IPv4 only if there is no IPv6.
    PreferIpv6,
    /// "onlyIPv4"
    OnlyIpv4,
    /// "onlyIPv6"
    OnlyIpv6,
    /// "any"
    Any,
}

impl FromStr for DnsPolicy {
    type Err = SetupError;

    fn from_str(text: &str) -> Result<DnsPolicy, SetupError> {
        match text {
            "preferIPv4" => Ok(DnsPolicy::PreferIpv4),
            "preferIPv6" => Ok(DnsPolicy::PreferIpv6),
            "onlyIPv4" => Ok(DnsPolicy::OnlyIpv4),
            "onlyIPv6" => Ok(DnsPolicy::OnlyIpv6),
            "any" => Ok(DnsPolicy::Any),
            other => Err(SetupError(format!(
                "unknown dns.policy \"{other}\"; use preferIPv4, preferIPv6, onlyIPv4, onlyIPv6 or any"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_contain_what_they_should() {
        let cidr = |text: &str| text.parse::<Cidr>().unwrap();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(cidr("10.0.0.0/8").contains(ip("10.255.1.2")));
        assert!(!cidr("10.0.0.0/8").contains(ip("11.0.0.0")));
        assert!(cidr("0.0.0.0/0").contains(ip("203.0.113.9")));
        assert!(!cidr("0.0.0.0/0").contains(ip("::1")));
        assert!(cidr("::/0").contains(ip("2001:db8::1")));
        assert!(cidr("127.0.0.1").contains(ip("127.0.0.1")));
        assert!(!cidr("127.0.0.1").contains(ip("127.0.0.2")));
        assert!(cidr("10.0.0.0/8").contains(ip("::ffff:10.1.2.3")));
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "x/8", "10.0.0.0/-1"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }

    #[test]
    fn patterns_match_names_below() {
        let pattern = |text: &str| text.parse::<HostPattern>().unwrap();
        assert!(pattern("*.example.com").matches("a.b.Example.com."));
        assert!(!pattern("*.example.com").matches("example.com"));
        assert!(!pattern("*.example.com").matches("badexample.com"));
        assert!(pattern("Example.com").matches("example.COM"));
        assert!(pattern("*").matches("anything"));
        for text in ["", "a*b", "**", "http://x"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn overrides_of_hosts() {
        let entry = HostOverride::parse("*.x.test:443", "127.0.0.1:8443").unwrap();
        assert!(entry.applies("a.x.test", 443) && !entry.applies("a.x.test", 80));
        assert_eq!(entry.port, Some(8443));
        let entry = HostOverride::parse("x.test", "[::1]:81").unwrap();
        assert_eq!((entry.ip, entry.port), ("::1".parse().unwrap(), Some(81)));
        assert_eq!(HostOverride::parse("x.test", "::1").unwrap().port, None);
        assert!(HostOverride::parse("x.test", "nowhere").is_err());
        assert!(HostOverride::parse("x.test:http", "::1").is_err());
    }
}
