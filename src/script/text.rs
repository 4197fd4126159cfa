//! The globals `TextEncoder` and `TextDecoder`.

use std::cell::RefCell;

use rquickjs::{
    Class, Coerced, Ctx, Exception, Function, JsLifetime, Object, Result, String as JsString, TypedArray,
    Value,
    class::Trace,
    function::{Constructor, Opt},
};

use super::bytes::{bytes_of, well_formed};

/// Makes a global.
type Make = for<'js> fn(&Ctx<'js>) -> Result<Value<'js>>;

/// What is made when it is first read.
pub const GLOBALS: [(&str, Make); 2] = [("TextEncoder", encoder), ("TextDecoder", decoder)];

fn encoder<'js>(ctx: &Ctx<'js>) -> Result<Value<'js>> {
    let make = |ctx: Ctx<'js>| Class::instance(ctx, TextEncoder {});
    Ok(Constructor::new_class::<TextEncoder, _, _>(ctx.clone(), make)?.into_value())
}

fn decoder<'js>(ctx: &Ctx<'js>) -> Result<Value<'js>> {
    let make = |ctx: Ctx<'js>, label: Opt<Value<'js>>, options: Opt<Value<'js>>| {
        let decoder = TextDecoder::new(&ctx, label.0, options.0)?;
        Class::instance(ctx, decoder)
    };
    Ok(Constructor::new_class::<TextDecoder, _, _>(ctx.clone(), make)?.into_value())
}

/// Text to UTF-8.
#[derive(Trace, JsLifetime)]
#[rquickjs::class]
pub struct TextEncoder {}

#[rquickjs::methods]
#[allow(clippy::unused_self)] // Methods in JavaScript.
impl TextEncoder {
    #[qjs(get, enumerable)]
    fn encoding(&self) -> &'static str {
        "utf-8"
    }

    /// The text's bytes as a `Uint8Array`.
    fn encode<'js>(&self, ctx: Ctx<'js>, text: Opt<Value<'js>>) -> Result<TypedArray<'js, u8>> {
        let text = match text.0.filter(|text| !text.is_undefined()) {
            Some(text) => well_formed(&ctx, &text.get::<Coerced<JsString>>()?.0)?,
            None => String::new(),
        };
        TypedArray::new(ctx, text.into_bytes())
    }

    /// Writes as many whole characters as there is room for; says how much was read (in UTF-16 units) and written.
    #[qjs(rename = "encodeInto")]
    fn encode_into<'js>(
        &self,
        ctx: Ctx<'js>,
        text: Coerced<JsString<'js>>,
        target: Object<'js>,
    ) -> Result<Object<'js>> {
        let text = well_formed(&ctx, &text.0)?;
        let room: usize = target.get("byteLength")?;
        let (mut read, mut written) = (0, 0);
        for character in text.chars() {
            if written + character.len_utf8() > room {
                break;
            }
            read += character.len_utf16();
            written += character.len_utf8();
        }
        let set: Function = target.get("set")?;
        let bytes = TypedArray::<u8>::new(ctx.clone(), &text.as_bytes()[..written])?;
        set.call::<_, ()>((rquickjs::function::This(target), bytes))?;
        let result = Object::new(ctx)?;
        result.set("read", read)?;
        result.set("written", written)?;
        Ok(result)
    }
}

/// UTF-8 to text.
#[derive(Trace, JsLifetime)]
#[rquickjs::class]
pub struct TextDecoder {
    #[qjs(skip_trace)]
    fatal: bool,
    #[qjs(skip_trace)]
    keeps_mark: bool,
    /// With `stream`: the beginning of a character whose end is still to come.
    #[qjs(skip_trace)]
    rest: RefCell<Vec<u8>>,
    /// With `stream`: whether something has been decoded, so that no byte order mark can come any more.
    #[qjs(skip_trace)]
    begun: std::cell::Cell<bool>,
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl TextDecoder {
    fn new<'js>(
        ctx: &Ctx<'js>,
        label: Option<Value<'js>>,
        options: Option<Value<'js>>,
    ) -> Result<TextDecoder> {
        if let Some(label) = label.filter(|label| !label.is_undefined()) {
            let label = label.get::<Coerced<String>>()?.0;
            let known = ["utf-8", "utf8", "unicode-1-1-utf-8"];
            if !known.contains(&label.trim().to_ascii_lowercase().as_str()) {
                let message = format!("TextDecoder knows utf-8 only, not `{label}`");
                return Err(Exception::throw_range(ctx, &message));
            }
        }
        let flag = |name: &str| -> Result<bool> {
            match options.as_ref().and_then(Value::as_object) {
                Some(options) => Ok(options.get::<_, Coerced<bool>>(name)?.0),
                None => Ok(false),
            }
        };
        Ok(TextDecoder {
            fatal: flag("fatal")?,
            keeps_mark: flag("ignoreBOM")?,
            rest: RefCell::default(),
            begun: std::cell::Cell::new(false),
        })
    }
}

#[rquickjs::methods]
#[allow(clippy::unused_self)] // Methods in JavaScript.
impl TextDecoder {
    #[qjs(get, enumerable)]
    fn encoding(&self) -> &'static str {
        "utf-8"
    }

    #[qjs(get, enumerable, rename = "fatal")]
    fn is_fatal(&self) -> bool {
        self.fatal
    }

    #[qjs(get, enumerable, rename = "ignoreBOM")]
    fn keeps_byte_order_mark(&self) -> bool {
        self.keeps_mark
    }

    fn decode<'js>(
        &self,
        ctx: Ctx<'js>,
        input: Opt<Value<'js>>,
        options: Opt<Option<Object<'js>>>,
    ) -> Result<String> {
        let stream = match options.0.flatten() {
            Some(options) => options.get::<_, Coerced<bool>>("stream")?.0,
            None => false,
        };
        let mut bytes = self.rest.take();
        if let Some(input) = input.0.filter(|input| !input.is_undefined()) {
            let input = bytes_of(&input).ok_or_else(|| {
                Exception::throw_type(&ctx, "decode() takes an ArrayBuffer or a view of one")
            })?;
            bytes.extend_from_slice(&input);
        }
        if stream {
            let whole = bytes.len() - unfinished(&bytes);
            self.rest.replace(bytes.split_off(whole));
        }
        let first = !self.begun.get();
        self.begun.set(stream && (self.begun.get() || !bytes.is_empty()));
        let bytes = match bytes.strip_prefix(BYTE_ORDER_MARK) {
            Some(text) if first && !self.keeps_mark => text,
            _ => &bytes,
        };
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) if self.fatal => {
                self.begun.set(false);
                self.rest.take();
                let message = format!("the data is not UTF-8: {error}");
                Err(Exception::throw_type(&ctx, &message))
            }
            Err(_) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        }
    }
}

/// How many bytes at the end begin a character that is not finished.
fn unfinished(bytes: &[u8]) -> usize {
    let begins = |length: &usize| {
        let error = std::str::from_utf8(&bytes[bytes.len() - length..]).err();
        error.is_some_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    };
    (1..=bytes.len().min(3)).find(begins).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::unfinished;

    #[test]
    fn a_character_that_is_cut_off_waits_for_its_end() {
        for (bytes, rest) in [
            (&b""[..], 0),
            (b"a", 0),
            ("aé".as_bytes(), 0),
            (&"aé".as_bytes()[..2], 1),
            (&"€".as_bytes()[..2], 2),
            (&"😀".as_bytes()[..3], 3),
            ("😀".as_bytes(), 0),
            (b"a\xff", 0),
            (b"\x80\x80", 0),
        ] {
            assert_eq!(unfinished(bytes), rest, "{bytes:?}");
        }
    }
}
