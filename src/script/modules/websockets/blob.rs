//! `Blob`: bytes that a script looks into only when it wants to. Binary messages come as one unless `binaryType`
//! says otherwise. What browsers have beyond this (`stream()`) is not here.

use bytes::{Bytes, BytesMut};
use rquickjs::{
    ArrayBuffer, Class, Coerced, Ctx, Exception, FromJs, IntoJs, JsLifetime, Object, Promise, Result,
    TypedArray, Value, class::Trace, function::Opt,
};

use crate::script::bytes::{bytes_of, well_formed};

/// Bytes and a media type.
#[derive(Trace, JsLifetime)]
#[rquickjs::class]
pub struct Blob {
    #[qjs(skip_trace)]
    bytes: Bytes,
    #[qjs(skip_trace)]
    kind: String,
}

impl Blob {
    pub fn of(bytes: Bytes) -> Blob {
        Blob {
            bytes,
            kind: String::new(),
        }
    }

    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// `new Blob(parts, { type })`: a list of texts, buffers, views and blobs, one behind the other.
    pub fn make<'js>(
        ctx: Ctx<'js>,
        parts: Opt<Value<'js>>,
        options: Opt<Option<Object<'js>>>,
    ) -> Result<Class<'js, Blob>> {
        let mut bytes = BytesMut::new();
        if let Some(parts) = parts.0.filter(|parts| !parts.is_undefined()) {
            let Some(parts) = parts.as_array() else {
                return Err(Exception::throw_type(&ctx, "a Blob is made from a list of parts"));
            };
            for part in parts.iter::<Value>() {
                let part = part?;
                if let Some(text) = part.as_string() {
                    bytes.extend_from_slice(well_formed(&ctx, text)?.as_bytes());
                } else if let Ok(blob) = Class::<Blob>::from_js(&ctx, part.clone()) {
                    bytes.extend_from_slice(&blob.borrow().bytes);
                } else if let Some(more) = bytes_of(&part) {
                    bytes.extend_from_slice(&more);
                } else {
                    let message = format!("a part of a Blob has an unsupported type: {}", part.type_name());
                    return Err(Exception::throw_type(&ctx, &message));
                }
            }
        }
        let kind = match options.0.flatten() {
            Some(options) => options.get::<_, Option<Coerced<String>>>("type")?,
            None => None,
        };
        let blob = Blob {
            bytes: bytes.freeze(),
            kind: kind.map(|kind| kind.0).unwrap_or_default(),
        };
        Class::instance(ctx, blob)
    }
}

fn promised<'js>(ctx: &Ctx<'js>, value: impl IntoJs<'js>) -> Result<Promise<'js>> {
    let (promise, resolve, _) = Promise::new(ctx)?;
    resolve.call::<_, ()>((value,))?;
    Ok(promise)
}

#[rquickjs::methods]
impl Blob {
    #[qjs(get, enumerable)]
    fn size(&self) -> f64 {
        self.bytes.len() as f64
    }

    #[qjs(get, enumerable, rename = "type")]
    fn kind(&self) -> String {
        self.kind.clone()
    }

    #[qjs(rename = "arrayBuffer")]
    fn array_buffer<'js>(&self, ctx: Ctx<'js>) -> Result<Promise<'js>> {
        promised(&ctx, ArrayBuffer::new_copy(ctx.clone(), &self.bytes)?)
    }

    #[qjs(rename = "bytes")]
    fn typed_bytes<'js>(&self, ctx: Ctx<'js>) -> Result<Promise<'js>> {
        promised(&ctx, TypedArray::<u8>::new(ctx.clone(), self.bytes.to_vec())?)
    }

    fn text<'js>(&self, ctx: Ctx<'js>) -> Result<Promise<'js>> {
        promised(&ctx, String::from_utf8_lossy(&self.bytes).as_ref())
    }

    /// The bytes from `start` to before `end`, both counted from the end where they are negative.
    fn slice<'js>(
        &self,
        ctx: Ctx<'js>,
        start: Opt<Coerced<f64>>,
        end: Opt<Coerced<f64>>,
        kind: Opt<Coerced<String>>,
    ) -> Result<Class<'js, Blob>> {
        let size = self.bytes.len();
        let place = |at: Option<Coerced<f64>>, or: usize| match at.map(|at| at.0) {
            Some(at) if at < 0.0 => size.saturating_sub(-at as usize),
            Some(at) => size.min(at as usize),
            None => or,
        };
        let start = place(start.0, 0);
        let end = place(end.0, size).max(start);
        let part = Blob {
            bytes: self.bytes.slice(start..end),
            kind: kind.0.map(|kind| kind.0).unwrap_or_default(),
        };
        Class::instance(ctx, part)
    }
}
