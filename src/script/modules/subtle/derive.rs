//! Keys from passwords (PBKDF2) and from other keys (HKDF), and what is done on Curve25519: Ed25519, and X25519 (RFC 7748),
//! which OpenSSL does, as `ring` takes no private key of it.

use openssl::{
    derive::Deriver,
    pkey::{Id, PKey},
};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

macro_rules! by_hash {
    ($name:expr, $hash:ident => $then:expr) => {
        match $name {
            "SHA-1" => {
                type $hash = Sha1;
                $then
            }
            "SHA-256" => {
                type $hash = Sha256;
                $then
            }
            "SHA-384" => {
                type $hash = Sha384;
                $then
            }
            "SHA-512" => {
                type $hash = Sha512;
                $then
            }
            _ => None,
        }
    };
}

/// `None` if there is no such hash.
pub fn pbkdf2(hash: &str, password: &[u8], salt: &[u8], rounds: u32, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    by_hash!(hash, H => {
        pbkdf2::pbkdf2_hmac::<H>(password, salt, rounds, &mut bytes);
        Some(bytes)
    })
}

/// `None` if there is no such hash, or more is wanted than it can give.
pub fn hkdf(hash: &str, key: &[u8], salt: &[u8], info: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    by_hash!(hash, H => {
        hkdf::Hkdf::<H>::new(Some(salt), key).expand(info, &mut bytes).ok()?;
        Some(bytes)
    })
}

/// The public key of an Ed25519 seed.
pub fn ed25519_public(seed: &[u8]) -> Option<Vec<u8>> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
    Some(pair.public_key().as_ref().to_vec())
}

pub fn ed25519_sign(seed: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
    Some(pair.sign(text).as_ref().to_vec())
}

pub fn ed25519_verify(public: &[u8], text: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public)
        .verify(text, signature)
        .is_ok()
}

/// The public key of a private one.
pub fn x25519_public(secret: &[u8]) -> Option<Vec<u8>> {
    let key = PKey::private_key_from_raw_bytes(secret, Id::X25519).ok()?;
    key.raw_public_key().ok()
}

/// What both sides have in common; `None` if it is all zeros, which RFC 7748, section 6.1, lets one refuse.
pub fn x25519_agree(secret: &[u8], point: &[u8]) -> Option<Vec<u8>> {
    let key = PKey::private_key_from_raw_bytes(secret, Id::X25519).ok()?;
    let peer = PKey::public_key_from_raw_bytes(point, Id::X25519).ok()?;
    let mut deriver = Deriver::new(&key).ok()?;
    deriver.set_peer(&peer).ok()?;
    deriver.derive_to_vec().ok()
}
