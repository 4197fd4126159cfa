//! The WebSocket of the net room: opening, messages both ways, every kind of end.
#![allow(clippy::unwrap_used)]

mod net_support;
mod ws_support;

use std::future::poll_fn;
use std::time::{Duration, Instant};

use http::HeaderValue;
use loadgen::net::{
    Client, Closing, Event, NetOptions, Opening, Proxies, Request, Target, WebSocket, close_code, code,
};
use net_support::*;
use tokio::io::AsyncWriteExt;
use ws_support::WsServer;

fn request(url: &str) -> Request {
    Request::get(Target::websocket(url).unwrap())
}

async fn open(url: &str) -> Opening {
    client().websocket(request(url), &[]).await
}

async fn opened(url: &str) -> WebSocket {
    let opening = open(url).await;
    assert_eq!(opening.status, 101, "{:?}", opening.socket);
    opening.socket.unwrap()
}

async fn next(socket: &mut WebSocket) -> Event {
    poll_fn(|cx| socket.poll_event(cx)).await
}

async fn closed(socket: &mut WebSocket) -> Closing {
    loop {
        if let Event::Closed(closing) = next(socket).await {
            return closing;
        }
    }
}

#[test]
fn messages_go_both_ways_and_bytes_are_counted() {
    let server = WsServer::start();
    run(async {
        let opening = open(&server.url("/echo")).await;
        assert_eq!(opening.status, 101);
        assert!(opening.sent > 100 && opening.received > 100, "{opening:?}");
        assert!(opening.timings.connecting > Duration::ZERO && opening.took >= opening.timings.blocked);
        let mut socket = opening.socket.unwrap();
        socket.send_text("hello".to_owned());
        socket.send_binary(vec![1, 2, 3]);
        socket.ping("7");
        assert_eq!(socket.buffered(), 8);
        assert_eq!(next(&mut socket).await, Event::Text("hello".into()));
        assert_eq!(next(&mut socket).await, Event::Binary(vec![1, 2, 3].into()));
        assert_eq!(next(&mut socket).await, Event::Pong("7".into()));
        assert_eq!((socket.buffered(), socket.take_sent()), (0, 2));
        // 2 bytes of header each way, and 4 of mask from a client
        assert_eq!(socket.take_bytes(), (3 * 6 + 9, 3 * 2 + 9));
        socket.close(close_code::NORMAL, "done");
        let closing = closed(&mut socket).await;
        assert_eq!(
            (closing.code, closing.reason.as_str(), closing.error),
            (1000, "done", None)
        );
    });
    server.settled();
    assert_eq!(
        (server.opened(), server.messages(), server.closes()),
        (1, 2, vec![1000])
    );
}

#[test]
fn a_refusal_is_a_whole_response() {
    let server = WsServer::start();
    run(async {
        let opening = open(&server.url("/status/401")).await;
        assert_eq!((opening.status, &opening.body[..]), (401, &b"no token"[..]));
        assert_eq!(opening.headers["x-why"], "token");
        let error = opening.socket.unwrap_err();
        assert_eq!(error.code, 1401);
        assert_eq!(
            error.message,
            "websocket: bad handshake: the server answered 401 Unauthorized"
        );
        let error = open(&server.url("/status/200")).await.socket.unwrap_err();
        assert_eq!(error.code, code::GENERIC);
        let error = open(&server.url("/garbage")).await.socket.unwrap_err();
        assert!(error.message.contains("malformed HTTP"), "{error}");
    });
}

#[test]
fn a_socket_that_never_opens_times_out() {
    let server = WsServer::start();
    run(async {
        let mut request = request(&server.url("/silent"));
        request.timeout = Duration::from_millis(100);
        let begin = Instant::now();
        let opening = client().websocket(request, &[]).await;
        assert_eq!(opening.socket.unwrap_err().code, code::TIMEOUT);
        assert!(opening.sent > 0 && begin.elapsed() < Duration::from_secs(5));

        let error = open("ws://127.0.0.1:1/").await.socket.unwrap_err();
        assert_eq!(error.code, code::DIAL_REFUSED);
        let blocked = client_with(NetOptions {
            block_hostnames: vec!["*.blocked.test".parse().unwrap()],
            ..NetOptions::default()
        });
        let opening = blocked
            .websocket(self::request("ws://a.blocked.test/"), &[])
            .await;
        assert_eq!(opening.socket.unwrap_err().code, code::BLOCKED_HOSTNAME);
    });
    server.settled();
}

#[test]
fn headers_cookies_and_subprotocols_are_sent() {
    let server = WsServer::start();
    run(async {
        let client = client();
        client.jar().set(request(&server.url("/")).target.url(), "a=1");
        let mut asked = request(&server.url("/echo/subprotocol/second?token=x"));
        asked.headers.insert("x-own", HeaderValue::from_static("yes"));
        let protocols = ["first".to_owned(), "second".to_owned()];
        let opening = client.websocket(asked, &protocols).await;
        assert_eq!(opening.protocol(), "second");
        drop(opening);
        let cookies = client.jar().cookies(request(&server.url("/")).target.url());
        assert_eq!(cookies.len(), 2, "what the answer set is kept: {cookies:?}");
        let mut reserved = request(&server.url("/echo"));
        reserved
            .headers
            .insert("sec-websocket-key", HeaderValue::from_static("x"));
        let error = client.websocket(reserved, &[]).await.socket.unwrap_err();
        assert!(error.message.contains("sec-websocket-key"), "{error}");
    });
    server.settled();
    let head = server.log.heads.lock().unwrap()[0].to_lowercase();
    for part in [
        "get /echo/subprotocol/second?token=x http/1.1",
        "x-own: yes",
        "cookie: a=1",
        "sec-websocket-protocol: first, second",
        "user-agent: t",
        "upgrade: websocket",
    ] {
        assert!(head.contains(part), "{part}\n{head}");
    }
    assert_eq!(server.closes(), [1001], "a dropped socket goes away with a word");
}

#[test]
fn every_way_a_server_ends_a_socket_is_told_apart() {
    let server = WsServer::start();
    for (path, code, error) in [
        ("/close/1000", 1000, None),
        ("/close/1001", 1001, None),
        ("/close/0", 1005, Some("websocket: close 1005 (no status)")),
        (
            "/close/1011",
            1011,
            Some("websocket: close 1011 (internal server error): bye"),
        ),
        ("/close/4321", 4321, Some("websocket: close 4321: bye")),
        (
            "/drop",
            1006,
            Some("websocket: close 1006 (abnormal closure): unexpected EOF"),
        ),
        (
            "/invalid",
            1007,
            Some("websocket: the server sent text that is not valid UTF-8 (close 1007)"),
        ),
        (
            "/masked",
            1002,
            Some("websocket: Received a masked frame from server (close 1002)"),
        ),
    ] {
        run(async {
            let closing = closed(&mut opened(&server.url(path)).await).await;
            let said = closing.error.as_ref().map(|error| &*error.message);
            assert_eq!((closing.code, said), (code, error), "{path}");
        });
    }
    server.settled();
    // The server was answered, or told what was wrong with its frames.
    assert_eq!(server.closes(), [1000, 1001, 1002, 1005, 1007, 1011, 4321]);
}

#[test]
fn large_messages_pass_in_one_frame_and_larger_ones_are_refused() {
    let server = WsServer::start();
    run(async {
        let mut socket = opened(&server.url("/echo")).await;
        let sent: Vec<u8> = (0..10 << 20).map(|n: u32| (n % 251) as u8).collect();
        for _ in 0..3 {
            socket.send_binary(sent.clone());
        }
        // Both ends write: without reading meanwhile they would wait for each other.
        poll_fn(|cx| socket.poll_drained(cx, 0)).await;
        assert_eq!((socket.buffered(), socket.take_sent()), (0, 3));
        for _ in 0..3 {
            assert!(next(&mut socket).await == Event::Binary(sent.clone().into()));
        }
        let mut socket = opened(&server.url("/binary/70000000")).await;
        let closing = closed(&mut socket).await;
        assert_eq!(closing.code, close_code::TOO_BIG, "{closing:?}");
    });
}

#[test]
fn a_server_that_does_not_read_or_answer_is_not_waited_for() {
    let server = WsServer::start();
    run(async {
        let mut socket = opened(&server.url("/deaf")).await;
        socket.send_binary(vec![0; 30 << 20]);
        let drained = poll_fn(|cx| socket.poll_drained(cx, 1 << 20));
        assert!(
            tokio::time::timeout(Duration::from_millis(300), drained)
                .await
                .is_err()
        );
        assert!(socket.buffered() > 20 << 20, "{}", socket.buffered());
        let begin = Instant::now();
        drop(socket);
        assert!(begin.elapsed() < Duration::from_secs(1));

        let mut socket = opened(&server.url("/stubborn")).await;
        tokio::time::pause();
        socket.close(close_code::NORMAL, "");
        let closing = closed(&mut socket).await;
        assert_eq!((closing.code, closing.error), (1006, None));
        assert!(
            closing.reason.contains("did not answer the close"),
            "{}",
            closing.reason
        );
    });
}

#[test]
fn pings_are_answered() {
    let server = WsServer::start();
    run(async {
        let mut socket = opened(&server.url("/ping")).await;
        assert_eq!(next(&mut socket).await, Event::Ping);
        socket.send_text("after".to_owned());
        assert_eq!(next(&mut socket).await, Event::Text("after".into()));
    });
}

#[test]
fn wss_speaks_http_1_1_and_goes_through_a_proxy() {
    let server = WsServer::start_tls();
    let url = format!("wss://{}/echo", server.address);
    let insecure = || NetOptions {
        tls_verify: false,
        ..NetOptions::default()
    };
    run(async {
        let error = open(&url).await.socket.unwrap_err();
        assert_eq!(error.code, code::X509_UNKNOWN_AUTHORITY);
        let opening = client_with(insecure()).websocket(request(&url), &[]).await;
        assert!(opening.tls.is_some() && opening.timings.tls_handshaking > Duration::ZERO);
        let mut socket = opening.socket.unwrap();
        socket.send_text("secret".to_owned());
        assert_eq!(next(&mut socket).await, Event::Text("secret".into()));
    });
    server.settled();
}

/// A proxy that knows nothing but CONNECT, and where it leads everyone.
async fn tunnel(server: std::net::SocketAddr) -> std::net::SocketAddr {
    serve(move |_, mut stream| async move {
        let head = read_request(&mut stream).await.unwrap();
        assert!(head.starts_with("CONNECT far.test:"), "{head}");
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut onward = tokio::net::TcpStream::connect(server).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
    })
    .await
}

#[test]
fn a_plain_websocket_asks_its_proxy_for_a_tunnel_too() {
    let server = WsServer::start();
    run(async {
        let proxy = tunnel(server.address).await;
        let client = Client::new(
            loadgen::net::Shared::new(NetOptions {
                proxies: Proxies::new(&proxy.to_string(), "", "").unwrap(),
                ..NetOptions::default()
            })
            .unwrap(),
        );
        let opening = client.websocket(request("ws://far.test/echo"), &[]).await;
        let mut socket = opening.socket.unwrap();
        socket.send_text("through".to_owned());
        assert_eq!(next(&mut socket).await, Event::Text("through".into()));
    });
}
