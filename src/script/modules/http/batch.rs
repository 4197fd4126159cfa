//! `http.batch`: several requests at once, from a list or a map of them.

use std::{collections::HashMap, rc::Rc};

use futures_util::future::join_all;
use rquickjs::{Array, Class, Ctx, Exception, Object, Result, Value};
use tokio::sync::Semaphore;

use super::{TEMPLATED, Tally, deliver, params, refused, response::Response};
use crate::{
    net::{NetError, Request},
    script::host::Host,
};

type Prepared = std::result::Result<(Request, params::Call), (String, NetError)>;

/// Sends all requests, at most `batch` at a time and `batchPerHost` to one host; the responses come in the
/// shape of the requests: a list for a list, a map for a map.
///
/// As in the dialect one request that is refused keeps all from being sent: those before it have empty Responses, it has
/// the error, and there are none after it.
pub fn batch<'js>(ctx: &Ctx<'js>, host: &Rc<Host>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    host.require_running(ctx, "making HTTP requests")?;
    let requests = match arguments {
        [] => {
            let message = "no argument was provided to http.batch()";
            return Err(Exception::throw_message(ctx, message));
        }
        [requests] => requests,
        _ => {
            let message = "http.batch() accepts only an array or an object of requests";
            return Err(Exception::throw_message(ctx, message));
        }
    };
    if let Some(list) = requests.as_array() {
        let items: Result<Vec<Value>> = list.iter::<Value>().collect();
        let (items, responses) = (items?, Array::new(ctx.clone())?);
        let count = items.len();
        let mut came = answers(ctx, host, items)?.into_iter();
        for i in 0..count {
            responses.set(i, came.next().unwrap_or_else(|| Value::new_null(ctx.clone())))?;
        }
        return Ok(responses.into_value());
    }
    let Some(map) = requests.as_object().filter(|object| !object.is_function()) else {
        return Err(Exception::throw_type(
            ctx,
            "batch() takes a list or an object of requests",
        ));
    };
    let (mut names, mut items) = (Vec::new(), Vec::new());
    for entry in map.props::<String, Value>() {
        let (name, item) = entry?;
        names.push(name);
        items.push(item);
    }
    let responses = Object::new(ctx.clone())?;
    for (name, response) in names.into_iter().zip(answers(ctx, host, items)?) {
        responses.set(name, response)?;
    }
    Ok(responses.into_value())
}

/// The responses, in the order of the requests.
fn answers<'js>(ctx: &Ctx<'js>, host: &Rc<Host>, items: Vec<Value<'js>>) -> Result<Vec<Value<'js>>> {
    let mut prepared = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        match prepare(ctx, host, item)? {
            Ok(request) => prepared.push(request),
            Err((url, error)) => {
                let blank = || Response::refused(String::new(), NetError::new(0, ""));
                let mut responses: Vec<Value> = (0..index)
                    .map(|_| Ok(Class::instance(ctx.clone(), blank())?.into_value()))
                    .collect::<Result<_>>()?;
                responses.push(refused(ctx, host, url, error)?);
                return Ok(responses);
            }
        }
    }
    send_all(ctx, host, prepared)
}

/// One entry: a URL, `[method, url, body, params]`, or `{ method, url, body, params }`.
fn prepare<'js>(ctx: &Ctx<'js>, host: &Rc<Host>, item: &Value<'js>) -> Result<Prepared> {
    let refused = |what: &str| Ok(Err((String::new(), NetError::new(0, what.to_owned()))));
    if let Some(list) = item.as_array() {
        if list.len() < 2 {
            return refused("invalid batch request: a list needs a method and a URL");
        }
        let Some(method) = text_of(&list.get(0)?)? else {
            return refused("invalid method type in a batch request: it must be text");
        };
        let optional = |i: usize| -> Result<Option<Value<'js>>> { list.get(i) };
        return params::prepare(ctx, host, &method, &list.get(1)?, optional(2)?, optional(3)?);
    }
    let object = item.as_object().filter(|object| !object.is_function());
    if let Some(object) = object
        && !object.contains_key(TEMPLATED)?
        && (object.contains_key("url")? || is_plain(ctx, object)?)
    {
        if !object.contains_key("url")? {
            return refused("a batch request doesn't have a url key");
        }
        let (mut method, mut body) = ("GET".to_owned(), object.get::<_, Option<Value>>("body")?);
        if object.contains_key("method")? {
            let Some(given) = text_of(&object.get("method")?)? else {
                return refused("invalid method type in a batch request: it must be text");
            };
            method = given.to_ascii_uppercase();
            if method == "GET" || method == "HEAD" {
                body = None;
            }
        }
        let url: Value = object.get("url")?;
        return params::prepare(ctx, host, &method, &url, body, object.get("params")?);
    }
    params::prepare(ctx, host, "GET", item, None, None)
}

fn text_of(value: &Value<'_>) -> Result<Option<String>> {
    value.as_string().map(rquickjs::String::to_string).transpose()
}

/// Whether it is an object as `{}` makes it, not one that may turn into a URL, such as `new URL(…)`.
fn is_plain<'js>(ctx: &Ctx<'js>, object: &Object<'js>) -> Result<bool> {
    let plain: Object = ctx.globals().get::<_, Object>("Object")?.get("prototype")?;
    Ok(object.get_prototype().is_none_or(|prototype| prototype == plain))
}

fn send_all<'js>(
    ctx: &Ctx<'js>,
    host: &Rc<Host>,
    prepared: Vec<(Request, params::Call)>,
) -> Result<Vec<Value<'js>>> {
    let all = Semaphore::new(host.workshop.http.batch.max(1));
    let mut hosts: HashMap<String, Rc<Semaphore>> = HashMap::new();
    let per_host = match host.workshop.http.batch_per_host {
        0 => Semaphore::MAX_PERMITS,
        limit => limit,
    };
    let sends = prepared.into_iter().map(|(request, call)| {
        let authority = format!("{}:{}", request.target.host(), request.target.port());
        let own = hosts
            .entry(authority)
            .or_insert_with(|| Rc::new(Semaphore::new(per_host)))
            .clone();
        let all = &all;
        Box::pin(async move {
            // Neither is ever closed, so both always give a permit.
            let _own = own.acquire().await;
            let _all = all.acquire().await;
            if let Some(throttle) = &host.workshop.http.throttle {
                throttle.turn().await;
            }
            let mut tally = Tally::new(host, &call);
            let response = host.client.send(request, &mut |hop| tally.hop(hop)).await;
            (response, call)
        })
    });
    let sends: Vec<_> = sends.collect();
    let responses = host.wait_for(ctx, join_all(sends))?;
    let responses = responses
        .into_iter()
        .map(|(response, call)| deliver(ctx, host, response, &call));
    responses.collect()
}
