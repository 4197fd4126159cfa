//! What a request returns to the script. Its fields are made when they are first read, and kept.

use http::HeaderMap;
use rquickjs::{
    Array, ArrayBuffer, Class, Ctx, Exception, IntoJs, JsLifetime, Object, Result, Value,
    class::Trace,
    function::{Opt, This},
    object::Property,
};

use super::{
    follow,
    params::{Call, ResponseType, shown_body},
};
use crate::net::{self, NetError, canonical, status_text};

/// A response; with `error` set, a request that got none.
#[derive(Trace, JsLifetime)]
#[rquickjs::class]
pub struct Response {
    #[qjs(skip_trace)]
    inner: Box<net::Response>,
    #[qjs(skip_trace)]
    kind: ResponseType,
}

impl Response {
    pub fn new(inner: net::Response, call: &Call) -> Response {
        Response {
            inner: Box::new(inner),
            kind: call.response_type,
        }
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
        self.inner.status
    }

    #[qjs(get, enumerable, rename = "status_text")]
    fn status_text(&self) -> String {
        self.inner.status_text()
    }

    #[qjs(get, enumerable)]
    fn url(&self) -> String {
        self.inner.url().to_owned()
    }

    #[qjs(get, enumerable)]
    fn proto(&self) -> &'static str {
        self.inner.proto.as_str()
    }

    #[qjs(get, enumerable)]
    fn error(&self) -> String {
        self.inner
            .error
            .as_ref()
            .map(|error| error.message.to_string())
            .unwrap_or_default()
    }

    #[qjs(get, enumerable, rename = "error_code")]
    fn error_code(&self) -> u16 {
        self.inner.error_code()
    }

    #[qjs(get, enumerable, rename = "remote_ip")]
    fn remote_ip(&self) -> String {
        self.inner
            .remote
            .map(|remote| remote.ip().to_string())
            .unwrap_or_default()
    }

    #[qjs(get, enumerable, rename = "remote_port")]
    fn remote_port(&self) -> u16 {
        self.inner.remote.map_or(0, |remote| remote.port())
    }

    #[qjs(get, enumerable, rename = "tls_version")]
    fn tls_version(&self) -> &'static str {
        self.inner.tls.as_ref().map_or("", |tls| tls.version.as_str())
    }

    #[qjs(get, enumerable, rename = "tls_cipher_suite")]
    fn tls_cipher_suite(&self) -> &'static str {
        self.inner.tls.as_ref().map_or("", |tls| tls.cipher_suite)
    }

    #[qjs(get, enumerable)]
    fn body<'js>(this: Me<'js>, ctx: Ctx<'js>) -> Result<Value<'js>> {
        let value = {
            let me = this.0.borrow();
            match me.kind {
                ResponseType::Text if me.inner.error.is_none() => text(&ctx, &me.inner.body)?,
                ResponseType::Binary if me.inner.error.is_none() => {
                    ArrayBuffer::new_copy(ctx, &me.inner.body)?.into_value()
                }
                _ => Value::new_null(ctx),
            }
        };
        keep(&this, "body", value)
    }

    #[qjs(get, enumerable)]
    fn headers<'js>(this: Me<'js>, ctx: Ctx<'js>) -> Result<Value<'js>> {
        let headers = headers(&ctx, &this.0.borrow().inner.headers)?;
        keep(&this, "headers", headers)
    }

    #[qjs(get, enumerable)]
    fn timings<'js>(this: Me<'js>, ctx: Ctx<'js>) -> Result<Value<'js>> {
        let object = timings(&ctx, &this.0.borrow().inner.timings)?;
        keep(&this, "timings", object)
    }

    #[qjs(get, enumerable)]
    fn cookies<'js>(this: Me<'js>, ctx: Ctx<'js>) -> Result<Value<'js>> {
        let object = Object::new(ctx.clone())?;
        for cookie in this.0.borrow().inner.cookies() {
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
            let request = &me.inner.request;
            object.set("method", request.method.as_str())?;
            object.set("url", me.inner.url())?;
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
    fn json<'js>(this: Me<'js>, ctx: Ctx<'js>, selector: Opt<String>) -> Result<Value<'js>> {
        const KEPT: &str = "__json";
        let object = this.0.as_inner();
        if let Some(selector) = selector.0.filter(|selector| !selector.is_empty()) {
            let me = this.0.borrow();
            let Ok(body) = std::str::from_utf8(&me.inner.body) else {
                return Err(Exception::throw_syntax(
                    &ctx,
                    "the body is no JSON: it is not UTF-8",
                ));
            };
            return match selected(body, &selector) {
                Some(found) => ctx.json_parse(found),
                None => Ok(Value::new_undefined(ctx)),
            };
        }
        if object.contains_key(KEPT)? {
            return object.get(KEPT);
        }
        let body = this.0.borrow().inner.body.to_vec();
        if body.is_empty() {
            return Err(Exception::throw_message(
                &ctx,
                "the body is empty or was discarded, so there is no JSON to parse; check the status first",
            ));
        }
        let value = ctx.json_parse(body)?;
        object.prop(KEPT, Property::from(value.clone()))?;
        Ok(value)
    }

    /// The body as a page, parsed anew each time; `selector` picks elements of it.
    fn html<'js>(this: Me<'js>, ctx: Ctx<'js>, selector: Opt<Option<String>>) -> Result<Value<'js>> {
        let page = follow::page(&this.0.borrow());
        let page = Class::instance(ctx, page)?.into_value();
        match selector.0.flatten().filter(|selector| !selector.is_empty()) {
            Some(selector) => {
                let object = page.as_object().ok_or(rquickjs::Error::Unknown)?;
                let find: rquickjs::Function = object.get("find")?;
                find.call((This(page.clone()), selector))
            }
            None => Ok(page),
        }
    }

    /// Sends the page's form, filled in.
    #[qjs(rename = "submitForm")]
    fn submit_form<'js>(this: Me<'js>, ctx: Ctx<'js>, given: Opt<Object<'js>>) -> Result<Value<'js>> {
        follow::submit_form(&ctx, &this.0.borrow(), given.0)
    }

    /// Follows a link of the page.
    #[qjs(rename = "clickLink")]
    fn click_link<'js>(this: Me<'js>, ctx: Ctx<'js>, given: Opt<Object<'js>>) -> Result<Value<'js>> {
        follow::click_link(&ctx, &this.0.borrow(), given.0)
    }
}

impl Response {
    /// Where the answer came from, after redirects.
    pub fn address(&self) -> &str {
        self.inner.url()
    }

    /// The body as text.
    pub fn page_text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.inner.body)
    }
}

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

/// The Response of a request that could not be built, as a plain object.
pub fn refusal<'js>(ctx: &Ctx<'js>, url: &str, error: &NetError) -> Result<Value<'js>> {
    let object = Object::new(ctx.clone())?;
    object.set("status", 0)?;
    object.set("status_text", status_text(0))?;
    object.set("url", url)?;
    object.set("error", error.message.as_ref())?;
    object.set("error_code", error.code)?;
    object.set("body", Value::new_null(ctx.clone()))?;
    object.set("headers", Object::new(ctx.clone())?)?;
    object.set("cookies", Object::new(ctx.clone())?)?;
    object.set("timings", Object::new(ctx.clone())?)?;
    object.set("proto", "")?;
    Ok(object.into_value())
}

/// The part of a JSON text that a selector picks, as JSON.
fn selected(body: &str, selector: &str) -> Option<String> {
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
