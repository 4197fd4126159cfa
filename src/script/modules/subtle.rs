//! The module `loadgen:subtle`: the arithmetic behind `crypto.subtle`, whose rules are in `jslib/webcrypto.js`. What
//! cannot be done gives `undefined`; the rules say why.

mod ciphers;
mod curves;
mod derive;
mod rsa;

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

const NAMES: [&str; 11] = [
    "aes", "default", "ec", "ed25519", "hkdf", "pbkdf2", "random", "rsa", "rsaKey", "rsaParts", "x25519",
];

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
        shelf.function("rsa", rsa_of)?;
        shelf.function("rsaKey", rsa_key)?;
        shelf.function("rsaParts", rsa_parts)?;
        shelf.function("x25519", x25519)?;
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

fn x25519<'js>(ctx: Ctx<'js>, what: String, secret: Value<'js>, point: Opt<Value<'js>>) -> Made<'js> {
    let secret = read(&ctx, &secret)?;
    let done = match point.0 {
        Some(point) if what == "agree" => derive::x25519_agree(&secret, &read(&ctx, &point)?),
        _ => derive::x25519_public(&secret),
    };
    made(&ctx, done)
}

/// What is done with a key over a text, and a signature or a label beside it. The number is a key's bits, or bytes of salt.
fn rsa_of<'js>(
    ctx: Ctx<'js>,
    what: String,
    hash: String,
    key: Value<'js>,
    text: Opt<Value<'js>>,
    beside: Opt<Value<'js>>,
    number: Opt<u32>,
) -> Made<'js> {
    let bytes = |value: Opt<Value<'js>>| value.0.map_or(Ok(Vec::new()), |value| read(&ctx, &value));
    let (key, text, beside) = (read(&ctx, &key)?, bytes(text)?, bytes(beside)?);
    let number = number.0.unwrap_or_default();
    let (key, hash) = (&key[..], &hash[..]);
    let salt = what.ends_with("RSA-PSS").then_some(number);
    let used = rsa::Use { key, hash, salt };
    let done = match what.split(' ').next() {
        Some("generate") => rsa::generate(number, key),
        Some("public") => rsa::public_of(key),
        Some("sign") => used.sign(&text),
        Some("verify") => used.verify(&text, &beside).and_then(|holds| holds.then(Vec::new)),
        Some("encrypt") => used.encrypt(&text, &beside),
        Some("decrypt") => used.decrypt(&text, &beside),
        _ => None,
    };
    made(&ctx, done)
}

fn rsa_key<'js>(ctx: Ctx<'js>, parts: Vec<Value<'js>>) -> Made<'js> {
    let parts: Result<Vec<Vec<u8>>> = parts.iter().map(|part| read(&ctx, part)).collect();
    made(&ctx, rsa::of_parts(&parts?))
}

fn rsa_parts<'js>(ctx: Ctx<'js>, key: Value<'js>) -> Result<Option<Vec<ArrayBuffer<'js>>>> {
    let Some(parts) = rsa::parts(&read(&ctx, &key)?) else {
        return Ok(None);
    };
    let parts = parts.into_iter().map(|part| ArrayBuffer::new(ctx.clone(), part));
    parts.collect::<Result<_>>().map(Some)
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
