//! What a single connection brings along for TLS: its own certificate, its own roots, and a key that a password guards.

use std::sync::Arc;

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::{BlockModeDecrypt, KeyIvInit, block_padding::Pkcs7};
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use md5::{Digest, Md5};
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
    /// Its private key.
    pub key: String,
    /// The password of an encrypted key.
    pub password: String,
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
            let key = if material.password.is_empty() {
                PrivateKeyDer::from_pem_slice(material.key.as_bytes())
                    .map_err(|_| unreadable("the key is no unencrypted PEM private key"))?
            } else {
                decrypt(&material.key, &material.password).map_err(wrong)?
            };
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

/// A private key under a password, in the old form of PEM that OpenSSL writes with `-traditional` (RFC 1421's headers; the
/// key is derived by one round of MD5). The new form, PKCS #8, has no such headers and the dialect does not take it either.
fn decrypt(pem: &str, password: &str) -> Result<PrivateKeyDer<'static>, &'static str> {
    const NO_PEM: &str = "failed to decode PEM key";
    let begin = pem.find("-----BEGIN ").ok_or(NO_PEM)? + "-----BEGIN ".len();
    let (label, rest) = pem[begin..].split_once("-----").ok_or(NO_PEM)?;
    if label == "ENCRYPTED PRIVATE KEY" {
        return Err("encrypted pkcs8 formatted key is not supported: convert it with `openssl pkcs8`");
    }
    let body = rest.split("-----END ").next().ok_or(NO_PEM)?;
    let mut cipher = None;
    let mut text = String::new();
    for line in body.lines().map(str::trim) {
        match line.split_once(':') {
            Some(("DEK-Info", value)) => cipher = value.trim().split_once(','),
            Some(_) => {}
            None => text.push_str(line),
        }
    }
    let sealed = BASE64.decode(text.as_bytes()).map_err(|_| NO_PEM)?;
    let (name, start) = cipher.ok_or("x509: no DEK-Info header in block")?;
    let start = HEXLOWER_PERMISSIVE.decode(start.as_bytes()).map_err(|_| NO_PEM)?;
    let salt = start.get(..8).ok_or(NO_PEM)?;
    let open = |length: usize| {
        let key = derived(password.as_bytes(), salt, length);
        match length {
            16 => cbc::Decryptor::<Aes128>::new_from_slices(&key, &start)
                .ok()?
                .decrypt_padded_vec::<Pkcs7>(&sealed)
                .ok(),
            24 => cbc::Decryptor::<Aes192>::new_from_slices(&key, &start)
                .ok()?
                .decrypt_padded_vec::<Pkcs7>(&sealed)
                .ok(),
            _ => cbc::Decryptor::<Aes256>::new_from_slices(&key, &start)
                .ok()?
                .decrypt_padded_vec::<Pkcs7>(&sealed)
                .ok(),
        }
    };
    let plain = match name {
        "AES-128-CBC" => open(16),
        "AES-192-CBC" => open(24),
        "AES-256-CBC" => open(32),
        _ => {
            return Err(
                "x509: unknown encryption mode: of the ciphers for keys there are AES-128-CBC, AES-192-CBC and AES-256-CBC",
            );
        }
    };
    // A wrong password shows in the padding, or else in what is no key: DER begins with a sequence.
    let plain = plain.filter(|plain| plain.first() == Some(&0x30));
    let plain = plain.ok_or("x509: decryption password incorrect")?;
    match label {
        "EC PRIVATE KEY" => Ok(PrivateKeyDer::Sec1(plain.into())),
        "RSA PRIVATE KEY" => Ok(PrivateKeyDer::Pkcs1(plain.into())),
        _ => Ok(PrivateKeyDer::Pkcs8(plain.into())),
    }
}

/// OpenSSL's `EVP_BytesToKey` with MD5 and one round.
fn derived(password: &[u8], salt: &[u8], length: usize) -> Vec<u8> {
    let mut key = Vec::with_capacity(length + 16);
    let mut last = Vec::new();
    while key.len() < length {
        let digest = Md5::new()
            .chain_update(&last)
            .chain_update(password)
            .chain_update(salt);
        last = digest.finalize().to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(length);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `openssl ec -aes256 -passout pass:abc123`.
    const SEALED: &str = include_str!("sealed_key.pem");

    #[test]
    fn a_key_under_a_password_opens_with_it_only() {
        assert!(matches!(decrypt(SEALED, "abc123"), Ok(PrivateKeyDer::Sec1(_))));
        assert_eq!(
            decrypt(SEALED, "abc321").unwrap_err(),
            "x509: decryption password incorrect"
        );
        for (pem, part) in [
            ("", "failed to decode PEM"),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
                "pkcs8",
            ),
            (
                "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----",
                "DEK-Info",
            ),
        ] {
            assert!(decrypt(pem, "x").unwrap_err().contains(part), "{pem}");
        }
    }
}
