//! The embedded target over real HTTP on the loopback: its endpoints, its refusals, and what overload looks like.

mod demo_support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use demo_support::{Client, address, start, try_start, wait_for};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn every_service_is_healthy_on_its_own_port() {
    let server = start("");
    let names: Vec<&str> = server.addresses().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["wallet", "store", "spawn", "app", "sequencer", "happy"]);
    for name in names {
        let mut client = Client::connect(address(&server, name)).await;
        let (status, body) = client.get("/").await;
        assert_eq!(
            (status, &body["service"], &body["status"]),
            (StatusCode::OK, &json!(name), &json!("ok"))
        );
        let head = Request::head("/")
            .header("host", "demo")
            .body(Full::default())
            .expect("a request");
        let response = client.send(head).await;
        assert_eq!((response.status(), response.body().len()), (StatusCode::OK, 0));
        assert_eq!(response.headers()["content-type"], "application/json");
    }
}

#[tokio::test]
async fn what_is_written_is_read_back_listed_and_gone_after_its_deletion() {
    let server = start("");
    let mut store = Client::connect(address(&server, "store")).await;
    let value = json!({ "n": 1, "text": "grüße" });
    assert_eq!(
        store
            .post("/v1/set", &json!({ "key": "a/1", "value": value }))
            .await
            .0,
        StatusCode::OK
    );
    let (status, body) = store.post("/v1/get", &json!({ "key": "a/1" })).await;
    assert_eq!(
        (status, body),
        (StatusCode::OK, json!({ "key": "a/1", "value": value }))
    );
    assert_eq!(
        store.post("/v1/list", &json!({ "prefix": "a/" })).await.1["keys"],
        json!(["a/1"])
    );
    assert_eq!(
        store.post("/v1/delete", &json!({ "key": "a/1" })).await.1["deleted"],
        json!(true)
    );
    assert_eq!(
        store.post("/v1/get", &json!({ "key": "a/1" })).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn concurrent_clients_each_read_what_they_wrote() {
    let server = start("--threads 2 --cpu-cost 10us --queue 1000");
    let store = address(&server, "store");
    let clients: Vec<_> = (0..16)
        .map(|client| {
            tokio::spawn(async move {
                let mut connection = Client::connect(store).await;
                for n in 0..40 {
                    let key = format!("c{client}-{n}");
                    let set = json!({ "key": key, "value": [client, n] });
                    assert_eq!(connection.post("/v1/set", &set).await.0, StatusCode::OK);
                    let (_, read) = connection.post("/v1/get", &json!({ "key": key })).await;
                    assert_eq!(read["value"], json!([client, n]));
                    if n % 2 == 0 {
                        connection.post("/v1/delete", &json!({ "key": key })).await;
                    }
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("every answer was right");
    }
    let mut connection = Client::connect(store).await;
    let (_, all) = connection.post("/v1/list", &json!({ "prefix": "c" })).await;
    assert_eq!(all["keys"].as_array().map(Vec::len), Some(16 * 20));
}

#[tokio::test]
async fn what_is_not_understood_is_refused_in_the_words_of_http() {
    let server = start("--max-body 1000");
    let mut store = Client::connect(address(&server, "store")).await;
    assert_eq!(store.get("/nowhere").await.0, StatusCode::NOT_FOUND);
    assert_eq!(store.get("/v1/set/").await.0, StatusCode::NOT_FOUND);
    let (status, body) = store.post("/v1/set", &json!("not an object")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        body["error"]
            .as_str()
            .is_some_and(|error| error.contains("/v1/set")),
        "{body}"
    );

    let request = Request::get("/v1/set")
        .header("host", "demo")
        .body(Full::default())
        .expect("a request");
    let response = store.send(request).await;
    assert_eq!(
        (response.status(), &response.headers()["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().expect("a value"))
    );
    assert_eq!(
        store.post("/", &json!({})).await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(
        store.post("/__stats", &json!({})).await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );

    let large = json!({ "key": "k", "value": "x".repeat(1000) });
    let mut fresh = Client::connect(address(&server, "store")).await;
    assert_eq!(
        fresh.post("/v1/set", &large).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn a_body_of_unknown_length_is_bounded_too() {
    let server = start("--max-body 1000");
    let mut stream = TcpStream::connect(address(&server, "store"))
        .await
        .expect("it listens");
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
    let request =
        format!("POST /v1/set HTTP/1.1\r\nhost: demo\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut start = [0; 12];
    stream
        .read_exact(&mut start)
        .await
        .expect("an answer before the end of the body");
    assert_eq!(&start, b"HTTP/1.1 413");
}

#[tokio::test]
async fn payment_is_required_for_the_store_but_not_for_health() {
    let server = start("--payment-required");
    let mut store = Client::connect(address(&server, "store")).await;
    assert_eq!(store.get("/").await.0, StatusCode::OK);
    let (status, body) = store.post("/v1/get", &json!({ "key": "k" })).await;
    assert_eq!(status, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(body["accepts"][0]["resource"], json!("/v1/get"));
    let paid = Request::post("/v1/get")
        .header("host", "demo")
        .header("x-payment", "anything");
    let response = store
        .send(paid.body(Full::from(r#"{"key":"k"}"#)).expect("a request"))
        .await;
    assert_eq!(
        response.status(),
        StatusCode::NOT_FOUND,
        "paid for, but there is no such key"
    );
}

/// What came of the requests of an open-model load.
#[derive(Debug, Default)]
struct Offered {
    served: usize,
    rejected: usize,
    other: usize,
    slowest: Duration,
}

/// Offers `rate` requests per second for `seconds`, each when it is due, over connections of their own.
async fn offer(to: SocketAddr, rate: u32, seconds: u32) -> Offered {
    let began = Instant::now();
    let requests: Vec<_> = (0..rate * seconds)
        .map(|n| {
            let due = began + Duration::from_secs(1) / rate * n;
            tokio::spawn(async move {
                tokio::time::sleep_until(due.into()).await;
                let mut client = Client::connect(to).await;
                let request = Request::get("/")
                    .header("host", "demo")
                    .body(Full::default())
                    .expect("a request");
                let response = client.send(request).await;
                if response.status() == StatusCode::SERVICE_UNAVAILABLE {
                    assert_eq!(response.headers()["retry-after"], "1");
                }
                (response.status(), due.elapsed())
            })
        })
        .collect();
    let mut offered = Offered::default();
    for request in requests {
        let (status, took) = request.await.expect("an answer");
        match status {
            StatusCode::OK => offered.served += 1,
            StatusCode::SERVICE_UNAVAILABLE => offered.rejected += 1,
            _ => offered.other += 1,
        }
        offered.slowest = offered.slowest.max(took);
    }
    offered
}

#[tokio::test]
async fn three_times_its_capacity_is_served_at_its_capacity_and_the_rest_is_told_to_come_back() {
    let server = start("--capacity 100 --queue 20");
    let offered = offer(address(&server, "wallet"), 300, 3).await;
    assert_eq!(offered.served + offered.rejected, 900, "{offered:?}");
    // Three seconds at 100/s, and the twenty that wait at the end.
    assert!((285..=335).contains(&offered.served), "{offered:?}");
    // Who waits behind twenty at 100/s waits 200 ms.
    assert!(offered.slowest >= Duration::from_millis(150), "{offered:?}");
    let stats = server.stats();
    assert_eq!(
        (stats.served, stats.rejected),
        (offered.served as u64, offered.rejected as u64)
    );
}

#[tokio::test]
async fn below_its_capacity_nothing_is_rejected() {
    let server = start("--capacity 100 --queue 20");
    let offered = offer(address(&server, "wallet"), 50, 2).await;
    assert_eq!(
        (offered.served, offered.rejected, offered.other),
        (100, 0, 0),
        "{offered:?}"
    );
}

#[tokio::test]
async fn past_saturation_a_share_fails() {
    let server = start("--capacity 100 --queue 40 --error-rate 0.5");
    let offered = offer(address(&server, "wallet"), 300, 2).await;
    assert!(
        offered.other > 20 && offered.served > 60 && offered.rejected > 200,
        "{offered:?}"
    );
    assert_eq!(server.stats().failed, offered.other as u64);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_cpu_cost_shows_in_the_process() {
    use loadgen::remote::procfs::{TICKS_PER_SECOND, process_stat};
    let used = || {
        let text = std::fs::read_to_string("/proc/self/stat").expect("this process");
        process_stat(&text).expect("its counters").cpu_ticks as f64 / TICKS_PER_SECOND
    };
    let server = start("--cpu-cost 5ms");
    let mut client = Client::connect(address(&server, "wallet")).await;
    let before = used();
    for _ in 0..60 {
        assert_eq!(client.get("/").await.0, StatusCode::OK);
    }
    let burnt = used() - before;
    assert!(
        (0.28..0.6).contains(&burnt),
        "60 requests of 5 ms burn 0.3 s, and a little around them: {burnt}"
    );
}

#[tokio::test]
async fn counters_are_served_and_survive_overload() {
    let server = start("--capacity 1 --queue 0");
    let mut client = Client::connect(address(&server, "spawn")).await;
    assert_eq!(client.get("/").await.0, StatusCode::OK);
    assert_eq!(client.get("/").await.0, StatusCode::SERVICE_UNAVAILABLE);
    let (status, stats) = client.get("/__stats").await;
    assert_eq!(status, StatusCode::OK);
    let expected = json!({
        "accepted": 1, "served": 1, "failed": 0, "rejected": 1, "abandoned": 0, "queue": 0, "busy": 0, "service": "spawn"
    });
    assert_eq!(stats, expected);
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_place() {
    let server = start("--capacity 1 --queue 1");
    let mut client = Client::connect(address(&server, "wallet")).await;
    client.get("/").await;
    let mut waiting = TcpStream::connect(address(&server, "wallet"))
        .await
        .expect("it listens");
    waiting
        .write_all(b"GET / HTTP/1.1\r\nhost: demo\r\n\r\n")
        .await
        .expect("it reads");
    wait_for(|| server.stats().queue == 1).await;
    drop(waiting);
    wait_for(|| server.stats().queue == 0).await;
    assert_eq!(server.stats().abandoned, 1);
}

#[tokio::test]
async fn a_taken_port_is_named_together_with_the_way_out() {
    let first = start("");
    let taken = address(&first, "store").port();
    let error = try_start(&format!("--ports 0,{taken},0,0,0,0"))
        .expect_err("the port is taken")
        .to_string();
    assert!(
        error.contains(&format!("port {taken} for store is already in use")),
        "{error}"
    );
    assert!(error.contains("--ports") && error.contains("--port 0"), "{error}");
}

#[test]
fn ports_must_fit_the_services() {
    let error = try_start("--ports 0,0").expect_err("one too few").to_string();
    assert!(
        error.contains("6 ports (wallet, store, spawn, app, sequencer, happy), not 2"),
        "{error}"
    );
    let error = try_start("--port 65531").expect_err("one too few").to_string();
    assert!(error.contains("65531"), "{error}");
}

#[tokio::test]
async fn stopping_lets_the_request_under_way_finish_and_frees_the_ports() {
    let server = start("--latency 150ms");
    let wallet = address(&server, "wallet");
    let mut client = Client::connect(wallet).await;
    let shared = Arc::new(server);
    let under_way = tokio::spawn(async move { client.get("/").await.0 });
    let seen = Arc::clone(&shared);
    wait_for(move || seen.stats().accepted == 1).await;
    let server = Arc::into_inner(shared).expect("nobody else holds it");
    tokio::task::spawn_blocking(move || server.stop())
        .await
        .expect("it stops");
    assert_eq!(under_way.await.expect("an answer"), StatusCode::OK);
    assert!(
        TcpStream::connect(wallet).await.is_err(),
        "nobody listens any more"
    );
    let again = try_start(&format!("--ports {},0,0,0,0,0", wallet.port())).expect("the port is free at once");
    assert_eq!(address(&again, "wallet"), wallet);
}

#[tokio::test]
async fn a_target_without_cost_keeps_up_with_many_connections() {
    let server = start("");
    let to = address(&server, "wallet");
    let clients: Vec<_> = (0..200)
        .map(|_| {
            tokio::spawn(async move {
                let mut client = Client::connect(to).await;
                for _ in 0..25 {
                    let request = Request::builder()
                        .method(Method::GET)
                        .uri("/")
                        .header("host", "demo");
                    let response = client
                        .send(request.body(Full::default()).expect("a request"))
                        .await;
                    assert_eq!(response.status(), StatusCode::OK);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("every request was answered");
    }
    assert_eq!(server.stats().served, 5000);
}
