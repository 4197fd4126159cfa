//! `http.batch`: several requests at once, from a list or a map of them.

use std::{collections::HashMap, rc::Rc};

use futures_util::future::join_all;
use rquickjs::{Array, Ctx, Exception, Object, Result, Value};
use tokio::sync::Semaphore;

use super::{Tally, deliver, params, refused};
use crate::{
    net::{NetError, Request, Response},
    script::host::Host,
};

type Prepared = std::result::Result<(Request, params::Call), (String, NetError)>;

/// Sends all requests, at most `batch` at a time and `batchPerHost` to one host; the responses come in the
/// shape of the requests: a list for a list, a map for a map.
pub fn batch<'js>(ctx: &Ctx<'js>, host: &Rc<Host>, requests: &Value<'js>) -> Result<Value<'js>> {
    host.require_running(ctx, "making HTTP requests")?;
    if let Some(list) = requests.as_array() {
        let prepared: Result<Vec<Prepared>> = list
            .iter::<Value>()
            .map(|item| prepare(ctx, host, &item?))
            .collect();
        let responses = Array::new(ctx.clone())?;
        for (i, response) in send_all(ctx, host, prepared?)?.into_iter().enumerate() {
            responses.set(i, response)?;
        }
        return Ok(responses.into_value());
    }
    let Some(map) = requests.as_object() else {
        return Err(Exception::throw_type(
            ctx,
            "batch() takes a list or an object of requests",
        ));
    };
    let mut names = Vec::new();
    let mut prepared = Vec::new();
    for entry in map.props::<String, Value>() {
        let (name, item) = entry?;
        prepared.push(prepare(ctx, host, &item)?);
        names.push(name);
    }
    let responses = Object::new(ctx.clone())?;
    for (name, response) in names.into_iter().zip(send_all(ctx, host, prepared)?) {
        responses.set(name, response)?;
    }
    Ok(responses.into_value())
}

/// One entry: a URL, `[method, url, body, params]`, or `{ method, url, body, params }`.
fn prepare<'js>(ctx: &Ctx<'js>, host: &Rc<Host>, item: &Value<'js>) -> Result<Prepared> {
    if let Some(list) = item.as_array() {
        let method: String = list.get(0)?;
        let optional = |i: usize| -> Result<Option<Value<'js>>> { list.get(i) };
        return params::prepare(ctx, host, &method, &list.get(1)?, optional(2)?, optional(3)?);
    }
    if let Some(object) = item.as_object()
        && !object.contains_key("name")?
        && object.contains_key("url")?
    {
        let method = object
            .get::<_, Option<String>>("method")?
            .unwrap_or_else(|| "GET".to_owned());
        let url: Value = object.get("url")?;
        return params::prepare(
            ctx,
            host,
            &method,
            &url,
            object.get("body")?,
            object.get("params")?,
        );
    }
    params::prepare(ctx, host, "GET", item, None, None)
}

fn send_all<'js>(ctx: &Ctx<'js>, host: &Rc<Host>, prepared: Vec<Prepared>) -> Result<Vec<Value<'js>>> {
    let all = Semaphore::new(host.workshop.http.batch.max(1));
    let mut hosts: HashMap<String, Rc<Semaphore>> = HashMap::new();
    let per_host = match host.workshop.http.batch_per_host {
        0 => Semaphore::MAX_PERMITS,
        limit => limit,
    };
    let sends = prepared.into_iter().map(|prepared| {
        let (request, call) = match prepared {
            Ok(prepared) => prepared,
            Err(refusal) => {
                return Box::pin(async { Err(refusal) }) as std::pin::Pin<Box<dyn Future<Output = _>>>;
            }
        };
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
            let response: Response = host.client.send(request, &mut |hop| tally.hop(hop)).await;
            Ok((response, call))
        })
    });
    let sends: Vec<_> = sends.collect();
    let responses: Vec<std::result::Result<(Response, params::Call), (String, NetError)>> =
        host.wait_for(ctx, join_all(sends))?;
    let responses = responses.into_iter().map(|response| match response {
        Ok((response, call)) => deliver(ctx, host, response, &call),
        Err((url, error)) => refused(ctx, host, &url, error),
    });
    responses.collect()
}
