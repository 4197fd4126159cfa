//! Certificates for tests, made anew by each of them.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part")]

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// An authority, a certificate of it for `localhost` and 127.0.0.1, and one for a client, all as PEM.
pub struct Pki {
    pub authority: String,
    pub certificate: String,
    pub key: String,
    pub client: String,
    pub client_key: String,
}

pub fn pki() -> Pki {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(params, authority_key);
    let signed = |names: &[&str]| {
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names.clone()).unwrap();
        // Not the authority's: OpenSSL would take the certificate for one that signed itself.
        let subject = &mut params.distinguished_name;
        subject.push(rcgen::DnType::CommonName, names[0].as_str());
        (
            params.signed_by(&key, &issuer).unwrap().pem(),
            key.serialize_pem(),
        )
    };
    let (certificate, key) = signed(&["localhost", "127.0.0.1"]);
    let (client, client_key) = signed(&["client"]);
    Pki {
        authority: authority.pem(),
        certificate,
        key,
        client,
        client_key,
    }
}

/// A server's settings with that certificate; `wants_certificate`: one of the authority's, of clients.
pub fn server_config(pki: &Pki, alpn: &[&str], wants_certificate: bool) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = if wants_certificate {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(pki.authority.as_bytes()).unwrap())
            .unwrap();
        builder.with_client_cert_verifier(
            rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .build()
                .unwrap(),
        )
    } else {
        builder.with_no_client_auth()
    };
    let chain = vec![CertificateDer::from_pem_slice(pki.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(pki.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}
