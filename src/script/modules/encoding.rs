//! The module `k6/encoding`: base64 in its four variants.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, Encoding as Variant};
use rquickjs::{
    ArrayBuffer, Ctx, Exception, IntoJs, Result, Value,
    function::Opt,
    module::{Declarations, Exports, ModuleDef},
};

use super::Shelf;
use crate::script::bytes::data_of;

/// The module `k6/encoding`.
pub struct Encoding;

impl ModuleDef for Encoding {
    fn declare(declare: &Declarations<'_>) -> Result<()> {
        for name in ["b64encode", "b64decode", "default"] {
            declare.declare(name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let shelf = Shelf::new(ctx, exports)?;
        shelf.function("b64encode", encode)?;
        shelf.function("b64decode", decode)?;
        shelf.finish()
    }
}

/// `b64encode(input, encoding)`: text, or the bytes of a buffer.
fn encode<'js>(ctx: Ctx<'js>, input: Value<'js>, variant: Opt<Value<'js>>) -> Result<String> {
    let variant = variant_of(variant.0)?;
    Ok(variant.encode(&data_of(&ctx, &input, "b64encode()")?))
}

/// `b64decode(input, encoding, format)`: text with the format `s`, else an `ArrayBuffer`.
fn decode<'js>(
    ctx: Ctx<'js>,
    input: Value<'js>,
    variant: Opt<Value<'js>>,
    format: Opt<Value<'js>>,
) -> Result<Value<'js>> {
    let variant = variant_of(variant.0)?;
    let mut input = data_of(&ctx, &input, "b64decode()")?;
    // Encoded data is often broken into lines.
    input.retain(|byte| !matches!(byte, b'\r' | b'\n'));
    let bytes = variant
        .decode(&input)
        .map_err(|error| Exception::throw_type(&ctx, &format!("b64decode(): {error}")))?;
    match format.0.as_ref().and_then(Value::as_string) {
        Some(format) if format.to_string()? == "s" => String::from_utf8_lossy(&bytes).into_js(&ctx),
        _ => Ok(ArrayBuffer::new_copy(ctx, bytes)?.into_value()),
    }
}

fn variant_of<'js>(name: Option<Value<'js>>) -> Result<Variant> {
    let name = name.filter(|name| !name.is_undefined() && !name.is_null());
    let name = match name {
        None => return Ok(BASE64),
        Some(name) => name.get::<rquickjs::Coerced<String>>()?.0,
    };
    Ok(match name.as_str() {
        "rawstd" => BASE64_NOPAD,
        "url" => BASE64URL,
        "rawurl" => BASE64URL_NOPAD,
        // As in the dialect, whatever else it is called.
        _ => BASE64,
    })
}
