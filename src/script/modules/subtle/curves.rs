//! The NIST curves as webcrypto has them: keys, ECDSA over a digest, ECDH.

/// A curve by its name in webcrypto.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    P256,
    P384,
    P521,
}

macro_rules! on {
    ($curve:expr, $name:ident => $then:expr) => {
        match $curve {
            Curve::P256 => {
                use p256 as $name;
                $then
            }
            Curve::P384 => {
                use p384 as $name;
                $then
            }
            Curve::P521 => {
                use p521 as $name;
                $then
            }
        }
    };
}

impl Curve {
    pub fn named(name: &str) -> Option<Curve> {
        match name {
            "P-256" => Some(Curve::P256),
            "P-384" => Some(Curve::P384),
            "P-521" => Some(Curve::P521),
            _ => None,
        }
    }

    /// A new private key: a scalar, as bytes.
    pub fn generate(self) -> Option<Vec<u8>> {
        let size = match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        };
        let mut bytes = vec![0; size];
        // A number above the curve's order is no key; for these curves that is very rare.
        for _ in 0..64 {
            getrandom::fill(&mut bytes).ok()?;
            if self == Curve::P521 {
                bytes[0] &= 1;
            }
            if self.public(&bytes).is_some() {
                return Some(bytes);
            }
        }
        None
    }

    /// The public key that belongs to a private one: an uncompressed point.
    pub fn public(self, private: &[u8]) -> Option<Vec<u8>> {
        on!(self, c => {
            let key = c::SecretKey::from_slice(private).ok()?.public_key();
            Some(key.to_sec1_bytes().to_vec())
        })
    }

    /// The same point, uncompressed; `None` if it is not on the curve.
    pub fn point(self, public: &[u8]) -> Option<Vec<u8>> {
        on!(self, c => {
            let key = c::PublicKey::from_sec1_bytes(public).ok()?;
            Some(key.to_sec1_bytes().to_vec())
        })
    }

    /// r and s, one behind the other.
    pub fn sign(self, private: &[u8], digest: &[u8]) -> Option<Vec<u8>> {
        on!(self, c => {
            use c::ecdsa::signature::hazmat::PrehashSigner;
            let key = c::ecdsa::SigningKey::from_slice(private).ok()?;
            let signature: c::ecdsa::Signature = key.sign_prehash(digest).ok()?;
            Some(signature.to_bytes().to_vec())
        })
    }

    pub fn verify(self, public: &[u8], digest: &[u8], signature: &[u8]) -> bool {
        let verified = || -> Option<()> {
            on!(self, c => {
                use c::ecdsa::signature::hazmat::PrehashVerifier;
                let key = c::ecdsa::VerifyingKey::from_sec1_bytes(public).ok()?;
                let signature = c::ecdsa::Signature::from_slice(signature).ok()?;
                key.verify_prehash(digest, &signature).ok()
            })
        };
        verified().is_some()
    }

    /// What both sides of an exchange get: the x of a point.
    pub fn agree(self, private: &[u8], public: &[u8]) -> Option<Vec<u8>> {
        on!(self, c => {
            let private = c::SecretKey::from_slice(private).ok()?;
            let public = c::PublicKey::from_sec1_bytes(public).ok()?;
            let shared = c::ecdh::diffie_hellman(private.to_nonzero_scalar(), public.as_affine());
            Some(shared.raw_secret_bytes().to_vec())
        })
    }

    /// A private key as PKCS #8.
    pub fn to_pkcs8(self, private: &[u8]) -> Option<Vec<u8>> {
        on!(self, c => {
            use c::pkcs8::EncodePrivateKey;
            let key = c::SecretKey::from_slice(private).ok()?;
            Some(key.to_pkcs8_der().ok()?.as_bytes().to_vec())
        })
    }

    pub fn read_pkcs8(self, der: &[u8]) -> Option<Vec<u8>> {
        on!(self, c => {
            use c::pkcs8::DecodePrivateKey;
            Some(c::SecretKey::from_pkcs8_der(der).ok()?.to_bytes().to_vec())
        })
    }

    /// A public key as `SubjectPublicKeyInfo`.
    pub fn to_spki(self, public: &[u8]) -> Option<Vec<u8>> {
        on!(self, c => {
            use c::pkcs8::EncodePublicKey;
            let key = c::PublicKey::from_sec1_bytes(public).ok()?;
            Some(key.to_public_key_der().ok()?.as_bytes().to_vec())
        })
    }

    pub fn read_spki(self, der: &[u8]) -> Option<Vec<u8>> {
        on!(self, c => {
            use c::pkcs8::DecodePublicKey;
            let key = c::PublicKey::from_public_key_der(der).ok()?;
            Some(key.to_sec1_bytes().to_vec())
        })
    }
}
