//! From checked options to what the network room and scripts' requests need.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{self, Config, HttpDebug, HttpOptions};
use crate::net::{
    ClientIdentity, DnsOptions, DnsPolicy, DnsSelect, HostOverride, HttpLog, NetOptions, Proxies, SetupError,
    Throttle, TlsVersion,
};
use crate::script::HttpDefaults;

/// How many source addresses of `localIPs` are used at the most.
const LOCAL_IPS: usize = 65_536;

/// The network's options.
pub fn options(http: &HttpOptions) -> Result<NetOptions, SetupError> {
    let version = |version| match version {
        config::TlsVersion::Tls12 => TlsVersion::Tls12,
        config::TlsVersion::Tls13 => TlsVersion::Tls13,
    };
    let identities: Result<Vec<_>, SetupError> = http.tls.auth.iter().map(identity).collect();
    let hosts: Result<Vec<_>, SetupError> = http.hosts.iter().map(host_override).collect();
    let blocked: Result<Vec<_>, SetupError> = http
        .block_hostnames
        .iter()
        .map(|pattern| pattern.as_str().parse())
        .collect();
    let networks: Result<Vec<_>, SetupError> = http
        .blacklist_ips
        .iter()
        .map(|cidr| format!("{}/{}", cidr.address, cidr.prefix).parse())
        .collect();
    Ok(NetOptions {
        tls_verify: !http.insecure_skip_tls_verify,
        tls_min: Some(version(http.tls.min)),
        tls_max: Some(version(http.tls.max)),
        cipher_suites: http.tls.cipher_suites.clone(),
        identities: identities?,
        hosts: hosts?,
        block_hostnames: blocked?,
        blacklist_ips: networks?,
        dns: DnsOptions {
            ttl: http.dns.ttl.unwrap_or(Duration::MAX),
            select: match http.dns.select {
                config::DnsSelect::First => DnsSelect::First,
                config::DnsSelect::Random => DnsSelect::Random,
                config::DnsSelect::RoundRobin => DnsSelect::RoundRobin,
            },
            policy: match http.dns.policy {
                config::DnsPolicy::PreferIpv4 => DnsPolicy::PreferIpv4,
                config::DnsPolicy::PreferIpv6 => DnsPolicy::PreferIpv6,
                config::DnsPolicy::OnlyIpv4 => DnsPolicy::OnlyIpv4,
                config::DnsPolicy::OnlyIpv6 => DnsPolicy::OnlyIpv6,
                config::DnsPolicy::Any => DnsPolicy::Any,
            },
        },
        local_ips: http
            .local_ips
            .iter()
            .flat_map(addresses)
            .take(LOCAL_IPS)
            .collect(),
        no_connection_reuse: http.no_connection_reuse,
        user_agent: http.user_agent.clone(),
        debug: match http.debug {
            HttpDebug::Off => HttpLog::Off,
            HttpDebug::Headers => HttpLog::Headers,
            HttpDebug::Full => HttpLog::Full,
        },
        proxies: Proxies::from_env()?,
        ..NetOptions::default()
    })
}

fn identity(auth: &config::TlsAuth) -> Result<ClientIdentity, SetupError> {
    let domains: Result<Vec<_>, SetupError> = auth
        .domains
        .iter()
        .map(|pattern| pattern.as_str().parse())
        .collect();
    Ok(ClientIdentity {
        domains: domains?,
        certificate: auth.cert.clone().into_bytes(),
        key: auth.key.clone().into_bytes(),
    })
}

fn host_override(entry: &config::HostOverride) -> Result<HostOverride, SetupError> {
    let name = match entry.port {
        Some(port) => format!("{}:{port}", entry.host.as_str()),
        None => entry.host.as_str().to_owned(),
    };
    let to = match (entry.to, entry.to_port) {
        (ip, None) => ip.to_string(),
        (IpAddr::V4(ip), Some(port)) => format!("{ip}:{port}"),
        (IpAddr::V6(ip), Some(port)) => format!("[{ip}]:{port}"),
    };
    HostOverride::parse(&name, &to)
}

/// The addresses of a range, first to last.
fn addresses(range: &RangeInclusive<IpAddr>) -> Box<dyn Iterator<Item = IpAddr>> {
    match (range.start(), range.end()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            Box::new((from.to_bits()..=to.to_bits()).map(|bits| IpAddr::V4(bits.into())))
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            Box::new((from.to_bits()..=to.to_bits()).map(|bits| IpAddr::V6(bits.into())))
        }
        // A range over two families was refused by the configuration.
        _ => Box::new(std::iter::empty()),
    }
}

/// The run's defaults for a script's requests.
pub fn http_defaults(config: &Config) -> HttpDefaults {
    let http = &config.http;
    HttpDefaults {
        batch: http.batch as usize,
        batch_per_host: http.batch_per_host as usize,
        max_redirects: http.max_redirects,
        discard_bodies: http.discard_response_bodies,
        no_vu_connection_reuse: http.no_vu_connection_reuse,
        no_cookies_reset: http.no_cookies_reset,
        throw: config.throw,
        throttle: config.rps.map(|rate| Arc::new(Throttle::new(rate))),
    }
}
