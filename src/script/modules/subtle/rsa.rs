//! RSA (RFC 8017) as webcrypto has it, by OpenSSL. A private key is PKCS#8, a public one SPKI, both as DER. `None` is what
//! cannot be done with these keys and texts.

use openssl::{
    bn::{BigNum, BigNumRef},
    encrypt::{Decrypter, Encrypter},
    error::ErrorStack,
    hash::MessageDigest,
    pkey::{PKey, Private, Public},
    rsa::{Padding, Rsa, RsaPrivateKeyBuilder},
    sign::{RsaPssSaltlen, Signer, Verifier},
};

/// A key with how it is used: the hash, and the padding where it signs.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    pub key: &'a [u8],
    /// By its name in webcrypto.
    pub hash: &'a str,
    /// The bytes of salt for PSS; without them it is PKCS #1 v1.5.
    pub salt: Option<u32>,
}

fn digest(name: &str) -> Option<MessageDigest> {
    match name {
        "SHA-1" => Some(MessageDigest::sha1()),
        "SHA-256" => Some(MessageDigest::sha256()),
        "SHA-384" => Some(MessageDigest::sha384()),
        "SHA-512" => Some(MessageDigest::sha512()),
        _ => None,
    }
}

fn private(key: &[u8]) -> Option<PKey<Private>> {
    PKey::private_key_from_pkcs8(key).ok()
}

fn public(key: &[u8]) -> Option<PKey<Public>> {
    PKey::public_key_from_der(key).ok()
}

/// A new private key of `bits`, with this public exponent, most significant byte first.
pub fn generate(bits: u32, exponent: &[u8]) -> Option<Vec<u8>> {
    let exponent = BigNum::from_slice(exponent).ok()?;
    // OpenSSL would look for a very long time for a key with an even exponent.
    if !exponent.is_bit_set(0) || exponent.num_bits() < 2 {
        return None;
    }
    let key = Rsa::generate_with_e(bits, &exponent).ok()?;
    PKey::from_rsa(key).ok()?.private_key_to_pkcs8().ok()
}

/// The public key of a private one.
pub fn public_of(key: &[u8]) -> Option<Vec<u8>> {
    private(key)?.public_key_to_der().ok()
}

/// Modulus and public exponent of a key, and of a private one also d, p, q, dp, dq and qi.
pub fn parts(key: &[u8]) -> Option<Vec<Vec<u8>>> {
    if let Some(open) = public(key) {
        let open = open.rsa().ok()?;
        return Some(vec![open.n().to_vec(), open.e().to_vec()]);
    }
    let secret = private(key)?.rsa().ok()?;
    let rest = [
        secret.p(),
        secret.q(),
        secret.dmp1(),
        secret.dmq1(),
        secret.iqmp(),
    ];
    let rest: Option<Vec<&BigNumRef>> = rest.into_iter().collect();
    let first = [secret.n(), secret.e(), secret.d()].into_iter();
    Some(first.chain(rest?).map(BigNumRef::to_vec).collect())
}

/// The key of these parts, if it is one.
pub fn of_parts(parts: &[Vec<u8>]) -> Option<Vec<u8>> {
    let numbers: Result<Vec<BigNum>, ErrorStack> =
        parts.iter().map(|part| BigNum::from_slice(part)).collect();
    match <[BigNum; 8]>::try_from(numbers.ok()?) {
        Ok([modulus, exponent, secret, p, q, dp, dq, qi]) => {
            let builder = RsaPrivateKeyBuilder::new(modulus, exponent, secret).ok()?;
            let builder = builder.set_factors(p, q).ok()?;
            let key = builder.set_crt_params(dp, dq, qi).ok()?.build();
            if !key.check_key().ok()? {
                return None;
            }
            PKey::from_rsa(key).ok()?.private_key_to_pkcs8().ok()
        }
        Err(numbers) => {
            let [modulus, exponent] = <[BigNum; 2]>::try_from(numbers).ok()?;
            let key = Rsa::from_public_components(modulus, exponent).ok()?;
            PKey::from_rsa(key).ok()?.public_key_to_der().ok()
        }
    }
}

/// Something that signs or verifies, with how it pads.
macro_rules! signing {
    ($kind:ident, $key:expr, $used:expr) => {{
        let hash = digest($used.hash)?;
        let mut signing = $kind::new(hash, $key).ok()?;
        if let Some(salt) = $used.salt {
            signing.set_rsa_padding(Padding::PKCS1_PSS).ok()?;
            signing.set_rsa_mgf1_md(hash).ok()?;
            // Below zero OpenSSL means something else.
            let salt = RsaPssSaltlen::custom(i32::try_from(salt).ok()?);
            signing.set_rsa_pss_saltlen(salt).ok()?;
        }
        signing
    }};
}

/// Something that encrypts or decrypts with OAEP, whose label may be empty.
macro_rules! sealing {
    ($kind:ident, $key:expr, $used:expr, $label:expr) => {{
        let hash = digest($used.hash)?;
        let mut sealing = $kind::new($key).ok()?;
        sealing.set_rsa_padding(Padding::PKCS1_OAEP).ok()?;
        sealing.set_rsa_oaep_md(hash).ok()?;
        sealing.set_rsa_mgf1_md(hash).ok()?;
        if !$label.is_empty() {
            sealing.set_rsa_oaep_label($label).ok()?;
        }
        sealing
    }};
}

impl Use<'_> {
    pub fn sign(self, text: &[u8]) -> Option<Vec<u8>> {
        let key = private(self.key)?;
        signing!(Signer, &key, self).sign_oneshot_to_vec(text).ok()
    }

    pub fn verify(self, text: &[u8], signature: &[u8]) -> Option<bool> {
        let key = public(self.key)?;
        signing!(Verifier, &key, self)
            .verify_oneshot(signature, text)
            .ok()
    }

    pub fn encrypt(self, text: &[u8], label: &[u8]) -> Option<Vec<u8>> {
        let key = public(self.key)?;
        let sealing = sealing!(Encrypter, &key, self, label);
        let mut sealed = vec![0; sealing.encrypt_len(text).ok()?];
        let length = sealing.encrypt(text, &mut sealed).ok()?;
        sealed.truncate(length);
        Some(sealed)
    }

    pub fn decrypt(self, sealed: &[u8], label: &[u8]) -> Option<Vec<u8>> {
        let key = private(self.key)?;
        let sealing = sealing!(Decrypter, &key, self, label);
        let mut text = vec![0; sealing.decrypt_len(sealed).ok()?];
        let length = sealing.decrypt(sealed, &mut text).ok()?;
        text.truncate(length);
        Some(text)
    }
}
