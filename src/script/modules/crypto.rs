//! The module `k6/crypto`: digests, HMACs and random bytes.

use std::cell::RefCell;

use data_encoding::{BASE64, BASE64URL, BASE64URL_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use md5::Digest;
use rquickjs::{
    ArrayBuffer, Class, Coerced, Ctx, Exception, Function, IntoJs, JsLifetime, Result, Value,
    atom::PredefinedAtom,
    class::Trace,
    function::{Opt, This},
    module::{Declarations, Exports, ModuleDef},
    object::Property,
};

use super::Shelf;
use crate::script::{bytes::data_of, host::Host, jslib::WEBCRYPTO};

/// The module `k6/crypto`.
pub struct Crypto;

const OTHERS: [&str; 6] = [
    "createHash",
    "createHMAC",
    "hmac",
    "hexEncode",
    "randomBytes",
    "default",
];

/// The most that `randomBytes` gives at once.
const MOST_RANDOM: f64 = 1_073_741_824.0;

/// Something that digests bytes.
trait Digester {
    fn update(&mut self, data: &[u8]);
    /// The digest of all data so far; more may follow.
    fn sum(&self) -> Vec<u8>;
}

struct Plain<D>(D);
struct Keyed<M>(M);

impl<D: Digest + Clone> Digester for Plain<D> {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn sum(&self) -> Vec<u8> {
        self.0.clone().finalize().to_vec()
    }
}

impl<M: Mac + Clone> Digester for Keyed<M> {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn sum(&self) -> Vec<u8> {
        self.0.clone().finalize().into_bytes().to_vec()
    }
}

macro_rules! algorithms {
    ($($name:literal => $digest:ty),* $(,)?) => {
        /// The names of the algorithms, which are also functions of the module.
        const ALGORITHMS: &[&str] = &[$($name),*];

        fn plain(name: &str) -> Option<Box<dyn Digester>> {
            Some(match name {
                $($name => Box::new(Plain(<$digest>::new())),)*
                _ => return None,
            })
        }

        fn keyed(name: &str, key: &[u8]) -> Option<Box<dyn Digester>> {
            Some(match name {
                // HMAC takes keys of any length.
                $($name => Box::new(Keyed(<Hmac<$digest> as KeyInit>::new_from_slice(key).ok()?)),)*
                _ => return None,
            })
        }
    };
}

algorithms! {
    "md4" => md4::Md4,
    "md5" => md5::Md5,
    "sha1" => sha1::Sha1,
    "sha256" => sha2::Sha256,
    "sha384" => sha2::Sha384,
    "sha512" => sha2::Sha512,
    "sha512_224" => sha2::Sha512_224,
    "sha512_256" => sha2::Sha512_256,
    "ripemd160" => ripemd::Ripemd160,
}

impl ModuleDef for Crypto {
    fn declare(declare: &Declarations<'_>) -> Result<()> {
        for name in ALGORITHMS.iter().chain(&OTHERS) {
            declare.declare(*name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let shelf = Shelf::new(ctx, exports)?;
        for name in ALGORITHMS {
            shelf.function(
                name,
                move |ctx: Ctx<'js>, data: Value<'js>, encoding: Opt<Value<'js>>| {
                    digest(&ctx, found(&ctx, name, plain(name))?, &data, name, encoding.0)
                },
            )?;
        }
        shelf.function("createHash", |ctx: Ctx<'js>, name: Coerced<String>| {
            let digester = found(&ctx, &name.0, plain(&name.0))?;
            Hasher::make(ctx, digester)
        })?;
        shelf.function(
            "createHMAC",
            |ctx: Ctx<'js>, name: Coerced<String>, key: Value<'js>| {
                let key = data_of(&ctx, &key, "the secret of createHMAC()")?;
                let digester = found(&ctx, &name.0, keyed(&name.0, &key))?;
                Hasher::make(ctx, digester)
            },
        )?;
        shelf.function("hmac", hmac_of)?;
        shelf.function("hexEncode", |ctx: Ctx<'js>, data: Value<'js>| -> Result<String> {
            Ok(HEXLOWER.encode(&data_of(&ctx, &data, "hexEncode()")?))
        })?;
        shelf.function("randomBytes", random_bytes)?;
        shelf.finish()
    }
}

/// What `createHash()` and `createHMAC()` return.
#[derive(Trace, JsLifetime)]
#[rquickjs::class]
pub struct Hasher {
    #[qjs(skip_trace)]
    digester: RefCell<Box<dyn Digester>>,
}

impl Hasher {
    fn make(ctx: Ctx<'_>, digester: Box<dyn Digester>) -> Result<Class<'_, Hasher>> {
        let digester = RefCell::new(digester);
        Class::instance(ctx, Hasher { digester })
    }
}

#[rquickjs::methods]
impl Hasher {
    /// Takes in more data.
    fn update<'js>(&self, ctx: Ctx<'js>, data: Value<'js>) -> Result<()> {
        let data = data_of(&ctx, &data, "update()")?;
        self.digester.borrow_mut().update(&data);
        Ok(())
    }

    /// The digest of all data so far.
    fn digest<'js>(&self, ctx: Ctx<'js>, encoding: Opt<Value<'js>>) -> Result<Value<'js>> {
        let sum = self.digester.borrow().sum();
        written(&ctx, sum, encoding.0)
    }
}

/// `hmac(algorithm, secret, data, outputEncoding)`.
fn hmac_of<'js>(
    ctx: Ctx<'js>,
    name: Coerced<String>,
    key: Value<'js>,
    data: Value<'js>,
    encoding: Opt<Value<'js>>,
) -> Result<Value<'js>> {
    let key = data_of(&ctx, &key, "the secret of hmac()")?;
    let digester = found(&ctx, &name.0, keyed(&name.0, &key))?;
    digest(&ctx, digester, &data, "hmac", encoding.0)
}

fn found(ctx: &Ctx<'_>, name: &str, digester: Option<Box<dyn Digester>>) -> Result<Box<dyn Digester>> {
    digester.ok_or_else(|| {
        let known = ALGORITHMS.join(", ");
        Exception::throw_type(
            ctx,
            &format!("unknown hash algorithm `{name}`: there are {known}"),
        )
    })
}

fn digest<'js>(
    ctx: &Ctx<'js>,
    mut digester: Box<dyn Digester>,
    data: &Value<'js>,
    name: &str,
    encoding: Option<Value<'js>>,
) -> Result<Value<'js>> {
    digester.update(&data_of(ctx, data, &format!("{name}()"))?);
    written(ctx, digester.sum(), encoding)
}

/// A digest in the encoding that the script asks for.
fn written<'js>(ctx: &Ctx<'js>, bytes: Vec<u8>, encoding: Option<Value<'js>>) -> Result<Value<'js>> {
    let name = match encoding.filter(|name| !name.is_undefined()) {
        Some(name) => name.get::<Coerced<String>>()?.0,
        None => String::new(),
    };
    let text = match name.as_str() {
        "hex" => HEXLOWER.encode(&bytes),
        "base64" => BASE64.encode(&bytes),
        "base64url" => BASE64URL.encode(&bytes),
        "base64rawurl" => BASE64URL_NOPAD.encode(&bytes),
        "binary" => return Ok(ArrayBuffer::new_copy(ctx.clone(), bytes)?.into_value()),
        other => {
            let message = format!(
                "unknown output encoding `{other}`: there are hex, base64, base64url, base64rawurl and binary"
            );
            return Err(Exception::throw_type(ctx, &message));
        }
    };
    text.into_js(ctx)
}

/// `randomBytes(size)`: from the system's generator.
fn random_bytes(ctx: Ctx<'_>, size: Coerced<f64>) -> Result<ArrayBuffer<'_>> {
    let size = size.0;
    if !(1.0..=MOST_RANDOM).contains(&size) {
        let message = format!("randomBytes() takes a size from 1 to {MOST_RANDOM}, it got {size}");
        return Err(Exception::throw_range(&ctx, &message));
    }
    let mut bytes = vec![0u8; size as usize];
    fill(&ctx, &mut bytes)?;
    ArrayBuffer::new(ctx, bytes)
}

/// Random bytes that nobody can predict; an exception if the system's generator fails, which is next to impossible.
fn fill(ctx: &Ctx<'_>, bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| {
        Exception::throw_internal(ctx, &format!("the system gives no random numbers: {error}"))
    })
}

/// A UUID that nobody can predict.
pub fn random_uuid(ctx: &Ctx<'_>) -> Result<String> {
    let mut bytes = [0; 16];
    fill(ctx, &mut bytes)?;
    Ok(super::native::uuid(u128::from_ne_bytes(bytes)))
}

/// The global `crypto`.
pub fn web_crypto<'js>(ctx: &Ctx<'js>) -> Result<Value<'js>> {
    let crypto = rquickjs::Object::new(ctx.clone())?;
    let values = |ctx: Ctx<'js>, array: Value<'js>| -> Result<Value<'js>> {
        random_values(&ctx, &array)?;
        Ok(array)
    };
    crypto.set("getRandomValues", Function::new(ctx.clone(), values)?)?;
    let uuid = |ctx: Ctx<'js>| random_uuid(&ctx);
    crypto.set("randomUUID", Function::new(ctx.clone(), uuid)?)?;
    let subtle = |crypto: This<rquickjs::Object<'js>>, ctx: Ctx<'js>| -> Result<Value<'js>> {
        let library = Host::of(&ctx)?
            .workshop
            .program
            .library()
            .declare(&ctx, WEBCRYPTO)?;
        let (module, _) = library.eval()?;
        let subtle: Value = module.get("subtle")?;
        // Made when it is first read: most scripts never do.
        crypto
            .0
            .prop("subtle", Property::from(subtle.clone()).enumerable())?;
        Ok(subtle)
    };
    let subtle = rquickjs::object::Accessor::from(subtle)
        .enumerable()
        .configurable();
    crypto.prop("subtle", subtle)?;
    Ok(crypto.into_value())
}

/// Fills a view of whole numbers, at most 65,536 bytes of it, as on the web.
fn random_values<'js>(ctx: &Ctx<'js>, array: &Value<'js>) -> Result<()> {
    let view = array.as_object().filter(|view| {
        let kind: Option<String> = view.get(PredefinedAtom::SymbolToStringTag).ok().flatten();
        kind.is_some_and(|kind| kind.ends_with("Array") && !kind.starts_with("Float"))
    });
    let Some(view) = view else {
        let message = "getRandomValues() takes a typed array of integers";
        return Err(Exception::throw_type(ctx, message));
    };
    let length: usize = view.get("byteLength")?;
    if length > 65_536 {
        let message = format!("getRandomValues() gives at most 65536 bytes at once, not {length}");
        return Err(Exception::throw_range(ctx, &message));
    }
    let mut bytes = vec![0u8; length];
    fill(ctx, &mut bytes)?;
    let (buffer, offset): (Value, usize) = (view.get("buffer")?, view.get("byteOffset")?);
    let constructor: rquickjs::function::Constructor = ctx.globals().get("Uint8Array")?;
    let target: rquickjs::Object = constructor.construct((buffer, offset, length))?;
    let set: Function = target.get("set")?;
    let random = rquickjs::TypedArray::<u8>::new(ctx.clone(), bytes)?;
    set.call((This(target), random))
}
