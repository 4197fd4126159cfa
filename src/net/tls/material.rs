//! What a single connection brings along for TLS: its own certificate and its own roots.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::{Tls, TlsPlan};
use crate::net::error::{NetError, code};

/// TLS settings of one connection, all as PEM. What is empty is as in the run's own settings.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TlsMaterial {
    /// The certificate to show, with its chain.
    pub certificate: String,
    /// Its private key, not encrypted.
    pub key: String,
    /// Roots to trust.
    pub roots: Vec<String>,
    /// Whether they are trusted instead of the system's, and not next to them.
    pub only_these_roots: bool,
}

impl std::fmt::Debug for TlsMaterial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsMaterial").finish_non_exhaustive()
    }
}

impl TlsPlan {
    /// The run's settings with those of one connection. Error (code 1300): something that is no PEM, a key that does not
    /// fit its certificate.
    pub(in crate::net) fn with(&self, known: &Tls, material: &TlsMaterial) -> Result<ClientConfig, NetError> {
        let mut store = if material.only_these_roots && !material.roots.is_empty() {
            RootCertStore::empty()
        } else {
            RootCertStore::clone(&known.roots)
        };
        for (index, pem) in material.roots.iter().enumerate() {
            let unreadable = || wrong(&format!("failed to append ca certificate [{index}] from PEM"));
            let roots: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
                .collect::<Result<_, _>>()
                .map_err(|_| unreadable())?;
            if store.add_parsable_certificates(roots).0 == 0 {
                return Err(unreadable());
            }
        }
        let identity = if material.certificate.is_empty() || material.key.is_empty() {
            None
        } else {
            let unreadable = |what| wrong(&format!("failed to append certificate from PEM: {what}"));
            let chain: Vec<_> = CertificateDer::pem_slice_iter(material.certificate.as_bytes())
                .collect::<Result<_, _>>()
                .unwrap_or_default();
            if chain.is_empty() {
                return Err(unreadable("the certificate is no PEM certificate"));
            }
            let key = PrivateKeyDer::from_pem_slice(material.key.as_bytes())
                .map_err(|_| unreadable("the key is no unencrypted PEM private key"))?;
            Some((chain, key))
        };
        let config = self.config(&Arc::new(store), identity);
        config
            .map(|config| ClientConfig::clone(&config))
            .map_err(|error| wrong(&format!("failed to append certificate from PEM: {error}")))
    }
}

fn wrong(what: &str) -> NetError {
    NetError::new(code::TLS, what.to_owned())
}
