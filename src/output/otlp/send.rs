//! One request to the collector, over gRPC (tonic) or HTTP (this program's own client).

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use prost::Message;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};

use super::spec::{OtlpError, OtlpSpec, Protocol, Signal};
use super::wire::{Answer, Complaint};
use crate::metrics::SpanDrop;
use crate::net::{Client, Coding, JarChoice, NetOptions, Proxies, Request, Shared, Target, code};
use crate::output::refusal::shortened;

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// Why a batch was not taken.
#[derive(Debug)]
pub(in crate::output) struct Fault {
    pub(in crate::output) reason: SpanDrop,
    pub(in crate::output) text: String,
    /// Whether the same batch may be taken later.
    pub(in crate::output) retry: bool,
    /// How long the collector wants to be left alone.
    pub(in crate::output) after: Option<Duration>,
}

/// A way to the collector that has been checked and can be taken to the exporter's thread.
pub(in crate::output) struct Route {
    means: Means,
    headers: HeaderMap,
    timeout: Duration,
    gzip: bool,
}

enum Means {
    Grpc(Box<Endpoint>, &'static str),
    Http(Arc<Shared>, Target),
}

impl Route {
    /// Checks all that can be wrong with a way; nothing is connected yet.
    pub(in crate::output) fn plan(spec: &OtlpSpec) -> Result<Route, OtlpError> {
        let headers = spec.headers.iter().filter_map(|(key, value)| {
            let name = HeaderName::try_from(key).ok()?;
            let mut value = HeaderValue::try_from(value).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        });
        let mut headers: HeaderMap = headers.collect();
        let means = match spec.protocol {
            Protocol::Grpc => {
                let export = match spec.signal {
                    Signal::Traces => TRACES,
                    Signal::Metrics => METRICS,
                };
                Means::Grpc(Box::new(endpoint(spec)?), export)
            }
            Protocol::Http => {
                let protobuf = HeaderValue::from_static("application/x-protobuf");
                headers.insert(header::CONTENT_TYPE, protobuf);
                if spec.gzip {
                    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                }
                // Apart from the load's client, so that its requests and connections are counted nowhere.
                let options = NetOptions {
                    proxies: Proxies::from_env().map_err(|error| setup(&error))?,
                    user_agent: concat!("loadgen-otlp/", env!("CARGO_PKG_VERSION")).to_owned(),
                    ..NetOptions::default()
                };
                let shared = Shared::new(options).map_err(|error| setup(&error))?;
                let target = Target::parse(spec.url.as_str()).map_err(|error| setup(&error))?;
                Means::Http(shared, target)
            }
        };
        Ok(Route {
            means,
            headers,
            timeout: spec.timeout,
            gzip: spec.gzip,
        })
    }

    /// The way itself. Must be called on the runtime that will use it.
    pub(in crate::output) fn open(self) -> Way {
        let Route {
            means,
            headers,
            timeout,
            gzip,
        } = self;
        match means {
            Means::Grpc(endpoint, export) => {
                let mut client = tonic::client::Grpc::new(endpoint.connect_lazy());
                if gzip {
                    client = client.send_compressed(CompressionEncoding::Gzip);
                }
                Way::Grpc(Box::new(Grpc {
                    client,
                    export,
                    headers,
                    timeout,
                }))
            }
            Means::Http(shared, target) => Way::Http(Box::new(Http {
                client: Client::new(shared),
                target,
                headers,
                timeout,
                gzip,
            })),
        }
    }
}

fn endpoint(spec: &OtlpSpec) -> Result<Endpoint, OtlpError> {
    let endpoint = Endpoint::from_shared(spec.url.to_string())
        .map_err(|error| setup(&error))?
        .connect_timeout(spec.timeout);
    if spec.url.scheme() != "https" {
        return Ok(endpoint);
    }
    endpoint
        .tls_config(ClientTlsConfig::new().with_native_roots())
        .map_err(|error| setup(&error))
}

/// A way to the collector.
pub(in crate::output) enum Way {
    Grpc(Box<Grpc>),
    Http(Box<Http>),
}

impl Way {
    /// Sends one request. Neither form waits longer than the specification's time.
    pub(in crate::output) async fn send(&mut self, body: Bytes) -> Result<Answer, Fault> {
        match self {
            Way::Grpc(grpc) => grpc.send(body).await,
            Way::Http(http) => http.send(body).await,
        }
    }
}

fn setup(error: &dyn std::error::Error) -> OtlpError {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(error) = inner {
        text = format!("{text}: {error}");
        inner = error.source();
    }
    OtlpError::Setup(text)
}

fn too_slow(timeout: Duration) -> Fault {
    Fault {
        reason: SpanDrop::Timeout,
        text: format!("no answer within {} s", timeout.as_secs_f64()),
        retry: true,
        after: None,
    }
}

pub(in crate::output) struct Grpc {
    client: tonic::client::Grpc<Channel>,
    /// The call.
    export: &'static str,
    headers: HeaderMap,
    timeout: Duration,
}

impl Grpc {
    async fn send(&mut self, body: Bytes) -> Result<Answer, Fault> {
        let mut request = tonic::Request::new(body);
        *request.metadata_mut() = MetadataMap::from_headers(self.headers.clone());
        let (client, export) = (&mut self.client, self.export);
        let call = async {
            client
                .ready()
                .await
                .map_err(|error| Status::from_error(Box::new(error)))?;
            client
                .unary(request, PathAndQuery::from_static(export), Encoded)
                .await
        };
        match tokio::time::timeout(self.timeout, call).await {
            Err(_) => Err(too_slow(self.timeout)),
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(refused(&status)),
        }
    }
}

/// The codes after which a batch may be sent again are the specification's.
fn refused(status: &Status) -> Fault {
    let mut innermost = status.source();
    while let Some(deeper) = innermost.and_then(std::error::Error::source) {
        innermost = Some(deeper);
    }
    let retry = matches!(
        status.code(),
        Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss
            | Code::ResourceExhausted
    );
    match innermost {
        // The collector did not say this: it is what became of the connection.
        Some(cause) => Fault {
            reason: SpanDrop::Unreachable,
            text: cause.to_string(),
            retry: true,
            after: None,
        },
        None => Fault {
            reason: SpanDrop::Refused,
            text: format!("{:?}: {}", status.code(), shortened(status.message())),
            retry,
            after: None,
        },
    }
}

/// A codec for a request that is encoded already.
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = Answer;
    type Encoder = Encoded;
    type Decoder = Encoded;

    fn encoder(&mut self) -> Encoded {
        Encoded
    }

    fn decoder(&mut self) -> Encoded {
        Encoded
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, body: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.reserve(body.len());
        out.put(body);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = Answer;
    type Error = Status;

    fn decode(&mut self, answer: &mut DecodeBuf<'_>) -> Result<Option<Answer>, Status> {
        let bytes = answer.copy_to_bytes(answer.remaining());
        let decoded = Answer::decode(bytes).map_err(|error| Status::internal(error.to_string()))?;
        Ok(Some(decoded))
    }
}

pub(in crate::output) struct Http {
    client: Client,
    target: Target,
    headers: HeaderMap,
    timeout: Duration,
    gzip: bool,
}

impl Http {
    async fn send(&mut self, body: Bytes) -> Result<Answer, Fault> {
        let mut request = Request::new(Method::POST, self.target.clone());
        request.body = if self.gzip {
            Coding::Gzip.encode(&body).map_err(|error| Fault {
                reason: SpanDrop::Refused,
                text: error.to_string(),
                retry: false,
                after: None,
            })?
        } else {
            body
        };
        request.headers = self.headers.clone();
        request.timeout = self.timeout;
        request.max_redirects = 0;
        request.jar = JarChoice::None;
        let response = self.client.send(request, &mut |_| {}).await;
        match (&response.error, response.status) {
            (Some(error), 0) if error.code == code::TIMEOUT => Err(too_slow(self.timeout)),
            (Some(error), 0) => Err(Fault {
                reason: SpanDrop::Unreachable,
                text: error.to_string(),
                retry: true,
                after: None,
            }),
            // It has taken the batch, whatever it says about it.
            (_, 200..=299) => Ok(Answer::decode(response.body).unwrap_or_default()),
            (_, status) => {
                let message = Complaint::decode(response.body.clone())
                    .map(|complaint| complaint.message)
                    .unwrap_or_default();
                let after = response.headers.get(header::RETRY_AFTER);
                let after = after.and_then(|value| value.to_str().ok()?.parse().ok());
                Err(Fault {
                    reason: SpanDrop::Refused,
                    text: format!("{} {}", response.status_text(), shortened(&message))
                        .trim()
                        .to_owned(),
                    retry: matches!(status, 429 | 502..=504),
                    after: after.map(Duration::from_secs),
                })
            }
        }
    }
}
