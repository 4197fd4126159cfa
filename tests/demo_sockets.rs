//! `/ws` of the embedded target: who gets in, what is answered, who is told what, and how sockets end.

mod demo_support;

use std::time::{Duration, Instant};

use demo_support::{Client, address, start};
use futures_util::{SinkExt, StreamExt};
use http::{Request, StatusCode};
use http_body_util::Full;
use loadgen::demo::Server;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

type Socket = WebSocketStream<TcpStream>;

async fn try_open(server: &Server, query: &str) -> Result<Socket, Error> {
    let to = address(server, "app");
    let stream = TcpStream::connect(to).await.expect("it listens");
    client_async(format!("ws://{to}/ws{query}"), stream)
        .await
        .map(|(socket, _)| socket)
}

async fn open(server: &Server) -> Socket {
    try_open(server, "?token=test-api-key").await.expect("a socket")
}

async fn say(socket: &mut Socket, message: &Value) {
    socket
        .send(Message::text(message.to_string()))
        .await
        .expect("it is open");
}

async fn next(socket: &mut Socket) -> Message {
    timeout(Duration::from_secs(10), socket.next())
        .await
        .expect("a message in time")
        .expect("it is open")
        .expect("a message")
}

async fn hear(socket: &mut Socket) -> Value {
    let message = next(socket).await;
    serde_json::from_str(message.to_text().expect("text")).expect("JSON")
}

/// Hears until a message has this type.
async fn hear_of(socket: &mut Socket, kind: &str) -> Value {
    loop {
        let message = hear(socket).await;
        if message["type"] == kind {
            return message;
        }
    }
}

async fn subscribed(server: &Server) -> Socket {
    let mut socket = open(server).await;
    say(
        &mut socket,
        &json!({ "type": "subscribe", "channel": "missions" }),
    )
    .await;
    assert_eq!(
        hear(&mut socket).await,
        json!({ "type": "subscribed", "channel": "missions" })
    );
    socket
}

/// Asks an endpoint of the target.
async fn http(server: &Server, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let mut client = Client::connect(address(server, "happy")).await;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "demo")
        .header("authorization", "Bearer test-auth-token");
    let body = body.map_or_else(Full::default, |body| Full::from(body.to_string()));
    let response = client.send(request.body(body).expect("a request")).await;
    (
        response.status(),
        serde_json::from_slice(response.body()).expect("JSON"),
    )
}

async fn stat(server: &Server, name: &str) -> u64 {
    let (status, stats) = http(server, "GET", "/v1/websocket/stats", None).await;
    assert_eq!(status, StatusCode::OK);
    stats[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name} in {stats}"))
}

/// The close frame that ends a socket.
async fn closed(socket: &mut Socket) -> CloseFrame {
    loop {
        if let Message::Close(frame) = next(socket).await {
            return frame.expect("a reason");
        }
    }
}

#[tokio::test]
async fn a_token_opens_it_and_nothing_else_does() {
    let server = start("");
    for query in ["", "?token=wrong", "?token="] {
        match try_open(&server, query).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{query}"),
            other => panic!("{query}: {other:?}"),
        }
    }
    open(&server).await;
    let (status, body) = http(&server, "GET", "/ws", None).await;
    assert_eq!(status, StatusCode::UPGRADE_REQUIRED);
    assert!(
        body["error"]
            .as_str()
            .is_some_and(|error| error.contains("WebSocket")),
        "{body}"
    );
    assert_eq!(
        http(&server, "POST", "/ws", None).await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn what_is_said_is_answered() {
    let server = start("");
    let mut socket = open(&server).await;
    let echo = json!({ "type": "echo", "text": "grüße", "n": [1, 2.5] });
    let conversation = [
        (json!({ "type": "ping" }), json!({ "type": "pong" })),
        (
            json!({ "type": "ping", "at": 7 }),
            json!({ "type": "pong", "at": 7 }),
        ),
        (echo.clone(), echo),
        (
            json!({ "type": "subscribe", "channel": "c" }),
            json!({ "type": "subscribed", "channel": "c" }),
        ),
        (
            json!({ "type": "unsubscribe", "channel": "c" }),
            json!({ "type": "unsubscribed", "channel": "c" }),
        ),
    ];
    for (said, answer) in conversation {
        say(&mut socket, &said).await;
        assert_eq!(hear(&mut socket).await, answer);
    }
    for nonsense in [
        "hello",
        "[]",
        "{}",
        r#"{"type":"dance"}"#,
        r#"{"type":"subscribe"}"#,
        r#"{"type":"subscribe","channel":""}"#,
    ] {
        socket.send(Message::text(nonsense)).await.expect("it is open");
        let answer = hear(&mut socket).await;
        assert!(
            answer["type"] == "error" && answer["error"].is_string(),
            "{nonsense}: {answer}"
        );
    }
    let bytes = Message::binary(vec![0, 255, 7]);
    socket.send(bytes.clone()).await.expect("it is open");
    assert_eq!(next(&mut socket).await, bytes);
    socket
        .send(Message::Ping(vec![1].into()))
        .await
        .expect("it is open");
    assert_eq!(next(&mut socket).await, Message::Pong(vec![1].into()));
    assert_eq!(
        (
            stat(&server, "messagesIn").await,
            stat(&server, "messagesOut").await
        ),
        (12, 12)
    );
}

#[tokio::test]
async fn a_channel_has_news_each_second_and_of_each_mission() {
    let server = start("");
    let (mut socket, mut silent) = (subscribed(&server).await, open(&server).await);
    let began = Instant::now();
    for update in 1..=2 {
        let news = hear(&mut socket).await;
        assert_eq!(
            (&news["type"], &news["channel"], &news["update"]),
            (&json!("mission.update"), &json!("missions"), &json!(update))
        );
    }
    assert!(
        began.elapsed() >= Duration::from_millis(1500),
        "{:?}",
        began.elapsed()
    );
    let mission = json!({ "name": "n", "prompt": "p" });
    let (status, created) = http(&server, "POST", "/api/missions", Some(mission)).await;
    assert_eq!(status, StatusCode::CREATED);
    let news = loop {
        let news = hear_of(&mut socket, "mission.update").await;
        if !news["mission"].is_null() {
            break news;
        }
    };
    assert_eq!(news["mission"], created);
    say(&mut silent, &json!({ "type": "ping" })).await;
    assert_eq!(
        hear(&mut silent).await,
        json!({ "type": "pong" }),
        "who did not subscribe is told nothing"
    );
}

#[tokio::test]
async fn a_broadcast_reaches_every_socket_or_every_one_on_a_channel() {
    let server = start("");
    let mut sockets = vec![
        subscribed(&server).await,
        open(&server).await,
        open(&server).await,
    ];
    let all = json!({ "type": "news", "payload": { "n": 1 } });
    let told = http(&server, "POST", "/v1/websocket/broadcast", Some(all.clone())).await;
    assert_eq!(told, (StatusCode::OK, json!({ "delivered": 3 })));
    for socket in &mut sockets {
        assert_eq!(hear_of(socket, "news").await, all);
    }
    let mut some = json!({ "type": "for some", "payload": null });
    some["channel"] = json!("missions");
    let told = http(&server, "POST", "/v1/websocket/broadcast", Some(some)).await;
    assert_eq!(told.1, json!({ "delivered": 1 }));
    hear_of(&mut sockets[0], "for some").await;
    drop(sockets);
    let began = Instant::now();
    while stat(&server, "connections").await > 0 {
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "closed sockets are still counted"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(stat(&server, "opened").await, 3);
}

#[tokio::test]
async fn who_does_not_read_is_dropped_and_holds_up_nobody() {
    let server = start("");
    let (deaf, mut reader) = (open(&server).await, open(&server).await);
    // More than fits into the socket's buffers on either side and the queue between.
    let news = json!({ "type": "news", "payload": "x".repeat(60_000) });
    let began = Instant::now();
    let mut delivered = 2;
    let mut sent = 0;
    while delivered == 2 {
        assert!(began.elapsed() < Duration::from_secs(20), "it is never dropped");
        let (_, told) = http(&server, "POST", "/v1/websocket/broadcast", Some(news.clone())).await;
        delivered = told["delivered"].as_u64().expect("a number");
        hear_of(&mut reader, "news").await;
        sent += 1;
    }
    assert_eq!(
        (delivered, stat(&server, "dropped").await),
        (1, 1),
        "after {sent}"
    );
    drop(deaf);
}

#[tokio::test]
async fn faults_of_the_client_have_their_close_codes() {
    let server = start("--max-body 100");
    let mut large = open(&server).await;
    large
        .send(Message::text("x".repeat(2000)))
        .await
        .expect("it is open");
    assert_eq!(closed(&mut large).await.code, CloseCode::Size);

    let mut garbled = open(&server).await;
    let frame = tokio_tungstenite::tungstenite::protocol::frame::Frame::message(
        vec![0xff, 0xfe],
        tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode::Data(
            tokio_tungstenite::tungstenite::protocol::frame::coding::Data::Text,
        ),
        true,
    );
    garbled.send(Message::Frame(frame)).await.expect("it is open");
    assert_eq!(closed(&mut garbled).await.code, CloseCode::Invalid);
}

#[tokio::test]
async fn the_client_can_close_it() {
    let server = start("");
    let mut socket = open(&server).await;
    socket.close(None).await.expect("it is open");
    while let Some(message) = timeout(Duration::from_secs(5), socket.next())
        .await
        .expect("in time")
    {
        assert!(matches!(message, Ok(Message::Close(_))), "{message:?}");
    }
}

#[tokio::test]
async fn stopping_closes_them_and_does_not_wait_for_those_that_do_not_answer() {
    let server = start("");
    let (mut polite, _deaf) = (subscribed(&server).await, open(&server).await);
    let stopping = tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        server.stop();
        began.elapsed()
    });
    let frame = closed(&mut polite).await;
    assert_eq!(frame.code, CloseCode::Away);
    let took = stopping.await.expect("it stops");
    assert!(took < Duration::from_millis(1500), "{took:?}");
}

#[tokio::test]
async fn five_hundred_are_served_at_once() {
    let server = start("--threads 2");
    let mut sockets = Vec::new();
    for _ in 0..500 {
        sockets.push(open(&server).await);
    }
    assert_eq!(stat(&server, "connections").await, 500);
    for socket in &mut sockets {
        say(socket, &json!({ "type": "subscribe", "channel": "missions" })).await;
    }
    for socket in &mut sockets {
        hear_of(socket, "subscribed").await;
    }
    let told = http(
        &server,
        "POST",
        "/v1/websocket/broadcast",
        Some(json!({ "type": "news" })),
    )
    .await;
    assert_eq!(told.1, json!({ "delivered": 500 }));
    for socket in &mut sockets {
        hear_of(socket, "news").await;
    }
}
