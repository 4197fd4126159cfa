//! What all virtual users of a process have in common: the options, the resolver's cache, the TLS settings.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use http::HeaderValue;

use super::connections::Connections;
use super::dns::Resolver;
use super::error::NetError;
use super::flight::Flight;
use super::options::{NetOptions, SetupError};
use super::tls::{Tls, TlsPlan};

/// Shared by the clients of all threads.
#[derive(Debug)]
pub struct Shared {
    pub(super) options: NetOptions,
    pub(super) resolver: Resolver,
    pub(super) user_agent: Option<HeaderValue>,
    tls_plan: TlsPlan,
    tls: OnceLock<Result<Tls, NetError>>,
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

    /// The next of `localIPs`, if there are any.
    pub(super) fn deal_local_ip(&self) -> Option<IpAddr> {
        let ips = &self.options.local_ips;
        (!ips.is_empty()).then(|| ips[self.next_local.fetch_add(1, Ordering::Relaxed) % ips.len()])
    }
}
