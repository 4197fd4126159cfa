//! Messages as JavaScript values, by protobuf's mapping to JSON: 64-bit numbers are text, bytes base64, enums their names.
//! Fields that are not set have their defaults; messages that are not set are `null`, as in the dialect.

use data_encoding::BASE64;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value as Proto};
use rquickjs::{Array, Ctx, Exception, IntoJs, Object, Result, String as JsString, Value};

use crate::net::grpc;

/// A message as a script sees it.
pub fn message<'js>(ctx: &Ctx<'js>, message: &DynamicMessage) -> Result<Value<'js>> {
    match grpc::well_known(message) {
        Some(Ok(json)) => ctx.json_parse(json),
        Some(Err(error)) => Err(Exception::throw_message(
            ctx,
            &format!("unable to convert response object to JSON: {error}"),
        )),
        None => {
            let object = Object::new(ctx.clone())?;
            fill(ctx, &object, message)?;
            Ok(object.into_value())
        }
    }
}

/// A message in an `Any`: an object that also says its type.
pub fn packed<'js>(ctx: &Ctx<'js>, address: &str, inner: &DynamicMessage) -> Result<Value<'js>> {
    let object = Object::new(ctx.clone())?;
    object.set("@type", address)?;
    if grpc::well_known(inner).is_some() {
        object.set("value", message(ctx, inner)?)?;
    } else {
        fill(ctx, &object, inner)?;
    }
    Ok(object.into_value())
}

fn fill<'js>(ctx: &Ctx<'js>, object: &Object<'js>, message: &DynamicMessage) -> Result<()> {
    for field in message.descriptor().fields() {
        let value = if message.has_field(&field) || !field.supports_presence() {
            of_field(ctx, &message.get_field(&field), &field)?
        } else if field.containing_oneof().is_some() {
            continue;
        } else {
            Value::new_null(ctx.clone())
        };
        object.set(field.json_name(), value)?;
    }
    Ok(())
}

fn of_field<'js>(ctx: &Ctx<'js>, value: &Proto, field: &FieldDescriptor) -> Result<Value<'js>> {
    match value {
        Proto::List(items) => {
            let kind = field.kind();
            let array = Array::new(ctx.clone())?;
            for (index, item) in items.iter().enumerate() {
                array.set(index, single(ctx, item, &kind)?)?;
            }
            Ok(array.into_value())
        }
        Proto::Map(entries) => {
            let object = Object::new(ctx.clone())?;
            let kind = match field.kind() {
                Kind::Message(entry) => entry.map_entry_value_field().kind(),
                other => other,
            };
            // In the order of the keys: a map has none of its own, and the same answer should look the same.
            let mut entries: Vec<(String, &Proto)> = entries
                .iter()
                .map(|(key, value)| (key_text(key), value))
                .collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            for (key, value) in entries {
                object.set(key, single(ctx, value, &kind)?)?;
            }
            Ok(object.into_value())
        }
        value => single(ctx, value, &field.kind()),
    }
}

fn single<'js>(ctx: &Ctx<'js>, value: &Proto, kind: &Kind) -> Result<Value<'js>> {
    let text = |text: &str| Ok(JsString::from_str(ctx.clone(), text)?.into_value());
    match value {
        Proto::Bool(truth) => Ok(Value::new_bool(ctx.clone(), *truth)),
        Proto::I32(number) => Ok(Value::new_int(ctx.clone(), *number)),
        Proto::U32(number) => f64::from(*number).into_js(ctx),
        Proto::I64(number) => text(&number.to_string()),
        Proto::U64(number) => text(&number.to_string()),
        // As text and back: 2.7 is to be 2.7, not what is left of it in 32 bits.
        Proto::F32(number) => float(ctx, number.to_string().parse().unwrap_or(f64::from(*number))),
        Proto::F64(number) => float(ctx, *number),
        Proto::String(known) => text(known),
        Proto::Bytes(bytes) => text(&BASE64.encode(bytes)),
        Proto::EnumNumber(number) => match kind.as_enum() {
            Some(known) if known.full_name() == "google.protobuf.NullValue" => {
                Ok(Value::new_null(ctx.clone()))
            }
            known => match known.and_then(|known| known.get_value(*number)) {
                Some(known) => text(known.name()),
                None => Ok(Value::new_int(ctx.clone(), *number)),
            },
        },
        Proto::Message(inner) => message(ctx, inner),
        // Neither is ever inside another.
        Proto::List(_) | Proto::Map(_) => Ok(Value::new_null(ctx.clone())),
    }
}

fn float<'js>(ctx: &Ctx<'js>, number: f64) -> Result<Value<'js>> {
    let text = if number.is_nan() {
        "NaN"
    } else if number == f64::INFINITY {
        "Infinity"
    } else if number == f64::NEG_INFINITY {
        "-Infinity"
    } else {
        return Ok(Value::new_float(ctx.clone(), number));
    };
    Ok(JsString::from_str(ctx.clone(), text)?.into_value())
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}
