//! Private keys in PEM that are encrypted with a password, as `tlsAuth` takes them.
//!
//! The dialect reads the form that OpenSSL wrote before PKCS #8 (RFC 1421's headers `Proc-Type` and `DEK-Info`), and no
//! encrypted PKCS #8; so does this.

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::{BlockModeDecrypt, KeyIvInit, block_padding::Pkcs7};
use data_encoding::{BASE64, HEXUPPER_PERMISSIVE};
use md5::{Digest, Md5};
use thiserror::Error;

/// Why a key cannot be decrypted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum KeyError {
    #[error("the key is encrypted and there is no password")]
    NoPassword,
    #[error("encrypted PKCS #8 keys are not read, neither here nor by k6")]
    Pkcs8,
    #[error("the key is encrypted with {0}, which is not supported")]
    Cipher(String),
    #[error("the key is no encrypted PEM: {0}")]
    Malformed(&'static str),
    #[error("the password does not fit the key")]
    WrongPassword,
}

impl KeyError {
    /// What to do about it.
    pub fn mend(&self) -> &'static str {
        match self {
            Self::NoPassword | Self::WrongPassword => "give its password as `password`",
            Self::Pkcs8 | Self::Cipher(_) | Self::Malformed(_) => {
                "decrypt it first, for instance with openssl pkey"
            }
        }
    }
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// The key as it is if it is not encrypted, else decrypted.
pub(super) fn decrypted(pem: &str, password: &str) -> Result<String, KeyError> {
    if pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        return Err(KeyError::Pkcs8);
    }
    let Some((before, block)) = pem
        .find("Proc-Type: 4,ENCRYPTED")
        .and_then(|at| pem[..at].rfind(BEGIN))
        .map(|at| pem.split_at(at))
    else {
        return Ok(pem.to_owned());
    };
    if password.is_empty() {
        return Err(KeyError::NoPassword);
    }
    let mut lines = block.lines().map(str::trim);
    let label = lines
        .next()
        .and_then(|line| line.strip_prefix(BEGIN)?.strip_suffix(DASHES))
        .ok_or(KeyError::Malformed("its first line is cut short"))?;
    let mut info = None;
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        if let Some(value) = line.strip_prefix("DEK-Info:") {
            info = value.trim().split_once(',');
        }
    }
    let (cipher, start) = info.ok_or(KeyError::Malformed("there is no DEK-Info"))?;
    let body: String = lines.take_while(|line| !line.starts_with(END)).collect();
    let body = BASE64
        .decode(body.as_bytes())
        .map_err(|_| KeyError::Malformed("its text is no base64"))?;
    let start = HEXUPPER_PERMISSIVE
        .decode(start.trim().as_bytes())
        .map_err(|_| KeyError::Malformed("its initialisation vector is no hex"))?;
    let plain = decrypt(cipher.trim(), &start, &body, password.as_bytes())?;
    let mut text = format!("{before}{BEGIN}{label}{DASHES}\n");
    for line in BASE64.encode(&plain).as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    Ok(text + END + label + DASHES + "\n")
}

fn decrypt(cipher: &str, start: &[u8], body: &[u8], password: &[u8]) -> Result<Vec<u8>, KeyError> {
    let salt = start
        .get(..8)
        .ok_or(KeyError::Malformed("its initialisation vector is too short"))?;
    let key = |length| derived(password, salt, length);
    let plain = match cipher {
        "AES-128-CBC" => cbc::Decryptor::<Aes128>::new_from_slices(&key(16), start)
            .ok()
            .and_then(|cipher| cipher.decrypt_padded_vec::<Pkcs7>(body).ok()),
        "AES-192-CBC" => cbc::Decryptor::<Aes192>::new_from_slices(&key(24), start)
            .ok()
            .and_then(|cipher| cipher.decrypt_padded_vec::<Pkcs7>(body).ok()),
        "AES-256-CBC" => cbc::Decryptor::<Aes256>::new_from_slices(&key(32), start)
            .ok()
            .and_then(|cipher| cipher.decrypt_padded_vec::<Pkcs7>(body).ok()),
        other => return Err(KeyError::Cipher(other.to_owned())),
    };
    // A key is an ASN.1 sequence; another password leaves noise, and seldom a padding that fits.
    plain
        .filter(|plain| plain.first() == Some(&0x30))
        .ok_or(KeyError::WrongPassword)
}

/// OpenSSL's `EVP_BytesToKey` with MD5 and one round.
fn derived(password: &[u8], salt: &[u8], length: usize) -> Vec<u8> {
    let mut key: Vec<u8> = Vec::with_capacity(length + 16);
    let mut last: Vec<u8> = Vec::new();
    while key.len() < length {
        let mut hash = Md5::new();
        hash.update(&last);
        hash.update(password);
        hash.update(salt);
        last = hash.finalize().to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(length);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made for this test.
    const PLAIN: &str = r"-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIKu2NSOVKEYptj6P+Uk0sdi4yHF7Vjh+wuRaEssCZuUToAoGCCqGSM49
AwEHoUQDQgAEtVOXD9hdepoXm8yum4dUWjtgF0RK4nhJG95qv0xneaDIh+aJsjgF
6oiUBeh9sFtReRTBQEunneaRNp6NDGZYJg==
-----END EC PRIVATE KEY-----
";
    const AES_256: &str = r"-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-256-CBC,FB08C8D0A68DE4D52E680CB8314BAB23

+5FSHqb3TKPr1uhh1y2ahmC5IYNboumY2SvU170zsodUvH+MDK54rWJHVZ+UTlJF
4TShY3CpgyzGuuArTVMWX0nEXFr2TAwBFwMbToCkgOfLaZe4dnieW+bcIl2nHWU7
XovMlQhbE7uh6zD8ZPUaNBJTjSBLsDAi2HoeXmRQlA8=
-----END EC PRIVATE KEY-----
";
    const AES_128: &str = r"-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,AF82F5FC07F16EAC2C83088F23EE5771

2lqiWCqKVCQyWlafc99KV2zw8F+7XNKP0igX88zofKi/O0YYGBahss92O4XofPZP
mrYnTtq/lQl5ae7wMhoE5J0sEioqnrmccdvhJ1Mp3mP+zUsti3desoYI274umhMU
US8zCKgyETbY6HnBBHiiMJrtEdPXDTj0EFUxBojr11U=
-----END EC PRIVATE KEY-----
";

    #[test]
    fn keys_that_openssl_encrypted_are_read() {
        for encrypted in [AES_256, AES_128] {
            assert_eq!(decrypted(encrypted, "secret").unwrap(), PLAIN);
            assert_eq!(decrypted(encrypted, "other"), Err(KeyError::WrongPassword));
            assert_eq!(decrypted(encrypted, ""), Err(KeyError::NoPassword));
        }
        assert_eq!(decrypted(PLAIN, "needless").unwrap(), PLAIN);
        let old = AES_256.replace("AES-256-CBC", "DES-EDE3-CBC");
        let error = decrypted(&old, "secret").unwrap_err();
        assert_eq!(error, KeyError::Cipher("DES-EDE3-CBC".to_owned()));
        let new = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert_eq!(decrypted(new, "secret"), Err(KeyError::Pkcs8));
    }

    proptest::proptest! {
        /// Whatever stands behind an encrypted key's head, it is an answer.
        #[test]
        fn no_key_makes_it_panic(text in "[ -~\\n]{0,80}", cut in 0..AES_256.len()) {
            let _ = decrypted(&format!("{}{text}", &AES_256[..cut]), "secret");
        }
    }
}
