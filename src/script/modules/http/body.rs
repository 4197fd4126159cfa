//! Request bodies: text, bytes, an object that is sent as a form, or one with files, sent as `multipart/form-data`.

use bytes::Bytes;
use http::HeaderValue;
use rquickjs::{Class, Coerced, Ctx, FromJs, Result, Type, Value};

use super::file::FileData;
use crate::script::{
    bytes::bytes_of,
    modules::refusal::{Checked, Refusal},
};

/// The bytes of a body and the content type it brings along; `None` for no body.
///
/// As in the dialect, what is neither text nor bytes nor an object of fields is refused.
pub fn encode<'js>(ctx: &Ctx<'js>, body: &Value<'js>) -> Checked<Option<(Bytes, Option<HeaderValue>)>> {
    if body.is_undefined() || body.is_null() {
        return Ok(None);
    }
    if let Some(text) = body.as_string() {
        return Ok(Some((text.to_string()?.into(), None)));
    }
    if let Some(bytes) = bytes_of(body) {
        return Ok(Some((bytes.into(), None)));
    }
    let object = body
        .as_object()
        .filter(|object| !object.is_array() && !object.is_function());
    let Some(object) = object else {
        return Err(Refusal::new(format!(
            "unknown request body type {}: give text, an ArrayBuffer, or an object of form fields",
            body.type_name()
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

/// A part of a `multipart/form-data` body.
#[derive(Debug)]
enum Part {
    Field {
        name: String,
        text: String,
    },
    File {
        name: String,
        filename: String,
        kind: String,
        bytes: Vec<u8>,
    },
}

fn multipart<'js>(ctx: &Ctx<'js>, fields: &[(String, Value<'js>)]) -> Result<(Vec<u8>, String)> {
    let mut parts = Vec::with_capacity(fields.len());
    let mut add = |name: &str, value: &Value<'js>| -> Result<()> {
        let name = name.to_owned();
        parts.push(match file_of(ctx, value) {
            Some(file) => {
                let file = file.borrow();
                Part::File {
                    name,
                    filename: file.filename().to_owned(),
                    kind: file.kind(),
                    bytes: file.bytes().to_vec(),
                }
            }
            None => Part::Field {
                name,
                text: shown(ctx, value)?,
            },
        });
        Ok(())
    };
    for (name, value) in fields {
        match value.as_array() {
            Some(values) => {
                for value in values.iter::<Value>() {
                    add(name, &value?)?;
                }
            }
            None => add(name, value)?,
        }
    }
    let boundary = format!("{:032x}{:028x}", fastrand::u128(..), fastrand::u128(..) >> 16);
    let kind = format!("multipart/form-data; boundary={boundary}");
    Ok((joined(&parts, &boundary), kind))
}

/// RFC 7578: the parts in their order, files with their name and type.
fn joined(parts: &[Part], boundary: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(format!("--{boundary}\r\nContent-Disposition: form-data; ").as_bytes());
        match part {
            Part::File {
                name,
                filename,
                kind,
                bytes,
            } => {
                let (name, filename) = (quoted(name), quoted(filename));
                let head =
                    format!("name=\"{name}\"; filename=\"{filename}\"\r\nContent-Type: {kind}\r\n\r\n");
                out.extend_from_slice(head.as_bytes());
                out.extend_from_slice(bytes);
            }
            Part::Field { name, text } => {
                let name = quoted(name);
                out.extend_from_slice(format!("name=\"{name}\"\r\n\r\n{text}").as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    out
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDARY: &str = "0123456789abcdef0123456789abcdef";

    fn parts() -> impl Strategy<Value = Vec<Part>> {
        let text = || any::<String>();
        let field = (text(), text()).prop_map(|(name, text)| Part::Field { name, text });
        let bytes = prop::collection::vec(any::<u8>(), 0..100);
        let file = (text(), text(), bytes).prop_map(|(name, filename, bytes)| Part::File {
            name,
            filename,
            kind: "text/plain".to_owned(),
            bytes,
        });
        prop::collection::vec(prop_oneof![field, file], 0..6)
    }

    /// Heads and contents of the parts, by the letter of RFC 2046.
    fn read(body: &[u8]) -> Vec<(String, Vec<u8>)> {
        let find = |text: &[u8], what: &[u8]| text.windows(what.len()).position(|window| window == what);
        let (first, next) = (format!("--{BOUNDARY}"), format!("\r\n--{BOUNDARY}"));
        let mut rest = body.strip_prefix(first.as_bytes()).unwrap();
        let mut found = Vec::new();
        while let Some(part) = rest.strip_prefix(b"\r\n") {
            let end = find(part, next.as_bytes()).unwrap();
            let head = find(part, b"\r\n\r\n").unwrap();
            found.push((
                String::from_utf8(part[..head].to_vec()).unwrap(),
                part[head + 4..end].to_vec(),
            ));
            rest = &part[end + next.len()..];
        }
        assert_eq!(rest, b"--\r\n");
        found
    }

    proptest! {
        /// Whatever names and contents are, a reader finds as many parts as were written, with what was in them; no name
        /// adds a line to a head.
        #[test]
        fn a_multipart_body_is_read_as_it_was_written(parts in parts()) {
            let found = read(&joined(&parts, BOUNDARY));
            prop_assert_eq!(found.len(), parts.len());
            for ((head, content), part) in found.iter().zip(&parts) {
                let (lines, expected) = match part {
                    Part::Field { text, .. } => (1, text.as_bytes()),
                    Part::File { bytes, .. } => (2, bytes.as_slice()),
                };
                prop_assert_eq!(head.split("\r\n").count(), lines, "{}", head);
                prop_assert_eq!(content.as_slice(), expected);
            }
        }
    }
}
