//! Bytes of JavaScript values: buffers, views of them, and text as UTF-8.

use rquickjs::{ArrayBuffer, Ctx, Exception, Function, Object, Result, String as JsString, Value};

use super::fiber::buffer_bytes;

/// The bytes of an `ArrayBuffer` or a view of one; `None` for any other value, or a detached buffer.
pub fn bytes_of(value: &Value<'_>) -> Option<Vec<u8>> {
    let object = value.as_object()?;
    if let Some(buffer) = ArrayBuffer::from_value(value.clone()) {
        return copied(&buffer, 0, buffer.len());
    }
    // The engine has thrown that it is no buffer; left pending, whatever checks next would take it for its own.
    drop(value.ctx().catch());
    // A view (Uint8Array, DataView, …) tells its window into its buffer itself.
    let buffer = object.get::<_, Option<ArrayBuffer>>("buffer").ok().flatten()?;
    let offset = object.get::<_, usize>("byteOffset").ok()?;
    copied(&buffer, offset, object.get::<_, usize>("byteLength").ok()?)
}

fn copied(buffer: &ArrayBuffer<'_>, offset: usize, length: usize) -> Option<Vec<u8>> {
    buffer_bytes(buffer)?
        .get(offset..offset.checked_add(length)?)
        .map(<[u8]>::to_vec)
}

/// The bytes that `what` is to work on: those of a buffer or a view, or a text as UTF-8.
///
/// # Errors
/// The value is none of these.
pub fn data_of<'js>(ctx: &Ctx<'js>, value: &Value<'js>, what: &str) -> Result<Vec<u8>> {
    if let Some(text) = value.as_string() {
        return Ok(well_formed(ctx, text)?.into_bytes());
    }
    bytes_of(value).ok_or_else(|| {
        let kind = value.type_name();
        Exception::throw_type(
            ctx,
            &format!("{what} takes a string or an ArrayBuffer, it got {kind}"),
        )
    })
}

/// A text in which lone halves of surrogate pairs, which UTF-8 cannot say, are replaced by U+FFFD.
pub fn well_formed<'js>(ctx: &Ctx<'js>, text: &JsString<'js>) -> Result<String> {
    if let Ok(text) = text.to_string() {
        return Ok(text);
    }
    let prototype: Object = ctx.globals().get::<_, Object>("String")?.get("prototype")?;
    let mend: Function = prototype.get("toWellFormed")?;
    mend.call((rquickjs::function::This(text.clone()),))
}
