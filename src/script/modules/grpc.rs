//! The module `k6/net/grpc`: a client whose methods are known from proto files or from the server, and streams.
//!
//! It follows k6 (its `js/modules/k6/grpc`): `connect` and what cannot be sent at all throw; a call that was made always
//! returns, with a status, and with an `error` unless that is `StatusOK`. Messages go in and come out as protobuf's mapping
//! to JSON has them.

mod call;
mod params;
mod stream;
mod value;

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use rquickjs::{
    Class, Coerced, Ctx, Exception, FromJs, Function, JsLifetime, Object, Persistent, Promise, Result, Value,
    class::Trace,
    function::{Constructor, Opt, Rest},
    module::{Declarations, Exports, ModuleDef},
};
use rustc_hash::FxHashMap;

use self::{
    call::{Counting, Unary},
    params::{CallParams, Connect},
    stream::Stream,
};
use super::Shelf;
use crate::{
    net::grpc::{self, Call, Channel, Code, Method, Methods, Pool, SchemaError, Status, health},
    script::{
        events::Settle,
        host::{Host, Phase},
    },
};

/// The module `k6/net/grpc`.
pub struct Grpc;

/// What `healthCheck` can say, in the order of the numbers.
const HEALTH: [&str; 4] = [
    "HealthCheckUnknown",
    "HealthCheckServing",
    "HealthCheckNotServing",
    "HealthCheckServiceUnknown",
];
/// How long a call may take unless its parameters say otherwise.
const CALLING: Duration = Duration::from_mins(2);
const NOT_CONNECTED: &str = "no gRPC connection, you must call connect first";

impl ModuleDef for Grpc {
    fn declare(declare: &Declarations<'_>) -> Result<()> {
        for name in ["Client", "Stream", "default"].iter().chain(&HEALTH) {
            declare.declare(*name)?;
        }
        for (name, _) in Code::ALL {
            declare.declare(format!("Status{name}"))?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let shelf = Shelf::new(ctx, exports)?;
        let client = Constructor::new_class::<Client, _, _>(ctx.clone(), Client::make)?;
        shelf.value("Client", client.into_value())?;
        let stream = Constructor::new_class::<Stream, _, _>(ctx.clone(), stream::make)?;
        shelf.value("Stream", stream.into_value())?;
        for (name, code) in Code::ALL {
            let number = Value::new_int(ctx.clone(), i32::from(code as u8));
            shelf.value(&format!("Status{name}"), number)?;
        }
        for (number, name) in (0..).zip(HEALTH) {
            shelf.value(name, Value::new_int(ctx.clone(), number))?;
        }
        shelf.finish()
    }
}

/// Throws unless the script is past its init phase, in the dialect's words.
fn require_running(ctx: &Ctx<'_>, host: &Host, what: &str) -> Result<()> {
    match host.phase.get() {
        Phase::Running => Ok(()),
        Phase::Init => Err(Exception::throw_message(
            ctx,
            &format!(
                "{what} in the init context is not supported: do it in setup(), teardown() or a VU function"
            ),
        )),
    }
}

/// An argument as text; nothing at all is the empty one.
fn text_of<'js>(ctx: &Ctx<'js>, value: Option<Value<'js>>) -> Result<String> {
    match value {
        Some(value) if !value.is_undefined() && !value.is_null() => {
            Ok(Coerced::<String>::from_js(ctx, value)?.0)
        }
        _ => Ok(String::new()),
    }
}

/// A client: the methods it knows, and its connection.
#[derive(Trace, JsLifetime)]
#[rquickjs::class]
pub struct Client {
    #[qjs(skip_trace)]
    host: Rc<Host>,
    #[qjs(skip_trace)]
    methods: RefCell<FxHashMap<String, Arc<Method>>>,
    #[qjs(skip_trace)]
    channel: RefCell<Option<Rc<Channel>>>,
}

impl Client {
    fn make(ctx: Ctx<'_>) -> Result<Class<'_, Client>> {
        let client = Client {
            host: Host::of(&ctx)?,
            methods: RefCell::default(),
            channel: RefCell::default(),
        };
        Class::instance(ctx, client)
    }

    /// The connection, while there is one.
    fn channel(&self) -> Option<Rc<Channel>> {
        self.channel.borrow().clone()
    }

    /// The method of this name, with or without the slash in front.
    fn method(&self, name: &str) -> std::result::Result<Arc<Method>, String> {
        if name.is_empty() {
            return Err("method to invoke cannot be empty".to_owned());
        }
        let path = format!("/{}", name.strip_prefix('/').unwrap_or(name));
        let known = self.methods.borrow().get(&path).cloned();
        known.ok_or_else(|| format!("method \"{path}\" not found in file descriptors"))
    }

    /// Keeps methods, next to those of earlier files, and tells what they are.
    fn learn<'js>(
        &self,
        ctx: &Ctx<'js>,
        methods: std::result::Result<Arc<Methods>, SchemaError>,
    ) -> Result<Vec<Object<'js>>> {
        let methods = methods.map_err(|error| Exception::throw_message(ctx, &error.to_string()))?;
        let mut known = self.methods.borrow_mut();
        let mut told = Vec::new();
        for method in methods.iter() {
            let object = Object::new(ctx.clone())?;
            object.set("package", method.package())?;
            object.set("service", method.service_name())?;
            object.set("full_method", method.path().as_str())?;
            told.push(object);
            known.insert(method.path().as_str().to_owned(), method.clone());
        }
        Ok(told)
    }

    fn require_init(&self, ctx: &Ctx<'_>) -> Result<()> {
        if self.host.phase.get() == Phase::Init {
            return Ok(());
        }
        let message = "load must be called in the init context";
        Err(Exception::throw_message(ctx, message))
    }

    fn prepare<'js>(
        &self,
        ctx: &Ctx<'js>,
        method: Opt<Value<'js>>,
        request: Opt<Value<'js>>,
        params: Opt<Value<'js>>,
    ) -> Result<(Unary, Arc<Method>)> {
        require_running(ctx, &self.host, "invoking RPC methods")?;
        let channel = self
            .channel()
            .ok_or_else(|| Exception::throw_message(ctx, NOT_CONNECTED))?;
        let method = self
            .method(&text_of(ctx, method.0)?)
            .map_err(|why| Exception::throw_message(ctx, &why))?;
        let mut params = CallParams::read(ctx, "GRPC's client.invoke()", params.0.as_ref())?;
        params.timeout.get_or_insert(CALLING);
        let (request, host) = (request.0.as_ref(), &self.host);
        let unary = Unary::prepare(ctx, host, &channel, method.clone(), request, params)?;
        Ok((unary, method))
    }
}

#[rquickjs::methods]
impl Client {
    /// Reads proto files; what they import is looked for in `folders` too. In the init context only.
    fn load<'js>(
        &self,
        ctx: Ctx<'js>,
        folders: Opt<Value<'js>>,
        files: Rest<Value<'js>>,
    ) -> Result<Vec<Object<'js>>> {
        self.require_init(&ctx)?;
        let text = |value: Value<'js>| Coerced::<String>::from_js(&ctx, value).map(|text| text.0);
        let folders = folders
            .0
            .filter(|value| !value.is_undefined() && !value.is_null());
        let folders: Vec<String> = match folders.as_ref().map(|value| (value, value.as_array())) {
            None => Vec::new(),
            Some((_, Some(list))) => list
                .iter::<Value>()
                .map(|folder| text(folder?))
                .collect::<Result<_>>()?,
            Some((_, None)) => {
                let message = "load() takes a list of folders first, such as ['protos'] or [], then the names of proto files";
                return Err(Exception::throw_type(&ctx, message));
            }
        };
        let files: Vec<String> = files.0.into_iter().map(text).collect::<Result<_>>()?;
        let program = self.host.workshop.program.clone();
        let key = format!("{folders:?} {files:?}");
        let reader = program.clone();
        let methods = program.methods(key.as_bytes(), || {
            Methods::compile(&folders, &files, move |path| reader.open(path))
        });
        self.learn(&ctx, methods)
    }

    /// Reads a set of descriptors, as `protoc --descriptor_set_out` writes it. In the init context only.
    #[qjs(rename = "loadProtoset")]
    fn load_protoset<'js>(&self, ctx: Ctx<'js>, path: String) -> Result<Vec<Object<'js>>> {
        self.require_init(&ctx)?;
        let program = self.host.workshop.program.clone();
        let bytes = program
            .open(&path)
            .map_err(|why| Exception::throw_message(&ctx, &format!("couldn't open protoset: {why}")))?;
        let methods = program.methods(format!("protoset {path}").as_bytes(), || {
            Methods::decode(&bytes).map_err(|error| {
                SchemaError::NoDescriptors(format!("couldn't unmarshal protoset file {path}: {error}"))
            })
        });
        self.learn(&ctx, methods)
    }

    /// Connects to `host:port`, and asks the server for its services if `reflect` is set.
    fn connect<'js>(&self, ctx: Ctx<'js>, address: Opt<Value<'js>>, params: Opt<Value<'js>>) -> Result<bool> {
        require_running(&ctx, &self.host, "connecting to a gRPC server")?;
        let address = text_of(&ctx, address.0)?;
        let connect = Connect::read(&ctx, address, params.0.as_ref())?;
        let throw = |what: &str| Exception::throw_message(&ctx, what);
        let host = &self.host;
        let channel = if connect.shared {
            host.workshop.channels.share(&host.client, connect.dial)
        } else {
            host.client.grpc(connect.dial)
        };
        let channel = channel.map_err(|error| throw(&error.message))?;
        let reach = async {
            channel
                .ready(connect.timeout)
                .await
                .map_err(|status| status.message)?;
            if !connect.reflect {
                return Ok(None);
            }
            let told = grpc::reflect(&channel, &connect.reflect_metadata).await;
            told.map(Some).map_err(|status| status.to_string())
        };
        let reached = self
            .host
            .wait_for(&ctx, Box::pin(tokio::time::timeout(connect.timeout, reach)));
        self.host.add_bytes(channel.take_bytes());
        let told = reached.and_then(|reached| {
            let told = reached.unwrap_or_else(|_| Err("context deadline exceeded".to_owned()));
            told.map_err(|what| throw(&what))
        });
        if told.is_err() {
            Pool::give_back(&channel);
        }
        let told = told?;
        if let Some(before) = self.channel.replace(Some(channel)) {
            Pool::give_back(&before);
        }
        if let Some(told) = told {
            let program = &self.host.workshop.program;
            let methods = program.methods(&told.bytes(), || told.methods());
            self.learn(&ctx, methods)?;
        }
        Ok(true)
    }

    /// Calls a method with one message and returns its answer.
    fn invoke<'js>(
        &self,
        ctx: Ctx<'js>,
        method: Opt<Value<'js>>,
        request: Opt<Value<'js>>,
        params: Opt<Value<'js>>,
    ) -> Result<Object<'js>> {
        let (unary, method) = self.prepare(&ctx, method, request, params)?;
        let done = self.host.wait_for(&ctx, Box::pin(unary.run()))?;
        done.deliver(&ctx, &method)
    }

    /// The same as a promise.
    #[qjs(rename = "asyncInvoke")]
    fn async_invoke<'js>(
        &self,
        ctx: Ctx<'js>,
        method: Opt<Value<'js>>,
        request: Opt<Value<'js>>,
        params: Opt<Value<'js>>,
    ) -> Result<Promise<'js>> {
        let (promise, resolve, reject) = Promise::new(&ctx)?;
        let (unary, method) = match self.prepare(&ctx, method, request, params) {
            Ok(prepared) => prepared,
            Err(error) if error.is_exception() => {
                reject.call::<_, ()>((ctx.catch(),))?;
                return Ok(promise);
            }
            Err(error) => return Err(error),
        };
        let settle = (Persistent::save(&ctx, resolve), Persistent::save(&ctx, reject));
        self.host.events.spawn(async move {
            let done = unary.run().await;
            Box::new(move |ctx: &Ctx<'_>| {
                let (resolve, reject): (Function, Function) =
                    (settle.0.restore(ctx)?, settle.1.restore(ctx)?);
                match done.deliver(ctx, &method) {
                    Ok(response) => resolve.call((response,)),
                    Err(_) => reject.call((ctx.catch(),)),
                }
            }) as Settle
        });
        Ok(promise)
    }

    /// Asks how a service is, or the whole server.
    #[qjs(rename = "healthCheck")]
    fn health_check<'js>(&self, ctx: Ctx<'js>, service: Opt<Value<'js>>) -> Result<Object<'js>> {
        require_running(&ctx, &self.host, "invoking RPC methods")?;
        let channel = self
            .channel()
            .ok_or_else(|| Exception::throw_message(&ctx, NOT_CONNECTED))?;
        let service = text_of(&ctx, service.0)?;
        let mut call = Call {
            path: http::uri::PathAndQuery::from_static(health::CHECK),
            metadata: grpc::Metadata::default(),
            timeout: Some(CALLING),
        };
        let counting = Counting::begin(&self.host, &channel, &mut call, &[]);
        let mut exchange = health::check(&channel, call, &service);
        let asked = async {
            let (message, status) = exchange.unary().await;
            counting.end(&status, message.is_some());
            health::answered(message, status)
        };
        let health = self.host.wait_for(&ctx, Box::pin(asked))?;
        let health = health.map_err(|status: Status| Exception::throw_message(&ctx, &status.to_string()))?;
        let object = Object::new(ctx)?;
        object.set("status", health)?;
        Ok(object)
    }

    /// Closes the connection, or leaves it to those who share it.
    fn close(&self) {
        if let Some(channel) = self.channel.take() {
            if Pool::give_back(&channel) {
                channel.close();
            }
            self.host.add_bytes(channel.take_bytes());
        }
    }
}
