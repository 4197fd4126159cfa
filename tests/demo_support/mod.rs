//! What the tests of the embedded target share: a target on free ports, and a client with one connection.
#![allow(dead_code, reason = "each test file uses its part")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use loadgen::demo::{DemoArgs, DemoError, Server};
use serde_json::Value;
use tokio::net::TcpStream;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    demo: DemoArgs,
}

pub fn try_start(args: &str) -> Result<Server, DemoError> {
    let all = std::iter::once("demo").chain(args.split_ascii_whitespace());
    Server::start(&Command::parse_from(all).demo.into())
}

/// A target on free ports that costs nothing, unless `args` say otherwise.
pub fn start(args: &str) -> Server {
    let cost = if args.contains("--cpu-cost") {
        ""
    } else {
        "--cpu-cost 0"
    };
    try_start(&format!("--port 0 {cost} {args}")).expect("the target starts")
}

pub fn address(server: &Server, service: &str) -> SocketAddr {
    server
        .addresses()
        .iter()
        .find(|(name, _)| *name == service)
        .expect("a service")
        .1
}

/// One connection, used for one request after the other.
pub struct Client(SendRequest<Full<Bytes>>);

impl Client {
    pub async fn connect(to: SocketAddr) -> Client {
        let stream = TcpStream::connect(to).await.expect("it listens");
        stream.set_nodelay(true).expect("a socket option");
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a handshake");
        tokio::spawn(connection);
        Client(sender)
    }

    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        self.0.ready().await.expect("the connection is open");
        let (parts, body) = self
            .0
            .send_request(request)
            .await
            .expect("an answer")
            .into_parts();
        Response::from_parts(parts, body.collect().await.expect("a body").to_bytes())
    }

    pub async fn get(&mut self, path: &str) -> (StatusCode, Value) {
        let request = Request::get(path)
            .header("host", "demo")
            .body(Full::default())
            .expect("a request");
        let response = self.send(request).await;
        (
            response.status(),
            serde_json::from_slice(response.body()).expect("JSON"),
        )
    }

    pub async fn post(&mut self, path: &str, body: &Value) -> (StatusCode, Value) {
        let body = Full::new(Bytes::from(body.to_string()));
        let request = Request::post(path)
            .header("host", "demo")
            .body(body)
            .expect("a request");
        let response = self.send(request).await;
        (
            response.status(),
            serde_json::from_slice(response.body()).expect("JSON"),
        )
    }
}

pub async fn wait_for(condition: impl Fn() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(
            since.elapsed() < Duration::from_millis(800),
            "it did not happen in time"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
