//! From the arguments of `http.get(url, params)` to a request and how to count it.

use std::{rc::Rc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use rquickjs::{Class, Coerced, Ctx, FromJs, Object, Result, Value};

use super::{body, jar::CookieJar, ranges_of};
use crate::{
    metrics::{NameId, TagSet, TagsId},
    net::{Auth, Coding, JarChoice, NetError, Request, RequestCookie, code},
    pace::parse_duration,
    script::{
        expected::Expected,
        host::Host,
        modules::{
            metrics::tag_pairs,
            refusal::{Checked, Refusal},
        },
    },
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
    /// The metadata of its samples.
    pub metadata: Option<TagSet>,
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

/// Reads the arguments of a request. What it refuses is answered with an error Response.
pub fn prepare<'js>(
    ctx: &Ctx<'js>,
    host: &Rc<Host>,
    method: &str,
    url: &Value<'js>,
    body: Option<Value<'js>>,
    params: Option<Value<'js>>,
) -> Result<std::result::Result<(Request, Call), (String, NetError)>> {
    let (url, template) = match url_of(ctx, url) {
        Ok(found) => found,
        Err(refusal) => return refused(refusal, ""),
    };
    let (target, url_name) = match host.workshop.target(&url) {
        Ok(found) => found,
        Err(error) => return Ok(Err((url, error))),
    };
    let method = match method {
        "GET" => Method::GET,
        "POST" => Method::POST,
        other => match Method::from_bytes(other.to_ascii_uppercase().as_bytes()) {
            Ok(method) => method,
            Err(_) => return refused(Refusal::new(format!("`{other}` is no HTTP method")), &url),
        },
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
        metadata: host.labels.metadata(),
        explicit_name: host
            .named
            .get()
            .or_else(|| template.map(|name| host.workshop.recorder.name(&name))),
        url_name,
        expected: None,
        response_type,
        throw: defaults.throw,
        challenged: false,
    };
    match fill(ctx, host, (body, params), &mut request, &mut call) {
        Ok(()) => Ok(Ok((request, call))),
        Err(refusal) => refused(refusal, &url),
    }
}

fn refused<T>(refusal: Refusal, url: &str) -> Result<std::result::Result<T, (String, NetError)>> {
    match refusal {
        Refusal::Thrown(error) => Err(error),
        Refusal::Refused(error) => Ok(Err((url.to_owned(), error))),
    }
}

fn fill<'js>(
    ctx: &Ctx<'js>,
    host: &Rc<Host>,
    (body, params): (Option<Value<'js>>, Option<Value<'js>>),
    request: &mut Request,
    call: &mut Call,
) -> Checked<()> {
    if let Some(body) = body
        && let Some((bytes, content_type)) = body::encode(ctx, &body)?
    {
        request.body = bytes;
        if let Some(kind) = content_type {
            request.headers.insert(header::CONTENT_TYPE, kind);
        }
    }
    if let Some(params) = params.as_ref().and_then(Value::as_object) {
        apply(ctx, host, params, request, call)?;
    }
    request.discard_body = call.response_type == ResponseType::None;
    Ok(())
}

/// A URL is text, or what `` http.url`…` `` made, or anything that turns into text (`new URL(…)`).
pub fn url_of<'js>(ctx: &Ctx<'js>, url: &Value<'js>) -> Checked<(String, Option<String>)> {
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
        let message = "invalid URL: a request needs one, and got none";
        return Err(NetError::new(code::INVALID_URL, message).into());
    }
    Ok((Coerced::<String>::from_js(ctx, url.clone())?.0, None))
}

/// Applies parameters. What is not there (`undefined`, `null`) is left out of some and is a value of others: which, is the
/// dialect's rule.
fn apply<'js>(
    ctx: &Ctx<'js>,
    host: &Rc<Host>,
    params: &Object<'js>,
    request: &mut Request,
    call: &mut Call,
) -> Checked<()> {
    let mut codings = Vec::new();
    for entry in params.props::<String, Value>() {
        let (key, value) = entry?;
        match key.as_str() {
            "headers" => match headers(ctx, &value, request) {
                // As in the dialect a request that fails, and counts.
                Err(Refusal::Refused(error)) => {
                    let flaw = NetError::new(code::GENERIC, error.message);
                    request.target = request.target.spoiled(flaw);
                }
                read => read?,
            },
            "tags" => tags(ctx, host, &value, call)?,
            "timeout" => request.timeout = timeout(&value)?,
            "redirects" => {
                let most = Coerced::<f64>::from_js(ctx, value)?.0;
                request.max_redirects = most.max(0.0) as u32;
            }
            "cookies" => cookies(ctx, &value, request)?,
            "jar" => {
                // What is no jar has no effect, as in the dialect.
                if let Ok(jar) = Class::<CookieJar>::from_js(ctx, value) {
                    request.jar = JarChoice::Explicit(jar.borrow().jar());
                }
            }
            "auth" => {
                auth(ctx, &value, request)?;
                call.challenged = matches!(request.auth, Some(Auth::Digest { .. }));
            }
            "responseType" => call.response_type = response_type(ctx, &value)?,
            "responseCallback" => {
                call.expected = Some(if value.is_undefined() {
                    Expected::Unjudged
                } else {
                    ranges_of(&value)?.ok_or_else(|| Refusal::new("unsupported responseCallback"))?
                });
            }
            "throw" => call.throw = Coerced::<bool>::from_js(ctx, value)?.0,
            "compression" => codings = compression(ctx, &value)?,
            // The dialect ignores what it does not know.
            _ => {}
        }
    }
    compress(&codings, request)?;
    if !request.headers.is_empty() {
        measure(host, request);
    }
    Ok(())
}

/// The dialect says itself how long a body is: a length that the script gives is dropped, and told of if it is another.
fn measure(host: &Host, request: &mut Request) {
    let Some(given) = request.headers.remove(header::CONTENT_LENGTH) else {
        return;
    };
    let length = given.to_str().ok().and_then(|text| text.parse::<usize>().ok());
    if length != Some(request.body.len()) {
        let (method, url, real) = (&request.method, request.target.as_str(), request.body.len());
        host.workshop.warn_once(&format!("Content-Length of {url}"), || {
            format!(
                "The specified Content-Length header {given:?} in the {method} request for {url} doesn't match the \
                 actual request body length of {real}, so it will be ignored! (said once for this URL)"
            )
        });
    }
}

pub fn headers<'js>(ctx: &Ctx<'js>, value: &Value<'js>, request: &mut Request) -> Checked<()> {
    let Some(object) = value.as_object() else {
        return Ok(());
    };
    for entry in object.props::<String, Value>() {
        let (name, value) = entry?;
        let text = Coerced::<String>::from_js(ctx, value)?.0;
        let parsed = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(text.as_bytes()),
        );
        let (Ok(name), Ok(value)) = parsed else {
            let message = format!("the header `{name}` has a name or a value that HTTP forbids");
            return Err(Refusal::new(message));
        };
        request.headers.insert(name, value);
    }
    Ok(())
}

fn tags<'js>(ctx: &Ctx<'js>, host: &Rc<Host>, value: &Value<'js>, call: &mut Call) -> Checked<()> {
    let pairs =
        tag_pairs(ctx, value).map_err(|refusal| refusal.within("invalid HTTP request metric tags: "))?;
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

pub fn timeout(value: &Value<'_>) -> Checked<Duration> {
    let parsed = match (value.as_number(), value.as_string()) {
        (Some(ms), _) => Duration::try_from_secs_f64(ms / 1000.0).map_err(|e| e.to_string()),
        (None, Some(text)) => parse_duration(&text.to_string()?).map_err(|e| e.to_string()),
        (None, None) => Err(format!("unable to use {} as a duration value", value.type_name())),
    };
    match parsed {
        // No time at all means the dialect's default.
        Ok(Duration::ZERO) => Ok(Duration::from_mins(1)),
        Ok(time) => Ok(time),
        Err(why) => Err(Refusal::new(format!(
            "invalid timeout value: {why}; it must be milliseconds or text such as '10s'"
        ))),
    }
}

/// Cookies for a request: values, or objects with `value` and `replace`. Those without a value are left out.
pub fn cookies<'js>(ctx: &Ctx<'js>, value: &Value<'js>, request: &mut Request) -> Result<()> {
    let Some(object) = value.as_object() else {
        return Ok(());
    };
    for entry in object.props::<String, Value>() {
        let (name, value) = entry?;
        if value.is_undefined() || value.is_null() {
            continue;
        }
        let (value, replace) = match value.as_object() {
            Some(cookie) => {
                let text: Option<Value> = cookie.get("value")?;
                let replace: Value = cookie.get("replace")?;
                (
                    text.map_or(Ok(String::new()), |text| {
                        Coerced::<String>::from_js(ctx, text).map(|text| text.0)
                    })?,
                    Coerced::<bool>::from_js(ctx, replace)?.0,
                )
            }
            None => (Coerced::<String>::from_js(ctx, value)?.0, false),
        };
        request.cookies.push(RequestCookie { name, value, replace });
    }
    Ok(())
}

/// `auth: 'basic'` and `'digest'` take the credentials from the URL; what the dialect does not know has no effect.
fn auth<'js>(ctx: &Ctx<'js>, value: &Value<'js>, request: &mut Request) -> Checked<()> {
    let kind = Coerced::<String>::from_js(ctx, value.clone())?.0;
    match kind.as_str() {
        "basic" | "digest" => {}
        "ntlm" => {
            let message = "`auth: 'ntlm'` is not available; there are 'basic' and 'digest'";
            return Err(Refusal::new(message));
        }
        _ => return Ok(()),
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
fn compression<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Checked<Vec<(String, Coding)>> {
    let text = Coerced::<String>::from_js(ctx, value.clone())?.0;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let names = text.split(',').map(str::trim);
    names
        .map(|name| match Coding::find(name) {
            Some(coding) => Ok((name.to_owned(), coding)),
            None => Err(Refusal::new(format!(
                "unknown compression algorithm {name}, supported algorithms are {}",
                Coding::NAMES.join(", ")
            ))),
        })
        .collect()
}

/// Compresses the body. A `Content-Encoding` that the script gives itself stays as it is.
fn compress(codings: &[(String, Coding)], request: &mut Request) -> Checked<()> {
    if request.body.is_empty() || codings.is_empty() {
        return Ok(());
    }
    for (name, coding) in codings {
        let encoded = coding.encode(&request.body);
        request.body = encoded
            .map_err(|error| Refusal::new(format!("cannot compress the body with {name}: {error}")))?;
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

fn response_type<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Checked<ResponseType> {
    match Coerced::<String>::from_js(ctx, value.clone())?.0.as_str() {
        "text" => Ok(ResponseType::Text),
        "binary" => Ok(ResponseType::Binary),
        "none" => Ok(ResponseType::None),
        other => Err(Refusal::new(format!(
            "`responseType: '{other}'` must be 'text', 'binary' or 'none'"
        ))),
    }
}

/// The body of a request as the script that sent it sees it again.
pub fn shown_body(body: &Bytes) -> String {
    String::from_utf8_lossy(body).into_owned()
}
