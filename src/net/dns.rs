//! From a host to the address to connect to: overrides, blocks, the system's resolver, and a cache.
//!
//! A thousand virtual users that start together need one look-up, not a thousand: the first asks, the others wait
//! for its answer. The cache is shared by all workers of a process; a look-up happens per connection, not per
//! request, so a lock is cheap enough.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::{NetError, code};
use super::options::NetOptions;
use super::target::Hostname;
use crate::address::{Dns, DnsPolicy, DnsSelect};

/// Names kept at most; a script that invents names must not grow the cache without bound.
const CACHE_LIMIT: usize = 1024;

/// The cache of one process.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    names: Mutex<HashMap<Box<str>, Arc<Name>>>,
}

#[derive(Debug, Default)]
struct Name {
    /// Held while asking: those who wait here find the answer when they get the lock.
    answer: tokio::sync::Mutex<Option<Answer>>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Answer {
    ips: Arc<[IpAddr]>,
    at: Instant,
}

impl Resolver {
    /// The address for a host and port. Errors: blocked name (1111) or address (1110), no such host (1101), other
    /// failures of the resolver (1100).
    pub(super) async fn resolve(
        &self,
        options: &NetOptions,
        host: &Hostname,
        port: u16,
    ) -> Result<SocketAddr, NetError> {
        let address = match host {
            Hostname::Ip(ip) => overridden(options, &ip.to_string(), port).unwrap_or((*ip, port).into()),
            Hostname::Name(name) => {
                if let Some(pattern) = options
                    .block_hostnames
                    .iter()
                    .find(|pattern| pattern.covers(name))
                {
                    return Err(NetError::new(
                        code::BLOCKED_HOSTNAME,
                        format!("hostname ({name}) is in a blocked pattern ({})", pattern.as_str()),
                    ));
                }
                match overridden(options, name, port) {
                    Some(address) => address,
                    None => (self.lookup(options.dns, name).await?, port).into(),
                }
            }
        };
        if let Some(range) = options
            .blacklist_ips
            .iter()
            .find(|range| range.contains(address.ip()))
        {
            return Err(NetError::new(
                code::BLOCKED_IP,
                format!("IP ({}) is in a blacklisted range ({range})", address.ip()),
            ));
        }
        Ok(address)
    }

    async fn lookup(&self, options: Dns, name: &str) -> Result<IpAddr, NetError> {
        let entry = self.entry(name);
        let ips = {
            let mut answer = entry.answer.lock().await;
            let holds = |answer: &&Answer| options.ttl.is_none_or(|ttl| answer.at.elapsed() < ttl);
            let fresh = answer.as_ref().filter(holds);
            if let Some(answer) = fresh {
                Arc::clone(&answer.ips)
            } else {
                // Failures are not remembered: the next connection asks again.
                let ips: Arc<[IpAddr]> = ask(name, options.policy).await?.into();
                *answer = (options.ttl != Some(Duration::ZERO)).then(|| Answer {
                    ips: Arc::clone(&ips),
                    at: Instant::now(),
                });
                ips
            }
        };
        let index = match options.select {
            DnsSelect::First => 0,
            DnsSelect::Random => fastrand::usize(..ips.len()),
            DnsSelect::RoundRobin => entry.next.fetch_add(1, Ordering::Relaxed) % ips.len(),
        };
        Ok(ips[index])
    }

    fn entry(&self, name: &str) -> Arc<Name> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = names.get(name) {
            return Arc::clone(entry);
        }
        if names.len() >= CACHE_LIMIT {
            names.clear();
        }
        Arc::clone(names.entry(name.into()).or_default())
    }
}

fn overridden(options: &NetOptions, host: &str, port: u16) -> Option<SocketAddr> {
    let entry = options.hosts.iter().find(|entry| entry.applies(host, port))?;
    Some((entry.to, entry.to_port.unwrap_or(port)).into())
}

/// Asks the system; the answer is never empty.
async fn ask(name: &str, policy: DnsPolicy) -> Result<Vec<IpAddr>, NetError> {
    // The port plays no part in the look-up, but the interface wants one.
    let ips: Vec<IpAddr> = tokio::net::lookup_host((name, 0))
        .await
        .map_err(|error| failed(&error))?
        .map(|address| address.ip())
        .collect();
    let ips = choose(ips, policy);
    if ips.is_empty() {
        return Err(NetError::new(
            code::DNS_NO_SUCH_HOST,
            "lookup: no address of the family that dns.policy asks for",
        ));
    }
    Ok(ips)
}

fn failed(error: &io::Error) -> NetError {
    // getaddrinfo's codes arrive as text only; these two say that the name does not exist (glibc, macOS).
    let text = error.to_string();
    let unknown = [
        "Name or service not known",
        "nodename nor servname",
        "No address associated",
        "does not resolve",
    ];
    if error.kind() == io::ErrorKind::NotFound || unknown.iter().any(|part| text.contains(part)) {
        NetError::new(code::DNS_NO_SUCH_HOST, "lookup: no such host")
    } else {
        let text = text
            .strip_prefix("failed to lookup address information: ")
            .unwrap_or(&text);
        NetError::new(code::DNS, format!("lookup: {text}"))
    }
}

fn choose(ips: Vec<IpAddr>, policy: DnsPolicy) -> Vec<IpAddr> {
    let (four, six): (Vec<IpAddr>, Vec<IpAddr>) = ips.iter().partition(|ip| ip.is_ipv4());
    match policy {
        DnsPolicy::Any => ips,
        DnsPolicy::OnlyIpv4 => four,
        DnsPolicy::OnlyIpv6 => six,
        DnsPolicy::PreferIpv4 => {
            if four.is_empty() {
                six
            } else {
                four
            }
        }
        DnsPolicy::PreferIpv6 => {
            if six.is_empty() {
                four
            } else {
                six
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::HostOverride;

    fn name(text: &str) -> Hostname {
        Hostname::Name(text.into())
    }

    #[test]
    fn policies() {
        let ips: Vec<IpAddr> = ["10.0.0.1", "::1", "10.0.0.2"]
            .map(|ip| ip.parse().unwrap())
            .to_vec();
        let count = |policy| choose(ips.clone(), policy).len();
        assert_eq!(count(DnsPolicy::Any), 3);
        assert_eq!((count(DnsPolicy::PreferIpv4), count(DnsPolicy::OnlyIpv4)), (2, 2));
        assert_eq!((count(DnsPolicy::PreferIpv6), count(DnsPolicy::OnlyIpv6)), (1, 1));
        assert_eq!(choose(ips[..1].to_vec(), DnsPolicy::PreferIpv6).len(), 1);
        assert!(choose(ips[..1].to_vec(), DnsPolicy::OnlyIpv6).is_empty());
    }

    #[tokio::test]
    async fn overrides_come_first_and_blocks_apply_to_them() {
        let options = NetOptions {
            hosts: vec![
                HostOverride::parse("*.over.test", "10.9.9.9:81").unwrap(),
                HostOverride::parse("plain.test", "192.0.2.1").unwrap(),
            ],
            block_hostnames: vec!["*.evil.test".parse().unwrap()],
            blacklist_ips: vec!["192.0.2.0/24".parse().unwrap()],
            ..NetOptions::default()
        };
        let resolver = Resolver::default();
        let resolve = async |host: Hostname| resolver.resolve(&options, &host, 80).await;
        let code_of = async |host: Hostname| resolve(host).await.unwrap_err().code;
        assert_eq!(
            resolve(name("a.over.test")).await.unwrap(),
            "10.9.9.9:81".parse().unwrap()
        );
        assert_eq!(code_of(name("plain.test")).await, code::BLOCKED_IP);
        assert_eq!(code_of(name("x.evil.test")).await, code::BLOCKED_HOSTNAME);
        assert_eq!(
            code_of(Hostname::Ip("192.0.2.7".parse().unwrap())).await,
            code::BLOCKED_IP
        );
    }

    #[tokio::test]
    async fn names_are_asked_once_within_their_ttl() {
        let resolver = Resolver::default();
        let options = Dns {
            select: DnsSelect::RoundRobin,
            ..Dns::default()
        };
        let ip = resolver.lookup(options, "localhost").await.unwrap();
        assert!(ip.is_loopback());
        let first = resolver
            .entry("localhost")
            .answer
            .lock()
            .await
            .as_ref()
            .unwrap()
            .at;
        resolver.lookup(options, "localhost").await.unwrap();
        assert_eq!(
            resolver
                .entry("localhost")
                .answer
                .lock()
                .await
                .as_ref()
                .unwrap()
                .at,
            first
        );
        resolver
            .lookup(
                Dns {
                    ttl: Some(Duration::ZERO),
                    ..options
                },
                "localhost",
            )
            .await
            .unwrap();
        assert!(resolver.entry("localhost").answer.lock().await.is_none());
    }
}
