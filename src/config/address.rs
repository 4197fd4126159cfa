//! Options about names and addresses: `hosts`, `blacklistIPs`, `blockHostnames`, `localIPs`, `dns`.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::error::suggest;
use super::reader::{Node, all};
use crate::address::{AddressError, Cidr, Dns, DnsPolicy, DnsSelect, HostOverride, HostPattern};
use crate::pace::parse_duration;

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
            "select" => dns.select = choice(node, "select", value, &DnsSelect::NAMES)?,
            "policy" => dns.policy = choice(node, "policy", value, &DnsPolicy::NAMES)?,
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
        let Some(text) = member.text() else { continue };
        match HostOverride::parse(key, text) {
            Ok(entry) => overrides.push(entry),
            Err(error) => member.fault(error.problem(), error.mend()),
        }
    }
    // The most specific entry is found first: exact names before wildcards, longer before shorter, with port before without.
    overrides.sort_by_key(|o| {
        (
            o.host.as_str().starts_with('*'),
            std::cmp::Reverse(o.host.as_str().len()),
            o.port.is_none(),
        )
    });
    Some(overrides)
}

pub(super) fn networks(node: &Node) -> Option<Vec<Cidr>> {
    parsed(node)
}

pub(super) fn patterns(node: &Node) -> Option<Vec<HostPattern>> {
    parsed(node)
}

fn parsed<T: FromStr<Err = AddressError>>(node: &Node) -> Option<Vec<T>> {
    let read = |(item, text): (Node, &str)| match text.parse::<T>() {
        Ok(value) => Some(value),
        Err(error) => {
            item.fault(error.problem(), error.mend());
            None
        }
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
