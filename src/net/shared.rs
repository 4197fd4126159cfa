//! What all virtual users of a process have in common: the options, the resolver's cache, the TLS settings.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http::HeaderValue;

use super::connections::Connections;
use super::dns::Resolver;
use super::error::NetError;
use super::flight::Flight;
use super::options::{NetOptions, SetupError};
use super::target::Hostname;
use super::tls::{Tls, TlsMaterial, TlsPlan};

/// Settings of single connections that are kept ready; scripts have few, and each takes a root store.
const CUSTOM_KEPT: usize = 64;

/// Shared by the clients of all threads.
#[derive(Debug)]
pub struct Shared {
    pub(super) options: NetOptions,
    pub(super) resolver: Resolver,
    pub(super) user_agent: Option<HeaderValue>,
    tls_plan: TlsPlan,
    tls: OnceLock<Result<Tls, NetError>>,
    custom: Mutex<Vec<(TlsMaterial, Arc<rustls::ClientConfig>)>>,
    next_local: AtomicUsize,
    pub(super) flight: Flight,
    pub(super) connections: Arc<Connections>,
}

impl Shared {
    /// Checks the options. Errors: TLS settings that cannot work, a User-Agent that is no header value.
    pub fn new(options: NetOptions) -> Result<Arc<Shared>, SetupError> {
        let user_agent = match options.user_agent.as_str() {
            "" => None,
            text if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
                // Leaked on purpose, once per run: a static value is cloned without touching a reference count,
                // which the requests of all threads would otherwise pull from one core to another.
                Some(HeaderValue::from_static(String::from(text).leak()))
            }
            _ => {
                return Err(SetupError(
                    "userAgent has a character that a header cannot have; use visible ASCII".to_owned(),
                ));
            }
        };
        let shared = Arc::new(Shared {
            tls_plan: TlsPlan::new(&options)?,
            resolver: Resolver::default(),
            user_agent,
            tls: OnceLock::new(),
            custom: Mutex::default(),
            next_local: AtomicUsize::new(0),
            flight: Flight::default(),
            connections: Arc::default(),
            options,
        });
        if shared.options.tls_verify {
            // Reading some 140 certificates takes milliseconds that no handshake should be charged with. Without
            // the thread the first https connection waits for it, which is worse but not wrong.
            let ahead = Arc::clone(&shared);
            let reader = std::thread::Builder::new().name("tls-roots".to_owned());
            let _ = reader.spawn(move || ahead.tls().is_ok());
        }
        Ok(shared)
    }

    /// The options it was made from.
    pub fn options(&self) -> &NetOptions {
        &self.options
    }

    /// Requests under way now, of all clients.
    pub fn in_flight(&self) -> u32 {
        self.flight.count()
    }

    /// TCP connections open now, and opened since the start, of all clients.
    pub fn connections(&self) -> (u64, u64) {
        self.connections.count()
    }

    pub(super) fn tls(&self) -> Result<&Tls, NetError> {
        self.tls
            .get_or_init(|| self.tls_plan.load())
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The settings of a connection that says itself which protocols it speaks (ALPN), to a host, with `material` of its own
    /// in place of the run's client certificates.
    pub(super) fn tls_for(
        &self,
        host: &Hostname,
        material: Option<&TlsMaterial>,
        protocols: &[&[u8]],
    ) -> Result<Arc<rustls::ClientConfig>, NetError> {
        let tls = self.tls()?;
        let known = match material {
            None => Arc::clone(tls.config_for(host)),
            Some(material) => self.custom(tls, material)?,
        };
        if known.alpn_protocols == protocols {
            return Ok(known);
        }
        let mut config = rustls::ClientConfig::clone(&known);
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }

    fn custom(&self, tls: &Tls, material: &TlsMaterial) -> Result<Arc<rustls::ClientConfig>, NetError> {
        let mut kept = self.custom.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, config)) = kept.iter().find(|(known, _)| known == material) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.tls_plan.with(tls, material)?);
        if kept.len() >= CUSTOM_KEPT {
            kept.clear();
        }
        kept.push((material.clone(), Arc::clone(&config)));
        Ok(config)
    }

    /// The next of `localIPs`, if there are any.
    pub(super) fn deal_local_ip(&self) -> Option<IpAddr> {
        let ips = &self.options.local_ips;
        (!ips.is_empty()).then(|| ips[self.next_local.fetch_add(1, Ordering::Relaxed) % ips.len()])
    }
}
