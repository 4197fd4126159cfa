//! TLS: rustls with ring, the system's roots, and what a test may change about it.
//!
//! Sessions are not resumed: every connection makes a full handshake, as k6's do, so that the handshakes a test
//! measures are those of new visitors.

mod material;

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ProtocolVersion, RootCertStore, SignatureScheme};

use super::error::{NetError, code};
use super::options::{ClientIdentity, NetOptions, SetupError, TlsVersion};
use super::target::Hostname;
use crate::address::HostPattern;
use crate::metrics::TlsTag;

pub use material::TlsMaterial;

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsInfo {
    /// The version.
    pub version: TlsTag,
    /// The cipher suite's IANA name, e.g. `TLS_AES_128_GCM_SHA256`.
    pub cipher_suite: &'static str,
}

impl TlsInfo {
    pub(super) fn of(connection: &rustls::ClientConnection) -> TlsInfo {
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => TlsTag::Tls12,
            Some(ProtocolVersion::TLSv1_3) => TlsTag::Tls13,
            _ => TlsTag::None,
        };
        let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
        TlsInfo {
            version,
            cipher_suite: suite.map_or("", iana_name),
        }
    }
}

/// rustls calls the suites of TLS 1.3 `TLS13_…`; IANA, Go and k6 call them `TLS_…`.
fn iana_name(suite: rustls::CipherSuite) -> &'static str {
    let name = suite.as_str().unwrap_or("");
    match name {
        "TLS13_AES_128_GCM_SHA256" => "TLS_AES_128_GCM_SHA256",
        "TLS13_AES_256_GCM_SHA384" => "TLS_AES_256_GCM_SHA384",
        "TLS13_CHACHA20_POLY1305_SHA256" => "TLS_CHACHA20_POLY1305_SHA256",
        other => other,
    }
}

/// The TLS settings of a test: one configuration, and one more per client certificate.
#[derive(Debug)]
pub(super) struct Tls {
    plain: Arc<ClientConfig>,
    identities: Vec<(Vec<HostPattern>, Arc<ClientConfig>)>,
    /// What is trusted; connections with settings of their own may trust more.
    roots: Arc<RootCertStore>,
}

impl Tls {
    /// The configuration for a host. The first client certificate that names it (or names none) is shown.
    pub(super) fn config_for(&self, host: &Hostname) -> &Arc<ClientConfig> {
        if self.identities.is_empty() {
            return &self.plain;
        }
        let host = match host {
            Hostname::Name(name) => name.to_string(),
            Hostname::Ip(ip) => ip.to_string(),
        };
        self.identities
            .iter()
            .find(|(domains, _)| domains.is_empty() || domains.iter().any(|domain| domain.covers(&host)))
            .map_or(&self.plain, |(_, config)| config)
    }
}

impl Tls {
    /// [`Tls::config_for`] a connection that has to speak HTTP/1.1.
    pub(super) fn http1_config_for(&self, host: &Hostname) -> Arc<ClientConfig> {
        let known = self.config_for(host);
        if known.alpn_protocols == [HTTP1] {
            return Arc::clone(known);
        }
        let mut config = ClientConfig::clone(known);
        config.alpn_protocols = vec![HTTP1.into()];
        Arc::new(config)
    }
}

/// HTTP/1.1 in ALPN.
const HTTP1: &[u8] = b"http/1.1";

/// What is known to be usable before the run; the system's roots are read aside, while the run is being set up.
#[derive(Debug)]
pub(super) struct TlsPlan {
    provider: Arc<CryptoProvider>,
    versions: Vec<&'static rustls::SupportedProtocolVersion>,
    identities: Vec<(
        Vec<HostPattern>,
        Vec<CertificateDer<'static>>,
        PrivateKeyDer<'static>,
    )>,
    extra_roots: Vec<CertificateDer<'static>>,
    verify: bool,
    http2: bool,
}

impl TlsPlan {
    /// Checks the options. Errors: an unknown suite, no TLS version left, a certificate or key that cannot be read.
    pub(super) fn new(options: &NetOptions) -> Result<TlsPlan, SetupError> {
        let plan = TlsPlan {
            provider: Arc::new(provider(&options.cipher_suites)?),
            versions: versions(options.tls_min, options.tls_max)?,
            identities: options
                .identities
                .iter()
                .map(identity)
                .collect::<Result<_, _>>()?,
            extra_roots: roots(&options.extra_roots)?,
            verify: options.tls_verify,
            http2: options.http2,
        };
        // Building with no roots at all finds keys that do not fit their certificate and suites that do not fit
        // the versions now, not at the first connection.
        plan.build(RootCertStore::empty())
            .map_err(|error| SetupError(format!("TLS settings: {error}")))?;
        Ok(plan)
    }

    /// Reads the system's roots and builds the configurations. Error (code 1300): no root could be read.
    pub(super) fn load(&self) -> Result<Tls, NetError> {
        let mut store = RootCertStore::empty();
        if self.verify {
            store.add_parsable_certificates(self.extra_roots.iter().cloned());
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if store.is_empty() {
                return Err(NetError::new(
                    code::TLS,
                    "no trusted root certificate was found on this system; install ca-certificates or set insecureSkipTLSVerify",
                ));
            }
        }
        self.build(store).map_err(|error| NetError::tls(&error))
    }

    fn build(&self, store: RootCertStore) -> Result<Tls, rustls::Error> {
        let store = Arc::new(store);
        let plain = self.config(&store, None)?;
        let identities = self
            .identities
            .iter()
            .map(|(domains, chain, key)| {
                Ok((
                    domains.clone(),
                    self.config(&store, Some((chain.clone(), key.clone_key())))?,
                ))
            })
            .collect::<Result<_, rustls::Error>>()?;
        Ok(Tls {
            plain,
            identities,
            roots: store,
        })
    }

    fn config(
        &self,
        store: &Arc<RootCertStore>,
        identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    ) -> Result<Arc<ClientConfig>, rustls::Error> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&self.versions)?;
        let builder = if self.verify {
            builder.with_root_certificates(Arc::clone(store))
        } else {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(TrustAnyone(Arc::clone(&self.provider))))
        };
        let mut config = match identity {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
            None => builder.with_no_client_auth(),
        };
        config.resumption = rustls::client::Resumption::disabled();
        config.alpn_protocols = if self.http2 {
            vec![b"h2".into(), HTTP1.into()]
        } else {
            vec![HTTP1.into()]
        };
        Ok(Arc::new(config))
    }
}

fn provider(suites: &[String]) -> Result<CryptoProvider, SetupError> {
    let mut provider = rustls::crypto::ring::default_provider();
    if suites.is_empty() {
        return Ok(provider);
    }
    let known: Vec<&str> = provider
        .cipher_suites
        .iter()
        .map(|suite| iana_name(suite.suite()))
        .collect();
    if let Some(unknown) = suites.iter().find(|suite| !known.contains(&suite.as_str())) {
        return Err(SetupError(format!(
            "unknown or unsupported cipher suite \"{unknown}\" in tlsCipherSuites; supported are {}",
            known.join(", ")
        )));
    }
    provider
        .cipher_suites
        .retain(|suite| suites.iter().any(|name| name == iana_name(suite.suite())));
    Ok(provider)
}

fn versions(
    min: Option<TlsVersion>,
    max: Option<TlsVersion>,
) -> Result<Vec<&'static rustls::SupportedProtocolVersion>, SetupError> {
    let min = min.unwrap_or(TlsVersion::Tls12).max(TlsVersion::Tls12);
    let max = max.unwrap_or(TlsVersion::Tls13);
    if max < min {
        return Err(SetupError(
            "tlsVersion leaves no usable version; TLS 1.2 and 1.3 are supported, and min must not be above max"
                .to_owned(),
        ));
    }
    let all = [
        (TlsVersion::Tls12, &rustls::version::TLS12),
        (TlsVersion::Tls13, &rustls::version::TLS13),
    ];
    Ok(all
        .into_iter()
        .filter(|(version, _)| (min..=max).contains(version))
        .map(|(_, known)| known)
        .collect())
}

type Identity = (
    Vec<HostPattern>,
    Vec<CertificateDer<'static>>,
    PrivateKeyDer<'static>,
);

fn identity(identity: &ClientIdentity) -> Result<Identity, SetupError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&identity.certificate)
        .collect::<Result<_, _>>()
        .unwrap_or_default();
    if chain.is_empty() {
        return Err(SetupError(
            "a certificate in tlsAuth is no PEM certificate".to_owned(),
        ));
    }
    let key = PrivateKeyDer::from_pem_slice(&identity.key).map_err(|_| {
        SetupError(
            "a key in tlsAuth is no unencrypted PEM private key; decrypt it with openssl first".to_owned(),
        )
    })?;
    Ok((identity.domains.clone(), chain, key))
}

fn roots(pems: &[Vec<u8>]) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let mut roots = Vec::new();
    for pem in pems {
        for root in CertificateDer::pem_slice_iter(pem) {
            roots.push(root.map_err(|_| SetupError("an extra root is no PEM certificate".to_owned()))?);
        }
    }
    Ok(roots)
}

/// `insecureSkipTLSVerify`: any certificate will do. Signatures are still checked, which costs what it costs in a
/// verified handshake, so that skipping verification does not change what is measured by much.
struct TrustAnyone(Arc<CryptoProvider>);

impl fmt::Debug for TrustAnyone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrustAnyone")
    }
}

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_clamped_to_what_rustls_has() {
        assert_eq!(versions(None, None).unwrap().len(), 2);
        assert_eq!(
            versions(Some(TlsVersion::Tls10), Some(TlsVersion::Tls12))
                .unwrap()
                .len(),
            1
        );
        assert!(versions(None, Some(TlsVersion::Tls11)).is_err());
        assert!(versions(Some(TlsVersion::Tls13), Some(TlsVersion::Tls12)).is_err());
    }

    #[test]
    fn suites_by_their_iana_names() {
        assert_eq!(
            provider(&["TLS_AES_128_GCM_SHA256".into()])
                .unwrap()
                .cipher_suites
                .len(),
            1
        );
        let error = provider(&["TLS_RSA_WITH_RC4_128_SHA".into()]).unwrap_err();
        assert!(error.to_string().contains("TLS_RSA_WITH_RC4_128_SHA"));
    }

    #[test]
    fn bad_material_is_found_before_the_run() {
        let options = NetOptions {
            identities: vec![ClientIdentity {
                domains: vec![],
                certificate: b"x".to_vec(),
                key: b"y".to_vec(),
            }],
            ..NetOptions::default()
        };
        assert!(TlsPlan::new(&options).is_err());
        // TLS 1.2 only, with a suite of 1.3 only: nothing can be negotiated
        let options = NetOptions {
            tls_max: Some(TlsVersion::Tls12),
            cipher_suites: vec!["TLS_AES_128_GCM_SHA256".into()],
            ..NetOptions::default()
        };
        assert!(TlsPlan::new(&options).is_err());
    }
}
