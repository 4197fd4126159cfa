//! Options about names and addresses: `hosts`, `blacklistIPs`, `blockHostnames`, `localIPs`, `dns`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::error::suggest;
use super::reader::{Node, all};
use crate::pace::parse_duration;

/// A host name or `*.suffix` (`*` alone is every host), lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPattern(String);

impl HostPattern {
    /// Whether the pattern covers the host name. `*.example.com` covers `a.example.com`, not `example.com`.
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
    type Err = ();

    /// A wildcard may only stand at the very start.
    fn from_str(text: &str) -> Result<Self, ()> {
        let pattern = text.trim().trim_end_matches('.').to_lowercase();
        let name = pattern.strip_prefix('*').unwrap_or(&pattern);
        let fits = name.chars().all(|c| c.is_alphanumeric() || ".-_:".contains(c));
        if pattern.is_empty() || !fits {
            Err(())
        } else {
            Ok(Self(pattern))
        }
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

impl FromStr for Cidr {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| ())?)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        if prefix > longest {
            Err(())
        } else {
            Ok(Self { address, prefix })
        }
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
    fn default() -> Self {
        Self {
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
    PreferIpv4,
    PreferIpv6,
    OnlyIpv4,
    OnlyIpv6,
    Any,
}

const SELECTS: [(&str, DnsSelect); 3] = [
    ("first", DnsSelect::First),
    ("random", DnsSelect::Random),
    ("roundRobin", DnsSelect::RoundRobin),
];
const POLICIES: [(&str, DnsPolicy); 5] = [
    ("preferIPv4", DnsPolicy::PreferIpv4),
    ("preferIPv6", DnsPolicy::PreferIpv6),
    ("onlyIPv4", DnsPolicy::OnlyIpv4),
    ("onlyIPv6", DnsPolicy::OnlyIpv6),
    ("any", DnsPolicy::Any),
];
const DNS_FIELDS: [&str; 3] = ["ttl", "select", "policy"];

/// `dns` as an object, or as text `ttl=5m,select=random,policy=any`.
pub(super) fn dns(node: &Node) -> Option<Dns> {
    let fields: Vec<(String, String)> = match node.value.as_str() {
        None => node
            .fields(&DNS_FIELDS)?
            .into_iter()
            .filter_map(|(k, v)| Some((k.to_owned(), v.scalar()?)))
            .collect(),
        Some(text) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            let pairs = parts.map(|part| match part.split_once('=') {
                Some((key, value)) if DNS_FIELDS.contains(&key.trim()) => {
                    Some((key.trim().to_owned(), value.trim().to_owned()))
                }
                _ => {
                    node.fault(
                        format!("{part:?} is not a DNS setting"),
                        "write it as in ttl=5m,select=random,policy=preferIPv4",
                    );
                    None
                }
            });
            all(pairs)?
        }
    };
    let mut dns = Dns::default();
    for (key, value) in &fields {
        match key.as_str() {
            "ttl" if value == "inf" => dns.ttl = None,
            "ttl" => match parse_duration(value) {
                Ok(ttl) => dns.ttl = Some(ttl),
                Err(error) => node.fault(
                    format!("ttl: {error}"),
                    "inf keeps answers for ever, 0 does not keep them",
                ),
            },
            "select" => dns.select = choice(node, "select", value, &SELECTS)?,
            "policy" => dns.policy = choice(node, "policy", value, &POLICIES)?,
            _ => {}
        }
    }
    Some(dns)
}

/// One of a few words, compared without case.
pub(super) fn choice<T: Copy>(
    node: &Node,
    what: &str,
    written: &str,
    known: &[(&'static str, T)],
) -> Option<T> {
    let found = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(written));
    if found.is_none() {
        node.fault(
            format!("{written:?} is not a {what}"),
            suggest(written, known.iter().map(|(name, _)| *name)),
        );
    }
    found.map(|(_, value)| *value)
}

pub(super) fn hosts(node: &Node) -> Option<Vec<HostOverride>> {
    let mut overrides = Vec::new();
    for (key, member) in node.members()? {
        // A colon in a host name can only be a port's: IPv6 literals need no override.
        let (name, port) = match key.rsplit_once(':') {
            Some((name, port)) => (name, port.parse::<u16>().map(Some)),
            None => (key, Ok(None)),
        };
        let (Ok(host), Ok(port)) = (name.parse(), port) else {
            member.fault(
                format!("{key:?} is not a host"),
                "write it as host, *.suffix or host:port",
            );
            continue;
        };
        let Some(text) = member.text() else { continue };
        let target = match (text.parse::<IpAddr>(), text.parse::<SocketAddr>()) {
            (Ok(address), _) => (address, None),
            (_, Ok(socket)) => (socket.ip(), Some(socket.port())),
            _ => {
                member.fault(
                    format!("{text:?} is not an address"),
                    "write an IP address, with a port if it differs, like 10.0.0.1:8443",
                );
                continue;
            }
        };
        overrides.push(HostOverride {
            host,
            port,
            to: target.0,
            to_port: target.1,
        });
    }
    // The most specific entry is found first: exact names before wildcards, longer before shorter, with port before without.
    overrides.sort_by_key(|o| {
        (
            o.host.0.starts_with('*'),
            std::cmp::Reverse(o.host.0.len()),
            o.port.is_none(),
        )
    });
    Some(overrides)
}

pub(super) fn networks(node: &Node) -> Option<Vec<Cidr>> {
    let read = |(item, text): (Node, &str)| {
        let cidr = text.parse();
        if cidr.is_err() {
            item.fault(
                format!("{text:?} is not an IP range"),
                "write it like 10.0.0.0/8 or 192.168.1.7",
            );
        }
        cidr.ok()
    };
    all(node.texts()?.into_iter().map(read))
}

pub(super) fn patterns(node: &Node) -> Option<Vec<HostPattern>> {
    let read = |(item, text): (Node, &str)| {
        let pattern = text.parse();
        if pattern.is_err() {
            item.fault(
                format!("{text:?} is not a host pattern"),
                "write a host name, or *.suffix with * only at the start",
            );
        }
        pattern.ok()
    };
    all(node.texts()?.into_iter().map(read))
}

/// `192.168.220.1,192.168.0.10-192.168.0.25,fd:1::0/120`
pub(super) fn local_ips(node: &Node) -> Option<Vec<RangeInclusive<IpAddr>>> {
    let parts = node
        .text()?
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let read = |part: &str| {
        let range = match part.split_once('-') {
            Some((first, last)) => match (first.trim().parse::<IpAddr>(), last.trim().parse::<IpAddr>()) {
                (Ok(first), Ok(last)) if first <= last && first.is_ipv4() == last.is_ipv4() => {
                    Some(first..=last)
                }
                _ => None,
            },
            None => part.parse::<Cidr>().ok().map(|cidr| cidr.range()),
        };
        if range.is_none() {
            node.fault(
                format!("{part:?} is not an IP range"),
                "write an address, first-last, or a network like 10.1.0.0/16",
            );
        }
        range
    };
    all(parts.map(read))
}
