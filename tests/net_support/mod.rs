//! Loopback servers that behave exactly as badly as a test needs, and short ways to ask them.
#![allow(dead_code, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use loadgen::net::{Client, Hop, NetOptions, Request, Response, Shared, Target, Timings};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a test remembers of a hop.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub url: String,
    pub status: u16,
    pub proto: &'static str,
    pub tls: &'static str,
    pub error: u16,
    pub error_code: u16,
    pub timings: Timings,
    pub sent: u64,
    pub received: u64,
    pub took: Duration,
    pub reused: bool,
    pub retried: bool,
}

impl From<&Hop<'_>> for Seen {
    fn from(hop: &Hop<'_>) -> Seen {
        Seen {
            method: hop.method.to_string(),
            url: hop.url.to_owned(),
            status: hop.status,
            proto: hop.proto.as_str(),
            tls: hop.tls.as_str(),
            error: hop.error.map_or(0, |error| error.code),
            error_code: hop.error_code(),
            timings: hop.timings,
            sent: hop.sent,
            received: hop.received,
            took: hop.ended - hop.started,
            reused: hop.reused,
            retried: hop.retried,
        }
    }
}

/// Runs a test on one thread, as a worker does. No test may take longer than 20 seconds.
pub fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let bounded = async {
        tokio::time::timeout(Duration::from_secs(20), future)
            .await
            .expect("test hangs")
    };
    tokio::task::LocalSet::new().block_on(&runtime, bounded)
}

pub fn client() -> Client {
    client_with(NetOptions {
        user_agent: "t".to_owned(),
        ..NetOptions::default()
    })
}

pub fn client_with(options: NetOptions) -> Client {
    Client::new(Shared::new(options).unwrap())
}

pub fn target(url: impl AsRef<str>) -> Target {
    Target::parse(url.as_ref()).unwrap()
}

pub fn get(url: impl AsRef<str>) -> Request {
    Request::get(target(url))
}

/// Sends and returns the response with all hops.
pub async fn send(client: &Client, request: Request) -> (Response, Vec<Seen>) {
    let mut hops = Vec::new();
    let response = client.send(request, &mut |hop| hops.push(Seen::from(hop))).await;
    (response, hops)
}

/// Accepts connections and hands each, with its number from 0, to a handler of its own task.
pub async fn serve<F, R>(handler: F) -> SocketAddr
where
    F: Fn(usize, TcpStream) -> R + 'static,
    R: Future<Output = ()> + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::task::spawn_local(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::task::spawn_local(handler(number, stream));
        }
    });
    address
}

/// Answers every request with what the function makes of it, keeping connections alive.
pub async fn answer<F>(respond: F) -> SocketAddr
where
    F: Fn(&str) -> Vec<u8> + 'static,
{
    let respond = Arc::new(respond);
    #[allow(clippy::arc_with_non_send_sync)]
    serve(move |_, mut stream| {
        let respond = Arc::clone(&respond);
        async move {
            while let Some(request) = read_request(&mut stream).await {
                if stream.write_all(&respond(&request)).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

/// One request, head and body (Content-Length only), as text; `None` when the client closed.
pub async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut text = Vec::new();
    loop {
        if let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&text[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |value| value.trim().parse::<usize>().unwrap());
            while text.len() < end + 4 + length {
                if stream.read_buf(&mut text).await.ok()? == 0 {
                    return None;
                }
            }
            return Some(String::from_utf8_lossy(&text).into_owned());
        }
        if stream.read_buf(&mut text).await.ok()? == 0 {
            return None;
        }
    }
}

/// A response with a Content-Length.
pub fn ok(body: impl AsRef<[u8]>) -> Vec<u8> {
    with_headers("200 OK", &[], body)
}

pub fn with_headers(status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers {
        bytes.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

pub fn redirect(status: &str, location: &str) -> Vec<u8> {
    with_headers(status, &[("Location", location)], "moved")
}

pub async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}
