//! Names and addresses as the options write them: patterns of host names, ranges of addresses, overrides, choices of the
//! resolver. Read once by the configuration, and obeyed by the network: both know these types and not each other.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// A text that is none of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}: {mend}")]
pub struct AddressError {
    text: String,
    what: &'static str,
    mend: &'static str,
}

impl AddressError {
    fn new(text: &str, what: &'static str, mend: &'static str) -> AddressError {
        AddressError {
            text: text.to_owned(),
            what,
            mend,
        }
    }

    /// What is wrong.
    pub fn problem(&self) -> String {
        format!("{:?} is not {}", self.text, self.what)
    }

    /// What to write instead.
    pub fn mend(&self) -> &'static str {
        self.mend
    }
}

/// A host name or `*.suffix` (`*` alone is every host), lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPattern(String);

impl HostPattern {
    /// Whether the pattern covers the host name, without regard to case or to a final dot. `*.example.com` covers
    /// `a.example.com`, not `example.com`.
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        match self.0.strip_prefix('*') {
            Some(suffix) => {
                host.len() > suffix.len()
                    && host.is_char_boundary(host.len() - suffix.len())
                    && host[host.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
            }
            None => host.eq_ignore_ascii_case(&self.0),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostPattern {
    type Err = AddressError;

    /// A wildcard may only stand at the very start.
    fn from_str(text: &str) -> Result<HostPattern, AddressError> {
        let pattern = text.trim().trim_end_matches('.').to_lowercase();
        let name = pattern.strip_prefix('*').unwrap_or(&pattern);
        let fits = name.chars().all(|c| c.is_alphanumeric() || ".-_:".contains(c));
        if pattern.is_empty() || !fits {
            let mend = "write a host name, or *.suffix with * only at the start";
            return Err(AddressError::new(text, "a host pattern", mend));
        }
        Ok(HostPattern(pattern))
    }
}

/// One entry of `hosts`: connections to the pattern (on the port, if given) go to the address instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostOverride {
    pub host: HostPattern,
    pub port: Option<u16>,
    pub to: IpAddr,
    /// The port to connect to; the request's own when absent.
    pub to_port: Option<u16>,
}

impl HostOverride {
    /// From a key `name[:port]`, whose name may start with `*`, and a value `ip[:port]` (IPv6 in brackets if a port follows).
    ///
    /// # Errors
    /// One of them is none.
    pub fn parse(key: &str, value: &str) -> Result<HostOverride, AddressError> {
        // A colon in a host name can only be a port's: IPv6 literals need no override.
        let (name, port) = match key.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().map(Some)),
            None => (key, Ok(None)),
        };
        let (Ok(host), Ok(port)) = (name.parse(), port) else {
            return Err(AddressError::new(
                key,
                "a host",
                "write it as host, *.suffix or host:port",
            ));
        };
        let text = value.trim();
        let bare = text.trim_matches(['[', ']']).parse::<IpAddr>();
        let (to, to_port) = match (bare, text.parse::<SocketAddr>()) {
            (Ok(address), _) => (address, None),
            (_, Ok(socket)) => (socket.ip(), Some(socket.port())),
            _ => {
                return Err(AddressError::new(
                    value,
                    "an address",
                    "write an IP address, with a port if it differs, like 10.0.0.1:8443",
                ));
            }
        };
        Ok(HostOverride {
            host,
            port,
            to,
            to_port,
        })
    }

    /// Whether it is about connections to this host and port.
    pub fn applies(&self, host: &str, port: u16) -> bool {
        self.port.is_none_or(|only| only == port) && self.host.covers(host)
    }
}

/// A network in CIDR notation; one address is a network of its full length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    pub address: IpAddr,
    pub prefix: u8,
}

impl Cidr {
    /// First and last address of the network.
    pub fn range(&self) -> RangeInclusive<IpAddr> {
        match self.address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
                let bits = v4.to_bits();
                IpAddr::V4((bits & !mask).into())..=IpAddr::V4((bits | mask).into())
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
                let bits = v6.to_bits();
                IpAddr::V6((bits & !mask).into())..=IpAddr::V6((bits | mask).into())
            }
        }
    }

    /// Whether the address is in the network. An IPv4 network also covers the IPv6-mapped spelling of its addresses.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = if self.address.is_ipv4() {
            address.to_canonical()
        } else {
            address
        };
        // `IpAddr` orders every IPv4 address before every IPv6 address, so the range also tells families apart.
        self.range().contains(&address)
    }
}

impl From<IpAddr> for Cidr {
    /// The network of one address.
    fn from(address: IpAddr) -> Cidr {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Cidr { address, prefix }
    }
}

impl FromStr for Cidr {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Cidr, AddressError> {
        let wrong = || AddressError::new(text, "an IP range", "write it like 10.0.0.0/8 or 192.168.1.7");
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let mut cidr = Cidr::from(address.parse::<IpAddr>().map_err(|_| wrong())?);
        if let Some(prefix) = prefix {
            let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
            if prefix > cidr.prefix {
                return Err(wrong());
            }
            cidr.prefix = prefix;
        }
        Ok(cidr)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// How names are resolved. Defaults: `ttl=5m,select=random,policy=preferIPv4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dns {
    /// How long an answer is kept: `None` for ever, zero not at all.
    pub ttl: Option<Duration>,
    pub select: DnsSelect,
    pub policy: DnsPolicy,
}

impl Default for Dns {
    fn default() -> Dns {
        Dns {
            ttl: Some(Duration::from_mins(5)),
            select: DnsSelect::Random,
            policy: DnsPolicy::PreferIpv4,
        }
    }
}

/// Which of several addresses a connection takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsSelect {
    First,
    Random,
    RoundRobin,
}

/// Which address families are asked for and taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsPolicy {
    /// IPv6 only if there is no IPv4.
    PreferIpv4,
    /// IPv4 only if there is no IPv6.
    PreferIpv6,
    OnlyIpv4,
    OnlyIpv6,
    Any,
}

impl DnsSelect {
    /// All by the names in options.
    pub const NAMES: [(&str, DnsSelect); 3] = [
        ("first", DnsSelect::First),
        ("random", DnsSelect::Random),
        ("roundRobin", DnsSelect::RoundRobin),
    ];
}

impl DnsPolicy {
    /// All by the names in options.
    pub const NAMES: [(&str, DnsPolicy); 5] = [
        ("preferIPv4", DnsPolicy::PreferIpv4),
        ("preferIPv6", DnsPolicy::PreferIpv6),
        ("onlyIPv4", DnsPolicy::OnlyIpv4),
        ("onlyIPv6", DnsPolicy::OnlyIpv6),
        ("any", DnsPolicy::Any),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_of_hosts() {
        let entry = HostOverride::parse("*.x.test:443", "127.0.0.1:8443").unwrap();
        assert!(entry.applies("a.x.test", 443) && !entry.applies("a.x.test", 80));
        assert_eq!(entry.to_port, Some(8443));
        let entry = HostOverride::parse("x.test", "[::1]:81").unwrap();
        assert_eq!((entry.to, entry.to_port), ("::1".parse().unwrap(), Some(81)));
        assert_eq!(HostOverride::parse("x.test", "::1").unwrap().to_port, None);
        for (key, value, problem) in [
            ("x.test", "nowhere", "\"nowhere\" is not an address"),
            ("x.test:http", "::1", "\"x.test:http\" is not a host"),
            ("a*b", "::1", "\"a*b\" is not a host"),
        ] {
            let error = HostOverride::parse(key, value).unwrap_err();
            assert_eq!(error.problem(), problem);
            assert!(error.to_string().contains(error.mend()), "{error}");
        }
    }

    #[test]
    fn an_address_is_a_network_of_its_own() {
        let one = Cidr::from("10.0.0.7".parse::<IpAddr>().unwrap());
        assert_eq!(
            ("10.0.0.7".parse(), one.to_string().as_str()),
            (Ok(one), "10.0.0.7/32")
        );
    }
}
