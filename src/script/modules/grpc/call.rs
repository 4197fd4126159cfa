//! A unary call: what it sends, what it counts as, and what the script gets of it. Streams share the counting.

use std::{rc::Rc, sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderMap, Method as HttpMethod};
use prost_reflect::DynamicMessage;
use rquickjs::{Array, Ctx, Exception, Function, Object, Result, String as JsString, Value};

use super::{params::CallParams, value};
use crate::{
    metrics::{Proto, RequestSpan, SpanIds, SystemTag, TagsId, builtin},
    net::grpc::{self, Call, Channel, Code, Exchange, Method, Queue, Status},
    script::host::Host,
};

/// What calls of one method on one channel count as.
pub struct Counting {
    pub host: Rc<Host>,
    pub channel: Rc<Channel>,
    /// Run, scenario and group tags, those of the call, and its address, service, method and name.
    pub tags: TagsId,
    path: String,
    started: Instant,
    ids: Option<SpanIds>,
}

impl Counting {
    /// A call of `path` that begins now. It gets an identity if there are traces.
    pub fn begin(
        host: &Rc<Host>,
        channel: &Rc<Channel>,
        call: &mut Call,
        tags: &[(String, String)],
    ) -> Counting {
        let path = call.path.as_str().to_owned();
        let (service, method) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
        let url = format!("{}{path}", channel.address());
        let mut pairs: Vec<(&str, &str)> = tags
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let named = tags.iter().any(|(key, _)| key == SystemTag::Name.as_str());
        for (tag, text) in [
            (SystemTag::Url, url.as_str()),
            (SystemTag::Service, service),
            (SystemTag::Method, method),
            (SystemTag::Name, if named { "" } else { &path }),
        ] {
            if !text.is_empty() && host.workshop.registry.system_tags().contains(tag) {
                pairs.push((tag.as_str(), text));
            }
        }
        let tags = host.context_with(&pairs);
        let ids = call.trace(&host.client);
        Counting {
            host: host.clone(),
            channel: channel.clone(),
            tags,
            path,
            started: Instant::now(),
            ids,
        }
    }

    /// The call has ended.
    pub fn end(&self, status: &Status, answered: bool) {
        let host = &self.host;
        let ended = Instant::now();
        let code = (status.code as u8).to_string();
        let remote = self.channel.remote();
        let ip = remote.map(|remote| remote.ip().to_string()).unwrap_or_default();
        let on = host.workshop.registry.system_tags();
        let pairs: Vec<(&str, &str)> = [(SystemTag::Status, code.as_str()), (SystemTag::Ip, &ip)]
            .iter()
            .filter(|(tag, text)| !text.is_empty() && on.contains(*tag))
            .map(|(tag, text)| (tag.as_str(), *text))
            .collect();
        let tags = host.workshop.recorder.context(self.tags, &pairs);
        let took = ended.duration_since(self.started);
        host.record(builtin::GRPC_REQ_DURATION, tags, took.as_secs_f64() * 1000.0);
        if let (Some(trail), Some(ids)) = (&host.trail, self.ids) {
            let epoch = &host.workshop.epoch;
            let times = (epoch.nanos(self.started), epoch.nanos(ended));
            let failed = !status.is_ok();
            trail.request(ids, times, failed, || RequestSpan {
                tags,
                url: self.channel.url(&self.path).into(),
                method: HttpMethod::POST,
                status: if answered { 200 } else { 0 },
                error_code: 0,
                failed,
                proto: if answered { Proto::Http2 } else { Proto::None },
                remote,
                resends: 0,
                // It is no request of `http_req_duration`.
                times: None,
            });
        }
    }

    /// Counts what went over the wire since the last time.
    pub fn book(&self) {
        self.host.add_bytes(self.channel.take_bytes());
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.book();
    }
}

/// A unary call that is ready to be made.
pub struct Unary {
    counting: Counting,
    method: Arc<Method>,
    call: Call,
    /// The message, or why it cannot go out.
    frame: std::result::Result<Bytes, Status>,
    discard: bool,
}

impl Unary {
    /// A call with this request.
    pub fn prepare<'js>(
        ctx: &Ctx<'js>,
        host: &Rc<Host>,
        channel: &Rc<Channel>,
        method: Arc<Method>,
        request: Option<&Value<'js>>,
        params: CallParams,
    ) -> Result<Unary> {
        let Some(request) = request.filter(|value| !value.is_undefined() && !value.is_null()) else {
            return Err(Exception::throw_message(ctx, "request cannot be nil"));
        };
        let message = encode(ctx, &method, request)?.map_err(|error| {
            let message = format!("unable to serialise request object to protocol buffer: {error}");
            Exception::throw_message(ctx, &message)
        })?;
        let mut call = Call {
            path: method.path().clone(),
            metadata: params.metadata,
            timeout: params.timeout,
        };
        let counting = Counting::begin(host, channel, &mut call, &params.tags);
        Ok(Unary {
            frame: channel.frame(&message),
            counting,
            method,
            call,
            discard: params.discard,
        })
    }

    /// Makes the call.
    pub async fn run(self) -> Done {
        let (channel, output) = (&self.counting.channel, self.method.output());
        let mut done = Done {
            status: Status::new(Code::Ok, ""),
            message: None,
            headers: HeaderMap::new(),
            trailers: HeaderMap::new(),
        };
        let mut message = DynamicMessage::new(output.clone());
        match self.frame {
            Err(status) => done.status = status,
            Ok(frame) => {
                let mut exchange = Exchange::new(channel, self.call, Queue::of(frame));
                let (bytes, status) = exchange.unary().await;
                done.status = status;
                if let Some(bytes) = bytes.filter(|_| !self.discard) {
                    match DynamicMessage::decode(output, bytes) {
                        Ok(decoded) => message = decoded,
                        Err(error) => done.status = unreadable(&error.to_string()),
                    }
                }
                done.headers = std::mem::take(&mut exchange.headers);
                done.trailers = std::mem::take(&mut exchange.trailers);
            }
        }
        done.message = (!self.discard).then_some(message);
        let answered = !done.headers.is_empty() || !done.trailers.is_empty();
        self.counting.end(&done.status, answered);
        done
    }
}

/// A message that is not what its type says.
pub fn unreadable(why: &str) -> Status {
    Status::new(
        Code::Internal,
        format!("grpc: failed to unmarshal the received message: {why}"),
    )
}

/// A script's value as the message that a method takes. The inner error says what does not fit.
pub fn encode<'js>(
    ctx: &Ctx<'js>,
    method: &Method,
    value: &Value<'js>,
) -> Result<std::result::Result<DynamicMessage, String>> {
    let json = if method.takes_floats() {
        // JSON says neither NaN nor infinity; protobuf's mapping has words for them.
        let spell = |_key: Value<'js>, value: Value<'js>| match value.as_number() {
            Some(number) if !number.is_finite() => {
                let word = if number.is_nan() {
                    "NaN"
                } else if number > 0.0 {
                    "Infinity"
                } else {
                    "-Infinity"
                };
                JsString::from_str(value.ctx().clone(), word).map(JsString::into_value)
            }
            _ => Ok(value),
        };
        ctx.json_stringify_replacer(value.clone(), Function::new(ctx.clone(), spell)?)?
    } else {
        ctx.json_stringify(value.clone())?
    };
    let Some(json) = json else {
        return Ok(Err(format!("a {} is no message", value.type_name())));
    };
    Ok(grpc::from_json(method.input(), &json.to_string()?))
}

/// What came of a unary call.
pub struct Done {
    pub status: Status,
    message: Option<DynamicMessage>,
    headers: HeaderMap,
    trailers: HeaderMap,
}

impl Done {
    /// The same as the script sees it. A call that failed has the empty message, as in the dialect.
    pub fn deliver<'js>(&self, ctx: &Ctx<'js>, method: &Method) -> Result<Object<'js>> {
        let object = Object::new(ctx.clone())?;
        object.set("status", self.status.code as u8)?;
        object.set(
            "message",
            match &self.message {
                Some(message) => value::message(ctx, message)?,
                None => Value::new_null(ctx.clone()),
            },
        )?;
        object.set(
            "error",
            if self.status.is_ok() {
                Value::new_null(ctx.clone())
            } else {
                error(ctx, &self.status, method)?.into_value()
            },
        )?;
        object.set("headers", metadata(ctx, &self.headers)?)?;
        object.set("trailers", metadata(ctx, &self.trailers)?)?;
        Ok(object)
    }
}

/// A failure as scripts see it: `{ code, message, details }`.
pub fn error<'js>(ctx: &Ctx<'js>, status: &Status, method: &Method) -> Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    object.set("code", status.code as u8)?;
    object.set("message", status.message.as_str())?;
    let details = Array::new(ctx.clone())?;
    let output = method.output();
    let known = grpc::details(status, Some(output.parent_pool()));
    for (index, (address, message)) in known.iter().enumerate() {
        details.set(index, value::packed(ctx, address, message)?)?;
    }
    object.set("details", details)?;
    Ok(object)
}

fn metadata<'js>(ctx: &Ctx<'js>, headers: &HeaderMap) -> Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    for (key, values) in grpc::shown(headers) {
        let texts: Vec<String> = values
            .iter()
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect();
        object.set(key, texts)?;
    }
    Ok(object)
}
