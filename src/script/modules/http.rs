//! The module `k6/http`: requests, batches, cookies, expected statuses.

mod batch;
mod body;
mod file;
mod follow;
pub(super) mod jar;
pub(super) mod params;
pub(super) mod response;

use std::rc::Rc;

use rquickjs::{
    Class, Ctx, Exception, Function, IntoJs, Object, Persistent, Promise, Result, Value,
    function::{Constructor, Opt, Rest},
    module::{Declarations, Exports, ModuleDef},
    object::Property,
};

use self::{jar::CookieJar, params::Call, response::Response};
use super::Shelf;
use crate::{
    net::{self, Hop, NetError},
    script::{expected::Expected, host::Host},
};

/// The module `k6/http`.
pub struct Http;

/// Name in JavaScript, HTTP method, and whether the second argument is a body.
const VERBS: [(&str, &str, bool); 7] = [
    ("get", "GET", false),
    ("head", "HEAD", false),
    ("post", "POST", true),
    ("put", "PUT", true),
    ("patch", "PATCH", true),
    ("del", "DELETE", true),
    ("options", "OPTIONS", true),
];
const OTHERS: [&str; 10] = [
    "request",
    "asyncRequest",
    "batch",
    "url",
    "file",
    "cookieJar",
    "CookieJar",
    "expectedStatuses",
    "setResponseCallback",
    "default",
];

/// What `tls_version` and `ocsp` of a Response are compared with.
const CONSTANTS: [(&str, &str); 19] = [
    ("SSL_3_0", "ssl3.0"),
    ("TLS_1_0", "tls1.0"),
    ("TLS_1_1", "tls1.1"),
    ("TLS_1_2", "tls1.2"),
    ("TLS_1_3", "tls1.3"),
    ("OCSP_STATUS_GOOD", "good"),
    ("OCSP_STATUS_REVOKED", "revoked"),
    ("OCSP_STATUS_SERVER_FAILED", "server_failed"),
    ("OCSP_STATUS_UNKNOWN", "unknown"),
    ("OCSP_REASON_UNSPECIFIED", "unspecified"),
    ("OCSP_REASON_KEY_COMPROMISE", "key_compromise"),
    ("OCSP_REASON_CA_COMPROMISE", "ca_compromise"),
    ("OCSP_REASON_AFFILIATION_CHANGED", "affiliation_changed"),
    ("OCSP_REASON_SUPERSEDED", "superseded"),
    ("OCSP_REASON_CESSATION_OF_OPERATION", "cessation_of_operation"),
    ("OCSP_REASON_CERTIFICATE_HOLD", "certificate_hold"),
    ("OCSP_REASON_REMOVE_FROM_CRL", "remove_from_crl"),
    ("OCSP_REASON_PRIVILEGE_WITHDRAWN", "privilege_withdrawn"),
    ("OCSP_REASON_AA_COMPROMISE", "aa_compromise"),
];

impl ModuleDef for Http {
    fn declare(declare: &Declarations<'_>) -> Result<()> {
        let constants = CONSTANTS.iter().map(|(name, _)| *name);
        for name in VERBS
            .iter()
            .map(|(name, ..)| *name)
            .chain(OTHERS)
            .chain(constants)
        {
            declare.declare(name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let host = Host::of(ctx)?;
        let shelf = Shelf::new(ctx, exports)?;
        for (name, method, has_body) in VERBS {
            let me = host.clone();
            let verb =
                move |ctx: Ctx<'js>, url: Value<'js>, second: Opt<Value<'js>>, third: Opt<Value<'js>>| {
                    let (body, params) = if has_body {
                        (second.0, third.0)
                    } else {
                        (None, second.0)
                    };
                    request(&ctx, &me, method, &url, body, params)
                };
            shelf.function(name, verb)?;
        }
        let me = host.clone();
        shelf.function(
            "request",
            move |ctx: Ctx<'js>, method: String, url: Value<'js>, rest: Rest<Value<'js>>| {
                let mut rest = rest.0.into_iter();
                request(&ctx, &me, &method, &url, rest.next(), rest.next())
            },
        )?;
        let me = host.clone();
        shelf.function(
            "asyncRequest",
            move |ctx: Ctx<'js>, method: String, url: Value<'js>, rest: Rest<Value<'js>>| {
                let mut rest = rest.0.into_iter();
                async_request(&ctx, &me, &method, &url, rest.next(), rest.next())
            },
        )?;
        let me = host.clone();
        shelf.function("batch", move |ctx: Ctx<'js>, requests: Rest<Value<'js>>| {
            batch::batch(&ctx, &me, &requests.0)
        })?;
        for (name, value) in CONSTANTS {
            shelf.value(name, value.into_js(ctx)?)?;
        }
        shelf.function("url", template_url)?;
        shelf.function("file", file::file)?;
        let me = host.clone();
        shelf.function("cookieJar", move |ctx: Ctx<'js>| {
            Class::instance(ctx, CookieJar::new(me.client.jar().clone()))
        })?;
        let make_jar = |ctx: Ctx<'js>| Class::instance(ctx, CookieJar::new(net::Jar::new()));
        shelf.value(
            "CookieJar",
            Constructor::new_class::<CookieJar, _, _>(ctx.clone(), make_jar)?.into_value(),
        )?;
        shelf.function("expectedStatuses", expected_statuses)?;
        let me = host.clone();
        shelf.function(
            "setResponseCallback",
            move |ctx: Ctx<'js>, callback: Opt<Value<'js>>| -> Result<()> {
                let expected = expected_of(&ctx, callback.0)?;
                me.expected.replace(expected);
                Ok(())
            },
        )?;
        shelf.finish()
    }
}

/// Sends one request and waits for its response.
fn request<'js>(
    ctx: &Ctx<'js>,
    host: &Rc<Host>,
    method: &str,
    url: &Value<'js>,
    body: Option<Value<'js>>,
    params: Option<Value<'js>>,
) -> Result<Value<'js>> {
    host.require_running(ctx, "making HTTP requests")?;
    let (request, call) = match params::prepare(ctx, host, method, url, body, params)? {
        Ok(prepared) => prepared,
        Err((url, error)) => return refused(ctx, host, url, error),
    };
    let mut tally = Tally::new(host, &call);
    if let Some(throttle) = &host.workshop.http.throttle {
        host.wait_for(ctx, throttle.turn())?;
    }
    let response = host.wait_for(ctx, host.client.send(request, &mut |hop| tally.hop(hop)))?;
    deliver(ctx, host, response, &call)
}

/// Sends one request; the promise is settled when its response is there.
fn async_request<'js>(
    ctx: &Ctx<'js>,
    host: &Rc<Host>,
    method: &str,
    url: &Value<'js>,
    body: Option<Value<'js>>,
    params: Option<Value<'js>>,
) -> Result<Promise<'js>> {
    host.require_running(ctx, "making HTTP requests")?;
    let (promise, resolve, reject) = Promise::new(ctx)?;
    let (request, call) = match params::prepare(ctx, host, method, url, body, params)? {
        Ok(prepared) => prepared,
        Err((url, error)) => {
            match refused(ctx, host, url, error) {
                Ok(response) => resolve.call::<_, ()>((response,))?,
                Err(_) => reject.call::<_, ()>((ctx.catch(),))?,
            }
            return Ok(promise);
        }
    };
    let settle = (Persistent::save(ctx, resolve), Persistent::save(ctx, reject));
    let (me, client) = (host.clone(), host.client.clone());
    host.events.spawn(async move {
        let mut tally = Tally::new(&me, &call);
        if let Some(throttle) = &me.workshop.http.throttle {
            throttle.turn().await;
        }
        let response = client.send(request, &mut |hop| tally.hop(hop)).await;
        let me = me.clone();
        Box::new(move |ctx: &Ctx<'_>| {
            let (resolve, reject): (Function, Function) = (settle.0.restore(ctx)?, settle.1.restore(ctx)?);
            match deliver(ctx, &me, response, &call) {
                Ok(response) => resolve.call((response,)),
                Err(_) => reject.call((ctx.catch(),)),
            }
        }) as crate::script::events::Settle
    });
    Ok(promise)
}

/// Records the transactions of one call.
struct Tally<'a> {
    host: &'a Host,
    call: &'a Call,
    hops: u32,
}

impl<'a> Tally<'a> {
    fn new(host: &'a Host, call: &'a Call) -> Tally<'a> {
        Tally { host, call, hops: 0 }
    }

    fn hop(&mut self, hop: &Hop<'_>) {
        let (host, call) = (self.host, self.call);
        let recorder = &host.workshop.recorder;
        let name = match call.explicit_name {
            Some(name) => name,
            None if self.hops == 0 => call.url_name,
            None => recorder.url_name(hop.url),
        };
        self.hops += 1;
        let expected = match &call.expected {
            // The dialect expects a challenge first, and nothing else.
            _ if call.challenged && self.hops == 1 => Some(hop.status == 401),
            Some(expected) => expected.judge(hop.status),
            None => host.expected.borrow().judge(hop.status),
        };
        let epoch = &host.workshop.epoch;
        let tags = host.remarked(call.metadata.as_ref(), || {
            recorder.http(hop.series(call.context, name, expected), hop.record(epoch))
        });
        if let (Some(trail), Some(ids)) = (&host.trail, hop.trace) {
            let failed = hop.failed(expected);
            let times = (epoch.nanos(hop.started), epoch.nanos(hop.ended));
            trail.request(ids, times, failed, || {
                hop.span(epoch, tags, failed, self.hops - 1)
            });
        }
        host.add_bytes_at((hop.sent, hop.received), epoch.nanos(hop.ended));
    }
}

/// Turns a response into what the script gets: a Response, or an exception where `throw` is on.
fn deliver<'js>(ctx: &Ctx<'js>, host: &Host, response: net::Response, call: &Call) -> Result<Value<'js>> {
    if let Some(error) = &response.error {
        host.workshop.complain(error, response.url());
        if call.throw {
            return Err(Exception::throw_message(
                ctx,
                &format!("{}: {error}", response.url()),
            ));
        }
    }
    Ok(Class::instance(ctx.clone(), Response::new(response, call))?.into_value())
}

/// A request that could not even be built: an error Response, or an exception where `throw` is on.
fn refused<'js>(ctx: &Ctx<'js>, host: &Host, url: String, error: NetError) -> Result<Value<'js>> {
    if host.workshop.http.throw {
        return Err(Exception::throw_message(ctx, &format!("{url}: {error}")));
    }
    if error.code == 0 {
        // Every request with such arguments is refused, wherever it goes.
        host.workshop.warn_once(&error.message, || {
            format!("Request Failed: {url}: {error} (said once)")
        });
    } else {
        host.workshop.complain(&error, &url);
    }
    Ok(Class::instance(ctx.clone(), Response::refused(url, error))?.into_value())
}

/// How `batch` tells a URL with a name from an entry that has a `name`.
const TEMPLATED: &str = "__templated";

/// The tag function of `` http.url`http://host/users/${id}` ``: the name keeps a placeholder.
fn template_url<'js>(
    ctx: Ctx<'js>,
    strings: Vec<String>,
    values: Rest<rquickjs::Coerced<String>>,
) -> Result<Object<'js>> {
    let mut url = String::new();
    let mut name = String::new();
    for (i, part) in strings.iter().enumerate() {
        url.push_str(part);
        name.push_str(part);
        if let Some(value) = values.0.get(i) {
            url.push_str(&value.0);
            name.push_str("${}");
        }
    }
    let object = Object::new(ctx)?;
    object.set("url", url)?;
    object.set("name", name)?;
    object.prop(TEMPLATED, Property::from(true))?;
    Ok(object)
}

/// `http.expectedStatuses(200, { min: 300, max: 399 })`: a plain object that [`expected_of`] reads back.
fn expected_statuses<'js>(ctx: Ctx<'js>, statuses: Rest<Value<'js>>) -> Result<Object<'js>> {
    let ranges = rquickjs::Array::new(ctx.clone())?;
    if statuses.0.is_empty() {
        return Err(Exception::throw_type(
            &ctx,
            "expectedStatuses() needs at least one status or { min, max }",
        ));
    }
    for (i, status) in statuses.0.iter().enumerate() {
        let (low, high) = match (status.as_number(), status.as_object()) {
            (Some(status), _) => (status, status),
            (None, Some(range)) => (
                range.get::<_, Option<f64>>("min")?.unwrap_or(f64::NAN),
                range.get::<_, Option<f64>>("max")?.unwrap_or(f64::NAN),
            ),
            (None, None) => (f64::NAN, f64::NAN),
        };
        let valid = |status: f64| status.fract() == 0.0 && (0.0..=999.0).contains(&status);
        if !valid(low) || !valid(high) {
            let message = format!(
                "argument {} of expectedStatuses() is neither an integer nor {{ min, max }}",
                i + 1
            );
            return Err(Exception::throw_type(&ctx, &message));
        }
        ranges.set(i, vec![low, high])?;
    }
    let object = Object::new(ctx)?;
    object.set("expected", ranges)?;
    Ok(object)
}

/// Reads what `expectedStatuses()` made; `null` turns the judgement off.
fn expected_of<'js>(ctx: &Ctx<'js>, callback: Option<Value<'js>>) -> Result<Expected> {
    let Some(callback) = callback else {
        return Ok(Expected::Unjudged);
    };
    match ranges_of(&callback)? {
        Some(expected) => Ok(expected),
        None => Err(Exception::throw_type(
            ctx,
            "a response callback must be null or made by http.expectedStatuses()",
        )),
    }
}

/// The statuses of `null` or of what `expectedStatuses()` made; `None` for anything else.
fn ranges_of(callback: &Value<'_>) -> Result<Option<Expected>> {
    if callback.is_null() {
        return Ok(Some(Expected::Unjudged));
    }
    let ranges = match callback.as_object() {
        Some(object) if !object.is_function() => object.get::<_, Option<Vec<Vec<f64>>>>("expected")?,
        _ => None,
    };
    let bound = |range: &Vec<f64>, i: usize| range.get(i).map_or(0, |status| *status as u16);
    let statuses = |ranges: Vec<Vec<f64>>| {
        let pairs = ranges.iter().map(|range| (bound(range, 0), bound(range, 1)));
        Expected::Statuses(pairs.collect())
    };
    Ok(ranges.map(statuses))
}
