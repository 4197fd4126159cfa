//! The module `loadgen:subtle`: the arithmetic behind `crypto.subtle`, whose rules are in `jslib/webcrypto.js`. What
//! cannot be done gives `undefined`; the rules say why.

mod ciphers;
mod curves;
mod derive;

use rquickjs::{
    ArrayBuffer, Ctx, Exception, Result, Value,
    function::Opt,
    module::{Declarations, Exports, ModuleDef},
};

use self::{ciphers::Cipher, curves::Curve};
use super::Shelf;
use crate::script::bytes::data_of;

/// The module `loadgen:subtle`.
pub struct Subtle;

const NAMES: [&str; 7] = ["aes", "default", "ec", "ed25519", "hkdf", "pbkdf2", "random"];

impl ModuleDef for Subtle {
    fn declare(declare: &Declarations<'_>) -> Result<()> {
        for name in NAMES {
            declare.declare(name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let shelf = Shelf::new(ctx, exports)?;
        shelf.function("aes", aes)?;
        shelf.function("ec", ec)?;
        shelf.function("ed25519", ed25519)?;
        shelf.function("hkdf", hkdf)?;
        shelf.function("pbkdf2", pbkdf2)?;
        shelf.function("random", random)?;
        shelf.finish()
    }
}

type Made<'js> = Result<Option<ArrayBuffer<'js>>>;

fn made<'js>(ctx: &Ctx<'js>, bytes: Option<Vec<u8>>) -> Made<'js> {
    bytes
        .map(|bytes| ArrayBuffer::new(ctx.clone(), bytes))
        .transpose()
}

fn read<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<Vec<u8>> {
    data_of(ctx, value, "crypto.subtle")
}

fn aes<'js>(
    ctx: Ctx<'js>,
    mode: String,
    encrypt: bool,
    key: Value<'js>,
    start: Value<'js>,
    beside: Value<'js>,
    text: Value<'js>,
) -> Made<'js> {
    let (key, start) = (read(&ctx, &key)?, read(&ctx, &start)?);
    let (beside, text) = (read(&ctx, &beside)?, read(&ctx, &text)?);
    let cipher = Cipher {
        key: &key,
        start: &start,
        beside: &beside,
    };
    let done = match mode.as_str() {
        "AES-CBC" => cipher.cbc(&text, encrypt),
        "AES-CTR" => cipher.ctr(&text),
        // `AES-GCM-96`: with a tag of 96 bits.
        gcm => {
            let bits = gcm
                .strip_prefix("AES-GCM-")
                .and_then(|bits| bits.parse::<usize>().ok());
            bits.filter(|bits| *bits <= 128)
                .and_then(|bits| cipher.gcm(&text, encrypt, bits / 8))
        }
    };
    made(&ctx, done)
}

/// A curve's operation over up to three texts of bytes.
fn ec<'js>(
    ctx: Ctx<'js>,
    what: String,
    curve: String,
    first: Opt<Value<'js>>,
    second: Opt<Value<'js>>,
    third: Opt<Value<'js>>,
) -> Made<'js> {
    let bytes = |value: Opt<Value<'js>>| value.0.map_or(Ok(Vec::new()), |value| read(&ctx, &value));
    let (first, second, third) = (bytes(first)?, bytes(second)?, bytes(third)?);
    let Some(curve) = Curve::named(&curve) else {
        return Ok(None);
    };
    let done = match what.as_str() {
        "generate" => curve.generate(),
        "public" => curve.public(&first),
        "point" => curve.point(&first),
        "sign" => curve.sign(&first, &second),
        "verify" => curve.verify(&first, &second, &third).then(Vec::new),
        "agree" => curve.agree(&first, &second),
        "toPkcs8" => curve.to_pkcs8(&first),
        "fromPkcs8" => curve.read_pkcs8(&first),
        "toSpki" => curve.to_spki(&first),
        "fromSpki" => curve.read_spki(&first),
        _ => None,
    };
    made(&ctx, done)
}

fn ed25519<'js>(
    ctx: Ctx<'js>,
    what: String,
    key: Value<'js>,
    text: Opt<Value<'js>>,
    signature: Opt<Value<'js>>,
) -> Made<'js> {
    let bytes = |value: Opt<Value<'js>>| value.0.map_or(Ok(Vec::new()), |value| read(&ctx, &value));
    let (key, text, signature) = (read(&ctx, &key)?, bytes(text)?, bytes(signature)?);
    let done = match what.as_str() {
        "public" => derive::ed25519_public(&key),
        "sign" => derive::ed25519_sign(&key, &text),
        _ => derive::ed25519_verify(&key, &text, &signature).then(Vec::new),
    };
    made(&ctx, done)
}

fn pbkdf2<'js>(
    ctx: Ctx<'js>,
    hash: String,
    password: Value<'js>,
    salt: Value<'js>,
    rounds: u32,
    length: usize,
) -> Made<'js> {
    let (password, salt) = (read(&ctx, &password)?, read(&ctx, &salt)?);
    made(&ctx, derive::pbkdf2(&hash, &password, &salt, rounds, length))
}

fn hkdf<'js>(
    ctx: Ctx<'js>,
    hash: String,
    key: Value<'js>,
    salt: Value<'js>,
    info: Value<'js>,
    length: usize,
) -> Made<'js> {
    let (key, salt, info) = (read(&ctx, &key)?, read(&ctx, &salt)?, read(&ctx, &info)?);
    made(&ctx, derive::hkdf(&hash, &key, &salt, &info, length))
}

fn random(ctx: Ctx<'_>, count: usize) -> Result<ArrayBuffer<'_>> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).map_err(|error| Exception::throw_message(&ctx, &error.to_string()))?;
    ArrayBuffer::new(ctx, bytes)
}
