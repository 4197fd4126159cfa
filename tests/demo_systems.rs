//! The systems of the embedded target over real HTTP: tokens, missions, the flash sale under a rush, sessions.

mod demo_support;

use std::collections::HashSet;
use std::net::SocketAddr;

use demo_support::{Client, address, start};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use loadgen::demo::Server;
use serde_json::{Value, json};

async fn client(server: &Server, service: &str) -> Client {
    Client::connect(address(server, service)).await
}

/// The status, a header, and the JSON of an answer.
async fn ask(
    client: &mut Client,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> (StatusCode, http::HeaderMap, Value) {
    let mut request = Request::builder().method(method).uri(path).header("host", "demo");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = body.map_or_else(Full::default, |body| Full::from(body.to_string()));
    let response = client.send(request.body(body).expect("a request")).await;
    let (status, headers) = (response.status(), response.headers().clone());
    (
        status,
        headers,
        serde_json::from_slice(response.body()).unwrap_or(Value::Null),
    )
}

const BEARER: (&str, &str) = ("authorization", "Bearer test-api-key");

#[tokio::test]
async fn the_three_new_ports_serve_the_same_and_say_who_they_are() {
    let server = start("");
    let mut app = client(&server, "app").await;
    let created = ask(
        &mut app,
        Method::POST,
        "/api/missions",
        &[BEARER],
        Some(json!({ "name": "n", "prompt": "p" })),
    )
    .await;
    assert_eq!(created.0, StatusCode::CREATED);
    for name in ["app", "sequencer", "happy"] {
        let mut other = client(&server, name).await;
        for path in ["/", "/health"] {
            let (status, body) = other.get(path).await;
            assert_eq!(
                (status, &body["service"]),
                (StatusCode::OK, &json!(name)),
                "{path}"
            );
        }
        assert_eq!(other.get("/api/health").await.1["status"], json!("ok"));
        let (_, _, listed) = ask(&mut other, Method::GET, "/api/missions", &[BEARER], None).await;
        assert_eq!(listed, json!([created.2]), "state is shared");
    }
    let mut wallet = client(&server, "wallet").await;
    assert_eq!(wallet.get("/api/health").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn tokens_are_asked_for_and_those_given_out_are_taken() {
    let server = start("--token mine --token other");
    let mut happy = client(&server, "happy").await;
    let sessions = "/v1/sessions";
    let (status, headers, body) = ask(&mut happy, Method::GET, sessions, &[], None).await;
    assert_eq!(
        (status, &headers["www-authenticate"]),
        (StatusCode::UNAUTHORIZED, &"Bearer".parse().expect("a value"))
    );
    assert!(
        body["error"]
            .as_str()
            .is_some_and(|error| error.contains("Authorization: Bearer")),
        "{body}"
    );
    let proof = json!({ "publicKey": "k", "challenge": "c", "signature": "s" });
    let (_, given) = happy.post("/v1/auth", &proof).await;
    let given = format!("Bearer {}", given["token"].as_str().expect("a token"));
    for (header, status) in [
        (("authorization", "Bearer test-auth-token"), 200),
        (("authorization", "bearer mine"), 200),
        (("authorization", given.as_str()), 200),
        (("x-api-key", "other"), 200),
        (("authorization", "Bearer wrong"), 401),
        (("authorization", "Basic bWluZTo="), 401),
        (("x-api-key", "wrong"), 401),
    ] {
        let answer = ask(&mut happy, Method::GET, sessions, &[header], None).await;
        assert_eq!(answer.0, status, "{header:?}");
    }
    // A refused post does not cost its connection.
    let refused = ask(
        &mut happy,
        Method::POST,
        sessions,
        &[],
        Some(json!({ "tag": "x".repeat(10_000) })),
    )
    .await;
    assert_eq!(refused.0, StatusCode::UNAUTHORIZED);
    assert_eq!(happy.get("/health").await.0, StatusCode::OK);
}

#[tokio::test]
async fn paths_with_parameters_have_methods_heads_and_encodings() {
    let server = start("");
    let mut app = client(&server, "app").await;
    let (status, headers, _) = ask(&mut app, Method::PUT, "/api/missions/1", &[BEARER], None).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    let allowed: HashSet<&str> = headers["allow"].to_str().expect("text").split(", ").collect();
    assert_eq!(allowed, HashSet::from(["GET", "DELETE"]));
    let head = ask(&mut app, Method::HEAD, "/api/specs/001", &[BEARER], None).await;
    assert_eq!((head.0, head.2), (StatusCode::OK, Value::Null));
    for (path, status) in [
        ("/api/specs/100", 404),
        ("/api/specs/%30%30%31", 200),
        ("/api/specs/001/", 404),
        ("/api/specs/search?q=con%66ig", 200),
        ("/api/specs", 404),
    ] {
        assert_eq!(
            ask(&mut app, Method::GET, path, &[BEARER], None).await.0,
            status,
            "{path}"
        );
    }
    let (_, _, found) = ask(
        &mut app,
        Method::GET,
        "/api/specs/search?x=1&q=config+files",
        &[BEARER],
        None,
    )
    .await;
    assert_eq!(
        (found.as_array().map(Vec::len), &found[0]["id"]),
        (Some(1), &json!("010"))
    );
}

/// Orders over `connections` connections, `each` over each; how many were accepted, rejected, sent to wait.
async fn rush(to: SocketAddr, connections: usize, each: usize) -> (usize, usize, usize) {
    let buyers: Vec<_> = (0..connections)
        .map(|buyer| {
            tokio::spawn(async move {
                let mut client = Client::connect(to).await;
                let mut counts = (0, 0, 0);
                for n in 0..each {
                    let key = format!("{buyer}-{n}");
                    let order = json!({ "productId": "iphone-15", "userId": key });
                    let headers = [("x-idempotency-key", key.as_str())];
                    let (status, headers, _) =
                        ask(&mut client, Method::POST, "/order", &headers, Some(order)).await;
                    match status.as_u16() {
                        200 => counts.0 += 1,
                        409 => counts.1 += 1,
                        302 => {
                            assert_eq!(headers["location"], "/waiting-room?productId=iphone-15");
                            counts.2 += 1;
                        }
                        other => panic!("{other}"),
                    }
                }
                counts
            })
        })
        .collect();
    let mut sum = (0, 0, 0);
    for buyer in buyers {
        let counts = buyer.await.expect("every answer was one of the three");
        sum = (sum.0 + counts.0, sum.1 + counts.1, sum.2 + counts.2);
    }
    sum
}

async fn init(server: &Server) -> Client {
    let mut app = client(server, "app").await;
    let (status, _) = app
        .post("/init", &json!({ "productId": "iphone-15", "quantity": 100 }))
        .await;
    assert_eq!(status, StatusCode::OK);
    app
}

#[tokio::test]
async fn a_rush_over_many_connections_buys_exactly_the_stock() {
    let server = start("--threads 3 --cpu-cost 50us --queue 1000");
    let mut app = init(&server).await;
    let (accepted, rejected, sent_away) = rush(address(&server, "app"), 50, 20).await;
    assert_eq!((accepted, rejected, sent_away), (100, 900, 0));
    let (_, stock) = app.get("/stock/iphone-15").await;
    assert_eq!(
        stock,
        json!({ "productId": "iphone-15", "stock": 0, "initial": 100, "accepted": 100 })
    );
    assert_eq!(
        app.get("/orders?productId=iphone-15").await.1["count"],
        json!(100)
    );
    let key = [("x-idempotency-key", "0-0")];
    let order = json!({ "productId": "iphone-15", "userId": "again" });
    let first = ask(&mut app, Method::POST, "/order", &key, Some(order.clone())).await;
    let again = ask(&mut app, Method::POST, "/order", &key, Some(order)).await;
    assert_eq!((first.0, first.2), (again.0, again.2));
    assert_eq!(app.get("/stock/iphone-15").await.1, stock);
}

#[tokio::test]
async fn the_fault_oversells_and_the_stock_shows_it() {
    let server = start("--fault oversell");
    let mut app = init(&server).await;
    let (accepted, rejected, _) = rush(address(&server, "app"), 20, 50).await;
    assert!(accepted > 100, "{accepted}");
    assert_eq!(accepted + rejected, 1000);
    let (_, stock) = app.get("/stock/iphone-15").await;
    assert_eq!(stock["accepted"], json!(accepted));
    assert!(stock["stock"].as_i64().is_some_and(|stock| stock < 0), "{stock}");
}

#[tokio::test]
async fn too_many_buyers_are_sent_to_the_waiting_room() {
    let server = start("--waiting-room 10");
    let mut app = init(&server).await;
    let (accepted, rejected, sent_away) = rush(address(&server, "app"), 10, 20).await;
    // Two hundred orders take well under a second, but may lie on either side of its end.
    assert!((10..=60).contains(&accepted), "{accepted}");
    assert_eq!((accepted + sent_away, rejected), (200, 0));
    assert_eq!(app.get("/stock/iphone-15").await.1["accepted"], json!(accepted));
    assert_eq!(
        app.get("/waiting-room?productId=iphone-15").await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_session_lives_from_its_creation_to_its_deletion() {
    let server = start("");
    let mut happy = client(&server, "happy").await;
    let mut ask = async |method: Method, path: &str, body: Option<Value>| {
        let (status, _, body) = ask(&mut happy, method, path, &[BEARER], body).await;
        (status.as_u16(), body)
    };
    let (status, created) = ask(Method::POST, "/v1/sessions", Some(json!({ "tag": "t" }))).await;
    assert_eq!(status, 201);
    let path = format!(
        "/v1/sessions/{}",
        created["session"]["id"].as_str().expect("an id")
    );
    let messages = format!("{path}/messages");
    assert_eq!(
        ask(Method::POST, &messages, Some(json!({ "content": "hello" })))
            .await
            .0,
        201
    );
    let (_, said) = ask(Method::GET, &messages, None).await;
    assert_eq!(said["messages"][0]["content"], json!("hello"));
    assert_eq!(ask(Method::GET, &path, None).await, (200, created));
    assert_eq!(ask(Method::DELETE, &path, None).await.0, 200);
    assert_eq!(ask(Method::GET, &messages, None).await.0, 404);
    for (path, one) in [("/v1/machines", "machine"), ("/v1/artifacts", "artifact")] {
        let (status, made) = ask(Method::POST, path, Some(json!({ "name": "x" }))).await;
        assert_eq!((status, &made[one]["name"]), (201, &json!("x")));
        assert_eq!(
            ask(Method::GET, path, None).await.1[format!("{one}s")][0],
            made[one]
        );
    }
    let (status, stats) = ask(Method::GET, "/v1/websocket/stats", None).await;
    assert_eq!((status, &stats["connections"]), (200, &json!(0)));
}

#[tokio::test]
async fn batches_get_numbers_without_gaps_over_many_connections_and_can_be_proved() {
    let server = start("--threads 3");
    let to = address(&server, "sequencer");
    let store = json!({ "tenant_id": "t", "store_id": "s" });
    let senders: Vec<_> = (0..12)
        .map(|sender| {
            let mut batch = store.clone();
            tokio::spawn(async move {
                let mut client = Client::connect(to).await;
                let mut ranges = Vec::new();
                for n in 0..10 {
                    // The largest batch is well past what --max-body allows other endpoints.
                    let size = if n == 0 { 500 } else { 20 };
                    batch["events"] = (0..size)
                        .map(|event| {
                            json!({
                                "event_id": format!("{sender}-{n}-{event}"), "entity_type": "order",
                                "entity_id": format!("o{sender}"), "event_type": "updated",
                                "payload": { "text": "x".repeat(100) },
                            })
                        })
                        .collect();
                    let path = "/api/v1/ves/events/ingest";
                    let (status, _, reply) =
                        ask(&mut client, Method::POST, path, &[BEARER], Some(batch.clone())).await;
                    assert_eq!(
                        (status, &reply["events_accepted"]),
                        (StatusCode::OK, &json!(size))
                    );
                    let end = |field: &str| reply[field].as_u64().expect("a number");
                    ranges.push((end("sequence_start"), end("sequence_end")));
                }
                ranges
            })
        })
        .collect();
    let mut ranges = Vec::new();
    for sender in senders {
        ranges.extend(sender.await.expect("every batch was accepted"));
    }
    ranges.sort_unstable();
    let mut next = 1;
    for (start, end) in ranges {
        assert_eq!(start, next);
        next = end + 1;
    }
    assert_eq!(next - 1, 12 * (500 + 9 * 20));
    let mut client = Client::connect(to).await;
    let (status, _, done) = ask(
        &mut client,
        Method::POST,
        "/api/v1/ves/commitments",
        &[BEARER],
        Some(store),
    )
    .await;
    assert_eq!(status, StatusCode::CREATED);
    let path = format!(
        "/api/v1/ves/proofs/{}?tenant_id=t&store_id=s",
        done["sequence_end"]
    );
    let (status, _, proof) = ask(
        &mut client,
        Method::GET,
        &path,
        &[("x-api-key", "test-api-key")],
        None,
    )
    .await;
    assert_eq!(
        (status, &proof["merkle_root"]),
        (StatusCode::OK, &done["merkle_root"])
    );
}

#[tokio::test]
async fn past_the_rate_limit_the_answer_is_429() {
    let server = start("--rate-limit-per-minute 5");
    let mut client = client(&server, "sequencer").await;
    let mut refused = 0;
    for _ in 0..20 {
        let path = "/api/v1/head?tenant_id=t&store_id=s";
        let (status, headers, _) = ask(&mut client, Method::GET, path, &[BEARER], None).await;
        if status == StatusCode::TOO_MANY_REQUESTS {
            assert!(headers.contains_key("retry-after"));
            refused += 1;
        }
    }
    assert!(
        (10..=15).contains(&refused),
        "five in a minute, or ten on both sides of its end: {refused}"
    );
    assert_eq!(
        client.get("/health").await.0,
        StatusCode::OK,
        "the limit is the API's"
    );
}
