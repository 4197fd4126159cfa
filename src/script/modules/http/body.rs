//! Request bodies: text, bytes, or an object that is sent as a form.

use bytes::Bytes;
use rquickjs::{Coerced, Ctx, FromJs, Result, Value};

use crate::script::globals::bytes_of;

const FORM: &str = "application/x-www-form-urlencoded";

/// The bytes of a body and the content type it brings along; `None` for no body.
pub fn encode<'js>(ctx: &Ctx<'js>, body: &Value<'js>) -> Result<Option<(Bytes, Option<&'static str>)>> {
    if body.is_undefined() || body.is_null() {
        return Ok(None);
    }
    if let Some(text) = body.as_string() {
        return Ok(Some((text.to_string()?.into(), None)));
    }
    if let Some(bytes) = bytes_of(body) {
        return Ok(Some((bytes.into(), None)));
    }
    let Some(object) = body.as_object() else {
        return Ok(Some((
            Coerced::<String>::from_js(ctx, body.clone())?.0.into(),
            None,
        )));
    };
    let mut fields: Vec<(String, String)> = Vec::new();
    for entry in object.props::<String, Value>() {
        let (name, value) = entry?;
        match value.as_array() {
            // A list repeats its name.
            Some(values) => {
                for value in values.iter::<Coerced<String>>() {
                    fields.push((name.clone(), value?.0));
                }
            }
            None => fields.push((name, Coerced::<String>::from_js(ctx, value)?.0)),
        }
    }
    // The dialect sends fields in the order of their names.
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    Ok(Some((form.into(), Some(FORM))))
}
