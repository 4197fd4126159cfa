//! A gRPC server that no client of ours has part in: tonic's framing over hyper, with tonic's reflection and health, for the
//! service of `tests/dialect/protos/room.proto`.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost_reflect::prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value};
use tokio_rustls::TlsAcceptor;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::Service;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::server::{Grpc, StreamingService};
use tonic::{Code, Request, Response, Status, Streaming};

/// What a server was asked, and what became of it.
#[derive(Default)]
pub struct Counts {
    pub connections: AtomicU64,
    pub calls: AtomicU64,
    /// Streams that the client gave up.
    pub canceled: AtomicU64,
}

/// A running server; it ends with the process, or when it is told to.
pub struct Room {
    pub address: SocketAddr,
    pub counts: Arc<Counts>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What a server knows beside its service.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reflection {
    Both,
    OnlyAlpha,
    None,
}

/// The service's descriptors.
pub fn descriptors() -> DescriptorPool {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialect/protos");
    let set = protox::compile(["room.proto"], [protos]).unwrap();
    DescriptorPool::from_file_descriptor_set(set).unwrap()
}

impl Room {
    pub fn start() -> Room {
        Room::with(None, Reflection::Both, None)
    }

    /// On this port, with TLS if it is given.
    pub fn with(port: Option<u16>, reflection: Reflection, tls: Option<rustls::ServerConfig>) -> Room {
        let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0))).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::<Counts>::default();
        let counting = counts.clone();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, reflection, tls, counting) => {}
                    _ = stopped => {}
                }
            });
        });
        Room {
            address,
            counts,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Ends it with all its connections.
    pub fn stop(mut self) {
        self.stop.take();
        self.thread.take().unwrap().join().unwrap();
    }

    /// Lets it run to the end of the process.
    pub fn leave(mut self) -> SocketAddr {
        std::mem::forget(self.stop.take());
        self.address
    }
}

async fn serve(
    listener: TcpListener,
    reflection: Reflection,
    tls: Option<rustls::ServerConfig>,
    counts: Arc<Counts>,
) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let pool = descriptors();
    let mut known = Vec::new();
    pool.encode(&mut known).unwrap();
    let reflected =
        || tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(&known);
    let (v1, alpha) = (
        reflected().build_v1().unwrap(),
        reflected().build_v1alpha().unwrap(),
    );
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_service_status("room.v1.Ill", tonic_health::ServingStatus::NotServing)
        .await;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        counts.connections.fetch_add(1, SeqCst);
        stream.set_nodelay(true).unwrap();
        let (pool, counts, acceptor) = (pool.clone(), counts.clone(), acceptor.clone());
        let (v1, alpha, health) = (v1.clone(), alpha.clone(), health.clone());
        let service = service_fn(move |request: http::Request<Incoming>| {
            let (pool, counts) = (pool.clone(), counts.clone());
            let (mut v1, mut alpha, mut health) = (v1.clone(), alpha.clone(), health.clone());
            async move {
                counts.calls.fetch_add(1, SeqCst);
                let path = request.uri().path().to_owned();
                if path.starts_with("/grpc.health.v1.Health/") {
                    return Ok::<_, Infallible>(health.call(request).await.unwrap());
                }
                if path.starts_with("/grpc.reflection.v1.") && reflection == Reflection::Both {
                    return Ok(v1.call(request).await.unwrap());
                }
                if path.starts_with("/grpc.reflection.v1alpha.") && reflection != Reflection::None {
                    return Ok(alpha.call(request).await.unwrap());
                }
                Ok(room(request, &path, &pool, counts).await)
            }
        });
        tokio::spawn(async move {
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            match acceptor {
                Some(acceptor) => {
                    if let Ok(tls) = acceptor.accept(stream).await {
                        let _ = server.serve_connection(TokioIo::new(tls), service).await;
                    }
                }
                None => {
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                }
            }
        });
    }
}

async fn room(
    request: http::Request<Incoming>,
    path: &str,
    pool: &DescriptorPool,
    counts: Arc<Counts>,
) -> http::Response<tonic::body::Body> {
    let method = path.strip_prefix("/room.v1.Room/").and_then(|name| {
        let service = pool.get_service_by_name("room.v1.Room")?;
        service.methods().find(|method| method.name() == name)
    });
    let Some(method) = method else {
        let status = Status::unimplemented(format!("unknown path {path}"));
        return status.into_http();
    };
    let authority = request.uri().authority().map(ToString::to_string);
    let handler = Handler {
        authority: authority.unwrap_or_default(),
        method: method.clone(),
        counts,
    };
    Grpc::new(Dynamic(method)).streaming(handler, request).await
}

/// Messages of a method, by its descriptor.
struct Dynamic(MethodDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Plain;
    type Decoder = Described;

    fn encoder(&mut self) -> Plain {
        Plain
    }

    fn decoder(&mut self) -> Described {
        Described(self.0.clone())
    }
}

struct Plain;

impl Encoder for Plain {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(out)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

struct Described(MethodDescriptor);

impl Decoder for Described {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let message = DynamicMessage::decode(self.0.input(), bytes);
        message
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

struct Handler {
    method: MethodDescriptor,
    authority: String,
    counts: Arc<Counts>,
}

type Answers = Pin<Box<dyn Stream<Item = Result<DynamicMessage, Status>> + Send>>;

impl StreamingService<DynamicMessage> for Handler {
    type Response = DynamicMessage;
    type ResponseStream = Answers;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answers>, Status>> + Send>>;

    fn call(&mut self, request: Request<Streaming<DynamicMessage>>) -> Self::Future {
        let (method, authority) = (self.method.clone(), self.authority.clone());
        let counts = self.counts.clone();
        Box::pin(async move { answer(method, authority, counts, request).await })
    }
}

/// Notes a call that ends before it is answered.
struct Unanswered(Option<Arc<Counts>>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(counts) = self.0.take() {
            counts.canceled.fetch_add(1, SeqCst);
        }
    }
}

fn int(message: &DynamicMessage, name: &str) -> i32 {
    message.get_field_by_name(name).unwrap().as_i32().unwrap()
}

fn text(message: &DynamicMessage, name: &str) -> String {
    message
        .get_field_by_name(name)
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

async fn answer(
    method: MethodDescriptor,
    authority: String,
    counts: Arc<Counts>,
    request: Request<Streaming<DynamicMessage>>,
) -> Result<Response<Answers>, Status> {
    let metadata = request.metadata().clone();
    let mut messages = request.into_inner();
    let output = method.output();
    let one = |message: DynamicMessage| -> Answers { Box::pin(stream::iter([Ok(message)])) };
    if method.name() == "Chat" {
        let mut given_up = Unanswered(Some(counts));
        let echoed = stream::poll_fn(move |cx| {
            let next = messages.poll_next_unpin(cx);
            if matches!(next, std::task::Poll::Ready(None)) {
                given_up.0.take();
            }
            next
        });
        return Ok(Response::new(Box::pin(echoed)));
    }
    if method.name() == "Sum" {
        let mut sum = 0;
        while let Some(number) = messages.message().await? {
            sum += int(&number, "value");
        }
        let mut total = DynamicMessage::new(output);
        total.set_field_by_name("value", Value::I32(sum));
        return Ok(Response::new(one(total)));
    }
    let asked = messages.message().await?;
    let asked = asked.ok_or_else(|| Status::internal("no message"))?;
    let mut told = DynamicMessage::new(output.clone());
    match method.name() {
        "Echo" => told = asked,
        "Greet" => {
            let greeting = format!("hey {}", text(&asked, "value"));
            told.set_field_by_name("value", Value::String(greeting));
        }
        "Tell" => {
            let calls = counts.calls.load(SeqCst) as i32;
            told.set_field_by_name("metadata", shown(&metadata));
            told.set_field_by_name("authority", Value::String(authority));
            told.set_field_by_name("calls", Value::I32(calls));
            let mut response = Response::new(with_tail(told));
            for value in ["one", "two"] {
                let value = MetadataValue::from_static(value);
                response.metadata_mut().append("x-head", value);
            }
            return Ok(response);
        }
        "Fail" => {
            let mut given_up = Unanswered(Some(counts));
            tokio::time::sleep(Duration::from_millis(int(&asked, "after_ms") as u64)).await;
            given_up.0.take();
            told.set_field_by_name(
                "authority",
                Value::String("x".repeat(int(&asked, "size") as usize)),
            );
            let code = Code::from_i32(int(&asked, "code"));
            if code != Code::Ok {
                let (message, reason) = (text(&asked, "message"), text(&asked, "reason"));
                return Err(Status::with_details(
                    code,
                    &message,
                    details(code, &message, &reason),
                ));
            }
        }
        "Count" => {
            let (first, last) = (int(&asked, "first"), int(&asked, "last"));
            let fail = asked.get_field_by_name("fail").unwrap().as_bool().unwrap();
            let numbers = (first..=last).map(move |value| {
                let mut number = DynamicMessage::new(output.clone());
                number.set_field_by_name("value", Value::I32(value));
                Ok(number)
            });
            let end = fail.then(|| Err(Status::aborted("as asked")));
            return Ok(Response::new(Box::pin(stream::iter(numbers.chain(end)))));
        }
        other => return Err(Status::unimplemented(other)),
    }
    Ok(Response::new(one(told)))
}

/// A message whose trailers say more than a status. tonic sends the metadata of a status with them, and with code 0 it is
/// no failure.
fn with_tail(message: DynamicMessage) -> Answers {
    let mut tail = MetadataMap::new();
    tail.insert("x-tail", MetadataValue::from_static("end"));
    tail.insert_bin("x-tail-bin", MetadataValue::from_bytes(b"abc"));
    let end = Status::with_metadata(Code::Ok, "", tail);
    Box::pin(stream::iter([Ok(message), Err(end)]))
}

fn shown(metadata: &MetadataMap) -> Value {
    let mut pairs = BTreeMap::new();
    for (name, value) in metadata.clone().into_headers() {
        if let Some(name) = name {
            pairs.insert(name.to_string(), value.to_str().unwrap_or("").to_owned());
        }
    }
    let entries = pairs
        .into_iter()
        .map(|(key, value)| (prost_reflect::MapKey::String(key), Value::String(value)));
    Value::Map(entries.collect())
}

/// A `google.rpc.Status` with an `ErrorInfo`, put together by hand: fields 1 to 3, then 1 of what is inside.
fn details(code: Code, message: &str, reason: &str) -> bytes::Bytes {
    fn field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
        out.extend([tag << 3 | 2, bytes.len() as u8]);
        out.extend(bytes);
    }
    if reason.is_empty() {
        return bytes::Bytes::new();
    }
    let (mut info, mut any, mut status) = (Vec::new(), Vec::new(), Vec::new());
    field(&mut info, 1, reason.as_bytes());
    field(&mut any, 1, b"type.googleapis.com/google.rpc.ErrorInfo");
    field(&mut any, 2, &info);
    status.extend([1 << 3, code as u8]);
    field(&mut status, 2, message.as_bytes());
    field(&mut status, 3, &any);
    status.into()
}
