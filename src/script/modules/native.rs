//! The module `loadgen:native`: what the built-in modules that are written in JavaScript cannot do in it, or not fast enough.

use std::sync::Arc;

use rquickjs::{
    Class, Coerced, Ctx, Exception, Function, JsLifetime, Object, Result, Value,
    class::Trace,
    function::Opt,
    module::{Declarations, Exports, ModuleDef},
};

use url::{Url, quirks};

use super::{Shelf, crypto, files};
use crate::script::{
    host::{Host, Phase},
    random::Draw,
    secrets::Held,
    shared::Elements,
};

/// The module `loadgen:native`.
pub struct Native;

const NAMES: [&str; 11] = [
    "csvRows",
    "default",
    "fileSize",
    "fileSlice",
    "secret",
    "share",
    "stage",
    "tag",
    "urlParse",
    "urlWith",
    "uuidv4",
];

impl ModuleDef for Native {
    fn declare(declare: &Declarations<'_>) -> Result<()> {
        for name in NAMES {
            declare.declare(name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let host = Host::of(ctx)?;
        let shelf = Shelf::new(ctx, exports)?;
        shelf.function("csvRows", files::csv_rows)?;
        shelf.function("fileSize", files::size)?;
        shelf.function("fileSlice", files::slice)?;
        shelf.function("secret", secret)?;
        shelf.function("share", share)?;
        shelf.function("urlParse", url_parse)?;
        shelf.function("urlWith", url_with)?;
        let me = host.clone();
        shelf.function("stage", move |ctx: Ctx<'js>| stage(&ctx, &me))?;
        let me = host.clone();
        shelf.function("tag", move |name: String, value: Coerced<String>| {
            me.tag(&name, &value.0);
        })?;
        shelf.function(
            "uuidv4",
            move |ctx: Ctx<'js>, secure: Opt<Value<'js>>| -> Result<String> {
                let secure = secure.0.and_then(|secure| secure.as_bool()).unwrap_or(false);
                if secure {
                    return crypto::random_uuid(&ctx);
                }
                Ok(uuid(host.draw(Draw::uuid)))
            },
        )?;
        shelf.finish()
    }
}

/// The number of the scenario's stage, and where it goes: 1 up, 0 nowhere, -1 down.
fn stage(ctx: &Ctx<'_>, host: &Host) -> Result<Vec<f64>> {
    match host.around.as_ref().and_then(|around| around.stage()) {
        Some(stage) => Ok(vec![stage.index as f64, f64::from(stage.trend as i8)]),
        None => Err(Exception::throw_message(
            ctx,
            "there is no current stage: only scenarios of ramping-vus and ramping-arrival-rate have stages",
        )),
    }
}

/// A secret of a source by its name, or of the default one.
fn secret(ctx: Ctx<'_>, source: Option<String>, key: String) -> Result<String> {
    let host = Host::of(&ctx)?;
    let (program, source) = (&host.workshop.program, source.as_deref());
    let thrown = |message: String| Exception::throw_message(&ctx, &message);
    match program.secret(source, &key).map_err(thrown)? {
        Held::Value(value) => Ok(value),
        Held::At(service) => {
            host.require_running(&ctx, "asking a service for a secret")?;
            let asked = host.wait_for(&ctx, Box::pin(service.fetch(&host.client, &key)))?;
            let value = asked.map_err(thrown)?;
            program.keep_secret(source, &key, &value);
            Ok(value)
        }
    }
}

/// The parts of an address, in the order in which `jslib:url` has them.
fn url_parse(ctx: Ctx<'_>, text: String, base: Opt<Option<String>>) -> Result<Vec<String>> {
    let wrong = |what: &str| Exception::throw_type(&ctx, &format!("Invalid URL: {what}"));
    let url = match base.0.flatten() {
        Some(base) => Url::parse(&base).map_err(|_| wrong(&base))?.join(&text),
        None => Url::parse(&text),
    };
    Ok(parts(&url.map_err(|_| wrong(&text))?))
}

/// The same of an address in which one part is changed. What is no such part is left as it was, as in the standard.
fn url_with(ctx: Ctx<'_>, address: String, part: String, value: String) -> Result<Vec<String>> {
    let mut url =
        Url::parse(&address).map_err(|_| Exception::throw_type(&ctx, &format!("Invalid URL: {address}")))?;
    match part.as_str() {
        "protocol" => quirks::set_protocol(&mut url, &value).unwrap_or_default(),
        "username" => quirks::set_username(&mut url, &value).unwrap_or_default(),
        "password" => quirks::set_password(&mut url, &value).unwrap_or_default(),
        "host" => quirks::set_host(&mut url, &value).unwrap_or_default(),
        "hostname" => quirks::set_hostname(&mut url, &value).unwrap_or_default(),
        "port" => quirks::set_port(&mut url, &value).unwrap_or_default(),
        "pathname" => quirks::set_pathname(&mut url, &value),
        "search" => quirks::set_search(&mut url, &value),
        "hash" => quirks::set_hash(&mut url, &value),
        _ => {}
    }
    Ok(parts(&url))
}

fn parts(url: &Url) -> Vec<String> {
    let origin = quirks::origin(url);
    let parts = [
        quirks::href(url),
        &origin,
        quirks::protocol(url),
        quirks::username(url),
        quirks::password(url),
        quirks::host(url),
        quirks::hostname(url),
        quirks::port(url),
        quirks::pathname(url),
        quirks::search(url),
        quirks::hash(url),
    ];
    parts.map(str::to_owned).to_vec()
}

/// A UUID of version 4 (RFC 9562, section 5.4) from 128 random bits.
pub fn uuid(random: u128) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bits = (random & !(0xf000 << 64) & !(0xc000 << 48)) | (4 << 76) | (2 << 62);
    let mut text = String::with_capacity(36);
    for (i, byte) in bits.to_be_bytes().into_iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
    text
}

/// An array that all virtual users share, as one of them sees it.
#[derive(Trace, JsLifetime)]
#[rquickjs::class]
pub struct Shared {
    #[qjs(skip_trace)]
    elements: Arc<Elements>,
}

#[rquickjs::methods]
impl Shared {
    #[qjs(get, rename = "length")]
    fn length(&self) -> usize {
        self.elements.len()
    }

    /// An element, parsed anew.
    fn at<'js>(&self, ctx: Ctx<'js>, index: usize) -> Result<Value<'js>> {
        ctx.json_parse(self.elements.json(index).unwrap_or("null"))
    }
}

/// The array of this name; if it is the first time in the run that one asks for it, `make` makes it.
fn share<'js>(ctx: Ctx<'js>, name: Value<'js>, make: Value<'js>) -> Result<Class<'js, Shared>> {
    let host = Host::of(&ctx)?;
    if host.phase.get() != Phase::Init {
        let message = "a SharedArray must be made in the init context, at the script's top level";
        return Err(Exception::throw_message(&ctx, message));
    }
    let name = if name.is_undefined() || name.is_null() {
        String::new()
    } else {
        name.get::<Coerced<String>>()?.0
    };
    if name.is_empty() {
        let message = "a SharedArray needs a name as its first argument: new SharedArray('users', () => […])";
        return Err(Exception::throw_type(&ctx, message));
    }
    let Some(make) = make.as_function() else {
        let message =
            format!("SharedArray `{name}` needs a function that returns its elements as its second argument");
        return Err(Exception::throw_type(&ctx, &message));
    };
    let arrays = host.workshop.program.arrays();
    if let Some(known) = arrays.get(&name) {
        return Class::instance(ctx, Shared { elements: known });
    }
    // One virtual user of the run makes it. One that makes an array for another array has its turn already.
    let turn = if host.making.get() {
        None
    } else {
        Some(host.wait_for(&ctx, arrays.turn())?)
    };
    let elements = match arrays.get(&name) {
        Some(known) => known,
        None => {
            let outer = host.making.replace(true);
            let made = elements(&ctx, &name, make);
            host.making.set(outer);
            arrays.keep(&name, made?)
        }
    };
    drop(turn);
    Class::instance(ctx, Shared { elements })
}

fn elements<'js>(ctx: &Ctx<'js>, name: &str, make: &Function<'js>) -> Result<Elements> {
    let made: Value = make.call(())?;
    let wrong = |what: &str| {
        let message =
            format!("the function of SharedArray `{name}` must return an array, it returned {what}");
        Exception::throw_type(ctx, &message)
    };
    if made.is_promise() {
        return Err(wrong("a promise: it cannot be async"));
    }
    let is_array: Function = ctx.globals().get::<_, Object>("Array")?.get("isArray")?;
    let array = match made.as_object() {
        Some(array) if is_array.call::<_, bool>((array.clone(),))? => array,
        _ => return Err(wrong(made.type_name())),
    };
    let mut elements = Elements::default();
    for index in 0..array.get::<_, u32>("length")? {
        let json = ctx.json_stringify(array.get::<_, Value>(index)?)?;
        match json {
            Some(json) => elements.push(&json.to_string()?),
            // As JSON.stringify does with what JSON cannot say.
            None => elements.push("null"),
        }
    }
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::uuid;

    #[test]
    fn a_uuid_has_its_version_and_variant_and_all_other_bits_are_free() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(
            uuid(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff),
            "00112233-4455-4677-8899-aabbccddeeff"
        );
    }
}
