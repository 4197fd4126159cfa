//! Private keys in PEM that are encrypted with a password, as `tlsAuth` and gRPC's `connect` take them.
//!
//! OpenSSL reads them: the form it wrote before PKCS #8 (RFC 1421's headers `Proc-Type` and `DEK-Info`), which is all that k6
//! reads, and PKCS #8 itself (RFC 5958), with every cipher that the system's OpenSSL has.

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use thiserror::Error;

/// Why a key cannot be decrypted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// It is encrypted, and nobody said how to open it.
    #[error("the key is encrypted and there is no password")]
    NoPassword,
    /// OpenSSL does not know its cipher, or no longer.
    #[error("the key is encrypted with {0}, which is not supported")]
    Cipher(String),
    /// It begins as an encrypted key does, and is none.
    #[error("the key is no encrypted PEM")]
    Malformed,
    /// In the words of Go's library, which scripts may look for.
    #[error("x509: decryption password incorrect: it does not fit the key")]
    WrongPassword,
}

impl KeyError {
    /// What to do about it.
    pub fn mend(&self) -> &'static str {
        match self {
            Self::NoPassword | Self::WrongPassword => "give its password as `password`",
            Self::Cipher(_) | Self::Malformed => "decrypt it first, for instance with openssl pkey",
        }
    }
}

/// The key as it is if it is not encrypted, else decrypted, as PKCS #8.
///
/// # Errors
/// The password is missing or another one, or the key cannot be read.
pub fn decrypted(pem: &str, password: &str) -> Result<String, KeyError> {
    let marks = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];
    if !marks.iter().any(|mark| pem.contains(mark)) {
        return Ok(pem.to_owned());
    }
    if password.is_empty() {
        return Err(KeyError::NoPassword);
    }
    // OpenSSL takes passwords as texts that end with a zero.
    if password.contains('\0') {
        return Err(KeyError::WrongPassword);
    }
    let plain = PKey::private_key_from_pem_passphrase(pem.as_bytes(), password.as_bytes())
        .map_err(|errors| reason(pem, &errors))?
        .private_key_to_pem_pkcs8()
        .map_err(|_| KeyError::Malformed)?;
    String::from_utf8(plain).map_err(|_| KeyError::Malformed)
}

/// What OpenSSL's errors come from.
fn reason(pem: &str, errors: &ErrorStack) -> KeyError {
    for error in errors.errors() {
        // "Global default library context, Algorithm (DES-CBC : 8), Properties ()"
        let algorithm = error
            .data()
            .and_then(|data| data.split_once("Algorithm (")?.1.split([' ', ')']).next());
        if let Some(name) = algorithm {
            return KeyError::Cipher(name.to_owned());
        }
        if error.reason() == Some("unsupported encryption") {
            let info = pem.lines().find_map(|line| line.strip_prefix("DEK-Info:"));
            let name = info.and_then(|info| info.split(',').next());
            return KeyError::Cipher(name.unwrap_or("an unknown cipher").trim().to_owned());
        }
    }
    let decrypts = |reason: &str| reason.contains("decrypt") || reason.contains("cipherfinal");
    let mut errors = errors.errors().iter();
    if errors.any(|error| error.reason().is_some_and(decrypts)) || is_whole(pem) {
        // Now and then the padding of noise fits, and it is the noise in it that cannot be read.
        KeyError::WrongPassword
    } else {
        KeyError::Malformed
    }
}

/// Whether there is something between the first lines and the last that can be a key.
fn is_whole(pem: &str) -> bool {
    let Some((_, rest)) = pem.split_once("-----BEGIN ") else {
        return false;
    };
    let Some((body, _)) = rest.split_once("-----END ") else {
        return false;
    };
    let lines = body.lines().skip(1).filter(|line| !line.contains(':'));
    let text: String = lines.map(str::trim).collect();
    data_encoding::BASE64
        .decode(text.as_bytes())
        .is_ok_and(|bytes| bytes.len() > 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made for this test with `openssl`, as are those that follow: encrypted with `secret`.
    const PLAIN: &str = r"-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIJ5Kz7I4n7kaf0+hzZlBYfEL8r+nJgl7qxTZ/Gtf1oeZoAoGCCqGSM49
AwEHoUQDQgAE9TfGRDhZ7DZjVRYgplGBlBZ/vIEr0a1l3r+NXTEGQ5FRUI6fec1k
yb057Wi3rY5AxYDffiYosXIQa+EhOBEyaw==
-----END EC PRIVATE KEY-----
";
    const ENCRYPTED: [&str; 5] = [
        // ec -aes128
        r"-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,43CFA8C0EA4E82B95B4E538910F52E53

Xn8Msu4jp7cPyXeVlzyJ6jlnO6tHWbwxCX7znfVy2sgTZ6yTvKUor9SWAjR0YYga
0cWp++0tBSVBoRHKZ10FWdW5KjnlCyDnUHm/4Xxnz4z1XK+F7UV05nqetP9vfc+e
2f2h55KJMt/jr1wBG/F1MWplPoyqvUYFA34LspktZ1I=
-----END EC PRIVATE KEY-----
",
        // ec -des3
        r"-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: DES-EDE3-CBC,9E89B4A8A7C521C1

sFfxr661XPAHdcZ01PJD4Hh/kgnZFBwR/FerwwbVYQgT1EibkbCs0rO2B0bDUVMo
6/mfJQxNeKTKWbzby/8erxn8Gc919BtDW3ednwDt82zwIHYYiED99qfAu22opM3J
P8QYOMjmvbBPRJ+UNfOM8MuC6yFR1Xi97Y+ETreKUmc=
-----END EC PRIVATE KEY-----
",
        // pkcs8 -topk8 -v2 aes-256-cbc
        r"-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjkQMghiAXKPQICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEERNHABpzjDtVX5FS4jeBBQEgZAr
Npe7mtJ2BcyvflmdvO30MVtXW3DrQUHhuwAWv4G1kcDCfQIC1jq593pMhU4SNUZ5
6O7b1Spi82u6xKmUvBQKH+WrdzZuMx0NSb4LjLYe1DljQEKMozYtjDH7HDinL5F2
KMqPlzBZv0m3lyCKtPfocNPTx75RO0f9RBjMUF+kvv6ZREkoDyjEdp2djKtD9Qk=
-----END ENCRYPTED PRIVATE KEY-----
",
        // pkcs8 -topk8 -v2 des3
        r"-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHjME4GCSqGSIb3DQEFDTBBMCkGCSqGSIb3DQEFDDAcBAioa5KkzFuqTQICCAAw
DAYIKoZIhvcNAgkFADAUBggqhkiG9w0DBwQIothU3cABQwkEgZBagw/amBTcUz+Z
4L712av/wljjjcZq8Nc+aPxcLP62DPQv6Buqs9pDLnVKSz8d9dozTxY9CQNJiY7o
rjFNpejysU/Mk3GqIYfLeRMxBv0N3hQUFXCPYFvrtSs0tn3xa9m4qmYyZFJABJSj
QOcu3kf6Y7WXOUqgq/GbPKQJoDk/L3M/CSa63e3PLXdfESDrCps=
-----END ENCRYPTED PRIVATE KEY-----
",
        // pkcs8 -topk8 -scrypt
        r"-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHkME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAiFe+yc2YRhlAICQAAC
AQgCAQEwHQYJYIZIAWUDBAEqBBCdCOfoYcirOLpskLlJvzGeBIGQ7ZkpL5DW3kGO
CWPRex9Z+aQ4VQDz9Kiw/iFukaaN0lRWIQKMSvX/IQuorleG7asCmW1jfWQUhato
7JTgtwJfMH61ibSTQ6eyudVfr/QFxq/2qEcXH2ipKAvW+r7ETrkRXO8sB03rVZ9E
WE1KDbgxs+R/mlSVGiO22q+t8KFvBzO6gFNpCAcgcqPmpjBqVXOj
-----END ENCRYPTED PRIVATE KEY-----
",
    ];
    /// pkcs8 -topk8 -v1 PBE-MD5-DES -provider legacy
    const OLD: &str = r"-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGwMBsGCSqGSIb3DQEFAzAOBAipQ3nnI+hMAwICCAAEgZB3neCsRkMNymabrBu3
zHZHeaUnDiPFx5LHNFY94d1OBNeNfAqXhVG5Wi3eJluALKYEEKdXG2w5X4ZcAn11
WQAXLxl4MlBM5x6Jtw8y4wtcZrUr5cb19W+OOnUjcLMHigyUEsJP3ZMIS4oQyGHi
JwCJFgLbS5MRe5Wm/EdkbClf2OZdJKYm4J8QEOTBm+1Byp0=
-----END ENCRYPTED PRIVATE KEY-----
";

    #[test]
    fn keys_that_openssl_encrypted_are_read() {
        let der = |pem: &str| {
            let key = PKey::private_key_from_pem(pem.as_bytes()).unwrap();
            key.private_key_to_pkcs8().unwrap()
        };
        for encrypted in ENCRYPTED {
            let plain = decrypted(encrypted, "secret").unwrap();
            assert!(plain.starts_with("-----BEGIN PRIVATE KEY-----"), "{plain}");
            assert_eq!(der(&plain), der(PLAIN));
            assert_eq!(decrypted(encrypted, "other"), Err(KeyError::WrongPassword));
            assert_eq!(decrypted(encrypted, "sec\0ret"), Err(KeyError::WrongPassword));
            assert_eq!(decrypted(encrypted, ""), Err(KeyError::NoPassword));
        }
        assert_eq!(decrypted(PLAIN, "needless").unwrap(), PLAIN);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let unknown = ENCRYPTED[1].replace("DES-EDE3-CBC", "FOO-CBC");
        assert_eq!(
            decrypted(&unknown, "secret"),
            Err(KeyError::Cipher("FOO-CBC".to_owned()))
        );
        // A system may have its old ciphers switched on.
        assert!(!matches!(
            decrypted(OLD, "secret"),
            Err(KeyError::WrongPassword | KeyError::Malformed)
        ));
        let short = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert_eq!(decrypted(short, "secret"), Err(KeyError::Malformed));
        let cut = &ENCRYPTED[0][..120];
        assert_eq!(decrypted(cut, "secret"), Err(KeyError::Malformed));
    }

    /// A wrong password seldom leaves a padding that fits; it is a wrong one then, too.
    #[test]
    fn another_password_is_another_password() {
        for number in 0..600 {
            let error = decrypted(ENCRYPTED[0], &number.to_string()).unwrap_err();
            assert_eq!(error, KeyError::WrongPassword, "{number}");
        }
    }

    proptest::proptest! {
        /// Whatever stands behind an encrypted key's head, it is an answer.
        #[test]
        fn no_key_makes_it_panic(text in "[ -~\\n]{0,80}", which in 0..ENCRYPTED.len(), cut in 0..200usize) {
            let _ = decrypted(&format!("{}{text}", &ENCRYPTED[which][..cut]), "secret");
        }
    }
}
