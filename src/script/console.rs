//! `console`: what a script logs, and how a value looks in a message.
//!
//! A message is an aside: a value that cannot be shown as JSON (a circle, a `BigInt`, a getter that throws) is shown as well
//! as it goes, and never ends the iteration that logs it.

use std::{fmt::Write as _, rc::Rc};

use rquickjs::{
    ArrayBuffer, Coerced, Ctx, Error, FromJs, Function, Object, Result, Value,
    function::{Opt, Rest},
    object::Property,
};

use super::{bytes, fiber::buffer_bytes, host::Host};

/// How deep an object is shown that JSON cannot show, and how much text of it.
const DEEPEST: usize = 16;
const LONGEST: usize = 64 * 1024;
/// How many elements of a typed array are shown.
const ELEMENTS: usize = 100;

/// The global `console`.
pub fn console<'js>(ctx: &Ctx<'js>) -> Result<Value<'js>> {
    type Log = fn(&str);
    let levels: [(&str, Log); 5] = [
        ("log", |text| tracing::info!(target: "console", "{text}")),
        ("info", |text| tracing::info!(target: "console", "{text}")),
        ("debug", |text| tracing::debug!(target: "console", "{text}")),
        ("warn", |text| tracing::warn!(target: "console", "{text}")),
        ("error", |text| tracing::error!(target: "console", "{text}")),
    ];
    let console = Object::new(ctx.clone())?;
    let host = Host::of(ctx)?;
    for (name, log) in levels {
        let host = host.clone();
        let write = move |ctx: Ctx<'js>, values: Rest<Value<'js>>| -> Result<()> {
            log(&message(&ctx, &host, &values.0)?);
            Ok(())
        };
        let write = Function::new(ctx.clone(), write)?.with_name(name)?;
        console.prop(name, Property::from(write).writable())?;
    }
    let assert = move |ctx: Ctx<'js>, held: Opt<Coerced<bool>>, values: Rest<Value<'js>>| -> Result<()> {
        if !held.0.is_some_and(|held| held.0) {
            let text = message(&ctx, &host, &values.0)?;
            let colon = if text.is_empty() { "" } else { ": " };
            tracing::error!(target: "console", "Assertion failed{colon}{text}");
        }
        Ok(())
    };
    let assert = Function::new(ctx.clone(), assert)?.with_name("assert")?;
    console.prop("assert", Property::from(assert).writable())?;
    Ok(console.into_value())
}

/// All that one call logs.
fn message<'js>(ctx: &Ctx<'js>, host: &Rc<Host>, values: &[Value<'js>]) -> Result<String> {
    let words: Result<Vec<String>> = values.iter().map(|value| shown(ctx, host, value)).collect();
    Ok(words?.join(" "))
}

/// A value as `console.log` shows it.
///
/// # Errors
/// The virtual user is being ended; nothing else.
fn shown<'js>(ctx: &Ctx<'js>, host: &Rc<Host>, value: &Value<'js>) -> Result<String> {
    let attempt = plain(ctx, value);
    let mut walk = Walk {
        ctx,
        host,
        above: Vec::new(),
        text: String::new(),
    };
    match walk.forgive(attempt)? {
        Some(text) => Ok(text),
        None => {
            walk.write(value)?;
            Ok(walk.text)
        }
    }
}

/// Strings as they are, errors with their stack, bytes by their kind, the rest as JSON.
fn plain<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<String> {
    if let Some(text) = value.as_string() {
        return text.to_string();
    }
    if value.is_function() {
        return Ok("[object Function]".to_owned());
    }
    if let Some(error) = value.as_exception() {
        let text = format!(
            "{}\n{}",
            error.message().unwrap_or_default(),
            error.stack().unwrap_or_default()
        );
        return Ok(text.trim_end().to_owned());
    }
    if let Some(object) = value.as_object() {
        if let Some(text) = of_bytes(ctx, object)? {
            return Ok(text);
        }
        if let Some(json) = ctx.json_stringify(value.clone())? {
            return json.to_string();
        }
    }
    Coerced::<String>::from_js(ctx, value.clone()).map(|text| text.0)
}

/// A buffer or a typed array; `None` for what is neither.
fn of_bytes<'js>(ctx: &Ctx<'js>, object: &Object<'js>) -> Result<Option<String>> {
    if let Some(buffer) = ArrayBuffer::from_value(object.clone().into_value()) {
        let bytes = buffer_bytes(&buffer).unwrap_or_default();
        let mut contents: Vec<String> = bytes
            .iter()
            .take(ELEMENTS)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        more(&mut contents, bytes.len());
        return Ok(Some(format!(
            "ArrayBuffer {{ [Uint8Contents]: <{}>, byteLength: {} }}",
            contents.join(" "),
            bytes.len()
        )));
    }
    let Some(kind) = kind(object) else {
        return Ok(None);
    };
    let length: usize = object.get("length")?;
    let mut elements = Vec::with_capacity(length.min(ELEMENTS));
    for index in 0..length.min(ELEMENTS) {
        let element: Value = object.get(index as u32)?;
        elements.push(Coerced::<String>::from_js(ctx, element)?.0);
    }
    more(&mut elements, length);
    Ok(Some(if elements.is_empty() {
        format!("{kind}(0) []")
    } else {
        format!("{kind}({length}) [ {} ]", elements.join(", "))
    }))
}

fn more(shown: &mut Vec<String>, of: usize) {
    if of > ELEMENTS {
        shown.push(format!("... {} more", of - ELEMENTS));
    }
}

/// The name of a typed array's kind.
fn kind(object: &Object<'_>) -> Option<&'static str> {
    macro_rules! kinds {
        ($($item:ty: $name:literal),*) => {
            $(if object.is_typed_array::<$item>() { return Some($name); })*
        };
    }
    kinds!(
        u8: "Uint8Array", i8: "Int8Array", u16: "Uint16Array", i16: "Int16Array", u32: "Uint32Array", i32: "Int32Array",
        f32: "Float32Array", f64: "Float64Array", u64: "BigUint64Array", i64: "BigInt64Array",
        rquickjs::U8Clamped: "Uint8ClampedArray"
    );
    None
}

/// What JSON cannot show, written nearly as JSON.
struct Walk<'a, 'js> {
    ctx: &'a Ctx<'js>,
    host: &'a Rc<Host>,
    /// The objects that the one being written is in.
    above: Vec<Value<'js>>,
    text: String,
}

impl<'js> Walk<'_, 'js> {
    /// What was asked of the script's value; `None` when that threw.
    fn forgive<T>(&self, attempt: Result<T>) -> Result<Option<T>> {
        match attempt {
            Ok(found) => Ok(Some(found)),
            Err(error) if self.host.bridge.cancelled() => Err(error),
            Err(error) => {
                if matches!(error, Error::Exception) {
                    self.ctx.catch();
                }
                Ok(None)
            }
        }
    }

    fn write(&mut self, value: &Value<'js>) -> Result<()> {
        if self.text.len() > LONGEST {
            self.text.push('…');
        } else if value.is_function() {
            self.text.push_str("\"[object Function]\"");
        } else if let Some(text) = value.as_string() {
            let text = self
                .forgive(bytes::well_formed(self.ctx, text))?
                .unwrap_or_default();
            // Alone it is a message, not a part of one.
            if self.above.is_empty() {
                self.text.push_str(&text);
            } else {
                self.quoted(&text);
            }
        } else if let Some(symbol) = value.as_symbol() {
            let description = self.forgive(symbol.description())?;
            let name = description.and_then(|text| text.into_string()?.to_string().ok());
            let _ = write!(self.text, "Symbol({})", name.unwrap_or_default());
        } else if let Some(object) = value.as_object() {
            if self.above.contains(value) {
                self.text.push_str("\"[Circular]\"");
            } else if self.above.len() >= DEEPEST {
                self.text.push_str("\"[Object]\"");
            } else {
                self.above.push(value.clone());
                let written = self.members(object);
                self.above.pop();
                written?;
            }
        } else {
            let text = self.forgive(Coerced::<String>::from_js(self.ctx, value.clone()))?;
            self.text.push_str(&text.map(|text| text.0).unwrap_or_default());
        }
        Ok(())
    }

    /// The elements of a list, or the properties of another object.
    fn members(&mut self, object: &Object<'js>) -> Result<()> {
        let list = object.is_array();
        self.text.push(if list { '[' } else { '{' });
        let keys = object.keys::<String>().collect::<Result<Vec<String>>>();
        let keys = self.forgive(keys)?.unwrap_or_default();
        for (index, key) in keys.iter().enumerate() {
            if self.text.len() > LONGEST {
                self.text.push('…');
                break;
            }
            if index > 0 {
                self.text.push(',');
            }
            if !list {
                self.quoted(key);
                self.text.push(':');
            }
            match self.forgive(object.get::<_, Value>(key.as_str()))? {
                Some(member) => self.write(&member)?,
                None => self.text.push_str("\"[Thrown]\""),
            }
        }
        self.text.push(if list { ']' } else { '}' });
        Ok(())
    }

    fn quoted(&mut self, text: &str) {
        self.text.push_str(&serde_json::Value::from(text).to_string());
    }
}
