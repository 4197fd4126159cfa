//! Request bodies: text, bytes, an object that is sent as a form, or one with files, sent as `multipart/form-data`.

use bytes::Bytes;
use http::HeaderValue;
use rquickjs::{Class, Coerced, Ctx, FromJs, Result, Type, Value};

use super::file::FileData;
use crate::script::bytes::bytes_of;

/// The bytes of a body and the content type it brings along; `None` for no body.
pub fn encode<'js>(ctx: &Ctx<'js>, body: &Value<'js>) -> Result<Option<(Bytes, Option<HeaderValue>)>> {
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
    let fields: Vec<(String, Value)> = object.props::<String, Value>().collect::<Result<_>>()?;
    let (bytes, kind) = if fields.iter().any(|(_, value)| file_of(ctx, value).is_some()) {
        let (bytes, kind) = multipart(ctx, &fields)?;
        // A boundary has no character that a header value forbids.
        (bytes, HeaderValue::from_str(&kind).ok())
    } else {
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        (form(ctx, &fields)?, Some(kind))
    };
    Ok(Some((bytes.into(), kind)))
}

fn form<'js>(ctx: &Ctx<'js>, fields: &[(String, Value<'js>)]) -> Result<Vec<u8>> {
    let mut pairs: Vec<(&str, String)> = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        match value.as_array() {
            // A list repeats its name.
            Some(values) => {
                for value in values.iter::<Value>() {
                    pairs.push((name, shown(ctx, &value?)?));
                }
            }
            None => pairs.push((name, shown(ctx, value)?)),
        }
    }
    // The dialect sends fields in the order of their names.
    pairs.sort_by_key(|(name, _)| *name);
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    Ok(form.extend_pairs(pairs).finish().into_bytes())
}

/// RFC 7578: a part for each field, in their order, files with their name and type.
fn multipart<'js>(ctx: &Ctx<'js>, fields: &[(String, Value<'js>)]) -> Result<(Vec<u8>, String)> {
    let boundary = format!("{:032x}{:028x}", fastrand::u128(..), fastrand::u128(..) >> 16);
    let mut out = Vec::new();
    let mut part = |name: &str, value: &Value<'js>| -> Result<()> {
        out.extend_from_slice(format!("--{boundary}\r\nContent-Disposition: form-data; ").as_bytes());
        let name = quoted(name);
        if let Some(file) = file_of(ctx, value) {
            let file = file.borrow();
            let head = format!(
                "name=\"{name}\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
                quoted(file.filename()),
                file.kind(),
            );
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(file.bytes());
        } else {
            let text = shown(ctx, value)?;
            out.extend_from_slice(format!("name=\"{name}\"\r\n\r\n{text}").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    };
    for (name, value) in fields {
        match value.as_array() {
            Some(values) => {
                for value in values.iter::<Value>() {
                    part(name, &value?)?;
                }
            }
            None => part(name, value)?,
        }
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((out, format!("multipart/form-data; boundary={boundary}")))
}

fn file_of<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Option<Class<'js, FileData>> {
    value.as_object()?;
    Class::<FileData>::from_js(ctx, value.clone()).ok()
}

/// As browsers write a name in a part's header: what could end the name or the line is percent-encoded.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// A field's value as the dialect writes it into a form: by the rules of Go's `%v`, in which a list is `[a b]` and an
/// object is `map[key:value]` with its keys in order.
fn shown<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<String> {
    match value.type_of() {
        Type::Null | Type::Undefined | Type::Uninitialized => Ok("<nil>".to_owned()),
        Type::Array => {
            let list = value
                .as_array()
                .into_iter()
                .flat_map(rquickjs::Array::iter::<Value>);
            let items: Vec<String> = list.map(|item| shown(ctx, &item?)).collect::<Result<_>>()?;
            Ok(format!("[{}]", items.join(" ")))
        }
        Type::Object => {
            let object = value.as_object().into_iter();
            let mut fields: Vec<(String, String)> = object
                .flat_map(rquickjs::Object::props::<String, Value>)
                .map(|field| field.and_then(|(name, value)| Ok((name, shown(ctx, &value)?))))
                .collect::<Result<_>>()?;
            fields.sort();
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name}:{value}"))
                .collect();
            Ok(format!("map[{}]", fields.join(" ")))
        }
        _ => Ok(Coerced::<String>::from_js(ctx, value.clone())?.0),
    }
}
