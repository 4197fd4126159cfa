//! What a request returns to the script. Its fields are made when they are first read, and kept.

use http::HeaderMap;
use rquickjs::{
    Array, ArrayBuffer, Class, Coerced, Ctx, Exception, IntoJs, JsLifetime, Object, Result, Value,
    class::Trace,
    function::{Opt, This},
    object::Property,
};

use super::{
    follow,
    params::{Call, ResponseType, shown_body},
};
use crate::net::{self, NetError, canonical};

/// A response; with `error` set, a request that got none.
#[derive(Trace, JsLifetime)]
#[rquickjs::class]
pub struct Response {
    #[qjs(skip_trace)]
    came: Came,
    #[qjs(skip_trace)]
    kind: ResponseType,
}

/// What came of a call.
enum Came {
    /// It was made.
    Answer(Box<net::Response>),
    /// Its arguments were refused, or, without an error, another request's of the same batch were.
    Nothing { url: String, error: NetError },
}

impl Response {
    pub fn new(inner: net::Response, call: &Call) -> Response {
        Response {
            came: Came::Answer(Box::new(inner)),
            kind: call.response_type,
        }
    }

    /// The Response of a request that could not be built.
    pub fn refused(url: String, error: NetError) -> Response {
        Response {
            came: Came::Nothing { url, error },
            kind: ResponseType::None,
        }
    }

    fn answer(&self) -> Option<&net::Response> {
        match &self.came {
            Came::Answer(answer) => Some(answer),
            Came::Nothing { .. } => None,
        }
    }

    /// Where the answer came from, after redirects.
    pub fn address(&self) -> &str {
        match &self.came {
            Came::Answer(answer) => answer.target().given(),
            Came::Nothing { url, .. } => url,
        }
    }

    /// The body; `None` where the dialect has `null`: without an answer, where it is thrown away, and where HTTP has none.
    fn bytes(&self) -> Option<&bytes::Bytes> {
        let answer = self.answer()?;
        let none = matches!(answer.status, 100..=199 | 204 | 304);
        (answer.error.is_none() && self.kind != ResponseType::None && !none).then_some(&answer.body)
    }

    /// The body, to be turned into something.
    pub fn content(&self, ctx: &Ctx<'_>, into: &str) -> Result<&bytes::Bytes> {
        self.bytes().ok_or_else(|| {
            let message = format!(
                "the body is null so we can't transform it to {into} - this likely was because of a request error \
                 getting the response"
            );
            Exception::throw_message(ctx, &message)
        })
    }
}

type Me<'js> = This<Class<'js, Response>>;

/// Replaces the getter `key` of this object by its value, so that it is made once.
fn keep<'js>(this: &Me<'js>, key: &str, value: impl IntoJs<'js>) -> Result<Value<'js>> {
    let object = this.0.as_inner();
    let value = value.into_js(object.ctx())?;
    object.prop(
        key,
        Property::from(value.clone())
            .enumerable()
            .writable()
            .configurable(),
    )?;
    Ok(value)
}

#[rquickjs::methods]
impl Response {
    #[qjs(get, enumerable)]
    fn status(&self) -> u16 {
        self.answer().map_or(0, |answer| answer.status)
    }

    #[qjs(get, enumerable, rename = "status_text")]
    fn status_text(&self) -> String {
        self.answer().map_or_else(String::new, net::Response::status_text)
    }

    #[qjs(get, enumerable)]
    fn url(&self) -> String {
        self.address().to_owned()
    }

    #[qjs(get, enumerable)]
    fn proto(&self) -> &'static str {
        self.answer().map_or("", |answer| answer.proto.as_str())
    }

    #[qjs(get, enumerable)]
    fn error(&self) -> String {
        let error = match &self.came {
            Came::Answer(answer) => answer.error.as_ref(),
            Came::Nothing { error, .. } => Some(error),
        };
        error.map(|error| error.message.to_string()).unwrap_or_default()
    }

    #[qjs(get, enumerable, rename = "error_code")]
    fn error_code(&self) -> u16 {
        match &self.came {
            Came::Answer(answer) => answer.error_code(),
            Came::Nothing { error, .. } => error.code,
        }
    }

    #[qjs(get, enumerable, rename = "remote_ip")]
    fn remote_ip(&self) -> String {
        let remote = self.answer().and_then(|answer| answer.remote);
        remote.map(|remote| remote.ip().to_string()).unwrap_or_default()
    }

    #[qjs(get, enumerable, rename = "remote_port")]
    fn remote_port(&self) -> u16 {
        let remote = self.answer().and_then(|answer| answer.remote);
        remote.map_or(0, |remote| remote.port())
    }

    #[qjs(get, enumerable, rename = "tls_version")]
    fn tls_version(&self) -> &'static str {
        let tls = self.answer().and_then(|answer| answer.tls.as_ref());
        tls.map_or("", |tls| tls.version.as_str())
    }

    #[qjs(get, enumerable, rename = "tls_cipher_suite")]
    fn tls_cipher_suite(&self) -> &'static str {
        let tls = self.answer().and_then(|answer| answer.tls.as_ref());
        tls.map_or("", |tls| tls.cipher_suite)
    }

    /// What a server stapled to its certificate. It is not asked for, so that over TLS the status is unknown.
    #[qjs(get, enumerable)]
    fn ocsp<'js>(this: Me<'js>, ctx: Ctx<'js>) -> Result<Value<'js>> {
        let object = Object::new(ctx)?;
        for time in ["produced_at", "this_update", "next_update", "revoked_at"] {
            object.set(time, 0)?;
        }
        object.set("revocation_reason", "")?;
        let over_tls = this
            .0
            .borrow()
            .answer()
            .is_some_and(|answer| answer.tls.is_some());
        object.set("status", if over_tls { "unknown" } else { "" })?;
        keep(&this, "ocsp", object)
    }

    #[qjs(get, enumerable)]
    fn body<'js>(this: Me<'js>, ctx: Ctx<'js>) -> Result<Value<'js>> {
        let value = {
            let me = this.0.borrow();
            match (me.bytes(), me.kind) {
                (None, _) => Value::new_null(ctx),
                (Some(bytes), ResponseType::Binary) => ArrayBuffer::new_copy(ctx, bytes)?.into_value(),
                (Some(bytes), _) => text(&ctx, bytes)?,
            }
        };
        keep(&this, "body", value)
    }

    #[qjs(get, enumerable)]
    fn headers<'js>(this: Me<'js>, ctx: Ctx<'js>) -> Result<Value<'js>> {
        let headers = match this.0.borrow().answer() {
            Some(answer) => headers(&ctx, &answer.headers)?,
            None => Object::new(ctx)?,
        };
        keep(&this, "headers", headers)
    }

    #[qjs(get, enumerable)]
    fn timings<'js>(this: Me<'js>, ctx: Ctx<'js>) -> Result<Value<'js>> {
        let none = net::Timings::default();
        let object = timings(
            &ctx,
            this.0.borrow().answer().map_or(&none, |answer| &answer.timings),
        )?;
        keep(&this, "timings", object)
    }

    #[qjs(get, enumerable)]
    fn cookies<'js>(this: Me<'js>, ctx: Ctx<'js>) -> Result<Value<'js>> {
        let object = Object::new(ctx.clone())?;
        let set = this.0.borrow().answer().map(net::Response::cookies);
        for cookie in set.unwrap_or_default() {
            let entry = Object::new(ctx.clone())?;
            entry.set("name", cookie.name.as_str())?;
            entry.set("value", cookie.value)?;
            entry.set("domain", cookie.domain)?;
            entry.set("path", cookie.path)?;
            entry.set("http_only", cookie.http_only)?;
            entry.set("secure", cookie.secure)?;
            entry.set("max_age", cookie.max_age as f64)?;
            entry.set("expires", cookie.expires as f64)?;
            let list = match object.get::<_, Option<Array>>(&*cookie.name)? {
                Some(list) => list,
                None => Array::new(ctx.clone())?,
            };
            list.set(list.len(), entry)?;
            object.set(cookie.name, list)?;
        }
        keep(&this, "cookies", object)
    }

    /// The request that was answered: the last one, after redirects.
    #[qjs(get, enumerable)]
    fn request<'js>(this: Me<'js>, ctx: Ctx<'js>) -> Result<Value<'js>> {
        let object = Object::new(ctx.clone())?;
        {
            let me = this.0.borrow();
            let Some(answer) = me.answer() else {
                return Ok(Value::new_null(ctx));
            };
            let request = &answer.request;
            object.set("method", request.method.as_str())?;
            object.set("url", request.target.given())?;
            object.set("body", shown_body(&request.body))?;
            let sent = Object::new(ctx.clone())?;
            for name in request.headers.keys() {
                let values: Vec<String> = request.headers.get_all(name).iter().map(shown).collect();
                sent.set(canonical(name), values)?;
            }
            object.set("headers", sent)?;
            let cookies = Object::new(ctx.clone())?;
            for cookie in &request.cookies {
                let entry = Object::new(ctx.clone())?;
                entry.set("name", cookie.name.as_str())?;
                entry.set("value", cookie.value.as_str())?;
                entry.set("replace", cookie.replace)?;
                cookies.set(cookie.name.as_str(), vec![entry])?;
            }
            object.set("cookies", cookies)?;
        }
        keep(&this, "request", object)
    }

    /// The body parsed as JSON, once; `selector` picks a part of it.
    fn json<'js>(this: Me<'js>, ctx: Ctx<'js>, selector: Opt<Coerced<String>>) -> Result<Value<'js>> {
        const KEPT: &str = "__json";
        let object = this.0.as_inner();
        if let Some(Coerced(selector)) = selector.0 {
            let me = this.0.borrow();
            let body = std::str::from_utf8(me.content(&ctx, "JSON")?);
            // What is no JSON has no parts, as in the dialect.
            let found = body.ok().and_then(|body| selected(body, &selector));
            return match found {
                Some(found) => ctx.json_parse(found),
                None => Ok(Value::new_undefined(ctx)),
            };
        }
        if object.contains_key(KEPT)? {
            return object.get(KEPT);
        }
        let body = this.0.borrow().content(&ctx, "JSON")?.to_vec();
        if body.is_empty() {
            return Err(Exception::throw_syntax(
                &ctx,
                "the body is empty, so there is no JSON to parse: unexpected end of JSON input",
            ));
        }
        let value = ctx.json_parse(body)?;
        object.prop(KEPT, Property::from(value.clone()))?;
        Ok(value)
    }

    /// The body as a page, parsed anew each time; `selector` picks elements of it.
    fn html<'js>(this: Me<'js>, ctx: Ctx<'js>, selector: Opt<Coerced<String>>) -> Result<Value<'js>> {
        let page = follow::page(&ctx, &this.0.borrow())?;
        let page = Class::instance(ctx, page)?.into_value();
        match selector.0.filter(|selector| !selector.0.is_empty()) {
            Some(selector) => {
                let object = page.as_object().ok_or(rquickjs::Error::Unknown)?;
                let find: rquickjs::Function = object.get("find")?;
                find.call((This(page.clone()), selector.0))
            }
            None => Ok(page),
        }
    }

    /// What JSON says of it: the dialect's fields, which here are getters of its prototype.
    #[qjs(rename = "toJSON")]
    fn to_json<'js>(this: Me<'js>, ctx: Ctx<'js>) -> Result<Object<'js>> {
        let (object, plain) = (this.0.as_inner(), Object::new(ctx)?);
        for field in FIELDS {
            plain.set(field, object.get::<_, Value>(field)?)?;
        }
        Ok(plain)
    }

    /// Sends the page's form, filled in.
    #[qjs(rename = "submitForm")]
    fn submit_form<'js>(this: Me<'js>, ctx: Ctx<'js>, given: Opt<Option<Object<'js>>>) -> Result<Value<'js>> {
        follow::submit_form(&ctx, &this.0.borrow(), given.0.flatten())
    }

    /// Follows a link of the page.
    #[qjs(rename = "clickLink")]
    fn click_link<'js>(this: Me<'js>, ctx: Ctx<'js>, given: Opt<Option<Object<'js>>>) -> Result<Value<'js>> {
        follow::click_link(&ctx, &this.0.borrow(), given.0.flatten())
    }
}

/// The fields of a Response, in the dialect's order.
const FIELDS: [&str; 16] = [
    "remote_ip",
    "remote_port",
    "url",
    "status",
    "status_text",
    "proto",
    "headers",
    "cookies",
    "body",
    "timings",
    "tls_version",
    "tls_cipher_suite",
    "ocsp",
    "error",
    "error_code",
    "request",
];

fn text<'js>(ctx: &Ctx<'js>, bytes: &[u8]) -> Result<Value<'js>> {
    let text = String::from_utf8_lossy(bytes);
    Ok(rquickjs::String::from_str(ctx.clone(), &text)?.into_value())
}

fn shown(value: &http::HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// The phases of a request, in milliseconds.
pub fn timings<'js>(ctx: &Ctx<'js>, timings: &net::Timings) -> Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    for (name, time) in [
        ("duration", timings.duration()),
        ("blocked", timings.blocked),
        ("looking_up", std::time::Duration::ZERO),
        ("connecting", timings.connecting),
        ("tls_handshaking", timings.tls_handshaking),
        ("sending", timings.sending),
        ("waiting", timings.waiting),
        ("receiving", timings.receiving),
    ] {
        object.set(name, time.as_nanos() as f64 / 1e6)?;
    }
    Ok(object)
}

/// Headers by their canonical names; several values of one name are joined by a comma.
pub fn headers<'js>(ctx: &Ctx<'js>, headers: &HeaderMap) -> Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    for name in headers.keys() {
        let mut values = headers.get_all(name).iter();
        let mut text = values.next().map(shown).unwrap_or_default();
        for value in values {
            text.push_str(", ");
            text.push_str(&shown(value));
        }
        object.set(canonical(name), text)?;
    }
    Ok(object)
}

/// The part of a JSON text that a selector picks, as JSON.
fn selected(body: &str, selector: &str) -> Option<String> {
    if !gjson::valid(body) {
        return None;
    }
    let found = gjson::get(body, selector);
    found.exists().then(|| found.json().to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &str = r#"{"a":{"b":[1,2,{"c":"x","d":null}]},"list":[{"id":1,"ok":true},{"id":2,"ok":false}],"t":"\u00e9\n"}"#;

    #[test]
    fn a_selector_picks_a_part() {
        for (selector, found) in [
            ("a.b.1", Some("2")),
            ("list.#", Some("2")),
            ("list.#.id", Some("[1,2]")),
            ("list.#(id==2).ok", Some("false")),
            ("a.x", None),
        ] {
            assert_eq!(selected(BODY, selector).as_deref(), found, "{selector}");
        }
    }

    proptest! {
        /// Neither what a server sends nor what a script asks for makes it panic.
        #[test]
        fn no_selector_and_no_body_make_it_panic(
            body in ".{0,80}",
            selector in ".{0,30}",
            near in r#"[ab.#()\[\]{}|@*?!%<>=~",:0-9\\]{0,20}"#,
            cut in 0..BODY.len(),
        ) {
            let short: String = BODY.chars().take(cut).collect();
            for selector in [&selector, &near, &format!("list.#({near}"), &format!("a.b.{near}")] {
                for body in [BODY, &body, &short] {
                    let _ = selected(body, selector);
                }
            }
        }
    }
}
