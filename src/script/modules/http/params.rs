//! From the arguments of `http.get(url, params)` to a request and how to count it.

use std::{rc::Rc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use rquickjs::{Class, Coerced, Ctx, Exception, FromJs, Object, Result, Value};

use super::{body, expected_of, jar::CookieJar};
use crate::{
    metrics::{NameId, TagsId},
    net::{Auth, Coding, JarChoice, NetError, Request, RequestCookie},
    pace::parse_duration,
    script::{expected::Expected, host::Host, modules::metrics::tag_pairs},
};

/// What becomes of a response's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseType {
    Text,
    Binary,
    None,
}

/// How one call is counted and delivered.
pub struct Call {
    /// Run, scenario and group tags, and those of the call.
    pub context: TagsId,
    /// A `name` tag that the call gives; it replaces the URL.
    pub explicit_name: Option<NameId>,
    /// The name that the first hop's URL gives.
    pub url_name: NameId,
    /// The call's own `responseCallback`.
    pub expected: Option<Expected>,
    pub response_type: ResponseType,
    pub throw: bool,
    /// The server is to ask for credentials before it gets them.
    pub challenged: bool,
}

/// Reads the arguments of a request. The inner error is a URL that cannot be requested: no exception, but an
/// error Response.
pub fn prepare<'js>(
    ctx: &Ctx<'js>,
    host: &Rc<Host>,
    method: &str,
    url: &Value<'js>,
    body: Option<Value<'js>>,
    params: Option<Value<'js>>,
) -> Result<std::result::Result<(Request, Call), (String, NetError)>> {
    let (url, template) = url_of(ctx, url)?;
    let (target, url_name) = match host.workshop.target(&url) {
        Ok(found) => found,
        Err(error) => return Ok(Err((url, error))),
    };
    let method = match method {
        "GET" => Method::GET,
        "POST" => Method::POST,
        other => Method::from_bytes(other.to_ascii_uppercase().as_bytes())
            .map_err(|_| Exception::throw_type(ctx, &format!("`{other}` is no HTTP method")))?,
    };
    let mut request = Request::new(method, target);
    let defaults = &host.workshop.http;
    request.max_redirects = defaults.max_redirects;
    let response_type = if defaults.discard_bodies {
        ResponseType::None
    } else {
        ResponseType::Text
    };
    let mut call = Call {
        context: host.context(),
        explicit_name: template.map(|name| host.workshop.recorder.name(&name)),
        url_name,
        expected: None,
        response_type,
        throw: defaults.throw,
        challenged: false,
    };
    if let Some(body) = body
        && let Some((bytes, content_type)) = body::encode(ctx, &body)?
    {
        request.body = bytes;
        if let Some(kind) = content_type {
            request.headers.insert(header::CONTENT_TYPE, kind);
        }
    }
    if let Some(params) = params.as_ref().and_then(Value::as_object) {
        apply(ctx, host, params, &mut request, &mut call)?;
    }
    request.discard_body = call.response_type == ResponseType::None;
    Ok(Ok((request, call)))
}

/// A URL is text, or what `` http.url`…` `` made, or anything that turns into text (`new URL(…)`).
pub fn url_of<'js>(ctx: &Ctx<'js>, url: &Value<'js>) -> Result<(String, Option<String>)> {
    if let Some(text) = url.as_string() {
        return Ok((text.to_string()?, None));
    }
    if let Some(object) = url.as_object()
        && let (Some(url), Some(name)) = (
            object.get::<_, Option<String>>("url")?,
            object.get::<_, Option<String>>("name")?,
        )
    {
        return Ok((url, Some(name)));
    }
    if url.is_undefined() || url.is_null() {
        return Err(Exception::throw_type(ctx, "a request needs a URL; it got none"));
    }
    Ok((Coerced::<String>::from_js(ctx, url.clone())?.0, None))
}

fn apply<'js>(
    ctx: &Ctx<'js>,
    host: &Rc<Host>,
    params: &Object<'js>,
    request: &mut Request,
    call: &mut Call,
) -> Result<()> {
    let mut codings = Vec::new();
    for entry in params.props::<String, Value>() {
        let (key, value) = entry?;
        if value.is_undefined() || (value.is_null() && key != "responseCallback") {
            continue;
        }
        match key.as_str() {
            "headers" => headers(ctx, &value, request)?,
            "tags" => tags(ctx, host, &value, call)?,
            "timeout" => request.timeout = timeout(ctx, &value)?,
            "redirects" => request.max_redirects = Coerced::<f64>::from_js(ctx, value)?.0.max(0.0) as u32,
            "cookies" => cookies(ctx, &value, request)?,
            "jar" => {
                let jar = Class::<CookieJar>::from_js(ctx, value)
                    .map_err(|_| Exception::throw_type(ctx, "`jar` must be a CookieJar"))?;
                request.jar = JarChoice::Explicit(jar.borrow().jar());
            }
            "auth" => {
                auth(ctx, &value, request)?;
                call.challenged = matches!(request.auth, Some(Auth::Digest { .. }));
            }
            "responseType" => call.response_type = response_type(ctx, &value)?,
            "responseCallback" => call.expected = Some(expected_of(ctx, &value)?),
            "throw" => call.throw = Coerced::<bool>::from_js(ctx, value)?.0,
            "compression" => codings = compression(ctx, &value)?,
            // The dialect ignores what it does not know.
            _ => {}
        }
    }
    compress(ctx, &codings, request)
}

pub fn headers<'js>(ctx: &Ctx<'js>, value: &Value<'js>, request: &mut Request) -> Result<()> {
    let Some(object) = value.as_object() else {
        return Err(Exception::throw_type(
            ctx,
            "`headers` must be an object of names and values",
        ));
    };
    for entry in object.props::<String, Value>() {
        let (name, value) = entry?;
        if value.is_undefined() || value.is_null() {
            continue;
        }
        let text = Coerced::<String>::from_js(ctx, value)?.0;
        let parsed = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(text.as_bytes()),
        );
        let (Ok(name), Ok(value)) = parsed else {
            return Err(Exception::throw_type(
                ctx,
                &format!("`{name}: {text}` is no valid HTTP header"),
            ));
        };
        request.headers.insert(name, value);
    }
    Ok(())
}

fn tags<'js>(ctx: &Ctx<'js>, host: &Rc<Host>, value: &Value<'js>, call: &mut Call) -> Result<()> {
    let pairs = tag_pairs(ctx, value)?;
    let mut extra: Vec<(&str, &str)> = Vec::with_capacity(pairs.len());
    for (key, value) in &pairs {
        if key == "name" {
            call.explicit_name = Some(host.workshop.recorder.name(value));
        } else {
            extra.push((key, value));
        }
    }
    call.context = host.context_with(&extra);
    Ok(())
}

pub fn timeout<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<Duration> {
    let parsed = match (value.as_number(), value.as_string()) {
        (Some(ms), _) => Duration::try_from_secs_f64(ms / 1000.0).map_err(|e| e.to_string()),
        (None, Some(text)) => parse_duration(&text.to_string()?).map_err(|e| e.to_string()),
        (None, None) => Err("it is neither".to_owned()),
    };
    match parsed {
        // No time at all means the dialect's default.
        Ok(Duration::ZERO) => Ok(Duration::from_mins(1)),
        Ok(time) => Ok(time),
        Err(why) => {
            let message = format!("`timeout` must be milliseconds or text such as '10s': {why}");
            Err(Exception::throw_type(ctx, &message))
        }
    }
}

pub fn cookies<'js>(ctx: &Ctx<'js>, value: &Value<'js>, request: &mut Request) -> Result<()> {
    let Some(object) = value.as_object() else {
        return Err(Exception::throw_type(
            ctx,
            "`cookies` must be an object of names and values",
        ));
    };
    for entry in object.props::<String, Value>() {
        let (name, value) = entry?;
        let (value, replace) = match value.as_object() {
            Some(cookie) => (
                cookie.get::<_, Coerced<String>>("value")?.0,
                cookie.get::<_, Option<bool>>("replace")?.unwrap_or(false),
            ),
            None => (Coerced::<String>::from_js(ctx, value)?.0, false),
        };
        request.cookies.push(RequestCookie { name, value, replace });
    }
    Ok(())
}

/// `auth: 'basic'` and `'digest'` take the credentials from the URL.
fn auth<'js>(ctx: &Ctx<'js>, value: &Value<'js>, request: &mut Request) -> Result<()> {
    let kind = Coerced::<String>::from_js(ctx, value.clone())?.0;
    if kind != "basic" && kind != "digest" {
        let message = format!(
            "`auth: '{kind}'` is not available; there are 'basic' and 'digest', with user:password in the URL"
        );
        return Err(Exception::throw_type(ctx, &message));
    }
    let url = request.target.url();
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    let user = percent_decode(url.username());
    let password = percent_decode(url.password().unwrap_or_default());
    request.auth = Some(if kind == "basic" {
        Auth::Basic { user, password }
    } else {
        Auth::Digest { user, password }
    });
    Ok(())
}

/// The codings that `compression: 'gzip, br'` names, in the order in which they are applied.
fn compression<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<Vec<(String, Coding)>> {
    let text = Coerced::<String>::from_js(ctx, value.clone())?.0;
    let names = text.split(',').map(|name| name.trim().to_ascii_lowercase());
    names
        .filter(|name| !name.is_empty())
        .map(|name| match Coding::find(&name) {
            Some(coding) => Ok((name, coding)),
            None => {
                let message = format!(
                    "`compression: '{text}'` names `{name}`; there are {}",
                    Coding::NAMES.join(", ")
                );
                Err(Exception::throw_type(ctx, &message))
            }
        })
        .collect()
}

/// Compresses the body. A `Content-Encoding` that the script gives itself stays as it is.
fn compress(ctx: &Ctx<'_>, codings: &[(String, Coding)], request: &mut Request) -> Result<()> {
    if request.body.is_empty() || codings.is_empty() {
        return Ok(());
    }
    for (name, coding) in codings {
        let encoded = coding.encode(&request.body);
        request.body = encoded.map_err(|error| {
            Exception::throw_message(ctx, &format!("cannot compress the body with {name}: {error}"))
        })?;
    }
    let names: Vec<&str> = codings.iter().map(|(name, _)| name.as_str()).collect();
    // The names are those of a fixed list.
    if let Ok(value) = HeaderValue::from_str(&names.join(", ")) {
        request.headers.entry(header::CONTENT_ENCODING).or_insert(value);
    }
    Ok(())
}

/// Undoes the percent-encoding of a URL's user information.
fn percent_decode(text: &str) -> String {
    // `form_urlencoded` also turns `+` into a space; user information does not.
    let pair = text.replace('+', "%2B");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(name, _)| name.into_owned())
        .unwrap_or_default()
}

fn response_type<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<ResponseType> {
    match Coerced::<String>::from_js(ctx, value.clone())?.0.as_str() {
        "text" => Ok(ResponseType::Text),
        "binary" => Ok(ResponseType::Binary),
        "none" => Ok(ResponseType::None),
        other => {
            let message = format!("`responseType: '{other}'` must be 'text', 'binary' or 'none'");
            Err(Exception::throw_type(ctx, &message))
        }
    }
}

/// The body of a request as the script that sent it sees it again.
pub fn shown_body(body: &Bytes) -> String {
    String::from_utf8_lossy(body).into_owned()
}
