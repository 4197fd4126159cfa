//! AES as webcrypto has it: CBC with padding, CTR, and GCM with its tag behind the text.

use aes::{Aes128, Aes192, Aes256};
use aes_gcm::{
    AesGcm, KeyInit,
    aead::{
        Aead, Payload,
        consts::{U12, U16},
    },
};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, StreamCipher, block_padding::Pkcs7};

/// What is done with which key. `None` if a length is wrong, or a text cannot be decrypted.
pub struct Cipher<'a> {
    pub key: &'a [u8],
    /// The initialisation vector, or the counter.
    pub start: &'a [u8],
    /// What GCM authenticates besides the text.
    pub beside: &'a [u8],
}

/// Bytes of a tag that is not cut short.
const WHOLE_TAG: usize = 16;

macro_rules! by_key {
    ($key:expr, $aes:ident => $then:expr) => {
        match $key.len() {
            16 => {
                type $aes = Aes128;
                $then
            }
            24 => {
                type $aes = Aes192;
                $then
            }
            32 => {
                type $aes = Aes256;
                $then
            }
            _ => None,
        }
    };
}

impl Cipher<'_> {
    /// CBC with the padding of PKCS #7.
    pub fn cbc(&self, text: &[u8], encrypt: bool) -> Option<Vec<u8>> {
        by_key!(self.key, A => if encrypt {
            let cipher = cbc::Encryptor::<A>::new_from_slices(self.key, self.start).ok()?;
            Some(cipher.encrypt_padded_vec::<Pkcs7>(text))
        } else {
            let cipher = cbc::Decryptor::<A>::new_from_slices(self.key, self.start).ok()?;
            cipher.decrypt_padded_vec::<Pkcs7>(text).ok()
        })
    }

    /// CTR, which is the same both ways.
    pub fn ctr(&self, text: &[u8]) -> Option<Vec<u8>> {
        by_key!(self.key, A => {
            let mut text = text.to_vec();
            ctr::Ctr128BE::<A>::new_from_slices(self.key, self.start).ok()?.apply_keystream(&mut text);
            Some(text)
        })
    }

    /// GCM with a tag of so many bytes, 16 at the most, and a start of 96 or 128 bits.
    pub fn gcm(&self, text: &[u8], encrypt: bool, tag: usize) -> Option<Vec<u8>> {
        if encrypt {
            let mut sealed = self.whole_gcm(text, true)?;
            sealed.truncate(text.len() + tag);
            return Some(sealed);
        }
        if tag == WHOLE_TAG {
            return self.whole_gcm(text, false);
        }
        // The cipher checks whole tags only. What it makes of zeros is what each text is combined with, and a text that
        // was opened so has the same tag again if it is the one that was sealed.
        let (sealed, given) = text.split_at_checked(text.len().checked_sub(tag)?)?;
        let stream = self.whole_gcm(&vec![0; sealed.len()], true)?;
        let opened: Vec<u8> = sealed
            .iter()
            .zip(&stream)
            .map(|(one, other)| one ^ other)
            .collect();
        let again = self.whole_gcm(&opened, true)?;
        let tags = again[sealed.len()..].iter().zip(given);
        let differs = tags.fold(0, |all, (one, other)| all | (one ^ other));
        (differs == 0).then_some(opened)
    }

    fn whole_gcm(&self, text: &[u8], encrypt: bool) -> Option<Vec<u8>> {
        let payload = Payload {
            msg: text,
            aad: self.beside,
        };
        macro_rules! with {
            ($aes:ty, $size:ty) => {{
                let cipher = AesGcm::<$aes, $size>::new_from_slice(self.key).ok()?;
                let nonce = self.start.try_into().ok()?;
                if encrypt {
                    cipher.encrypt(nonce, payload)
                } else {
                    cipher.decrypt(nonce, payload)
                }
                .ok()
            }};
        }
        by_key!(self.key, A => match self.start.len() {
            12 => with!(A, U12),
            16 => with!(A, U16),
            _ => None,
        })
    }
}
