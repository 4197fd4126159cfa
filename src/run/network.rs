//! From checked options to what the network room and scripts' requests need.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::config::{self, Config, HttpDebug, HttpOptions};
use crate::net::{ClientIdentity, HttpLog, NetOptions, Proxies, SetupError, Throttle, TlsVersion};
use crate::script::HttpDefaults;

/// How many source addresses of `localIPs` are used at the most.
const LOCAL_IPS: usize = 65_536;

/// The network's options.
pub fn options(http: &HttpOptions) -> Result<NetOptions, SetupError> {
    let version = |version| match version {
        config::TlsVersion::Tls12 => TlsVersion::Tls12,
        config::TlsVersion::Tls13 => TlsVersion::Tls13,
    };
    Ok(NetOptions {
        tls_verify: !http.insecure_skip_tls_verify,
        tls_min: Some(version(http.tls.min)),
        tls_max: Some(version(http.tls.max)),
        cipher_suites: http.tls.cipher_suites.clone(),
        identities: http.tls.auth.iter().map(identity).collect(),
        hosts: http.hosts.clone(),
        block_hostnames: http.block_hostnames.clone(),
        blacklist_ips: http.blacklist_ips.clone(),
        dns: http.dns,
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

fn identity(auth: &config::TlsAuth) -> ClientIdentity {
    ClientIdentity {
        domains: auth.domains.clone(),
        certificate: auth.cert.clone().into_bytes(),
        key: auth.key.clone().into_bytes(),
    }
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
