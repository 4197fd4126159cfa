//! A private key's file, looked at before libssh2 is: it has one answer for a file that is missing, one that is encrypted
//! and a passphrase that is wrong.

use std::io;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;

use super::known_hosts::kind_of;

/// What a key file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// The file.
    pub path: PathBuf,
    /// Whether it takes a passphrase.
    pub encrypted: bool,
    /// The public key, where it can be had without one.
    pub public: Option<Vec<u8>>,
    /// Whether the private key is in it at all.
    pub private: bool,
}

impl KeyFile {
    /// Reads a file and, for the public key, the `.pub` next to it. `Err` says why it cannot be used.
    pub fn read(path: &Path) -> Result<KeyFile, String> {
        let text = std::fs::read(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "there is no such file".to_owned(),
            _ => error.to_string(),
        })?;
        let mut key = KeyFile::of(path, &String::from_utf8_lossy(&text))?;
        if key.public.is_none() {
            let mut name = path.as_os_str().to_owned();
            name.push(".pub");
            key.public = std::fs::read_to_string(name)
                .ok()
                .and_then(|line| public_line(&line));
        }
        Ok(key)
    }

    fn of(path: &Path, text: &str) -> Result<KeyFile, String> {
        let mut key = KeyFile {
            path: path.to_owned(),
            encrypted: false,
            public: None,
            private: true,
        };
        let text = text.trim_start();
        if let Some(public) = public_line(text) {
            key.public = Some(public);
            key.private = false;
            return Ok(key);
        }
        let Some(label) = text
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.split_once("-----"))
        else {
            return Err("it is no private key in a format of OpenSSH or PEM".to_owned());
        };
        match label.0 {
            "OPENSSH PRIVATE KEY" => {
                let (cipher, public) = openssh(label.1).ok_or("it is cut or damaged")?;
                if kind_of(&public).is_some_and(|kind| kind.starts_with("sk-")) {
                    return Err(
                        "it is a key of a security token, which works through the agent only (ssh-add)"
                            .to_owned(),
                    );
                }
                key.encrypted = cipher != "none";
                key.public = Some(public);
            }
            "ENCRYPTED PRIVATE KEY" => key.encrypted = true,
            label if label.ends_with("PRIVATE KEY") => {
                key.encrypted = text.lines().take(4).any(|line| line.contains("ENCRYPTED"));
            }
            label => return Err(format!("it holds a {}, not a private key", label.to_lowercase())),
        }
        Ok(key)
    }
}

/// `kind base64 comment`.
fn public_line(line: &str) -> Option<Vec<u8>> {
    let mut words = line.split_whitespace();
    let (kind, encoded) = (words.next()?, words.next()?);
    let blob = BASE64.decode(encoded.as_bytes()).ok()?;
    (kind_of(&blob)? == kind).then_some(blob)
}

/// The cipher and the public key of OpenSSH's own format (its `PROTOCOL.key`), which come before what is encrypted.
fn openssh(body: &str) -> Option<(String, Vec<u8>)> {
    let encoded: String = body.split("-----").next()?.split_whitespace().collect();
    let bytes = BASE64.decode(encoded.as_bytes()).ok()?;
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let cipher = string(&mut rest)?;
    let _kdf = string(&mut rest)?;
    let _options = string(&mut rest)?;
    let _keys = rest.split_off(..4)?;
    let public = string(&mut rest)?;
    Some((String::from_utf8_lossy(cipher).into_owned(), public.to_vec()))
}

fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = rest.split_off(..4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    rest.split_off(..usize::try_from(length).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file as `ssh-keygen` writes it, as far as it is read here.
    fn openssh_file(cipher: &str, kind: &str) -> String {
        let mut bytes = b"openssh-key-v1\0".to_vec();
        let mut put = |text: &[u8]| {
            bytes.extend_from_slice(&u32::try_from(text.len()).expect("short").to_be_bytes());
            bytes.extend_from_slice(text);
        };
        put(cipher.as_bytes());
        put(b"bcrypt");
        put(b"options");
        bytes.extend_from_slice(&1_u32.to_be_bytes());
        bytes.extend_from_slice(&(u32::try_from(kind.len()).expect("short") + 4).to_be_bytes());
        bytes.extend_from_slice(&u32::try_from(kind.len()).expect("short").to_be_bytes());
        bytes.extend_from_slice(kind.as_bytes());
        format!(
            "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
            BASE64.encode(&bytes)
        )
    }

    fn of(text: &str) -> Result<KeyFile, String> {
        KeyFile::of(Path::new("key"), text)
    }

    #[test]
    fn encryption_is_seen_in_every_format() {
        for (text, encrypted) in [
            (openssh_file("none", "ssh-ed25519"), false),
            (openssh_file("aes256-ctr", "ssh-ed25519"), true),
            ("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n".to_owned(), false),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: x\n".to_owned(),
                true,
            ),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n".to_owned(), true),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n".to_owned(), false),
        ] {
            let key = of(&text).expect(&text);
            assert_eq!((key.encrypted, key.private), (encrypted, true), "{text}");
        }
        let public = of(&openssh_file("aes256-ctr", "ssh-rsa")).expect("key").public;
        assert_eq!(public.as_deref().and_then(kind_of), Some("ssh-rsa"));
    }

    #[test]
    fn what_is_no_private_key_says_what_it_is() {
        for (text, part) in [
            ("hello", "no private key"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", "a certificate"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END", "damaged"),
            (
                openssh_file("none", "sk-ssh-ed25519@openssh.com").as_str(),
                "agent",
            ),
        ] {
            let error = of(text).expect_err(text);
            assert!(error.contains(part), "{error}");
        }
        let missing = KeyFile::read(Path::new("/nowhere/key")).expect_err("missing");
        assert_eq!(missing, "there is no such file");
    }
}
