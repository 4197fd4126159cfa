//! One connection's life: DNS, TCP, TLS, HTTP/1.1, HTTP/2, WebSocket, gRPC, Redis, cookies, redirects, bodies, and the phase
//! timings stamped at the I/O layer.
//!
//! A [`Client`] per virtual user sends [`Request`]s to parsed [`Target`]s. Every HTTP transaction, failed or not,
//! is reported as a [`Hop`], which is what metrics count; the caller gets the final [`Response`], which is never an
//! `Err`. What all clients of a process have in common is [`Shared`], made from [`NetOptions`].
//!
//! The path of a warm HTTP/1.1 request is short on purpose: take the connection from a list, build the header map,
//! poll hyper's connection in place, stamp five instants. Everything rare is behind a boxed future.

mod client;
mod connect;
mod connections;
mod cookies;
mod debug;
mod decode;
mod digest;
mod direct;
mod dns;
mod encode;
mod error;
mod exchange;
mod flight;
pub mod grpc;
mod headers;
mod options;
mod pool;
mod port;
mod progress;
mod proxy;
mod redirect;
mod redis;
mod request;
mod response;
mod shared;
mod target;
mod throttle;
mod timer;
mod tls;
mod trace;
mod websocket;
mod wire;

pub use client::Client;
pub use cookies::Jar;
pub use encode::Coding;
pub use error::{NetError, code};
pub use headers::canonical;
pub use options::{ClientIdentity, HttpLog, NetOptions, SetupError, TlsVersion};
pub use port::holder as port_holder;
pub use proxy::Proxies;
pub use redis::{Redis, RedisError, RedisOptions, RedisPlan, RedisStore, Reply};
pub use request::{Auth, JarChoice, Request, RequestCookie};
pub use response::{Hop, Response, ResponseCookie, Timings, status_text};
pub use shared::Shared;
pub use target::Target;
pub use throttle::Throttle;
pub use tls::{TlsInfo, TlsMaterial};
pub use trace::TraceContext;
pub use websocket::{Closing, Event, Opening, Utf8Bytes, WebSocket, close_code};
