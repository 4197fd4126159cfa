//! A sale from many threads, its keys, its waiting room, and the fault that breaks it.

use std::collections::HashSet;

use http::HeaderMap;
use serde_json::Value;

use super::*;
use crate::demo::testing::{Asked, parsed};

fn rules() -> Rules {
    Rules {
        max_keys: 1000,
        waiting_room: None,
        oversell: false,
        seed: 1,
    }
}

fn sale(rules: Rules, quantity: u64) -> Asked {
    let system = Asked::new(routes(rules));
    init(&system, quantity);
    system
}

fn init(system: &Asked, quantity: u64) {
    let (status, _) = system.post(
        "/init",
        &json!({ "productId": "iphone-15", "quantity": quantity }),
    );
    assert_eq!(status, 200);
}

fn order(system: &Asked, user: &str, key: Option<&str>) -> (u16, Value) {
    let mut headers = HeaderMap::new();
    if let Some(key) = key {
        headers.insert("x-idempotency-key", key.parse().expect("a value"));
    }
    let body = json!({ "productId": "iphone-15", "userId": user }).to_string();
    parsed(&system.ask(&Method::POST, "/order", &headers, body.as_bytes()))
}

/// Orders from eight threads at once; the ids of those accepted.
fn rush(system: &Asked, each: usize) -> Vec<String> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                scope.spawn(move || {
                    let mut ids = Vec::new();
                    for n in 0..each {
                        let key = format!("{thread}-{n}");
                        let (status, reply) = order(system, &key, Some(&key));
                        match status {
                            200 => ids.push(reply["orderId"].as_str().expect("an id").to_owned()),
                            409 => assert_eq!(reply, json!({ "error": "sold out" })),
                            other => panic!("{other}: {reply}"),
                        }
                    }
                    ids
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no assertion failed"))
            .collect()
    })
}

#[test]
fn exactly_the_stock_is_sold_however_many_ask_at_once() {
    let system = sale(rules(), 100);
    let ids = rush(&system, 500);
    assert_eq!(ids.len(), 100);
    assert_eq!(
        ids.iter().collect::<HashSet<_>>().len(),
        100,
        "each order has its own id"
    );
    let expected = json!({ "productId": "iphone-15", "stock": 0, "initial": 100, "accepted": 100 });
    assert_eq!(system.get("/stock/iphone-15"), (200, expected));
    let (_, orders) = system.get("/orders?productId=iphone-15");
    assert_eq!(
        (&orders["count"], orders["orders"].as_array().map(Vec::len)),
        (&json!(100), Some(100))
    );
}

#[test]
fn the_fault_sells_what_is_not_there() {
    let system = sale(
        Rules {
            oversell: true,
            ..rules()
        },
        100,
    );
    let sold = rush(&system, 500).len();
    // 3900 come too late, and one in twenty of them is served: 195, with a standard deviation of 14.
    assert!((200..400).contains(&sold), "{sold}");
    let (_, stock) = system.get("/stock/iphone-15");
    assert_eq!(
        (stock["accepted"].as_u64(), stock["stock"].as_i64()),
        (
            Some(sold as u64),
            Some(100 - i64::try_from(sold).expect("a small number"))
        )
    );
}

#[test]
fn a_key_gets_the_same_answer_again_and_no_second_item() {
    let system = sale(rules(), 2);
    let first = order(&system, "u", Some("k"));
    assert_eq!(first.0, 200);
    assert_eq!(order(&system, "u", Some("k")), first);
    assert_eq!(system.get("/stock/iphone-15").1["stock"], json!(1));
    assert_eq!(order(&system, "v", None).0, 200);
    let late = order(&system, "w", Some("late"));
    assert_eq!((late.0, order(&system, "w", Some("late"))), (409, late));
    assert_eq!(order(&system, "u", Some("k")), first, "also when all is sold");
}

#[test]
fn keys_are_remembered_up_to_a_limit() {
    let system = sale(
        Rules {
            max_keys: 2,
            ..rules()
        },
        10,
    );
    for key in ["a", "b", "c"] {
        order(&system, "u", Some(key));
    }
    order(&system, "u", Some("c"));
    order(&system, "u", Some("b"));
    assert_eq!(system.get("/stock/iphone-15").1["accepted"], json!(3));
    order(&system, "u", Some("a"));
    assert_eq!(
        system.get("/stock/iphone-15").1["accepted"],
        json!(4),
        "a was forgotten"
    );
}

#[test]
fn a_sale_begun_anew_has_its_stock_and_forgets_its_orders() {
    let system = sale(rules(), 1);
    let before = order(&system, "u", Some("k"));
    assert_eq!(order(&system, "u", Some("l")).0, 409);
    init(&system, 5);
    let after = order(&system, "u", Some("k"));
    assert_eq!(after.0, 200);
    assert_ne!(before, after);
    assert_eq!(system.get("/stock/iphone-15").1["stock"], json!(4));
}

#[test]
fn too_many_orders_are_sent_to_the_waiting_room_and_take_nothing() {
    let system = sale(
        Rules {
            waiting_room: Some(3),
            ..rules()
        },
        1000,
    );
    let body = json!({ "productId": "iphone-15", "userId": "u" }).to_string();
    let mut sent_away = 0;
    for _ in 0..100 {
        let reply = system.ask(&Method::POST, "/order", &HeaderMap::new(), body.as_bytes());
        if reply.status == StatusCode::FOUND {
            let (name, value) = reply.header.expect("a header");
            assert_eq!(
                (name, value.to_str().ok()),
                (LOCATION, Some("/waiting-room?productId=iphone-15"))
            );
            sent_away += 1;
        }
    }
    let (_, stock) = system.get("/stock/iphone-15");
    assert_eq!(stock["accepted"].as_u64(), Some(100 - sent_away));
    // A hundred calls take no second, but may lie on either side of its end.
    assert!(sent_away >= 94, "{sent_away}");
    assert_eq!(system.get("/waiting-room?productId=iphone-15").0, 200);
}

#[test]
fn nonsense_is_refused() {
    let system = sale(rules(), 1);
    for body in [
        r#"{"productId":"x"}"#,
        r#"{"productId":"","quantity":1}"#,
        r#"{"productId":"x","quantity":-1}"#,
        "[]",
        "",
    ] {
        assert_eq!(system.post_text("/init", body).0, 400, "{body}");
    }
    for body in [
        r#"{"productId":"iphone-15"}"#,
        r#"{"productId":"iphone-15","userId":""}"#,
        "{",
    ] {
        assert_eq!(system.post_text("/order", body).0, 400, "{body}");
    }
    assert_eq!(order(&system, "u", Some(&"k".repeat(MAX_TEXT + 1))).0, 400);
    assert_eq!(
        system
            .post("/order", &json!({ "productId": "other", "userId": "u" }))
            .0,
        404
    );
    assert_eq!(
        (system.get("/stock/other").0, system.get("/orders").0),
        (404, 404)
    );
    for n in 0..MAX_PRODUCTS - 1 {
        assert_eq!(
            system
                .post("/init", &json!({ "productId": n.to_string(), "quantity": 1 }))
                .0,
            200
        );
    }
    assert_eq!(
        system
            .post("/init", &json!({ "productId": "one more", "quantity": 1 }))
            .0,
        507
    );
}
